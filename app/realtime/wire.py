"""How clients of the gateway speak HTTP and WebSocket: uvicorn's protocols, with bounds that they do not have."""

from __future__ import annotations

import socket
from asyncio import TimerHandle, Transport
from asyncio.transports import BaseTransport
from typing import Any, Final, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from app.realtime.connections import MAX_WAITING
from app.realtime.gateway import ABORT

# Bytes that a client may send before its request is complete: a token and an address are much shorter.
MAX_HEAD: Final = 16 * 1024
# Seconds in which it must be.
HEAD_SECONDS: Final = 10.0
# Bytes that wait in the process before a writer is made to wait.
_HIGH_WATER: Final = 32 * 1024
# Milliseconds after which a peer that confirms nothing is taken for gone: without it, that takes a quarter of an hour.
_SILENCE: Final = 40_000
# Linux's number of the option, which Python has only there.
_TCP_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", None)


class Http(HttpToolsProtocol):
    """HTTP/1.1, with an end to the length and the time of a request's head."""

    _head = 0
    _patience: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the request."""
        super().connection_made(transport)
        _set_up(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._be_patient()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, or refuse it (RFC 6585, 431)."""
        self._head += len(data)
        if self._head > MAX_HEAD:
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
            self.transport.close()
            return
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_request()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Let the application cut the connection."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item]  # ours

    def on_message_complete(self) -> None:
        """The request is there; the next one may be as long."""
        self._head = 0
        self._be_patient()
        super().on_message_complete()

    def _wait_for_request(self) -> None:
        """From its first byte on each has its time, also one that follows another on the same connection."""
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class WebSocket(WebSocketsSansIOProtocol):
    """RFC 6455."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin the handshake."""
        super().connection_made(transport)
        cast("Transport", transport).set_write_buffer_limits(high=_HIGH_WATER)

    def handle_connect(self, event: Request) -> None:
        """Let the application, which runs when this has returned, cut the connection."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[ABORT] = self.transport.abort

    def handle_ping(self) -> None:
        """Answer, unless the answers wait already for one who takes none of them."""
        if self.transport.get_write_buffer_size() > MAX_WAITING:
            self.transport.abort()
        else:
            super().handle_ping()

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; text that is none ends the socket (RFC 6455, 8.1), and is no error to be logged."""
        try:
            if self.curr_msg_data_type == "text":
                b"".join(self.frames).decode()
        except UnicodeDecodeError:
            self.frames = []
            self.conn.send_close(1007)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        """Send; a refusal completes the handshake, which uvicorn only knows once the connection has gone."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True


def _set_up(transport: Transport) -> None:
    transport.set_write_buffer_limits(high=_HIGH_WATER)
    peer = transport.get_extra_info("socket")
    if peer is not None and _TCP_USER_TIMEOUT is not None:
        peer.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, _SILENCE)
