"""Every route, asked by whoever has lost his mind: 4xx or a closed connection, a quiet log, and the
daemon goes on watching."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
from collections.abc import Callable

import pytest

from daemon import Daemon
from scenes import SOAK, pulled
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]

ROUTES = ("GET /v1/status", "GET /v1/images", "GET /v1/images/127.0.0.1:5000%2Fapp:1",
          "GET /v1/plan", "POST /v1/gc?dry_run=1", "GET /v1/history", "POST /v1/track",
          "POST /v1/forget", "POST /v1/pause?for=1ms", "POST /v1/resume", "GET /metrics")

# 409 is for a collection that somebody asks for after a byte made the pause one without an end.
STATUSES = (100, 200, 202, 400, 404, 405, 409, 411, 413, 414, 417, 501, 505)

SEED = int(os.environ.get("DOCKERGCD_SEED", "0")) or random.randrange(1, 2**31)
ROUNDS = 5000 if SOAK else 150

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get",
           "", "G\0T", "X" * 300)
TARGETS = ("", "*", "//", "/v1/../metrics", "http://x:99999/v1/status", "/%", "/%0", "/%zz",
           "/v1/images/%00", "/v1/images/%ff%fe", "/v1/images/" + "%2e%2e%2f" * 200,
           "/v1/images/\xff\xfe", "/" + "a" * 20000, "/v1/pause?for=%00", "/v1/pause?for=99999w",
           "/v1/pause?" + "&" * 1000, "/v1/gc?wait", "/v1/gc?dry_run=%ff", "/v1/status?%=%",
           "/v1/images/sha256:" + "0" * 63, "/v1/images/-", "/v1/status#x", "[::1", "/v1/gc?=&=&")
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "HTTP/1", "HTTP/-1.1", "", "FTP/1.1")
HEADERS = ("Host: d", "Content-Length: -1", "Content-Length: 99999999999999999999",
           "Content-Length: 2000000", "Content-Length: 5", "Content-Length: x",
           "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Expect: 100-continue",
           "Expect: nonsense", "Connection: close", "Connection: upgrade", "Upgrade: h2c",
           "Content-Type: text/plain", "X: " + "y" * 20000, "no colon", ": empty", "X:\0",
           " folded: line", "X: \x1b[31m")
BODIES = (b"", b"{", b"null", b"[]", b'{"images":[]}', b'{"images":["app"]}', b'{"images":[1]}',
          b'{"images":["' + b"a" * 100000 + b'"]}', b'{"images":["\\u0000"]}',
          b'{"images":["\xff"]}', b"[" * 50000, b'{"images":' * 2000, b"5\r\nhello\r\n0\r\n\r\n",
          b"fffffffffffffffff\r\n", b"\0" * 100, b'{"images":["x","-","Y"]}')


def some(choice: random.Random, texts: tuple[str, ...], usual: str) -> str:
    return choice.choice(texts) if choice.random() < 0.3 else usual


def request(choice: random.Random, route: str) -> bytes:
    """Mostly a request of this route, with something wrong about it."""
    method, target = route.split(" ")
    lines = [" ".join((some(choice, METHODS, method), some(choice, TARGETS, target),
                       some(choice, VERSIONS, "HTTP/1.1")))]
    lines += choice.sample(HEADERS, choice.randrange(4))
    body = choice.choice(BODIES) if choice.random() < 0.6 else b""
    if choice.random() < 0.6:
        lines.append(f"Content-Length: {len(body)}")
    data = bytearray("\r\n".join((*lines, "", "")).encode("latin-1") + body)
    while data and choice.random() < 0.3:
        data[choice.randrange(len(data))] = choice.randrange(256)
    if choice.random() < 0.1:
        del data[choice.randrange(len(data) + 1):]
    return bytes(data)


def answers(received: bytes) -> list[int]:
    """The statuses of what came back, which must be HTTP; libevent repeats the client's version."""
    assert not received or re.match(rb"HTTP/-?\d+\.\d+ \d{3} ", received), received[:100]
    return [int(status) for status in re.findall(rb"(?m)^HTTP/\S+ (\d{3}) ", received)]


def tcp(port: int, data: bytes) -> bytes:
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection, \
            contextlib.suppress(ConnectionError):
        connection.sendall(data)
        with contextlib.suppress(OSError):  # closed from the other side
            connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(65536):
            received += chunk
    return received


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("over", ["socket", "tcp"])
def test_whatever_is_sent(daemon: MakeDaemon, scripted: ScriptedEngine, over: str,
                          route: str) -> None:
    port = free_port()
    made = daemon(scripted, {"gc": {"interval": "1h"},
                             "control": {"metrics_listen": f"127.0.0.1:{port}"}})
    made.start().wait_watching()
    pulled(scripted, "app")
    made.fence()
    choice = random.Random(f"{SEED} {over} {route}")
    for number in range(ROUNDS):
        data = request(choice, route)
        received = made.control.raw(data) if over == "socket" else tcp(port, data)
        for status in answers(received):
            assert status in STATUSES, (
                f"DOCKERGCD_SEED={SEED}, round {number}", data[:2000], received[:2000])
    assert not re.findall(r"^(?:error|warning): .*", made.log, re.MULTILINE)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", made.log), "control characters in the log"
    another = pulled(scripted, "another")
    made.control.post("/v1/resume")
    made.wait(lambda: made.control.call("GET", f"/v1/images/{another.id}").status == 200,
              "it is watching")


def test_seeds_make_the_same_requests() -> None:
    first, second = random.Random("7"), random.Random("7")
    assert [request(first, ROUTES[0]) for _ in range(50)] == [
        request(second, ROUTES[0]) for _ in range(50)]
