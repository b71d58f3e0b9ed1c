"""A disk that is full, read-only or forbidden: told, retried, and collecting goes on (B16).

The mounts are made in a mount namespace of the test's own, which goes with its only process.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import Daemon
from engines import Engine
from mounts import Mounts
from real_engine import RealEngine
from scenes import Pulled, limit_for, present, pulled, used
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]
MakeMounts = Callable[..., Mounts]

SETTINGS = {"images": {"manage": ["pulled", "existing"]}}
RETRIED_WITHIN = 15.0
"""Writes are tried every 5 s."""


class Disk:
    """What can be wrong with the place of the cache file; `breaks`, and is `mended`."""

    message: str

    def __init__(self, mounts: Mounts, directory: Path) -> None:
        self.mounts, self.directory = mounts, directory

    def breaks(self) -> None:
        raise NotImplementedError

    def mended(self) -> None:
        raise NotImplementedError


class FullDisk(Disk):
    """A small tmpfs, and somebody else's file takes all that is left."""

    message = "No space left on device"

    def __init__(self, mounts: Mounts, directory: Path) -> None:
        super().__init__(mounts, directory)
        mounts.mount("-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(directory))
        self._filler = mounts.inside(directory) / "filler"

    def breaks(self) -> None:
        fill(self._filler)

    def mended(self) -> None:
        self._filler.unlink()


class ReadOnlyDisk(Disk):
    """A read-only bind mount over it."""

    message = "Read-only file system"

    def breaks(self) -> None:
        self.mounts.mount("--bind", str(self.directory), str(self.directory))
        self.mounts.mount("-o", "remount,bind,ro", str(self.directory))

    def mended(self) -> None:
        self.mounts.umount(self.directory)


class ForbiddenDisk(Disk):
    """The daemon is nobody special, and somebody takes its right to write away."""

    message = "Permission denied"

    def breaks(self) -> None:
        for path in self.directory.iterdir():
            if path.is_dir():
                path.chmod(0o500)

    def mended(self) -> None:
        for path in self.directory.iterdir():
            if path.is_dir():
                path.chmod(0o700)


def fill(path: Path) -> None:
    """Writes until nothing more goes in."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


@pytest.fixture
def make_disk(mounts: MakeMounts) -> Callable[[type[Disk], Daemon, Engine], Disk]:
    """Puts a daemon's cache file on such a disk, which is fine at first."""
    def make(kind: type[Disk], watching: Daemon, engine: Engine) -> Disk:
        namespace = mounts()
        disk = kind(namespace, watching.directory / "cache")
        if kind is ForbiddenDisk:
            watching.become_nobody(engine)
        else:
            watching.front = namespace.enter
            watching.cache_path = namespace.inside(watching.cache_path)
        return disk

    return make


MakeDisk = Callable[[type[Disk], Daemon, Engine], Disk]
KINDS = [FullDisk, ReadOnlyDisk, ForbiddenDisk]
NAMES = ["full", "read-only", "forbidden"]


def names_beside(watching: Daemon) -> set[str]:
    return {path.name.removeprefix(watching.cache_path.name)
            for path in watching.cache_path.parent.iterdir()} - {""}


def limit_to_one_image(watching: Daemon, engine: Engine) -> None:
    watching.configure({"gc": {"max_total_size": limit_for(engine, 1.5)}})
    watching.signal(signal.SIGHUP)
    watching.collect()


def two_images_known(watching: Daemon, engine: Engine) -> tuple[Pulled, Pulled]:
    """The daemon has run and has written both; the second was used last."""
    old, new = pulled(engine, "old"), pulled(engine, "new")
    watching.start().wait_watching()
    used(engine, old.reference)
    used(engine, new.reference)
    watching.fence()
    assert watching.stop().ids == {old.id, new.id}
    return old, new


def check_told(watching: Daemon, disk: Disk) -> None:
    """In the log and in STATUS, without that anything else happens."""
    watching.wait_log(rf"^error: cannot write what was learned.*{disk.message}")
    watching.wait(lambda: disk.message in watching.status, "STATUS tells")
    assert watching.status.startswith("Watching")


def check_written_again(watching: Daemon, disk: Disk) -> None:
    watching.wait_log("^info: .* is written again", within=RETRIED_WITHIN)
    watching.wait(lambda: disk.message not in watching.status, "STATUS tells no more")
    assert watching.log.count("cannot write what was learned") == 1, "told once"
    assert names_beside(watching) == {".lock"}


@pytest.mark.needs("usage")
@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_b16_started_on_a_disk_that_takes_nothing_it_collects_and_writes_later(
        daemon: MakeDaemon, engine: Engine, make_disk: MakeDisk, kind: type[Disk]) -> None:
    interval = "1h" if isinstance(engine, ScriptedEngine) else "1s"  # that writes, too
    watching = daemon(engine, {"gc": {"interval": interval}, **SETTINGS})
    disk = make_disk(kind, watching, engine)
    old, new = two_images_known(watching, engine)
    before = watching.cache_path.read_bytes()
    disk.breaks()
    watching.start().wait_watching()
    used(engine, new.reference)
    check_told(watching, disk)
    limit_to_one_image(watching, engine)
    watching.wait(lambda: present(engine, old, new) == [False, True], "the removal")
    assert watching.cache_path.read_bytes() == before
    assert names_beside(watching) <= {".lock"}, "half a file is left"
    when = used(engine, new.reference)
    disk.mended()
    check_written_again(watching, disk)
    cache = watching.cache()
    assert cache.ids == {new.id} and cache.last_used(new.id) == when
    assert cache.origin(new.id) == "existing"


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_b16_a_disk_that_breaks_while_it_runs(daemon: MakeDaemon, scripted: ScriptedEngine,
                                              make_disk: MakeDisk, kind: type[Disk]) -> None:
    """Even if nothing is learned: the file is written at `interval`, and that fails."""
    watching = daemon(scripted, {"gc": {"interval": "1s"}, **SETTINGS})
    disk = make_disk(kind, watching, scripted)
    old, new = two_images_known(watching, scripted)
    watching.start().wait_watching()
    disk.breaks()
    before = watching.cache_path.read_bytes()
    check_told(watching, disk)
    limit_to_one_image(watching, scripted)
    watching.wait(lambda: present(scripted, old, new) == [False, True], "the removal")
    assert watching.cache_path.read_bytes() == before
    disk.mended()
    check_written_again(watching, disk)
    assert watching.stop().ids == {new.id}


def test_b16_a_full_disk_is_noticed_and_mended_by_the_writes_of_events(
        daemon: MakeDaemon, scripted: ScriptedEngine, make_disk: MakeDisk) -> None:
    """No timer, no signal: a use that cannot be saved is all that happens."""
    watching = daemon(scripted, SETTINGS)
    disk = make_disk(FullDisk, watching, scripted)
    _, new = two_images_known(watching, scripted)
    watching.start().wait_watching()
    disk.breaks()
    before = watching.cache_path.read_bytes()
    when = used(scripted, new.reference)
    check_told(watching, disk)
    assert watching.cache_path.read_bytes() == before
    disk.mended()
    watching.wait_cache(lambda cache: cache.last_used(new.id) == when, "the use")
    check_written_again(watching, disk)


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_b16_stopped_on_a_disk_that_takes_nothing(daemon: MakeDaemon, scripted: ScriptedEngine,
                                                  make_disk: MakeDisk, kind: type[Disk]) -> None:
    """It ends in time and says what is lost; the old file is whole."""
    watching = daemon(scripted, SETTINGS)
    disk = make_disk(kind, watching, scripted)
    old, new = two_images_known(watching, scripted)
    watching.start().wait_watching()
    disk.breaks()
    before = watching.cache_path.read_bytes()
    used(scripted, new.reference)
    watching.fence()
    watching.signal(signal.SIGTERM)
    watching.wait_exit()
    assert disk.message in watching.log
    assert watching.cache_path.read_bytes() == before
    disk.mended()
    watching.start().wait_watching()
    assert watching.stop().ids == {old.id, new.id}


def test_b16_a_damaged_file_on_a_read_only_disk(daemon: MakeDaemon, scripted: ScriptedEngine,
                                                make_disk: MakeDisk) -> None:
    """It cannot be set aside: refused or taken for nothing, but never with a removal."""
    watching = daemon(scripted, SETTINGS)
    disk = make_disk(ReadOnlyDisk, watching, scripted)
    old, new = two_images_known(watching, scripted)
    watching.cache_path.write_text("{")
    watching.configure({"gc": {"max_total_size": limit_for(scripted, 1.5)},
                        "images": {"manage": ["pulled"]}})
    disk.breaks()
    watching.start()
    deadline = time.monotonic() + 15
    while watching.alive and not watching.collections:
        assert time.monotonic() < deadline, watching.log
        time.sleep(0.01)
    assert str(watching.directory / "cache") in watching.log
    assert "damaged" in watching.log or disk.message in watching.log
    assert present(scripted, old, new) == [True, True]
    assert watching.cache_path.read_text() == "{"


@pytest.mark.needs("usage")
def test_b16_on_a_disk_that_the_images_have_filled_collecting_makes_room(
        daemon: MakeDaemon, real: RealEngine, mounts: MakeMounts) -> None:
    """The cache file and the images on one filesystem, as on most machines."""
    watching = daemon(real, {"gc": {"interval": "1s"}})
    namespace = mounts(real.namespace)
    data = real.directory / "data"
    path = data / "cache" / "docker-images-gc.json"
    watching.configure({"cache_file": str(path)})
    watching.cache_path = namespace.inside(path)
    watching.front = namespace.enter
    watching.write_cache([{"image_tag": f"registry.example.com/app-{number}:1.0",
                           "last_used": "2026-01-02T03:04:05Z"} for number in range(3000)])
    watching.start().wait_watching()
    old, new = pulled(real, "old"), pulled(real, "new")
    used(real, new.reference)
    watching.wait_cache(lambda cache: cache.ids == {old.id, new.id}, "both")
    length = watching.cache_path.stat().st_size
    assert length > 200_000, "else what the engine itself needs would be enough"
    before = watching.cache_path.read_bytes()
    space = os.statvfs(namespace.inside(data))
    used_now = (space.f_blocks - space.f_bfree) * space.f_frsize
    try:
        namespace.mount("-o", f"remount,size={used_now + length // 2}", str(data))
        watching.wait_log("^error: cannot write what was learned.*No space left on device")
        watching.wait(lambda: "No space left on device" in watching.status, "STATUS tells")
        assert {each["id"] for each in watching.cache().content["images"]} == {old.id, new.id}
        assert len(watching.cache_path.read_bytes()) == len(before)
        limit_to_one_image(watching, real)
        watching.wait(lambda: present(real, old, new) == [False, True], "the removal")
        watching.wait_log("^info: .* is written again", within=RETRIED_WITHIN)
        watching.wait_cache(lambda cache: cache.ids == {new.id}, "what is left")
        assert names_beside(watching) == {".lock"}
        watching.stop()
    finally:
        watching.close()
        namespace.mount("-o", "remount,size=2g", str(data))
        shutil.rmtree(watching.cache_path.parent)
