"""The state machine of a breaker: against a model that keeps the whole history and works everything out anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.delivery.services.circuit import (
    CLOSED,
    Circuit,
    Policy,
    after_failure,
    after_success,
    from_text,
    let_through,
    to_text,
    without_verdict,
)

POLICY = Policy(failures=3, window=60, open_for=10, open_at_most=35, probe_for=100)
WORKERS = st.sampled_from(["ana", "ben", "cem"])
TIMES = st.floats(min_value=0, max_value=2e9)


class BreakerMachine(RuleBasedStateMachine):
    """Three workers with one breaker. The model is a list of what counted; a worker may die at any time, silently."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000
        self.circuit = CLOSED
        # The failures since the last success; when it opened, each time since then; who probes, since when.
        self.failed_at: list[int] = []
        self.opened_at: list[int] = []
        self.probe: tuple[str, int] | None = None

    @property
    def ends_at(self) -> int:
        return self.opened_at[-1] + [0, 10, 20, 35][min(len(self.opened_at), 3)]

    @rule(seconds=st.sampled_from([1, 4, 9, 30, 59, 60, 100]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(worker=WORKERS)
    def a_worker_asks(self, worker: str) -> None:
        is_allowed, self.circuit = let_through(self.circuit, worker, self.now, POLICY)
        if not self.opened_at:
            assert is_allowed
            return
        is_free = self.probe is None or self.probe[0] == worker or self.now >= self.probe[1] + 100
        assert is_allowed == (self.now >= self.ends_at and is_free)
        if is_allowed:
            self.probe = worker, self.now

    @rule(worker=WORKERS)
    def a_worker_succeeds(self, worker: str) -> None:
        self.circuit = after_success(self.circuit, worker)
        if not self.opened_at or self._probes(worker):
            self.failed_at, self.opened_at, self.probe = [], [], None

    @rule(worker=WORKERS)
    def a_worker_fails(self, worker: str) -> None:
        self.circuit = after_failure(self.circuit, worker, self.now, POLICY)
        if not self.opened_at:
            self.failed_at.append(self.now)
            if sum(self.now - time < 60 for time in self.failed_at) >= 3:
                self.opened_at.append(self.now)
        elif self._probes(worker):
            self.opened_at.append(self.now)
            self.probe = None

    @rule(worker=WORKERS)
    def a_worker_learns_nothing(self, worker: str) -> None:
        self.circuit = without_verdict(self.circuit, worker)
        if self._probes(worker):
            self.probe = None

    @invariant()
    def its_phase_is_the_models(self) -> None:
        opened = "open" if self.opened_at and self.now < self.ends_at else "half-open"
        assert self.circuit.phase(self.now, POLICY) == (opened if self.opened_at else "closed")

    @invariant()
    def it_survives_being_kept(self) -> None:
        assert from_text(to_text(self.circuit)) == self.circuit

    def _probes(self, worker: str) -> bool:
        return self.probe is not None and self.probe[0] == worker


TestBreakerMachine = BreakerMachine.TestCase


def failed(times: int) -> Circuit:
    circuit = CLOSED
    for _ in range(times):
        circuit = after_failure(circuit, "ana", 1000.0, POLICY)
    return circuit


def test_three_failures_in_a_row_open_it_and_two_do_not() -> None:
    assert failed(2).phase(1000.0, POLICY) == "closed"
    assert failed(3).phase(1000.0, POLICY) == "open"


def test_a_success_between_lets_the_failures_count_from_the_beginning() -> None:
    circuit = after_success(failed(2), "ben")
    assert circuit == CLOSED


def test_the_time_for_which_it_is_open_doubles_up_to_its_bound() -> None:
    assert [POLICY.seconds_open(trips) for trips in (1, 2, 3, 4, 10_000)] == [10, 20, 35, 35, 35]


@given(seconds=st.floats(min_value=0.001, max_value=1e9))
def test_a_clock_that_is_set_back_does_not_keep_it_open_nor_the_probe_away(seconds: float) -> None:
    circuit = failed(3)
    earlier = 1000.0 - seconds
    is_allowed, circuit = let_through(circuit, "ana", earlier, POLICY)
    assert is_allowed
    assert not let_through(circuit, "ben", earlier, POLICY)[0]
    assert let_through(circuit, "ben", earlier - 1, POLICY)[0]


@given(name=st.text(), trips=st.integers(1, 10**6), opened_at=TIMES, probed_at=TIMES, failures=st.lists(TIMES))
def test_any_state_survives_being_kept(
    name: str, trips: int, opened_at: float, probed_at: float, failures: list[float]
) -> None:
    circuit = Circuit(tuple(failures), trips, opened_at, name, probed_at)
    assert from_text(to_text(circuit)) == circuit


@pytest.mark.parametrize("text", ["x", "[]", "{}", "null", "[[], 1, 2]", '["a", 0, 0, "", 0]', "[[], 1e999, 0, 0, 0]"])
def test_a_text_that_is_not_ours_is_a_closed_breaker(text: str) -> None:
    assert from_text(text) == CLOSED
