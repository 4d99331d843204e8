"""Usher: tells the people of an event platform what happened, when the change that caused it is committed."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from config import Config


# Loading makes some hundred thousand objects that all stay. To look through them for garbage at every 700 takes a fifth
# of a start; what serves for long sets its own pace later (app/memory.py).
gc.set_threshold(50_000, 20, 100)


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
