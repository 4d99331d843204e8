"""From an admin's request to the mail server: what is tried again arrives, what is cancelled does not."""

from __future__ import annotations

from typing import Any

import pytest

from app.delivery.services.registry import close_transport
from tests.conftest import People
from tests.servers.smtp import Drop, RecordingSmtp, ScriptedSmtp
from tests.support.api import Api
from tests.support.sending import point_at, queue, row, run

pytestmark = pytest.mark.usefixtures("sending")


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def ask(admin: Api, plural: str, type_: str, **attributes: Any) -> int:
    answer = admin.create(f"/v1/mail-{plural}", f"mail-{type_}", attributes)
    assert answer.status_code == 200, answer.text
    return len(answer.json["data"]["attributes"]["ids"])


def events(admin: Api, mail_id: int) -> list[str]:
    return [item["attributes"]["event"] for item in admin.get(f"/v1/mails/{mail_id}/events", sort="id").json["data"]]


def test_a_refused_mail_that_is_tried_again_arrives_as_the_same_message(admin: Api) -> None:
    with ScriptedSmtp(rcpt="554 5.7.1 not from you") as server:
        point_at(server.port)
        [mail_id] = queue()
        assert run() == {"failed": 1}
        close_transport()
    with RecordingSmtp() as server:
        point_at(server.port)
        assert run() == {}
        failed = [{"name": "status", "op": "eq", "val": "failed"}]
        assert ask(admin, "retries", "retry", filter=failed, reason="They let us in now") == 1
        assert run() == {"sent": 1}
        close_transport()
        [message] = server.messages
    mail = row(mail_id)
    assert message["Message-ID"] == f"<{mail.message_id}>"
    assert (mail.status, mail.attempts, mail.retries) == ("sent", 2, 1)
    assert events(admin, mail_id) == ["queued", "sending", "failed", "queued", "sending", "sent"]


def test_a_suppressed_mail_that_is_tried_again_leaves_only_if_it_may_by_now(admin: Api, smtp: RecordingSmtp) -> None:
    [mail_id] = queue()
    assert run(allowed_recipients=("elsewhere.example",)) == {"suppressed": 1}
    for allowed, status in (("elsewhere.example", "suppressed"), ("example.org", "sent")):
        assert ask(admin, "retries", "retry", ids=[str(mail_id)]) == 1
        assert run(allowed_recipients=(allowed,)) == {status: 1}
    assert len(smtp.envelopes) == 1


def test_a_cancelled_mail_never_arrives(admin: Api, smtp: RecordingSmtp) -> None:
    wanted, unwanted = queue(2)
    assert ask(admin, "cancellations", "cancellation", ids=[str(unwanted)]) == 1
    assert run() == {"sent": 1}
    assert [taken.recipients for taken in smtp.envelopes] == [["user0@example.org"]]
    assert (row(wanted).status, row(unwanted).status) == ("sent", "cancelled")


def test_a_mail_whose_answer_was_lost_is_settled_when_its_recipient_has_it(admin: Api) -> None:
    with ScriptedSmtp(message=Drop()) as server:
        point_at(server.port)
        [mail_id] = queue()
        assert run() == {"uncertain": 1}
        close_transport()
    assert ask(admin, "settlements", "settlement", ids=[str(mail_id)], outcome="sent", reason="Ana has it") == 1
    assert events(admin, mail_id)[-2:] == ["uncertain", "sent"]
    assert run() == {}
