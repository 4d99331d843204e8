"""The demo's end of a stream: what it takes for an event, and what ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.demo.failure import DemoFailure
from app.demo.stream import Stream
from tests.support.processes import free_port, wait_for

PATH = "/v1/users/1/notifications/stream"


def message(happening: str) -> str:
    related = f'{{"relationships":{{"happening":{{"data":{{"id":"{happening}"}}}}}}}}'
    return f'data: {{"id":"a-{happening}","action":"new","notification":{related}}}'


OPENING = "retry: 2000\nid: a-0\n: ready\n\n"
EVENTS = "".join(f"id: a-{each}\nevent: notification\n{message(each)}\n\n" for each in ("6", "7"))
REST = ': ping\n\nevent: resync\ndata: {"id":"a-8","action":"resync","notification":null}\n\n'


@contextmanager
def serving(text: str, status: int = 200, *, ends: bool = False) -> Iterator[str]:
    """A server whose only answer is this text, in chunks that end in the middle of lines."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(text), 50):
                part = text[start : start + 50].encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            if not ends:
                over.wait(10)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()


def test_the_event_of_a_happening_is_found_with_its_own_lines_while_the_stream_goes_on() -> None:
    with serving(OPENING + EVENTS + REST) as url, Stream(url, PATH, "token") as stream:
        wait_for(lambda: stream.event_of("7") is not None, "the second event")
        assert stream.has_begun()
        found = stream.event_of("7")
        assert found is not None
        assert found[1] == ["id: a-7", "event: notification", message("7")]
        assert stream.event_of("8") is None


def test_a_stream_that_the_gateway_ends_is_no_failure_until_something_is_missed() -> None:
    with serving("retry: 2000\n", ends=True) as url, Stream(url, PATH, "token") as stream:
        assert not stream.has_begun()
        assert stream.event_of("7") is None


def test_no_gateway_and_no_stream_are_told_in_words() -> None:
    with pytest.raises(DemoFailure, match="expected a stream; came: ConnectionRefusedError"):
        Stream(f"http://127.0.0.1:{free_port()}", PATH, "token")
    with serving("", 503) as url, pytest.raises(DemoFailure, match="expected 200; came: 503"):
        Stream(url, PATH, "token")
