import pytest

from app.api.helpers import templates
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
from tests.support.hostile import HOSTILE, assert_one_line, tags

MAIL_CASES, NOTIF_CASES = (
    [
        pytest.param(language, compiled, id=f"{kind}: {action} ({language})")
        for action, languages in templates.items()
        for language, compiled in languages.items()
    ]
    for kind, templates in (("mail", MAIL_TEMPLATES), ("notif", NOTIF_TEMPLATES))
)


def test_every_entry_has_what_the_contract_names() -> None:
    assert all({"recipient", "trigger", "subject", "message"} <= entry.keys() for entry in MAILS.values())
    assert all({"recipient", "trigger", "title", "message"} == entry.keys() for entry in NOTIFS.values())


@pytest.mark.parametrize(("language", "compiled"), MAIL_CASES + NOTIF_CASES)
def test_a_template_renders_with_sample_values_and_leaves_no_brace(language: str, compiled: Compiled) -> None:
    rendered = render(compiled, {name: PLACEHOLDERS[name] for name in compiled.placeholders}, language)
    assert rendered.line
    assert rendered.html
    assert rendered.text
    assert not any(brace in part for part in (rendered.line, rendered.html, rendered.text) for brace in "{}")


@pytest.mark.parametrize(("language", "compiled"), MAIL_CASES + NOTIF_CASES)
def test_a_hostile_value_arrives_as_text(language: str, compiled: Compiled) -> None:
    usual = render(compiled, dict.fromkeys(compiled.placeholders, "x"), language)
    for value in HOSTILE:
        rendered = render(compiled, dict.fromkeys(compiled.placeholders, value), language)
        assert tags(rendered.html) == tags(usual.html)
        assert_one_line(rendered.line)
        if compiled.line.placeholders and value.isprintable() and value:
            assert value in rendered.line


@pytest.mark.parametrize(("language", "compiled"), MAIL_CASES + NOTIF_CASES)
def test_a_missing_and_an_extra_value_are_refused(language: str, compiled: Compiled) -> None:
    values = dict.fromkeys(compiled.placeholders, "x")
    with pytest.raises(TemplateError, match="without a placeholder"):
        render(compiled, {**values, "colour": "red"}, language)
    for name in compiled.placeholders:
        with pytest.raises(TemplateError, match=name):
            render(compiled, {key: value for key, value in values.items() if key != name}, language)


@pytest.mark.parametrize(
    "message",
    ["{event_nam}", "{0}", "{}", "{event_name.__class__}", "{event_name[0]}", "{event_name!r}", "{event_name:>9}", "{"],
)
def test_a_wrong_placeholder_fails_where_the_template_is_declared(message: str) -> None:
    with pytest.raises(TemplateError, match="My Action"):
        compile_notification("My Action", {"recipient": "User", "trigger": "", "title": "A title", "message": message})
    with pytest.raises(TemplateError, match="My Action"):
        compile_mail("My Action", {"recipient": "User", "trigger": "", "subject": message, "message": "<p>Hello</p>"})


@pytest.mark.parametrize("translation", ["Nichts", "{event_name} {link}", "{event_name.x}", "{event}"])
def test_a_translation_with_other_placeholders_fails_where_the_template_is_declared(
    monkeypatch: pytest.MonkeyPatch, translation: str
) -> None:
    monkeypatch.setattr(templates, "translate", lambda _text, _language: translation)
    entry = NOTIFS["Event Published"]
    with pytest.raises(TemplateError, match="Event Published"):
        compile_notification("Event Published", entry, "de")
    with pytest.raises(TemplateError, match="Event Published"):
        compile_mail("Event Published", MAILS["Event Published"], "de")


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


def test_a_value_in_a_text_that_runs_from_right_to_left_is_isolated_everywhere() -> None:
    rendered = render(NOTIF_TEMPLATES["Event Published"]["ar"], {"event_name": "C++ Days (2)", "link": "x"}, "ar")
    assert "\u2068C++ Days (2)\u2069" in rendered.line
    assert "<strong><bdi>C++ Days (2)</bdi></strong>" in rendered.html
    assert "\u2068C++ Days (2)\u2069" in rendered.text
    assert "<a href='x'>" in rendered.html


def test_the_plain_text_of_a_mail_that_runs_from_right_to_left_keeps_its_order() -> None:
    values = {"email": "ana@example.org", "link": "https://x/?token=s3cret"}
    rendered = render(MAIL_TEMPLATES["User Confirmation"]["ar"], values, "ar")
    first, second, third, _fourth = rendered.text.split("\n\n")
    assert first == "مرحبًا \u2068ana@example.org\u2069،"
    assert second == "يُرجى تأكيد أن هذا العنوان يخصّك."
    assert third == f"تأكيد العنوان <{MASK}>"
