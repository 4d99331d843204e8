"""`mail_drain_vs_peer`, `mail_scaling`: two of our worker processes / two of the peer's, and / one of ours."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import median
from typing import Any, Final

from app.delivery.render import to_envelope
from benchmarks.mails import SENDER, claimed
from benchmarks.peers.ours import drain, send_to
from benchmarks.peers.peer import PostOffice
from benchmarks.peers.scale import scale
from benchmarks.pictures import bars, save
from benchmarks.results import Results
from benchmarks.sink import Sink
from benchmarks.stage import Stage

PROCESSES: Final = 2
# Settings of the peer that are measured again, since a machine has moods.
FINALISTS: Final = 3
# A drain of the peer's is cut off, and its mails fail, after this many seconds: none must come near.
_NO_DEADLINE: Final = int(timedelta(hours=1).total_seconds())


@dataclass(frozen=True)
class Setting:
    """What can be set of `send_queued_mail`, with its defaults, but for two processes."""

    processes: int = PROCESSES
    threads: int = 5
    batch: int = 100
    log_level: int = 2

    def options(self) -> dict[str, Any]:
        """The peer's own names, for POST_OFFICE."""
        return {
            "THREADS_PER_PROCESS": self.threads,
            "BATCH_SIZE": self.batch,
            "LOG_LEVEL": self.log_level,
            "BATCH_DELIVERY_TIMEOUT": _NO_DEADLINE,
        }

    def __str__(self) -> str:
        """As it is told beside the figure."""
        return f"-p {self.processes}, {self.threads} threads, batches of {self.batch}, log level {self.log_level}"


# One after the other, each beginning with the best of those before.
_STEPS: Final[tuple[dict[str, tuple[int, ...]], ...]] = (
    {"batch": (100, 500, 1000, 5000)},
    {"threads": (1, 2, 5, 10)},
    {"log_level": (2, 0)},
    {"processes": (2, 1)},
    {"batch": (500, 1000, 2500, 5000)},
    {"threads": (1, 2, 3, 4)},
)


def run(stage: Stage, results: Results) -> None:
    """Find the peer's best setting; then it, two and one of ours take turns."""
    count, rounds = scale().mails, scale().rounds
    rates: dict[str, list[float]] = {"two": [], "one": [], "peer": []}
    with Sink() as sink, PostOffice(stage, sink.port) as peer:
        best = _sweep(peer, sink)
        send_to(sink.port)
        stage.application.start_worker("bench-worker", processes=PROCESSES)
        for processes in (PROCESSES, PROCESSES, 1):  # modules are loaded and connections open, in both
            drain(stage, sink, 200, processes)
        for _ in range(rounds):
            rates["two"].append(count / drain(stage, sink, count, PROCESSES))
            rates["peer"].append(count / _drain_peer(peer, sink, best, count))
            rates["one"].append(count / drain(stage, sink, count, 1))
            print("  " + ", ".join(f"{name} {values[-1]:.0f} mails/s" for name, values in rates.items()), flush=True)
        stage.stack.stop_part("bench-worker")
        limit = _sink_rate(sink, count)
    _tell(results, rates, best, limit)


def _tell(results: Results, rates: dict[str, list[float]], best: Setting, limit: float) -> None:
    two, one, peer = (median(rates[name]) for name in ("two", "one", "peer"))
    turns = f"median of {len(rates['two'])} rounds of {scale().mails} mails, taking turns"
    results.add("mail_drain_rate_two", two, "mails/s", "two worker processes, every outcome written by itself")
    results.add("mail_drain_rate_peer", peer, "mails/s", f"django-post-office at its best: {best}")
    results.add("mail_drain_vs_peer", _ratio(rates, "peer"), "x", f"django-post-office, {best}; {turns}")
    results.add("mail_scaling", _ratio(rates, "one"), "x", f"one process of the same worker; {turns}")
    results.add("mail_sink_rate", limit, "mails/s", "ready-made messages from one bare socket into the same sink")
    rows = [
        ("Usher, two processes", two),
        ("Usher, one process", one),
        (f"django-post-office, two processes ({best})", peer),
    ]
    save("mail-draining", bars("Mails sent per second, outcomes written", rows, "mails/s"))


def _ratio(rates: dict[str, list[float]], below: str) -> float:
    return median(two / other for two, other in zip(rates["two"], rates[below], strict=True))


def _sweep(peer: PostOffice, sink: Sink) -> Setting:
    """The peer's quickest setting: a small gain is a gain, and the best few are given two drains more."""
    count = scale().sweep_mails
    best, known = Setting(), dict[Setting, float]()
    for step in _STEPS:
        for name, values in step.items():
            for setting in [replace(best, **{name: value}) for value in values]:
                if setting not in known:
                    known[setting] = count / _drain_peer(peer, sink, setting, count)
                    print(f"  django-post-office, {setting}: {known[setting]:.0f} mails/s", flush=True)
            best = max(known, key=known.__getitem__)
    for setting in sorted(known, key=known.__getitem__)[-FINALISTS:]:
        known[setting] = max(known[setting], *(count / _drain_peer(peer, sink, setting, count) for _ in range(2)))
    return max(known, key=known.__getitem__)


def _drain_peer(peer: PostOffice, sink: Sink, setting: Setting, count: int) -> float:
    envelope = to_envelope(claimed(1), SENDER)
    mail = {"subject": envelope.subject, "message": envelope.text, "html_message": envelope.html}
    sink.reset()
    answer = peer.ask("drain", count=count, mail=mail, processes=setting.processes, options=setting.options())
    if (answer["sent"], sink.count()) != (count, count):
        raise RuntimeError(f"the peer sent {answer['sent']}, {sink.count()} are in the sink, of {count}")
    return float(answer["seconds"])


def _sink_rate(sink: Sink, count: int) -> float:
    """What the sink takes when nobody has to make the mails."""
    envelope = to_envelope(claimed(1), SENDER)
    message = "\r\n".join((envelope.html + envelope.text).splitlines()).encode() + b"\r\n.\r\n"
    head = b"MAIL FROM:<noreply@example.org>\r\nRCPT TO:<ana@example.org>\r\nDATA\r\n"
    sink.reset()
    with socket.create_connection(("127.0.0.1", sink.port)) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers.readline()
        begun = time.perf_counter()
        for _ in range(count):
            connection.sendall(head)
            for _ in range(3):
                answers.readline()
            connection.sendall(message)
            answers.readline()
        return count / (time.perf_counter() - begun)
