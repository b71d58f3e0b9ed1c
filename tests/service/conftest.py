"""The service: a user's unit and the machine's under a real systemd, by a real dockerd or podman.

    DOCKERGCD=build/dockergcd /usr/bin/python3 -m pytest tests/service

What is tested is what `meson install` of that build puts there. They need root, Python 3.11,
pytest, systemd, meson, podman with uidmap, and what tests/integration needs for a real engine.
Nothing is ever skipped.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "integration"))

# pylint: disable=wrong-import-position
from daemon import BINARY  # noqa: E402
from machine import Installed, Machine, MakeMachine, UserMachine, make_engine  # noqa: E402
from real_engine import RealEngine  # noqa: E402


def pytest_configure() -> None:
    """Whoever ends us lets us clean up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="dgc-service-", dir="/var/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def installed(scratch: Path) -> Installed:
    return Installed(BINARY.parent, scratch / "installed")


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[RealEngine]:
    engine = make_engine()
    yield engine
    engine.close()


@pytest.fixture
def engine(shared_engine: RealEngine) -> Iterator[RealEngine]:
    """Running, without images and containers."""
    shared_engine.clear()
    yield shared_engine
    if not shared_engine.client.ping():
        shared_engine.start()
    shared_engine.clear()


@pytest.fixture
def make_machine(scratch: Path, engine: RealEngine,
                 installed: Installed) -> Iterator[MakeMachine]:
    """Makes a machine with a user who is logged in."""
    made: list[UserMachine] = []

    def make(**arguments: Any) -> UserMachine:
        made.append(UserMachine(scratch / "machine.log", engine, installed, **arguments))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def machine(make_machine: MakeMachine) -> UserMachine:
    return make_machine()


@pytest.fixture
def system(scratch: Path, engine: RealEngine, installed: Installed) -> Iterator[Machine]:
    """A machine with systemd as PID 1."""
    made = Machine(scratch / "machine.log", engine, installed)
    yield made
    made.close()
