"""The table of routes: each address with who may use it, checked before anything is looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Flask, current_app, request
from flask_rest_jsonapi_next import Api
from flask_rest_jsonapi_next.resource import Resource as LibraryResource
from werkzeug.routing import IntegerConverter

from app.api.jsonapi import negotiation
from app.api.jsonapi.errors import Forbidden
from app.api.jsonapi.jsontext import MAX_BIGINT
from app.api.viewer import Viewer, current_viewer

Permission = Callable[[Viewer, Mapping[str, Any]], None]

_KEY: Final = "usher_routes"


@dataclass(frozen=True)
class Route:
    """One address, or several with one endpoint.

    Attributes:
        endpoint: its name, without that of the blueprint.
        rules: the paths, with their arguments.
        view: a resource class, or a function.
        methods: who may use which method; a permission raises Unauthorized, Forbidden or NotFound. HEAD is allowed
            where GET is, OPTIONS everywhere; any other method is 405 for everybody.
        is_jsonapi: whether the media types of JSON:API are asked for; by default for resource classes.
        keyed: whether its POST and PATCH take an `Idempotency-Key`; by default those of resource classes do. A function
            must then end with `commit_with`.
    """

    endpoint: str
    rules: Sequence[str]
    view: Callable[..., Any]
    methods: Mapping[str, Permission]
    is_jsonapi: bool | None = None
    keyed: bool | None = None

    @property
    def negotiates(self) -> bool:
        """Whether the media types of JSON:API are asked for."""
        return isinstance(self.view, type) if self.is_jsonapi is None else self.is_jsonapi

    @property
    def has_keys(self) -> bool:
        """Whether its writes take an `Idempotency-Key`."""
        return isinstance(self.view, type) if self.keyed is None else self.keyed


class BigIntConverter(IntegerConverter):
    """A number in a path: of ASCII digits, and no larger than an id can be; anything else matches no route (404)."""

    regex = "[0-9]{1,19}"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"max": MAX_BIGINT, **options})


def register(app: Flask, blueprint: Blueprint | None, routes: Sequence[Route]) -> None:
    """Add the routes, under the blueprint if there is one (which is then registered). Can be called several times.

    From the first call on, every endpoint that is in no table is refused.

    Raises:
        ValueError: an endpoint is there twice: a mistake in the program.
    """
    table = _table(app)
    api = Api(blueprint=blueprint)
    api.app = app
    for route in routes:
        name = f"{blueprint.name}.{route.endpoint}" if blueprint else route.endpoint
        if name in table:
            raise ValueError(f"the endpoint {name} is in the table twice")
        table[name] = route
        _add(api, blueprint or app, route)
    if blueprint:
        app.register_blueprint(blueprint)


def routes_of(app: Flask) -> Mapping[str, Route]:
    """All routes by their full endpoint."""
    return dict(_table(app))


def _table(app: Flask) -> dict[str, Route]:
    if _KEY not in app.extensions:
        app.extensions[_KEY] = {}
        app.url_map.converters["int"] = BigIntConverter
        app.before_request(_check)
    table: dict[str, Route] = app.extensions[_KEY]
    return table


def _add(api: Api, owner: Flask | Blueprint, route: Route) -> None:
    methods = list(route.methods)
    if isinstance(route.view, type) and issubclass(route.view, LibraryResource):
        api.route(route.view, route.endpoint, *route.rules, url_rule_options={"methods": methods})
        return
    for rule in route.rules:
        owner.add_url_rule(rule, endpoint=route.endpoint, view_func=route.view, methods=methods)


def _check() -> None:
    """Who may do this, and in which media types; a wrong address or method is told first, by Flask itself.

    Raises:
        Forbidden: the endpoint is in no table.
    """
    if request.routing_exception is not None:
        return
    route = _table(current_app).get(request.endpoint or "")
    if route is None:
        raise Forbidden("Nobody may use this address.")
    if request.method == "OPTIONS":
        return
    method = "GET" if request.method == "HEAD" else request.method
    route.methods[method](current_viewer(), request.view_args or {})
    if route.negotiates:
        negotiation.check(request)
