"""What podman's events tell otherwise than Docker's, on an engine that says that it is podman.

It tells a pull of each create and run as well, whether or not anything was pulled, and podman 4
tells of a pull and of a load when they begin.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import faults
from daemon import Daemon
from images import MB, Image, image
from real_engine import RealEngine
from scenes import event_time, offered, present, pulled, used
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]

REMOTE = "registry.example.com/app:1"
LOCAL = "localhost/app:1"


@pytest.fixture
def podman(scripted: ScriptedEngine) -> ScriptedEngine:
    version = scripted.client.version()
    scripted.script("GET", "/version", faults.reply(200, version | {
        "Version": "4.3.1", "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}))
    return scripted


def tell(engine: ScriptedEngine, action: str, name: str, actor: str = "") -> None:
    engine.log.publish("image", action, actor, {"name": name})


def arrived(engine: ScriptedEngine, name: str, content: str = "") -> Image:
    """An image that no event tells of."""
    made = image(content or name)
    publish, engine.model.emit = engine.model.emit, lambda *_arguments: None
    engine.client.load(made.archive(name))
    engine.model.emit = publish
    return made


def origin(daemon: Daemon, made: Image) -> str:
    daemon.fence()
    return daemon.stop().origin(made.id)


def test_b14_podman_what_comes_with_a_pull_is_pulled(watch: Watch,
                                                     podman: ScriptedEngine) -> None:
    daemon = watch(podman)
    made = arrived(podman, REMOTE)
    tell(podman, "pull", REMOTE)
    assert origin(daemon, made) == "pulled"


def test_b14_podman_what_is_run_was_not_pulled(watch: Watch, podman: ScriptedEngine) -> None:
    """It was built, and is known; then there is a run."""
    daemon = watch(podman)
    made = arrived(podman, REMOTE)
    tell(podman, "tag", REMOTE, made.id[7:])
    daemon.wait_cache(lambda cache: made.id in cache.ids, "the image")
    tell(podman, "pull", REMOTE)
    assert origin(daemon, made) == "built"


def test_b14_podman_what_is_built_and_run_at_once_is_built(watch: Watch,
                                                           podman: ScriptedEngine) -> None:
    daemon = watch(podman)
    made = arrived(podman, REMOTE)
    tell(podman, "build", made.id[7:])
    tell(podman, "pull", REMOTE)
    assert origin(daemon, made) == "built"


def test_b14_podman_what_is_loaded_and_run_at_once_is_built(watch: Watch,
                                                            podman: ScriptedEngine) -> None:
    daemon = watch(podman)
    made = arrived(podman, REMOTE)
    tell(podman, "loadfromarchive", "/tmp/app.tar")
    tell(podman, "pull", REMOTE)
    assert origin(daemon, made) == "built"


@pytest.mark.parametrize("actor", [False, True])
def test_b14_podman_what_has_local_names_alone_was_not_pulled(
        watch: Watch, podman: ScriptedEngine, actor: bool) -> None:
    """As buildah makes it, which tells nobody. (podman 5 tells the ID as well.)"""
    daemon = watch(podman)
    made = arrived(podman, LOCAL)
    tell(podman, "pull", LOCAL, made.id[7:] if actor else "")
    assert origin(daemon, made) == "built"


# What comes after its event

@pytest.mark.parametrize("moved", [False, True])
def test_b14_podman_what_comes_after_its_pull_is_pulled(watch: Watch, podman: ScriptedEngine,
                                                        moved: bool) -> None:
    """Though nothing tells that it is there now, be it for an image that had the name before."""
    daemon = watch(podman)
    old = arrived(podman, REMOTE) if moved else None
    daemon.wait_cache(lambda cache: not old or old.id in cache.ids, "the one before")
    tell(podman, "pull", REMOTE)
    daemon.wait(lambda: podman.requests("GET", f"/images/{REMOTE}/json"), "the question")
    daemon.fence()
    made = arrived(podman, REMOTE, "new")
    daemon.wait_cache(lambda cache: made.id in cache.ids, "the image")
    cache = daemon.stop()
    assert cache.origin(made.id) == "pulled"
    assert not old or cache.origin(old.id) == "built"


def test_b14_podman_what_comes_after_its_load_is_built(watch: Watch,
                                                       podman: ScriptedEngine) -> None:
    daemon = watch(podman)
    tell(podman, "loadfromarchive", "/tmp/app.tar")
    daemon.fence()
    made = arrived(podman, REMOTE)
    daemon.wait_cache(lambda cache: made.id in cache.ids, "the image")
    assert origin(daemon, made) == "built"


def test_b14_podman_what_comes_in_a_gap_after_a_pull_is_built(watch: Watch,
                                                              podman: ScriptedEngine) -> None:
    """It has the name that was pulled, perhaps in another way."""
    daemon = watch(podman)
    tell(podman, "pull", REMOTE)
    daemon.wait(lambda: podman.requests("GET", f"/images/{REMOTE}/json"), "the question")
    gate = podman.script("GET", "/events", faults.reply(503, {"message": "later"}))
    podman.log.close()
    daemon.wait_log("later")
    made = arrived(podman, REMOTE)
    podman.log.forget()
    gate.remove()
    daemon.wait_cache(lambda cache: made.id in cache.ids, "the image", within=40)
    assert origin(daemon, made) == "built"


def test_b14_podman_what_began_before_we_watched_is_found(watch: Watch,
                                                          podman: ScriptedEngine) -> None:
    daemon = watch(podman)
    made = arrived(podman, REMOTE)
    daemon.wait_cache(lambda cache: made.id in cache.ids, "the image")
    assert origin(daemon, made) == "built"


@pytest.mark.lacks("load-names")
def test_b14_podman_tells_a_pull_when_it_begins(watch: Watch, real: RealEngine) -> None:
    """A real podman 4, with an image that takes it a while."""
    daemon = watch(real)
    made = offered(real, "app", 10 * MB)
    begin = time.time_ns()
    real.client.fetch(made.reference)
    end, told = time.time_ns(), event_time(real, begin, "image", "pull")
    assert told - begin < end - told
    daemon.wait_cache(lambda cache: made.id in cache.ids, "the image")
    assert daemon.stop().origin(made.id) == "pulled"


def test_b2_podman_a_container_that_came_and_went_before_its_image_is_told(
        watch: Watch, podman: ScriptedEngine) -> None:
    """Its events of images are written a moment later than those of containers."""
    daemon = watch(podman)
    made = arrived(podman, REMOTE)
    for action in ("create", "remove"):
        last = podman.log.publish("container", action, "c" * 64, {"image": REMOTE, "name": "c"})
    daemon.wait(lambda: daemon.control.call("GET", f"/v1/images/{made.id}").status == 200,
                "the image")
    daemon.fence()
    assert daemon.stop().last_used(made.id) == last["timeNano"]


def test_b4_podman_what_is_told_once_is_one_use(watch: Watch, podman: ScriptedEngine) -> None:
    """Also where lists look for it again, and its time lies ahead, as after a clock was set."""
    daemon = watch(podman)
    app = pulled(podman, "app")
    daemon.fence()
    clock, podman.log.clock = podman.log.clock, lambda: time.time_ns() + 3600 * 10**9
    tell(podman, "pull", app.reference)
    podman.log.clock = clock
    daemon.fence()
    podman.forget_requests()
    when = daemon.control.get(f"/v1/images/{app.id}")["last_used"]
    daemon.wait(lambda: len(podman.requests("GET", "/images/json")) >= 2, "two lists")
    daemon.fence()
    assert daemon.control.get(f"/v1/images/{app.id}")["last_used"] == when


def test_b10_podman_what_happened_meanwhile_is_asked_for_before_anything_goes(
        watch: Watch, podman: ScriptedEngine) -> None:
    """Its stream tells the past when it comes to that: here, never."""
    daemon = watch(podman, {"grace": "1h"})
    ran, idle = pulled(podman, "ran"), pulled(podman, "idle")
    daemon.fence()
    daemon.stop()
    daemon.make_older(2 * 3600)
    when = used(podman, ran.reference)

    def silent(exchange: Any) -> None:
        if "stream" in exchange.request.query:
            exchange.wire.send(exchange.handle())
        else:
            faults.stream_silent()(exchange)

    podman.script("GET", "/events", silent)
    daemon.configure({"gc": {"max_unused": "1ms"}})
    daemon.start().wait_watching()
    daemon.wait(lambda: present(podman, ran, idle) == [True, False], "the removal of the idle one")
    assert daemon.stop().last_used(ran.id) == when


@pytest.mark.parametrize("fault", [faults.reply(500, {"message": "no events"}), faults.close(),
                                   faults.stream_silent()], ids=["500", "closed", "silent"])
def test_b10_podman_without_its_past_nothing_goes(watch: Watch, podman: ScriptedEngine,
                                                  fault: faults.Fault) -> None:
    daemon = watch(podman)
    app = pulled(podman, "app")
    daemon.fence()
    daemon.stop()
    daemon.make_older(2 * 3600)
    podman.script("GET", "/events", lambda exchange: (
        fault if "stream" in exchange.request.query else faults.delay(0))(exchange), times=2)
    daemon.configure({"gc": {"max_unused": "1ms"}})
    daemon.start().wait_log("^warning: no engine at .*: GET /events: ")
    assert present(podman, app) == [True]
    daemon.wait(lambda: present(podman, app) == [False], "recovery", within=30)
