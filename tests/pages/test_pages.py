"""The pages behind the links in mails, in the language that the browser asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from lxml.html import HtmlElement, document_fromstring
from werkzeug.test import TestResponse

from app.auth.passwords import LENGTHS, MAX_LENGTH, MIN_LENGTH
from app.auth.tokens import RESET, VERIFY, invite_token, link_token
from app.models import RoleInvite, db
from tests.conftest import People

TEMPLATES = sorted((Path(__file__).resolve().parents[2] / "app/templates/pages").glob("*.html"))
HEADINGS = {"en": "Set a new password", "de": "Neues Passwort festlegen", "ar": "تعيين كلمة مرور جديدة"}


def tree(answer: TestResponse) -> HtmlElement:
    return document_fromstring(answer.text)


def shown(answer: TestResponse) -> str:
    """The text of the page, without what an eye does not see."""
    text = tree(answer).find(".//main").text_content()
    return " ".join("".join(each for each in text if each not in "\u2068\u2069").split())


@pytest.mark.parametrize(
    ("wanted", "language", "direction"),
    [
        (None, "en", "ltr"),
        ("", "en", "ltr"),
        ("de", "de", "ltr"),
        ("ar", "ar", "rtl"),
        ("de-AT;q=0.9", "de", "ltr"),
        ("DE-at", "de", "ltr"),
        ("ar-EG, en;q=0.2", "ar", "rtl"),
        ("fr, pt-BR;q=0.8, ar;q=0.3", "ar", "rtl"),
        ("fr", "en", "ltr"),
        ("de;q=0, en;q=0.1", "en", "ltr"),
        ("de;q=0", "en", "ltr"),
        ("*", "en", "ltr"),
        ("garbage;;;q=x,%%,=,\xe9", "en", "ltr"),
        ("x" * 5000, "en", "ltr"),
        ("../../de", "en", "ltr"),
    ],
)
def test_a_page_is_in_the_language_that_the_browser_asks_for(
    client: FlaskClient, wanted: str | None, language: str, direction: str
) -> None:
    answer = client.get("/reset-password?token=x", headers={} if wanted is None else {"Accept-Language": wanted})
    page = tree(answer)
    assert (page.get("lang"), page.get("dir"), answer.headers["Content-Language"]) == (language, direction, language)
    assert page.findtext(".//h1") == HEADINGS[language]
    assert page.findtext(".//title") == f"{HEADINGS[language]} · Usher"


@pytest.mark.parametrize(
    ("language", "thanks", "used"),
    [
        (
            "en",
            "Thank you Your e-mail address is confirmed.",
            "That did not work The link was already used or is no longer valid: ask for a new one.",
        ),
        (
            "de",
            "Vielen Dank Ihre E-Mail-Adresse ist bestätigt.",
            "Das hat nicht geklappt Der Link wurde schon benutzt oder gilt nicht mehr: Fordern Sie einen neuen an.",
        ),
        (
            "ar",
            "شكرًا لك تم تأكيد عنوان بريدك الإلكتروني.",
            "لم ينجح ذلك سبق استخدام الرابط أو لم يعد صالحًا: اطلب رابطًا جديدًا.",
        ),
    ],
)
def test_what_came_of_a_link_is_told_in_the_language_of_the_page(
    client: FlaskClient, people: People, language: str, thanks: str, used: str
) -> None:
    form, headers = {"token": link_token(people.user(verified=False), VERIFY)}, {"Accept-Language": language}
    assert shown(client.post("/verify", data=form, headers=headers)) == thanks
    assert shown(client.post("/verify", data=form, headers=headers)) == used


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", LENGTHS),
        ("de", "Ein Passwort hat 8 bis 256 Zeichen."),
        ("ar", "تتكوّن كلمة المرور من 8 إلى 256 حرفًا."),
    ],
)
def test_a_password_that_is_too_short_is_refused_in_the_language_of_the_page(
    client: FlaskClient, people: People, language: str, text: str
) -> None:
    form = {"token": link_token(people.user(), RESET), "password": "short"}
    answer = client.post("/reset-password", data=form, headers={"Accept-Language": language})
    assert answer.status_code == 400
    assert tree(answer).findtext(".//p[@class='wrong']") == text


def test_the_lengths_that_are_told_are_those_that_are_asked_for() -> None:
    assert f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters." == LENGTHS


@pytest.mark.parametrize(
    ("language", "asked", "declined"),
    [
        (
            "en",
            "ivy@example.org is invited to be organizer of C++ <b>(2).",
            "Invitation declined You declined to be organizer of C++ <b>(2).",
        ),
        (
            "de",
            "ivy@example.org ist eingeladen, folgende Aufgabe zu übernehmen: Organisation bei C++ <b>(2).",
            "Einladung abgelehnt Sie haben die Einladung zur Mitarbeit bei C++ <b>(2) abgelehnt: Organisation.",
        ),
        (
            "ar",
            "صاحب العنوان ivy@example.org مدعوّ إلى تولّي دور المنظّم في C++ <b>(2).",
            "رُفضت الدعوة اعتذرت عن تولّي دور المنظّم في C++ <b>(2).",
        ),
    ],
)
def test_an_invitation_is_answered_in_the_language_of_the_page(
    client: FlaskClient, people: People, language: str, asked: str, declined: str
) -> None:
    event = people.event(people.user(), name="C++ <b>(2)\u202e")
    invite = RoleInvite(email="ivy@example.org", role_name="organizer", event=event)
    db.session.add(invite)
    db.session.commit()
    form, headers = {"token": invite_token(invite), "answer": "declined"}, {"Accept-Language": language}
    assert asked in shown(client.get("/sign-up", query_string=form, headers=headers))
    answer = client.post("/sign-up", data=form, headers=headers)
    assert shown(answer) == declined
    assert ("\u2068C++" in answer.text) == (language == "ar")


def test_a_link_to_a_file_that_cannot_be_used_says_so_in_the_language_of_the_page(client: FlaskClient) -> None:
    answer = client.get("/event-exports/1/download?token=x", headers={"Accept-Language": "de-CH"})
    assert answer.status_code == 400
    assert shown(answer) == (
        "Das hat nicht geklappt Der Link ist ungültig oder abgelaufen: Exportieren Sie die Veranstaltung noch einmal."
    )


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_page_has_no_words_that_are_not_for_translators(path: Path) -> None:
    source = re.sub(r"<style>.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"\w+", re.sub(r"\{\{.*?\}\}|\{%.*?%\}|<[^>]*>", "", source, flags=re.DOTALL)) == []
    quoted = re.findall(r'(_\()?"([A-Z][^"]*)"', source)
    assert [text for marked, text in quoted if not marked] == []
