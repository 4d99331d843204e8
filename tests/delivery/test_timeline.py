"""The timeline of a mail: each thing that happens to it is one entry, written with the change itself."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, text

from app.delivery.claims import claim_batch
from app.delivery.outcomes import write_error, write_sent, write_suppressed
from app.delivery.recovery import recover_lost
from app.delivery.transports.base import PermanentError, Receipt, Reply, TransientError
from tests.conftest import People
from tests.support.api import Api
from tests.support.sending import queue


def timeline(connection: Connection, mail_id: int = 1) -> list[Any]:
    statement = text("SELECT event, provider, code, text FROM mail_events WHERE mail_id = :id ORDER BY id")
    return [tuple(row) for row in connection.execute(statement, {"id": mail_id})]


def test_a_mail_that_is_deferred_and_then_sent_tells_it_all(connection: Connection) -> None:
    queue(1)
    claim, [mail] = claim_batch(connection)
    reply = Reply(451, "4.3.0", "later, please")
    write_error(connection, claim, mail, TransientError("451 later, please", reply, provider="smtp"))
    connection.execute(text("UPDATE mails SET next_attempt_at = now()"))
    claim, [mail] = claim_batch(connection)
    write_sent(connection, claim, mail, Receipt("smtp", "abc", "250 2.0.0 queued as abc"))
    assert timeline(connection) == [
        ("queued", None, None, None),
        ("sending", None, None, None),
        ("deferred", "smtp", 451, "451 later, please"),
        ("sending", None, None, None),
        ("sent", "smtp", None, "250 2.0.0 queued as abc"),
    ]


def test_a_refusal_and_a_mail_that_may_not_leave_say_why(connection: Connection) -> None:
    queue(2)
    claim, [first, second] = claim_batch(connection)
    refusal = PermanentError("550 no such user", Reply(550, "5.1.1", "no such user"), provider="smtp")
    write_error(connection, claim, first, refusal)
    write_suppressed(connection, claim, second, "It may not leave.")
    assert timeline(connection)[-1] == ("failed", "smtp", 550, "550 no such user")
    assert timeline(connection, 2)[-1] == ("suppressed", None, None, "It may not leave.")


def test_a_worker_that_ended_is_in_it_and_one_that_came_too_late_is_not(connection: Connection) -> None:
    queue(1)
    late, [mail] = claim_batch(connection)
    connection.execute(text("UPDATE mails SET lease_until = now() - interval '1 second'"))
    assert recover_lost(connection).doubtful == 1
    write_sent(connection, late, mail, Receipt("smtp", "abc", "250 ok"))
    assert [entry[0] for entry in timeline(connection)] == ["queued", "sending", "uncertain"]


@pytest.mark.parametrize("path", ["/v1/mails/1/events", "/v1/mails/1?include=events"])
def test_an_admin_reads_it_at_its_own_address_and_with_the_mail(
    connection: Connection, api: Api, people: People, path: str
) -> None:
    queue(2)
    claim, mails = claim_batch(connection)
    for mail in mails:
        write_sent(connection, claim, mail, Receipt("smtp", "abc", "250 ok"))
    body = api.as_(people.admin()).get(path).json
    events = body.get("included", body["data"])  # from the beginning
    assert [item["attributes"]["event"] for item in events] == ["queued", "sending", "sent"]
    assert events[2]["type"] == "mail-event"
    assert events[2]["attributes"]["text"] == "250 ok"


def test_the_timeline_of_no_mail_is_404(api: Api, people: People) -> None:
    assert api.as_(people.admin()).get("/v1/mails/7/events").status_code == 404
