"""Usher: tells the people of an event platform what happened, when the change that caused it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from config import Config


def create_app(config: Config | None = None) -> Flask:
    """Make the Flask application: the only place where the parts are put together.

    Args:
        config: the configuration; read from the environment by default.

    Raises:
        ConfigurationError: the environment lacks something; the message says what.
    """
    # Imported here, so that `app.embedded` can start a database before anything needs one.
    from app.factory import build  # noqa: PLC0415

    return build(config)
