"""Templates of notifications and mails: checked where they are declared, rendered without surprises.

A template is text with placeholders in braces: `{event_name}`. Nothing else may stand in the braces (no attribute,
index, conversion or format), and a value is put in once: braces in a *value* are text. `{{` and `}}` are braces.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NotRequired, TypedDict

import css_inline
from inscriptis import Inscriptis
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from lxml.html import fragment_fromstring

from app.api.helpers.placeholders import PLACEHOLDERS
from app.bidi import ISOLATE, POP, isolate_placeholders, isolate_placeholders_in_html
from app.language import DEFAULT, RTL, Value, direction, speak, translate

MASK = "********"

# C0 and C1 controls and the two Unicode line ends: none may reach a header or a title.
_NOT_IN_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class TemplateError(ValueError):
    """A template that cannot be rendered; the message names the action and what is wrong."""


class NotifTemplate(TypedDict):
    """What `NOTIFS` holds for an action: who is told of what (for people to read), a line of text, and HTML."""

    recipient: str
    trigger: str
    title: str
    message: str


class MailTemplate(TypedDict):
    """What `MAILS` holds for an action.

    `secret` names the placeholder that only its recipient may read; a `critical` mail cannot be switched off; a `bulk`
    one goes to many, and lets those pass that somebody waits for.
    """

    recipient: str
    trigger: str
    subject: str
    message: str
    secret: NotRequired[str]
    critical: NotRequired[bool]
    bulk: NotRequired[bool]


@dataclass(frozen=True)
class Template:
    """A parsed template: literal texts, each followed by the name of the value to put in (or None)."""

    parts: tuple[tuple[str, str | None], ...]

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of the values that the template needs."""
        return frozenset(name for _, name in self.parts if name)

    def render(self, values: Mapping[str, str], prepare: Callable[[str], str]) -> str:
        """Put in the values, each through `prepare`.

        Raises:
            KeyError: a value is missing.
        """
        return "".join(literal + (prepare(values[name]) if name else "") for literal, name in self.parts)


@dataclass(frozen=True)
class Compiled:
    """A template ready to render: one line (title or subject), HTML, and the same as plain text."""

    line: Template
    html: Template
    text: Template
    secret: str | None = None

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of all the values that are needed."""
        return self.line.placeholders | self.html.placeholders


@dataclass(frozen=True)
class Rendered:
    """What came of a template: `line` is free of control characters, `html` has its values escaped.

    Where the template has a secret, `html` and `text` show `MASK` in its place, and `secret` is the value.
    """

    line: str
    html: str
    text: str
    secret: str | None = None


def parse(source: str, where: str) -> Template:
    """Parse a template.

    Raises:
        TemplateError: a brace stands alone, or something else than a known placeholder's name stands in braces.
    """
    parts: list[tuple[str, str | None]] = []
    try:
        fields = list(string.Formatter().parse(source))
    except ValueError as error:
        raise TemplateError(f"{where}: {error}.") from error
    for literal, name, spec, conversion in fields:
        if name is not None and (spec or conversion or name not in PLACEHOLDERS):
            raise TemplateError(
                f"{where}: {{{name}}} is not a placeholder; known ones are in app/api/helpers/placeholders.py."
            )
        parts.append((literal, name))
    return Template(tuple(parts))


def compile_notification(action: str, entry: NotifTemplate, language: str = DEFAULT) -> Compiled:
    """Make the template of a notification ready, in one language.

    Raises:
        TemplateError: see `parse`; or the translation has other placeholders than the English text.
    """
    title = _line(entry["title"], language, f"{action}, title")
    message = _message(entry["message"], language, f"{action}, message")
    return Compiled(
        line=parse(title, f"{action}, title"),
        html=parse(message, f"{action}, message"),
        text=parse(html_to_text(message), f"{action}, plain text"),
    )


def compile_mail(action: str, entry: MailTemplate, language: str = DEFAULT) -> Compiled:
    """Make the template of a mail ready, in one language: styles inlined, the plain text derived, placeholders checked.

    Raises:
        TemplateError: see `parse`; or the translation has other placeholders than the English text; or a placeholder
            stands where a mail cannot show it; or the secret is not one of the message, or stands in the subject.
    """
    subject = _line(entry["subject"], language, f"{action}, subject")
    message, secret = _message(entry["message"], language, f"{action}, message"), entry.get("secret")
    compiled = Compiled(
        line=parse(subject, f"{action}, subject"),
        html=parse(style(message), f"{action}, message"),
        text=parse(html_to_text(message), f"{action}, plain text"),
        secret=secret,
    )
    declared = parse(message, action).placeholders
    lost = (declared ^ compiled.html.placeholders) | (declared ^ compiled.text.placeholders)
    if lost:
        raise TemplateError(f"{action}: {', '.join(sorted(lost))} stands where a mail cannot show it.")
    if secret and (secret not in declared or secret in compiled.line.placeholders):
        raise TemplateError(f"{action}: the secret {secret!r} must stand in the message, and only there.")
    return compiled


def _line(source: str, language: str, where: str) -> str:
    translation = _translated(source, language, where)
    return isolate_placeholders(translation) if direction(language) == RTL else translation


def _message(source: str, language: str, where: str) -> str:
    translation = _translated(source, language, where)
    return isolate_placeholders_in_html(translation) if direction(language) == RTL else translation


def _translated(source: str, language: str, where: str) -> str:
    translation = translate(source, language)
    if parse(translation, f"{where} ({language})").placeholders != parse(source, where).placeholders:
        raise TemplateError(f"{where}: the translation into {language} has other placeholders than the text.")
    return translation


def render(compiled: Compiled, values: Mapping[str, Value], language: str = DEFAULT) -> Rendered:
    """Render a template with exactly the values that it needs, each as `language` says it.

    Raises:
        TemplateError: a value is missing, or one is given that the template does not have.
    """
    if values.keys() != compiled.placeholders:
        missing, extra = compiled.placeholders - values.keys(), values.keys() - compiled.placeholders
        raise TemplateError(f"missing values: {sorted(missing)}; values without a placeholder: {sorted(extra)}.")
    shown = {name: speak(value, language) for name, value in values.items()}
    secret = shown[compiled.secret] if compiled.secret else None
    if compiled.secret:
        shown[compiled.secret] = MASK
    return Rendered(
        line=one_line(compiled.line.render(shown, str)),
        html=compiled.html.render(shown, escape),
        text=compiled.text.render(shown, one_line),
        secret=secret,
    )


def escape(value: str) -> str:
    """A value as HTML text, safe in an element and in a quoted attribute."""
    return html.escape(value, quote=True)


def one_line(value: str) -> str:
    """A value without line breaks and control characters: it cannot add a header or a line."""
    return _NOT_IN_A_LINE.sub(" ", value).strip()


def html_to_text(source: str) -> str:
    """The plain-text part of a message; a link's address stands behind it in angle brackets (RFC 3986, appendix C)."""
    tree = fragment_fromstring(source or " ", create_parent="div")
    for anchor in tree.iter("a"):
        address = anchor.get("href")
        if address and address != anchor.text_content():
            anchor.tail = f" <{address}>{anchor.tail or ''}"
    for isolate in tree.iter("bdi"):
        isolate.text = f"{ISOLATE}{isolate.text or ''}"
        isolate.tail = f"{POP}{isolate.tail or ''}"
    text: str = Inscriptis(tree, ParserConfig(css=CSS_PROFILES["strict"])).get_text()
    return text.strip()


def style(message: str) -> str:
    """The message with the style sheet of mails written into its elements: mail programs ignore style sheets."""
    return css_inline.inline_fragment(f"<div>{message}</div>", _stylesheet())


@cache
def _stylesheet() -> str:
    return resources.files("app").joinpath("templates/mail/fragment.css").read_text(encoding="utf-8")
