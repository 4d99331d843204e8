import ast
import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from sqlalchemy import select

from app.api.helpers import notification as notification_helpers
from app.api.helpers import system_notifications
from app.api.helpers.templates import compile_notification
from app.api.jsonapi.table import routes_of
from app.language import LANGUAGES, msg
from app.models import Mail, Notification, Session, db
from app.models import notification as notification_models
from tests.conftest import People

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
API = (ROOT / "docs/api.md").read_text(encoding="utf-8")
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^( *)```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
VARIABLE_ROW = re.compile(r"^\| `([A-Z][A-Z_]+)` \|", re.MULTILINE)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """The fragments that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_given_env(call: ast.Call) -> bool:
    return ast.unparse(call.func) == "env.get" or "env" in {ast.unparse(argument) for argument in call.args}


def variables_read_by_the_code() -> set[str]:
    """Every constant that config.py looks up in `env`: by index, by `env.get`, or by a function that is given `env`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "config.py").read_text(encoding="utf-8"))):
        texts: list[ast.expr] = []
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "env":
            texts = [node.slice]
        elif isinstance(node, ast.Call) and is_given_env(node):
            texts = list(node.args)
        found |= {text.value for text in texts if isinstance(text, ast.Constant) and str(text.value).isupper()}
    return found


def python_blocks() -> list[str]:
    return [textwrap.dedent(match[2]) for match in CODE.finditer(README)]


def block(beginning: str) -> str:
    (found,) = [code for code in python_blocks() if beginning in code]
    return found


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    for path in DOCUMENTS:
        named = re.findall(r"(?:^|`)make ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= targets, relative(path)
    assert {"demo", "test"} <= set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))


def test_every_variable_of_the_environment_is_documented_and_the_other_way_round() -> None:
    by_config, _, by_commands = CONFIGURATION.partition("\nTwo more are read by single commands")
    read = variables_read_by_the_code()
    assert len(read) >= 10
    assert set(VARIABLE_ROW.findall(by_config)) == read
    for name in VARIABLE_ROW.findall(by_commands):
        sources = [*(ROOT / "app/commands").glob("*.py"), ROOT / "Makefile"]
        assert any(name in source.read_text(encoding="utf-8") for source in sources), name


def test_every_setting_is_documented() -> None:
    from app.api.schema.admin import MessageSettingSchema, SettingSchema  # noqa: PLC0415 - needs the models first

    for schema in (SettingSchema, MessageSettingSchema):
        for name in schema._declared_fields:  # noqa: SLF001 - marshmallow's only way to list them without an instance
            if name != "id":
                assert f"`{name.replace('_', '-')}`" in CONFIGURATION or name == "action", name


def test_every_route_is_documented(app: Flask) -> None:
    documented = set(re.findall(r"/[a-z0-9/<>_-]+", API))
    endpoints = routes_of(app)
    for rule in app.url_map.iter_rules():
        if rule.endpoint in endpoints:
            path = re.sub(r"<(?:int:)?[a-z_]*id>", "<id>", rule.rule)
            assert path in documented | {"/v1/settings/<id>"}, rule.rule


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_link_between_documents_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, fragment = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), f"{relative(path)} links to {target}"
        assert ROOT in there.parents
        if fragment:
            assert fragment in anchors(there), f"{relative(path)} links to {target}"


@pytest.mark.parametrize("path", DECISIONS, ids=relative)
def test_a_decision_has_its_headings_its_number_and_a_place_in_the_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences"]
    number = int(path.name[:4])
    assert text.startswith(f"# {number}. ")
    assert DECISIONS.index(path) == number - 1
    assert f"({path.name})" in (path.parent / "README.md").read_text(encoding="utf-8")


def test_no_file_that_is_handed_out_names_a_package_index() -> None:
    others = (
        "Makefile",
        "Dockerfile",
        "docker-compose.yml",
        "requirements.txt",
        "requirements-dev.txt",
        "pyproject.toml",
    )
    for path in [*DOCUMENTS, *(ROOT / name for name in others)]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|/simple/|pypi\.org", text), relative(
            path
        )


def test_the_changelog_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_licence_is_the_one_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_picture_is_sound_and_describes_itself() -> None:
    # Our own file, not a stranger's.
    tree = ET.parse(ROOT / "docs/one-message.svg").getroot()  # noqa: S314
    names = [element.tag.rpartition("}")[2] for element in tree.iter()]
    assert {"title", "desc"} <= set(names)
    assert "script" not in names
    assert "docs/one-message.svg" in README


def test_the_helpers_work_as_the_readme_shows_them(people: People) -> None:
    owner, room_user = people.user(), people.user()
    session = Session(title="Mail that arrives", event=people.event(owner))
    db.session.add(session)
    names: dict[str, Any] = {}
    for beginning in ("def tell_organizers", "def tell_of_room"):
        exec(block(beginning), names)  # noqa: S102 - the README's own code is what is tested
    names["tell_organizers"](session)
    names["tell_of_room"](room_user, "<b>Hall 1</b>")
    db.session.commit()
    told = {(row.user_id, row.title) for row in db.session.scalars(select(Notification))}
    assert told == {
        (owner.id, "New session proposal for Harbour Conference"),
        (room_user.id, "Your session has another room"),
    }
    mails = {mail.recipient: mail for mail in db.session.scalars(select(Mail))}
    assert mails.keys() == {owner.email, room_user.email}
    assert "&lt;b&gt;Hall 1" in mails[room_user.email].message
    assert mails[room_user.email].reply_to == ["team@example.org"]


def test_many_are_told_once_as_the_readme_shows_it(people: People) -> None:
    event, told = people.event(people.user()), [people.user(), people.user()]
    names: dict[str, Any] = {}
    exec(block("def announce"), names)  # noqa: S102 - as above
    for _ in range(2):
        assert names["announce"](event, told, "https://events.example.org/e/harbour1") == len(told)
        db.session.commit()
    mails = db.session.scalars(select(Mail)).all()
    assert {mail.recipient for mail in mails} == {user.email for user in told}
    assert len(mails) == len(told)


def test_mail_is_sent_as_the_page_on_sending_shows_it(people: People) -> None:
    owner = people.user("owner@example.org")
    event = people.event(owner)
    names: dict[str, Any] = {}
    [code] = [match[2] for match in CODE.finditer((ROOT / "docs/sending.md").read_text(encoding="utf-8"))]
    exec(code, names)  # noqa: S102 - the page's own code is what is tested
    for _ in range(2):
        ids = names["announce"](event, ["ana@example.org", "ben@example.org"], "https://example.org/e")
        names["send_invoice"](owner, "2026-7", b"%PDF-1.7")
        db.session.commit()
    *announced, invoice = db.session.scalars(select(Mail).order_by(Mail.id))
    assert [mail.id for mail in announced] == ids
    assert {mail.batch.description for mail in announced if mail.batch} == {"Harbour Conference is published"}
    assert [[file.name for file in mail.attachments] for mail in announced] == [["event.ics"]] * 2
    assert (invoice.status, [file.name for file in invoice.attachments]) == ("scheduled", ["2026-7.pdf"])


def test_an_action_is_added_as_the_readme_shows_it(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {**vars(notification_models), **vars(notification_helpers), "People": People}
    names |= {"db": db, "msg": msg, "select": select, "Notification": Notification}
    exec(block("VENUE_CHANGE: Final"), names)  # noqa: S102 - as above
    entry = eval("{" + block("in NOTIFS") + "}", names)  # noqa: S307 - as above
    for action, texts in entry.items():
        compiled = {language: compile_notification(action, texts, language) for language in LANGUAGES}
        monkeypatch.setitem(system_notifications.NOTIF_TEMPLATES, action, compiled)
    exec(block("def send_notif_venue_change"), names)  # noqa: S102 - as above
    exec(block("def test_an_organizer_is_told"), names)  # noqa: S102 - as above
    names["test_an_organizer_is_told_that_the_event_has_moved"](people)


def test_every_block_of_python_in_the_documents_is_python() -> None:
    for path in DOCUMENTS:
        for match in CODE.finditer(path.read_text(encoding="utf-8")):
            code = textwrap.dedent(match[2])
            compile("{" + code + "}" if "in NOTIFS" in code else code, relative(path), "exec")
