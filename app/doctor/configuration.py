"""The environment: what is required, how strong the keys are, and what does not fit the kind of installation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from app.doctor.findings import Finding, Level
from app.models.types import cipher
from config import RESERVED_DOMAINS, Config, ConfigurationError, load

CHECK: Final = "configuration"
# What HMAC-SHA256 wants at least (RFC 7518, 3.2).
_KEY_BYTES: Final = 32
# Fewer different characters than these in so long a key were typed by somebody.
_KEY_VARIETY: Final = 10
_LOCAL: Final = re.compile(r"localhost|127\.[\d.]+|0\.0\.0\.0|\[?::1?\]?|.*\.localhost", re.IGNORECASE)
_DOMAIN: Final = re.compile(r"(?!-)[^\s@*/:]+(?<!-)")
# So many strangers have an address there that letting mail out to the whole domain is no playpen.
_EVERYBODY: Final = frozenset(
    {"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com", "gmx.de"}
    | {"gmx.net", "web.de", "aol.com", "proton.me", "protonmail.com", "qq.com", "163.com", "mail.ru"}
)


def check_configuration(environ: Mapping[str, str]) -> tuple[Config | None, list[Finding]]:
    """Read the environment and judge it; the configuration is None if no process could start with it."""
    keys = [*_secret_key(environ), *_settings_key(environ)]
    try:
        config = load(dict(environ))
    except ConfigurationError as error:
        advice = "Change the environment of every process, and restart them. See docs/configuration.md."
        return None, [Finding("problem", CHECK, "environment", str(error), advice), *keys]
    kind = Finding("ok", CHECK, "APP_ENVIRONMENT", f"The environment is {config.environment}, and complete.")
    frontend = check_frontend(config.frontend_url, "FRONTEND_URL", config)
    return config, [kind, *keys, *frontend, *_playpen(environ, config), *_loose_ends(environ, config)]


def check_frontend(url: str, where: str, config: Config) -> list[Finding]:
    """Judge the address that the links in mails begin with.

    Args:
        url: the address.
        where: the variable or the setting that has it.
        config: says whether this is production; elsewhere any address will do.
    """
    if not config.is_production:
        return [Finding("ok", CHECK, where, f"Links in mails begin with {url}.")]
    parts = urlsplit(url)
    host = parts.hostname or ""
    advice = f"Set {where} to the address where people see the site, such as https://events.example.com."
    if _LOCAL.fullmatch(host) or is_reserved(host):
        what = f"Links in mails begin with {url}, which leads nobody to this site."
        return [Finding("problem", CHECK, where, what, advice)]
    if parts.scheme != "https":
        what = f"Links in mails begin with {url}: the tokens in them cross the network in the clear."
        return [Finding("problem", CHECK, where, what, f"{advice} The site must answer by HTTPS.")]
    return [Finding("ok", CHECK, where, f"Links in mails begin with {url}.")]


def is_reserved(domain: str) -> bool:
    """Whether a domain, or one above it, is reserved for documentation and tests (RFC 2606, RFC 6761)."""
    domain = domain.lower().rstrip(".")
    return any(domain == reserved or domain.endswith(f".{reserved}") for reserved in RESERVED_DOMAINS)


def _secret_key(environ: Mapping[str, str]) -> Iterator[Finding]:
    key = environ.get("SECRET_KEY", "")
    if not key:
        return
    advice = "Make one with: openssl rand -hex 32. A new one ends every login and every link that is on its way."
    level = _strict(environ)
    if len(key.encode()) < _KEY_BYTES:
        what = f"The key has {len(key.encode())} bytes, and should have {_KEY_BYTES} or more: who guesses it can log in"
        yield Finding(level, CHECK, "SECRET_KEY", f"{what} as anybody.", advice)
    elif len(set(key)) < _KEY_VARIETY:
        what = f"The key consists of {len(set(key))} different characters: it was typed, not drawn."
        yield Finding(level, CHECK, "SECRET_KEY", what, advice)
    elif key in environ.get("SETTINGS_KEY", ""):
        what = "The key is the same as SETTINGS_KEY: who learns one of them has both."
        yield Finding("warning", CHECK, "SECRET_KEY", what, advice)
    else:
        yield Finding("ok", CHECK, "SECRET_KEY", "The key is long enough.")


def _settings_key(environ: Mapping[str, str]) -> Iterator[Finding]:
    value = environ.get("SETTINGS_KEY", "")
    if not value:
        return
    try:
        cipher(value)
    except ValueError as error:
        advice = "Put the right key back: without it the secrets in the settings must be set anew."
        yield Finding("problem", CHECK, "SETTINGS_KEY", str(error), advice)
        return
    keys = sum(1 for key in value.split(",") if key.strip())
    if keys > 1:
        what = f"There are {keys} keys: the change of the key was begun, and not ended."
        advice = "Run `python manage.py rotate-settings-key`, then take the old keys away and restart every process."
        yield Finding("warning", CHECK, "SETTINGS_KEY", what, advice)
    else:
        yield Finding("ok", CHECK, "SETTINGS_KEY", "The key can encrypt.")


def _strict(environ: Mapping[str, str]) -> Level:
    return "problem" if environ.get("APP_ENVIRONMENT") in ("production", "staging") else "warning"


def _playpen(environ: Mapping[str, str], config: Config) -> Iterator[Finding]:
    where = "MAIL_ALLOWED_RECIPIENTS"
    if config.is_production:
        if environ.get(where):
            what = "Mail leaves to anybody, since the environment is production: the list is not asked."
            advice = "Take it away; or set APP_ENVIRONMENT=staging, if mail is not to leave to anybody."
            yield Finding("warning", CHECK, where, what, advice)
        else:
            yield Finding("ok", CHECK, where, "Mail leaves to anybody, since the environment is production.")
        return
    entries = config.allowed_recipients
    useless = [entry for entry in entries if not _means_somebody(entry)]
    if useless:
        what = f"No address is meant by {', '.join(useless)}: there are no wildcards."
        advice = "Write addresses and domains; a domain means those below it too."
        yield Finding("warning", CHECK, where, what, advice)
    wide = [entry for entry in entries if _is_wide(entry)]
    if wide:
        what = f"Mail leaves to everybody in {', '.join(wide)}, strangers too."
        yield Finding("warning", CHECK, where, what, "Name the addresses of those who test.")
    if not useless and not wide:
        yield Finding("ok", CHECK, where, f"Mail leaves only to {', '.join(entries)}.")


def _means_somebody(entry: str) -> bool:
    return _DOMAIN.fullmatch(entry.rpartition("@")[2]) is not None


def _is_wide(entry: str) -> bool:
    """Whether an entry is a whole top-level domain, or one where everybody has an address."""
    if "@" in entry or is_reserved(entry) or "*" in entry:
        return False
    return entry in _EVERYBODY or "." not in entry


def _loose_ends(environ: Mapping[str, str], config: Config) -> Iterator[Finding]:
    """What is for development, and was left on in production."""
    if not config.is_production:
        return
    if config.allow_private_hosts:
        what = "An admin of the site can reach the operator's own network through the SMTP settings."
        advice = "Take it away, unless the mail server is in a private network."
        yield Finding("warning", CHECK, "MAIL_ALLOW_PRIVATE_HOSTS", what, advice)
    if not config.rate_limits:
        what = "Logins may be tried without a limit."
        yield Finding("problem", CHECK, "RATE_LIMITS", what, "Take it away: off is for load tests.")
    if environ.get("FLASK_DEBUG", "").lower() in ("1", "true", "yes", "on"):
        what = "The debugger of Flask would let anybody run code."
        yield Finding("problem", CHECK, "FLASK_DEBUG", what, "Take it away.")
