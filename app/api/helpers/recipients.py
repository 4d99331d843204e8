"""Who is told of what happens to a session: each person once, however many roles they have."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select

from app.api.helpers.addresses import same_address
from app.models import Event, EventRole, Session, User, db
from app.models.event import ORGANIZERS


def organizers_of(event: Event) -> list[User]:
    """The owner, organizers and coorganizers of an event, each once; nobody if the event was deleted."""
    if event.deleted_at is not None:
        return []
    return list(
        db.session.scalars(
            select(User)
            .where(
                User.deleted_at.is_(None),
                User.id.in_(
                    select(EventRole.user_id).where(EventRole.event_id == event.id, EventRole.role.in_(ORGANIZERS))
                ),
            )
            .order_by(User.id)
        )
    )


def speaker_addresses(session: Session) -> list[str]:
    """The addresses of a session's speakers, each once; a speaker without one is reached at the account's."""
    addresses = (
        speaker.email or (speaker.user.email if speaker.user else None)
        for speaker in session.speakers
        if speaker.deleted_at is None
    )
    return once(address for address in addresses if address)


def speaker_accounts(session: Session) -> list[User]:
    """The accounts of a session's speakers, each once.

    The account is the one with the speaker's address, as long as the address is confirmed; without one it is the
    account that entered the speaker, unless that is one of the event's team, who entered somebody else.
    """
    by_address = _accounts_by_address(speaker_addresses(session))
    team = set(db.session.scalars(select(EventRole.user_id).where(EventRole.event_id == session.event_id)))
    accounts: dict[int, User] = {}
    for speaker in session.speakers:
        if speaker.deleted_at is not None:
            continue
        account = by_address.get(same_address(speaker.email or ""))
        if account is None and speaker.user is not None and speaker.user.id not in team:
            account = speaker.user
        if account is not None and account.deleted_at is None:
            accounts[account.id] = account
    return list(accounts.values())


def once(addresses: Iterable[str]) -> list[str]:
    """The addresses without repetitions; case does not count, and the first spelling stays."""
    kept: dict[str, str] = {}
    for address in addresses:
        kept.setdefault(same_address(address), address)
    return list(kept.values())


def _accounts_by_address(addresses: Iterable[str]) -> dict[str, User]:
    wanted = [address.lower() for address in addresses]
    if not wanted:
        return {}
    users = db.session.scalars(
        select(User).where(func.lower(User.email).in_(wanted), User.is_verified, User.deleted_at.is_(None))
    )
    return {same_address(user.email): user for user in users}
