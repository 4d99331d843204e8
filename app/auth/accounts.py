"""What an account goes through: it is made, its address is confirmed or changed, it gets another password."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.api.helpers.log import record_activity
from app.api.helpers.mail import (
    send_email_change_user_email,
    send_email_confirmation,
    send_email_password_change,
    send_email_user_register,
    send_email_user_register_with_password,
)
from app.api.helpers.notification import send_notif_change_user_email, send_notif_password_change
from app.api.helpers.recipients import Recipient
from app.api.helpers.settings import make_frontend_url
from app.api.jsonapi.errors import Conflict, Unprocessable
from app.auth.invitations import accept_waiting
from app.auth.passwords import LENGTHS, MAX_LENGTH, MIN_LENGTH, hash_password
from app.auth.tokens import CHANGE, VERIFY, link_token
from app.delivery.recipients.suppression_list import forget, lift
from app.language import msg
from app.models import User, db
from app.models.base import utc_now

TAKEN: Final = "There is an account with this e-mail address."


def find_user(email: str, *, lock: bool = False) -> User | None:
    """The account with this address, whatever its case; with `lock` no other transaction changes it until this ends."""
    statement = select(User).where(func.lower(User.email) == func.lower(email.strip()), User.deleted_at.is_(None))
    if lock:
        # Not against the foreign keys of others: who holds an invitation gives its role, while this waits for it.
        statement = statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    return db.session.scalar(statement)


def welcome(user: User) -> None:
    """Tell a new user of the account, and ask to confirm the address unless it is proved already."""
    if user.was_registered_with_order:
        send_email_user_register_with_password(user)
    else:
        send_email_user_register(user)
    if not user.is_verified:
        send_email_confirmation(user, make_frontend_url("/verify", token=link_token(user, VERIFY)))
    record_activity("create_user", login_user=user, user=user)


def prove_address(user: User) -> None:
    """Take the address for the user's: a link that was sent there was followed. So mail arrives there, too."""
    user.is_verified = True
    connection, address = db.session.connection(), user.email.lower()
    forget(connection, [address])
    lift(connection, {address: utc_now()})
    accept_waiting(user)


def announce_new_address(user: User) -> None:
    """Tell the user, at the old and the new address, what the address is to be, and ask the new one to confirm it."""
    new = user.new_email or user.email
    for address in (user.email, new):
        send_email_change_user_email(Recipient(address, user.language), user.email, new)
    send_notif_change_user_email(user, new)
    ask_new_address(user)


def ask_new_address(user: User) -> None:
    """Send the link that confirms the new address to it."""
    link = make_frontend_url("/verify", token=link_token(user, CHANGE))
    send_email_confirmation(Recipient(user.new_email or user.email, user.language), link)


def take_new_address(user: User) -> None:
    """Put the new address, which its link has confirmed, in place of the old one.

    Raises:
        Conflict: another account has got it in the meantime.
    """
    old, user.email, user.new_email = user.email, user.new_email or user.email, None
    try:
        db.session.flush()
    except IntegrityError as error:
        raise Conflict(
            msg("There is an account with this e-mail address. Yours stays as it is."), pointer="/data/token"
        ) from error
    record_activity("update_user_email", login_user=user, user=user, old=old, new=user.email)


def set_password(user: User, password: str) -> None:
    """Set the password and tell the user; it ends every earlier login, and every link that is out.

    A change of the address that waits for its link is ended too: it may be somebody else's, who had the password.
    """
    user.password_hash = hash_password(password)
    user.token_version += 1
    user.new_email = None
    send_notif_password_change(user)
    send_email_password_change(user)


def check_password(password: str, pointer: str = "/data/password") -> None:
    """Refuse a password that is too short or too long.

    Raises:
        Unprocessable: it is.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Unprocessable(LENGTHS, pointer=pointer)
