"""What an operator can do with mails by hand, as data: which mails each deed is for, and what they become."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from app.delivery.states import TRANSITIONS
from app.models.mail import CANCELLED, FAILED, MAIL_STATUSES, QUEUED, SENDING, SENT, UNCERTAIN

# Not for longer than the link in it opens something, if there is one.
_AGAIN: Final = """next_attempt_at = now(), doubts = 0, retries = LEAST(retries + 1, 32767),
    give_up_at = LEAST(now() + interval '24 hours', CASE WHEN secret IS NOT NULL THEN expires_at END)"""


@dataclass(frozen=True)
class Deed:
    """One of the things that an operator does.

    Attributes:
        status: what the mails become.
        takes: the statuses of mails that it is for.
        assignments: what changes besides the status, as SQL.
        said: how the entry of the timeline begins.
        rule: what it is for, in words.
        needs_message: whether the mail must still have all that is to be sent.
    """

    status: str
    takes: tuple[str, ...]
    assignments: str
    said: str
    rule: str
    needs_message: bool = False


def _leading_to(status: str) -> tuple[str, ...]:
    """The statuses of mails that nobody is sending, and that may become this."""
    return tuple(each for each in MAIL_STATUSES if each != SENDING and status in TRANSITIONS[each])


RETRY: Final = Deed(
    status=QUEUED,
    takes=_leading_to(QUEUED),
    assignments=_AGAIN,
    said="Tried again",
    rule="only failed, suppressed and uncertain mails can be tried again",
    needs_message=True,
)
# The same with all that match a filter: what may be in somebody's inbox already is not among those.
RETRY_MATCHING: Final = replace(
    RETRY,
    takes=tuple(each for each in RETRY.takes if each != UNCERTAIN),
    rule="a filter is for failed and suppressed mails; an uncertain one, which may have arrived, is named by its id",
)
CANCEL: Final = Deed(
    status=CANCELLED,
    takes=_leading_to(CANCELLED),
    assignments="secret = NULL",
    said="Cancelled",
    rule="only queued, scheduled and deferred mails can be cancelled",
)
_ONLY_UNCERTAIN: Final = "only uncertain mails can be settled"
# By the outcome that the operator has found out, or wants.
SETTLE: Final = {
    SENT: Deed(
        status=SENT,
        takes=(UNCERTAIN,),
        assignments="sent_at = coalesce(sent_at, now()), secret = NULL, error_class = NULL, last_error = NULL",
        said="Settled as sent",
        rule=_ONLY_UNCERTAIN,
    ),
    "retry": replace(RETRY, takes=(UNCERTAIN,), said="Settled, to be tried again", rule=_ONLY_UNCERTAIN),
    FAILED: Deed(
        status=FAILED,
        takes=(UNCERTAIN,),
        assignments="last_error = :text",
        said="Settled as failed",
        rule=_ONLY_UNCERTAIN,
    ),
}
