"""A service's address, an Apprise URL with `{to}` where the recipient belongs: which may be, and what is made of it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from app.delivery.channels.said import listening, without_secrets
from app.delivery.channels.wire import keep_farewell_guarded
from app.models.event_type import CHAT, SMS

# Apprise is imported where it is used: it takes a second and 30 MB, and most processes never need it.
if TYPE_CHECKING:
    from apprise.plugins.base import NotifyBase

PLACE: Final = "{to}"
# What reaches this very machine.
_LOCAL: Final = frozenset(
    {"blink1", "dbus", "gio", "glib", "gnome", "growl", "kde", "macosx", "qt", "syslog", "windows"}
)
# What reads files of this machine: keys and subscriptions are named by a path.
_FILES: Final = frozenset({"fcm", "vapid"})
# What does not speak HTTP with `requests`, so that it could not be kept from private networks.
_SOCKETS: Final = frozenset(
    {
        *("amqp", "amqps", "aprs", "deltachat", "deltachats", "irc", "ircs", "mqtt", "mqtts", "nostr"),
        *("rsyslog", "smpp", "smpps", "xmpp", "xmpps"),
    }
)
# Mail has its own way, with its own list of addresses that get none.
_MAIL: Final = frozenset(
    {
        *("azure", "brevo", "groundmail", "mailersend", "mailgun", "mailto", "mailtos", "o365", "postmark", "resend"),
        *("sendgrid", "sendpulse", "ses", "smtp2go", "sparkpost"),
    }
)
REFUSED: Final = _LOCAL | _FILES | _SOCKETS | _MAIL

# Recipients that an address is tried out with when it is written, two of a kind: one kind must do. The numbers are
# nobody's (555-0100 to 555-0199 in North America).
_NUMBERS: Final = ("+12025550123", "+12025550145")
_SAMPLES: Final = {
    SMS: (_NUMBERS,),
    CHAT: (
        ("123456789", "123456780"),
        ("@somebody", "@anybody"),
        ("#somewhere", "#anywhere"),
        ("somebody@example.org", "anybody@example.org"),
        ("U0123456789", "U0123456780"),
        _NUMBERS,
    ),
}
_SCHEMA: Final = re.compile(r"([a-z0-9]+)://", re.IGNORECASE)
_BEHIND_HOST: Final = re.compile(r"[^/?]+[/?]")


class ServiceAddressError(ValueError):
    """An address that cannot be a service's; the message says what to do, and repeats nothing of it."""


class RecipientError(ValueError):
    """A recipient whom the service's plugin does not take; the message is the plugin's."""


def check_address(url: str, channel: str) -> None:
    """See that an address can be used.

    Args:
        url: the Apprise URL.
        channel: `sms` or `chat`.

    Raises:
        ServiceAddressError: it cannot.
    """
    from apprise.manager_plugins import NotificationManager  # noqa: PLC0415 - see above

    schema = schema_of(url)
    known: Any = NotificationManager()  # type: ignore[no-untyped-call]
    if schema not in known or not known[schema].enabled:
        raise ServiceAddressError(f"Apprise knows no service {schema}:// that could be used here.")
    if schema in REFUSED:
        raise ServiceAddressError(f"{schema}:// {_why_refused(schema)}, and is not taken.")
    _check_place(url)
    problems = [_problem(url, *samples) for samples in _SAMPLES[channel]]
    if all(problems):
        raise ServiceAddressError(f"Apprise cannot use this address: {problems[0]}")


def schema_of(url: str) -> str:
    """What stands before `://`, in small letters.

    Raises:
        ServiceAddressError: nothing does.
    """
    match = _SCHEMA.match(url)
    if match is None:
        raise ServiceAddressError("This must be an Apprise URL, for example twilio://SID:TOKEN@FROM/{to}.")
    return match[1].lower()


def host_of(url: str, channel: str) -> str | None:
    """The host that an address names which was checked; None where the plugin knows by itself which one is asked."""
    for sample, _ in _SAMPLES[channel]:
        with suppress(RecipientError):
            plugin = plugin_for(url, sample)
            templates: tuple[str, ...] = plugin.templates
            host: str | None = plugin.host
            return host if any("{host}" in template for template in templates) else None
    return None


def plugin_for(url: str, recipient: str) -> NotifyBase:
    """What Apprise makes of the address for a recipient. It talks to nobody yet.

    Raises:
        RecipientError: it makes nothing of it, or leaves the recipient out.
    """
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - see above
    from apprise.manager_plugins import NotificationManager  # noqa: PLC0415 - see above

    asset = AppriseAsset(async_mode=False, http_redirects=False, storage_mode="memory", service_timeout=0)
    filled = url.replace(PLACE, quote(recipient, safe=""))
    known: Any = NotificationManager()  # type: ignore[no-untyped-call]
    if (schema := schema_of(url)) in known:
        keep_farewell_guarded(known[schema])
    with listening() as said:
        plugin = Apprise.instantiate(filled, asset=asset)
    words = without_secrets(" ".join(said), url, recipient)
    # A plugin that drops a recipient may tell its sender instead.
    if plugin is None or said:
        raise RecipientError(words or "it is not complete.")
    plugin.redirects = False
    return plugin


def _check_place(url: str) -> None:
    if url.count(PLACE) != 1:
        raise ServiceAddressError("Write {to}, once, where the recipient belongs.")
    before = url.partition("://")[2].partition(PLACE)[0]
    # Otherwise users could name the server, or the account, that everything goes to.
    if not _BEHIND_HOST.match(before):
        raise ServiceAddressError("Write {to} behind the host: in the path or the query.")


def _problem(url: str, sample: str, another: str) -> str | None:
    try:
        plugin, second = plugin_for(url, sample), plugin_for(url, another)
    except RecipientError as error:
        return str(error)
    # A room or a webhook that knows no recipients: what is for one user would be told to all who are there.
    if plugin.url() == second.url():  # type: ignore[no-untyped-call]
        return "its service leaves {to} out, and would tell others what is for one user."
    # Some plugins have a template's name there; those that read a file have an attachment.
    template = getattr(plugin, "template", None)
    if type(template).__name__ == "AppriseAttachment" and len(template or ()):
        return "template= would read a file."
    return None


def _why_refused(schema: str) -> str:
    if schema in _LOCAL:
        return "reaches this machine itself"
    if schema in _FILES:
        return "reads files of this machine"
    return "is for mail, which has its own settings" if schema in _MAIL else "does not speak HTTP"
