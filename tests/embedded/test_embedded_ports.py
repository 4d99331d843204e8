"""Ports that the embedded servers and the tests listen at."""

from __future__ import annotations

import socketserver
import threading
from pathlib import Path
from typing import cast

import pytest

from app.embedded import ports
from app.embedded.application import Application
from app.embedded.stack import EmbeddedStack


class _Echo(socketserver.BaseRequestHandler):
    """Answers as a socket does that is connected to itself."""

    def handle(self) -> None:
        self.request.sendall(self.request.recv(1000))


def test_a_port_is_none_of_those_that_the_system_gives_to_connections(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "ip_local_port_range"
    told.write_text("20100\t60999\n", encoding="ascii")
    monkeypatch.setattr(ports, "_SYSTEMS_OWN", told)
    for _ in range(20):
        port = ports.free_port(2)
        assert 20_000 <= port < port + 1 < 20_100
        assert ports.is_free(port)
        assert ports.is_free(port + 1)


@pytest.mark.parametrize("range_of_the_system", ["1024\t65535\n", "20002 60999"])
def test_where_the_system_has_nearly_all_ports_one_of_its_own_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, range_of_the_system: str
) -> None:
    told = tmp_path / "ip_local_port_range"
    told.write_text(range_of_the_system, encoding="ascii")
    monkeypatch.setattr(ports, "_SYSTEMS_OWN", told)
    port = ports.free_port(2)
    assert ports.is_free(port)
    assert ports.is_free(port + 1)


@pytest.mark.parametrize("told", [None, "", "not numbers"])
def test_without_word_of_the_system_rfc_6335_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: str | None
) -> None:
    path = tmp_path / "ip_local_port_range"
    if told is not None:
        path.write_text(told, encoding="ascii")
    monkeypatch.setattr(ports, "_SYSTEMS_OWN", path)
    assert all(20_000 <= ports.free_port() < 49_152 for _ in range(20))


def test_what_answers_with_the_question_is_not_ready() -> None:
    with socketserver.ThreadingTCPServer((ports.LOOPBACK, 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        application = Application(cast("EmbeddedStack", None), server.server_address[1], {})
        assert not application.is_ready()
        server.shutdown()
