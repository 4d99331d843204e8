import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.delivery.retry import CONNECTION, THROTTLED, TRANSIENT, Backoff, next_delay
from app.models.mail import ERROR_CLASSES

KINDS = st.sampled_from(ERROR_CLASSES)
ATTEMPTS = st.integers(min_value=1, max_value=1000)


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


@pytest.mark.parametrize("backoff", [TRANSIENT, CONNECTION, THROTTLED])
@given(attempts=ATTEMPTS)
def test_the_longest_delay_only_grows_up_to_its_cap(backoff: Backoff, attempts: int) -> None:
    assert backoff.ceiling(attempts) <= backoff.ceiling(attempts + 1) <= backoff.cap


def test_full_jitter_spreads_mails_that_failed_together() -> None:
    rng = random.Random(1)
    delays = [next_delay("transient", 8, rng=rng) for _ in range(1000)]
    quarters = {int(4 * (delay or 0) / TRANSIENT.ceiling(8)) for delay in delays}
    assert quarters == {0, 1, 2, 3}
