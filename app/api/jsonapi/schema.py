"""The base of all schemas: attributes and relationships of a type, as documents have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, Self

from marshmallow import ValidationError, missing
from marshmallow_jsonapi.fields import BaseRelationship
from marshmallow_jsonapi.flask import Relationship
from marshmallow_jsonapi.flask import Schema as JsonApiSchema

from app.api.jsonapi.exceptions import ApiError, Unprocessable, raise_all
from app.api.jsonapi.fields import Id
from app.api.jsonapi.jsontext import escape
from app.api.jsonapi.urls import url_of


def dasherize(name: str) -> str:
    """A Python name as documents have it."""
    return name.replace("_", "-")


def underscore(name: str) -> str:
    """A name of a document or query as Python has it; both spellings are taken."""
    return name.replace("-", "_")


class ToOne(Relationship):
    """A relationship to one other resource.

    Args:
        type_: the other's type.
        related_view: endpoint of the address of the other resource, as seen from this one.
        self_view: endpoint of the address of the relationship itself.
        foreign_key: the attribute of the row that holds the other's id; with it the identifier is always shown, so
            leave it out where not everybody who sees the row may know the other's id.
        options: those of every marshmallow field.
    """

    many = False

    def __init__(
        self,
        type_: str,
        *,
        related_view: str | None = None,
        self_view: str | None = None,
        foreign_key: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(related_view=related_view, self_view=self_view, many=self.many, type_=type_, **options)
        self.foreign_key = foreign_key

    def serialize(self, attr: str, obj: Any, accessor: Any = None) -> dict[str, Any]:  # noqa: ARG002 - marshmallow's
        """The relationship object: links, and the identifier where the row itself has it."""
        shown: dict[str, Any] = {}
        links = {}
        if self.self_view:
            links["self"] = url_of(self.self_view, obj.id, relationship=True)
        if self.related_view:
            links["related"] = url_of(self.related_view, obj.id)
        if links:
            shown["links"] = links
        if self.foreign_key:
            number = getattr(obj, self.foreign_key)
            shown["data"] = None if number is None else {"type": self.type_, "id": str(number)}
        return shown

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The id or ids in a relationship object whose structure was checked; one without `data` says nothing."""
        if value is not missing and "data" not in value:
            value = missing
        if value is missing:
            return super().deserialize(missing, attr, data, **kwargs)
        linkage = value["data"]
        if linkage is None and not self.many:
            if not self.allow_none:
                raise ValidationError("This must not be null.")
            return None
        if isinstance(linkage, list) != self.many:
            raise ValidationError(
                "This must be a list." if self.many else "This must be one resource identifier or null."
            )
        ids = [self._id(item) for item in (linkage if self.many else [linkage])]
        return list(dict.fromkeys(ids)) if self.many else ids[0]

    def _id(self, item: Mapping[str, Any]) -> int:
        if item["type"] != self.type_:
            raise ValidationError(f"The type must be {self.type_}.")
        return int(item["id"])


class ToMany(ToOne):
    """A relationship to several other resources; the arguments are those of `ToOne`, without `foreign_key`."""

    many = True


class Schema(JsonApiSchema):
    """The base of all schemas. A subclass has a `Meta` with `type_`, and `self_view` (the endpoint of one resource)."""

    id = Id()
    # Where in the request's document the resource object is; of an instance that loads, which serves one request.
    pointer = "/data"

    class Meta:
        """What a subclass says of itself."""

        type_ = "abstract"

    def inflect(self, text: str) -> str:
        """Names are dasherized."""
        return dasherize(text)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """Rows are objects: no need to try them as dictionaries first."""
        return getattr(obj, attr, default)

    def get_resource_links(self, item: Mapping[str, Any]) -> dict[str, str] | None:
        """The link to the resource itself."""
        return {"self": url_of(self.opts.self_url, item["id"])} if self.opts.self_url else None

    def get_top_level_links(self, data: Any, many: bool) -> dict[str, None]:  # noqa: ARG002 - marshmallow_jsonapi's
        """The links of a document are the resource classes' business."""
        return {"self": None}

    def unwrap_item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """What of a resource object (whose structure was checked) is to be loaded: without what is read-only.

        Raises:
            ApiError: it has an attribute or relationship that the type does not have.
        """
        errors: list[ApiError] = []
        payload: dict[str, Any] = {}
        for member in ("attributes", "relationships"):
            known = dict(self._known(relationships=member == "relationships"))
            for name, value in item.get(member, {}).items():
                if name not in known:
                    pointer = f"{self.pointer}/{member}/{escape(name)}"
                    errors.append(
                        Unprocessable(f"{self.opts.type_} has no {member[:-1]} of this name.", pointer=pointer)
                    )
                elif not known[name].dump_only:
                    payload[name] = value
        raise_all(errors)
        return payload

    def _known(self, *, relationships: bool) -> Iterator[tuple[str, Any]]:
        for name, field in self.fields.items():
            if name != "id" and isinstance(field, BaseRelationship) == relationships:
                yield field.data_key or name, field

    def format_error(self, field_name: str, message: str, index: int | None = None) -> dict[str, Any]:  # noqa: ARG002 - marshmallow_jsonapi's
        """An error with a pointer to the attribute or relationship."""
        field = self.fields.get(underscore(field_name))
        member = "relationships" if isinstance(field, BaseRelationship) else "attributes"
        return {"detail": message, "source": {"pointer": f"{self.pointer}/{member}/{escape(dasherize(field_name))}"}}

    @classmethod
    def readable(cls, name: str) -> Any:
        """The field of this Python name, if it can be read; None for what does not exist or is write-only."""
        field = cls._declared_fields.get(name)
        return None if field is None or field.load_only else field

    @classmethod
    def relationships(cls) -> dict[str, ToOne]:
        """The relationships by Python name."""
        return {name: field for name, field in cls._declared_fields.items() if isinstance(field, ToOne)}

    @classmethod
    def load_resource(cls, item: Mapping[str, Any], *, partial: bool, pointer: str = "/data") -> dict[str, Any]:
        """The values in a resource object, by Python name of the row's attributes; a relationship's is its id or ids.

        `pointer` is where in the document the object is.

        Raises:
            ApiError: a value cannot be (422, with a pointer each).
        """
        schema = cls(partial=partial)
        schema.pointer = pointer
        try:
            loaded: dict[str, Any] = schema.load({"data": item})
        except ValidationError as error:
            messages: Any = error.messages
            raise_all([_to_error(one, pointer) for one in messages["errors"]])
            raise
        return loaded

    @classmethod
    def dumper(cls, only: frozenset[str] | None) -> Self:
        """An instance that writes only these attributes and relationships; made once, since that is what takes time."""
        schema: Any = cls  # mypy takes a class for not hashable
        instance: Self = _dumper(schema, only)
        return instance

    @cached_property
    def _written(self) -> list[tuple[str, str, str, Any]]:
        """What an instance writes: of each field its member of the resource object, its name there, and its own."""
        return [
            (
                "relationships" if isinstance(field, BaseRelationship) else "attributes",
                self.inflect(field.data_key or name),
                name,
                field,
            )
            for name, field in self.dump_fields.items()
            if name != "id"
        ]

    def resource_object(self, row: Any) -> dict[str, Any]:
        """A row as a resource object: what `dump` makes of it, without its generality, which takes most of its time."""
        shown: dict[str, Any] = {"type": self.opts.type_, "id": str(row.id)}
        for member, public, name, field in self._written:
            value = field.serialize(name, row, accessor=self.get_attribute)
            if value is not missing and (value or member == "attributes"):
                shown.setdefault(member, {})[public] = value
        if self.opts.self_url:
            shown["links"] = {"self": url_of(self.opts.self_url, row.id)}
        return shown


def _to_error(message: Any, pointer: str) -> Unprocessable:
    """A message of marshmallow_jsonapi; one that a check of the whole schema raised is only a text."""
    if isinstance(message, dict):
        return Unprocessable(str(message["detail"]), pointer=message["source"]["pointer"])
    return Unprocessable(str(message), pointer=pointer)


@lru_cache(maxsize=512)
def _dumper(schema: Any, only: frozenset[str] | None) -> Any:
    # In the order of declaration, so that documents read alike every time.
    declared = [name for name in schema._declared_fields if schema.readable(name)]  # noqa: SLF001 - marshmallow has no other way
    return schema(only=[name for name in declared if only is None or name == "id" or name in only])
