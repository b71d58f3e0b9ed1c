"""What can go wrong between an engine and its client, as small functions.

A fault gets the exchange: it may let the engine handle the request (`exchange.handle()`) or
not, and does with the wire what it likes. `engine.script("GET", "/images/json", faults.html())`.
What an engine cannot be made to do itself, a relay between it and the daemon does.
"""

from __future__ import annotations

import contextlib
import fnmatch
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

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


def in_containerd(engine: Any) -> Fault:
    """An engine that says that the containerd image store holds its images."""
    info = engine.client.call("GET", "/info").json()
    return reply(200, info | {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]})


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

# Between a daemon and any engine, a real one too

class Passage:
    """One connection through a relay, and the request that is on it now."""

    def __init__(self, client: socket.socket, engine_path: Path) -> None:
        self.client = client
        self.request = ""
        """As in `GET /v1.41/events?…`."""
        self.left: int | None = None
        """Where not None: after so many more bytes of the answer the connection is cut."""
        self._engine_path = engine_path
        self._engine: socket.socket | None = None

    def forward(self, data: bytes) -> None:
        """Passes a request on."""
        if self._engine is None:
            self._engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._engine.connect(str(self._engine_path))
            threading.Thread(target=self._pump, args=(self._engine,), daemon=True).start()
        self._engine.sendall(data)

    def cut(self) -> None:
        """Ends it on both sides."""
        for each in (self.client, self._engine):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _pump(self, engine: socket.socket) -> None:
        """Passes the answers back."""
        with contextlib.suppress(OSError):
            while data := engine.recv(65536):
                if self.left is not None:
                    data = data[:self.left]
                    self.left -= len(data)
                self.client.sendall(data)
                if self.left == 0:
                    break
        self.cut()
        engine.close()


Wrong = Callable[[Passage], bool]
"""What a relay does before it passes a request on, and whether it does that at all."""


def held(until: threading.Event) -> Wrong:
    """The request is passed on once UNTIL is set; true of a long way as of a slow engine."""
    def wrong(_passage: Passage) -> bool:
        return until.wait(60)
    return wrong


def answered(raw: bytes) -> Wrong:
    """The engine never sees the request; these bytes come back, and the end."""
    def wrong(passage: Passage) -> bool:
        passage.client.sendall(raw)
        return False
    return wrong


def cut_after(size: int) -> Wrong:
    """The engine does what it is asked, and SIZE bytes of its answer come through."""
    def wrong(passage: Passage) -> bool:
        passage.left = size
        return True
    return wrong


def until_empty_line(incoming: BinaryIO) -> Iterator[bytes]:
    """The lines of a request's head, or what is there of it."""
    for line in incoming:
        yield line
        if line == b"\r\n":
            return


class Relay:
    """A proxy on a Unix socket in front of an engine: passes all on, and does wrong on demand.

    Requests are matched by patterns: `GET */events*`. It takes requests without a body, which all
    of the daemon's are.
    """

    def __init__(self, directory: Path, engine_path: Path) -> None:
        self._engine_path = engine_path
        self._path = directory / "relay.sock"
        self._lock = threading.Lock()
        self._wrongs: list[tuple[str, Wrong, list[None] | None]] = []
        self._requests: list[str] = []
        self._times: list[int] = []
        self._passages: set[Passage] = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self._path))
        self._socket.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def host(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self._path}"

    def script(self, pattern: str, wrong: Wrong, times: int | None = None) -> None:
        """From now on WRONG is done to the next TIMES (None: all) such requests."""
        with self._lock:
            self._wrongs.append((pattern, wrong, None if times is None else [None] * times))

    def heal(self) -> None:
        """From now on nothing is wrong."""
        with self._lock:
            self._wrongs.clear()

    def requests(self, pattern: str = "*") -> list[str]:
        """The requests so far, in order, that match."""
        with self._lock:
            return fnmatch.filter(self._requests, pattern)

    def forget_requests(self) -> None:
        with self._lock:
            self._requests.clear()
            self._times.clear()

    def times(self, pattern: str) -> list[int]:
        """When such requests came, in nanoseconds, before they were passed on."""
        with self._lock:
            return [when for when, request in zip(self._times, self._requests, strict=True)
                    if fnmatch.fnmatchcase(request, pattern)]

    def cut(self, pattern: str = "*") -> int:
        """Ends the connections with such a request on them; how many there were."""
        with self._lock:
            found = [each for each in self._passages
                     if fnmatch.fnmatchcase(each.request, pattern)]
            self._passages.difference_update(found)
        for each in found:
            each.cut()
        return len(found)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                passage = Passage(client, self._engine_path)
                threading.Thread(target=self._serve, args=(passage,), daemon=True).start()

    def _serve(self, passage: Passage) -> None:
        with self._lock:
            self._passages.add(passage)
        with contextlib.suppress(OSError), passage.client.makefile("rb") as incoming:
            while request := b"".join(until_empty_line(incoming)):
                if not self._pass_on(passage, request):
                    break
        passage.cut()
        with self._lock:
            self._passages.discard(passage)
        passage.client.close()

    def _pass_on(self, passage: Passage, request: bytes) -> bool:
        passage.request = request.partition(b"\r\n")[0].decode().removesuffix(" HTTP/1.1")
        with self._lock:
            self._requests.append(passage.request)
            self._times.append(time.time_ns())
            wrong = self._find_wrong(passage.request)
        if wrong is not None and not wrong(passage):
            return False
        passage.forward(request)
        return True

    def _find_wrong(self, request: str) -> Wrong | None:
        for pattern, wrong, left in self._wrongs:
            if fnmatch.fnmatchcase(request, pattern) and left != []:
                if left:
                    left.pop()
                return wrong
        return None
