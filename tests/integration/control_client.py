"""A client of the daemon's control socket, as a script would be one."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        assert self.content_type == "application/json"
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """An error's."""
        content = self.json()
        assert list(content) == ["message"]
        return str(content["message"])


class ControlClient:
    """One request a connection."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def call(self, method: str, path: str, query: dict[str, Any] | None = None,
             body: bytes = b"", timeout: float = 15) -> Reply:
        connection = UnixConnection(self.path, timeout)
        try:
            connection.request(method, path + ("?" + urlencode(query) if query else ""), body)
            response = connection.getresponse()
            return Reply(response.status, response.headers.get("Content-Type", ""),
                         response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        reply = self.call("GET", path)
        assert reply.status == 200, reply
        return reply.json()

    def post(self, path: str, content: Any = None, **query: Any) -> Any:
        body = b"" if content is None else json.dumps(content).encode()
        reply = self.call("POST", path, query, body)
        assert reply.status in (200, 202), reply
        return reply.json()

    def image(self, name: str) -> Any:
        return self.get(f"/v1/images/{quote(name, safe='')}")

    def raw(self, data: bytes, timeout: float = 15) -> bytes:
        """Sends these bytes, and all that comes back until the other side closes."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self.path))
            received = b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    received += chunk
            return received
