"""Addresses of engines: in which forms they are taken, and what is said of those that are not."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from certificates import loopback
from daemon import Daemon
from docker_cli import create_context, docker
from engine_client import UnixConnection
from scenes import found
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]

NOWHERE = "unix:///nonexistent/docker.sock"

ADVICE = re.compile(r"ssh:// is not supported\. Forward the engine's socket instead: "
                    r"ssh -nNT -L \S+:/var/run/docker.sock HOST, then use unix://")


@pytest.mark.parametrize("source", ["option", "variable", "context"])
def test_ssh_is_refused_with_advice(daemon: MakeDaemon, docker_config: Path, source: str) -> None:
    """And it is said who wanted it."""
    url = "ssh://somebody@somewhere"
    made = daemon(url if source == "variable" else NOWHERE)
    if source == "context":
        made.environment["DOCKER_HOST"] = ""
        create_context(docker_config, "far", host=url)
        docker(docker_config, "context", "use", "far")
    done = made.run("--foreground", *(["--host", url] if source == "option" else []))
    who, code = {"option": ("--host", 2), "variable": ("DOCKER_HOST", 78),
                 "context": ('the docker context "far"', 78)}[source]
    assert done.returncode == code
    assert f"{who}: {url}: " in done.stderr
    assert ADVICE.search(done.stderr), done.stderr


@pytest.mark.parametrize("option", ["--check-config", "--foreground"])
def test_ssh_in_the_configuration_is_refused_with_its_place(daemon: MakeDaemon,
                                                            option: str) -> None:
    made = daemon(NOWHERE)
    made.config_path.write_text('engine: {\n  host = "ssh://somebody@somewhere";\n};\n')
    done = made.run(option)
    assert done.returncode == 78
    assert f"{made.config_path}:2: engine.host: ssh://somebody@somewhere: " in done.stderr
    assert ADVICE.search(done.stderr), done.stderr


@pytest.mark.parametrize("form", ["tcp://{}", "{}", "tcp://{}:2375", "{}:2375/", "http://{}"])
def test_forms_of_an_address_on_tcp(
        daemon: MakeDaemon, scripted_engine: Callable[..., ScriptedEngine], form: str) -> None:
    """Without a scheme it is tcp, without a port and TLS 2375."""
    address = loopback(1)
    engine = scripted_engine(tcp=True, tcp_address=(address, 2375))
    made = daemon(engine, host=form.format(address)).start()
    scheme = "http" if form.startswith("http") else "tcp"
    found(made, f"{scheme}://{address}:2375", "DOCKER_HOST")


class Prefixed(BaseHTTPRequestHandler):
    """A proxy that has an engine below /docker, and nothing else."""

    engine: Path

    def do_GET(self) -> None:
        connection = UnixConnection(self.engine)
        connection.request("GET", self.path.removeprefix("/docker")
                           if self.path.startswith("/docker/") else "/nowhere")
        answer = connection.getresponse()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.end_headers()
        with contextlib.suppress(OSError):  # nobody listens any more
            while piece := answer.read1():
                self.wfile.write(piece)

    def log_message(self, *_args: object) -> None:
        """The daemon's log is enough."""


def test_an_engine_below_a_path_of_its_proxy(daemon: MakeDaemon,
                                             scripted: ScriptedEngine) -> None:
    """As docker takes such an address."""
    handler = type("Handler", (Prefixed,), {"engine": scripted.socket_path})
    with ThreadingHTTPServer((loopback(4), 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"tcp://{loopback(4)}:{server.server_port}/docker"
        made = daemon(scripted, host=f"{url}/").start()
        found(made, url, "DOCKER_HOST")
        made.kill()
        server.shutdown()
