"""What comes back of mails, written down: each event once, statuses that only go forward, addresses that are kept."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.delivery.inbound.bounces import read_bounce
from app.delivery.inbound.record import Recorded, join_pending, record
from app.delivery.inbound.sendgrid_events import parse
from app.delivery.tasks import sweep
from app.models import Mail, Suppression, db
from tests.support.events import bounce, entries, hard, outcome, sent, soft, soft_bounces, suppressed, told
from tests.support.rows import statements

pytestmark = pytest.mark.usefixtures("database")


def tell(*events: dict[str, Any]) -> Recorded:
    recorded = record(db.session.connection(), parse(json.dumps(events).encode()).events)
    db.session.commit()
    return recorded


def join() -> int:
    joined = join_pending(db.session.connection())
    db.session.commit()
    return joined


def bring(raw: bytes) -> Recorded:
    recorded = record(db.session.connection(), read_bounce(raw).events)
    db.session.commit()
    return recorded


def outcome_written(mail: Mail, **values: Any) -> None:
    """The worker has written that the mail was sent."""
    named = "".join(f", {name} = :{name}" for name in values)
    db.session.execute(
        text(
            f"UPDATE mails SET status = 'sent', sent_at = now(), claim = NULL, lease_until = NULL{named} WHERE id = :id"
        ),
        {"id": mail.id, **values},
    )
    db.session.commit()


def test_a_delivery_is_told_once_and_then_a_complaint_follows() -> None:
    mail = sent()
    assert tell(told(mail, "delivered", response="250 OK")) == Recorded(new=1, moved=1)
    assert tell(told(mail, "delivered", response="250 OK")) == Recorded(repeated=1)
    assert outcome(mail) == "delivered"
    assert tell(told(mail, "spamreport")) == Recorded(new=1, moved=1)
    assert outcome(mail) == "complained"
    assert entries(mail) == ["delivered", "complained"]
    assert suppressed() == {"ana@example.org": "complaint"}


def test_what_is_told_late_is_in_the_timeline_and_moves_nothing() -> None:
    mail = sent()
    tell(hard(mail))
    assert tell(told(mail, "delivered"), told(mail, "processed"), told(mail, "deferred")) == Recorded(new=3)
    assert outcome(mail) == "bounced"
    assert sorted(entries(mail)) == ["bounced", "deferred", "delivered", "sent"]


def test_the_reason_is_beside_the_status_and_in_the_timeline() -> None:
    mail = sent()
    tell(hard(mail))
    row = db.session.execute(text("SELECT code, text, raw, about FROM mail_events WHERE event = 'bounced'")).one()
    assert (row.code, row.text[:9], row.raw["email"], row.about) == (550, "550 5.1.1", "ana@example.org", None)
    assert db.session.execute(text("SELECT last_error FROM mails")).scalar_one().startswith("550 5.1.1")


KINDS = ("processed", "deferred", "delivered", "soft", "hard", "dropped", "spamreport", "unsubscribe")


def told_of(mail: Mail, kind: str) -> dict[str, Any]:
    return {"soft": soft, "hard": hard}[kind](mail) if kind in ("soft", "hard") else told(mail, kind)


def state_after(batches: Sequence[Sequence[str]], status: str) -> tuple[Any, ...]:
    """What is in the database after these requests, told of one new mail; nothing of it stays."""
    db.session.execute(text("DELETE FROM mails"))
    db.session.execute(text("DELETE FROM mail_events"))
    db.session.execute(text("DELETE FROM suppressions"))
    db.session.execute(text("DELETE FROM soft_bounces"))
    mail = sent(status=status)
    for batch in batches:
        tell(*(told_of(mail, kind) for kind in batch))
    if status == "sending":
        outcome_written(mail)
        assert join() == len(dict.fromkeys(itertools.chain.from_iterable(batches)))
    return outcome(mail), tuple(sorted(entries(mail))), suppressed(), soft_bounces()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=5, unique=True),
    st.randoms(use_true_random=False),
    st.sampled_from(["sent", "uncertain", "sending"]),
)
def test_the_end_is_the_same_in_whatever_order_and_however_often_events_come(
    kinds: list[str], random: Any, status: str
) -> None:
    in_order = state_after([kinds], status)
    shuffled = random.sample(kinds, len(kinds)) + random.choices(kinds, k=random.randint(0, 4))
    cut = random.randint(0, len(shuffled))
    assert state_after([shuffled[:cut], shuffled[cut:]], status) == in_order
    assert state_after([[kind] for kind in shuffled], status) == in_order


def test_an_uncertain_mail_that_the_provider_tells_of_had_been_sent() -> None:
    for event in ("processed", "deferred"):
        mail = sent(status="uncertain")
        tell(told(mail, event))
        assert outcome(mail) == "sent"
    assert all(db.session.scalars(text("SELECT sent_at IS NOT NULL AND provider_message_id IS NOT NULL FROM mails")))


def test_an_event_that_comes_before_the_outcome_is_written_is_kept_until_it_is() -> None:
    mail = sent(status="sending")
    assert tell(told(mail, "delivered")) == Recorded(new=1)
    assert (outcome(mail), entries(mail), join()) == ("sending", ["delivered"], 0)
    outcome_written(mail, provider_message_id="sg-1")
    assert (join(), outcome(mail), join()) == (1, "delivered", 0)


def test_an_event_of_a_mail_that_is_not_known_yet_is_joined_later() -> None:
    mail = sent(status="sending")
    unknown = hard(mail, mail_id=None, message_id=None)
    assert tell(unknown) == Recorded(new=1, unknown=1)
    assert (entries(None), entries(mail), suppressed(), join()) == (["bounced"], [], {}, 0)
    assert tell(unknown) == Recorded(repeated=1)
    outcome_written(mail, provider_message_id="sg-1")
    assert join() == 1
    assert (entries(None), entries(mail), outcome(mail)) == ([], ["bounced"], "bounced")
    assert suppressed() == {"ana@example.org": "hard-bounce"}


def test_the_sweep_joins_what_came_too_early() -> None:
    mail = sent(status="sending")
    tell(told(mail, "delivered"), soft(mail, mail_id=None, message_id=None))
    sweep()
    assert outcome(mail) == "sending"
    outcome_written(mail, provider_message_id="sg-1")
    sweep()
    assert (outcome(mail), entries(mail), entries(None)) == ("bounced", ["delivered", "bounced"], [])
    assert soft_bounces() == {"ana@example.org": 1}


def test_a_mail_in_doubt_that_the_provider_has_told_of_is_not_tried_again() -> None:
    mail = sent(status="sending")
    tell(told(mail, "delivered"))
    db.session.execute(text("UPDATE mails SET lease_until = now() - interval '1 second'"))
    db.session.commit()
    sweep()
    assert outcome(mail) == "delivered"
    told_of = list(db.session.scalars(text("SELECT event FROM mail_events ORDER BY id")))
    assert told_of == ["sending", "uncertain", "delivered"]


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": "mail-1@other.example.org", "sg_message_id": "other.filter-1"},
        {"message_id": None, "email": "eve@example.org", "sg_message_id": "other.filter-1"},
        {"message_id": None, "sg_message_id": "other.filter-1"},
    ],
)
def test_an_event_of_another_installation_with_the_same_number_is_not_believed(changes: dict[str, Any]) -> None:
    mail = sent()
    assert tell(hard(mail, **changes)) == Recorded(new=1, unknown=1)
    assert join() == 1  # it is looked at once more, and let go of
    assert (join(), outcome(mail), entries(mail), suppressed()) == (0, "sent", [], {})


def test_the_bounce_of_a_blind_copy_is_in_the_timeline_and_does_not_mark_the_mail() -> None:
    mail = sent(bcc=["Cy@example.org"])
    tell(told(mail, "delivered"), hard(mail, email="cy@example.org"))
    assert outcome(mail) == "delivered"
    texts = list(db.session.scalars(text("SELECT text FROM mail_events WHERE event = 'bounced'")))
    assert texts == [
        "Blind copy to cy@example.org: 550 5.1.1 The email account that you tried to reach does not exist."
    ]
    assert suppressed() == {"cy@example.org": "hard-bounce"}


def test_an_address_is_the_same_in_whatever_case() -> None:
    mail = sent("Ana@Example.org")
    tell(hard(mail, email="ana@example.ORG"))
    assert (outcome(mail), suppressed()) == ("bounced", {"ana@example.org": "hard-bounce"})


def test_a_bounce_by_mail_is_believed_of_the_mail_that_it_names_and_of_its_recipient() -> None:
    mail, other = sent(), sent("ben@example.org", bcc=["cy@example.org"])
    assert bring(bounce(mail)) == Recorded(new=1, moved=1)
    assert bring(bounce(mail)) == Recorded(repeated=1)
    assert (outcome(mail), suppressed()) == ("bounced", {"ana@example.org": "hard-bounce"})
    # Forged: of a mail that the sender knows, about an address that it did not go to, or only as a blind copy.
    bring(bounce(other, "r2", recipient="victim@example.org"))
    bring(bounce(other, "r3", recipient="cy@example.org"))
    assert bring(bounce(other, "r4", message_id="guess@usher.example.org")) == Recorded(unknown=1)
    assert entries(None) == []
    assert (outcome(other), suppressed()) == ("sent", {"ana@example.org": "hard-bounce"})


def test_a_report_and_the_provider_who_tell_of_the_same_soft_bounce_count_as_one() -> None:
    mail = sent()
    tell(soft(mail))
    bring(bounce(mail, status="4.2.2", said="452 4.2.2 mailbox full"))
    assert soft_bounces() == {"ana@example.org": 1}


def test_five_soft_bounces_in_a_row_put_an_address_on_the_list() -> None:
    for number in range(1, 5):
        tell(soft(sent()))
        assert (soft_bounces(), suppressed()) == ({"ana@example.org": number}, {})
    tell(soft(sent("ANA@example.org")))
    assert (soft_bounces(), suppressed()) == ({}, {"ana@example.org": "soft-bounces"})


def test_a_delivery_begins_the_count_anew_and_lifts_what_only_soft_bounces_had_done() -> None:
    for _ in range(4):
        tell(soft(sent()))
    tell(told(sent(), "delivered"))
    assert soft_bounces() == {}
    for _ in range(5):
        tell(soft(sent()))
    tell(told(sent(), "delivered", timestamp=1_300_000_000))
    assert suppressed() == {"ana@example.org": "soft-bounces"}  # that mail had come long before
    db.session.execute(text("UPDATE suppressions SET created_at = now() - interval '1 day'"))
    tell(told(sent(), "delivered"))
    assert suppressed() == {}


def test_the_graver_reason_stays_and_what_an_admin_wrote_is_not_touched() -> None:
    mail = sent()
    tell(hard(mail))
    tell(told(mail, "spamreport"))
    tell(hard(mail, "again"))
    assert suppressed() == {"ana@example.org": "complaint"}
    db.session.add(Suppression(address="ben@example.org", reason="manual", text="He asked by letter."))
    db.session.commit()
    tell(told(sent("ben@example.org"), "spamreport"))
    assert suppressed()["ben@example.org"] == "manual"


@pytest.mark.parametrize("status", ["failed", "suppressed", "cancelled"])
def test_a_mail_that_is_over_keeps_its_status_and_has_the_event(status: str) -> None:
    mail = sent(status=status)
    tell(told(mail, "delivered"))
    assert (outcome(mail), entries(mail), join()) == (status, ["delivered"], 0)


def test_two_who_are_told_the_same_at_once_write_it_once(app: Flask) -> None:
    mails = [sent(f"user{number}@example.org") for number in range(20)]
    events = [told(mail, kind) for mail in mails for kind in ("delivered", "processed")]
    bodies = [json.dumps(part).encode() for part in (events, events[::-1], events[7:] + events[:7], events)]

    def run(body: bytes) -> Recorded:
        with app.app_context(), db.engine.begin() as connection:
            return record(connection, parse(body).events)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(run, bodies))
    assert sum(each.new for each in done) == len(events)
    assert sum(each.moved for each in done) == len(mails)
    assert {outcome(mail) for mail in mails} == {"delivered"}


def test_a_large_body_takes_as_few_statements_as_a_small_one() -> None:
    mails = [sent(f"user{number}@example.org") for number in range(60)]
    counts = []
    for part in (mails[:2], mails[2:]):
        events = [told(mail, "delivered") for mail in part]
        with statements() as seen:
            tell(*events)
        counts.append(len(seen))
    assert counts[0] == counts[1]
