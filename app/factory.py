"""Putting the parts together."""

from __future__ import annotations

import gc

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.api import unchanged
from app.api.jsonapi import errors
from app.api.routes import init_app as add_routes
from app.auth import limits, login
from app.delivery.celery_app import make_celery
from app.delivery.outbox import init_outbox
from app.logs import configure_logging
from app.models import db
from app.models.connections import ping_idle
from app.models.types import cipher
from app.pages import frame
from config import Config, ConfigurationError, load


def build(config: Config | None = None) -> Flask:
    """Make the application; see `app.create_app`."""
    config = config or load()
    configure_logging(config)
    app = Flask("app", static_folder=None)
    app.config.update(config.to_flask())
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the provider of the default JSON has it
    if config.trusted_proxies:
        hops = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    _check_keys(config)
    db.init_app(app)
    with app.app_context():
        ping_idle(db.engine)
        init_outbox(db.session)
    make_celery(app)
    errors.init_app(app)
    unchanged.init_app(app)
    login.init_app(app)
    limits.init_app(app)
    frame.init_app(app)
    add_routes(app)
    # All this stays until the process ends. Not to be looked through for garbage then is a third of a short command.
    gc.freeze()
    return app


def _check_keys(config: Config) -> None:
    """Say at the start, not at the first mail, that a key cannot be used."""
    try:
        cipher(config.settings_key)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
