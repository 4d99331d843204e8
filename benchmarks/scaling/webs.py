"""Several web processes: pages of the inbox per second of one and of two, which know nothing of each other."""

from __future__ import annotations

from statistics import median

from benchmarks.load import hammer
from benchmarks.results import Results
from benchmarks.scaling.common import CONNECTIONS, pages, populate, serve
from benchmarks.stage import Stage

ROUNDS = 5


def run(stage: Stage, results: Results) -> None:
    """One and two take turns; the other server sleeps meanwhile."""
    populate(1000, 200)
    requests = pages(1000)
    ports = [serve(stage, f"web-of-{count}", count) for count in (1, 2)]
    for port in ports:
        hammer(port, requests, CONNECTIONS, 2)
    pairs = [[hammer(port, requests, CONNECTIONS, 2).rate for port in ports] for _ in range(ROUNDS)]
    of = "pages of the inbox; PostgreSQL and the load are on the same two cores"
    results.add("scaling_web_one", median(one for one, _ in pairs), "requests/s", f"one web process; {of}")
    results.add("scaling_web_two", median(two for _, two in pairs), "requests/s", f"two; {of}")
    results.add("scaling_web", median(two / one for one, two in pairs), "x", f"two web processes / one; {of}")
