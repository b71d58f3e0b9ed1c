"""A working day of an engine, in the time that there is: nothing grows, nothing wrong goes.

Eight hours of a busy machine are 3,000 containers and 300 new images here, with the engine
restarted now and then: 20 minutes with DOCKERGCD_SOAK=1, a slice of it otherwise. A relay judges
every removal by what is known here, without the daemon (B6, B14, B21, B23, B29).
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pytest

import faults
from daemon import Daemon
from engine_client import EngineError
from engines import Engine
from images import MB, image
from scenes import SOAK, limit_for, offered, wait_until
from test_leaks import SLACK_KB, descriptors, heap_kb, split

MakeDaemon = Callable[..., Daemon]

CONTAINERS, IMAGES, RESTARTS, SECONDS = (3000, 300, 8, 1200) if SOAK else (150, 30, 1, 40)
HELD = 3
"""So many containers stay for a while."""
ROOM = 10
"""So many images fit."""
GRACE = 3.0
IMAGE_KB, REMOVAL_KB = 2.5, 0.5
"""What an image takes that stays, and what is remembered of one that went."""
REMEMBERED = 200
SEEN_WITHIN = 1.5
"""What happened earlier than that the daemon must know."""


@dataclass
class Known:
    """What is true of an image."""

    managed: bool
    began: float
    """Its last use was then at the earliest, by the monotonic clock,"""
    ended: float = field(default_factory=time.monotonic)
    """and then at the latest."""
    holders: dict[str, float] = field(default_factory=dict)
    """Its containers, and since when."""
    kept: bool = False
    leaving: bool = False
    """Its removal is on its way."""


class Day:
    """What happens on the engine, and what follows from it."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine, self.client = engine, engine.client
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.images: dict[str, Known] = {}
        self.names: dict[str, str] = {}
        """Reference to image, for all that is there."""
        self.wrong: list[str] = []
        self.removed = 0
        self._count = 0
        self.gaps: list[tuple[float, float]] = []
        """When there was no engine."""

    # What happens

    def pull(self) -> None:
        self._count += 1
        kept = self._count in (5, 10)
        name = f"kept-{self._count}" if kept else f"app-{self._count}"
        made = offered(self.engine, name, MB // 4, runnable=True)
        with self.lock:
            begin = time.monotonic()
            self.client.fetch(made.reference)
            self.images[made.id] = Known(True, begin, kept=kept)
            self.names[made.reference] = made.id

    def load(self) -> None:
        self._count += 1
        made = image(f"mine-{self._count}", MB // 100, runnable=True)
        reference = f"mine-{self._count}:1"
        with self.lock:
            begin = time.monotonic()
            self.client.load(made.archive(reference))
            self.images[made.id] = Known(False, begin)
            self.names[reference] = made.id

    def use(self, hold: bool) -> None:
        """A container of one of the images; what was used more often is used again."""
        with self.lock:
            reference = self._choose()
            if reference is None:
                return
            known = self.images[self.names[reference]]
            begin = time.monotonic()
            with contextlib.suppress(EngineError):  # it has just gone
                container = self.client.create(reference)
                known.began, known.ended = begin, time.monotonic()
                known.holders[container] = known.ended
                if not hold:
                    self._end(container, known)

    def end(self) -> None:
        """The oldest of the containers that stay."""
        with self.lock:
            held = [(since, container, known) for known in self.images.values()
                    for container, since in known.holders.items()]
            if len(held) > HELD:
                _, container, known = min(held, key=lambda each: each[0])
                self._end(container, known)

    def restart(self) -> None:
        with self.lock:
            begin = time.monotonic()
            self.engine.stop()
            self.engine.start()
            self.gaps.append((begin, time.monotonic()))

    def _choose(self) -> str | None:
        there = sorted(self.names, key=lambda name: self.images[self.names[name]].ended)
        return there[-1 - min(int(self.chance.expovariate(0.3)), len(there) - 1)] if there else None

    def _end(self, container: str, known: Known) -> None:
        begin = time.monotonic()
        self.client.remove_container(container)
        known.began, known.ended = begin, time.monotonic()
        del known.holders[container]

    # What may go

    def judge(self, request: str) -> None:
        """A removal is on its way to the engine."""
        name = unquote(request.partition("/images/")[2].partition("?")[0])
        with self.lock:
            now = time.monotonic()
            image_id = self.names.get(name) or self.names.get(
                name.removeprefix("docker.io/library/")) or name
            known = self.images.get(image_id)
            if known is None:
                self.wrong.append(f"{name}: nobody knows it")
                return
            self.wrong += [f"{name}: {why}" for why in self._objections(known, now)]
            known.leaving = True

    def _objections(self, known: Known, now: float) -> Iterator[str]:
        if any(now - since > SEEN_WITHIN for since in known.holders.values()):
            yield "in use"
        if not known.managed:
            yield "unmanaged"
        if known.kept:
            yield "kept"
        if now - known.ended < SEEN_WITHIN:
            return  # it goes by what was known before
        if now - known.began < GRACE:
            yield f"within grace, used {now - known.began:.2f} s ago at most"
        older = [each for each in self.images.values()
                 if each.managed and not each.kept and not each.holders and not each.leaving
                 and each.ended < known.began - SEEN_WITHIN]
        if older:
            yield f"{len(older)} were unused for longer"

    def forget_gone(self) -> None:
        """What the engine does not have any more."""
        with self.lock:
            there = self.client.image_ids(everything=True)
            gone = self.images.keys() - there
            self.removed += len(gone)
            self.images = {each: known for each, known in self.images.items() if each in there}
            self.names = {name: each for name, each in self.names.items() if each in there}
            for known in self.images.values():
                known.leaving = False


def wake_ups(daemon: Daemon) -> int:
    for line in Path(f"/proc/{daemon.pid}/status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches"):
            return int(line.split()[1])
    raise AssertionError("no voluntary_ctxt_switches")


def live(day: Day, share: float) -> None:
    """That share of the day, in a random order."""
    acts: list[Callable[[], None]] = []
    acts += [lambda: day.use(hold=False)] * int(CONTAINERS * share * 0.9)
    acts += [lambda: day.use(hold=True), day.end] * int(CONTAINERS * share * 0.1)
    acts += [day.pull] * int(IMAGES * share * 0.9)
    acts += [day.load] * int(IMAGES * share * 0.1)
    day.chance.shuffle(acts)
    begin, seconds = time.monotonic(), SECONDS * share
    for number, act in enumerate(acts):
        act()
        wait_until(begin + seconds * (number + 1) / len(acts))
        if number % 10 == 9:
            day.forget_gone()


@pytest.mark.needs("containers-end")
def test_a_working_day(daemon: MakeDaemon, restartable: Engine, directory: Path) -> None:
    seed = int(os.environ.get("DOCKERGCD_SEED") or secrets.randbelow(10**9))
    print(f"DOCKERGCD_SEED={seed}")
    relay = faults.Relay(directory, restartable.socket_path)
    limit = limit_for(restartable, ROOM / 4)
    made = daemon(restartable, {
        "gc": {"max_total_size": limit, "grace": f"{GRACE:.0f}s", "interval": "10s"},
        "images": {"rules": [{"match": "*/kept-*", "keep": True}]},
    }, host=relay.host)
    day = Day(restartable, seed)

    def judged(passage: faults.Passage) -> bool:
        day.judge(passage.request)
        return True

    relay.script("DELETE */images/*", judged)
    made.start().wait_watching()
    begin = time.monotonic()
    figures = []
    for part in range(RESTARTS + 1):
        live(day, 1 / (RESTARTS + 1))
        made.fence()
        day.forget_gone()
        figures.append((heap_kb(made), split(descriptors(made))[1], wake_ups(made),
                        len(day.images), day.removed))
        assert not day.wrong, "\n".join([*day.wrong, made.log[-6000:]])
        if part < RESTARTS:
            day.restart()
            made.wait_status("Watching", within=60)
    woken = [after[2] - before[2] for before, after in zip(figures, figures[1:], strict=False)]
    print(f"{time.monotonic() - begin:.0f} s; kB, sockets, wake-ups, images, removals "
          f"after each part: {figures}, wake-ups of each: {woken}")
    assert day.removed > IMAGES / 4
    first, last = figures[min(1, RESTARTS)], figures[-1]
    remembered = min(last[4], REMEMBERED) - min(first[4], REMEMBERED)
    known = IMAGE_KB * (last[3] - first[3]) + REMOVAL_KB * remembered
    assert last[0] <= first[0] + known + SLACK_KB, "memory grows"
    assert figures[-1][1] <= figures[0][1] + 3, "sockets are left open"
    assert woken[-1] <= 1.5 * woken[0] + 100, "it wakes up more and more often"
    cache = made.stop()
    relay.close()
    assert cache.ids == day.images.keys()
    for each, known in day.images.items():
        assert cache.origin(each) == ("pulled" if known.managed else "loaded")
