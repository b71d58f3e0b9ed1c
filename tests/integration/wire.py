"""Answers as they go over a connection: whole, in pieces, or as a fault wants them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

CHUNKED_FROM = 2048
"""Go's server sends longer bodies in chunks, without a Content-Length."""


class Gone(Exception):
    """The connection is over: the other side closed it, or a fault did."""


@dataclass(frozen=True)
class Response:
    """What the engine answers: a body, or a stream of lines that are chunks each."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Status line and headers."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """One chunk of the chunked encoding; without data the last one."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Wire:
    """One connection's way out."""

    def __init__(self, connection: socket.socket, stopping: threading.Event,
                 head_only: bool = False) -> None:
        self._connection = connection
        self._head_only = head_only
        self.stopping = stopping
        self.piece = 0
        """Where not 0: at most so many bytes a write."""

    def write(self, data: bytes) -> None:
        """Raw bytes."""
        step = self.piece or len(data)
        try:
            for begin in range(0, len(data), step or 1):
                self._connection.sendall(data[begin:begin + step])
        except OSError as error:
            raise Gone from error

    def pause(self, seconds: float) -> None:
        """Waits, unless the engine is stopped meanwhile."""
        if self.stopping.wait(seconds):
            self.close()

    def close(self) -> None:
        """Ends the connection here and now."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        raise Gone

    def send(self, response: Response) -> None:
        """The whole answer, framed as Go's server does."""
        if not isinstance(response.body, bytes):
            self._send_stream(response, response.body)
            return
        body = response.body
        if self._head_only:
            body = b""
        if len(body) > CHUNKED_FROM:
            frame = {"Transfer-Encoding": "chunked"}
            body = chunk(body) + chunk(b"")
        else:
            frame = {} if response.status in (204, 304) else {"Content-Length": str(len(body))}
        self.write(head(response.status, {**response.headers, **frame}) + body)

    def _send_stream(self, response: Response, lines: Iterable[bytes]) -> None:
        """Headers at once, then a chunk a line, for as long as it goes on."""
        self.write(head(response.status, {**response.headers, "Transfer-Encoding": "chunked"}))
        for line in lines:
            self.write_chunk(line)
        self.write(chunk(b""))

    def write_chunk(self, line: bytes) -> None:
        """A line as a chunk; where there is none, looks whether the client is still there."""
        if line:
            self.write(chunk(line))
        elif self._hung_up():
            self.close()

    def _hung_up(self) -> bool:
        try:
            return not self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
