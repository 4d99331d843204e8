"""What the environment must have, and what is said when it has not; nothing secret is ever part of it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app import create_app
from config import ENVIRONMENTS, REQUIRED_IN_PRODUCTION, RESERVED_DOMAINS, Config, ConfigurationError, load
from tests.support.processes import ROOT, plain_environment

SECRETS = {
    "DATABASE_URL": "postgresql://usher:s3cret-of-the-database@db.example.org:5432/usher",
    "REDIS_URL": "redis://:s3cret-of-the-broker@redis.example.org:6379/0",
    "SECRET_KEY": "s3cret-that-signs-tokens-0123456789",
    "SETTINGS_KEY": Fernet.generate_key().decode(),
}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in SECRETS.items() if key != name}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_environment_loads_with_the_four_that_are_needed(environment: str) -> None:
    config = load({**SECRETS, "APP_ENVIRONMENT": environment})
    assert config.environment == environment
    assert config.is_production == (environment == "production")
    assert config.allow_private_hosts == (environment in ("development", "testing"))
    assert config.allowed_recipients == RESERVED_DOMAINS
    assert config.to_flask()["TESTING"] == (environment == "testing")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("name", REQUIRED_IN_PRODUCTION)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named_in_one_line(environment: str, name: str, value: str | None) -> None:
    env = without(name) | ({} if value is None else {name: value})
    with pytest.raises(ConfigurationError) as caught:
        load({**env, "APP_ENVIRONMENT": environment})
    assert str(caught.value).startswith(f"Missing configuration: {name}: set them")
    assert "\n" not in str(caught.value)


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL, REDIS_URL, SECRET_KEY, SETTINGS_KEY"):
        load({"APP_ENVIRONMENT": "production"})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("APP_ENVIRONMENT", "prod", "set it to one of development, testing, staging, production"),
        ("DATABASE_URL", "sqlite:///s3cret.db", "PostgreSQL is the only database"),
        ("DATABASE_URL", "postgresql://usher:s3cret/word@db.example.org/usher", "%-encoding"),
        ("DATABASE_URL", "postgresql://usher:s3cret@db.example.org:port/usher", "%-encoding"),
        ("REDIS_URL", "http://redis.example.org/s3cret", "must begin with redis://"),
        ("REDIS_URL", "redis://:s3cret/word@redis.example.org/0", "%-encoding"),
        ("BROKER_URL", "redis://:s3cret@redis.example.org:6379/0", "must begin with amqp://"),
        ("BROKER_URL", "amqp://usher:s3cret/word@rabbit.example.org//", "%-encoding"),
        ("SETTINGS_KEY", "s3cret-but-not-a-key", "must be one or more Fernet keys"),
        ("SETTINGS_KEY", ",", "must be one or more Fernet keys"),
        ("FRONTEND_URL", "events.example.org", "https://events.example.org"),
        ("FRONTEND_URL", "https://", "https://events.example.org"),
        ("SENDGRID_API_URL", "api", "https://events.example.org"),
        ("SENDGRID_API_URL", "https://gate:s3cret@api.example.org/x", "without one"),
        ("FRONTEND_URL", "http://s3cret@events.example.org", "without one"),
        ("MAIL_ALLOW_PRIVATE_HOSTS", "perhaps", "set it to true or false"),
        ("RATE_LIMITS", "2", "set it to true or false"),
        ("MAIL_LEASE_SECONDS", "0", "a number of seconds"),
        ("MAIL_LEASE_SECONDS", "nan", "a number of seconds"),
        ("MAIL_LEASE_SECONDS", "1e9", "a number of seconds"),
        ("TRUSTED_PROXIES", "one", "set it to a number"),
        ("TRUSTED_PROXIES", "-1", "set it to a number"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_the_remedy(name: str, value: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_app(load({**SECRETS, name: value}))
    assert name in str(caught.value)
    assert told in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_the_usual_spellings_of_a_database_address_are_taken(scheme: str) -> None:
    config = load({**SECRETS, "DATABASE_URL": f"{scheme}://usher:a%2Fb@db.example.org/usher"})
    assert config.database_url == "postgresql+psycopg2://usher:a%2Fb@db.example.org/usher"


def test_optional_values_are_read_as_they_are_meant() -> None:
    config = load(
        {
            **SECRETS,
            "MAIL_ALLOWED_RECIPIENTS": "Team.Example.org, @example.net  ana@Example.com,",
            "MAIL_ALLOW_PRIVATE_HOSTS": "Off",
            "FRONTEND_URL": "https://events.example.org/",
            "TRUSTED_PROXIES": "2",
            "RATE_LIMITS": "",
        }
    )
    assert config.allowed_recipients == ("team.example.org", "example.net", "ana@example.com")
    assert (config.allow_private_hosts, config.rate_limits, config.trusted_proxies) == (False, True, 2)
    assert config.frontend_url == "https://events.example.org"


def test_no_secret_is_in_the_configurations_repr() -> None:
    config = load(SECRETS)
    assert "s3cret" not in repr(config)
    assert config.settings_key not in repr(config)
    assert {one.name for one in fields(Config) if not one.repr} >= {
        *("database_url", "redis_url", "secret_key", "settings_key")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "command", "code"),
    [
        ("DATABASE_URL", ("gunicorn", "manage:app", "--preload", "--bind", "127.0.0.1:0", "--no-control-socket"), 4),
        ("REDIS_URL", ("celery", "-A", "celery_worker.celery", "worker"), 1),
        ("SETTINGS_KEY", ("celery", "-A", "celery_worker.celery", "beat"), 1),
        ("SECRET_KEY", ("python", "manage.py", "db", "upgrade"), 1),
    ],
)
def test_a_process_of_production_ends_at_once_and_says_what_is_missing(
    missing: str, command: tuple[str, ...], code: int
) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=ROOT,
        env=plain_environment(**without(missing), APP_ENVIRONMENT="production"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    shown = done.stdout + done.stderr
    assert done.returncode == code, shown
    line = f"usher: Missing configuration: {missing}: set them in the environment of every process.\n"
    assert shown.count(line) == 1
    assert "Traceback" not in shown
    assert "s3cret" not in shown
    if command[0] != "gunicorn":
        assert shown == line


def test_the_level_of_the_log_is_taken_in_any_case_and_no_other_word_is() -> None:
    assert load(SECRETS).log_level == "INFO"
    assert load({**SECRETS, "LOG_LEVEL": " debug"}).log_level == "DEBUG"
    with pytest.raises(ConfigurationError, match="LOG_LEVEL is 'LOUD': set it to one of DEBUG, INFO, WARNING, ERROR"):
        load({**SECRETS, "LOG_LEVEL": "loud"})
