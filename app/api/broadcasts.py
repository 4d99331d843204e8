"""Broadcasts: admins tell everyone, managers of an event its people; seen before, counted, sent once, and recalled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response
from sqlalchemy import ColumnElement

from app.api.helpers.happenings import HappeningError
from app.api.helpers.log import record_activity
from app.api.jsonapi.access import require_visible
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Conflict, Forbidden, TooManyRequests, Unprocessable, explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.broadcasts import BROADCAST
from app.api.schema.events import EVENT
from app.api.viewer import Viewer
from app.auth.limits import BROADCASTS_PER_ACCOUNT, caller_key, created, limiter
from app.happenings.telling.broadcasting import AT_MOST, count_people, next_moment, send
from app.happenings.telling.recall import recall
from app.models import Broadcast, Event, db
from app.models.base import utc_now
from app.models.broadcast import DRAFT, EVERYONE, RECALLED, ROLES, SENDING, SENT
from app.models.event import MANAGERS

_STATE: Final = "/data/attributes/state"
_ROLES: Final = "/data/attributes/roles"
_EVENT: Final = "/data/relationships/event"
_ROLES_NEEDED: Final = "Name the roles for the audience `roles`, and none for another one."
explain("ck_broadcasts_roles", _ROLES_NEEDED, _ROLES)


class BroadcastList(ListResource):
    """Broadcasts that one may see; admins and managers of events make new ones."""

    resource_type = BROADCAST

    @limiter.limit(BROADCASTS_PER_ACCOUNT, key_func=caller_key, deduct_when=created)
    def post(self, **view_kwargs: Any) -> Response:
        """A new draft, as long as the caller has not made very many."""
        return super().post(**view_kwargs)

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """A draft, for an audience that the caller may tell."""
        data.pop("recipients", None)
        if data.pop("shown_state", DRAFT) != DRAFT:
            raise Unprocessable("A new broadcast is a draft: send it by changing its state.", pointer=_STATE)
        _check_audience(data["audience"], data.get("event"), data.get("roles", []))
        _check_sender(data.get("event"), viewer)
        data["user"] = viewer.user


class EventBroadcastList(ListResource):
    """The broadcasts of an event, for its managers."""

    resource_type = BROADCAST

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those of the event in the address."""
        event_id = view_kwargs["event_id"]
        require_visible(EVENT, event_id, viewer)
        if not viewer.has_role(event_id, *MANAGERS):
            raise Forbidden("Only the event's owner and organizers and admins may see this.")
        of_event: ColumnElement[bool] = Broadcast.event_id == event_id
        return of_event


class BroadcastDetail(DetailResource):
    """One broadcast: a draft is edited, deleted or sent; what was sent is recalled."""

    resource_type = BROADCAST

    def before_update(self, obj: Broadcast, data: dict[str, Any], viewer: Viewer) -> None:
        """The words of a draft change; its event stays, and so does everything that was sent."""
        self.wanted: str = data.pop("shown_state", obj.shown_state)
        self.seen: int | None = data.pop("recipients", None)
        _check_step(obj, self.wanted)
        if getattr(data.pop("event", obj.event), "id", None) != obj.event_id:
            raise Unprocessable("A broadcast stays with its event: make another one.", pointer=_EVENT)
        if obj.state != DRAFT:
            _check_unchanged(obj, data)
        _check_audience(data.get("audience", obj.audience), obj.event, data.get("roles", obj.roles))
        _check_sender(obj.event, viewer)

    def after_update(self, obj: Broadcast, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Send it, or recall it, if that is asked for."""
        if self.wanted == SENDING:
            _send(obj, viewer, self.seen)
        elif self.wanted == RECALLED and obj.state != RECALLED:
            _recall(obj)

    def before_delete(self, obj: Broadcast, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Only drafts are deleted: what was sent is kept, so that it can be recalled and looked up."""
        if obj.state != DRAFT:
            raise Conflict(
                f"Only drafts are deleted, and this is {obj.shown_state}: what was sent is recalled at most."
            )


def _check_audience(audience: str, event: Event | None, roles: list[str]) -> None:
    """See that audience, event and roles go together.

    Raises:
        Unprocessable: they do not.
    """
    if audience == EVERYONE and event is not None:
        raise Unprocessable("Everyone is not the audience of an event: leave it out.", pointer=_EVENT)
    if audience != EVERYONE and event is None:
        raise Unprocessable("This audience is an event's: name the event.", pointer=_EVENT)
    if (audience == ROLES) != bool(roles):
        raise Unprocessable(_ROLES_NEEDED, pointer=_ROLES)


def _check_sender(event: Event | None, viewer: Viewer) -> None:
    if event is None and not viewer.is_admin:
        raise Forbidden("Only admins may tell everyone.")
    if event is not None and not viewer.has_role(event.id, *MANAGERS):
        raise Forbidden("Only the event's owner and organizers and admins may tell its people.")


def _check_step(broadcast: Broadcast, wanted: str) -> None:
    """See that this state can follow; one that stays is no change, but nothing is sent twice.

    Raises:
        Conflict: it cannot follow this one.
        Unprocessable: nobody can ask for it.
    """
    shown = broadcast.shown_state
    if wanted == SENDING and shown != DRAFT:
        raise Conflict(f"The broadcast is {shown}: it is sent once.", pointer=_STATE)
    if wanted == RECALLED and shown == DRAFT:
        raise Conflict("Nobody was told of a draft: delete it.", pointer=_STATE)
    if wanted == SENT and shown == DRAFT:
        raise Unprocessable("Send it with the state `sending`; it is `sent` when all were told.", pointer=_STATE)
    if wanted in (DRAFT, SENT) and wanted != shown:
        raise Conflict(f"The broadcast is {shown}: it does not become {wanted}.", pointer=_STATE)


def _check_unchanged(broadcast: Broadcast, data: Mapping[str, Any]) -> None:
    for name, value in data.items():
        if value != getattr(broadcast, name):
            raise Conflict(
                f"The broadcast is {broadcast.shown_state}: what it says stays. Make another one for other words.",
                pointer=f"/data/attributes/{name}",
            )


def _send(broadcast: Broadcast, viewer: Viewer, seen: int | None) -> None:
    """Send a draft, if not too many were, and to no other number of people than the caller has seen.

    Raises:
        Conflict: there are more or fewer people than he saw.
        TooManyRequests: the event's managers have sent as many as they may.
    """
    recipients = count_people(broadcast)
    if seen is not None and seen != recipients:
        raise Conflict(
            f"The audience has changed: {recipients} instead of {seen}. Look at it again, then send it.",
            pointer="/data/attributes/recipients",
        )
    if broadcast.event is not None and not viewer.is_admin:
        _check_limit(broadcast.event)
    try:
        send(broadcast, viewer.user, recipients)
    except HappeningError as error:
        raise Unprocessable(str(error), pointer=f"/data/attributes/{error.field}") from error
    record_activity("send_broadcast", broadcast=_named(broadcast), recipients=recipients)


def _check_limit(event: Event) -> None:
    at = next_moment(event)
    if at is not None:
        seconds = max(1, round((at - utc_now()).total_seconds()))
        raise TooManyRequests(
            f"An event's owner and organizers send at most {AT_MOST} broadcasts in 24 hours: try again later.",
            headers={"Retry-After": str(seconds)},
        )


def _recall(broadcast: Broadcast) -> None:
    if broadcast.happening_id is not None:
        recall(broadcast.happening_id)
    broadcast.state, broadcast.recalled_at = RECALLED, utc_now()
    db.session.flush()
    db.session.expire(broadcast, ["fanout"])
    record_activity("recall_broadcast", broadcast=_named(broadcast))


def _named(broadcast: Broadcast) -> str:
    return f"{broadcast.title} ({broadcast.id})"
