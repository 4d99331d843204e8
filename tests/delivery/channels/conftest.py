"""A server that stands for a service of SMS or chat, and messages for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.gateway import Gateway


@pytest.fixture(scope="session")
def _gateways() -> Iterator[tuple[Gateway, Gateway]]:
    with Gateway() as first, Gateway() as second:
        yield first, second


@pytest.fixture
def gateway(_gateways: tuple[Gateway, Gateway], sending: None) -> Gateway:
    _gateways[0].begin_anew()
    return _gateways[0]


@pytest.fixture
def other(_gateways: tuple[Gateway, Gateway], gateway: Gateway) -> Gateway:
    _gateways[1].begin_anew()
    return _gateways[1]
