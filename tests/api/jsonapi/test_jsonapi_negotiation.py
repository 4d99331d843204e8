"""Media types: what may be sent, and what must be accepted (JSON:API 1.1, "Content Negotiation")."""

from __future__ import annotations

import pytest
from test_jsonapi_writes import resource
from toybox import MEDIA_TYPE, Toys

from app.api.jsonapi.negotiation import accepts

PROFILE = 'profile="https://example.org/a,b"'


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (MEDIA_TYPE, 200),
        ("Application/VND.api+json", 200),
        (f"{MEDIA_TYPE}; {PROFILE}", 200),
        ("application/json", 415),
        ("text/plain", 415),
        ("multipart/form-data", 415),
        ("", 415),
        (f"{MEDIA_TYPE}; charset=utf-8", 415),
        (f'{MEDIA_TYPE}; ext="https://example.org/x"', 415),
        (f'{MEDIA_TYPE}; {PROFILE}; ext="https://example.org/x"', 415),
    ],
)
def test_a_write_is_of_our_media_type(toys: Toys, content_type: str, status: int) -> None:
    toys.gathering()
    toys.talk(1)
    answer = toys.send("PATCH", "/talks/1", json=resource("talk", 1), headers={"Content-Type": content_type})
    assert answer.status_code == status
    if status == 415:
        assert answer.json["errors"][0]["source"] == {"header": "Content-Type"}


def test_a_write_without_a_media_type_is_refused_and_a_deletion_without_a_body_is_not(toys: Toys) -> None:
    toys.gathering()
    toys.talk(1)
    assert toys.client.patch("/toy/talks/1", data=b"{}").status_code == 415
    assert toys.client.delete("/toy/talks/1/relationships/speakers", data=b"{}").status_code == 415
    assert toys.client.delete("/toy/talks/1").status_code == 204


@pytest.mark.parametrize(
    ("header", "fine"),
    [
        ("", True),
        ("*/*", True),
        ("application/*", True),
        (MEDIA_TYPE, True),
        ("Application/Vnd.Api+Json", True),
        (f"{MEDIA_TYPE};q=0.1", True),
        (f"text/html, {MEDIA_TYPE};q=0.5, */*;q=0", True),
        (f"{MEDIA_TYPE};{PROFILE}", True),
        (f"{MEDIA_TYPE};{PROFILE}, text/html", True),
        (f"{MEDIA_TYPE};version=2, {MEDIA_TYPE}", True),
        (f"{MEDIA_TYPE};version=2, */*", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("text/html", False),
        ("application/json", False),
        ("text/*", False),
        ("*/*;q=0", False),
        (f"{MEDIA_TYPE};q=0", False),
        (f"{MEDIA_TYPE};q=0.000, */*", False),
        ("application/*;q=0, */*", False),
        (f"{MEDIA_TYPE};q=high", False),
        (f"{MEDIA_TYPE};charset=utf-8", False),
        (f'{MEDIA_TYPE};ext="https://example.org/x"', False),
        (f'{MEDIA_TYPE};{PROFILE};ext="https://example.org/x"', False),
    ],
)
def test_an_accept_header_allows_or_excludes_json_api(toys: Toys, header: str, fine: bool) -> None:
    assert accepts(header) is fine
    answer = toys.get("/talks", headers={"Accept": header})
    assert answer.status_code == (200 if fine else 406)
    assert answer.headers["Content-Type"] == MEDIA_TYPE


def test_plain_routes_take_any_accept_header(toys: Toys) -> None:
    assert toys.client.post("/echo", json={}, headers={"Accept": "text/html"}).status_code == 200
