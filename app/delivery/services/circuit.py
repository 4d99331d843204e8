"""The state machine of a circuit breaker: pure functions of a state, what happened, and the time."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final, Literal

Phase = Literal["closed", "open", "half-open"]


@dataclass(frozen=True)
class Policy:
    """When a breaker opens, and for how long. Times are in seconds.

    Attributes:
        failures: so many in a row, of all workers together, open it.
        window: no more than this may lie between the first of them and the last.
        open_for: how long it is open the first time; each further time without a success doubles it.
        open_at_most: the longest that it is open.
        probe_for: how long a probe may take before its worker counts as dead and another is let through. Longer than
            a slow server needs to take one mail (see `SmtpConfig`).
    """

    failures: int = 5
    window: float = 60.0
    open_for: float = 10.0
    open_at_most: float = 300.0
    probe_for: float = 180.0

    def seconds_open(self, trips: int) -> float:
        """How long a breaker is open that has opened `trips` times without a success between (1 is the first)."""
        return min(self.open_at_most, self.open_for * 2.0 ** min(max(trips - 1, 0), 30))


@dataclass(frozen=True)
class Circuit:
    """What is known of one service.

    Attributes:
        failures: when the last failures were, the oldest first; since the last success, while closed.
        trips: how often it opened since the last success; 0 is closed.
        opened_at: when it opened last.
        probe: the name of the probe that was let through last; empty, none was since it opened.
        probed_at: when that was.
    """

    failures: tuple[float, ...] = ()
    trips: int = 0
    opened_at: float = 0.0
    probe: str = ""
    probed_at: float = 0.0

    def phase(self, now: float, policy: Policy) -> Phase:
        """What an operator calls this state."""
        if self.trips == 0:
            return "closed"
        return "open" if _is_within(self.opened_at, now, policy.seconds_open(self.trips)) else "half-open"


CLOSED: Final = Circuit()


def let_through(circuit: Circuit, name: str, now: float, policy: Policy) -> tuple[bool, Circuit]:
    """Whether a mail may be tried now, and the state after that.

    Args:
        circuit: the state.
        name: who asks; it becomes the name of the probe, if this is to be one. Whoever has the probe may ask again.
        now: the time.
        policy: the times.
    """
    phase = circuit.phase(now, policy)
    if phase == "closed":
        return True, circuit
    is_probed = circuit.probe not in ("", name) and _is_within(circuit.probed_at, now, policy.probe_for)
    if phase == "open" or is_probed:
        return False, circuit
    return True, replace(circuit, probe=name, probed_at=now)


def after_success(circuit: Circuit, name: str) -> Circuit:
    """The service has answered a mail of `name`.

    While the breaker is not closed, only the probe's word counts: others tell of what they began before it opened.
    """
    return CLOSED if circuit.trips == 0 or circuit.probe == name else circuit


def after_failure(circuit: Circuit, name: str, now: float, policy: Policy) -> Circuit:
    """The service has failed a mail of `name`."""
    if circuit.trips == 0:
        failures = (*(time for time in circuit.failures if _is_within(time, now, policy.window)), now)
        is_enough = len(failures) >= policy.failures
        return Circuit(trips=1, opened_at=now) if is_enough else Circuit(failures)
    return Circuit(trips=circuit.trips + 1, opened_at=now) if circuit.probe == name else circuit


def without_verdict(circuit: Circuit, name: str) -> Circuit:
    """The mail of `name` told nothing of the service: if it was the probe, the next one may be."""
    return replace(circuit, probe="", probed_at=0.0) if circuit.trips and circuit.probe == name else circuit


def to_text(circuit: Circuit) -> str:
    """The state as it is kept; a closed breaker that knows of no failure is kept as nothing."""
    if circuit == CLOSED:
        return ""
    return json.dumps([circuit.failures, circuit.trips, circuit.opened_at, circuit.probe, circuit.probed_at])


def from_text(text: str) -> Circuit:
    """The state from what `to_text` made of it; closed, if it is something else: a text of ours can only be lost."""
    if not text:
        return CLOSED
    try:
        failures, trips, opened_at, probe, probed_at = json.loads(text)
        times = tuple(float(time) for time in failures)
        return Circuit(times, int(trips), float(opened_at), str(probe), float(probed_at))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return CLOSED


def _is_within(begin: float, now: float, seconds: float) -> bool:
    """Whether less than these seconds have passed. A begin that is still to come is of a clock that was set back."""
    return 0.0 <= now - begin < seconds
