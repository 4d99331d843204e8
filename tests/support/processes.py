"""Processes and ports, for tests that start Usher as an operator does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from app.embedded import ports

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 60.0
# What the fixtures of other tests have put into this process's environment, and what a developer may have set.
OURS = (
    *("APP_ENVIRONMENT", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SETTINGS_KEY", "FRONTEND_URL", "RATE_LIMITS"),
    *("MAIL_ALLOWED_RECIPIENTS", "MAIL_ALLOW_PRIVATE_HOSTS", "SMTP_CA_FILE", "TRUSTED_PROXIES", "USHER_ADMIN_PASSWORD"),
    *("SENDGRID_API_URL", "MAIL_LEASE_SECONDS", "USHER_FAULTS", "LOG_LEVEL", "REALTIME_URL", "REALTIME_ORIGINS"),
    *("REALTIME_CONNECTIONS", "REALTIME_USER_CONNECTIONS"),
)


def plain_environment(**more: str) -> dict[str, str]:
    """The environment of a shell in which nobody has set anything of Usher's, and then `more`."""
    return {name: value for name, value in os.environ.items() if name not in OURS} | more


def wait_for(condition: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def free_port() -> int:
    """A port that is free, as is the next one, where the realtime gateway listens."""
    return ports.free_port(2)


def runs(process: psutil.Process) -> bool:
    """Whether a process runs; one that ended and that nobody has collected yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
