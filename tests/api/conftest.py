"""The conference that several tests of the API play in."""

from __future__ import annotations

import pytest

from app.models import Event, User
from tests.conftest import People
from tests.support.api import Api
from tests.support.world import World, make_world


@pytest.fixture
def world(people: People, api: Api) -> World:
    return make_world(people, api)


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def bea(people: People) -> User:
    """The buyer."""
    return people.user("bea@example.org")


@pytest.fixture
def event(people: People, owner: User) -> Event:
    return people.event(owner)
