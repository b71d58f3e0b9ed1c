"""Limits that depend on the file system of the engine's root directory (B22, B23, B24, B33).

A real engine's is a tmpfs of its own, which only those see who share its mount namespace; in front
of a scripted one we make one, and nothing is freed unless a test does it.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import faults
from daemon import Daemon, Texts
from engines import Engine
from images import MB
from mounts import Mounts
from real_engine import RealEngine
from scenes import Pulled, present, pulled, room_for, used
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]
MakeMounts = Callable[..., Mounts]

WatchOn = Callable[..., "tuple[Daemon, Disk]"]

DISK = 100 * MB
"""A scripted engine's."""


@dataclass
class Disk:
    """Where the engine's root directory is, as its namespace has it."""

    enter: tuple[str, ...]
    root: Path

    @property
    def free(self) -> int:
        fs = os.statvfs(self.root)
        return fs.f_bavail * fs.f_frsize

    def fill(self, size: int, name: str = "filler") -> None:
        (self.root / name).write_bytes(bytes(size))

    def release(self, name: str = "filler") -> None:
        (self.root / name).unlink(missing_ok=True)


@pytest.fixture
def watch_on(daemon: MakeDaemon, mounts: MakeMounts) -> Iterator[WatchOn]:
    """Starts a daemon that sees the engine's files."""
    real: list[Disk] = []

    def start(engine: Engine, gc: dict[str, Any] | None = None) -> tuple[Daemon, Disk]:
        if isinstance(engine, RealEngine):
            mount = mounts(engine.namespace)
            disk = Disk(mount.enter, mount.inside(engine.directory / "data"))
            real.append(disk)
        else:
            mount = mounts()
            mount.mount("-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(engine.root))
            disk = Disk(mount.enter, mount.inside(engine.root))
        made = daemon(engine, {"gc": gc or {}})
        made.front = disk.enter
        return made.start().wait_watching(), disk

    yield start
    for each in real:
        each.release()


def want_free(daemon: Daemon, size: int | str) -> None:
    daemon.configure({"gc": {"min_free_space": str(size)}})
    daemon.signal(signal.SIGHUP)
    daemon.wait_log(r"^info: configuration reloaded")


def four_used_in_turn(daemon: Daemon, engine: Engine, size: int = 3 * MB) -> list[Pulled]:
    images = [pulled(engine, name, size) for name in "dcba"]
    for each in images:
        used(engine, each.reference)
    daemon.fence()
    return images


def reasons(daemon: Daemon) -> list[str]:
    return [match["reason"] for match in Texts.REMOVED.finditer(daemon.log)]


@pytest.mark.parametrize("factor, gone", [(0.9, 1), (1.1, 2), (2.5, 3)])
def test_b24_as_much_as_is_needed_on_a_real_disk(
        watch_on: WatchOn, real: RealEngine, factor: float, gone: int) -> None:
    """The least recently used ones, until enough is free: never one too many."""
    daemon, disk = watch_on(real)
    images = four_used_in_turn(daemon, real)
    wanted = disk.free + room_for(real, 3 * factor)
    want_free(daemon, wanted)
    daemon.fence()
    assert present(real, *images) == [False] * gone + [True] * (4 - gone)
    assert reasons(daemon) == ["low-space"] * gone
    assert disk.free >= wanted
    shown = re.compile(rf"free \({wanted // 10**9}\.")
    daemon.wait(lambda: shown.search(daemon.status), "STATUS tells")


def test_b20_looked_at_when_events_come(
        watch_on: WatchOn, engine: Engine) -> None:
    """Something else fills the disk: the next event of a container is the reason to look."""
    daemon, disk = watch_on(engine)
    images = four_used_in_turn(daemon, engine)
    want_free(daemon, disk.free - 10 * MB)
    daemon.fence()
    assert all(present(engine, *images))
    disk.fill(10 * MB + 1000)
    used(engine, images[0].reference)
    # It was the oldest until now.
    daemon.wait(lambda: not present(engine, images[1])[0], "the least recently used one goes")
    daemon.fence()
    assert present(engine, *images)[0]


def test_b36_b38_enough_space_costs_no_request(
        watch_on: WatchOn, scripted: ScriptedEngine) -> None:
    """Not for a thousand events, and none without events: nobody polls."""
    daemon, disk = watch_on(scripted, {"settle": "50ms", "min_free_space": "10%"})
    image = pulled(scripted, "app")
    daemon.fence()
    scripted.forget_requests()
    for _ in range(500):
        when = used(scripted, image.reference)
    daemon.wait_cache(lambda cache: cache.last_used(image.id) == when, "all of them")
    daemon.wait(lambda: is_quiet(daemon), "it has done all that")
    begin, awake = time.monotonic(), switches(daemon)
    daemon.wait(lambda: time.monotonic() - begin > 2, "nobody looks")
    assert switches(daemon) - awake <= 1
    assert scripted.requests() == []


def switches(daemon: Daemon) -> int:
    """How often the daemon has gone to sleep."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(re.findall(r"^voluntary_ctxt_switches:\s*(\d+)$", status, re.MULTILINE)[0])


def is_quiet(daemon: Daemon) -> bool:
    """Whether it sleeps for longer than any of its short timers."""
    awake = switches(daemon)
    time.sleep(0.5)
    return switches(daemon) == awake


def test_b27_stops_as_soon_as_enough_is_free(
        watch_on: WatchOn, scripted: ScriptedEngine) -> None:
    """Looked at before each removal: more came back than the image was said to take."""
    daemon, disk = watch_on(scripted)
    images = four_used_in_turn(daemon, scripted)
    disk.fill(20 * MB)

    def release(exchange: faults.Exchange) -> None:
        answer = exchange.handle()
        disk.release()
        exchange.wire.send(answer)

    scripted.script("DELETE", "*", release, times=1)
    want_free(daemon, disk.free + 8 * MB)
    daemon.fence()
    assert present(scripted, *images) == [False, True, True, True]


def test_b28_a_disk_that_is_slow_to_show_it(
        watch_on: WatchOn, scripted: ScriptedEngine) -> None:
    """What was predicted has gone, and is not free yet: no more goes in this collection."""
    daemon, disk = watch_on(scripted, {"settle": "1h"})
    images = four_used_in_turn(daemon, scripted)
    want_free(daemon, disk.free + 5 * MB)
    daemon.wait_log(r"^info: collection finished: 2 images removed")
    assert present(scripted, *images) == [False, False, True, True]
    daemon.collect()
    daemon.wait(lambda: not any(present(scripted, *images)), "the next collection goes on")


def test_b22_b23_low_with_nothing_left_to_remove(
        watch_on: WatchOn, engine: Engine) -> None:
    """Told once, with the bytes and the reasons."""
    daemon, disk = watch_on(engine, {"grace": "1h"})
    images = four_used_in_turn(daemon, engine)
    want_free(daemon, disk.free + 5 * MB)
    for _ in range(3):
        daemon.fence()
    assert all(present(engine, *images))
    lines = re.findall(r"^warning: the engine's file system has \S+ less than \S+ free.*$",
                       daemon.log, re.MULTILINE)
    assert len(lines) == 1
    assert "4 grace" in lines[0]


def test_percentages(watch_on: WatchOn, scripted: ScriptedEngine) -> None:
    """12 MB of 100 MB: down to a tenth of the disk."""
    daemon, disk = watch_on(scripted)
    images = four_used_in_turn(daemon, scripted)
    daemon.configure({"gc": {"max_total_size": "11.9%", "target_total_size": "10%"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: not present(scripted, images[0])[0], "above 11.9%")
    daemon.fence()
    assert present(scripted, *images) == [False, True, True, True]
    assert reasons(daemon) == ["over-size"]
    daemon.wait(lambda: "9MB of 11.9MB used" in daemon.status, "STATUS tells")


@pytest.mark.parametrize("gc", [{"min_free_space": "1MB"}, {"max_total_size": "80%"},
                                {"max_total_size": "1GB", "target_total_size": "80%"}])
def test_b33_not_for_an_engine_elsewhere(
        daemon: MakeDaemon, scripted_engine: Callable[..., ScriptedEngine],
        gc: dict[str, str]) -> None:
    """A clear error at start, and at reload the old configuration stays in force."""
    engine = scripted_engine(tcp=True)
    made = daemon(engine, {"gc": gc}, host=engine.tcp_host)
    done = made.run("--foreground")
    assert done.returncode == 78
    assert f"{engine.tcp_host} (from DOCKER_HOST) is not on this machine" in done.stderr
    made.configure({"gc": {"min_free_space": "0", "max_total_size": "0",
                           "target_total_size": ""}})
    made.start().wait_watching()
    made.configure({"gc": gc})
    made.signal(signal.SIGHUP)
    made.wait_log("is not on this machine")
    made.wait_log("configuration not reloaded, the old one stays in force")
    made.wait(lambda: "not on this machine" in made.status, "STATUS tells")


def missing_root(engine: ScriptedEngine) -> str:
    engine.root.rmdir()
    return "No such file or directory"


def desktop(engine: ScriptedEngine) -> str:
    def info(exchange: faults.Exchange) -> None:
        answer = exchange.handle()
        body = answer.body.replace(b'"Scripted"', b'"Docker Desktop"')
        exchange.wire.send(dataclasses.replace(answer, body=body))

    engine.script("GET", "/info", info)
    return "is not on this machine"


@pytest.mark.parametrize("how", [missing_root, desktop])
def test_b22_b33_a_socket_from_elsewhere(
        daemon: MakeDaemon, scripted: ScriptedEngine,
        how: Callable[[ScriptedEngine], str]) -> None:
    """Told once and in STATUS; by space nothing goes, by age all the same."""
    message = how(scripted)
    made = daemon(scripted, {"gc": {"min_free_space": "100%", "max_total_size": "0.01%"}})
    made.start().wait_watching()
    images = four_used_in_turn(made, scripted)
    assert all(present(scripted, *images))
    assert len(re.findall(rf"^error: free space unknown, .*{message}$", made.log,
                          re.MULTILINE)) == 1
    made.wait(lambda: message in made.status, "STATUS tells")
    made.configure({"gc": {"max_unused": "10ms"}})
    made.signal(signal.SIGHUP)

    def are_gone() -> bool:
        made.collect()
        return not any(present(scripted, *images))

    made.wait(are_gone, "the age rule")
    made.configure({"gc": {"min_free_space": "0", "max_total_size": "0"}})
    made.signal(signal.SIGHUP)
    made.wait(lambda: message not in made.status, "nothing to be told any more")
