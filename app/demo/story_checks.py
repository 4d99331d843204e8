"""The end of the small play: what must hold after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.delivery.recipients.simulator import DOMAIN
from app.demo.cast import HOSTILE_TITLE, Cast
from app.demo.checks import Check, equal, exactly_once
from app.demo.failure import DemoFailure
from app.demo.inbox import DECISION, counts, mail_log, notifications
from app.demo.mailbox import CaughtMail
from app.demo.people import Person, await_mails, log_in, register
from app.demo.play import await_no_open_mail, change_session
from app.demo.verdict import organizer_told, sent_and_arrived, speakers_told


def run_checks(cast: Cast, admin: Person, made: Sequence[Check]) -> int:
    """Run every check and show it with those that were `made` before; give how many there were.

    Raises:
        DemoFailure: one failed.
    """
    cast.play.screen.title("A stranger comes, and a session is edited without a change of state")
    quiet = [_stranger_sees_nothing(cast), _edit_tells_nobody(cast, admin)]
    await_no_open_mail(cast.play, admin.client)
    cast.play.screen.title("Checks")
    checks = [*made, *quiet, *_exactly_once(cast, admin), *_text_stayed_text(cast)]
    for check in checks:
        cast.play.screen.check(check)
    return len(checks)


def _stranger_sees_nothing(cast: Cast) -> Check:
    """Somebody with an account asks for a notification of the organizer, who has it."""
    play, organizer = cast.play, cast.organizer
    stranger = register(play.door, "Stranger", "Strand")
    await_mails(play.door, stranger)
    client = log_in(play.door, stranger.login)
    path = f"/v1/notifications/{organizer.client.get(f'/v1/users/{organizer.id}/notifications').data[0]['id']}"
    play.screen.answer(organizer.client.get(path), "the organizer's own")
    answer = client.get(path, 404)
    play.screen.answer(answer, "the same for the stranger")
    return equal("a stranger's look at the organizer's notification", "404", answer.status)


def _edit_tells_nobody(cast: Cast, admin: Person) -> Check:
    """The organizer mends an abstract and sends the state along as it is."""
    before = _told(cast, admin)
    decided = next(proposal for proposal in cast.proposals if proposal.decided)
    state = cast.organizer.client.get(f"/v1/sessions/{decided.id}").data["attributes"]["state"]
    abstract = {"short-abstract": "Half an hour, and time for questions.", "state": state}
    cast.play.screen.answer(change_session(cast.organizer.client, decided.id, abstract), f"still {state}")
    return equal("told before that edit, and after it", before, _told(cast, admin))


def _told(cast: Cast, admin: Person) -> str:
    """How many messages there are: they are rows of the request's own transaction, so there is nothing to wait for."""
    inboxes = sum(counts(person).all for person in (cast.organizer, *cast.speakers))
    return f"{inboxes} notifications, {admin.client.count('/v1/mails')} mails"


def _exactly_once(cast: Cast, admin: Person) -> Iterator[Check]:
    log = mail_log(admin.client)
    yield from organizer_told(cast.organizer, cast.proposals, log)
    yield from speakers_told(cast.organizer, cast.proposals, log)
    for speaker in cast.speakers:
        own = [one for one in cast.proposals if one.decided and speaker.email.lower() in one.addresses]
        wanted = [(speaker.id, proposal.id) for proposal in own]
        what = f"{speaker.name}: one notification a decision"
        yield exactly_once(what, wanted, notifications(speaker, DECISION))
    real = [mail for mail in log if not mail["recipient"].endswith(f"@{DOMAIN}")]
    yield from sent_and_arrived(admin.client, cast.play.stage.mailbox, real)


def _text_stayed_text(cast: Cast) -> Iterator[Check]:
    """The title with markup: as it was typed in the subject and in the API, and never markup in the HTML."""
    mail = _mail_with_hostile_title(cast)
    raw, escaped = mail.html.count("<script"), mail.html.count("&lt;script&gt;")
    yield equal(
        "<script> in that mail: as markup, as text", "never, yes", f"{raw or 'never'}, {'yes' if escaped else 'no'}"
    )
    speaker = cast.speakers[1]
    titles = [one["attributes"]["title"] for one in speaker.client.pages(f"/v1/users/{speaker.id}/notifications")]
    yield equal("the same title in the inbox, as it was typed", 1, sum(HOSTILE_TITLE in title for title in titles))


def _mail_with_hostile_title(cast: Cast) -> CaughtMail:
    for mail in cast.play.stage.mailbox.to(cast.speakers[1].email):
        if HOSTILE_TITLE in mail.subject:
            return mail
    raise DemoFailure("the mail about the title with <script>", f"a subject with {HOSTILE_TITLE}", "none")
