"""The list at the interval: what events did not tell is healed, counted and told (B14).

Engines that tell everything leave nothing to tell.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import faults
from daemon import Daemon
from engines import Engine
from images import image
from real_engine import RealEngine
from scenes import Pulled, doubt, loaded, present, pulled, silent, used, wait_until
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]

INTERVAL = {"interval": "2500ms"}
"""Longer than events may lag behind a list."""

TOLD = re.compile(r"^info: no event told that (.*)$", re.MULTILINE)


def told(daemon: Daemon) -> list[str]:
    return TOLD.findall(daemon.log)


def lists(daemon: Daemon) -> int:
    """How many intervals have passed: each is followed by a collection."""
    return len(re.findall(r"^debug: collection finished", daemon.log, re.MULTILINE))


def wait_lists(daemon: Daemon, count: int) -> None:
    wanted = lists(daemon) + count
    daemon.wait(lambda: lists(daemon) >= wanted, f"{count} intervals", within=30)


def test_what_events_did_not_tell_is_told(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, INTERVAL)
    kept, lost = pulled(scripted, "kept"), pulled(scripted, "lost")
    container = scripted.client.create(kept.reference)
    daemon.fence()
    client = scripted.client
    new = image("new")
    silent(scripted, lambda: client.load(new.archive("new:1")))
    silent(scripted, lambda: client.tag(kept.reference, "other:1"))
    silent(scripted, lambda: client.remove_image(lost.reference))
    silent(scripted, lambda: client.remove_container(container))
    daemon.wait(lambda: len(told(daemon)) == 4, "all of them", within=30)
    assert sorted(told(daemon)) == sorted([
        f"image {new.id} has come",
        f"image {kept.id} has got docker.io/library/other:1",
        f"image {lost.id} has gone",
        f"container {container} has gone",
    ])
    daemon.wait_log(r"^info: the list at the interval knew better than events, 4 times so far$")
    wait_lists(daemon, 2)
    assert len(told(daemon)) == 4
    cache = daemon.stop()
    assert cache.ids == {kept.id, new.id}
    assert cache.origin(new.id) == "built"


def test_the_images_own_id_for_a_digest_is_no_news(watch: Watch, scripted: ScriptedEngine) -> None:
    """The containerd store has such a name beside each tag, of which alone its events tell."""
    daemon = watch(scripted, INTERVAL)
    app = pulled(scripted, "app")
    daemon.fence()
    names = scripted.model.references
    names[f"app@{app.id}"] = app.id
    wait_lists(daemon, 3)
    del names[f"app@{app.id}"]
    wait_lists(daemon, 3)
    assert told(daemon) == []
    other = f"app@sha256:{64 * 'a'}"
    names[other] = app.id
    daemon.wait(lambda: told(daemon) == [f"image {app.id} has got docker.io/library/{other}"],
                "another digest is told", within=30)


def test_an_event_that_the_list_is_ahead_of_explains_it(watch: Watch,
                                                        scripted: ScriptedEngine) -> None:
    """Changes happen while the list is made, their events come half a second later."""
    daemon = watch(scripted, INTERVAL)
    first = pulled(scripted, "first")
    daemon.fence()
    late: list[tuple[Any, ...]] = []
    real = scripted.model.emit

    def changed(exchange: faults.Exchange) -> None:
        scripted.model.emit = lambda *arguments: late.append(arguments)
        pulled(scripted, "second")
        scripted.client.tag(first.reference, "other:1")
        scripted.client.create(first.reference)
        scripted.model.emit = real
        exchange.wire.send(exchange.handle())

    scripted.script("GET", "/images/json", changed, times=1)
    daemon.wait(lambda: scripted.model.emit == real and late, "the list")
    wait_until(time.monotonic() + 0.5, daemon)
    for arguments in late:
        real(*arguments)
    wait_lists(daemon, 2)
    assert told(daemon) == []


def test_b14_a_real_engine_tells_everything(watch: Watch, engine: Engine) -> None:
    """Whatever its API can do, but builds without a tag."""
    daemon = watch(engine, {"interval": "2s"})
    for turn in range(3):
        app, base = pulled(engine, f"app{turn}"), pulled(engine, f"base{turn}")
        pulled(engine, f"app{turn}")
        engine.client.tag(app.reference, f"x:{turn}")
        engine.client.tag(base.reference, f"x:{turn}")
        loaded(engine, f"loaded{turn}:1")
        used(engine, app.reference)
        left = engine.client.create(base.reference)
        engine.client.build_classic(f"FROM {app.reference}\nLABEL a={turn}\nENV b={turn}\n",
                                    tag=f"built:{turn}")
        engine.client.remove_image(f"x:{turn}")
        engine.client.remove_image(app.reference)
        wait_lists(daemon, 1)
        engine.client.remove_container(left)
        engine.client.remove_image(f"loaded{turn}:1")
    wait_lists(daemon, 2)
    assert told(daemon) == []


@pytest.mark.needs("buildkit")
def test_b14_an_image_that_buildkit_made(watch: Watch, real: RealEngine) -> None:
    """Without a tag engines before 28 say nothing of it: found at the interval, and told.

    In any case it was built, and used just now.
    """
    daemon = watch(real, INTERVAL)
    daemon.fence()
    begin = time.time_ns()
    made = real.client.build_buildkit("FROM scratch\nCOPY content /\n",
                                      {"content": secrets.token_bytes(32)})
    if real.client.has_told_of(made, begin):
        wait_lists(daemon, 2)
        assert told(daemon) == []
    else:
        daemon.wait(lambda: told(daemon) == [f"image {made} has come"], "it is told", within=30)
    cache = daemon.stop()
    assert cache.origin(made) == "built"
    assert begin < cache.last_used(made)


def test_b20_an_image_that_only_a_list_shows_is_told_and_weighed(watch: Watch,
                                                                scripted: ScriptedEngine) -> None:
    """`docker pull --all-tags` tells the repository alone: nobody has that name, a list knows."""
    daemon = watch(scripted, {"max_total_size": "1"})
    new: list[Pulled] = []
    silent(scripted, lambda: new.append(pulled(scripted, "app", tag="old")))
    repository = f"{scripted.registry}/app"
    scripted.log.publish("image", "pull", repository, {"name": repository})
    daemon.wait_log(rf"^info: new image {re.escape(new[0].reference)} .*: pulled, managed, 1MB$")
    daemon.wait(lambda: not any(present(scripted, new[0])), "its removal")


def test_b18_doubts_that_come_during_a_list_lose_nothing(watch: Watch,
                                                         scripted: ScriptedEngine) -> None:
    """Events that name no image (a podman's loads) ask for a list, one at a time."""
    daemon = watch(scripted)
    release = threading.Event()
    scripted.script("GET", "/images/json", faults.hang(release), times=1)
    scripted.forget_requests()
    doubt(scripted)
    daemon.wait(lambda: scripted.requests("GET", "/images/json"), "a list")
    app = pulled(scripted, "app")
    doubt(scripted)
    doubt(scripted)
    scripted.flush()
    release.set()
    daemon.wait(lambda: len(scripted.requests("GET", "/images/json")) == 2, "a second list")
    daemon.fence()
    assert len(scripted.requests("GET", "/images/json")) == 2, "one for all that came meanwhile"
    cache = daemon.stop()
    assert cache.ids == {app.id} and cache.origin(app.id) == "pulled"
