"""The operator's commands (`python manage.py --help`), and `manage:app` for gunicorn."""

from __future__ import annotations

import sys
from typing import Any

from app.commands import main
from config import ConfigurationError

# gunicorn's exit code for "the application cannot be loaded": its arbiter then stops instead of trying for ever.
CANNOT_LOAD = 4


def __getattr__(name: str) -> Any:
    """Make `app` when gunicorn asks for it, so that `manage.py dev` can run before there is a database."""
    if name != "app":
        raise AttributeError(name)
    from app import create_app  # noqa: PLC0415 - see above
    from app.memory import settle  # noqa: PLC0415 - see above

    try:
        app = create_app()
    except ConfigurationError as error:
        sys.stderr.write(f"usher: {error}\n")
        raise SystemExit(CANNOT_LOAD) from error
    settle()
    return app


if __name__ == "__main__":
    main()
