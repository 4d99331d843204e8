"""What an action would send, rendered with sample values in each language, as the recipient would see it."""

from __future__ import annotations

import html
from typing import Any

import pytest
from sqlalchemy import select, update

from app.api.helpers.placeholders import PLACEHOLDERS
from app.api.helpers.system_mails import MAIL_TEMPLATES, MAILS
from app.api.helpers.system_notifications import NOTIF_TEMPLATES, NOTIFS
from app.api.helpers.templates import MASK
from app.language import LANGUAGES, speak
from app.models import Mail, MessageSettings, Setting, db
from app.models.mail import PASSWORD_RESET, SESSION_SCHEDULE, USER_CONFIRM
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of
from tests.support.rows import count

MAIL_PARTS = ("email-subject", "email-message", "email-text")
NOTIFICATION_PARTS = ("notification-title", "notification-message")


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def path_of(action: str) -> str:
    id_ = db.session.scalars(select(MessageSettings.id).where(MessageSettings.action == action)).one()
    return f"/v1/message-settings/{id_}/preview"


def preview(admin: Api, action: str, **query: str) -> dict[str, Any]:
    answer = admin.get(path_of(action), **query)
    assert answer.status_code == 200, answer.text
    attributes: dict[str, Any] = answer.json["data"]["attributes"]
    return attributes


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_action_has_a_preview_in_every_language(admin: Api, language: str) -> None:
    for action in {**MAILS, **NOTIFS}:
        shown = preview(admin, action, language=language)
        assert (shown["language"], shown["direction"]) == (language, "rtl" if language == "ar" else "ltr")
        for parts, texts in ((MAIL_PARTS, MAIL_TEMPLATES), (NOTIFICATION_PARTS, NOTIF_TEMPLATES)):
            for part in parts:
                assert (shown[part] is not None) == (action in texts), (action, part)
        for part in (*MAIL_PARTS, *NOTIFICATION_PARTS):
            assert MASK not in (shown[part] or "")
            if part != "email-message":
                assert not set("{}") & set(shown[part] or "")
        if action in MAIL_TEMPLATES:
            for name in MAIL_TEMPLATES[action][language].html.placeholders:
                assert html.escape(speak(PLACEHOLDERS[name], language)) in shown["email-message"]


def test_the_document_is_of_the_same_id(admin: Api) -> None:
    path = path_of(SESSION_SCHEDULE)
    document = admin.get(path, language="de").json
    assert document["data"]["type"] == "message-setting-preview"
    assert path == f"/v1/message-settings/{document['data']['id']}/preview"
    assert document["links"]["self"] == f"{path}?language=de"


def test_a_mail_is_shown_as_it_would_be_sent(admin: Api, people: People) -> None:
    """Word for word, but for the sample values: the frame, its direction, the name and the address of the site."""
    db.session.execute(update(Setting).values(app_name="Harbour & Sons", frontend_url="https://harbour.example.org"))
    db.session.commit()
    shown = preview(admin, USER_CONFIRM, language="ar")
    assert shown["email-message"].startswith("<!doctype html>")
    assert 'lang="ar" dir="rtl"' in shown["email-message"]
    assert "Harbour &amp; Sons" in shown["email-message"]
    assert shown["email-text"].endswith("\n\n-- \nHarbour & Sons <https://harbour.example.org>\n")
    link = str(PLACEHOLDERS["link"])
    assert link in shown["email-message"]
    assert link in shown["email-text"]


def test_a_preview_follows_the_settings_and_makes_nothing(admin: Api) -> None:
    assert "Usher" in preview(admin, PASSWORD_RESET)["email-subject"]
    db.session.execute(update(Setting).values(app_name="Quay"))
    db.session.commit()
    assert "Quay" in preview(admin, PASSWORD_RESET)["email-subject"]
    assert count(Mail) == 0


@pytest.mark.parametrize(
    ("given", "written", "sample"), [("en", "en", "9:00"), ("de-AT", "de", "09:00"), ("de_DE", "de", "09:00")]
)
def test_a_language_may_name_a_country_and_the_default_is_english(
    admin: Api, given: str, written: str, sample: str
) -> None:
    shown = preview(admin, SESSION_SCHEDULE, language=given)
    assert shown["language"] == written
    assert sample in shown["email-text"]
    assert preview(admin, SESSION_SCHEDULE) == preview(admin, SESSION_SCHEDULE, language="en")


@pytest.mark.parametrize("language", ["", "fr", "xx", "deutsch", "de-!!", "de\x00", "../de", "d" * 999, "*"])
def test_an_unknown_language_is_400(admin: Api, language: str) -> None:
    answer = admin.get(path_of(SESSION_SCHEDULE), language=language)
    assert answer.status_code == 400
    assert errors_of(answer)[0]["source"] == {"parameter": "language"}


@pytest.mark.parametrize("query", ["lang=de", "include=user", "language=de&language=en"])
def test_any_other_parameter_is_400(admin: Api, query: str) -> None:
    answer = admin.get(f"{path_of(SESSION_SCHEDULE)}?{query}")
    assert answer.status_code == 400
    assert errors_of(answer)[0]["source"] == {"parameter": query.partition("=")[0]}


def test_what_is_not_there_is_404(admin: Api) -> None:
    assert admin.get("/v1/message-settings/987654/preview").status_code == 404
