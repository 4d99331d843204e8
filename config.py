"""What the environment decides: one class for each `APP_ENVIRONMENT`, read when the application is made."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

ENVIRONMENTS = ("development", "testing", "staging", "production")

# Domains reserved for documentation and tests (RFC 2606, RFC 6761): mail to them reaches no real person.
RESERVED_DOMAINS = ("example.com", "example.net", "example.org", "example", "test", "invalid", "localhost")

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

REQUIRED_IN_PRODUCTION = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SETTINGS_KEY")
# The realtime gateway has no database, and reads no settings.
REQUIRED_OF_GATEWAY = ("REDIS_URL", "SECRET_KEY")


class ConfigurationError(RuntimeError):
    """The environment lacks something, or holds something that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Config:
    """The application's configuration; see README, section "Environment", for each variable."""

    environment: str = "development"
    database_url: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    # Celery's broker; empty, it is Redis.
    broker_url: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    settings_key: str = field(default="", repr=False)
    frontend_url: str = "http://127.0.0.1:5000"
    allowed_recipients: tuple[str, ...] = RESERVED_DOMAINS
    allow_private_hosts: bool = True
    sendgrid_api_url: str = "https://api.sendgrid.com"
    smtp_ca_file: str = ""
    trusted_proxies: int = 0
    rate_limits: bool = True
    log_level: str = "INFO"
    mail_lease_seconds: float = 20.0
    realtime_url: str = ""
    realtime_origins: tuple[str, ...] = ()
    realtime_connections: int = 10_000
    realtime_user_connections: int = 10

    @property
    def is_production(self) -> bool:
        """Whether mail may leave to anybody, and nothing is taken for granted."""
        return self.environment == "production"

    def to_flask(self) -> dict[str, Any]:
        """The same as Flask and its extensions name it."""
        return {
            "USHER": self,
            "SECRET_KEY": self.secret_key,
            "TESTING": self.environment == "testing",
            "SQLALCHEMY_DATABASE_URI": self.database_url,
            "SQLALCHEMY_ENGINE_OPTIONS": {
                "pool_size": 8,
                "max_overflow": 8,
                # The values of a statement that failed (addresses, messages) do not belong into a log.
                "hide_parameters": True,
            },
            "MAX_CONTENT_LENGTH": 1024 * 1024,
            "PAGE_SIZE": 20,
            "JWT_IDENTITY_CLAIM": "identity",
            "JWT_ACCESS_TOKEN_EXPIRES": timedelta(days=1),
            "RATELIMIT_ENABLED": self.rate_limits,
            "RATELIMIT_STORAGE_URI": self.redis_url,
            "RATELIMIT_STORAGE_OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
            "RATELIMIT_HEADERS_ENABLED": True,
            # Redis away: each process counts in its own memory until Redis answers again.
            "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
            "RATELIMIT_KEY_PREFIX": "usher",
        }


def load(environ: dict[str, str] | None = None, *, for_gateway: bool = False) -> Config:
    """Read the configuration from `environ` (default: the process's own).

    Args:
        environ: the variables.
        for_gateway: whether it is the realtime gateway's, which may do without a database and the key of the settings.

    Raises:
        ConfigurationError: a variable is missing or has a value that cannot be used.
    """
    env = dict(os.environ) if environ is None else environ
    environment = env.get("APP_ENVIRONMENT", "development")
    if environment not in ENVIRONMENTS:
        raise ConfigurationError(f"APP_ENVIRONMENT is {environment!r}: set it to one of {', '.join(ENVIRONMENTS)}.")
    _require(env, environment, REQUIRED_OF_GATEWAY if for_gateway else REQUIRED_IN_PRODUCTION)
    frontend_url = _web_address(env, "FRONTEND_URL", Config.frontend_url)
    return Config(
        environment=environment,
        database_url="" if for_gateway else _database_url(env["DATABASE_URL"]),
        redis_url=_redis_url(env["REDIS_URL"]),
        broker_url=_broker_url(env.get("BROKER_URL", "")),
        secret_key=env["SECRET_KEY"],
        settings_key="" if for_gateway else env["SETTINGS_KEY"],
        frontend_url=frontend_url,
        allowed_recipients=_list(env.get("MAIL_ALLOWED_RECIPIENTS")) or RESERVED_DOMAINS,
        allow_private_hosts=_flag(env, "MAIL_ALLOW_PRIVATE_HOSTS", default=environment in ("development", "testing")),
        sendgrid_api_url=_web_address(env, "SENDGRID_API_URL", Config.sendgrid_api_url),
        smtp_ca_file=env.get("SMTP_CA_FILE", ""),
        trusted_proxies=_count(env, "TRUSTED_PROXIES"),
        rate_limits=_flag(env, "RATE_LIMITS", default=True),
        log_level=_log_level(env),
        mail_lease_seconds=_seconds(env, "MAIL_LEASE_SECONDS", Config.mail_lease_seconds),
        # Without an address of its own, the gateway is behind the same proxy as the site.
        realtime_url=_web_address(env, "REALTIME_URL", frontend_url),
        realtime_origins=_origins(env),
        realtime_connections=_count(env, "REALTIME_CONNECTIONS", Config.realtime_connections),
        realtime_user_connections=_count(env, "REALTIME_USER_CONNECTIONS", Config.realtime_user_connections),
    )


def _require(env: dict[str, str], environment: str, names: tuple[str, ...]) -> None:
    missing = [name for name in names if not env.get(name)]
    if not missing:
        return
    hint = (
        "set them in the environment of every process"
        if environment == "production"
        else "set them, or run `python manage.py dev`, which starts servers of its own"
    )
    raise ConfigurationError(f"Missing configuration: {', '.join(missing)}: {hint}.")


def _database_url(url: str) -> str:
    """SQLAlchemy's name of the driver, for the spellings that hosting services use."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgres", "postgresql", "postgresql+psycopg2"):
        raise ConfigurationError("DATABASE_URL must begin with postgresql://: PostgreSQL is the only database.")
    _check_parts("DATABASE_URL", url, "postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return f"postgresql+psycopg2://{rest}"


def _redis_url(url: str) -> str:
    if url.partition("://")[0] not in ("redis", "rediss"):
        raise ConfigurationError("REDIS_URL must begin with redis://, or with rediss:// for TLS.")
    _check_parts("REDIS_URL", url, "redis://:PASSWORD@HOST:PORT/0")
    return url


def _broker_url(url: str) -> str:
    if not url:
        return ""
    if url.partition("://")[0] not in ("amqp", "amqps"):
        raise ConfigurationError("BROKER_URL must begin with amqp://, or with amqps:// for TLS; Redis needs none.")
    _check_parts("BROKER_URL", url, "amqp://USER:PASSWORD@HOST:PORT/VHOST")
    return url


def _check_parts(name: str, url: str, shape: str) -> None:
    """See that a server's address can be read; the message must not repeat it, since it holds a password."""
    try:
        parts = urlsplit(url)
        good = parts.port is None or parts.port > 0
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError(
            f"{name} cannot be read: write it as {shape}, with %-encoding for signs such as / and @ in the password."
        ) from None


def _web_address(env: dict[str, str], name: str, default: str) -> str:
    value = env.get(name) or default
    scheme, _, rest = value.partition("://")
    if "@" in rest.partition("/")[0]:
        # Not repeated here: what stands before the @ may be a password.
        raise ConfigurationError(f"{name} has a user in it: write it like https://events.example.org, without one.")
    if scheme not in ("http", "https") or not rest.strip("/"):
        raise ConfigurationError(f"{name} is {value!r}: set it to an address such as https://events.example.org.")
    return value.rstrip("/")


def _origins(env: dict[str, str]) -> tuple[str, ...]:
    """The further pages that may connect, each as an address without a path."""
    values = env.get("REALTIME_ORIGINS", "").replace(",", " ").split()
    return tuple(_web_address({"REALTIME_ORIGINS": value}, "REALTIME_ORIGINS", "") for value in values)


def _count(env: dict[str, str], name: str, default: int = 0) -> int:
    value = env.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and len(value) < 10):  # noqa: PLR2004 - digits
        raise ConfigurationError(f"{name} is {value!r}: set it to a number, 0 or more.")
    return int(value)


def _seconds(env: dict[str, str], name: str, default: float) -> float:
    value = env.get(name) or str(default)
    # Digits alone: neither "nan" nor "1e9".
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", value, re.ASCII) or float(value) < 1:
        raise ConfigurationError(f"{name} is {value!r}: set it to a number of seconds, 1 to 9999.")
    return float(value)


def _log_level(env: dict[str, str]) -> str:
    level = env.get("LOG_LEVEL", "").strip().upper() or Config.log_level
    if level not in LOG_LEVELS:
        raise ConfigurationError(f"LOG_LEVEL is {level!r}: set it to one of {', '.join(LOG_LEVELS)}.")
    return level


def _list(value: str | None) -> tuple[str, ...]:
    """Addresses and domains, in any case, with commas or spaces between; a domain may be written with its @."""
    return tuple(part.lower().removeprefix("@") for part in (value or "").replace(",", " ").split())


def _flag(env: dict[str, str], name: str, *, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    if value in ("", "1", "true", "yes", "on", "0", "false", "no", "off"):
        return default if value == "" else value in ("1", "true", "yes", "on")
    raise ConfigurationError(f"{name} is {value!r}: set it to true or false.")
