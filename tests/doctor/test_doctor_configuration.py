"""What the doctor says about an environment."""

from __future__ import annotations

import secrets

import pytest
from cryptography.fernet import Fernet

from app.doctor.configuration import check_configuration
from app.doctor.findings import Finding

PASSWORD = "pg-password-of-the-test"


def environment(**changes: str) -> dict[str, str]:
    """Production as it should be, with changes; an empty value takes a variable away."""
    usual = {
        "APP_ENVIRONMENT": "production",
        "DATABASE_URL": f"postgresql://usher:{PASSWORD}@db.example.com/usher",
        "REDIS_URL": f"redis://:{PASSWORD}@broker.example.com/0",
        "SECRET_KEY": secrets.token_hex(32),
        "SETTINGS_KEY": Fernet.generate_key().decode(),
        "FRONTEND_URL": "https://events.harbour.org",
    }
    return {name: value for name, value in (usual | changes).items() if value}


def findings(**changes: str) -> list[Finding]:
    return check_configuration(environment(**changes))[1]


def levels(where: str, **changes: str) -> list[str]:
    return [finding.level for finding in findings(**changes) if finding.where == where]


def test_production_as_it_should_be_has_nothing_to_say_against() -> None:
    config, found = check_configuration(environment())
    assert config is not None
    assert {finding.level for finding in found} == {"ok"}


def test_missing_variables_are_all_named_and_nothing_more_is_asked() -> None:
    config, found = check_configuration(environment(DATABASE_URL="", REDIS_URL=""))
    assert config is None
    assert found[0].level == "problem"
    assert "DATABASE_URL, REDIS_URL" in found[0].what


@pytest.mark.parametrize(
    "key", ["secret", "ab" * 20, "x" * 31], ids=["a word", "few characters", "a byte less than enough"]
)
def test_a_weak_key_is_a_problem_in_production_and_a_warning_elsewhere(key: str) -> None:
    assert levels("SECRET_KEY", SECRET_KEY=key) == ["problem"]
    assert levels("SECRET_KEY", SECRET_KEY=key, APP_ENVIRONMENT="staging") == ["problem"]
    assert levels("SECRET_KEY", SECRET_KEY=key, APP_ENVIRONMENT="development") == ["warning"]


def test_the_same_key_for_both_is_a_warning() -> None:
    key = Fernet.generate_key().decode()
    assert levels("SECRET_KEY", SECRET_KEY=key, SETTINGS_KEY=key) == ["warning"]


def test_a_settings_key_that_cannot_encrypt_is_a_problem() -> None:
    assert levels("SETTINGS_KEY", SETTINGS_KEY="short") == ["problem"]


def test_a_change_of_key_that_was_not_ended_is_a_warning() -> None:
    keys = ",".join(Fernet.generate_key().decode() for _ in range(2))
    assert levels("SETTINGS_KEY", SETTINGS_KEY=keys) == ["warning"]


@pytest.mark.parametrize(
    "url",
    ["", "http://events.harbour.org", "https://localhost:5000", "https://127.0.0.1", "https://events.example.org"],
)
def test_links_that_lead_nowhere_or_in_the_clear_are_a_problem_in_production(url: str) -> None:
    assert levels("FRONTEND_URL", FRONTEND_URL=url) == ["problem"]
    assert levels("FRONTEND_URL", FRONTEND_URL=url, APP_ENVIRONMENT="development") == ["ok"]


def test_a_list_of_recipients_that_production_does_not_ask_is_a_warning() -> None:
    assert levels("MAIL_ALLOWED_RECIPIENTS", MAIL_ALLOWED_RECIPIENTS="ana@harbour.org") == ["warning"]


@pytest.mark.parametrize(
    ("recipients", "level"),
    [
        ("", "ok"),
        ("ana@harbour.org harbour.org", "ok"),
        ("*", "warning"),
        ("*.harbour.org", "warning"),
        ("gmail.com", "warning"),
        ("ana@gmail.com", "ok"),
        ("org", "warning"),
    ],
)
def test_a_playpen_with_holes_or_for_nobody_is_a_warning(recipients: str, level: str) -> None:
    changes = {"APP_ENVIRONMENT": "staging", "MAIL_ALLOWED_RECIPIENTS": recipients}
    assert levels("MAIL_ALLOWED_RECIPIENTS", **changes) == [level]


def test_what_was_left_on_from_development_is_told() -> None:
    assert levels("MAIL_ALLOW_PRIVATE_HOSTS", MAIL_ALLOW_PRIVATE_HOSTS="on") == ["warning"]
    assert levels("RATE_LIMITS", RATE_LIMITS="off") == ["problem"]
    assert levels("FLASK_DEBUG", FLASK_DEBUG="1") == ["problem"]


def test_every_finding_that_is_not_ok_says_what_to_do_and_none_shows_a_secret() -> None:
    weak = {"SECRET_KEY": "weak-secret", "SETTINGS_KEY": "weak-settings", "FRONTEND_URL": "http://localhost"}
    for changes in ({}, weak, {**weak, "REDIS_URL": ""}, {"DATABASE_URL": f"mysql://u:{PASSWORD}@h/d"}):
        environ = environment(**changes)
        for finding in check_configuration(environ)[1]:
            assert finding.advice or finding.level == "ok", finding
            for secret in (PASSWORD, environ["SECRET_KEY"], environ["SETTINGS_KEY"]):
                assert secret not in repr(finding)
