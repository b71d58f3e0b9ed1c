"""A machine that sleeps, and clocks that are set while somebody watches or nobody does (B12, B4).

Neither can be done to the machine that runs the tests. So the daemon's CLOCK_REALTIME and
CLOCK_BOOTTIME are put ahead by clocks.c, as sleep and `date --set` would; the scripted engine's
clock goes along, a real one's cannot.
"""

from __future__ import annotations

import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import faults
from cache import Cache, parse_time
from daemon import Daemon
from engines import Engine
from scenes import doubt, lose_stream, present, pulled, silent, wait_until
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]

SECOND = 10**9
YEAR = 365 * 24 * 3600 * SECOND
AGED = {"gc": {"max_unused": "6s", "interval": "1s"}}
"""An age limit that a test can wait for, and a timer that looks often enough."""
WEEKS = {"gc": {"max_unused": "4w", "interval": "1s"}}
"""One that passes only if somebody takes a clock for time."""


class Clocks:
    """What the daemon's clocks show."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clocks"
        self._real = self._boot = 0
        self._write()
        library = directory / "clocks.so"
        subprocess.run(["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library,
                        Path(__file__).with_name("clocks.c")], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCKS": str(self._file)}

    def set(self, by_ns: int) -> None:
        """As `date --set`: forward, or back."""
        self._real += by_ns
        self._write()

    def sleep(self, for_ns: int) -> None:
        """As a machine that is suspended: CLOCK_MONOTONIC stands still."""
        self._boot += for_ns
        self.set(for_ns)

    def now(self) -> int:
        return time.time_ns() + self._real

    def _write(self) -> None:
        """In place: it is mapped."""
        with self._file.open("r+b" if self._file.exists() else "w+b", buffering=0) as file:
            file.write(struct.pack("=qq", self._real, self._boot))


@pytest.fixture
def clocks(directory: Path) -> Clocks:
    return Clocks(directory)


def watching(daemon: MakeDaemon, engine: Engine, clocks: Clocks,
             settings: dict[str, dict[str, str]]) -> Daemon:
    """On a machine with these clocks."""
    if isinstance(engine, ScriptedEngine):
        engine.log.clock = clocks.now
    made = daemon(engine, settings, environment=clocks.environment)
    return made.start().wait_watching()


def unobserved(cache: Cache) -> float:
    return float(cache.content["unobserved_seconds"])


def use(engine: ScriptedEngine, image_id: str) -> int:
    """Returns when, by the engine's clock."""
    event = engine.log.publish("image", "tag", image_id, {"name": "x:1"})
    return int(event["timeNano"])


CHANGES: dict[str, Callable[[Clocks], None]] = {
    "sleep": lambda clocks: clocks.sleep(YEAR), "forward": lambda clocks: clocks.set(YEAR),
    "back": lambda clocks: clocks.set(-YEAR),
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@changes
def test_b12_what_clocks_do_while_somebody_watches_is_no_disuse(
        daemon: MakeDaemon, engine: Engine, clocks: Clocks,
        change: Callable[[Clocks], None]) -> None:
    """It goes when it was unused for six watched seconds: neither at once nor a year later."""
    made = watching(daemon, engine, clocks, AGED)
    begin = time.monotonic()
    image = pulled(engine, "app")
    made.fence()
    wait_until(begin + 2, made)
    change(clocks)
    made.fence()
    wait_until(begin + 5, made)
    assert present(engine, image) == [True], "a clock was taken for disuse"
    made.wait(lambda: present(engine, image) == [False], "its removal")
    assert time.monotonic() - begin > 6
    cache = made.stop()
    assert abs(parse_time(cache.content["observed_until"]) - clocks.now()) < 5 * SECOND
    expected = 0 if change is CHANGES["back"] else YEAR / SECOND
    assert expected <= unobserved(cache) <= expected + 2


@changes
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_b12_what_clocks_do_while_nobody_watches_is_no_disuse(
        daemon: MakeDaemon, engine: Engine, clocks: Clocks, change: Callable[[Clocks], None],
        end: str) -> None:
    made = watching(daemon, engine, clocks, WEEKS)
    image = pulled(engine, "app")
    made.wait_cache(lambda cache: cache.origin(image.id) == "pulled", "its arrival")
    getattr(made, end)()
    change(clocks)
    made.start().wait_watching()
    made.fence()
    assert present(engine, image) == [True], "a clock was taken for disuse"
    cache = made.stop()
    assert cache.last_used(image.id) <= clocks.now()
    assert cache.origin(image.id) == "pulled"


@changes
def test_b4_a_use_after_it_is_a_use_by_the_new_clock(
        daemon: MakeDaemon, scripted: ScriptedEngine, clocks: Clocks,
        change: Callable[[Clocks], None]) -> None:
    """And the other image keeps its distance from now."""
    made = watching(daemon, scripted, clocks, WEEKS)
    image, other = pulled(scripted, "app"), pulled(scripted, "other")
    made.fence()
    change(clocks)
    when = use(scripted, image.id)
    made.fence()
    cache = made.stop()
    assert cache.last_used(image.id) == when
    watched = clocks.now() - cache.last_used(other.id)
    watched -= int(unobserved(cache) - cache.image(other.id)["unobserved_seconds"]) * SECOND
    assert -2 * SECOND < watched < 20 * SECOND


def through_the_gap(made: Daemon, scripted: ScriptedEngine, end: threading.Event) -> Cache:
    """What it has written down when the stream is there again."""
    end.set()
    made.wait(lambda: scripted.log.listeners, "the stream")
    wait_until(time.monotonic() + 1.5, made)  # whether its last event comes back
    made.fence()
    return made.stop()


@changes
def test_b11_b12_a_use_while_the_stream_was_broken_and_the_clock_was_set(
        daemon: MakeDaemon, scripted: ScriptedEngine, clocks: Clocks,
        change: Callable[[Clocks], None]) -> None:
    """What came after the last event can be older than that."""
    made = watching(daemon, scripted, clocks, WEEKS)
    image = pulled(scripted, "app")
    use(scripted, image.id)
    made.fence()
    end = lose_stream(made, scripted)
    change(clocks)
    when = use(scripted, image.id)
    assert through_the_gap(made, scripted, end).last_used(image.id) >= when


def test_b11_b12_a_use_by_a_clock_that_has_caught_up_with_what_it_was(
        daemon: MakeDaemon, scripted: ScriptedEngine, clocks: Clocks) -> None:
    """It is older than the last event, which was told before the clock was set back."""
    made = watching(daemon, scripted, clocks, WEEKS)
    image = pulled(scripted, "app")
    told = use(scripted, image.id)
    made.fence()
    clocks.set(-3 * SECOND)
    made.fence()
    end, answer = lose_stream(made, scripted), threading.Event()
    when = use(scripted, image.id)
    assert when < told
    scripted.forget_requests()
    scripted.script("GET", "/_ping", faults.hang(answer), times=1)
    end.set()
    made.wait(lambda: scripted.requests("GET", "/_ping"), "a stream that does not go on")
    made.wait(lambda: clocks.now() > told, "the time of the last event")
    assert through_the_gap(made, scripted, answer).last_used(image.id) >= when


@changes
@pytest.mark.parametrize("failures", [0, 1], ids=["listed", "list-fails"])
def test_b11_b12_a_container_that_went_while_the_stream_was_broken_and_the_clock_was_set(
        daemon: MakeDaemon, scripted: ScriptedEngine, clocks: Clocks,
        change: Callable[[Clocks], None], failures: int) -> None:
    made = watching(daemon, scripted, clocks, WEEKS)
    image = pulled(scripted, "app")
    container = scripted.client.create(image.reference)
    made.fence()
    end = lose_stream(made, scripted)
    scripted.log.forget()
    change(clocks)
    when = clocks.now()
    scripted.client.remove_container(container)
    scripted.script("GET", "/images/json", faults.reply(500, {"message": "not now"}),
                    times=failures)
    assert through_the_gap(made, scripted, end).last_used(image.id) >= when


@changes
@pytest.mark.parametrize("first", [False, True], ids=["later", "first"])
def test_b12_a_clock_set_while_a_list_was_under_way_and_the_stream_was_broken(
        daemon: MakeDaemon, scripted: ScriptedEngine, clocks: Clocks,
        change: Callable[[Clocks], None], first: bool) -> None:
    """What the list shows for the first time was not there long before."""
    made = watching(daemon, scripted, clocks, WEEKS)
    release = threading.Event()
    scripted.forget_requests()
    if first:
        made.stop()
    scripted.script("GET", "/images/json", faults.hang(release), times=1)
    if first:
        made.start()
    else:
        doubt(scripted)
    made.wait(lambda: scripted.requests("GET", "/images/json"), "the list")
    image = silent(scripted, lambda: pulled(scripted, "app"))
    # The first list is not made without what comes before a stream that was never heard of.
    end = lose_stream(made, scripted, "/_ping" if first else "/events")
    change(clocks)
    release.set()
    made.wait(lambda: made.control.call("GET", f"/v1/images/{image.id}").status == 200,
              "what was listed")
    cache = through_the_gap(made, scripted, end)
    assert -2 * SECOND < clocks.now() - cache.last_used(image.id) < 20 * SECOND


@changes
def test_b12_a_clock_set_between_a_measure_and_the_plan(
        daemon: MakeDaemon, scripted: ScriptedEngine, clocks: Clocks,
        change: Callable[[Clocks], None]) -> None:
    made = watching(daemon, scripted, clocks,
                    {"gc": {"max_unused": "4w", "max_total_size": "60GB"}})
    image = pulled(scripted, "app")
    made.fence()
    collections = made.collections
    release = threading.Event()
    scripted.forget_requests()
    script = scripted.script("GET", "/system/df", faults.hang(release))
    made.signal(signal.SIGUSR1)
    made.wait(lambda: scripted.requests("GET", "/system/df"), "the measure")
    change(clocks)
    release.set()
    script.remove()
    made.wait(lambda: made.collections > collections, "the collection's end")
    assert present(scripted, image) == [True], "a clock was taken for disuse"


@changes
def test_b12_a_clock_set_between_a_question_and_its_answer(
        daemon: MakeDaemon, scripted: ScriptedEngine, clocks: Clocks,
        change: Callable[[Clocks], None]) -> None:
    made = watching(daemon, scripted, clocks, {"gc": {"max_unused": "4w"}})
    release = threading.Event()
    scripted.forget_requests()
    script = scripted.script("GET", "/images/*/json", faults.hang(release))
    image = pulled(scripted, "app")
    made.wait(lambda: scripted.requests("GET", "/images/*/json"), "the question")
    change(clocks)
    release.set()
    script.remove()
    made.wait_log("^info: new image")
    made.fence()
    assert present(scripted, image) == [True], "a clock was taken for disuse"
    cache = made.stop()
    assert -2 * SECOND < clocks.now() - cache.last_used(image.id) < YEAR + 20 * SECOND
