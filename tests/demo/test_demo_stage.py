"""Where the demo listens: at two ports that follow each other."""

from __future__ import annotations

import socket

import pytest

from app.demo import stage
from app.embedded.ports import LOOPBACK, is_free
from tests.support.processes import free_port


@pytest.mark.parametrize("taken", [0, 1])
def test_a_port_is_chosen_whose_next_is_free_too(monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    usual = free_port()
    monkeypatch.setattr(stage, "DEFAULT_PORT", usual)
    with socket.socket() as other:
        other.bind((LOOPBACK, usual + taken))
        other.listen()
        chosen = stage.choose_port()
        assert chosen not in (usual, usual + taken)
        assert is_free(chosen)
        assert is_free(chosen + 1)
