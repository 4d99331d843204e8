"""The schedule of retries: full jitter under a ceiling that grows, what a provider asks for, and an end."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from app.delivery.claims import claim_batch
from app.delivery.outcomes import write_error
from app.delivery.retry import (
    CONFIGURATION_DELAY,
    CONNECTION,
    DOUBT,
    DOUBT_GRACE,
    THROTTLED,
    TRANSIENT,
    Backoff,
    doubt_delay,
    next_delay,
)
from app.delivery.transports.base import (
    ConfigurationError,
    ConnectionFailedError,
    PermanentError,
    ThrottledError,
    TransientError,
    TransportError,
)
from app.models.base import utc_now
from app.models.mail import ERROR_CLASSES

KINDS = st.sampled_from(ERROR_CLASSES)
ATTEMPTS = st.integers(min_value=1, max_value=1000)
JITTERED = {"transient": TRANSIENT, "connection": CONNECTION, "throttled": THROTTLED}
ERRORS: dict[str, TransportError] = {
    "transient": TransientError("later"),
    "connection": ConnectionFailedError("refused"),
    "throttled": ThrottledError("too much"),
    "throttled, in an hour": ThrottledError("too much", retry_after=3600.0),
    "permanent": PermanentError("never"),
    "configuration": ConfigurationError("no host"),
}


class Edge(random.Random):
    """Draws the least or the most that there is to draw."""

    def __init__(self, *, highest: bool) -> None:
        super().__init__()
        self.highest = highest

    def uniform(self, a: float, b: float) -> float:
        return b if self.highest else a


@given(kind=KINDS, attempts=ATTEMPTS, seed=st.integers())
def test_a_delay_is_never_negative_and_never_more_than_an_hour(kind: str, attempts: int, seed: int) -> None:
    delay = next_delay(kind, attempts, rng=random.Random(seed))
    assert (delay is None) == (kind == "permanent")
    assert delay is None or 0 <= delay <= 3600


@given(after=st.floats(min_value=0, max_value=86_400), seed=st.integers())
def test_a_provider_that_names_a_time_is_not_asked_before_it(after: float, seed: int) -> None:
    delay = next_delay("throttled", 1, after, random.Random(seed))
    assert delay is not None
    assert after <= delay <= after + 30


@given(kind=st.sampled_from(sorted(JITTERED)), attempts=ATTEMPTS, seed=st.integers())
def test_the_jitter_is_full_from_nothing_to_the_ceiling(kind: str, attempts: int, seed: int) -> None:
    ceiling = JITTERED[kind].ceiling(attempts)
    assert 0 <= (next_delay(kind, attempts, rng=random.Random(seed)) or 0) <= ceiling
    assert next_delay(kind, attempts, rng=Edge(highest=False)) == 0
    assert next_delay(kind, attempts, rng=Edge(highest=True)) == ceiling


@given(kind=KINDS, after=st.floats(min_value=0, max_value=86_400), seed=st.integers())
def test_only_a_throttled_mail_waits_as_long_as_a_provider_says(kind: str, after: float, seed: int) -> None:
    if kind != "throttled":
        told, untold = (next_delay(kind, 3, wish, random.Random(seed)) for wish in (after, None))
        assert told == untold


@given(attempts=ATTEMPTS, seed=st.integers())
def test_wrong_settings_are_asked_about_at_a_steady_pace(attempts: int, seed: int) -> None:
    assert next_delay("configuration", attempts, rng=random.Random(seed)) == CONFIGURATION_DELAY


@given(provider=st.sampled_from([None, "smtp", "sendgrid", "second"]), doubts=ATTEMPTS, seed=st.integers())
def test_a_mail_in_doubt_waits_at_least_for_those_who_may_tell(provider: str | None, doubts: int, seed: int) -> None:
    grace = DOUBT_GRACE.get(provider or "", 0.0)
    assert grace <= doubt_delay(provider, doubts, random.Random(seed)) <= grace + DOUBT.ceiling(doubts)


@pytest.mark.parametrize("backoff", [TRANSIENT, CONNECTION, THROTTLED, DOUBT])
@given(attempts=ATTEMPTS)
def test_the_longest_delay_only_grows_up_to_its_cap(backoff: Backoff, attempts: int) -> None:
    assert backoff.ceiling(attempts) <= backoff.ceiling(attempts + 1) <= backoff.cap


def test_full_jitter_spreads_mails_that_failed_together() -> None:
    rng = random.Random(1)
    delays = [next_delay("transient", 8, rng=rng) for _ in range(1000)]
    quarters = {int(4 * (delay or 0) / TRANSIENT.ceiling(8)) for delay in delays}
    assert quarters == {0, 1, 2, 3}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(ERRORS)),
    attempts=st.integers(0, 60),
    left=st.floats(min_value=-100_000, max_value=86_400),
    tried=st.booleans(),
)
def test_no_mail_is_tried_after_the_moment_at_which_it_is_given_up(
    connection: Connection, name: str, attempts: int, left: float, tried: bool
) -> None:
    """But one that waits for better settings is kept, for they are the operator's to mend, and not the mail's fault."""
    connection.execute(text("DELETE FROM mails"))
    insert = """
        INSERT INTO mails (recipient, action, subject, message, text, message_id, attempts, give_up_at)
        VALUES ('ana@example.org', 'Test', 's', 'm', 't', 'x@example.org', :attempts,
            now() + make_interval(secs => :left))
    """
    connection.execute(text(insert), {"attempts": attempts, "left": left})
    claim, [mail] = claim_batch(connection)
    status = write_error(connection, claim, mail, ERRORS[name], tried=tried)
    row: Any = connection.execute(text("SELECT * FROM mails")).one()
    assert row.status == status
    assert row.attempts == attempts + tried
    if name == "permanent":
        assert status == "failed"
    elif name == "configuration":
        assert status == "deferred"
    elif status == "deferred":
        slack = timedelta(seconds=1)  # between two readings of the clock
        assert utc_now() - slack <= row.next_attempt_at <= row.give_up_at + slack
    else:
        assert (status, left < 1) == ("failed", True)
