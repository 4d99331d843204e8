"""Messages to clients: their JSON, which is the same for both transports, and how Server-Sent Events write it.

A message is `{"id", "action", "notification", "unread-count"}`. In Redis it is kept without its id, which is not known
before it is there.
"""

from __future__ import annotations

import json
from typing import Any, Final

# As in app/inbox/changes.py, which a process without a database does not import.
RESYNC: Final = "resync"

# Bytes of a message: a longer one is not kept a hundred times over, the client reads the inbox instead.
MAX_MESSAGE: Final = 32 * 1024

# What some readers of events take for the end of a line (U+0085, U+2028, U+2029).
_LINE_ENDS: Final = {character: f"\\u{character:04x}" for character in (0x85, 0x2028, 0x2029)}

# `Count` is what `unread-count` may be: a number, "99+", or None where the sender cannot know it.
Count = int | str | None


def make_message(action: str, notification: dict[str, Any] | None, unread: Count) -> str:
    """The JSON of a message, as it is kept; one that is too long becomes a `resync`."""
    body = {"action": action, "notification": notification, "unread-count": unread}
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_LINE_ENDS)
    if notification is not None and len(text.encode()) > MAX_MESSAGE:
        return make_message(RESYNC, None, unread)
    return text


def with_id(event_id: str, message: str) -> str:
    """The JSON that a client gets."""
    return f'{{"id":"{event_id}",{message[1:]}'


def unread_in(message: str) -> Count:
    """The unread count that a kept message told; None, if it is none."""
    if not message:
        return None
    count: Count = json.loads(message).get("unread-count")
    return count


def is_resync(message: str) -> bool:
    """Whether a kept message asks to read the inbox anew."""
    return message.startswith(f'{{"action":"{RESYNC}"')


def sse_event(event_id: str, message: str) -> bytes:
    """A message as an event; JSON has no line breaks of its own."""
    name = "resync" if is_resync(message) else "notification"
    return f"id: {event_id}\nevent: {name}\ndata: {with_id(event_id, message)}\n\n".encode()


def sse_opening(event_id: str | None, retry: int) -> bytes:
    """What a stream begins with: when to come back (in milliseconds), and from where on.

    An event without data is not shown to anybody, but its id is what the client resumes from.
    """
    where = f"id: {event_id}\n" if event_id else ""
    return f"retry: {retry}\n{where}: ready\n\n".encode()


def sse_goodbye(retry: int) -> bytes:
    """What a stream ends with, when the server wants it to end."""
    return f"retry: {retry}\n: bye\n\n".encode()


SSE_HEARTBEAT: Final = b":\n\n"
