"""Nothing grows: file descriptors, memory, neither by reconnecting nor by collecting (B13, B20).

By default some dozen reconnects and collections; with DOCKERGCD_SOAK=1 a thousand and a hundred.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import BINARY, SANITIZED, Daemon
from engines import Engine
from scenes import SOAK, limit_for, offered, present, pulled, used
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]

RECONNECTS = 1000 if SOAK else 60
LISTINGS = 50 if SOAK else 5
ENGINE_RESTARTS = 50 if SOAK else 5
COLLECTIONS = {"scripted": 100 if SOAK else 30, "real": 100 if SOAK else 15}
SLACK_KB = 64
"""What the allocator may keep for itself; a leak of 100 bytes in each of 1,000 is more."""
KEPT_CONNECTIONS = 3
"""As many requests as were under way at once leave an idle connection; a leak leaves hundreds."""
SLOW = 60.0
"""Under valgrind everything takes its time."""


def descriptors(daemon: Daemon) -> list[str]:
    """What it has open, connections by their kind only: which ones they are changes."""
    entries = Path(f"/proc/{daemon.pid}/fd")
    return sorted(os.readlink(entries / each).partition(":")[0] for each in os.listdir(entries))


def heap_kb(daemon: Daemon) -> int:
    """Its private memory that is no file's."""
    for line in Path(f"/proc/{daemon.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1])
    raise AssertionError("no Anonymous in smaps_rollup")


def split(names: list[str]) -> tuple[list[str], int]:
    """Those that are no sockets, and how many sockets there are."""
    files = [each for each in names if each != "socket"]
    return files, len(names) - len(files)


class Steady:
    """What it holds once it has warmed up, to be compared with later."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._descriptors, self._heap = descriptors(daemon), heap_kb(daemon)

    def check(self, what: str) -> None:
        """As before; a few idle connections more or less may be kept for the next request."""
        daemon = self._daemon
        files, sockets = split(self._descriptors)
        daemon.wait(lambda: split(descriptors(daemon))[0] == files, f"what was open: {files}")
        heap = heap_kb(daemon)
        print(f"{what}: {len(self._descriptors)} descriptors before, {len(descriptors(daemon))} "
              f"after; {self._heap} kB before, {heap} kB after")
        assert split(descriptors(daemon))[1] <= sockets + KEPT_CONNECTIONS
        if not SANITIZED:  # it looks for leaks itself, at the end
            assert heap <= self._heap + SLACK_KB


def reconnect(daemon: Daemon, engine: ScriptedEngine, times: int) -> None:
    """The engine closes the stream so often, each time as soon as it is open."""
    for _ in range(times):
        before = len(engine.requests("GET", "/events"))
        engine.log.close()
        daemon.wait(lambda before=before: len(engine.requests("GET", "/events")) > before
                    and engine.log.listeners, "the stream")


def test_b13_reconnecting_leaves_nothing_behind(daemon: MakeDaemon,
                                                scripted: ScriptedEngine) -> None:
    watching = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")
    watching.fence()
    reconnect(watching, scripted, RECONNECTS // 4)
    watching.fence()
    steady = Steady(watching)
    reconnect(watching, scripted, RECONNECTS)
    watching.fence()
    steady.check(f"{RECONNECTS} reconnects")
    when = used(scripted, image.reference)
    watching.fence()
    assert watching.stop().last_used(image.id) == when


def test_b11_reconnecting_with_lists_leaves_nothing_behind(daemon: MakeDaemon,
                                                           scripted: ScriptedEngine) -> None:
    """The engine has forgotten the last event each time, so that everything is listed anew."""
    watching = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")

    def lose_events(times: int) -> None:
        for _ in range(times):
            before = len(scripted.requests("GET", "/images/json"))
            scripted.log.forget()
            scripted.log.close()
            watching.wait(lambda: scripted.log.listeners, "the stream")
            used(scripted, image.reference)
            watching.wait(lambda before=before: len(
                scripted.requests("GET", "/images/json")) > before, "the list")

    lose_events(LISTINGS)
    watching.fence()
    steady = Steady(watching)
    lose_events(LISTINGS)
    watching.fence()
    steady.check(f"{LISTINGS} reconnects with lists")


def test_b19_an_engine_that_comes_and_goes_leaves_nothing_behind(
        daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    watching = daemon(scripted).start().wait_watching()
    pulled(scripted, "app")

    def restart(times: int) -> None:
        for number in range(times):
            (scripted.stop if number % 2 else scripted.kill)()
            watching.wait_status("Waiting for Docker Engine")
            scripted.start()
            watching.wait_status("Watching", within=40)

    restart(ENGINE_RESTARTS)
    watching.fence()
    steady = Steady(watching)
    restart(ENGINE_RESTARTS)
    watching.fence()
    steady.check(f"{ENGINE_RESTARTS} restarts of the engine")


@pytest.mark.needs("usage")
def test_b20_collecting_leaves_nothing_behind(daemon: MakeDaemon, engine: Engine) -> None:
    """Each collection has one image to remove."""
    watching = daemon(engine, {"gc": {"max_total_size": limit_for(engine, 1.5)}})
    watching.start().wait_watching()
    images = itertools.cycle([offered(engine, f"app{number}") for number in range(3)])
    stays = next(images)
    engine.client.pull(stays.reference)

    def collect(times: int) -> None:
        nonlocal stays
        for _ in range(times):
            goes, stays = stays, next(images)
            engine.client.pull(stays.reference)
            watching.collect()
            watching.wait(lambda goes=goes: present(engine, goes) == [False], "its removal")

    collect(15)
    watching.fence()
    steady = Steady(watching)
    collect(COLLECTIONS[engine.kind])
    watching.fence()
    steady.check(f"{COLLECTIONS[engine.kind]} collections, {engine.kind}")
    assert watching.stop().ids == {stays.id}


@pytest.mark.uninstrumented("valgrind and the address sanitizer exclude each other")
@pytest.mark.needs("usage")
def test_b13_b20_nothing_leaks_under_valgrind(daemon: MakeDaemon, engine: Engine) -> None:
    """One short life with some of everything: no block and no descriptor is left at its end."""
    watching = daemon(engine, {"gc": {"max_total_size": limit_for(engine, 1.5)}})
    report = watching.directory / "valgrind"
    watching.program = (
        "valgrind", "--quiet", "--leak-check=full", "--track-fds=yes",
        "--show-leak-kinds=definite,indirect,possible",
        "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=99",
        f"--log-file={report}", BINARY)
    watching.start().wait_status("Watching", within=SLOW)
    old, new = pulled(engine, "old"), pulled(engine, "new")
    watching.wait(lambda: present(engine, old, new) == [False, True], "the removal", within=SLOW)
    if isinstance(engine, ScriptedEngine):
        reconnect(watching, engine, 5)
        engine.stop()
        watching.wait_status("Waiting for Docker Engine", within=SLOW)
        engine.start()
        watching.wait_status("Watching", within=SLOW)
    used(engine, new.reference)
    watching.configure({"gc": {"interval": "2h"}})
    watching.signal(signal.SIGHUP)
    watching.wait_log("^info: configuration reloaded", within=SLOW)
    before = watching.collections
    watching.signal(signal.SIGUSR1)
    watching.wait(lambda: watching.collections > before, "a collection", within=SLOW)
    watching.signal(signal.SIGTERM)
    assert watching.wait_exit(within=SLOW) == 0, report.read_text()
    print(report.read_text())
    assert watching.cache().ids == {new.id}
