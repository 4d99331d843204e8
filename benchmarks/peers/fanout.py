"""`fanout_ratio`, `fanout_vs_peer`: telling 100,000 users of one happening, against what a table takes, and the peer.

In the app only, for all sides; with mails too it is a figure of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Final

from sqlalchemy import text

from app.api.helpers.happenings import notify_happening
from app.delivery.handover import wait_for_hand_over
from app.happenings.audience import everyone
from app.happenings.telling.fanout import work_on
from app.happenings.types import EventType, declare
from app.models import Fanout, Happening, db
from app.models.event_type import IN_APP, MAIL
from app.models.fanout import TOLD
from benchmarks.peers.peer import Community
from benchmarks.peers.scale import is_quick
from benchmarks.people import add_users, settle
from benchmarks.pictures import bars, save
from benchmarks.results import Results
from benchmarks.stage import Stage

USERS: Final = 100_000
ROUNDS: Final = 5
# Of the worker: as many as the machine of the figures has cores.
PROCESSES: Final = 2
TITLE: Final = "The harbour is closed"
MESSAGE: Final = "<p>All sessions of this afternoon are in the <strong>old mill</strong>.</p>"
# A table of the same columns, checks, indexes and references.
_SAME_SHAPE: Final = (
    "CREATE TABLE bare (LIKE notifications INCLUDING ALL)",
    """CREATE TRIGGER bare_has_users AFTER INSERT ON bare REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION notifications_have_users()""",
    """CREATE TRIGGER bare_has_happenings AFTER INSERT ON bare REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION notifications_have_happenings()""",
)
_STATE: Final = text("SELECT state FROM fanouts WHERE happening_id = :id")
_BARE: Final = text("INSERT INTO bare (happening_id, user_id) SELECT :happening_id, id FROM users")


def run(stage: Stage, results: Results) -> None:
    """One process of ours and the bare statement; then the worker, the bare statement and the peer at its best."""
    users, rounds = (5000, 2) if is_quick() else (USERS, ROUNDS)
    in_app = declare(EventType("benchmarks.fanout.app", TITLE))
    both = declare(EventType("benchmarks.fanout.both", TITLE, channels=frozenset({IN_APP, MAIL})))
    _prepare(users)

    def by_one_process() -> float:
        return tell_everyone(in_app.name, users)

    alone = _take_turns(rounds, users, {"ours": by_one_process, "bare": _bare})
    mails = [users / tell_everyone(both.name, users) for _ in range(2)]
    with Community(stage) as peer:
        peer.ask("users", count=users)
        ways = {way: users / _ask(peer, way, users) for way in ("a queryset", "a queryset of ids", "ids in thousands")}
        print("  " + ", ".join(f"{way} {rate:.0f}/s" for way, rate in ways.items()), flush=True)
        best = max(ways, key=ways.__getitem__)
        stage.application.start_worker("bench-worker", processes=PROCESSES)
        sides = {
            "ours": lambda: _by_the_worker(stage, in_app.name, users),
            "bare": _bare,
            "peer": lambda: _ask(peer, best, users),
        }
        rates = _take_turns(rounds, users, sides)
        stage.stack.stop_part("bench-worker")
    _tell(results, rates, best, users)
    _tell_of_one(results, alone, median(rates["peer"]), users)
    results.add("fanout_mails_rate", median(mails), "users/s", "one process, with a notification and a mail each")
    rows = [
        ("Usher, a worker with two processes", median(rates["ours"])),
        ("Usher, one process", median(alone["ours"])),
        ("one bare INSERT … SELECT into a table of the same shape", median(rates["bare"])),
        (f"{Community.name}: notify.send, {best}", median(rates["peer"])),
        ("Usher, one process, with a mail each", median(mails)),
    ]
    save("fanout", bars(f"One happening to {users:,} users: told per second", rows, "users/s"))


def _take_turns(rounds: int, users: int, sides: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Users per second of each side, round by round; a first round warms up."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        measured = {name: users / side() for name, side in sides.items()}
        print("  " + ", ".join(f"{name} {rate:.0f}/s" for name, rate in measured.items()), flush=True)
        if number:
            for name, rate in measured.items():
                rates[name].append(rate)
    return rates


def _prepare(users: int) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add_users(connection, 1, users)
        for statement in _SAME_SHAPE:
            connection.execute(text(statement))
        settle(connection, "users")


def tell_everyone(event_type: str, users: int) -> float:
    """Seconds in which this process tells a happening to all, from the announcement to the commit of the last part.

    Raises:
        RuntimeError: not all were told.
    """
    begun = time.perf_counter()
    happening_id = _announce(event_type)
    while work_on(happening_id, seconds=60):
        pass
    seconds = time.perf_counter() - begun
    _check(happening_id, users)
    wait_for_hand_over()
    _settle("notifications")
    return seconds


def _by_the_worker(stage: Stage, event_type: str, users: int) -> float:
    """The same, with this process only announcing it."""
    begun = time.perf_counter()
    happening_id = _announce(event_type)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        stage.stack.wait_until(lambda: connection.scalar(_STATE, {"id": happening_id}) == TOLD, "all to be told")
    seconds = time.perf_counter() - begun
    _check(happening_id, users)
    _settle("notifications")
    return seconds


def _announce(event_type: str) -> int:
    happening = notify_happening(event_type, TITLE, MESSAGE, users=everyone())
    db.session.commit()
    return happening.id


def _check(happening_id: int, users: int) -> None:
    fanout = db.session.get_one(Fanout, happening_id)
    if (fanout.state, fanout.notifications) != (TOLD, users):
        raise RuntimeError(f"{fanout.state}: {fanout.notifications} of {users} were told")
    db.session.rollback()


def _bare() -> float:
    happening = Happening(action="benchmarks.fanout.app", title=TITLE, message=MESSAGE)
    db.session.add(happening)
    db.session.commit()
    happening_id = happening.id
    begun = time.perf_counter()
    db.session.execute(_BARE, {"happening_id": happening_id})
    db.session.commit()
    seconds = time.perf_counter() - begun
    _settle("bare")
    return seconds


def _settle(table: str) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        settle(connection, table)


def _ask(peer: Community, way: str, users: int) -> float:
    answer = peer.ask("tell", how=way, verb=TITLE, description=MESSAGE)
    if answer["told"] != users:
        raise RuntimeError(f"the peer told {answer['told']} of {users}")
    peer.ask("settle")
    return float(answer["seconds"])


def _tell(results: Results, rates: dict[str, list[float]], best: str, users: int) -> None:
    turns = f"median of {len(rates['ours'])} rounds of {users:,} users, taking turns"
    by = f"by a worker with {PROCESSES} processes"
    bare, peer = (median(rates[name]) for name in ("bare", "peer"))
    results.add("fanout_rate", median(rates["ours"]), "notifications/s", f"one happening, in the app, {by}")
    for figure, name, of in (
        ("fanout_ratio", "bare", f"one bare INSERT … SELECT into a table of the same shape, {bare:,.0f}/s"),
        ("fanout_vs_peer", "peer", f"{Community.name}, notify.send with {best} in one transaction, {peer:,.0f}/s"),
    ):
        results.add(figure, _ratio(rates, name), "x", f"{by} / {of}; {turns}")


def _tell_of_one(results: Results, alone: dict[str, list[float]], peer: float, users: int) -> None:
    """The same by one process, so that it is seen what the second one brings."""
    ours, bare = median(alone["ours"]), median(alone["bare"])
    turns = f"median of {len(alone['ours'])} rounds of {users:,} users, taking turns"
    results.add("fanout_one_rate", ours, "notifications/s", "one happening, in the app, by one process")
    results.add(
        "fanout_one_ratio", _ratio(alone, "bare"), "x", f"one process / the bare statement, {bare:,.0f}/s; {turns}"
    )
    results.add("fanout_one_vs_peer", ours / peer, "x", "one process / the peer: the medians of the same run")


def _ratio(rates: dict[str, list[float]], to: str) -> float:
    return median(our / other for our, other in zip(rates["ours"], rates[to], strict=True))
