"""The message itself: any text survives it, and marrow's missing modules leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from transport_contract import envelope

from app.delivery.transports.mime import build
from tests.servers.smtp import parse

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS), min_size=1).map(str.strip)
BODIES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
TEXTS = st.lists(st.one_of(BODIES, st.sampled_from([".", "..", "From x", "=3D", " ", "\t", "--=_part_0", "x" * 999])))


@given(subject=LINES.filter(bool))
@settings(deadline=None, max_examples=200)
def test_any_subject_survives(subject: str) -> None:
    content = bytes(build(envelope(subject=subject)))
    assert parse(content)["Subject"] == subject
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


@given(lines=TEXTS)
@settings(deadline=None, max_examples=200)
def test_any_body_survives(lines: list[str]) -> None:
    text = "\n".join(lines).replace("\r\n", "\n").replace("\r", "\n") + "\n"
    content = bytes(build(envelope(text=text, html=text)))
    message = parse(content)
    plain, html = message.iter_parts()
    assert isinstance(plain.get_payload(decode=True), bytes)
    for part in (plain, html):
        assert part.get_payload(decode=True).decode().replace("\r\n", "\n") == text
    assert content.count(b"\n") == content.count(b"\r\n")
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


def test_an_empty_subject_and_an_empty_body_are_sent_too() -> None:
    message = parse(bytes(build(envelope(subject="", text="", html=""))))
    assert message["Subject"] == "(no subject)"
    assert message.get_content_type() == "text/plain"


def test_importing_marrow_warns_nobody_and_leaves_no_stand_in_behind() -> None:
    code = (
        "import sys; import app.delivery.transports.mime\n"
        "assert all(getattr(sys.modules.get(name), '__spec__', True) for name in ('cgi', 'imghdr', 'pkg_resources'))\n"
    )
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=root, check=True)
