"""What a connection does with what is put down for it, without a network."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, MutableMapping
from typing import Any

import pytest

from app.inbox import changes
from app.realtime import messages
from app.realtime.connections import MAX_WAITING, Opened, Position, Sse
from app.realtime.credentials import Identity
from app.realtime.figures import Figures
from app.realtime.messages import make_message


class Wire:
    """Takes what is sent, as soon as it is open."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.is_cut = False
        self.figures = Figures(Counter, lambda: True)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.is_open.wait()
        self.sent.append(message["body"])

    def cut(self) -> None:
        self.is_cut = True

    def client(self, known: Position | None = None) -> Sse:
        client = Sse(Identity(1, 0, 0), self.send, self.cut, self.figures)
        client.begin(Opened(at(5), known is None or known == at(5), []), known)
        client.start()
        return client

    def unanswered(self) -> Sse:
        """A client who was taken in, and has not been answered yet."""
        client = Sse(Identity(1, 0, 0), self.send, self.cut, self.figures)
        client.begin(Opened(at(5), is_complete=True, messages=[]), None)
        return client

    def ids(self) -> list[str]:
        return [
            line.partition(":")[2].strip() for line in b"".join(self.sent).decode().splitlines() if "id:" in line[:3]
        ]


def at(number: int, epoch: str = "a" * 16) -> Position:
    return Position(epoch, number)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


MESSAGE = make_message("new", None, 1)


def test_messages_come_in_order_once_and_a_gap_is_noticed() -> None:
    async def work() -> None:
        wire = Wire()
        client = wire.client()
        assert [client.take(at(number), MESSAGE) for number in (6, 6, 5, 7, 9)] == [True, True, True, True, False]
        assert not client.take(at(8, "b" * 16), MESSAGE)
        client.held = []
        assert client.take(at(10), MESSAGE)  # while what was missed is read
        assert client.resume(Opened(at(9), is_complete=True, messages=[MESSAGE, MESSAGE]))
        await settle()
        assert wire.ids() == [f"{'a' * 16}-{number}" for number in range(5, 11)]
        assert wire.figures.sent == 5

    run(work())


def test_who_was_brought_up_to_date_twice_gets_nothing_twice() -> None:
    async def work() -> None:
        wire = Wire()
        client = wire.client()
        missed = Opened(at(7), is_complete=True, messages=[MESSAGE, MESSAGE])
        new = Opened(at(1, "b" * 16), is_complete=False, messages=[""])
        for opened in (missed, missed, new, new):
            client.held = []
            assert client.resume(opened)
        await settle()
        assert wire.ids() == [f"{'a' * 16}-{number}" for number in (5, 6, 7)] + [f"{'b' * 16}-1"]
        assert wire.figures.resyncs == 1

    run(work())


def test_more_than_may_wait_was_missed() -> None:
    async def work() -> None:
        wire = Wire()
        client = wire.client()
        client.held = []
        long = make_message("new", {"text": "x" * 30_000}, 4)
        assert client.resume(Opened(at(15), is_complete=True, messages=[long] * 10))
        await settle()
        assert b'"action":"resync","notification":null,"unread-count":4' in wire.sent[-1]

    run(work())


def test_a_client_that_takes_nothing_is_cut_off_when_too_much_waits() -> None:
    async def work() -> None:
        wire = Wire()
        client = wire.client()
        await settle()
        wire.is_open.clear()
        chunk = b"x" * 1024
        for _ in range(MAX_WAITING // len(chunk)):
            client.offer(chunk)
        await settle()
        assert not wire.is_cut
        client.offer(chunk)
        assert wire.is_cut
        assert client.is_over
        assert wire.figures.dropped == {"slow": 1}

    run(work())


def test_a_heartbeat_comes_when_nothing_else_is_on_its_way_and_a_goodbye_ends_it() -> None:
    async def work() -> None:
        wire = Wire()
        client = wire.client()
        client.heartbeat()
        await settle()
        assert len(wire.sent) == 1  # the opening was on its way
        client.heartbeat()
        await settle()
        assert wire.sent[-1] == b":\n\n"
        client.end("shutdown")
        client.end("shutdown")
        client.offer(b"too late")
        await settle()
        assert wire.sent[-1].startswith(b"retry: ")
        assert wire.figures.dropped == {"shutdown": 1}

    run(work())


def test_who_is_ended_before_the_answer_has_begun_is_told_so_after_it() -> None:
    async def work() -> None:
        wire = Wire()
        client = wire.unanswered()
        client.end("ended")
        client.end("shutdown")
        await settle()
        assert wire.sent == []
        client.start()
        await settle()
        assert wire.sent[-1].endswith(b": bye\n\n")
        assert wire.figures.dropped == {"ended": 1}

    run(work())


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\n", "\r"])
def test_no_text_ends_a_line_of_an_event(character: str) -> None:
    event = messages.sse_event("a-1", make_message("new", {"title": f"a{character}b"}, 1)).decode()
    assert len(event.splitlines()) == 4


def test_both_sides_mean_the_same_by_a_resync() -> None:
    assert messages.RESYNC == changes.RESYNC
