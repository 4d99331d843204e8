"""`handover_p50_ms`, `handover_p99_ms`: from the commit to the first byte of the mail at its server, system idle."""

from __future__ import annotations

import random
import time
from statistics import quantiles
from typing import Final

from app.api.helpers.mail import send_email_with_action
from app.models import db
from app.models.mail import NEW_SESSION
from benchmarks.mails import LINK
from benchmarks.peers.clocked_sink import ClockedSink
from benchmarks.peers.ours import send_to
from benchmarks.peers.scale import scale
from benchmarks.pictures import distribution, save
from benchmarks.results import Results
from benchmarks.stage import Stage

# Seconds that the worker has to start, and that any later mail may take.
PATIENCE: Final = 60.0
WARM_UP: Final = 10


def run(stage: Stage, results: Results) -> None:
    """One mail at a time through web's own code, broker, worker and SMTP; the clock runs from before the commit."""
    with ClockedSink() as sink:
        send_to(sink.port)
        stage.application.start()
        for _ in range(WARM_UP):
            milliseconds(sink)
        times = [milliseconds(sink) for _ in range(scale().single)]
    cuts = quantiles(times, n=100, method="inclusive")
    of = f"{len(times)} mails, one at a time: from calling commit to MAIL FROM at the sink, worker and beat running"
    results.add("handover_p50_ms", cuts[49], "ms", of)
    results.add("handover_p99_ms", cuts[98], "ms", of)
    marks = {"median": cuts[49], "99 of 100 within": cuts[98]}
    save("mail-handover", distribution("From commit to hand-over, on an idle system", times, "ms", marks))


def milliseconds(sink: ClockedSink) -> float:
    """Send one mail, at a moment that is in step with nothing."""
    time.sleep(random.uniform(0.05, 0.15))  # noqa: S311 - a pause, not a secret
    if send_email_with_action("ana@example.org", NEW_SESSION, event_name="Harbour Conference", link=LINK) is None:
        raise RuntimeError(f"mails of {NEW_SESSION!r} are switched off")
    db.session.flush()
    begun = time.monotonic()
    db.session.commit()
    return 1000 * (sink.next_mail(PATIENCE) - begun)
