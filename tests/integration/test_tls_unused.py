"""Where no TLS is spoken, none is set up: no context for it is made, so no authority is read.

OpenSSL itself is set up by libcurl, whatever it is asked for (curl_global_init() has had no say in
it since 7.57): tests/bench/footprint tells what that costs.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from daemon import Daemon
from scenes import pulled
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]


class Calls:
    """What a daemon calls of OpenSSL."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "tls-calls"
        library = directory / "tls-calls.so"
        subprocess.run(["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library,
                        Path(__file__).with_name("tls_calls.c")], check=True)
        self.environment = {"LD_PRELOAD": str(library), "TLS_CALLS": str(self._file)}

    def count(self, name: str) -> int:
        return self._file.read_text().split().count(name) if self._file.exists() else 0


def test_a_unix_socket_sets_up_no_tls(daemon: MakeDaemon, scripted: ScriptedEngine,
                                      directory: Path) -> None:
    calls = Calls(directory)
    watching = daemon(scripted, environment=calls.environment)
    watching.start().wait_watching()
    pulled(scripted, "app")
    watching.fence()
    watching.stop()
    assert calls.count("SSL_CTX_new") == 0
    assert calls.count("OPENSSL_init_ssl") == 1


def test_tls_would_be_seen(daemon: MakeDaemon, directory: Path) -> None:
    """Nobody has to answer at the other end for a connection to want its context."""
    calls = Calls(directory)
    engine = ScriptedEngine(directory, tcp=True)
    engine.start()
    watching = daemon(engine, host=engine.tcp_host.replace("tcp:", "https:"),
                      environment=calls.environment)
    watching.start()
    watching.wait(lambda: calls.count("SSL_CTX_new") > 0, "TLS")
    engine.stop()
