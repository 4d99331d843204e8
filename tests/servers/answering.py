"""An SMTP server for tests that asks the test what to answer to each mail it was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from tests.servers.smtp import RecordingSmtp


class AnsweringSmtp(RecordingSmtp):
    """Keeps every mail it was offered, those that it refuses too; `client_port` is where the last one came from.

    Args:
        answer: gets how many mails there were, this one included, and gives the reply; None takes the mail. It runs
            after the mail was given and before the sender knows, which is the worst moment for anything to break.
    """

    def __init__(self, answer: Callable[[int], str | None]) -> None:
        super().__init__()
        self.client_port = 0
        self._answer = answer

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        self.client_port = session.peer[1]
        taken = await super().handle_DATA(server, session, envelope)
        return self._answer(len(self.envelopes)) or taken
