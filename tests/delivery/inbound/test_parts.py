"""A message cut into parts: what is found, and how far is looked."""

from __future__ import annotations

import pytest

from app.delivery.inbound.parts import fields, read, walk

LEAF = b"Content-Type: text/plain\n\nhere\n"


def _wrapped(inner: bytes, levels: int) -> bytes:
    for level in range(levels):
        boundary = b"b%d" % level
        inner = b"Content-Type: multipart/mixed; boundary=%b\n\n--%b\n%b\n--%b--\n" % (
            boundary,
            boundary,
            inner,
            boundary,
        )
    return inner


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_a_part_is_found_within_a_few_others(levels: int) -> None:
    assert [part.text().strip() for part in walk(read(_wrapped(LEAF, levels)))] == ["here"]


def test_deeper_than_any_gateway_wraps_a_report_nothing_is_looked_for() -> None:
    (found,) = walk(read(_wrapped(LEAF, 4)))
    assert found.content_type == "multipart/mixed"


def test_no_more_than_fifty_parts_are_looked_at() -> None:
    many = b"".join(b"--b\n\n%d\n" % number for number in range(40))
    both = b"Content-Type: multipart/mixed; boundary=b\n\n" + many
    raw = b"Content-Type: multipart/mixed; boundary=a\n\n" + b"".join(b"--a\n" + both for _ in range(3))
    assert 40 < len(list(walk(read(raw)))) < 50


def test_the_text_around_the_parts_is_none_of_them() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\nbefore\n--b\n\none\n--b \t\n\ntwo\n--b--\nafter\n--b\n\nthree\n"
    )
    assert [part.text() for part in walk(read(raw))] == ["one", "two"]


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        ("multipart/mixed; boundary=abc", "abc"),
        ('multipart/mixed; boundary="a b;c"', "a b;c"),
        ("multipart/mixed; Boundary = abc ; x=y", "abc"),
        ('multipart/mixed; x="; boundary=no"; boundary=yes', "yes"),
        ("multipart/mixed;\n\tboundary=abc", "abc"),
        ("multipart/mixed", ""),
        ("multipart/mixed; boundary", ""),
    ],
)
def test_a_parameter_is_read_however_it_is_written(value: str, boundary: str) -> None:
    assert read(f"Content-Type: {value}\n\n".encode()).parameter("boundary") == boundary


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (b"", "é"),
        (b"Content-Type: text/plain; charset=utf-8\n", "é"),
        (b"Content-Type: text/plain; charset=iso-8859-1\n", "Ã©"),
        (b"Content-Type: text/plain; charset=unknown\n", "é"),
        (b"Content-Transfer-Encoding: base64\n", "é"),
        (b"Content-Transfer-Encoding: x-odd\n", "é"),
    ],
)
def test_a_text_is_read_in_its_charset_or_else_in_utf_8(headers: bytes, text: str) -> None:
    body = b"w6k=" if b"base64" in headers else "é".encode()
    assert read(b"X: y\n" + headers + b"\n" + body).text() == text


def test_quoted_printable_is_read() -> None:
    assert (
        read(b"Content-Transfer-Encoding: Quoted-Printable\n\nStatus: 5.1.=\n1 =C3=A9\n").text() == "Status: 5.1.1 é\n"
    )


def test_fields_are_unfolded_and_what_is_no_field_is_passed_over() -> None:
    found = fields("Status : 5.1.1\nno field\nDiagnostic-Code: smtp;\n 550\n\tunknown\nStatus: 4.0.0\n: x\nä: y\n")
    assert found == {"status": ["5.1.1", "4.0.0"], "diagnostic-code": ["smtp; 550 unknown"]}
