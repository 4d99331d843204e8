from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.api.jsonapi.timestamps import EARLIEST, LATEST
from app.bidi import harmless, isolate_placeholders, isolate_placeholders_in_html
from app.language import (
    LANGUAGES,
    Labelled,
    Listing,
    Moment,
    Money,
    Month,
    Period,
    Word,
    best_language,
    direction,
    speak,
    translate,
)
from app.models.event import ROLES
from app.models.session import SESSION_STATES
from app.periodic.reminders import NO_EVENTS

MORNING = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def spoken(value: str) -> str:
    """Without the no-break spaces of different kinds, and without isolates, which an eye does not tell apart."""
    for space in "\u00a0\u202f":
        value = value.replace(space, " ")
    return "".join(character for character in value if character not in "\u200f\u2068\u2069")


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("en", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-ch", "de"),
        ("ar-EG", "ar"),
        ("en-GB", "en"),
        ("pt-BR", "en"),
        ("zh-Hant-TW", "en"),
        ("", "en"),
        (None, "en"),
        ("x-klingon", "en"),
        ("no such language", "en"),
    ],
)
def test_the_language_of_the_texts_is_the_one_wanted_or_english(wanted: str | None, language: str) -> None:
    assert best_language(wanted) == language


def test_arabic_runs_from_right_to_left_and_an_unknown_language_as_english_does() -> None:
    assert [direction(language) for language in (*LANGUAGES, "ar-SA", "he")] == ["ltr", "ltr", "rtl", "rtl", "ltr"]


@pytest.mark.parametrize("name", [*SESSION_STATES, *ROLES])
def test_every_state_and_role_has_a_name_in_every_language(name: str) -> None:
    names = [Word(name).spoken(language) for language in LANGUAGES]
    assert len(set(names)) == len(LANGUAGES)
    assert not any("_" in each for each in names)


def test_words_are_those_of_the_language() -> None:
    assert [Word("accepted").spoken(each) for each in ("en", "de-AT", "ar")] == ["accepted", "angenommen", "مقبولة"]
    assert Word("track_organizer").spoken("pt-BR") == "track organizer"
    assert translate("a text that nobody marked", "de") == "a text that nobody marked"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Friday, November 27, 2026, 6:00 PM (GMT+09:00)"),
        ("en-GB", "Friday, 27 November 2026, 18:00 (GMT+09:00)"),
        ("de", "Freitag, 27. November 2026, 18:00 (GMT+09:00)"),
        ("ar", "الجمعة، 27 نوفمبر 2026، 6:00 م (غرينتش+09:00)"),
        ("pt-BR", "Friday, November 27, 2026, 6:00 PM (GMT+09:00)"),
    ],
)
def test_a_moment_is_told_by_the_clocks_of_its_place(language: str, text: str) -> None:
    assert spoken(Moment(MORNING, "Asia/Tokyo").spoken(language)) == text


def test_a_moment_says_whether_the_clocks_were_put_forward() -> None:
    before, after = datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert [spoken(Moment(each, "Europe/Berlin").spoken("de")) for each in (before, after)] == [
        "Sonntag, 29. März 2026, 01:30 (GMT+01:00)",
        "Sonntag, 29. März 2026, 03:30 (GMT+02:00)",
    ]


def test_a_period_names_its_day_once() -> None:
    end = MORNING + timedelta(minutes=30)
    assert spoken(Period(MORNING, end, "Europe/Lisbon").spoken("de")) == (
        "Freitag, 27. November 2026, 09:00 \u2013 09:30 (GMT+00:00)"
    )
    assert spoken(Period(MORNING, end + timedelta(days=1), "Europe/Lisbon").spoken("en")) == (
        "Friday, November 27, 2026, 9:00 AM (GMT+00:00) \u2013 Saturday, November 28, 2026, 9:30 AM (GMT+00:00)"
    )
    assert Period(MORNING, None, "UTC").spoken("de") == Moment(MORNING, "UTC").spoken("de")
    assert [Period(None, end, "UTC").spoken(each) for each in LANGUAGES] == [
        "no time yet",
        "noch kein Termin",
        "لم يُحدَّد الموعد بعد",
    ]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("time", [EARLIEST, LATEST])
@pytest.mark.parametrize("language", ["en", "de-AT", "ar-EG", "th", "fa"])
def test_the_ends_of_time_can_be_told(time: datetime, zone: str, language: str) -> None:
    assert Period(time, time, zone).spoken(language)


@pytest.mark.parametrize(
    ("language", "amount", "month"),
    [
        ("en", "€1,120.50", "October 2026"),
        ("de", "1.120,50 €", "Oktober 2026"),
        ("de-AT", "€ 1.120,50", "Oktober 2026"),
        ("ar", "1,120.50 €", "أكتوبر 2026"),
        ("pt-BR", "€1,120.50", "October 2026"),
    ],
)
def test_amounts_and_months_are_written_as_people_there_do(language: str, amount: str, month: str) -> None:
    assert spoken(Money(Decimal("1120.50"), "EUR").spoken(language)) == amount
    assert Month(date(2026, 10, 1)).spoken(language) == month


def test_an_amount_has_the_decimals_of_its_currency() -> None:
    assert spoken(Money(Decimal(1200), "JPY").spoken("de")) == "1.200 ¥"
    assert Money(Decimal("1.5"), "XQZ").spoken("en")


@pytest.mark.parametrize("language", ["tlh", "de-XX", "sr-Latn-RS-x-foo", "ar-EG-u-nu-latn", "", "de--AT"])
def test_a_language_that_babel_does_not_know_is_no_error(language: str) -> None:
    assert Moment(MORNING, "UTC").spoken(language)
    assert Money(Decimal(1), "EUR").spoken(language)


def test_a_listing_says_when_there_is_nothing() -> None:
    events = [Labelled(name, Month(date(2026, 10, 1))) for name in ("Harbour", "Hafen")]
    assert Listing(events, NO_EVENTS).spoken("de") == "Harbour \u2013 Oktober 2026 und Hafen \u2013 Oktober 2026"
    assert spoken(Listing(events, NO_EVENTS).spoken("ar")) == "Harbour \u2013 أكتوبر 2026 وHafen \u2013 أكتوبر 2026"
    assert [Listing([], NO_EVENTS).spoken(each) for each in LANGUAGES] == [
        "none at the moment",
        "derzeit nichts",
        "لا شيء حاليًا",
    ]


def test_latin_names_in_an_arabic_listing_are_isolated_each() -> None:
    listing = Listing([Labelled("A.", "x"), "B."], NO_EVENTS).spoken("ar")
    assert listing == "\u2068\u2068A.\u2069 \u2013 x\u2069 و\u2068B.\u2069"


def test_a_value_cannot_turn_the_text_around_it_and_keeps_its_own_letters() -> None:
    assert harmless("a\u202eb\u2067c\u2069\u202cd") == "abcd"
    kept = "\u200fשלום\u200e عربي 🎉 👩\u200d💻"  # noqa: RUF001 - a Hebrew letter that looks like a Latin one
    assert harmless(kept) == kept
    assert harmless("nul\x00 half\ud83d") == "nul\ufffd half\ufffd"
    assert speak("\u202eevil", "ar") == "evil"
    assert Labelled("\u202eevil", "x").spoken("en") == "evil \u2013 x"


def test_placeholders_in_text_are_isolated_and_those_in_attributes_are_not() -> None:
    assert isolate_placeholders("a {b} ({{c}})") == "a \u2068{b}\u2069 ({{c}})"
    assert isolate_placeholders_in_html("<b>{b}</b> > <a href='{c}' title='{d}'>{e}</a>") == (
        "<b><bdi>{b}</bdi></b> > <a href='{c}' title='{d}'><bdi>{e}</bdi></a>"
    )
