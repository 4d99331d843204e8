"""The demo's HTTP client: JSON:API requests in one person's name, and what came back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from urllib3.filepost import encode_multipart_formdata

from app.demo.failure import DemoFailure

JsonObject = dict[str, Any]

MEDIA_TYPE: Final = "application/vnd.api+json"
TIMEOUT_SECONDS: Final = 30.0
LARGEST_PAGE: Final = 100


@dataclass(frozen=True)
class Answer:
    """A request and what came of it; `body` is empty when it is not a JSON object."""

    method: str
    path: str
    status: int
    content_type: str
    body: JsonObject

    @property
    def data(self) -> Any:
        """The primary data of a JSON:API document: a resource, or a list of them."""
        return self.body.get("data")

    @property
    def id(self) -> str:
        """The id of the one resource in it."""
        return str(self.data["id"])

    @property
    def meta(self) -> JsonObject:
        """What the document says about itself, such as the count of a list."""
        meta: JsonObject = self.body.get("meta", {})
        return meta


@dataclass
class Wire:
    """The connection that everybody in the demo shares.

    Attributes:
        url: where the server is, without a slash at the end.
        look: called before each request; raises when somebody asked the demo to end, or the server ended.
        sent: how many requests were sent.
    """

    url: str
    look: Callable[[], None]
    sent: int = 0
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        """Leave proxies of the environment out: the server is on this machine."""
        self.session.trust_env = False

    def send(self, method: str, path: str, headers: dict[str, str], content: bytes | None) -> requests.Response:
        """Send a request.

        Raises:
            DemoFailure: no answer came.
        """
        self.look()
        self.sent += 1
        url = path if path.startswith("http") else self.url + path
        try:
            return self.session.request(
                method, url, data=content, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise DemoFailure(f"{method} {path}", "an answer", type(error).__name__) from error


@dataclass(frozen=True)
class Client:
    """One person at the wire; without a token, anybody."""

    wire: Wire
    token: str = field(default="", repr=False)

    def get(self, path: str, status: int = 200) -> Answer:
        """Read; any other status than the expected one is a DemoFailure (so also below)."""
        return self._request("GET", path, None, status)

    def post(self, path: str, body: JsonObject, status: int = 201) -> Answer:
        """Make something."""
        return self._request("POST", path, body, status)

    def patch(self, path: str, body: JsonObject, status: int = 200) -> Answer:
        """Change something."""
        return self._request("PATCH", path, body, status)

    def delete(self, path: str, status: int = 204) -> Answer:
        """Take something away."""
        return self._request("DELETE", path, None, status)

    def count(self, path: str) -> int:
        """How many resources a list has, whatever its pages."""
        sign = "&" if "?" in path else "?"
        return int(self.get(f"{path}{sign}page[size]=1").meta["count"])

    def pages(self, path: str) -> Iterator[JsonObject]:
        """Every resource of a list, page by page, in the order of their ids."""
        sign = "&" if "?" in path else "?"
        number = 1
        while True:
            page = self.get(f"{path}{sign}sort=id&page[size]={LARGEST_PAGE}&page[number]={number}").data
            yield from page
            if len(page) < LARGEST_PAGE:
                return
            number += 1

    def upload(self, path: str, filename: str, file: bytes, status: int = 201) -> Answer:
        """Send a file, as the form of a browser does."""
        content, content_type = encode_multipart_formdata({"file": (filename, file, "application/json")})
        return self._send("POST", path, (content_type, content), status)

    def _request(self, method: str, path: str, body: JsonObject | None, status: int) -> Answer:
        return self._send(method, path, None if body is None else (MEDIA_TYPE, json.dumps(body).encode()), status)

    def _send(self, method: str, path: str, content: tuple[str, bytes] | None, status: int) -> Answer:
        headers = {"Accept": f"{MEDIA_TYPE}, application/json, text/html"}
        if content is not None:
            headers["Content-Type"] = content[0]
        if self.token:
            headers["Authorization"] = f"JWT {self.token}"
        response = self.wire.send(method, path, headers, content[1] if content else None)
        content_type = response.headers.get("Content-Type", "").partition(";")[0]
        answer = Answer(method, path, response.status_code, content_type, _json_object(response))
        if answer.status != status:
            raise DemoFailure(f"{method} {path.partition('token=')[0]}", str(status), _say(answer))
        return answer


def document(type_: str, attributes: JsonObject, relationships: JsonObject | None = None, id_: str = "") -> JsonObject:
    """Make a JSON:API document of one resource; a relationship is `(type, id)`, a list of these, or None."""
    data: JsonObject = {"type": type_, "attributes": attributes}
    if id_:
        data["id"] = id_
    if relationships:
        data["relationships"] = {name: {"data": _linkage(value)} for name, value in relationships.items()}
    return {"data": data}


def _linkage(value: Any) -> Any:
    if isinstance(value, list):
        return [_linkage(one) for one in value]
    return None if value is None else {"type": value[0], "id": value[1]}


def _json_object(response: requests.Response) -> JsonObject:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _say(answer: Answer) -> str:
    """The status and the first error of a document, in one line."""
    error: JsonObject = next(iter(answer.body.get("errors", [])), {})
    source = error.get("source", {})
    words = [str(answer.status), str(error.get("detail") or error.get("title") or "")]
    words += [f"({value})" for value in source.values()]
    return " ".join(word for word in words if word)
