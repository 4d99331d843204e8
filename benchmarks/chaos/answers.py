"""What becomes of a mail at which its server refuses, hangs up or says nothing: one way after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from unittest.mock import patch

from sqlalchemy import Row, text

from app.api.helpers.mail import send_email
from app.delivery import retry
from app.delivery.handover import wait_for_hand_over
from app.delivery.recovery import try_doubtful_again
from app.delivery.sender import drain
from app.delivery.services.registry import close_transport
from app.delivery.transports.base import SmtpConfig
from app.delivery.transports.smtp import SmtpTransport
from app.models import db
from app.models.mail import DEFERRED, FAILED, SENT, UNCERTAIN
from benchmarks.chaos.report import Answer, Report
from benchmarks.chaos.scene import ChaosError, Scene
from benchmarks.peers.ours import send_to
from config import Config
from tests.servers.smtp import USUAL, Drop, Hang, Raw, ScriptedSmtp, Step

# Seconds that a silent server is waited for; usually it is ten, and a minute for the answer to a message.
SILENCE: Final = 1.0
# Seconds after which a mail should have had its next try.
PATIENCE: Final = 60.0

# What a server usually says to a line of a message.
_SILENT: Final = Raw(b"")
_LATER: Final = (DEFERRED, SENT)
_NEVER: Final = (FAILED, FAILED)
_DOUBT: Final = (UNCERTAIN, SENT)
# The backoff of each class of error; a permanent one has none.
_WAITS: Final = {"transient": retry.TRANSIENT, "throttled": retry.THROTTLED, "connection": retry.CONNECTION}


@dataclass(frozen=True)
class Trial:
    """Something that a server does to one mail, once; the next time it takes it.

    Attributes:
        does: in words.
        script: for a step of the conversation, what it does there.
        expected: the mail's status after it, and in the end.
        octets: of its text; 0 for a usual one.
    """

    does: str
    expected: tuple[str, str]
    script: dict[str, Step] = field(default_factory=dict)
    octets: int = 0


TRIALS: Final = (
    Trial("421 as its greeting", _LATER, {"greeting": "421 4.3.2 Service shutting down"}),
    Trial("421 to RCPT: shutting down", _LATER, {"rcpt": "421 4.3.2 Service shutting down"}),
    Trial("421 to MAIL: too many", _LATER, {"mail": "421 4.7.0 Too many messages, slow down"}),
    Trial("450 to RCPT: greylisted", _LATER, {"rcpt": "450 4.2.0 Greylisted, come back later"}),
    Trial("451 to the message", _LATER, {"message": "451 4.3.0 Local error in processing"}),
    Trial("452 to RCPT: no space", _LATER, {"rcpt": "452 4.2.2 Mailbox full"}),
    Trial("550 to RCPT: no such user", _NEVER, {"rcpt": "550 5.1.1 No such user here"}),
    Trial("552 to the message: too large", _NEVER, {"message": "552 5.3.4 Message too big"}),
    Trial("554 to the message: refused", _NEVER, {"message": "554 5.7.1 Message refused"}),
    Trial("closes at RCPT", _LATER, {"rcpt": Drop()}),
    Trial("closes in the middle of DATA", _LATER, {"in_data": Drop()}, octets=8_000_000),
    Trial("closes in DATA, with all of it under way", _DOUBT, {"in_data": Drop()}),
    Trial("closes after the final dot", _DOUBT, {"message": Drop()}),
    Trial("says nothing at all", _LATER, {"greeting": Hang()}),
    Trial("says nothing to RCPT", _LATER, {"rcpt": Hang()}),
    Trial("says nothing to the final dot", _DOUBT, {"message": Hang()}),
)


def answers(scene: Scene, report: Report) -> None:
    """Play all of them, sending in this process."""
    scene.stage.stack.stop_part("beat")  # this process alone decides when a mail is tried
    for trial in TRIALS:
        scene.begin()
        answer = play(trial, scene.stage.app.config["USHER"])
        report.answers.append(answer)
        print(f"  {answer.does}: {answer.became}, then {answer.then}", flush=True)


def play(trial: Trial, config: Config) -> Answer:
    """Queue one mail into the empty table, and see what becomes of it at this server."""
    script: dict[str, Step | list[Step]] = {
        step: [does, USUAL.get(step, _SILENT)] for step, does in trial.script.items()
    }
    with _impatience(), ScriptedSmtp("PIPELINING", **script) as server:
        send_to(server.port)
        mail = send_email("ana@example.org", "Test", "Subject", "<p>Hello</p>")
        if mail is not None and trial.octets:
            mail.text = f"{'long ' * 150}\n" * (trial.octets // 750)
        db.session.commit()
        wait_for_hand_over()
        drain(db.engine, config)
        first = _mail()
        # A server in Python needs many seconds for eight million octets.
        db.session.execute(text("UPDATE mails SET text = 'Short.'"))
        db.session.commit()
        last = _wait_until_over(config)
        close_transport()
    backoff = _WAITS.get(first.error_class or "")
    if first.status == UNCERTAIN:
        backoff = retry.DOUBT
    waits = backoff.ceiling(1) if backoff and first.status != FAILED else None
    return Answer(trial.does, first.status, last.status, trial.expected, last.was_doubtful, waits)


def _wait_until_over(config: Config) -> Row[Any]:
    """Let the time of the next try come, again and again, until the mail has had it."""
    deadline = time.monotonic() + PATIENCE
    while (mail := _mail()).status not in (SENT, FAILED):
        if time.monotonic() > deadline:
            raise ChaosError(f"a mail is still {mail.status} after {PATIENCE:.0f} s: {mail.last_error}")
        db.session.execute(text("UPDATE mails SET next_attempt_at = now() WHERE status IN ('deferred', 'uncertain')"))
        db.session.commit()
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            try_doubtful_again(connection)
        drain(db.engine, config)
    return mail


def _mail() -> Row[Any]:
    statement = text(
        "SELECT status, error_class, last_error, EXISTS (SELECT FROM mail_events WHERE mail_id = mails.id"
        " AND event = 'uncertain') AS was_doubtful FROM mails"
    )
    found = db.session.execute(statement).one()
    db.session.rollback()
    return found


@contextmanager
def _impatience() -> Iterator[None]:
    """Wait for silent servers only a moment."""
    usual: Callable[[SmtpTransport, SmtpConfig], None] = SmtpTransport.__init__

    def make(self: SmtpTransport, config: SmtpConfig) -> None:
        usual(self, replace(config, timeout=SILENCE, data_timeout=SILENCE))

    with patch.object(SmtpTransport, "__init__", make):
        yield
