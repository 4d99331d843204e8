"""The load of the benchmarks, on a small server of this process."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from benchmarks.load import hammer, paced, percentile, request


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]) if self.path[1:].isdigit() else 200)
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nhello\r\n0\r\n\r\n")
        elif self.path == "/304":
            self.end_headers()
        else:
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("path", "status"), [("/plain", 200), ("/chunks", 200), ("/304", 304)])
def test_every_request_is_answered_and_timed(port: int, path: str, status: int) -> None:
    answers = hammer(port, [request(path, {"Accept": "text/plain"})], connections=2, seconds=0.05, status=status)
    assert answers.latencies
    assert all(latency > 0 for latency in answers.latencies)
    assert answers.rate > 0


def test_another_status_than_the_one_that_is_wanted_ends_the_load(port: int) -> None:
    with pytest.raises(RuntimeError, match=r"not HTTP/1\.1 200 but .*404"):
        hammer(port, [request("/404", {})], connections=1, seconds=0.05)


def test_a_paced_load_asks_no_more_than_it_is_to(port: int) -> None:
    assert 1 <= len(paced(port, [request("/plain", {})], connections=2, seconds=0.1, rate=50).latencies) <= 6


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
