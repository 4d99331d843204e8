"""What is an address: the quick check says what the thorough one says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.api.helpers.addresses import AddressError, _checked, check_address

LOCAL = st.text("abzAZ019_+-.!'\"@ü ", max_size=70)
LABEL = st.text("abzAZ019-_ü", min_size=1, max_size=8)
USUAL = st.sampled_from(["example.org", "EXAMPLE.ORG", "[127.0.0.1]", "a" * 64 + ".org"])
DOMAIN = st.lists(LABEL, max_size=4).map(".".join) | USUAL


def said(check: Any, value: Any) -> str:
    try:
        return str(check(value))
    except AddressError as error:
        return f"no: {error}"


@given(LOCAL, DOMAIN)
@example("postmaster", "example.org")
@example("PostMaster", "example.org")
@example("a" * 64, "example.org")
@example("a" * 65, "example.org")
@example("a" * 64, ".".join(["b" * 60] * 3) + ".orgs")
@example("a" * 64, ".".join(["b" * 62] * 3) + ".org")
def test_the_quick_check_agrees_with_the_thorough_one(local: str, domain: str) -> None:
    value = f"{local}@{domain}"
    quick, thorough = said(check_address, value), said(_checked, value)
    assert quick.startswith("no:") == thorough.startswith("no:")
    if not thorough.startswith("no:"):
        assert quick == thorough


@pytest.mark.parametrize("value", [None, 7, "", "@", "ana", "@example.org", "ana@", "ana@@example.org"])
def test_what_is_no_address_is_refused(value: Any) -> None:
    for _ in range(2):
        with pytest.raises(AddressError, match="not an e-mail address"):
            check_address(value)
