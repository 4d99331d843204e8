"""Admins try mails again, cancel them and settle what is uncertain, and are told what happened to which."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from app.api import mail_deeds
from app.delivery.desk import batches as desk_batches
from app.delivery.handover import wait_for_hand_over
from app.models.mail import MAIL_STATUSES
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of
from tests.support.rows import activities
from tests.support.sending import row
from tests.support.uncommon import mail_that_is

RETRIES, CANCELLATIONS, SETTLEMENTS = "/v1/mail-retries", "/v1/mail-cancellations", "/v1/mail-settlements"
TYPES = {RETRIES: "mail-retry", CANCELLATIONS: "mail-cancellation", SETTLEMENTS: "mail-settlement"}
ADMIN = "admin@example.org"


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def done(admin: Api, path: str, **attributes: Any) -> dict[str, Any]:
    answer = admin.create(path, TYPES[path], attributes)
    assert answer.status_code == 200, answer.text
    assert answer.json["data"]["type"] == TYPES[path]
    assert answer.json["data"]["id"]
    found: dict[str, Any] = answer.json["data"]["attributes"]
    return found


def where(name: str, value: Any, op: str = "eq") -> dict[str, Any]:
    return {"name": name, "op": op, "val": value}


def statuses(*ids: int) -> list[str]:
    return [row(id_).status for id_ in ids]


def last_words(admin: Api, mail_id: int) -> tuple[str, str]:
    events = admin.get(f"/v1/mails/{mail_id}/events", sort="-id").json["data"]
    return events[0]["attributes"]["event"], events[0]["attributes"]["text"]


def test_mails_named_by_id_are_tried_again_and_the_rest_is_told(admin: Api) -> None:
    failed, sent, suppressed = (
        mail_that_is("failed", error_class="permanent"),
        mail_that_is("sent"),
        mail_that_is("suppressed"),
    )
    ids = [str(failed), str(sent), str(suppressed), "999"]
    assert done(admin, RETRIES, ids=ids, reason="The mailbox is there now") == {
        "retried": 2,
        "ids": [str(failed), str(suppressed)],
        "causes": {"permanent": 1, "suppressed": 1},
        "skipped-count": 2,
        "skipped": [
            {"id": "999", "reason": "There is no mail with this id."},
            {"id": str(sent), "reason": "It is sent: only failed, suppressed and uncertain mails can be tried again."},
        ],
        "is-complete": True,
        "reason": "The mailbox is there now",
    }
    assert statuses(failed, sent, suppressed) == ["queued", "sent", "queued"]
    assert last_words(admin, failed) == ("queued", f"Tried again by {ADMIN}: The mailbox is there now")
    mail = admin.get(f"/v1/mails/{failed}").json["data"]["attributes"]
    assert (mail["retries"], mail["error-class"]) == (1, "permanent")
    assert activities() == ["Tried again: 2 mails (The mailbox is there now)"]


def test_mails_that_match_a_filter_are_tried_again(admin: Api) -> None:
    failed = [mail_that_is("failed", action="Reset Password") for _ in range(3)]
    other, fine = mail_that_is("failed"), mail_that_is("sent", action="Reset Password")
    found = done(admin, RETRIES, filter=[where("status", "failed"), where("action", "Reset Password")])
    assert (found["retried"], found["skipped-count"], found["is-complete"]) == (3, 0, True)
    assert statuses(*failed, other, fine) == ["queued"] * 3 + ["failed", "sent"]
    assert done(admin, RETRIES, filter=[where("action", "Reset Password")])["retried"] == 0


def test_a_filter_leaves_what_may_have_arrived_already_to_the_admin(admin: Api) -> None:
    failed, uncertain = mail_that_is("failed"), mail_that_is("uncertain")
    found = done(admin, RETRIES, filter=[where("action", "Test")])
    assert (found["ids"], [each["id"] for each in found["skipped"]]) == ([str(failed)], [str(uncertain)])
    assert "named by its id" in found["skipped"][0]["reason"]
    assert done(admin, RETRIES, ids=[str(uncertain)])["retried"] == 1


def test_mails_that_wait_are_cancelled(admin: Api) -> None:
    ids = {status: mail_that_is(status) for status in MAIL_STATUSES}
    found = done(admin, CANCELLATIONS, ids=[str(id_) for id_ in ids.values()], reason="The event is off")
    assert sorted(found["ids"]) == sorted(str(ids[status]) for status in ("queued", "scheduled", "deferred"))
    assert found["skipped-count"] == len(MAIL_STATUSES) - 3
    assert last_words(admin, ids["scheduled"]) == ("cancelled", f"Cancelled by {ADMIN}: The event is off")
    queued = mail_that_is("queued", action="Event Published", lane=1)
    assert done(admin, CANCELLATIONS, filter=[where("lane", "bulk")])["ids"] == [str(queued)]


@pytest.mark.parametrize(("outcome", "status"), [("sent", "sent"), ("retry", "queued"), ("failed", "failed")])
def test_an_uncertain_mail_is_settled(admin: Api, outcome: str, status: str) -> None:
    uncertain, sent = mail_that_is("uncertain"), mail_that_is("sent")
    found = done(admin, SETTLEMENTS, ids=[str(uncertain), str(sent)], outcome=outcome)
    assert (found["settled"], found["skipped-count"], found["reason"]) == (1, 1, None)
    assert statuses(uncertain, sent) == [status, "sent"]
    assert last_words(admin, uncertain)[0] == status
    assert activities()[-1].endswith(f": mail {uncertain}")


def test_what_is_tried_again_is_handed_to_a_worker(admin: Api, broker: redis.Redis) -> None:
    mail = mail_that_is("failed")
    assert wait_for_hand_over()
    broker.flushdb()
    done(admin, RETRIES, ids=[str(mail)])
    assert wait_for_hand_over()
    assert broker.llen("usher") == 1


def test_many_are_done_in_batches_and_a_request_ends_before_it_takes_too_long(
    admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_batches, "BATCH", 2)
    monkeypatch.setattr(desk_batches, "LISTED", 3)
    monkeypatch.setattr(mail_deeds, "AT_MOST", 4)
    ids = [mail_that_is("failed") for _ in range(7)]
    found = done(admin, RETRIES, filter=[where("status", "failed")])
    assert (found["retried"], found["is-complete"]) == (4, False)
    assert found["ids"] == [str(id_) for id_ in ids[:3]]
    assert activities() == ["Tried again: 2 mails"] * 2
    found = done(admin, RETRIES, filter=[where("status", "failed")])
    assert (found["retried"], found["is-complete"]) == (3, True)
    assert set(statuses(*ids)) == {"queued"}


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({}, "/data/attributes"),
        ({"ids": ["1"], "filter": [where("status", "failed")]}, "/data/attributes/filter"),
        ({"ids": []}, "/data/attributes/ids"),
        ({"ids": None}, "/data/attributes/ids"),
        ({"ids": "1"}, "/data/attributes/ids"),
        ({"ids": [1]}, "/data/attributes/ids"),
        ({"ids": ["9223372036854775808"]}, "/data/attributes/ids"),
        ({"ids": [str(number) for number in range(1001)]}, "/data/attributes/ids"),
        ({"filter": []}, "/data/attributes/filter"),
        ({"filter": "status"}, "/data/attributes/filter"),
        ({"filter": [where("secret", "x")]}, "/data/attributes/filter"),
        ({"filter": [where("status", 7)]}, "/data/attributes/filter"),
        ({"filter": [None]}, "/data/attributes/filter"),
        ({"ids": ["1"], "reason": 7}, "/data/attributes/reason"),
        ({"ids": ["1"], "reason": "two\nlines"}, "/data/attributes/reason"),
        ({"ids": ["1"], "reason": "x" * 501}, "/data/attributes/reason"),
        ({"ids": ["1"], "force": True}, "/data/attributes/force"),
    ],
)
@pytest.mark.parametrize("path", [RETRIES, CANCELLATIONS])
def test_what_cannot_be_is_refused_with_the_place(admin: Api, path: str, attributes: Any, pointer: str) -> None:
    mail = mail_that_is("failed")
    answer = admin.create(path, TYPES[path], attributes)
    assert answer.status_code == 422, answer.text
    assert errors_of(answer)[0]["source"] == {"pointer": pointer}
    assert statuses(mail) == ["failed"]


@pytest.mark.parametrize("outcome", [None, "delivered", "", 1])
def test_an_outcome_that_nobody_can_settle_is_refused(admin: Api, outcome: Any) -> None:
    answer = admin.create(SETTLEMENTS, "mail-settlement", {"ids": ["1"], "outcome": outcome})
    assert answer.status_code == 422
    assert errors_of(answer)[0]["source"] == {"pointer": "/data/attributes/outcome"}


def test_settling_needs_ids_and_an_outcome(admin: Api) -> None:
    answer = admin.create(SETTLEMENTS, "mail-settlement", {})
    pointers = {error["source"]["pointer"] for error in errors_of(answer)}
    assert pointers == {"/data/attributes/ids", "/data/attributes/outcome"}


@pytest.mark.parametrize("path", TYPES)
def test_nobody_but_an_admin_may(api: Api, people: People, path: str) -> None:
    mail = mail_that_is("uncertain")
    body = {"ids": [str(mail)], "outcome": "sent"}
    assert api.as_(people.user()).create(path, TYPES[path], body).status_code == 403
    assert api.create(path, TYPES[path], body).status_code == 401
    assert statuses(mail) == ["uncertain"]


def test_a_query_that_is_not_there_is_refused(admin: Api) -> None:
    answer = admin.create(f"{RETRIES}?dry-run=1", "mail-retry", {"ids": ["1"]})
    assert errors_of(answer)[0]["source"] == {"parameter": "dry-run"}
