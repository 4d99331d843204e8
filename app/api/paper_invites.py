"""Invitations to send papers: whoever has the address is asked by mail, and in the app where there is an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from sqlalchemy import ColumnElement, select

from app.api.events import check_manager
from app.api.helpers.addresses import same_address
from app.api.helpers.mail import send_email_invite_papers
from app.api.helpers.notification import About, send_notif_invite_papers
from app.api.helpers.recipients import accounts_by_address
from app.api.helpers.settings import make_frontend_url
from app.api.jsonapi.errors import NotFound, Unprocessable, explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.speakers_calls import PAPER_INVITE, SPEAKERS_CALL
from app.api.speakers_calls import is_open
from app.api.viewer import Viewer
from app.auth.limits import INVITES_PER_ACCOUNT, caller_key, created, limiter
from app.models import PaperInvite, SpeakersCall, db
from app.models.event import MANAGERS
from app.models.invite import PRIVATE

explain("uq_paper_invites_email", "This address was invited already.", "/data/attributes/email")


class PaperInviteList(ListResource):
    """The invitations of the events that one manages."""

    resource_type = PAPER_INVITE

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those of the call in the address, which only its managers find here."""
        if "speakers_call_id" not in view_kwargs:
            return None
        call_id = view_kwargs["speakers_call_id"]
        seen = SPEAKERS_CALL.access.visible(viewer)
        event_id = db.session.scalar(select(SpeakersCall.event_id).where(SpeakersCall.id == call_id, seen))
        if event_id is None or not viewer.has_role(event_id, *MANAGERS):
            raise NotFound(f"There is no speakers-call with the id {call_id} of an event that you manage.")
        of_call: ColumnElement[bool] = PaperInvite.speakers_call_id == call_id
        return of_call

    @limiter.limit(INVITES_PER_ACCOUNT, key_func=caller_key, deduct_when=created)
    def post(self, **view_kwargs: Any) -> Response:
        """A new invitation, as long as the caller has not sent very many."""
        return super().post(**view_kwargs)

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """The managers of the event invite, as long as its call is open."""
        call: SpeakersCall = data["speakers_call"]
        check_manager(call.event, viewer)
        if not is_open(call):
            detail = "This call for papers is not open now: whoever is invited could propose nothing. Change its times."
            raise Unprocessable(detail, pointer="/data/relationships/speakers-call/data")
        data["inviter"] = viewer.user

    def after_create(self, obj: PaperInvite, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Ask."""
        invite(obj)


class PaperInviteDetail(DetailResource):
    """One invitation."""

    resource_type = PAPER_INVITE


def invite(asked: PaperInvite) -> None:
    """Ask whoever has the address: by mail, and in the app if an account has confirmed the address."""
    call = asked.speakers_call
    event, link = call.event, call_link(call)
    account = accounts_by_address([asked.email]).get(same_address(asked.email))
    if account is not None:
        data = {"event-id": str(event.id), "speakers-call-id": str(call.id)}
        send_notif_invite_papers(account, event.name, link, f"{link}/new", About(link=link, data=data, event=event))
    send_email_invite_papers(asked.email, event.name, link)


def call_link(call: SpeakersCall) -> str:
    """Where the front end shows the call; that of a private one cannot be guessed."""
    private = f"/{call.hash}" if call.privacy == PRIVATE else ""
    return make_frontend_url(f"/events/{call.event.identifier}/cfs{private}")
