"""People are told in their own language and the event's time, whoever's request causes it: as it arrives by SMTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from lxml.html import document_fromstring

from app.delivery.services.registry import close_transport
from app.models import Session, User, db
from tests.conftest import People
from tests.servers.smtp import RecordingSmtp
from tests.support.api import Api
from tests.support.orders import change, order_for, ticket
from tests.support.sending import part, point_at, run

TITLE = "C++ (part 2)"
LANGUAGES = {
    "german": "de",
    "austrian": "de-AT",
    "arab": "ar",
    "brazilian": "pt-BR",
    "briton": "en-GB",
    "shouting": "DE",
}
NOBODY = "nobody"
NOBODY_ADDRESS = f"{NOBODY}@example.org"
# The clocks in Berlin were put forward at 01:00 UTC.
BEFORE, AFTER = "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"


@dataclass(frozen=True)
class Stage:
    """A session of speakers from everywhere, and its organizer, whose browser asks for French."""

    organizer: Api
    session: Session
    accounts: dict[str, User]
    smtp: RecordingSmtp

    def change(self, **attributes: Any) -> None:
        answer = self.organizer.update(f"/v1/sessions/{self.session.id}", "session", self.session.id, **attributes)
        assert answer.status_code == 200, answer.json

    def mails(self) -> dict[str, EmailMessage]:
        """Send what is queued: what each of the speakers got."""
        self.smtp.envelopes.clear()
        assert run().keys() == {"sent"}
        return {message["To"].addresses[0].username: message for message in self.smtp.messages}

    def notification(self, name: str) -> Any:
        user = self.accounts[name]
        [newest, *_] = self.organizer.as_(user).get(f"/v1/users/{user.id}/notifications").json["data"]
        return newest["attributes"]


@pytest.fixture
def smtp(database: None) -> Iterator[RecordingSmtp]:
    with RecordingSmtp() as server:
        point_at(server.port)
        yield server
        close_transport()


@pytest.fixture
def stage(people: People, api: Api, smtp: RecordingSmtp) -> Stage:
    organizer = people.user("organizer@example.org")
    event = people.event(organizer)
    event.timezone = "Europe/Berlin"
    accounts = {name: people.user(f"{name}@example.org") for name in LANGUAGES}
    for name, account in accounts.items():
        account.language = LANGUAGES[name]
    speakers = [people.speaker(event, email=f"{name}@example.org") for name in (*accounts, NOBODY)]
    session = Session(title=TITLE, event=event, speakers=speakers, starts_at=datetime(2026, 3, 28, tzinfo=UTC))
    db.session.add(session)
    db.session.commit()
    api.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "fr-FR, fr;q=0.9"
    return Stage(api.as_(organizer), session, accounts, smtp)


def seen(text: Any) -> str:
    """Without what an eye does not see: isolates, and the kind of a space."""
    return "".join(each for each in str(text) if each not in "\u2068\u2069").replace("\u202f", " ").replace("\xa0", " ")


def test_everybody_gets_the_decision_in_their_own_language(stage: Stage) -> None:
    stage.change(state="accepted")
    german, english, arabic = f"„{TITLE}“ wurde angenommen", f"{TITLE} was accepted", f"الجلسة {TITLE}: مقبولة"
    subjects = {name: seen(message["Subject"]) for name, message in stage.mails().items()}
    assert subjects == {
        "german": german,
        "austrian": german,
        "shouting": german,
        "arab": arabic,
        "brazilian": english,
        "briton": english,
        NOBODY: english,
    }
    titles = {name: seen(stage.notification(name)["title"]) for name in stage.accounts}
    assert titles == {name: subject for name, subject in subjects.items() if name != NOBODY}
    assert "abgelehnt" not in stage.notification("german")["message"]
    stage.change(state="rejected")
    assert seen(stage.mails()["arab"]["Subject"]) == f"الجلسة {TITLE}: مرفوضة"
    assert "abgelehnt" in stage.notification("german")["message"]


@pytest.mark.parametrize(
    ("name", "lang", "direction", "greeting", "reason"),
    [
        ("german", "de", "ltr", "Guten Tag german@example.org,", "Gesendet von Usher"),
        ("austrian", "de", "ltr", "Guten Tag austrian@example.org,", "Gesendet von Usher"),
        ("arab", "ar", "rtl", "مرحبًا arab@example.org،", "أُرسلت هذه الرسالة من Usher"),
        ("brazilian", "en", "ltr", "Hello brazilian@example.org,", "Sent by Usher"),
        (NOBODY, "en", "ltr", "Hello nobody@example.org,", "Sent by Usher"),
    ],
)
def test_the_whole_mail_is_in_one_language_with_its_frame(
    stage: Stage, name: str, lang: str, direction: str, greeting: str, reason: str
) -> None:
    stage.change(state="accepted")
    mail = stage.mails()[name]
    page = document_fromstring(part(mail, "html"))
    assert (page.get("lang"), page.get("dir"), page.find("body").get("dir")) == (lang, direction, direction)
    assert seen(part(mail, "plain")).startswith(greeting)
    shown = seen(page.text_content())
    assert greeting in shown
    assert reason in shown
    assert page.findtext(".//title") == mail["Subject"]
    assert part(mail, "plain").rstrip().endswith("-- \r\nUsher <http://127.0.0.1:5000>")


def test_latin_values_in_an_arabic_mail_are_isolated(stage: Stage) -> None:
    stage.change(state="accepted")
    mail = stage.mails()["arab"]
    assert f"\u2068{TITLE}\u2069" in mail["Subject"]
    assert f"\u2068{TITLE}\u2069" in part(mail, "plain")
    assert f"<bdi>{TITLE}</bdi>" in part(mail, "html")
    assert f"<bdi>{TITLE}</bdi>" in stage.notification("arab")["message"]


def test_a_new_time_is_told_by_the_clocks_of_the_event_in_each_ones_habits(stage: Stage) -> None:
    stage.change(starts_at=BEFORE, ends_at=AFTER)
    texts = {name: seen(part(mail, "plain")) for name, mail in stage.mails().items()}
    assert "Sonntag, 29. März 2026, 01:30 \u2013 03:30 (GMT+01:00)" in texts["german"]
    assert "Sonntag, 29. März 2026, 01:30 \u2013 03:30 (GMT+01:00)" in texts["austrian"]
    assert "Sunday, 29 March 2026, 01:30 \u2013 03:30 (GMT+01:00)" in texts["briton"]
    assert "Sunday, March 29, 2026, 1:30 AM \u2013 3:30 AM (GMT+01:00)" in texts["brazilian"]
    assert "Sunday, March 29, 2026, 1:30 AM \u2013 3:30 AM (GMT+01:00)" in texts[NOBODY]
    assert "الأحد، 29 مارس 2026، 1:30 ص \u2013 3:30 ص (غرينتش+01:00)" in texts["arab"]
    stage.change(starts_at=AFTER, ends_at=None)
    assert "Sonntag, 29. März 2026, 03:30 (GMT+02:00)" in seen(stage.notification("german")["message"])
    stage.change(starts_at="2027-01-05T10:00:00Z")
    assert "Dienstag, 5. Jänner 2027, 11:00 (GMT+01:00)" in seen(stage.notification("austrian")["message"])
    stage.change(starts_at=None)
    assert "noch kein Termin" in stage.notification("german")["message"]


@pytest.mark.parametrize(
    ("name", "amount"),
    [
        ("german", "Der Gesamtbetrag ist 2.401,00 €."),
        ("austrian", "Der Gesamtbetrag ist € 2.401,00."),
        ("arab", "المبلغ الإجمالي: \u200f2,401.00 €."),
        ("brazilian", "It comes to €2,401.00."),
    ],
)
def test_an_amount_is_written_as_the_buyer_does(stage: Stage, name: str, amount: str) -> None:
    buyer, seat = stage.accounts[name], ticket(stage.session.event, "1200.50")
    order = order_for(stage.organizer, buyer, stage.session.event, f"{name}@example.org", NOBODY_ADDRESS, ticket=seat)
    owner = stage.session.event.roles[0].user
    assert change(stage.organizer, owner, order, status="completed").status_code == 200
    assert amount in seen(part(stage.mails()[name], "plain"))


def test_somebody_who_changes_the_language_is_told_in_the_new_one_from_then_on(stage: Stage) -> None:
    arab = stage.accounts["arab"]
    assert (
        stage.organizer.as_(arab).update(f"/v1/users/{arab.id}", "user", arab.id, language="DE-ch").status_code == 200
    )
    stage.change(state="accepted")
    assert stage.mails()["arab"]["Subject"] == f"„{TITLE}“ wurde angenommen"


def test_the_details_of_errors_are_in_english_whatever_the_request_asks_for(api: Api) -> None:
    api.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de"
    [error] = api.get("/v1/sessions/1").json["errors"]
    assert error["title"] == "Not found"
