"""HTML of other people, as it is kept."""

from __future__ import annotations

import pytest

from app.api.helpers.sanitising import clean_html


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<p>Doors <b>open</b> at <em>ten</em></p>", "<p>Doors <b>open</b> at <em>ten</em></p>"),
        ("<script>alert(1)</script>Hello", "Hello"),
        ('<p onclick="x()" style="position:fixed" class="x">Hello</p>', "<p>Hello</p>"),
        ('<img src="https://track.example.org/1.png">Hello', "Hello"),
        ("<style>p {display: none}</style><p>Hello", "<p>Hello</p>"),
        ("<ul><li>one<li>two</ul>", "<ul><li>one</li><li>two</li></ul>"),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        ("<!-- hidden -->Hello", "Hello"),
    ],
)
def test_what_is_not_on_the_list_goes_and_the_text_stays(given: str, kept: str) -> None:
    assert clean_html(given) == kept
    assert clean_html(kept) == kept


@pytest.mark.parametrize(
    ("address", "is_kept"),
    [
        ("https://example.org/a?b=1", True),
        ("mailto:ana@example.org", True),
        ("javascript:alert(1)", False),
        ("JaVa\tScript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.org/a", False),
        ("/events/1", False),
        ("#top", False),
        ("HTTPS://example.org", True),
    ],
)
def test_a_link_leads_to_the_web_or_to_an_address(address: str, is_kept: bool) -> None:
    kept = clean_html(f'<a href="{address}" target="_blank">here</a>')
    assert ("href" in kept) is is_kept
    assert kept.endswith('rel="noopener noreferrer">here</a>')
