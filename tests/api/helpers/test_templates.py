import inspect
from typing import Any

import pytest

from app.api.helpers import mail, notification
from app.api.helpers.placeholders import PLACEHOLDERS
from app.api.helpers.system_mails import MAIL_TEMPLATES, MAILS
from app.api.helpers.system_notifications import NOTIF_TEMPLATES, NOTIFS
from app.api.helpers.templates import (
    MASK,
    Compiled,
    TemplateError,
    compile_mail,
    compile_notification,
    html_to_text,
    render,
)

HOSTILE = [
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "{0.__class__}",
    "{event_name}",
    "{{event_name}}",
    "%(event_name)s %s",
    "שלום עולם",
    "🎉 party 👩‍💻",
    "&amp; & &lt;",
    "a\r\nBcc: victim@example.org",
    "\u2028line",
    "",
]
MAIL_CASES, NOTIF_CASES = (
    [
        pytest.param(action, compiled, id=f"{kind}: {action} ({language})")
        for action, languages in templates.items()
        for language, compiled in languages.items()
    ]
    for kind, templates in (("mail", MAIL_TEMPLATES), ("notif", NOTIF_TEMPLATES))
)


def test_every_entry_has_what_the_contract_names() -> None:
    assert all({"recipient", "trigger", "subject", "message"} <= entry.keys() for entry in MAILS.values())
    assert all({"recipient", "trigger", "title", "message"} == entry.keys() for entry in NOTIFS.values())


@pytest.mark.parametrize(("action", "compiled"), MAIL_CASES + NOTIF_CASES)
def test_a_template_renders_with_sample_values_and_leaves_no_brace(action: str, compiled: Compiled) -> None:
    rendered = render(compiled, {name: PLACEHOLDERS[name] for name in compiled.placeholders})
    assert rendered.line
    assert rendered.html
    assert rendered.text
    assert not any(brace in part for part in (rendered.line, rendered.html, rendered.text) for brace in "{}")


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("action", "compiled"), MAIL_CASES + NOTIF_CASES)
def test_a_hostile_value_arrives_as_text(action: str, compiled: Compiled, value: str) -> None:
    rendered = render(compiled, dict.fromkeys(compiled.placeholders, value))
    assert "<script" not in rendered.html
    assert "<img" not in rendered.html
    assert not any(end in rendered.line for end in "\r\n\u2028")
    if compiled.line.placeholders and value.isprintable() and value:
        assert value in rendered.line


@pytest.mark.parametrize(("action", "compiled"), MAIL_CASES + NOTIF_CASES)
def test_a_missing_and_an_extra_value_are_refused(action: str, compiled: Compiled) -> None:
    values = dict.fromkeys(compiled.placeholders, "x")
    with pytest.raises(TemplateError, match="without a placeholder"):
        render(compiled, {**values, "colour": "red"})
    for name in compiled.placeholders:
        with pytest.raises(TemplateError, match=name):
            render(compiled, {key: value for key, value in values.items() if key != name})


@pytest.mark.parametrize(
    "message",
    ["{event_nam}", "{0}", "{}", "{event_name.__class__}", "{event_name[0]}", "{event_name!r}", "{event_name:>9}", "{"],
)
def test_a_wrong_placeholder_fails_where_the_template_is_declared(message: str) -> None:
    with pytest.raises(TemplateError, match="My Action"):
        compile_notification("My Action", {"recipient": "User", "trigger": "", "title": "A title", "message": message})
    with pytest.raises(TemplateError, match="My Action"):
        compile_mail("My Action", {"recipient": "User", "trigger": "", "subject": message, "message": "<p>Hello</p>"})


def test_a_secret_must_not_stand_in_the_subject() -> None:
    with pytest.raises(TemplateError, match="only there"):
        compile_mail(
            "My Action",
            {
                "recipient": "User",
                "trigger": "",
                "subject": "{link}",
                "message": "<a href='{link}'>x</a>",
                "secret": "link",
            },
        )


def test_a_secret_is_masked_in_what_is_stored() -> None:
    rendered = render(
        MAIL_TEMPLATES["User Confirmation"]["en"], {"email": "a@example.org", "link": "https://x/?token=s3cret"}
    )
    assert "s3cret" not in rendered.html + rendered.text + rendered.line
    assert MASK in rendered.html
    assert MASK in rendered.text
    assert rendered.secret == "https://x/?token=s3cret"


def test_the_text_part_shows_where_a_link_goes() -> None:
    shown = html_to_text("<p>See <a href='https://example.org/a'>the page</a>.</p>")
    assert shown == "See the page <https://example.org/a>."
    assert html_to_text("<a href='https://example.org/'>https://example.org/</a>") == "https://example.org/"
    assert html_to_text("") == ""


@pytest.mark.parametrize("module", [mail, notification])
def test_every_helper_is_a_plain_function_with_a_docstring(module: Any) -> None:
    helpers = [
        function for name, function in inspect.getmembers(module, inspect.isfunction) if name.startswith("send_")
    ]
    assert len(helpers) >= 5
    assert all(function.__doc__ for function in helpers)
