"""What becomes of an invitation to a role: it is accepted or declined, and whoever accepts has the role."""

from __future__ import annotations

from sqlalchemy import exists, func, select
from sqlalchemy.dialects.postgresql import insert

from app.api.helpers.log import record_activity
from app.models import Event, EventRole, RoleInvite, User, db
from app.models.base import utc_now
from app.models.invite import ACCEPTED, DECLINED, PENDING


def accept(invite: RoleInvite, user: User) -> None:
    """Give the user the role; the invitation is open, and its row is locked."""
    invite.status, invite.answered_at = ACCEPTED, utc_now()
    values = {"user_id": user.id, "event_id": invite.event_id, "role": invite.role_name}
    # Whoever was given the role in the meantime, in another way, keeps it.
    db.session.execute(insert(EventRole).values(values).on_conflict_do_nothing())
    record_activity("create_role", login_user=user, user=user, role=invite.role_name, event_id=invite.event_id)


def decline(invite: RoleInvite) -> None:
    """Close the invitation; one may be invited again."""
    invite.status, invite.answered_at = DECLINED, utc_now()


def accept_waiting(user: User) -> None:
    """Give the user the roles that this address was invited to before the account was there.

    Whoever signs up after an invitation, and proves that the address is his, has answered it. Later invitations reach
    the account itself, so that its user says yes or no.
    """
    waiting = (
        select(RoleInvite)
        .where(
            func.lower(RoleInvite.email) == func.lower(user.email),
            RoleInvite.status == PENDING,
            RoleInvite.created_at <= user.created_at,
            exists().where(Event.id == RoleInvite.event_id, Event.deleted_at.is_(None)),
        )
        .order_by(RoleInvite.id)
        # One that is being answered or taken back at this moment is left to whoever does that.
        .with_for_update(skip_locked=True)
    )
    for invite in db.session.scalars(waiting).all():
        accept(invite, user)
