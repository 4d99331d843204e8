"""Secrets of a data dir: made at random once, kept in DATA_DIR/keys.json (0600), the same at every start."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from app.embedded.errors import StackError
from app.embedded.files import write_private


@dataclass(frozen=True)
class Keys:
    """The secrets of one data dir; never shown in a repr."""

    postgres_password: str = field(repr=False)
    valkey_password: str = field(repr=False)
    secret_key: str = field(repr=False)
    settings_key: str = field(repr=False)
    """A Fernet key: 32 random bytes in URL-safe base64."""


def load_keys(data_dir: Path) -> Keys:
    """Read the secrets of a data dir; at the first start, make them.

    Raises:
        StackError: when the file is there but cannot be read or understood.
    """
    path = data_dir / "keys.json"
    try:
        return Keys(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        keys = _new_keys()
    except OSError as error:
        raise StackError(f"cannot read {path}: {error.strerror}; run as the user it belongs to") from error
    except (ValueError, TypeError) as error:
        # The parser's own text could show a part of a secret.
        raise StackError(f"{path} is damaged: put it back, or remove {data_dir} to begin anew") from error
    write_private(path, json.dumps(asdict(keys), indent=1))
    return keys


def _new_keys() -> Keys:
    return Keys(
        postgres_password=secrets.token_hex(32),
        valkey_password=secrets.token_hex(32),
        secret_key=secrets.token_hex(32),
        settings_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii"),
    )
