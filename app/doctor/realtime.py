"""The realtime gateway: whether it answers at its public address, and hears Redis."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Final

from app.doctor.findings import Finding

CHECK: Final = "realtime"
SECONDS: Final = 3.0
_WHERE: Final = "REALTIME_URL"
# Nobody has this number: without a login a gateway refuses it like any other.
_PROBE: Final = "/v1/users/0/notifications/stream"
_START: Final = "Start one: `python manage.py realtime`, or the service `realtime`, and lead the address to it."
# As a browser would not: no proxy of the environment.
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def check_realtime(url: str) -> list[Finding]:
    """Ask the gateway for a stream without a login, as a client reaches it: it must refuse that in its own words."""
    status, document = _ask(f"{url}{_PROBE}")
    if status == 401 and _is_ours(document):  # noqa: PLR2004 - Unauthorized
        return [Finding("ok", CHECK, _WHERE, f"The realtime gateway answers at {url}.")]
    if status is None:
        what = f"Nothing answers at {url}: open pages learn nothing until they are loaded anew."
        return [Finding("warning", CHECK, _WHERE, what, _START)]
    what = f"Something answers at {url} with the status {status}, but not the realtime gateway."
    return [Finding("warning", CHECK, _WHERE, what, f"Lead {_PROBE.replace('0', '*')} there to the gateway.")]


def _ask(address: str) -> tuple[int | None, Any]:
    try:
        with _DIRECT.open(address, timeout=SECONDS) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read(10_000))
    except (OSError, ValueError):
        return None, None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _is_ours(document: Any) -> bool:
    """Whether it is the gateway's refusal; the web server knows no such address."""
    return isinstance(document, dict) and "or a ticket" in str(document.get("errors"))
