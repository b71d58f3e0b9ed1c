"""Where the engine is: what is asked in which order, docker's contexts, Unix sockets.

Each source wins over all that come after it, and is passed over where it says nothing. What was
found first is kept until a reload.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon import Daemon
from docker_cli import create_context, docker
from engines import Engine
from mounts import Mounts
from scenes import found, pulled
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]

RUN = Path("/run")
"""Docker's own socket is in /var/run, which is the same."""
DEFAULT = "unix:///var/run/docker.sock"
USUAL = "the usual places"
UNSET = {"DOCKER_HOST": "", "DOCKER_CONTEXT": ""}
"""Empty is unset, for both."""


class Machine:
    """A daemon with a /run of its own, and with engines wherever a test puts them."""

    def __init__(self, daemon: Daemon, mounts: Mounts) -> None:
        mounts.mount("-t", "tmpfs", "tmpfs", str(RUN))
        self.daemon = daemon
        self._mounts = mounts
        daemon.front = mounts.enter
        daemon.environment |= UNSET
        self.runtime = daemon.directory / "run"
        """Its XDG_RUNTIME_DIR."""
        self.docker_config = daemon.directory / "home/.docker"
        self._engines: list[ScriptedEngine] = []

    def engine(self, path: Path) -> ScriptedEngine:
        """One that is behind this socket, as the daemon sees it, and has a name of its own."""
        number = len(self._engines)
        made = ScriptedEngine(self.daemon.directory / f"engine-{number}", engine_id=f"ID{number}")
        made.socket_path = self._mounts.inside(path)
        made.client.socket_path = made.socket_path
        made.socket_path.parent.mkdir(parents=True, exist_ok=True)
        made.start()
        self._engines.append(made)
        return made

    def asked(self) -> list[ScriptedEngine]:
        """The engines that anything was asked of."""
        return [each for each in self._engines if each.requests()]

    def forget(self) -> None:
        for each in self._engines:
            each.forget_requests()

    def close(self) -> None:
        for each in self._engines:
            each.stop()


@pytest.fixture
def machine(daemon: MakeDaemon, mounts: Callable[..., Mounts]) -> Iterator[Machine]:
    made = Machine(daemon(DEFAULT), mounts())
    yield made
    made.close()


# The order

@dataclass
class Source:
    """One of the places that say where the engine is."""

    name: str
    said_as: str
    path: str
    """The engine's socket; `%` stands for XDG_RUNTIME_DIR."""
    prepare: Callable[[Machine, str], object] = field(default=lambda machine, url: None)
    url: str = ""
    """If it is not that of the path."""


def by_option(machine: Machine, url: str) -> None:
    machine.daemon.arguments += ("--host", url)


def by_setting(machine: Machine, url: str) -> None:
    machine.daemon.configure({"engine": {"host": url}})


def by_variable(machine: Machine, url: str) -> None:
    machine.daemon.environment["DOCKER_HOST"] = url


def by_context_variable(machine: Machine, url: str) -> None:
    create_context(machine.docker_config, "named", host=url)
    machine.daemon.environment["DOCKER_CONTEXT"] = "named"


def by_current_context(machine: Machine, url: str) -> None:
    create_context(machine.docker_config, "current", host=url)
    docker(machine.docker_config, "context", "use", "current")


SOURCES = (
    Source("option", "--host", "%/option.sock", by_option),
    Source("setting", "engine.host", "%/setting.sock", by_setting),
    Source("variable", "DOCKER_HOST", "%/variable.sock", by_variable),
    Source("context-variable", 'the docker context "named"', "%/named.sock", by_context_variable),
    Source("current-context", 'the docker context "current"', "%/current.sock",
           by_current_context),
    Source("rootless", USUAL, "%/docker.sock"),
    Source("docker", USUAL, "/run/docker.sock", url=DEFAULT),
    Source("rootless-podman", USUAL, "%/podman/podman.sock"),
    Source("podman", USUAL, "/run/podman/podman.sock"),
)


@pytest.mark.parametrize("first", range(len(SOURCES)), ids=[each.name for each in SOURCES])
def test_each_source_wins_over_all_that_come_after_it(machine: Machine, first: int) -> None:
    """Those before it say nothing, all after it say something else."""
    engines = []
    for source in SOURCES[first:]:
        path = Path(source.path.replace("%", str(machine.runtime)))
        engines.append(machine.engine(path))
        source.prepare(machine, f"unix://{path}")
    machine.daemon.start()
    winner = SOURCES[first]
    path = winner.path.replace("%", str(machine.runtime))
    found(machine.daemon, winner.url or f"unix://{path}", winner.said_as)
    assert machine.asked() == engines[:1]


def test_a_runtime_directory_that_is_not_set_has_no_sockets(machine: Machine) -> None:
    machine.engine(machine.runtime / "docker.sock")
    last = machine.engine(RUN / "podman/podman.sock")
    machine.daemon.environment["XDG_RUNTIME_DIR"] = ""
    machine.daemon.start()
    found(machine.daemon, "unix:///run/podman/podman.sock", USUAL)
    assert machine.asked() == [last]


# Kept until reload

def test_without_any_engine_dockers_own_socket_is_waited_for(machine: Machine) -> None:
    """Podman's, which comes meanwhile, is not taken for it."""
    machine.daemon.start()
    machine.daemon.wait_status(f"Waiting for Docker Engine at {DEFAULT}")
    machine.engine(RUN / "podman/podman.sock")
    machine.daemon.wait_log(r"next try in at most \d{4} ms")
    own = machine.engine(RUN / "docker.sock")
    found(machine.daemon, DEFAULT, USUAL)
    assert machine.asked() == [own]


def test_a_socket_that_vanishes_is_waited_for(machine: Machine) -> None:
    first = machine.engine(machine.runtime / "docker.sock")
    second = machine.engine(RUN / "docker.sock")
    url = f"unix://{machine.runtime}/docker.sock"
    machine.daemon.start()
    found(machine.daemon, url, USUAL)
    first.stop()
    assert not (machine.runtime / "docker.sock").exists()
    machine.daemon.wait_status(f"Waiting for Docker Engine at {url}")
    machine.daemon.wait_log(r"next try in at most \d{4} ms")
    first.start()
    machine.daemon.wait_status(f"Watching {url}")
    assert not second.requests()


def test_b42_a_reload_searches_anew(machine: Machine) -> None:
    """What is gone by then is passed over; while what was found is there, nothing changes."""
    first = machine.engine(machine.runtime / "docker.sock")
    machine.engine(RUN / "docker.sock")
    url = f"unix://{machine.runtime}/docker.sock"
    machine.daemon.start()
    found(machine.daemon, url, USUAL)
    reload(machine.daemon)
    machine.daemon.fence()
    assert machine.asked() == [first]
    first.stop()
    machine.daemon.wait_status(f"Waiting for Docker Engine at {url}")
    reload(machine.daemon)
    found(machine.daemon, DEFAULT, USUAL)


def reload(daemon: Daemon, says: str = "^info: configuration reloaded") -> None:
    before = len(re.findall(says, daemon.log, re.MULTILINE))
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: len(re.findall(says, daemon.log, re.MULTILINE)) > before, says)


# Docker's contexts, as its command line writes them

def in_context(daemon: MakeDaemon, engine: Engine | str = DEFAULT, **environment: str) -> Daemon:
    """A daemon that nothing but contexts tells where the engine is."""
    return daemon(engine, environment=UNSET | environment)


@pytest.mark.parametrize("name", ["remote", "a.5_+-B"])
def test_the_current_context_of_a_real_command_line(
        daemon: MakeDaemon, docker_config: Path, engine: Engine, name: str) -> None:
    create_context(docker_config, name, host=engine.host)
    docker(docker_config, "context", "use", name)
    made = in_context(daemon, engine).start()
    found(made, engine.host, f'the docker context "{name}"')
    made.wait(lambda: made.collections, "the collection at start-up")
    image = pulled(engine, "app")
    made.fence()
    assert image.id in made.stop().ids


def test_the_folder_of_contexts_may_be_elsewhere(
        daemon: MakeDaemon, docker_config: Path, directory: Path,
        scripted: ScriptedEngine) -> None:
    create_context(docker_config, "same", host="unix:///nonexistent/wrong.sock")
    create_context(directory / "elsewhere", "same", host=scripted.host)
    docker(directory / "elsewhere", "context", "use", "same")
    made = in_context(daemon, scripted, DOCKER_CONFIG=str(directory / "elsewhere")).start()
    found(made, scripted.host, 'the docker context "same"')


@pytest.mark.parametrize("way", ["used", "variable"])
def test_the_default_context_is_the_usual_places(machine: Machine, way: str) -> None:
    create_context(machine.docker_config, "other", host="unix:///nonexistent/other.sock")
    docker(machine.docker_config, "context", "use", "other")
    if way == "used":
        docker(machine.docker_config, "context", "use", "default")
    else:
        machine.daemon.environment["DOCKER_CONTEXT"] = "default"
    machine.engine(RUN / "docker.sock")
    machine.daemon.start()
    found(machine.daemon, DEFAULT, USUAL)


@pytest.mark.parametrize("way", ["current", "variable"])
@pytest.mark.parametrize("option", ["--once", "--foreground"])
def test_a_context_that_does_not_exist_starts_nothing(
        daemon: MakeDaemon, docker_config: Path, way: str, option: str) -> None:
    create_context(docker_config, "there", host="unix:///nonexistent/other.sock")
    if way == "current":
        docker(docker_config, "context", "use", "there")
        made = in_context(daemon)
        config = docker_config / "config.json"
        config.write_text(config.read_text().replace("there", "gone"))
    else:
        made = in_context(daemon, DOCKER_CONTEXT="gone")
    done = made.run(option)
    assert done.returncode == 78
    assert f'there is no docker context "gone" in {docker_config}/contexts/meta' in done.stderr


def test_b42_another_context_is_taken_at_reload(
        daemon: MakeDaemon, docker_config: Path, directory: Path,
        scripted: ScriptedEngine) -> None:
    """Not before; and one that has gone leaves all as it is."""
    other = ScriptedEngine(directory / "other", engine_id="OTHER")
    other.start()
    create_context(docker_config, "one", host=scripted.host)
    create_context(docker_config, "two", host=other.host)
    docker(docker_config, "context", "use", "one")
    made = in_context(daemon, scripted).start().wait_watching()
    docker(docker_config, "context", "use", "two")
    made.fence()
    assert not other.requests()
    reload(made)
    found(made, other.host, 'the docker context "two"')
    docker(docker_config, "context", "use", "one")
    docker(docker_config, "context", "rm", "--force", "two")
    config = docker_config / "config.json"
    config.write_text(config.read_text().replace("one", "two"))
    reload(made, "^error: configuration not reloaded")
    assert 'error: there is no docker context "two"' in made.log
    scripted.forget_requests()
    made.fence()
    assert not scripted.requests()
    made.close()
    other.stop()


# Sockets

def test_an_unprivileged_daemon_finds_its_rootless_engine(daemon: MakeDaemon,
                                                          engine: Engine) -> None:
    """At $XDG_RUNTIME_DIR/docker.sock, with nothing said to anybody."""
    made = in_context(daemon, engine)
    socket = made.directory / "run/docker.sock"
    socket.symlink_to(engine.socket_path)
    made.become_nobody(engine)
    made.start()
    found(made, f"unix://{socket}", USUAL)
    made.wait(lambda: made.collections, "the collection at start-up")
    image = pulled(engine, "app")
    made.fence()
    assert image.id in made.stop().ids


def test_no_tls_is_set_up_for_a_unix_socket(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    """Whatever is said of certificates, none is looked at, and none is missed."""
    made = daemon(scripted, {"engine": {"tls_ca": "/nonexistent/ca", "tls_key": "/etc/passwd"}},
                  environment={"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nonexistent"})
    made.start().wait_watching()
    assert "key" not in made.log
