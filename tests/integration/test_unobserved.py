"""Time in which nobody watched (B12): counted, shown in the cache file, and no disuse.

Absences are real and short here, or a cache file is made older between two runs. What clocks do
besides is in test_clocks.py.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import faults
from cache import Cache, format_time, parse_time
from daemon import Daemon
from engines import Engine
from images import Image
from scenes import event_time, loaded, present, pulled, used, wait_until
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

NS = 10**9
WEEK = 7 * 24 * 3600

BRIEF = {"max_unused": "8s", "interval": "1s"}
"""An age limit that a test can wait for, and a timer that looks often enough."""


def total(cache: Cache) -> int:
    """Seconds nobody watched."""
    return int(cache.content["unobserved_seconds"])


def then(cache: Cache, image_id: str) -> int:
    """The total as it was at the image's last use."""
    return int(cache.image(image_id)["unobserved_seconds"])


def observed_until(cache: Cache) -> int:
    return parse_time(cache.content["observed_until"])


def unused(cache: Cache, image_id: str) -> float:
    """Seconds that the image was unused while somebody watched, by the file alone."""
    passed = (observed_until(cache) - cache.last_used(image_id)) / NS
    return passed - (total(cache) - then(cache, image_id))


def long_ago(seconds: float) -> Callable[[dict[str, Any]], None]:
    """As if the file had been left so much earlier."""
    def edit(content: dict[str, Any]) -> None:
        for entry in [content, *content["images"]]:
            for key in ("first_seen", "last_used", "observed_until", "met"):
                if key in entry:
                    entry[key] = format_time(parse_time(entry[key]) - int(seconds * NS))
    return edit


def forget_events(engine: Engine) -> None:
    """The engine remembers what really happened, after the time that an older file ends with.

    Docker does until it is started anew; podman has a file.
    """
    engine.stop()
    if engine.store == "podman":
        log, = engine.directory.glob("exec/**/events.log")
        log.unlink()
    engine.start()


@contextlib.contextmanager
def without_daemon(daemon: Daemon, seconds: float, kill: bool = False) -> Iterator[None]:
    """Nobody watches for at least so long, by the daemon's absence."""
    if kill:
        daemon.kill()
    else:
        daemon.stop()
    begin = time.monotonic()
    yield
    wait_until(begin + seconds)
    daemon.start().wait_watching()


@contextlib.contextmanager
def without_engine(daemon: Daemon, engine: Engine, seconds: float,
                   kill: bool = False) -> Iterator[None]:
    """Nobody watches for at least so long, by the engine's absence."""
    if kill:
        engine.kill()
    else:
        engine.stop()
    daemon.wait_status("Waiting for Docker Engine")
    begin = time.monotonic()
    yield
    wait_until(begin + seconds, daemon)
    lists = daemon.log.count(r"info: Watching ")
    engine.start()
    daemon.wait_status("Watching", within=40)
    daemon.wait(lambda: daemon.log.count(r"info: Watching ") > lists, "lists", within=40)


# What is counted

def test_b12_while_somebody_watches_nothing_is_unobserved(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    image = pulled(engine, "app")
    used(engine, image.reference)
    daemon.fence()
    cache = daemon.stop()
    assert (total(cache), then(cache, image.id)) == (0, 0)


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_b12_absence_of_the_daemon_is_counted_and_no_disuse(watch: Watch, engine: Engine,
                                                            kill: bool) -> None:
    """Killed, it may have watched for longer than the file says: more is unobserved, never less."""
    daemon = watch(engine)
    image = pulled(engine, "app")
    daemon.wait_cache(lambda cache: image.id in cache.ids, "the image")
    with without_daemon(daemon, 2, kill):
        gone = time.time_ns()
        before = daemon.cache()
    cache = daemon.stop()
    lag = (gone - observed_until(before)) / NS
    assert lag >= 0 and (kill or lag < 5)
    assert total(cache) - total(before) >= 2
    assert total(cache) - total(before) <= math.ceil(
        (observed_until(cache) - observed_until(before)) / NS)
    assert then(cache, image.id) == then(before, image.id) == 0
    assert cache.last_used(image.id) == before.last_used(image.id)
    away_ns = observed_until(cache) - observed_until(before)
    assert 0 <= unused(cache, image.id) - unused(before, image.id) + 1 <= away_ns / NS - 2 + 1


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_b12_absence_of_the_engine_is_counted_and_no_disuse(watch: Watch, restartable: Engine,
                                                            kill: bool) -> None:
    daemon = watch(restartable)
    image = pulled(restartable, "app")
    daemon.fence()
    begin = time.monotonic()
    with without_engine(daemon, restartable, 2, kill):
        pass
    longest = math.ceil(time.monotonic() - begin)
    cache = daemon.stop()
    assert 2 <= total(cache) <= longest
    assert then(cache, image.id) == 0


def test_b12_an_engine_that_is_not_there_when_the_daemon_comes(watch: Watch,
                                                               restartable: Engine) -> None:
    """Absence of both is one absence."""
    daemon = watch(restartable)
    image = pulled(restartable, "app")
    daemon.fence()
    before = daemon.stop()
    restartable.stop()
    daemon.start().wait_status("Waiting for Docker Engine")
    wait_until(time.monotonic() + 2, daemon)
    restartable.start()
    daemon.wait_log(r"info: Watching ", within=40)
    cache = daemon.stop()
    passed = (observed_until(cache) - observed_until(before)) / NS
    assert 2 <= total(cache) <= math.ceil(passed)
    assert then(cache, image.id) == 0


def test_b12_a_daemon_that_never_met_the_engine_again_has_not_watched(
        watch: Watch, restartable: Engine) -> None:
    """It came and went while the engine was away: the file says what it said."""
    daemon = watch(restartable)
    pulled(restartable, "app")
    daemon.fence()
    before = daemon.stop()
    restartable.stop()
    daemon.start().wait_status("Waiting for Docker Engine")
    assert daemon.stop() == before


def test_b12_a_stream_that_is_opened_again_at_once_was_watched(watch: Watch,
                                                               scripted: ScriptedEngine) -> None:
    """B13: a proxy that closes it ages everything as if it had not."""
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    daemon.fence()
    scripted.forget_requests()
    for number in range(3):
        daemon.wait(lambda: scripted.log.listeners, "the stream")
        scripted.log.close()
        daemon.wait(lambda: len(scripted.requests("GET", "/events")) > number, "a reconnect")
    daemon.fence()
    cache = daemon.stop()
    assert (total(cache), then(cache, image.id)) == (0, 0)


def test_b12_absences_add_up_and_a_use_starts_anew(watch: Watch, restartable: Engine) -> None:
    """Each image has the total of its own last use."""
    daemon = watch(restartable)
    early, late = pulled(restartable, "early"), pulled(restartable, "late")
    daemon.fence()
    daemon.stop()
    daemon.edit_cache(long_ago(1000))
    forget_events(restartable)
    daemon.start().wait_watching()
    when = used(restartable, late.reference)
    daemon.fence()
    first = daemon.stop()
    assert 1000 <= total(first) < 1100
    assert (then(first, early.id), then(first, late.id)) == (0, total(first))
    assert first.last_used(late.id) == when
    daemon.edit_cache(long_ago(5000))
    forget_events(restartable)
    daemon.start().wait_watching()
    daemon.fence()
    second = daemon.stop()
    assert 6000 <= total(second) < 6200
    assert (then(second, early.id), then(second, late.id)) == (0, total(first))
    # Watched all the while, to the second that each absence is rounded up by: hardly at all.
    assert -2 <= unused(second, early.id) < 100 and -2 <= unused(second, late.id) < 100


def test_b12_what_was_used_within_an_absence_keeps_its_own_time(watch: Watch,
                                                                engine: Engine) -> None:
    """The engine remembers the event: of the absence only what follows it was after the use."""
    daemon = watch(engine)
    image = pulled(engine, "app")
    daemon.fence()
    with without_daemon(daemon, 4):
        begin = time.monotonic()
        wait_until(begin + 2)
        when = used(engine, image.reference)
    cache = daemon.stop()
    assert cache.last_used(image.id) == when
    assert 4 <= total(cache)
    # Two seconds before it and two after it, and each of them may be rounded up.
    assert 1 <= then(cache, image.id) <= total(cache) - 1
    assert unused(cache, image.id) >= -2


@pytest.mark.parametrize("text", ["name", "id"])
def test_b3_a_container_that_ended_while_nobody_watched_was_a_use(watch: Watch, engine: Engine,
                                                                  text: str) -> None:
    """The engine tells of its end, and nobody can be asked what it held."""
    daemon = watch(engine)
    image = pulled(engine, "app")
    container = engine.client.create(image.reference if text == "name" else image.id)
    daemon.fence()
    with without_daemon(daemon, 1):
        begin = time.time_ns()
        engine.client.remove_container(container)
    when = event_time(engine, begin, "container", "destroy")
    assert daemon.stop().last_used(image.id) == when


def test_b12_an_image_that_came_while_nobody_watched_was_never_unused(watch: Watch,
                                                                      scripted: ScriptedEngine,
                                                                      ) -> None:
    """B14: and nobody has told when: it counts as used now."""
    daemon = watch(scripted)
    pulled(scripted, "known")
    daemon.fence()
    with without_daemon(daemon, 2):
        new = pulled(scripted, "new")
        scripted.log.forget()
        back = time.time_ns()
    cache = daemon.stop()
    assert cache.last_used(new.id) >= back
    assert then(cache, new.id) == total(cache) >= 2


# What waits for watched time

def watch_it_go(daemon: Daemon, engine: Engine, image: Any, watched: float,
                limit: float) -> None:
    """It goes when it was unused for LIMIT seconds, WATCHED of which are over at the least."""
    begin = time.monotonic()
    assert present(engine, image) == [True], "absence was taken for disuse"
    daemon.wait(lambda: present(engine, image) == [False], "its removal", within=limit + 15)
    assert watched + time.monotonic() - begin >= limit - 0.1


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_b12_max_unused_waits_for_watched_time_over_an_absence_of_the_daemon(
        watch: Watch, engine: Engine, kill: bool) -> None:
    daemon = watch(engine, BRIEF)
    image = pulled(engine, "app")
    seen = time.monotonic()
    daemon.wait_cache(lambda cache: image.id in cache.ids, "the image", within=7)
    watched = time.monotonic() - seen
    with without_daemon(daemon, 9, kill):
        pass
    watch_it_go(daemon, engine, image, watched + 1, 8)


def test_b12_max_unused_waits_for_watched_time_over_an_absence_of_the_engine(
        watch: Watch, restartable: Engine) -> None:
    daemon = watch(restartable, BRIEF)
    image = pulled(restartable, "app")
    seen = time.monotonic()
    daemon.fence()  # how it came must be known before there is nobody to be asked
    with without_engine(daemon, restartable, 9):
        watched = time.monotonic() - seen
    watch_it_go(daemon, restartable, image, watched + 1, 8)


@pytest.mark.parametrize("limit", [
    pytest.param({"max_total_size": "1"}, marks=pytest.mark.needs("usage")), {"max_unused": "1s"},
], ids=["size", "age"])
def test_b12_grace_waits_for_watched_time(watch: Watch, engine: Engine,
                                          limit: dict[str, str]) -> None:
    """What ran while nobody watched is not collected at start-up, whatever the limit."""
    daemon = watch(engine, {"grace": "8s", "interval": "1s"} | limit)
    image = pulled(engine, "app")
    seen = time.monotonic()
    daemon.wait_cache(lambda cache: image.id in cache.ids, "the image", within=7)
    watched = time.monotonic() - seen
    with without_daemon(daemon, 5):
        pass
    watch_it_go(daemon, engine, image, watched + 1, 8)


def test_b12_what_ran_while_nobody_watched_is_within_grace(watch: Watch, engine: Engine) -> None:
    """A long absence, a container that came and went in it; then the collection at start-up."""
    daemon = watch(engine, {"grace": "1h"})
    ran, idle = pulled(engine, "ran"), pulled(engine, "idle")
    daemon.fence()
    daemon.stop()
    daemon.make_older(2 * 3600)
    used(engine, ran.reference)
    daemon.configure({"gc": {"max_unused": "1ms"}})
    daemon.start().wait_watching()
    daemon.fence()
    assert present(engine, ran, idle) == [True, False]


@pytest.fixture
def returning(watch: Watch, scripted: ScriptedEngine) -> tuple[Daemon, Image, Image]:
    """A daemon that starts next, to collect, and two images; the first ran since it stopped."""
    daemon = watch(scripted, {"grace": "1h"})
    ran, idle = pulled(scripted, "ran"), pulled(scripted, "idle")
    daemon.fence()
    daemon.stop()
    daemon.make_older(2 * 3600)
    used(scripted, ran.reference)
    daemon.configure({"gc": {"max_unused": "1ms"}})
    return daemon, ran, idle


def of_the_past(fault: faults.Fault) -> faults.Fault:
    """For the events until a time, and the stream as it should be."""
    return lambda exchange: (
        fault if "until" in exchange.request.query else faults.delay(0))(exchange)


def test_b12_what_the_stream_tells_too_late_is_asked_for(
        returning: tuple[Daemon, Image, Image], scripted: ScriptedEngine) -> None:
    """Nothing says when a stream has told what was before it: here, never."""
    daemon, ran, idle = returning

    def silent(exchange: Any) -> None:
        if "until" in exchange.request.query:
            exchange.wire.send(exchange.handle())
        else:
            faults.stream_silent()(exchange)

    scripted.script("GET", "/events", silent)
    daemon.start().wait_watching()
    daemon.wait(lambda: present(scripted, ran, idle) == [True, False], "the collection")


@pytest.mark.parametrize("fault", [faults.reply(500, {"message": "no events"}), faults.close()],
                         ids=["500", "closed"])
def test_b12_without_the_past_nothing_goes(returning: tuple[Daemon, Image, Image],
                                           scripted: ScriptedEngine, fault: faults.Fault) -> None:
    daemon, ran, idle = returning
    gate = scripted.script("GET", "/events", of_the_past(fault))
    daemon.start().wait_log("^warning: no engine at .*: GET /events: ")
    assert present(scripted, ran, idle) == [True, True]
    gate.remove()
    daemon.wait(lambda: present(scripted, ran, idle) == [True, False], "recovery", within=30)


def test_b12_an_engine_that_streams_on_where_only_the_past_was_asked_for(
        returning: tuple[Daemon, Image, Image], scripted: ScriptedEngine) -> None:
    """As one that does not know `until`: it has told what it had when it falls silent."""
    daemon, ran, idle = returning

    def stream_on(exchange: Any) -> None:
        exchange.request.query.pop("until")
        exchange.wire.send(exchange.handle())

    scripted.script("GET", "/events", of_the_past(stream_on))
    daemon.start().wait_watching()
    daemon.wait(lambda: present(scripted, ran, idle) == [True, False], "the collection")


def test_b12_weeks_of_absence_do_not_age_and_watched_weeks_do(watch: Watch,
                                                              restartable: Engine) -> None:
    """Unused for two watched weeks, then five weeks of absence, then two more: at last it goes."""
    daemon = watch(restartable, {"max_unused": "4w"})
    image = pulled(restartable, "app")
    daemon.fence()
    daemon.stop()
    daemon.make_older(2 * WEEK)
    daemon.edit_cache(long_ago(5 * WEEK))
    forget_events(restartable)
    daemon.start().wait_watching()
    daemon.fence()
    assert present(restartable, image) == [True]
    cache = daemon.stop()
    assert 5 * WEEK <= total(cache) < 5 * WEEK + 600
    assert 2 * WEEK - 600 < unused(cache, image.id) < 2 * WEEK + 600
    daemon.make_older(2 * WEEK + 600)
    forget_events(restartable)
    daemon.start().wait(lambda: present(restartable, image) == [False], "its removal")


@pytest.mark.parametrize("missing", ["image", "total", "both", "observed_until"])
def test_b12_where_the_file_does_not_say_it_is_kept_for_longer(watch: Watch, restartable: Engine,
                                                              missing: str) -> None:
    """Nothing goes earlier than with all the numbers there; most of them make it stay."""
    daemon = watch(restartable, {"max_unused": "4w"})
    image = pulled(restartable, "app")
    daemon.fence()
    daemon.stop()

    def edit(content: dict[str, Any]) -> None:
        long_ago(5 * WEEK)(content)
        if missing in ("total", "both"):
            del content["unobserved_seconds"]
        if missing in ("image", "both"):
            del content["images"][0]["unobserved_seconds"]
        if missing == "observed_until":
            del content["observed_until"]

    daemon.edit_cache(edit)
    forget_events(restartable)
    daemon.start().wait_watching()
    daemon.fence()
    assert present(restartable, image) == [True]
    assert total(daemon.stop()) >= 5 * WEEK


def test_b12_runs_of_once_age_nothing(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    """README: to collect by cron, let it run."""
    once = daemon(scripted, {"gc": {"max_unused": "4w"}, "images": {
        "manage": ["pulled", "existing"]}})
    image, other = pulled(scripted, "app"), loaded(scripted, "other:1")
    once.once()
    for _ in range(3):
        once.edit_cache(long_ago(3 * WEEK))
        scripted.log.forget()
        once.once()
    assert present(scripted, image, other) == [True, True]
    cache = once.cache()
    assert 9 * WEEK <= total(cache) < 9 * WEEK + 600
    assert then(cache, image.id) == then(cache, other.id) == 0
    assert unused(cache, image.id) < 60
