"""Everything in one run, and the way of one mail through a bounce: what the pictures of docs/delivery.md show."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import text

from app.api.helpers.mail import send_email
from app.delivery.faults import BEFORE_WRITE
from app.delivery.handover import wait_for_hand_over
from app.delivery.inbound.bounces import read_bounce
from app.delivery.inbound.record import record
from app.delivery.sender import drain
from app.delivery.services.registry import close_transport
from app.models import Mail, db
from benchmarks.chaos import outages
from benchmarks.chaos.deaths import WORKERS
from benchmarks.chaos.pictures import Entry, Harm, climb, entries
from benchmarks.chaos.report import Outcome, Report
from benchmarks.chaos.scene import Scene
from benchmarks.peers.ours import send_to
from benchmarks.pictures import save
from tests.servers.smtp import ScriptedSmtp

MAILS: Final = 4000
AWAY: Final = 3.0
RECIPIENT: Final = "ana@example.org"

_BOUNCE: Final = """\
From: MAILER-DAEMON@mx.example.org
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

The mail could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No such user here

--b
Content-Type: text/rfc822-headers

Message-ID: <{message_id}>

--b--
"""


def everything(scene: Scene, report: Report) -> None:
    """One run in which everything goes away once, and its picture."""
    with scene.workers(WORKERS):
        scene.begin()
        begun = time.time()
        scene.queue(MAILS)
        plan: list[tuple[float, str, Callable[[], None]]] = [
            (0.1, "a worker's process killed", lambda: _kill_one(scene)),
            (0.25, "PostgreSQL restarted", lambda: outages.restart_database(scene)),
            (0.45, "broker emptied", lambda: outages.empty_broker(scene)),
            (0.6, "mail server away", lambda: outages.away(scene, AWAY)),
            (0.8, "all workers killed", lambda: _kill_all(scene)),
        ]
        harms = [_do(scene, begun, *step) for step in plan]
        well_at = time.time()
        scene.wait_until_over()
        outcome = Outcome("all of it in one run", scene.account(), 1 + len(WORKERS), (time.time() - well_at,))
    report.add(outcome)
    moments = [moment - begun for moment, _ in scene.arrivals()]
    save("recovery", climb("Mails at their server, while everything around the workers ends once", moments, harms))


def _do(scene: Scene, begun: float, share: float, name: str, harm: Callable[[], None]) -> Harm:
    scene.wait_for_arrivals(int(share * MAILS))
    at = time.time() - begun
    harm()
    return Harm(name, at, time.time() - begun)


def _kill_one(scene: Scene) -> None:
    order = scene.arm(BEFORE_WRITE)
    scene.wait(lambda: not order.exists(), "a death")


def _kill_all(scene: Scene) -> None:
    for name in WORKERS:
        scene.kill_worker(name)
    for name, processes in WORKERS.items():
        scene.start_worker(name, processes)


def one_mail(scene: Scene, _report: Report) -> None:
    """A mail that its server puts off, then takes, and that comes back; and its picture."""
    scene.stage.stack.stop_part("beat")
    scene.begin()
    said = ["451 4.3.0 Local error in processing", "250 2.0.0 Ok: queued as 4B1A2C"]
    with ScriptedSmtp("PIPELINING", message=list(said)) as server:
        send_to(server.port)
        mail = send_email(RECIPIENT, "Test", "Subject", "<p>Hello</p>")
        if mail is None:
            raise RuntimeError("mails are switched off")
        db.session.commit()
        wait_for_hand_over()
        scene.wait(lambda: _send(scene) == "sent", "the second try")
        close_transport()
    _bounce(mail)
    save("timeline", entries("The timeline of a mail that comes back", _timeline()))


def _send(scene: Scene) -> str:
    drain(db.engine, scene.stage.app.config["USHER"])
    status: str = db.session.execute(text("SELECT status FROM mails")).scalar_one()
    db.session.rollback()
    return status


def _bounce(mail: Mail) -> None:
    """As `manage.py bounce` does with a message on stdin."""
    message = _BOUNCE.format(recipient=RECIPIENT, message_id=mail.message_id)
    record(db.session.connection(), read_bounce(message.encode()).events)
    db.session.commit()


def _timeline() -> list[Entry]:
    rows: list[Any] = list(db.session.execute(text("SELECT time, event, text FROM mail_events ORDER BY id")))
    db.session.rollback()
    return [Entry((row.time - rows[0].time).total_seconds(), row.event, row.text or "") for row in rows]
