"""Integration tests: the daemon as a process, against a scripted engine and a real dockerd.

    /usr/bin/python3 -m pytest tests/integration --engine all     # or: scripted, real, docker-26 …

"real" is the dockerd that is installed here; the others come from tests/fetch-engine. They need
Python 3.11 and pytest, and for the real engine root, docker.io, docker-registry and
busybox-static; all of them Debian's. DOCKERGCD names the binary, else it is build/dockergcd. The
same tests run on both engines; what only a scripted one can do (faults, versions, counting
requests) takes the fixture `scripted`. `--engine scripted` leaves out what needs a real engine;
nothing is ever skipped.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon import SANITIZED, Daemon, end_leftovers
from engines import Engine
from images import IDS
from mounts import Mounts
from real_engine import INSTALLED, LACKS, NAMES, PODMANS, RealEngine
from scripted_engine import ScriptedEngine


NEEDS = {
    "scripted": {"real", "secured"},
    **dict.fromkeys((INSTALLED, *NAMES), {"scripted", "scripted_engine"}),
    # An engine's own TLS is dockerd's; podman is spoken to over its socket.
    **dict.fromkeys(PODMANS, {"scripted", "scripted_engine", "secured"}),
}
"""The fixtures of engines that were not asked for."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=("all", *NEEDS), default="all",
                     help="which engines the tests run on (default: all, scripted and real)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(what): not for engines that lack it (LACKS)")
    config.addinivalue_line("markers", "lacks(what): for no others")
    config.addinivalue_line("markers", "uninstrumented(why): not with sanitizers in the binary")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = metafunc.config.getoption("--engine")
    kinds = {"all": ["scripted", "real"], "scripted": ["scripted"]}.get(wanted, ["real"])
    for name in ("engine", "restartable"):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, kinds, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out, rather than skips, what needs an engine that was not asked for.

    With a fetched engine, also what needs none, since nothing there depends on the engine; and what
    is marked `needs("…")` where that engine LACKS it, and `lacks("…")` where it does not. With
    sanitizers, what is marked `uninstrumented("why")`.
    """
    wanted = config.getoption("--engine")
    unwanted = NEEDS.get(wanted, set())
    lacks = LACKS.get(wanted, set())
    dropped = []
    for item in items:
        needed = set(getattr(item, "fixturenames", ()))
        needs, lacking = ({each for mark in item.iter_markers(name) for each in mark.args}
                          for name in ("needs", "lacks"))
        if (unwanted & needed or lacks & needs or lacking - lacks or
                SANITIZED and item.get_closest_marker("uninstrumented") or
                wanted in NAMES and not {"real", "secured", "engine", "restartable"} & needed):
            dropped.append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


@pytest.fixture
def directory() -> Iterator[Path]:
    """A scratch directory with a short name: a socket's path has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="dgc-", dir="/var/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def docker_config(directory: Path) -> Path:
    """~/.docker of the daemon."""
    return directory / "daemon/home/.docker"


@pytest.fixture(scope="session")
def real_name(pytestconfig: pytest.Config) -> str:
    """Which real engine."""
    wanted = pytestconfig.getoption("--engine")
    return wanted if wanted in NAMES else INSTALLED


@pytest.fixture(scope="session")
def shared_real_engine(real_name: str) -> Iterator[RealEngine]:
    """One real engine for all tests that do not stop it."""
    engine = RealEngine(real_name)
    IDS["from"] = engine.ids_from
    yield engine
    engine.close()


@pytest.fixture
def scripted(directory: Path) -> Iterator[ScriptedEngine]:
    """A scripted engine of API 1.41, started."""
    engine = ScriptedEngine(directory)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def real(shared_real_engine: RealEngine) -> Iterator[RealEngine]:
    """The shared real engine, without images and containers."""
    shared_real_engine.clear()
    yield shared_real_engine
    shared_real_engine.clear()


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    """An empty engine: scripted, then real."""
    chosen: Engine = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def restartable(request: pytest.FixtureRequest, real_name: str) -> Iterator[Engine]:
    """An engine of the test's own, which it may stop, kill and start."""
    if request.param == "scripted":
        yield request.getfixturevalue("scripted")
        return
    engine = RealEngine(real_name)
    IDS["from"] = engine.ids_from
    yield engine
    engine.close()


@pytest.fixture
def scripted_engine(directory: Path) -> Iterator[Callable[..., ScriptedEngine]]:
    """Makes and starts a scripted engine with these arguments (API versions, TCP …)."""
    made: list[ScriptedEngine] = []

    def make(**arguments: Any) -> ScriptedEngine:
        made.append(ScriptedEngine(directory, **arguments))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def mounts() -> Iterator[Callable[..., Mounts]]:
    """Makes a mount namespace, or uses that of a process, given as its /proc/PID."""
    made: list[Mounts] = []

    def make(namespace: str | None = None) -> Mounts:
        made.append(Mounts(namespace))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def daemon(directory: Path) -> Iterator[Callable[..., Daemon]]:
    """Makes a daemon for an engine, not started; at the end whatever still runs is ended.

    The second and later ones share the first one's directories: cache file, config, log.
    """
    made: list[Daemon] = []

    def make(engine: Engine | str, settings: dict[str, Any] | None = None,
             **arguments: Any) -> Daemon:
        made.append(Daemon(directory / "daemon", engine, settings, **arguments))
        return made[-1]

    yield make
    for each in made:
        each.close()
    end_leftovers(directory / "daemon")
    for each in made:
        each.check_no_client_was_run()


@pytest.fixture
def watch(daemon: Callable[..., Daemon]) -> Callable[..., Daemon]:
    """Starts a daemon with these settings and waits until it watches."""
    def start(engine: Engine, gc: dict[str, Any] | None = None,
              images: dict[str, Any] | None = None, **arguments: Any) -> Daemon:
        settings = {"gc": gc or {}, "images": images or {}}
        made = daemon(engine, settings, **arguments)
        assert isinstance(made, Daemon)
        return made.start().wait_watching()

    return start
