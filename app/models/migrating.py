"""The migrations as Flask-Migrate finds them. Imported only by what runs them, since it loads Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flask import Flask
from flask_migrate import Migrate

from app.models import db

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "migrations"


def init_migrations(app: Flask) -> None:
    """Let Flask-Migrate's functions work in this application's context."""
    Migrate(app, db, directory=str(MIGRATIONS))
