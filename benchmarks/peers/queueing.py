"""`mail_queue_vs_peer`: mails from a template with a context each, queued in one transaction, ours and the peer's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, Final

from sqlalchemy import event, text

from app.api.helpers.mail import send_email_with_action, send_emails
from app.api.helpers.recipients import recipients
from app.api.helpers.system_mails import MAIL_TEMPLATES
from app.api.helpers.templates import render
from app.delivery.handover import wait_for_hand_over
from app.language import DEFAULT
from app.models import db
from app.models.mail import NEW_SESSION
from benchmarks.peers.peer import PostOffice
from benchmarks.peers.scale import scale
from benchmarks.pictures import bars, save
from benchmarks.results import Results
from benchmarks.stage import Stage

# The peer's ways to queue: the first is the one that ours is measured against.
PEER_WAYS: Final = ("send_many", "send_many, rendered when delivered", "send")
_LINK: Final = "http://127.0.0.1:5000/events/{}/sessions/1"
Context = dict[str, str]


def in_bulk(contexts: Sequence[Context]) -> None:
    """Queue a mail for each context with one call."""
    send_emails(
        NEW_SESSION,
        ((each["email"], {"event_name": each["event_name"], "link": each["link"]}) for each in contexts),
    )


def languages_at_once(contexts: Sequence[Context]) -> None:
    """Ask for the languages of all addresses first, as our helpers for several people do; then a call for each."""
    everybody = recipients(*(context["email"] for context in contexts))
    for who, context in zip(everybody, contexts, strict=True):
        send_email_with_action(who, NEW_SESSION, event_name=context["event_name"], link=context["link"])


def one_by_one(contexts: Sequence[Context]) -> None:
    """Queue a mail for each context, with a call for each."""
    for context in contexts:
        send_email_with_action(context["email"], NEW_SESSION, event_name=context["event_name"], link=context["link"])


# Our ways to queue, the quickest first: each adds the mails of the contexts to the open transaction.
OUR_WAYS: Final[dict[str, Callable[[Sequence[Context]], None]]] = {
    "send_emails": in_bulk,
    "send_email_with_action, languages at once": languages_at_once,
    "send_email_with_action": one_by_one,
}


def run(stage: Stage, results: Results) -> None:
    """All ways in turn, round by round; the ratios are the medians of those of the rounds."""
    count, rounds = scale().mails, scale().rounds
    contexts = _contexts(count)
    rates: dict[str, list[float]] = {name: [] for name in (*OUR_WAYS, *PEER_WAYS)}
    with PostOffice(stage, sink_port=1) as peer:
        peer.ask("template", words=peer_template())
        for number in range(rounds + 1):
            measured = {name: count / _ours(way, contexts) for name, way in OUR_WAYS.items()}
            measured |= {name: count / _theirs(peer, name, contexts) for name in PEER_WAYS}
            print("  " + ", ".join(f"{name} {rate:.0f}/s" for name, rate in measured.items()), flush=True)
            if number:  # the first round warms up
                for name, rate in measured.items():
                    rates[name].append(rate)
    best = next(iter(OUR_WAYS))
    _tell(results, rates, best, count)
    statements = _statements(OUR_WAYS[best], contexts)
    results.add("mail_queue_statements", 1000 * statements / count, "1/1000 mails", f"SQL statements, {best}")


def _tell(results: Results, rates: dict[str, list[float]], best: str, count: int) -> None:
    of = f"{count} mails of a template, each with a context of its own, in one transaction; {best}"
    results.add("mail_queue_rate", median(rates[best]), "mails/s", of)
    for figure, way in (("mail_queue_vs_peer", "send_many"), ("mail_queue_vs_peer_single", "send")):
        theirs = rates[way]
        ratio = median(our / their for our, their in zip(rates[best], theirs, strict=True))
        results.add(figure, ratio, "x", f"django-post-office, {way}, {median(theirs):.0f} mails/s; {of}")
    rows = [
        (f"{'Usher' if name in OUR_WAYS else 'django-post-office'}: {name}", median(values))
        for name, values in rates.items()
    ]
    save("mail-queueing", bars("Mails queued per second, each with a context of its own", rows, "mails/s"))


def peer_template() -> dict[str, str]:
    """Our words as a Django template: the same subject, HTML and text."""
    names = ("email", "event_name", "link")
    words = MAIL_TEMPLATES[NEW_SESSION][DEFAULT]
    rendered = render(words, {name: f"https://{name}.example.org/" for name in names if name in words.placeholders})
    fields = {"subject": rendered.line, "content": rendered.text, "html_content": rendered.html}
    for name in names:
        fields = {
            key: value.replace(f"https://{name}.example.org/", f"{{{{ {name} }}}}") for key, value in fields.items()
        }
    return fields


def _contexts(count: int) -> list[Context]:
    return [
        {
            "email": f"user{number}@example.org",
            "event_name": f"Harbour Conference {number}",
            "link": _LINK.format(number),
        }
        for number in range(count)
    ]


def _ours(way: Callable[[Sequence[Context]], None], contexts: Sequence[Context]) -> float:
    db.session.execute(text("TRUNCATE mails, activities CASCADE"))
    db.session.commit()
    begun = time.perf_counter()
    way(contexts)
    db.session.commit()
    seconds = time.perf_counter() - begun
    # Not beside the peer's turn.
    wait_for_hand_over()
    queued = db.session.scalar(text("SELECT count(*) FROM mails WHERE status = 'queued'"))
    db.session.rollback()
    if queued != len(contexts):
        raise RuntimeError(f"{queued} mails were queued, of {len(contexts)}")
    return seconds


def _theirs(peer: PostOffice, how: str, contexts: Sequence[Context]) -> float:
    answer = peer.ask("queue", how=how, contexts=list(contexts))
    if answer["queued"] != len(contexts):
        raise RuntimeError(f"the peer queued {answer['queued']} mails, of {len(contexts)}")
    return float(answer["seconds"])


def _statements(way: Callable[[Sequence[Context]], None], contexts: Sequence[Context]) -> int:
    """How many statements the way takes, with its commit's."""
    with _counted() as seen:
        way(contexts)
        db.session.commit()
    wait_for_hand_over()
    return len(seen)


@contextmanager
def _counted() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
