"""The random worlds of tests/model, on an engine that is none of the model's: B6, B7, B14, B23, B29.

The same generator makes the operations; what an engine cannot do at that moment is left out. Each
removal is judged, on its way to the engine, by what is known here without the daemon. At the end
the cache file must know what the engine has. 5,000 operations with DOCKERGCD_SOAK=1.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import secrets
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

import faults
from daemon import BINARY, Daemon
from engine_client import EngineError
from engines import Engine
from images import MB, Image, image
from scenes import SOAK, wait_until

MakeDaemon = Callable[..., Daemon]

MODEL = BINARY.parent / "tests/model/model"
OPERATIONS = 5000 if SOAK else 200
SEED = secrets.randbelow(10**6) + 1 if SOAK else 101
"""Of 200 operations at random there may be too few that lead to a removal: of these a dozen."""
STEPS_EACH = 12
"""Of the model, for an operation, at most."""
GRACE = 2.0
SEEN_WITHIN = 1.5
"""What happened earlier than that the daemon must know."""
ON_ITS_WAY = 0.1
"""For so long an event may be, and be lost with the stream that it comes by."""
SIZE = MB // 50
PACE = 0.1
"""Seconds for an operation, at least: images must have the time to come of age."""


def operations(seed: int, count: int) -> list[list[str]]:
    """The model's, in words."""
    done = subprocess.run([MODEL, f"--seed={seed}", f"--steps={count * STEPS_EACH}",
                           "--print-operations"], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return [words for words in lines if words[0] != "seed" and not words[0].isdigit()][:count]


@dataclass
class Truth:
    """Of an image that is there."""

    origin: str
    used: float
    """By the monotonic clock, when the operation that used it was over."""
    used_ns: int
    """By the engine's clock, before that operation began."""
    holders: dict[str, float] = field(default_factory=dict)


class World:
    """Does one operation after the other on an engine, and knows what follows from it."""

    def __init__(self, engine: Engine, daemon: Daemon, relay: faults.Relay, seed: int) -> None:
        self.engine, self.client, self.daemon, self.relay = engine, engine.client, daemon, relay
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.truth: dict[str, Truth] = {}
        self.published: dict[str, Image] = {}
        self.containers: dict[str, str] = {}
        self.wrong: list[str] = []
        self.done: Counter[str] = Counter()
        self.removals = 0
        self.unheard = -math.inf
        """Since when there may be no stream, for a moment."""
        self.story: list[tuple[int, list[str]]] = []

    def do(self, words: list[str]) -> None:
        """What the engine refuses has not happened."""
        act = getattr(self, "do_" + words[0].strip("-"), None)
        if act is None:
            return
        self.story.append((time.time_ns(), words))
        with contextlib.suppress(EngineError, LookupError):
            act(*words[1:])
            self.done[words[0]] += 1

    # What is meant

    def _name(self, text: str) -> str:
        """All are names of the registry's."""
        return f"{self.engine.registry}/{text}"

    def _image(self, text: str) -> str:
        """An image by its name; by a number, some image."""
        if not text.startswith("i") or not text[1:].isdigit():
            return self._name(text)
        there = sorted(self.truth)
        return there[int(text[1:]) % len(there)] if there else self._name("nobody:1")

    @contextlib.contextmanager
    def _use(self, reference: str = "", origin: str = "") -> Iterator[None]:
        """What happens within is a use of the image that then has this name."""
        begin = time.time_ns()
        with self.lock:
            former = self._owner(reference)
            yield
            image_id = self.client.image_id(reference)
            now = time.monotonic()
            if former and former is not self.truth.get(image_id):
                self._doubt(former)
            known = self.truth.setdefault(image_id, Truth(origin, now, begin))
            known.used, known.used_ns = now, begin

    def _owner(self, reference: str) -> Truth | None:
        with contextlib.suppress(EngineError, LookupError):
            return self.truth.get(self.client.image_id(reference))
        return None

    def _doubt(self, known: Truth) -> None:
        """Its last use may have been told to nobody, or by a name alone that it has no more."""
        now = time.monotonic()
        unheard = -ON_ITS_WAY <= known.used - self.unheard < SEEN_WITHIN
        if unheard and now - known.used < SEEN_WITHIN:
            known.used, known.used_ns = -math.inf, 0

    # Operations

    def do_publish(self, name: str) -> None:
        made = image(secrets.token_hex(8), SIZE, runnable=True)
        self.published[name] = made
        self.engine.push(self._name(name), made)

    def do_pull(self, name: str) -> None:
        if name not in self.published:
            self.do_publish(name)
        with self._use(self._name(name), "pulled"):
            self.client.fetch(self._name(name))

    def do_create(self, box: str, text: str) -> None:
        if box == "c0":
            self._empty()
        reference = self._image(text)
        with self._use(reference):
            container = self.client.create(reference)
            self.containers[box] = container
        self.truth[self.client.image_id(reference)].holders[container] = time.monotonic()

    def do_start(self, box: str) -> None:
        self.client.start(self.containers[box])

    def do_stop(self, box: str) -> None:
        self.client.stop(self.containers[box])

    def do_rm(self, box: str) -> None:
        self._remove(self.containers.pop(box))

    def _remove(self, container: str) -> None:
        begin = time.time_ns()
        with self.lock:
            self.client.remove_container(container, force=True)
            for known in self.truth.values():
                if known.holders.pop(container, None):
                    known.used, known.used_ns = time.monotonic(), begin

    def _empty(self) -> None:
        for container in self.containers.values():
            with contextlib.suppress(EngineError):
                self._remove(container)
        self.containers.clear()

    def do_tag(self, text: str, name: str) -> None:
        with self._use(self._name(name)):
            self.client.tag(self._image(text), self._name(name))

    def do_rmi(self, *words: str) -> None:
        with self.lock:
            former = self._owner(self._image(words[-1]))
            self.client.remove_image(self._image(words[-1]))
            if former:
                self._doubt(former)

    def do_load(self, number: str, name: str) -> None:
        made = image(f"loaded-{number}", SIZE, runnable=True)
        reference = self._name("loaded:1" if name == "-" else name)
        with self._use(reference, "loaded"):
            self.client.load(made.archive(reference))

    def do_build(self, name: str, _from: str, base: str, *_steps: str) -> None:
        base = "scratch" if base == "scratch," else self._image(base.strip(","))
        reference = self._name("built:1" if name == "-" else name)
        dockerfile = f"FROM {base}\nCOPY x /x\nLABEL a={self.chance.randrange(3)}\n"
        with self._use(reference, "built"):
            self.client.build_classic(dockerfile, {"x": self.chance.randbytes(1000)}, reference)

    def do_cut(self) -> None:
        self.unheard = time.monotonic()
        self.relay.cut("GET */events?*")

    def do_engine(self, what: str) -> None:
        with self.lock:
            if what == "stops" and self.client.ping():
                self._forget_events()
                self.engine.stop()
            elif what == "starts" and not self.client.ping():
                self.engine.start()
                self.unheard = time.monotonic()

    def _forget_events(self) -> None:
        """What was told before a stream was there again, an engine that stops tells nobody."""
        for known in self.truth.values():
            self._doubt(known)

    def do_daemon(self, *_words: str) -> None:
        self.daemon.stop()
        self.daemon.start()
        self.unheard = time.monotonic()
        # A signal that comes before it takes any would end it.
        self.daemon.wait(lambda: self.daemon.status, "its first word")

    def do_reload(self) -> None:
        self.daemon.signal(signal.SIGHUP)

    def do_collect(self) -> None:
        self.daemon.signal(signal.SIGUSR1)

    def story_around(self, moment: int) -> str:
        return "\n".join(f"{(when - moment) / 10**9:.3f} s: {' '.join(words)}"
                         for when, words in self.story if abs(when - moment) < 3 * 10**9)

    # What may go

    def judge(self, passage: faults.Passage) -> bool:
        """A removal is on its way."""
        name = unquote(passage.request.partition("/images/")[2].partition("?")[0])
        with self.lock, contextlib.suppress(EngineError):  # unless it has just gone
            now = time.monotonic()
            image_id = self.client.image_id(name)
            known = self.truth.get(image_id)
            if known:
                self.removals += 1
                self.wrong += [f"{name} ({image_id}): {why}"
                               for why in self._objections(known, now)]
        return True

    def _objections(self, known: Truth, now: float) -> Iterator[str]:
        if any(now - since > SEEN_WITHIN for since in known.holders.values()):
            yield "in use"
        if known.origin not in ("pulled", ""):
            yield f"{known.origin}, and not managed"
        unused = (time.time_ns() - known.used_ns) / 10**9
        if now - known.used > SEEN_WITHIN and unused < GRACE:
            yield f"used {unused:.2f} s ago"

    def forget_gone(self) -> None:
        """What is not there any more: it may come back as something else."""
        with self.lock:
            if self.client.ping():
                there = self.client.image_ids(everything=True)
                self.truth = {each: known for each, known in self.truth.items() if each in there}


@pytest.mark.needs("exact-sizes")
def test_random_worlds_on_an_engine(daemon: MakeDaemon, restartable: Engine,
                                    directory: Any) -> None:
    seed = int(os.environ.get("DOCKERGCD_SEED") or SEED)
    print(f"DOCKERGCD_SEED={seed}")
    relay = faults.Relay(directory, restartable.socket_path)
    made = daemon(restartable, {"gc": {"max_total_size": "2.05MB", "grace": f"{GRACE:.0f}s",
                                       "interval": "3s"}}, host=relay.host)
    world = World(restartable, made, relay, seed)
    relay.script("DELETE */images/*", world.judge)
    made.start().wait_watching()
    begin = time.monotonic()
    for number, words in enumerate(operations(seed, OPERATIONS)):
        world.do(words)
        wait_until(begin + number * PACE, made)
        if number % 5 == 4:
            world.forget_gone()
        assert not world.wrong, "\n".join([f"operation {number}: {words}", *world.wrong,
                                           made.log[-8000:]])
    world.do(["engine", "starts"])
    made.wait_status("Watching", within=60)
    made.fence()
    world.forget_gone()
    cache = made.stop()
    relay.close()
    print(f"{restartable.kind}: {world.removals} removals; "
          f"{', '.join(f'{what} {count}' for what, count in sorted(world.done.items()))}")
    assert world.removals > OPERATIONS // 200
    for each in restartable.client.images():
        known = world.truth.get(each["Id"])
        if known is None:
            continue
        assert each["Id"] in cache.ids, (each["Id"], made.log[-4000:])
        assert cache.last_used(each["Id"]) >= known.used_ns - 10**6, (
            each["Id"], world.story_around(known.used_ns))
        if known.origin:
            assert cache.origin(each["Id"]) in (known.origin, "built"), each["Id"]
