"""Whatever happens to mails, in whatever order: they go only the ways of the state machine, and their timelines say so.

Workers claim, send, die and come too late, providers tell late and twice, operators try again, cancel and settle: the
rules below, in orders that Hypothesis thinks up, on the real PostgreSQL, beside a model of a few lines.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, text

from app.delivery.claims import ClaimedMail, claim_batch
from app.delivery.desk.work import Done, cancel, retry, settle
from app.delivery.inbound.events import MailEvent
from app.delivery.inbound.record import join_pending, record
from app.delivery.outcomes import release, write_error, write_sent, write_suppressed
from app.delivery.recovery import MAX_DOUBTS, recover_lost, try_doubtful_again
from app.delivery.states import TAKEN, may_become, next_status
from app.delivery.transports.base import PermanentError, Receipt, Reply, TransientError
from app.models.base import utc_now

INSERT = text(
    """
    INSERT INTO mails (recipient, action, subject, message, text, message_id, status, lane, next_attempt_at)
    VALUES (:recipient, 'Test', 's', 'm', 't', :message_id, :status, :lane, now() + make_interval(secs => :delay))
    RETURNING id
    """
)
WAITING = ("scheduled", "queued", "deferred")
NOT_OUT = (*WAITING, "sending")
RESENDABLE = ("failed", "suppressed", "uncertain")
IDS = st.sets(st.integers(0, 9), min_size=1, max_size=3)
INDEX = st.integers(0, 9)
LATER = TransientError("451 later", Reply(451, "4.3.0", "later"), provider="smtp")
NEVER = PermanentError("550 no", Reply(550, "5.1.1", "no"), provider="smtp")
LOST = TransientError("The connection was lost.", provider="smtp", maybe_accepted=True)


@dataclass
class Model:
    """What a mail should be like."""

    status: str
    lane: int
    message_id: str
    claim: str | None = None
    doubts: int = 0
    # What we wrote into its timeline ourselves, what providers told too early, and every status that it had.
    told: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    had: list[str] = field(default_factory=list)

    def become(self, status: str, claim: str | None = None, doubts: int = 0, *, tell: bool = True) -> None:
        """Go on, along a way that there is."""
        assert may_become(self.status, status), f"from {self.status} to {status}"
        self.status, self.claim, self.doubts = status, claim, doubts
        self.had.append(status)
        if tell:
            self.told.append(status)

    def hear(self, kind: str) -> None:
        """A provider tells."""
        if self.status in NOT_OUT:
            self.early.append(kind)
            return
        status = next_status(self.status, "sent" if kind == "deferred" else kind)
        if status != self.status:
            self.become(status, tell=False)


class Mails(RuleBasedStateMachine):
    """The table of mails, its workers, providers and operators."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        for table in ("mail_events", "mails", "suppressions", "soft_bounces"):
            connection.execute(text(f"DELETE FROM {table}"))
        self.models: dict[int, Model] = {}
        # What each worker believes to hold; one that lost its lease does not know it.
        self.hands: list[tuple[str, list[ClaimedMail]]] = []
        self.known_events: set[str] = set()

    @rule(lane=st.sampled_from([0, 1]), is_later=st.booleans())
    def queue(self, lane: int, is_later: bool) -> None:
        status, message_id = "scheduled" if is_later else "queued", f"{uuid4().hex}@example.org"
        values = {
            "recipient": f"{message_id[:8]}@example.org",
            "message_id": message_id,
            "status": status,
            "lane": lane,
        }
        id_ = self.connection.execute(INSERT, {**values, "delay": 3600 if is_later else 0}).scalar_one()
        self.models[id_] = Model(status, lane, message_id, told=[status], had=[status])

    @initialize()
    def begin(self) -> None:
        for lane in (1, 0, 1):
            self.queue(lane, is_later=False)

    @rule()
    def time_passes(self) -> None:
        self.connection.execute(text("UPDATE mails SET next_attempt_at = now() WHERE next_attempt_at > now()"))

    # --- workers

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        due = self.due(WAITING)
        claim, mails = claim_batch(self.connection, limit=limit, lease=3600)
        expected = sorted(due, key=lambda id_: self.models[id_].lane)[:limit]
        assert [mail.id for mail in mails] == sorted(expected, key=lambda id_: (self.models[id_].lane, id_))
        for mail in mails:
            assert mail.doubts == self.models[mail.id].doubts
            self.models[mail.id].become("sending", claim, mail.doubts)
        if mails:
            self.hands.append((claim, mails))

    @precondition(lambda self: self.hands)
    @rule(index=INDEX, outcome=st.sampled_from(["sent", "deferred", "failed", "suppressed", "uncertain", "not tried"]))
    def write(self, index: int, outcome: str) -> None:
        claim, mails = self.hands[index % len(self.hands)]
        mail = mails.pop(0)
        model = self.models[mail.id]
        doubts = {"uncertain": mail.doubts + 1, "suppressed": mail.doubts, "not tried": mail.doubts}.get(outcome, 0)
        writes: dict[str, Callable[[], Any]] = {
            "sent": lambda: write_sent(self.connection, claim, mail, Receipt("smtp", "abc", "250 ok")),
            "deferred": lambda: write_error(self.connection, claim, mail, LATER),
            "failed": lambda: write_error(self.connection, claim, mail, NEVER),
            "uncertain": lambda: write_error(self.connection, claim, mail, LOST),
            "suppressed": lambda: write_suppressed(self.connection, claim, mail, "It may not leave."),
            "not tried": lambda: write_error(self.connection, claim, mail, LATER, tried=False),
        }
        writes[outcome]()
        if model.claim == claim:  # else the lease was lost, and what it writes is nothing
            model.become("deferred" if outcome == "not tried" else outcome, doubts=doubts)
        self.forget_empty_hands()

    @rule(times=st.integers(1, 4))
    def lose_the_connection(self, times: int) -> None:
        """With every mail that is due, so that some are in doubt several times in a row: that is rare otherwise."""
        for _ in range(times):
            self.time_passes()
            self.try_doubtful_again()
            self.claim(limit=4)
            if self.hands:
                for _ in self.hands[-1][1].copy():
                    self.write(index=len(self.hands) - 1, outcome="uncertain")

    @precondition(lambda self: self.hands)
    @rule(index=INDEX)
    def give_back(self, index: int) -> None:
        claim, mails = self.hands.pop(index % len(self.hands))
        release(self.connection, claim, mails)
        for mail in mails:
            if self.models[mail.id].claim == claim:
                self.models[mail.id].become("queued", doubts=mail.doubts)

    @precondition(lambda self: self.hands)
    @rule(index=INDEX)
    def die(self, index: int) -> None:
        """The worker dies, or only seems so: what it writes later is too late."""
        claim, mails = self.hands[index % len(self.hands)]
        lapse = text("UPDATE mails SET lease_until = now() - interval '1 second' WHERE claim = :claim")
        self.connection.execute(lapse, {"claim": claim})
        held = [self.models[mail.id] for mail in mails if self.models[mail.id].claim == claim]
        found = recover_lost(self.connection)
        assert (found.doubtful, found.back) == (min(len(held), 1), max(len(held) - 1, 0))
        for place, model in enumerate(held):
            model.become("queued" if place else "uncertain", doubts=model.doubts + (place == 0))

    @rule()
    def try_doubtful_again(self) -> None:
        due = [id_ for id_ in self.due(["uncertain"]) if self.models[id_].doubts < MAX_DOUBTS]
        assert try_doubtful_again(self.connection) == len(due)
        for id_ in due:
            self.models[id_].become("queued", doubts=self.models[id_].doubts)

    # --- providers

    @precondition(lambda self: self.models)
    @rule(
        index=INDEX,
        kind=st.sampled_from(["sent", "deferred", "delivered", "bounced", "rejected", "complained"]),
        number=st.integers(1, 2),
    )
    def tell(self, index: int, kind: Any, number: int) -> None:
        id_ = self.id_at(index)
        model = self.models[id_]
        event = MailEvent(
            kind=kind,
            at=utc_now(),
            recipient=f"{model.message_id[:8]}@example.org",
            provider="dsn",
            provider_event_id=f"{id_} {kind} {number}",
            message_id=model.message_id,
        )
        is_new = event.provider_event_id not in self.known_events
        assert record(self.connection, [event, event]).new == int(is_new)
        self.known_events.add(event.provider_event_id)
        if is_new:
            model.hear(kind)

    @rule()
    def join(self) -> None:
        ready = [model for model in self.models.values() if model.early and model.status not in NOT_OUT]
        assert join_pending(self.connection) == sum(len(model.early) for model in ready)
        for model in ready:
            kinds, model.early = model.early, []
            for kind in kinds:
                model.hear(kind)

    # --- operators

    @precondition(lambda self: self.models)
    @rule(indexes=IDS)
    def retry(self, indexes: set[int]) -> None:
        ids = self.ids_at(indexes)
        self.expect(retry(self.connection, ids, "Ana"), ids, RESENDABLE, "queued")

    @precondition(lambda self: self.models)
    @rule(indexes=IDS)
    def cancel(self, indexes: set[int]) -> None:
        ids = self.ids_at(indexes)
        self.expect(cancel(self.connection, ids, "Ana"), ids, WAITING, "cancelled")

    @precondition(lambda self: self.models)
    @rule(indexes=IDS, outcome=st.sampled_from(["sent", "retry", "failed"]))
    def settle(self, indexes: set[int], outcome: str) -> None:
        ids = self.ids_at(indexes)
        done = settle(self.connection, ids, outcome, "Ana")
        self.expect(done, ids, ["uncertain"], "queued" if outcome == "retry" else outcome)

    def expect(self, done: Done, ids: Collection[int], takes: Collection[str], status: str) -> None:
        wanted = [id_ for id_ in sorted(ids) if self.models[id_].status in takes]
        assert list(done.changed) == wanted
        assert done.skipped.keys() == set(ids) - set(wanted)
        for id_ in wanted:
            model = self.models[id_]
            model.become(status, doubts=0 if status == "queued" else model.doubts)

    # --- what always holds

    @invariant()
    def the_table_is_as_the_model_has_it(self) -> None:
        rows = self.connection.execute(text("SELECT id, status, claim, lease_until, doubts FROM mails ORDER BY id"))
        found = {row.id: (row.status, row.claim and str(row.claim), row.doubts) for row in rows}
        assert found == {id_: (model.status, model.claim, model.doubts) for id_, model in self.models.items()}

    @invariant()
    def each_timeline_has_every_step(self) -> None:
        entries = self.connection.execute(
            text("SELECT mail_id, event FROM mail_events WHERE provider_event_id IS NULL ORDER BY mail_id, id")
        ).all()
        found = {
            id_: [entry.event for entry in of] for id_, of in itertools.groupby(entries, lambda entry: entry.mail_id)
        }
        assert found == {id_: model.told for id_, model in self.models.items()}

    @invariant()
    def what_was_taken_is_never_sent_again(self) -> None:
        for model in self.models.values():
            first = next((place for place, status in enumerate(model.had) if status in TAKEN), len(model.had))
            assert set(model.had[first:]) <= TAKEN

    # --- helpers

    def due(self, statuses: Collection[str]) -> list[int]:
        """The mails whose time has come, in the order in which it came."""
        come = "status = ANY(:statuses) AND next_attempt_at <= now()"
        statement = text(f"SELECT id FROM mails WHERE {come} ORDER BY next_attempt_at, id")
        return list(self.connection.execute(statement, {"statuses": list(statuses)}).scalars())

    def id_at(self, index: int) -> int:
        return list(self.models)[index % len(self.models)]

    def ids_at(self, indexes: Collection[int]) -> list[int]:
        return sorted({self.id_at(index) for index in indexes})

    def forget_empty_hands(self) -> None:
        self.hands = [(claim, mails) for claim, mails in self.hands if mails]


def test_in_any_order_of_things_mails_go_only_the_ways_that_there_are(connection: Connection, sending: None) -> None:
    run_state_machine_as_test(
        lambda: Mails(connection),
        settings=settings(
            max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
