"""Every text is there in every language, with the same tags and placeholders; what is compiled is what is written."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from app.language import DEFAULT, LANGUAGES, RTL, TRANSLATIONS, direction

ROOT = Path(__file__).resolve().parents[1]
MEND = "run `make translations`, see docs/languages.md"
OTHERS = [language for language in LANGUAGES if language != DEFAULT]
ISOLATES = "\u2066\u2067\u2068\u2069\u202a\u202b\u202c\u202d\u202e"


def catalog(path: Path, language: str | None = None) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language)


def written(language: str) -> Catalog:
    return catalog(TRANSLATIONS / language / "LC_MESSAGES" / "messages.po", language)


def texts(of: Catalog) -> set[str]:
    return {str(message.id) for message in of if message.id}


def forms(text: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """The forms of a text with a number; of another the text itself."""
    return (text,) if isinstance(text, str) else tuple(text)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *(f"{name}={value}" for name, value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append((f"/{tag}",))


PAIRS = [
    pytest.param(language, forms(message.id)[-1], form, id=f"{language}: {form}")
    for language in OTHERS
    for message in written(language)
    if message.id
    for form in forms(message.string)
]


@pytest.fixture(scope="module")
def in_the_code(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    found = tmp_path_factory.mktemp("translations") / "messages.pot"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        CommandLineInterface().run(
            ["pybabel", "-q", "extract", "-F", "babel.cfg", "-k", "msg", "-k", "msgs:1,2", "-o", str(found), "app"]
        )
    return texts(catalog(found))


def test_the_collected_texts_are_those_of_the_code(in_the_code: set[str]) -> None:
    assert texts(catalog(TRANSLATIONS / "messages.pot")) == in_the_code, MEND


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_nothing_else_is(language: str, in_the_code: set[str]) -> None:
    messages = [message for message in written(language) if message.id]
    assert texts(written(language)) == in_the_code, MEND
    assert [message.id for message in messages if message.fuzzy or not all(forms(message.string))] == []


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    compiled = BytesIO()
    write_mo(compiled, written(language))
    assert (TRANSLATIONS / language / "LC_MESSAGES" / "messages.mo").read_bytes() == compiled.getvalue(), MEND


def test_every_language_has_its_folder_and_no_other_is_there() -> None:
    assert sorted(path.name for path in TRANSLATIONS.iterdir() if path.is_dir()) == sorted(OTHERS)


@pytest.mark.parametrize(("language", "text", "translation"), PAIRS)
def test_a_translation_keeps_tags_attributes_and_placeholders(language: str, text: str, translation: str) -> None:
    own, others = ([tag for tag in Tags(each).seen if tag[0].strip("/") != "bdi"] for each in (text, translation))
    assert own == others
    fields = [sorted(set(re.findall(r"\{\w+\}|%\(\w+\)[sd]", each))) for each in (text, translation)]
    assert fields[0] == fields[1]


@pytest.mark.parametrize(("language", "text", "translation"), PAIRS)
def test_a_translation_is_text_of_its_language(language: str, text: str, translation: str) -> None:
    assert translation == translation.strip()
    assert not any(character in translation for character in ISOLATES), "values are isolated by app/bidi.py"
    # The names of settings, such as frontend-url, are the same everywhere.
    words = re.sub(r"<[^>]*>|\{\w+\}|%\(\w+\)[sd]|[a-z]+-[a-z]+", "", translation)
    foreign = re.findall("[a-zA-Z]+" if direction(language) == RTL else "[\u0590-\u08ff]+", words)
    assert foreign == []
