"""What the tests of exports and imports share."""

from __future__ import annotations

import pytest

from tests.conftest import People
from tests.support.api import Api
from tests.support.world import World, make_world


@pytest.fixture
def world(people: People, api: Api) -> World:
    return make_world(people, api)
