"""The languages that people are told in: texts, words, dates and amounts, whoever's request caused them.

Everything takes the language by name. A request has a language of its own, that of the person who asks, and a worker
has none, so that nothing here may depend on what Flask-Babel calls the current locale; that is for pages only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from gettext import NullTranslations
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_date, format_skeleton, format_time, get_timezone_gmt
from babel.lists import format_list
from babel.numbers import format_currency
from babel.support import Translations

from app.bidi import harmless, isolated

TRANSLATIONS: Final = Path(__file__).parent / "translations"
DEFAULT: Final = "en"
LTR, RTL = "ltr", "rtl"
# Those that every template is written in; the texts in the code are the English ones.
LANGUAGES: Final = (DEFAULT, "de", "ar")


def msg(text: str) -> str:
    """The text itself, marked so that `make translations` finds it and translators get it."""
    return text


def msgs(one: str, many: str) -> tuple[str, str]:
    """The same of a text with a number: for one, and for more; other languages may have more forms than these two."""
    return one, many


def best_language(*wanted: str | None) -> str:
    """The language of `LANGUAGES` to write in for whoever wants these (BCP 47, best first): `de-AT` gets `de`."""
    # Lower case: of `DE-ch` Babel would answer `DE`, which is none of them.
    return negotiate_locale([(each or "").replace("-", "_").lower() for each in wanted], LANGUAGES) or DEFAULT


def translate(text: str, language: str) -> str:
    """A marked text in this language; in English where there is no translation."""
    # Of an empty text gettext gives the catalog's header.
    return _catalog(best_language(language)).gettext(text) if text else ""


def translate_number(texts: tuple[str, str], number: int, language: str) -> str:
    """The form of texts marked with `msgs` that goes with this number."""
    return _catalog(best_language(language)).ngettext(*texts, number)


def direction(language: str) -> str:
    """How the language is written: `LTR` or `RTL`, as HTML's `dir` has it."""
    return str(Locale.parse(best_language(language)).text_direction)


class Spoken(Protocol):
    """A value of a template that every language says in its own way."""

    def spoken(self, language: str) -> str:
        """How this language says it."""
        ...


Value = str | Spoken


def speak(value: Value, language: str) -> str:
    """A value as text: a text is the same in every language, but for what would turn the words around it."""
    return harmless(value) if isinstance(value, str) else value.spoken(language)


# What people call the states of a session and the roles at an event; the names in the code are for programs.
_WORDS: Final = {
    "pending": msg("pending"),
    "accepted": msg("accepted"),
    "confirmed": msg("confirmed"),
    "rejected": msg("rejected"),
    "canceled": msg("canceled"),
    "withdrawn": msg("withdrawn"),
    "owner": msg("owner"),
    "organizer": msg("organizer"),
    "coorganizer": msg("co-organizer"),
    "track_organizer": msg("track organizer"),
    "moderator": msg("moderator"),
}


@dataclass(frozen=True)
class Word:
    """A state or a role, by its name in the code; or a marked text."""

    text: str

    def spoken(self, language: str) -> str:
        """What it is called."""
        return translate(_WORDS.get(self.text, self.text), language)


@dataclass(frozen=True)
class Moment:
    """A time as the clocks of a place show it, with their difference from UTC."""

    time: datetime
    timezone: str

    def spoken(self, language: str) -> str:
        """For example `Friday, November 27, 2026, 10:00 AM (GMT+09:00)`."""
        locale, zone = _locale(language), ZoneInfo(self.timezone)
        local = self.time.astimezone(zone)
        return _at(local, format_time(local, "short", zone, locale), language)


@dataclass(frozen=True)
class Period:
    """From one time to another, as the clocks of a place show them; either may be open."""

    starts_at: datetime | None
    ends_at: datetime | None
    timezone: str

    def spoken(self, language: str) -> str:
        """For example `Friday, November 27, 2026, 10:00 AM to 10:30 AM`, with a dash for the "to"."""
        if self.starts_at is None:
            return translate(NO_TIME, language)
        if self.ends_at is None:
            return Moment(self.starts_at, self.timezone).spoken(language)
        locale, zone = _locale(language), ZoneInfo(self.timezone)
        begin, end = self.starts_at.astimezone(zone), self.ends_at.astimezone(zone)
        if begin.date() != end.date():
            parts = (Moment(each, self.timezone).spoken(language) for each in (begin, end))
            return _DASH.join(parts)
        clocks = _DASH.join(format_time(each, "short", zone, locale) for each in (begin, end))
        return _at(begin, clocks, language)


@dataclass(frozen=True)
class Month:
    """A month of a year; the day does not count."""

    day: date

    def spoken(self, language: str) -> str:
        """For example `October 2026`."""
        return format_skeleton("yMMMM", self.day, locale=_locale(language))


@dataclass(frozen=True)
class Money:
    """An amount in a currency (ISO 4217)."""

    amount: Decimal
    currency: str

    def spoken(self, language: str) -> str:
        """For example `€12.50`."""
        return format_currency(self.amount, self.currency, locale=_locale(language))


@dataclass(frozen=True)
class Listing:
    """Several values in a row; `empty` is said where there is none."""

    values: Sequence[Value]
    empty: str

    def spoken(self, language: str) -> str:
        """For example `A, B, and C`."""
        if not self.values:
            return translate(self.empty, language)
        return format_list([beside_text(value, language) for value in self.values], locale=_locale(language))


@dataclass(frozen=True)
class Labelled:
    """A name and, behind a dash, what is to be said of it."""

    name: str
    value: Value

    def spoken(self, language: str) -> str:
        """For example `Harbour Conference`, a dash, and a time, which has brackets of its own."""
        return f"{beside_text(self.name, language)}{_DASH}{speak(self.value, language)}"


def _at(day: datetime, clock: str, language: str) -> str:
    locale = _locale(language)
    return translate(_AT, language).format(
        day=format_date(day, "full", locale), clock=clock, offset=get_timezone_gmt(day, "long", locale)
    )


def beside_text(value: Value, language: str) -> str:
    """A value next to others or to words: its letters may run the other way."""
    shown = speak(value, language)
    return isolated(shown) if direction(language) == RTL else shown


_AT: Final = msg("{day}, {clock} ({offset})")
_DASH: Final = " \u2013 "
NO_TIME: Final = msg("no time yet")


@cache
def _catalog(language: str) -> NullTranslations:
    return Translations.load(TRANSLATIONS, [language])


@lru_cache(maxsize=256)
def _locale(language: str) -> Locale:
    """The person's own habits (`de-AT`), as long as Babel knows them and the texts are in that language too."""
    written = Locale.parse(best_language(language))
    try:
        wanted = Locale.parse(language.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return written
    return wanted if wanted.language == written.language else written
