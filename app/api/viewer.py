"""Who is asking: the account behind a request, and the roles it has on events."""

from __future__ import annotations

from functools import cached_property

from flask import g, has_request_context
from sqlalchemy import select

from app.models import Event, EventRole, ServiceToken, User, db


class Viewer:
    """The caller of a request: a person, another program, or somebody without a token.

    Args:
        user: the account.
        service: the program, which has the token of a service account.
        known_id: the account of somebody who is known to be logged in, and no admin; it is read when it is needed.
    """

    def __init__(
        self, user: User | None = None, service: ServiceToken | None = None, known_id: int | None = None
    ) -> None:
        self.service = service
        self.id = user.id if user else known_id
        self._user = user

    @property
    def user(self) -> User | None:
        """The account; None for a program, and for somebody without a token."""
        if self._user is None and self.id is not None:
            self._user = db.session.get(User, self.id)
        return self._user

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see everything."""
        return self._user is not None and self._user.is_admin

    @cached_property
    def roles(self) -> dict[int, frozenset[str]]:
        """The caller's roles by event id, read once per request; deleted events have none."""
        if self.id is None:
            return {}
        rows = db.session.execute(
            select(EventRole.event_id, EventRole.role)
            .join(Event)
            .where(EventRole.user_id == self.id, Event.deleted_at.is_(None))
        )
        roles: dict[int, set[str]] = {}
        for event_id, role in rows:
            roles.setdefault(event_id, set()).add(role)
        return {event_id: frozenset(names) for event_id, names in roles.items()}

    def with_role(self, *wanted: str) -> frozenset[int]:
        """The ids of the events on which the caller has one of the wanted roles."""
        return frozenset(event_id for event_id, held in self.roles.items() if held & set(wanted))

    def is_self(self, user_id: int | None) -> bool:
        """Whether the caller is this user."""
        return self.id is not None and self.id == user_id

    def has_role(self, event_id: int, *wanted: str) -> bool:
        """Whether the caller has one of the wanted roles (any, when none is named) on the event, or is admin."""
        if self.is_admin:
            return True
        held = self.roles.get(event_id, frozenset())
        return bool(held & set(wanted)) if wanted else bool(held)


ANONYMOUS = Viewer()


def current_viewer() -> Viewer:
    """The caller of the present request; nobody outside of one (a command, a task)."""
    viewer: Viewer = g.get("viewer", ANONYMOUS) if has_request_context() else ANONYMOUS
    return viewer
