"""Sessions: a proposal and another time tell the organizers and its speakers; a decision tells its speakers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select

from app.api.events import check_times
from app.api.helpers.listens import end_listens_on
from app.api.helpers.log import record_activity
from app.api.helpers.session_messages import tell_of_proposal, tell_of_schedule, tell_of_state
from app.api.jsonapi.access import require_visible
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Forbidden, Unprocessable
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.events import EVENT
from app.api.schema.sessions import SESSION, SPEAKER
from app.api.speakers import stays_with_event
from app.api.speakers_calls import call_of, is_open
from app.api.viewer import Viewer
from app.models import Session, Speaker, db
from app.models.base import utc_now
from app.models.session import ACCEPTED, CONFIRMED, PENDING, WITHDRAWN, speakers_sessions

# Those in which a session may still take place: only then does its time concern anybody.
EXPECTED = (PENDING, ACCEPTED, CONFIRMED)


class SessionList(ListResource):
    """Sessions; proposed by a speaker of the event or its team."""

    resource_type = SESSION

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those of the event or the speaker in the address."""
        if "event_id" in view_kwargs:
            require_visible(EVENT, view_kwargs["event_id"], viewer)
            of_event: ColumnElement[bool] = Session.event_id == view_kwargs["event_id"]
            return of_event
        if "speaker_id" in view_kwargs:
            require_visible(SPEAKER, view_kwargs["speaker_id"], viewer)
            return Session.id.in_(
                select(speakers_sessions.c.session_id).where(
                    speakers_sessions.c.speaker_id == view_kwargs["speaker_id"]
                )
            )
        return None

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """Who may propose, and with whom; without speakers it is the proposer's own."""
        event_id = data["event"].id
        own = _own_speakers(event_id, viewer)
        in_team = viewer.has_role(event_id)
        if not (own or in_team):
            raise Forbidden("Only a speaker of the event or its team may propose a session: POST /v1/speakers first.")
        if data.get("state", PENDING) != PENDING and not in_team:
            raise Forbidden("Only the event's team sets the state of a session.")
        if not in_team:
            _check_call(event_id)
            data.setdefault("speakers", own)
            if not any(speaker in own for speaker in data["speakers"]):
                pointer = "/data/relationships/speakers/data"
                raise Unprocessable(
                    "One of the speakers must be you: only the team proposes for others.", pointer=pointer
                )
        _check_speakers(event_id, data)
        check_times(data.get("starts_at"), data.get("ends_at"))

    def after_create(self, obj: Session, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Tell of the proposal."""
        record_activity("create_session", session=f"{obj.title} ({obj.id})")
        tell_of_proposal(obj)


class SessionDetail(DetailResource):
    """One session, changed by its speakers and the event's team."""

    resource_type = SESSION

    def before_update(self, obj: Session, data: dict[str, Any], viewer: Viewer) -> None:
        """Speakers may edit and withdraw; every other state is the team's to set."""
        _check_editor(obj, viewer)
        stays_with_event(obj.event_id, data)
        state = data.get("state", obj.state)
        if state not in (obj.state, WITHDRAWN) and not viewer.has_role(obj.event_id):
            raise Forbidden("Only the event's team sets the state of a session; its speakers may withdraw it.")
        _check_speakers(obj.event_id, data)
        check_times(data.get("starts_at", obj.starts_at), data.get("ends_at", obj.ends_at))

    def after_update(self, obj: Session, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Tell of another state and of another time; any other edit tells nobody."""
        if changes:
            record_activity("update_session", session=f"{obj.title} ({obj.id})")
        if "state" in changes:
            tell_of_state(obj)
        if changes.keys() & {"starts_at", "ends_at"} and obj.state in EXPECTED:
            tell_of_schedule(obj)

    def before_delete(self, obj: Session, viewer: Viewer) -> None:
        """Whoever may change it may delete it."""
        _check_editor(obj, viewer)

    def remove(self, obj: Session) -> None:
        """Keep the row, for the notifications that link to it."""
        obj.deleted_at = utc_now()
        end_listens_on(obj)


def _own_speakers(event_id: int, viewer: Viewer) -> list[Speaker]:
    statement = select(Speaker).where(
        Speaker.event_id == event_id, Speaker.user_id == viewer.id, Speaker.deleted_at.is_(None)
    )
    return list(db.session.scalars(statement))


def _check_call(event_id: int) -> None:
    call = call_of(event_id)
    if call is not None and not is_open(call):
        raise Forbidden("The call for papers of this event is not open now: only its team may propose sessions.")


def _check_editor(session: Session, viewer: Viewer) -> None:
    if not (viewer.has_role(session.event_id) or any(viewer.is_self(each.user_id) for each in session.speakers)):
        raise Forbidden("Only the session's speakers, the event's team and admins may do this.")


def _check_speakers(event_id: int, data: Mapping[str, Any]) -> None:
    for index, speaker in enumerate(data.get("speakers", ())):
        if speaker.event_id != event_id:
            pointer = f"/data/relationships/speakers/data/{index}"
            raise Unprocessable("This speaker is not one of the event.", pointer=pointer)
