"""People to be told."""

from __future__ import annotations

import pytest

from app.models import User, db
from tests.conftest import People


@pytest.fixture
def crowd(people: People) -> list[User]:
    """Thirty accounts with confirmed addresses."""
    users = [people.make(f"crowd{number}@example.org") for number in range(30)]
    db.session.add_all(users)
    db.session.commit()
    return users
