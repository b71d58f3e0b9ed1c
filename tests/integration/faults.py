"""What can go wrong between an engine and its client, as small functions.

A fault gets the exchange: it may let the engine handle the request (`exchange.handle()`) or
not, and does with the wire what it likes. `engine.script("GET", "/images/json", faults.html())`.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from wire import Response, Wire, chunk, head

JSON = {"Content-Type": "application/json"}


class Exchange(Protocol):
    """One request that is being answered."""

    wire: Wire

    def handle(self) -> Response:
        """What the engine answers if all is well; this is when it changes its state."""


Fault = Callable[[Exchange], None]


def reply(status: int = 200, body: Any = b"", headers: dict[str, str] | None = None) -> Fault:
    """Answers so, and the engine never sees the request. A body that is not bytes becomes JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda exchange: exchange.wire.send(Response(status, raw, headers or JSON))


def html(status: int = 502) -> Fault:
    """A proxy's error page."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    return reply(status, page, {"Content-Type": "text/html"})


def delay(seconds: float) -> Fault:
    """The right answer, late."""
    def fault(exchange: Exchange) -> None:
        exchange.wire.pause(seconds)
        exchange.wire.send(exchange.handle())
    return fault


def hang(until: threading.Event) -> Fault:
    """No answer before UNTIL is set; then the right one."""
    def fault(exchange: Exchange) -> None:
        while not until.is_set():
            exchange.wire.pause(0.02)
        exchange.wire.send(exchange.handle())
    return fault


def split(size: int = 1) -> Fault:
    """The right answer, SIZE bytes at a time."""
    def fault(exchange: Exchange) -> None:
        exchange.wire.piece = size
        exchange.wire.send(exchange.handle())
    return fault


def truncate(keep: int) -> Fault:
    """A body that is announced whole and ends after KEEP bytes, at least one too early."""
    def fault(exchange: Exchange) -> None:
        response = exchange.handle()
        assert isinstance(response.body, bytes)
        length = {"Content-Length": str(len(response.body))}
        exchange.wire.write(head(response.status, {**response.headers, **length}))
        exchange.wire.write(response.body[:min(keep, len(response.body) - 1)])
        exchange.wire.close()
    return fault


def content_length(length: int) -> Fault:
    """A Content-Length that is a lie. Where it is too short, the rest is left in the pipe."""
    def fault(exchange: Exchange) -> None:
        response = exchange.handle()
        assert isinstance(response.body, bytes)
        lie = {"Content-Length": str(length)}
        exchange.wire.write(head(response.status, {**response.headers, **lie}) + response.body)
        exchange.wire.close()
    return fault


def close() -> Fault:
    """No answer at all."""
    return lambda exchange: exchange.wire.close()


def garbage(data: bytes = b"\x00\xff\x16\x03\x01 not HTTP\r\n\r\n") -> Fault:
    """Bytes that are no HTTP."""
    def fault(exchange: Exchange) -> None:
        exchange.wire.write(data)
        exchange.wire.close()
    return fault


def endless(total: int = 10**9, prefix: bytes = b"[",
            item: bytes = b'{"Id":"sha256:0","RepoTags":[]},') -> Fault:
    """A JSON list of TOTAL bytes, made as it goes."""
    def fault(exchange: Exchange) -> None:
        block = chunk(item * (2**20 // len(item)))
        exchange.wire.write(head(200, {**JSON, "Transfer-Encoding": "chunked"}))
        exchange.wire.write(chunk(prefix))
        for _ in range(0, total, len(block)):
            exchange.wire.write(block)
        exchange.wire.close()
    return fault


# Faults of GET /events

def stream_ends(after: int, mid_line: bool = False, clean: bool = True) -> Fault:
    """The stream ends after so many events: within the next line, with or without last chunk."""
    def cut(lines: Iterator[bytes]) -> Iterator[bytes]:
        events = filter(None, lines)
        yield from itertools.islice(events, after)
        if mid_line:
            line = next(events)
            yield line[:len(line) // 2]

    def fault(exchange: Exchange) -> None:
        response = exchange.handle()
        assert not isinstance(response.body, bytes)
        lines = iter(response.body)
        if clean:
            exchange.wire.send(Response(response.status, cut(lines), response.headers))
            return
        exchange.wire.write(head(200, {**response.headers, "Transfer-Encoding": "chunked"}))
        for line in cut(lines):
            exchange.wire.write_chunk(line)
        exchange.wire.close()
    return fault


def stream_silent() -> Fault:
    """Headers, then nothing, for ever."""
    def fault(exchange: Exchange) -> None:
        exchange.wire.write(head(200, {**JSON, "Transfer-Encoding": "chunked"}))
        while True:
            exchange.wire.pause(0.1)
    return fault
