"""Who may do what: the permissions that the route table names, and the rules for single rows.

A permission is asked before anything is looked up. Rules for rows are in `app/api/access.py`: a row that somebody may
not see does not exist for him.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.api.jsonapi.errors import Forbidden, Unauthorized
from app.api.viewer import Viewer

Permission = Callable[[Viewer, Mapping[str, Any]], None]


def anyone(_viewer: Viewer, _names: Mapping[str, Any]) -> None:
    """Everybody, with or without a token."""


def logged_in(viewer: Viewer, _names: Mapping[str, Any]) -> None:
    """People who have a token; which rows are seen or changed is decided by row."""
    if viewer.service is not None:
        held = ", ".join(viewer.service.scopes)
        raise Forbidden(f"A service account may do only what its scopes allow; this one has {held}.")
    if viewer.id is None:
        raise Unauthorized("This needs a login: send the header `Authorization: JWT <token>`.")


def verified(viewer: Viewer, names: Mapping[str, Any]) -> None:
    """Whoever has confirmed the e-mail address."""
    logged_in(viewer, names)
    if viewer.user is not None and not viewer.user.is_verified:
        raise Forbidden("Confirm your e-mail address first: the link is in the mail that you got on registering.")


def admin(viewer: Viewer, names: Mapping[str, Any]) -> None:
    """Admins."""
    logged_in(viewer, names)
    if not viewer.is_admin:
        raise Forbidden("Only an admin may do this.")


def the_user(viewer: Viewer, names: Mapping[str, Any]) -> None:
    """The user whom the address names, nobody else."""
    logged_in(viewer, names)
    if not viewer.is_self(names["user_id"]):
        raise Forbidden("Only the user may do this.")


def the_user_or_admin(viewer: Viewer, names: Mapping[str, Any]) -> None:
    """The user whom the address names, and admins."""
    logged_in(viewer, names)
    if not (viewer.is_self(names["user_id"]) or viewer.is_admin):
        raise Forbidden("Only the user and admins may do this.")


def known(viewer: Viewer, names: Mapping[str, Any]) -> None:
    """Whoever has a token: people, and service accounts of any scope."""
    if viewer.service is None:
        logged_in(viewer, names)


def service(scope: str) -> Permission:
    """Service accounts with this scope; no person, whoever it is."""

    def only_service(viewer: Viewer, names: Mapping[str, Any]) -> None:
        if viewer.service is None:
            logged_in(viewer, names)
            raise Forbidden(f"Only a service account with the scope {scope} may do this: manage.py create-token.")
        if scope not in viewer.service.scopes:
            raise Forbidden(f"This needs the scope {scope}, which the token of this service account does not have.")

    return only_service


def admin_or_service(scope: str) -> Permission:
    """Admins, and service accounts with this scope."""
    of_service = service(scope)

    def either(viewer: Viewer, names: Mapping[str, Any]) -> None:
        (admin if viewer.service is None else of_service)(viewer, names)

    return either
