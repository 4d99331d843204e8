"""Who is told of what happens to an event or a session: each person once, however many roles they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.api.helpers.addresses import check_address, same_address
from app.happenings.deciding.obeying import note_person
from app.language import DEFAULT
from app.models import Event, EventRole, Speaker, User, db
from app.models.event import ORGANIZERS, OWNER


@dataclass(frozen=True)
class Recipient:
    """Whom a mail goes to, and the language to write in.

    Attributes:
        address: where it goes.
        language: what it is written in.
        user_id: the account that it goes to, whose wishes count; None where there is none, or none that is proved.
        has_preferences: whether that account has said how it wants to be told.
    """

    address: str
    language: str = DEFAULT
    user_id: int | None = None
    has_preferences: bool = False

    @property
    def person(self) -> tuple[int | None, bool]:
        """The account, and whether it has said anything."""
        return self.user_id, self.has_preferences


def recipient(to: str | User | Recipient) -> Recipient:
    """Whom a mail goes to: a user's language is the user's, an address's that of the account with this address.

    What an account said of how it wants to be told counts for all mails to its address, once that is confirmed: else
    anybody could have somebody's mails stopped.

    Raises:
        AddressError: the address cannot be one (it is empty, has a line break, or is two addresses).
    """
    if isinstance(to, Recipient):
        return replace(to, address=check_address(to.address))
    if isinstance(to, User):
        has_wishes = bool(to.is_verified and to.has_preferences)
        return Recipient(check_address(to.email), to.language or DEFAULT, to.id, has_wishes)
    return at_address(check_address(to), accounts_at([to]))


def recipients(*addresses: str) -> list[Recipient]:
    """The same for several addresses, each once, with one query."""
    accounts = accounts_at(addresses)
    return [at_address(address, accounts) for address in once(addresses)]


def accounts_at(addresses: Iterable[str]) -> dict[str, Recipient]:
    """The accounts with these addresses, by `same_address`; those that have not confirmed them are only a language."""
    wanted = [address.lower() for address in addresses]
    if not wanted:
        return {}
    columns = (User.email, User.language, User.id, User.is_verified, User.has_preferences)
    rows = db.session.execute(select(*columns).where(func.lower(User.email).in_(wanted), User.deleted_at.is_(None)))
    found = {}
    for email, language, user_id, is_verified, has_preferences in rows:
        has_wishes = is_verified and has_preferences
        found[same_address(email)] = Recipient(email, language, user_id if is_verified else None, has_wishes)
        if has_wishes:
            note_person(user_id)
    return found


def at_address(address: str, accounts: Mapping[str, Recipient]) -> Recipient:
    """Whom a mail to this address goes to: one of these accounts, or nobody who is known."""
    known = accounts.get(same_address(address))
    return Recipient(address) if known is None else replace(known, address=address)


def organizers_of(event: Event) -> list[User]:
    """The owner, organizers and coorganizers of an event, each once; nobody if the event was deleted."""
    return _with_role(event, *ORGANIZERS)


def owners_of(event: Event) -> list[User]:
    """The owner of an event; nobody if the event was deleted."""
    return _with_role(event, OWNER)


def speakers_of(event: Event) -> list[Speaker]:
    """The speakers who were entered for an event."""
    return list(
        db.session.scalars(
            select(Speaker)
            .where(Speaker.event_id == event.id, Speaker.deleted_at.is_(None))
            .order_by(Speaker.id)
            # The accounts are asked for next: one query, not one for each speaker.
            .options(joinedload(Speaker.user))
        )
    )


def _with_role(event: Event, *roles: str) -> list[User]:
    if event.deleted_at is not None:
        return []
    return list(
        db.session.scalars(
            select(User)
            .where(
                User.deleted_at.is_(None),
                User.id.in_(select(EventRole.user_id).where(EventRole.event_id == event.id, EventRole.role.in_(roles))),
            )
            .order_by(User.id)
        )
    )


def speaker_addresses(speakers: Iterable[Speaker]) -> list[str]:
    """The addresses of speakers, each once; a speaker without one is reached at the account's."""
    addresses = (
        speaker.email or (speaker.user.email if speaker.user else None)
        for speaker in speakers
        if speaker.deleted_at is None
    )
    return once(address for address in addresses if address)


def speaker_accounts(event: Event, speakers: Iterable[Speaker]) -> list[User]:
    """The accounts of an event's speakers, each once.

    The account is the one with the speaker's address, as long as the address is confirmed; without one it is the
    account that entered the speaker, unless that is one of the event's team, who entered somebody else.
    """
    speakers = list(speakers)
    by_address = accounts_by_address(speaker_addresses(speakers))
    team = set(db.session.scalars(select(EventRole.user_id).where(EventRole.event_id == event.id)))
    accounts: dict[int, User] = {}
    for speaker in speakers:
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


def accounts_by_address(addresses: Iterable[str]) -> dict[str, User]:
    """The accounts that have confirmed these addresses, by `same_address`."""
    wanted = [address.lower() for address in addresses]
    if not wanted:
        return {}
    users = db.session.scalars(
        select(User).where(func.lower(User.email).in_(wanted), User.is_verified, User.deleted_at.is_(None))
    )
    return {same_address(user.email): user for user in users}
