"""Engines that are killed, stopped, frozen and replaced: B4, B10, B11, B14, B19.

What was learned before stays, what the engine can still tell of the time between is learned, and
the engine is watched again at once. Nothing is removed by mistake.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import faults
from cache import Cache
from daemon import Daemon
from engines import Engine
from scenes import SOAK, Pulled, loaded, pulled, present, used
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]

AGAIN = 1.0
"""Watching again so soon after a Unix socket answers."""
SLACK = 1.5
"""For a machine that has other things to do. A retry by back-off would come later still."""
TCP_AGAIN = 30.0
FROZEN = 60.0 if SOAK else 3.0


def watched_again(daemon: Daemon, within: float = AGAIN + SLACK,
                  begin: float | None = None) -> None:
    """Until STATUS says so, from now on; prints how long it took (pytest -rP shows it)."""
    begin = time.monotonic() if begin is None else begin
    daemon.wait_status("Watching", within)
    print(f"watching again after {time.monotonic() - begin:.3f} s")


def is_used(image: Pulled, since_ns: int) -> Callable[[Cache], bool]:
    """Whether a cache file has the image, used since then."""
    return lambda cache: image.id in cache.ids and cache.last_used(image.id) >= since_ns


def uses(daemon: Daemon, engine: Engine, expected: dict[str, int]) -> None:
    """Stops the daemon; its file knows these images, each with this last use or a later one."""
    daemon.fence()
    cache = daemon.stop()
    assert cache.ids >= set(expected)
    lost = {each for each, when in expected.items() if cache.last_used(each) < when}
    assert not lost


@pytest.fixture
def far(directory: Path) -> Iterator[ScriptedEngine]:
    """An engine on TCP."""
    engine = ScriptedEngine(directory, tcp=True)
    engine.start()
    yield engine
    engine.stop()


# Killed, stopped

@pytest.mark.parametrize("end", ["stop", "kill"])
def test_b11_b19_an_engine_that_goes_and_comes_back_costs_no_use(
        daemon: MakeDaemon, restartable: Engine, end: str) -> None:
    """Again and again: used before, and as soon as it answers, before anybody watches again."""
    watching = daemon(restartable).start().wait_watching()
    image = pulled(restartable, "app")
    others = {each: pulled(restartable, each) for each in ("before", "between", "after")}
    expected: dict[str, int] = {}
    for _ in range(20 if SOAK else 2):
        used(restartable, image.reference)
        expected[others["before"].id] = used(restartable, others["before"].reference)
        watching.fence()  # what it has not told when it goes, it never will
        getattr(restartable, end)()
        watching.wait_status("Waiting for Docker Engine")
        restartable.start()
        begin = time.monotonic()
        expected[others["between"].id] = used(restartable, others["between"].reference)
        watched_again(watching, begin=begin)
        expected[others["after"].id] = used(restartable, others["after"].reference)
    uses(watching, restartable, expected)


def test_b19_an_engine_that_crashes_again_and_again_costs_no_use(
        daemon: MakeDaemon, restartable: Engine) -> None:
    watching = daemon(restartable).start().wait_watching()
    image = pulled(restartable, "app")
    when = used(restartable, image.reference)
    watching.fence()
    watching.wait_cache(is_used(image, when), "the use, which podman may tell late")
    for _ in range(5 if restartable.kind == "scripted" else 3):
        restartable.kill()
        restartable.start()
    watched_again(watching)
    uses(watching, restartable, {image.id: when})
    assert watching.cache().origin(image.id) == "pulled"


@pytest.mark.needs("containers-end")
def test_b19_an_engine_that_ends_with_a_container_running(daemon: MakeDaemon,
                                                          restartable: Engine) -> None:
    """Its end is a use, which the engine tells as its last word; thereafter the list tells."""
    watching = daemon(restartable).start().wait_watching()
    image = pulled(restartable, "app", runnable=True)
    restartable.client.run(image.reference)
    watching.fence()
    begin = time.time_ns()
    restartable.stop()
    watching.wait_status("Waiting for Docker Engine")
    watching.wait_cache(is_used(image, begin), "the container's end")
    restartable.start()
    watching.wait_status("Watching")
    uses(watching, restartable, {image.id: begin})


# What was read, but not yet understood, when the engine went

def crash(daemon: Daemon, relay: faults.Relay, engine: Engine, held: threading.Event) -> Cache:
    """The engine dies before it has answered what is held, and comes again; what is known then."""
    engine.kill()
    relay.cut()
    daemon.wait_log("waiting for it")
    held.set()
    relay.heal()
    engine.start()
    daemon.wait_status("Watching", within=40)
    daemon.fence()
    relay.close()
    return daemon.stop()


@pytest.mark.needs("load-names")
def test_b19_a_question_that_was_open_when_the_engine_went(daemon: MakeDaemon, directory: Path,
                                                           restartable: Engine) -> None:
    """That the image was loaded, and when, was told once, and will not be told again."""
    relay = faults.Relay(directory, restartable.socket_path)
    watching = daemon(restartable, host=relay.host).start().wait_watching()
    never = threading.Event()
    relay.script("GET */images/*sha256:*/json", faults.held(never))
    begin = time.time_ns()
    image = loaded(restartable, "app:1")
    watching.wait(lambda: relay.requests("GET */images/*sha256:*/json"), "the question")
    cache = crash(watching, relay, restartable, never)
    assert cache.origin(image.id) == "loaded"
    assert cache.last_used(image.id) >= begin


def test_b10_events_that_came_during_the_first_lists_outlive_the_engine(
        daemon: MakeDaemon, directory: Path, restartable: Engine) -> None:
    """The daemon has read them, and a restarted engine has forgotten them."""
    image, other = pulled(restartable, "app"), pulled(restartable, "other")
    relay = faults.Relay(directory, restartable.socket_path)
    watching = daemon(restartable, host=relay.host).start().wait_watching()
    watching.fence()
    watching.stop()
    never = threading.Event()
    relay.script("GET */images/json*", faults.held(never))
    lists = len(relay.requests("GET */images/json*"))
    watching.start()
    watching.wait(lambda: len(relay.requests("GET */images/json*")) > lists, "the first list")
    when = used(restartable, image.reference)
    last = used(restartable, other.reference)
    begin = time.monotonic()
    watching.wait(lambda: time.monotonic() - begin > 1, "a second, to read both")
    cache = crash(watching, relay, restartable, never)
    assert (cache.last_used(image.id), cache.last_used(other.id)) == (when, last)


# Where the socket is

def wait_for_long_delays(daemon: Daemon) -> None:
    """Until the next try by back-off is seconds away."""
    daemon.wait_log(r"next try in at most (\d{5}|[5-9]\d{3}) ms", within=20)


@pytest.mark.parametrize("missing", ["folder", "folders", "folder-removed"])
def test_b11_a_socket_whose_folder_is_not_there(daemon: MakeDaemon, directory: Path,
                                                missing: str) -> None:
    """As XDG_RUNTIME_DIR, which comes with the first log-in and goes with the last log-out."""
    top = directory / "run"
    folder = top / "user/0" if missing == "folders" else top
    engine = ScriptedEngine(directory)
    engine.socket_path = folder / "docker.sock"
    if missing == "folder-removed":
        folder.mkdir()
    watching = daemon(f"unix://{engine.socket_path}").start()
    watching.wait_status("Waiting for Docker Engine")
    if missing == "folder-removed":
        shutil.rmtree(folder)
    wait_for_long_delays(watching)
    folder.mkdir(parents=True)
    engine.start()
    watched_again(watching)
    watching.stop()
    engine.stop()


@pytest.mark.parametrize("way", ["bound", "renamed"])
def test_b11_a_socket_that_appears_is_tried_at_once(
        daemon: MakeDaemon, directory: Path, scripted: ScriptedEngine, way: str) -> None:
    """However long it was away."""
    watching = daemon(scripted).start().wait_watching()
    scripted.stop()
    wait_for_long_delays(watching)
    place = scripted.socket_path
    if way == "renamed":
        scripted.socket_path = directory / "new.sock"
        scripted.start()
        scripted.socket_path.rename(place)
        scripted.socket_path = place
    else:
        scripted.start()
    watched_again(watching)


def test_b11_an_engine_on_tcp_that_goes_and_comes_back(daemon: MakeDaemon,
                                                       far: ScriptedEngine) -> None:
    watching = daemon(far, host=far.tcp_host).start().wait_watching()
    image = pulled(far, "app")
    for away in (0.0, 1.0, 40.0 if SOAK else 3.0):
        when = used(far, image.reference)
        watching.fence()
        far.stop()
        watching.wait_status("Waiting for Docker Engine")
        begin = time.monotonic()
        watching.wait(lambda: time.monotonic() - begin >= away, "a while", within=60)
        far.start()
        watched_again(watching, TCP_AGAIN + SLACK)
    uses(watching, far, {image.id: when})


def test_b11_no_try_is_more_than_30_s_away(daemon: MakeDaemon, directory: Path) -> None:
    """As far as it gets in the time."""
    watching = daemon(f"unix://{directory}/docker.sock").start()
    watching.wait_status("Waiting for Docker Engine")
    tries = 10 if SOAK else 2
    watching.wait(lambda: watching.log.count("next try in") >= tries, "some tries", within=120)
    delays = [int(line.partition("at most ")[2].partition(" ")[0])
              for line in watching.log.splitlines() if "next try in" in line]
    assert delays and delays[0] <= 1000 and max(delays) <= 30000


# Frozen

def test_b13_an_engine_that_is_frozen_for_a_while(daemon: MakeDaemon, restartable: Engine) -> None:
    """What it is asked meanwhile it does afterwards; the stream stays, and nothing is missed."""
    watching = daemon(restartable).start().wait_watching()
    image = pulled(restartable, "app")
    watching.fence()
    restartable.freeze()
    begin = time.time_ns()
    asked = threading.Thread(target=restartable.client.create, args=(image.reference,))
    asked.start()
    frozen = time.monotonic()
    watching.wait(lambda: time.monotonic() - frozen > FROZEN, "a while", FROZEN + 10)
    assert watching.alive
    restartable.thaw()
    thawed = time.monotonic()
    asked.join()
    watching.wait_cache(is_used(image, begin), "its use")
    print(f"reading events again after {(time.monotonic() - thawed):.3f} s")
    assert "waiting for it" not in watching.log


def test_b19_an_engine_that_is_frozen_at_start(daemon: MakeDaemon, restartable: Engine) -> None:
    restartable.freeze()
    watching = daemon(restartable).start()
    watching.wait_status("Waiting for Docker Engine")
    begin = time.monotonic()
    watching.wait(lambda: time.monotonic() - begin > FROZEN, "a while", FROZEN + 10)
    restartable.thaw()
    watched_again(watching)


def test_b31_an_engine_that_is_frozen_in_a_collection(daemon: MakeDaemon,
                                                      restartable: Engine) -> None:
    """The collection ends with its time-out; once the engine lives again, it is done."""
    watching = daemon(restartable, {"engine": {"request_timeout": "1s"},
                                    "gc": {"max_unused": "1ms", "grace": "1h"}})
    watching.start().wait_watching()
    image, held = pulled(restartable, "app"), pulled(restartable, "held")
    restartable.client.create(held.reference)
    watching.fence()
    restartable.freeze()
    watching.wait(lambda: "timed out" in watching.log.lower() or watching.collect(), "a time-out")
    restartable.thaw()
    watching.configure({"gc": {"grace": "0"}, "engine": {"request_timeout": "1s"}})
    watching.stop()
    watching.start()
    watching.wait(lambda: present(restartable, image, held) == [False, True], "the collection",
                  within=40)


# Replaced by another engine

def set_aside(daemon: Daemon) -> Cache:
    """What is kept of the engine before."""
    files = daemon.cache_path.parent.glob("*.engine-*")
    return Cache.parse(max(files, key=lambda each: each.stat().st_mtime_ns).read_text())


def test_b14_another_engine_on_the_same_socket_and_back(daemon: MakeDaemon,
                                                        restartable: Engine) -> None:
    """The other one's images are nobody's business; the first one's are known again."""
    watching = daemon(restartable).start().wait_watching()
    own, other = pulled(restartable, "own"), loaded(restartable, "loaded:1")
    when = used(restartable, own.reference)
    watching.fence()
    restartable.replace("other")
    begin = time.monotonic()
    watching.wait_log("this is another engine", within=AGAIN + SLACK)
    watched_again(watching, begin=begin)
    first = set_aside(watching)
    assert first.ids == {own.id, other.id}
    assert first.origin(other.id) in ("loaded", "built")  # as podman 4 tells it
    watching.fence()
    theirs = pulled(restartable, "theirs")
    watching.fence()  # podman may tell of an image after its first container
    their_use = used(restartable, theirs.reference)
    watching.wait_cache(lambda cache: cache.last_used(theirs.id) >= their_use, "the use")
    restartable.replace()
    begin = time.monotonic()
    watching.wait_log("going on with what was learned of this one", within=AGAIN + SLACK)
    watched_again(watching, begin=begin)
    aside = set_aside(watching)
    assert aside.ids == {theirs.id}
    assert aside.origin(theirs.id) == "pulled"
    assert their_use <= aside.last_used(theirs.id) < their_use + 10**9
    watching.fence()
    cache = watching.stop()
    assert (cache.origin(own.id), cache.origin(other.id)) == ("pulled", first.origin(other.id))
    assert when <= cache.last_used(own.id) < when + 10**9  # a list may have had the container


def test_b14_an_engine_replaced_within_a_heartbeat(daemon: MakeDaemon,
                                                   scripted: ScriptedEngine) -> None:
    """The lists of another one, asked for before anybody knows who it is, change nothing."""
    scripted.replace("other")
    theirs = pulled(scripted, "theirs")
    scripted.replace()
    watching = daemon(scripted, {"gc": {"interval": "1s", "max_total_size": "1"},
                                 "images": {"rules": ({"match": "*/own:*", "keep": True},)}})
    watching.start().wait_watching()
    own = pulled(scripted, "own")
    when = used(scripted, own.reference)
    watching.fence()
    for name in ("other", "") * 2:
        changes = watching.log.count("this is another engine")
        scripted.replace(name)
        watching.wait(lambda: watching.log.count("this is another engine") > changes, "it shows")
        if name:
            assert set_aside(watching).origin(own.id) == "pulled"
        else:
            assert set_aside(watching).origin(theirs.id) == "existing"
        watching.fence()
        assert not scripted.requests("DELETE")
    cache = watching.stop()
    assert (cache.ids, cache.origin(own.id)) == ({own.id}, "pulled")
    assert cache.last_used(own.id) == when


def test_b14_a_moved_data_root_while_the_engine_was_away(daemon: MakeDaemon,
                                                         scripted: ScriptedEngine) -> None:
    """Its ID is the same; that its root directory is another one tells (B11: nothing missed?)."""
    watching = daemon(scripted).start().wait_watching()
    own = pulled(scripted, "own")
    when = used(scripted, own.reference)
    watching.fence()
    scripted.stop()
    watching.wait_status("Waiting for Docker Engine")
    root, scripted.root = scripted.root, scripted.root.with_name("moved")
    scripted.start()
    watching.wait_log("another engine")
    watching.wait_status("Watching")
    scripted.stop()
    watching.wait_status("Waiting for Docker Engine")
    scripted.root = root
    scripted.start()
    watching.wait_cache(lambda cache: own.id in cache.ids and cache.origin(own.id) == "pulled"
                        and cache.last_used(own.id) == when, "the first root's")
