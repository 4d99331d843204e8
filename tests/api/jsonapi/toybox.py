"""Ways to fill the toy API's tables and to ask it something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import Event, EventRole, Happening, Notification, Session, Speaker, User, db
from app.models.base import utc_now

MEDIA_TYPE = "application/vnd.api+json"


@dataclass
class Toys:
    """A client, and ways to fill the tables."""

    app: Flask
    client: FlaskClient

    def add(self, *rows: Any) -> list[int]:
        """Commit rows; their ids."""
        with self.app.app_context():
            db.session.add_all(rows)
            db.session.commit()
            return [row.id for row in rows]

    def person(self, email: str, *, admin: bool = False) -> int:
        return self.add(User(email=email, is_admin=admin))[0]

    def gathering(self, name: str = "Harbour", owner: int | None = None, state: str = "published") -> int:
        event = Event(name=name, starts_at=utc_now(), ends_at=utc_now(), state=state)
        if owner:
            event.roles = [EventRole(user_id=owner, role="owner")]
        return self.add(event)[0]

    def talk(self, event: int, title: str = "Ropes", state: str = "accepted", **more: Any) -> int:
        return self.add(Session(event_id=event, title=title, state=state, **more))[0]

    def voice(self, event: int, name: str = "Ana", **more: Any) -> int:
        return self.add(Speaker(event_id=event, name=name, **more))[0]

    def notice(self, user: int, title: str = "News", **more: Any) -> int:
        happening = Happening(action="Test", title=title, message="m")
        return self.add(Notification(user_id=user, happening=happening, **more))[0]

    def get(self, path: str, viewer: int | None = None, **options: Any) -> TestResponse:
        return self.send("GET", path, viewer, **options)

    def send(self, method: str, path: str, viewer: int | None = None, **options: Any) -> TestResponse:
        headers = {"Accept": MEDIA_TYPE, **options.pop("headers", {})}
        if viewer:
            headers["X-Viewer"] = str(viewer)
        if {"json", "data"} & set(options):
            headers.setdefault("Content-Type", MEDIA_TYPE)
        return self.client.open(f"/toy{path}", method=method, headers=headers, **options)

    def count(self, model: Any) -> int:
        with self.app.app_context():
            return db.session.query(model).count()

    def read(self, model: Any, id_: int, name: str) -> Any:
        with self.app.app_context():
            return getattr(db.session.get(model, id_), name)
