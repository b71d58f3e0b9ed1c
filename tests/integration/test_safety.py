"""What a removal may never do: B29 to B32, B35, B37, B38."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable

import pytest

import faults
from daemon import Daemon
from engine_events import make_event
from engines import Engine
from images import MB, full_name
from scenes import loaded, present, pulled, silent, used
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]


def collect_all(daemon: Daemon) -> None:
    """From now on every image that may go is to go."""
    daemon.configure({"gc": {"max_unused": "1ms"}})
    daemon.signal(signal.SIGHUP)
    daemon.fence()


# B29

def test_b29_what_others_remove_meanwhile_is_taken_into_account(watch: Watch,
                                                               scripted: ScriptedEngine) -> None:
    """B24: the second one would be one too many, once somebody else has removed a large image."""
    daemon = watch(scripted)
    first, second = pulled(scripted, "first"), pulled(scripted, "second")
    large = pulled(scripted, "large", 5 * MB)
    daemon.fence()
    release = threading.Event()
    scripted.script("DELETE", "*", faults.hang(release), times=1)
    daemon.configure({"gc": {"max_total_size": "5500kB"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: scripted.requests("DELETE"), "the first removal")
    scripted.client.untag(large.reference)
    release.set()
    daemon.fence()
    assert present(scripted, first, second, large) == [False, True, False]


def test_b29_never_force_never_a_container(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, images={"manage": ["pulled", "loaded", "built"]})
    pulled(scripted, "a")
    loaded(scripted, "b:1")
    scripted.client.build_classic("FROM scratch\nCOPY x /x\nLABEL a=1\n", {"x": b"x"}, "c:1")
    held = pulled(scripted, "held")
    scripted.client.create(held.reference)
    daemon.fence()
    scripted.forget_requests()
    collect_all(daemon)
    assert scripted.client.image_ids(everything=True) == {held.id}
    deletes = scripted.requests("DELETE")
    assert deletes and all(each.path.startswith("/images/") for each in deletes)
    assert not any("force" in each.query for each in deletes)
    assert not [each for each in scripted.requests("P*") if each.method in ("POST", "PUT")]


def test_b29_a_built_image_goes_with_its_intermediates(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, images={"manage": ["built"]})
    engine.client.build_classic("FROM scratch\nCOPY x /x\nENV A=1\nLABEL a=1\n",
                                {"x": b"x" * MB}, "built:1")
    assert len(engine.client.image_ids(everything=True)) == 3
    daemon.fence()
    collect_all(daemon)
    assert engine.client.image_ids(everything=True) == set()
    assert engine.client.used() == 0


def lose_tag(engine: Engine, reference: str, how: str) -> None:
    """The image of that name is nameless from now on."""
    if how == "untag":
        engine.client.untag(reference)
    else:
        engine.client.tag(loaded(engine, "taker:1").id, reference)


JUST_CHILDREN = {"manage": [], "rules": [{"match": "child:*"}]}
"""Settings by which nothing else is managed, wherever it came from."""
LOST = pytest.mark.parametrize("how", [
    "move", pytest.param("untag", marks=pytest.mark.needs("untagged-bases"))])


@LOST
def test_b29_an_unmanaged_base_that_lost_its_tag_stays_when_its_child_goes(
        watch: Watch, engine: Engine, how: str) -> None:
    daemon = watch(engine, images=JUST_CHILDREN)
    base = loaded(engine, "base:1")
    child = engine.client.build_classic("FROM base:1\nCOPY x /x\n", {"x": b"x" * MB}, "child:1")
    daemon.fence()
    lose_tag(engine, "base:1", how)
    daemon.fence()
    collect_all(daemon)
    assert not engine.client.has(child)
    assert base.id in engine.client.image_ids(everything=True)


def test_b29_a_base_that_lost_its_tag_without_a_word_stays_when_its_child_goes(
        watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, images=JUST_CHILDREN)
    base = loaded(scripted, "base:1")
    child = scripted.client.build_classic("FROM base:1\nCOPY x /x\n", {"x": b"x"}, "child:1")
    daemon.fence()
    silent(scripted, lambda: scripted.client.untag("base:1"))
    daemon.configure({"gc": {"max_total_size": "1"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: not scripted.client.has(child), "the child's removal")
    daemon.fence()
    assert present(scripted, base) == [True]


@LOST
def test_b29_an_existing_base_without_tag_stays_when_its_child_goes(
        watch: Watch, engine: Engine, how: str) -> None:
    """The daemon never saw its name: for all it knows, somebody wants it."""
    base = loaded(engine, "base:1")
    engine.client.build_classic("FROM base:1\nCOPY x /x\n", {"x": b"x"}, "old:1")
    lose_tag(engine, "base:1", how)
    daemon = watch(engine, images={"manage": ["built"]})
    child = engine.client.build_classic("FROM old:1\nCOPY x /y\n", {"x": b"y"}, "child:1")
    daemon.fence()
    collect_all(daemon)
    assert not engine.client.has(child)
    assert base.id in engine.client.image_ids(everything=True)
    assert engine.client.has("old:1")


@pytest.mark.parametrize(("code", "kept", "said"), [
    (1, False, "removed"), (2, True, "409|in use"), (125, True, "no, thanks"),
])
def test_b29_b31_podman_is_asked_by_its_own_api_where_nothing_may_go_along(
        watch: Watch, scripted: ScriptedEngine, code: int, kept: bool, said: str) -> None:
    """podman 4 does not heed `noprune` in Docker's. Its own says 200, and how it went in a code."""
    def call_itself_podman(exchange: faults.Exchange) -> None:
        answer = json.loads(exchange.handle().body)
        faults.reply(200, answer | {"Components": [{"Name": "Podman Engine"}]})(exchange)

    scripted.script("GET", "/version", call_itself_podman)
    why = {1: "image not known", 2: "image is in use by a container", 125: "no, thanks"}[code]
    scripted.script("DELETE", "/v4.0.0/libpod/images/remove",
                    faults.reply(200, {"ExitCode": code, "Errors": [why]}))
    daemon = watch(scripted, images=JUST_CHILDREN)
    loaded(scripted, "base:1")
    child = scripted.client.build_classic("FROM base:1\nCOPY x /x\n", {"x": b"x"}, "child:1")
    daemon.fence()
    lose_tag(scripted, "base:1", "move")
    daemon.fence()
    scripted.forget_requests()
    collect_all(daemon)
    assert {(each.path, each.query["images"], each.query["noprune"])
            for each in scripted.requests("DELETE")} == {
        ("/v4.0.0/libpod/images/remove", child, "true")}
    assert re.search(said, daemon.log)
    assert (child in daemon.stop().ids) is kept


def test_b29_an_image_used_between_measure_and_removal_stays(watch: Watch,
                                                             scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    first, second = pulled(scripted, "first"), pulled(scripted, "second")
    daemon.fence()
    release = threading.Event()
    scripted.script("DELETE", "*", faults.hang(release), times=1)
    daemon.configure({"gc": {"max_total_size": "1"}})
    daemon.signal(signal.SIGHUP)
    daemon.signal(signal.SIGUSR1)
    daemon.wait(lambda: scripted.requests("DELETE"), "the first removal")
    container = scripted.client.create(second.reference)
    daemon.wait(lambda: scripted.log.backlog == 0, "the event on its way")
    release.set()
    daemon.fence()
    assert present(scripted, first, second) == [False, True]
    assert not [each for each in scripted.requests("DELETE")
                if second.reference in each.path or second.id in each.path]
    scripted.client.remove_container(container)


# B30

def test_b30_several_references_go_one_by_one(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    image = pulled(engine, "app")
    engine.client.tag(image.reference, "alias:1")
    engine.client.tag(image.reference, "alias:2")
    daemon.fence()
    collect_all(daemon)
    assert present(engine, image) == [False]
    assert engine.client.references() == set()


def test_b30_a_container_that_appears_meanwhile_leaves_a_reference(
        watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    for number in range(4):
        scripted.client.tag(image.reference, f"alias:{number}")
    daemon.fence()
    release = threading.Event()
    scripted.script("DELETE", "*", faults.hang(release), times=1)
    daemon.configure({"gc": {"max_total_size": "1"}})
    daemon.signal(signal.SIGHUP)
    daemon.signal(signal.SIGUSR1)
    daemon.wait(lambda: scripted.requests("DELETE"), "the first removal")
    scripted.client.create(image.id)
    daemon.wait(lambda: scripted.log.backlog == 0, "the event on its way")
    release.set()
    daemon.fence()
    assert present(scripted, image) == [True]
    assert len(scripted.client.references()) >= 1


@pytest.mark.parametrize("state", ["created", "running"])
def test_b30_no_reference_of_an_image_in_use_goes(watch: Watch, engine: Engine,
                                                  state: str) -> None:
    """Engines untag one of several references even while a container runs from the image."""
    daemon = watch(engine)
    image = pulled(engine, "app", runnable=True)
    engine.client.tag(image.reference, "alias:1")
    container = engine.client.create(image.reference)
    if state == "running":
        engine.client.start(container)
    daemon.fence()
    collect_all(daemon)
    assert {full_name(each) for each in engine.client.references()} == {
        image.reference, "docker.io/library/alias:1"}


# B31

def test_b31_an_image_that_is_gone_already_is_dropped(watch: Watch,
                                                      scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    gone, other = pulled(scripted, "gone"), pulled(scripted, "other")
    daemon.fence()
    scripted.script("DELETE", "*gone*", faults.reply(404, {"message": "No such image: gone"}),
                    times=1)
    collect_all(daemon)
    assert present(scripted, other) == [False]
    assert daemon.alive and gone


def test_b31_a_conflict_keeps_the_image_and_goes_on(watch: Watch,
                                                    scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    busy, other = pulled(scripted, "busy"), pulled(scripted, "other")
    when = used(scripted, busy.reference)
    used(scripted, other.reference)
    daemon.fence()
    conflict = faults.reply(409, {"message": "conflict: unable to delete (must be forced)"})
    scripted.script("DELETE", "*busy*", conflict)
    scripted.script("DELETE", f"/images/{busy.id}", conflict)
    collect_all(daemon)
    assert present(scripted, busy, other) == [True, False]
    cache = daemon.stop()
    assert cache.last_used(busy.id) == when
    assert cache.managed(busy.id)


def test_b31_what_is_asked_before_a_removal_brings_no_further_collection(
        watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"settle": "1ms"})
    app = pulled(scripted, "app")
    scripted.client.tag(app.reference, "alias:1")
    daemon.fence()
    scripted.script("DELETE", "*", faults.reply(409, {"message": "conflict: in use"}))
    daemon.configure({"gc": {"max_total_size": "1"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: scripted.requests("DELETE"), "the removal")
    daemon.fence()
    scripted.forget_requests()
    for _ in range(5):
        daemon.collect()
    assert [each.method for each in scripted.requests("*", f"/images/{app.reference}*")] == [
        "GET", "DELETE"] * 5


@pytest.mark.parametrize("fault", [
    faults.reply(500, {"message": "boom"}), faults.reply(503, b""), faults.close(),
    faults.garbage(), faults.html(),
], ids=["500", "503", "close", "garbage", "html"])
def test_b31_a_failure_ends_this_collection_and_not_the_daemon(
        watch: Watch, scripted: ScriptedEngine, fault: faults.Fault) -> None:
    daemon = watch(scripted)
    images = [pulled(scripted, name) for name in "abcd"]
    daemon.fence()
    scripted.script("DELETE", "*", fault, times=2)  # libcurl itself tries a closed one again
    daemon.configure({"gc": {"max_total_size": "1"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: scripted.requests("DELETE") or daemon.collect(), "a removal")
    daemon.wait_log(r"^(error|warning): .*/images/")
    daemon.wait(lambda: daemon.collect() or not any(present(scripted, *images)), "all gone later")


def test_b31_a_removal_that_times_out_ends_the_collection(daemon: MakeDaemon,
                                                          scripted: ScriptedEngine) -> None:
    made = daemon(scripted, {"engine": {"request_timeout": "500ms"}}).start().wait_watching()
    images = [pulled(scripted, name) for name in "ab"]
    made.fence()
    never = threading.Event()
    scripted.script("DELETE", "*", faults.hang(never), times=1)
    made.configure({"gc": {"max_total_size": "1"}})
    made.signal(signal.SIGHUP)
    made.collect()
    made.wait_log(r"^(error|warning): .*/images/")
    never.set()
    made.wait(lambda: made.collect() or not any(present(scripted, *images)), "all gone later")


# B32

@pytest.mark.parametrize("path", ["/images/json", "/containers/json"])
@pytest.mark.parametrize("fault", [
    faults.reply(500, {"message": "boom"}), faults.truncate(20), faults.close(),
], ids=["500", "truncated", "close"])
def test_b32_when_a_list_fails_nothing_is_removed(watch: Watch, scripted: ScriptedEngine,
                                                  path: str, fault: faults.Fault) -> None:
    daemon = watch(scripted, {"max_unused": "4w", "interval": "1s"})  # tries again as soon
    image = pulled(scripted, "app")
    daemon.fence()
    daemon.stop()
    daemon.make_older(5 * 7 * 24 * 3600)
    script = scripted.script("GET", path, fault)
    daemon.start().wait_log(f"^(error|warning): .*{path}")
    assert present(scripted, image) == [True]
    assert not scripted.requests("DELETE")
    script.remove()
    daemon.wait(lambda: present(scripted, image) == [False], "removal once lists are whole",
                within=40)


def test_b32_a_container_being_removed_or_gone_aborts_nothing(watch: Watch,
                                                              scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    image, other = pulled(scripted, "app"), pulled(scripted, "other")
    container = scripted.client.create(image.reference)
    scripted.model.find_container(container).state = "removing"
    scripted.script("GET", "/containers/*/json",
                    faults.reply(404, {"message": "No such container: x"}))
    daemon.fence()
    collect_all(daemon)
    assert present(scripted, image, other) == [True, False]


# B35

def test_b35_no_removal_while_a_pulled_image_is_not_yet_listed(watch: Watch,
                                                               scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_total_size": "500kB", "grace": "1h"})
    image = pulled(scripted, "app")
    daemon.fence()
    assert present(scripted, image) == [True]
    assert not scripted.requests("DELETE")


# B37, B38

def test_b37_events_are_read_and_applied_while_a_removal_hangs(watch: Watch,
                                                               scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"settle": "200ms"})
    stuck, busy = pulled(scripted, "stuck"), pulled(scripted, "busy")
    used(scripted, busy.reference)
    daemon.fence()
    release = threading.Event()
    scripted.script("DELETE", "*", faults.hang(release), times=1)
    daemon.configure({"gc": {"max_total_size": "1.5MB"}})
    daemon.signal(signal.SIGHUP)
    daemon.signal(signal.SIGUSR1)
    daemon.wait(lambda: scripted.requests("DELETE"), "the removal")
    for _ in range(2000):
        last = scripted.log.publish("image", "tag", busy.id, {"name": busy.reference})
    daemon.wait(lambda: scripted.log.backlog == 0, "2,000 events read")
    daemon.wait_cache(lambda cache: cache.last_used(busy.id) == last["timeNano"],
                      "2,000 events applied")
    assert not release.is_set() and present(scripted, stuck) == [True]
    release.set()
    daemon.wait(lambda: present(scripted, stuck, busy) == [False, True], "the removal's end")


def test_b38_a_thousand_container_events_make_no_request_each(watch: Watch,
                                                              scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    container = scripted.client.create(image.reference)
    daemon.fence()
    scripted.forget_requests()
    attributes = {"image": image.reference, "name": "c"}
    for _ in range(500):
        scripted.log.publish("container", "start", container, attributes)
        last = scripted.log.publish("container", "die", container, attributes | {"exitCode": "0"})
    daemon.wait_cache(lambda cache: cache.last_used(image.id) >= last["timeNano"], "all applied")
    assert len(scripted.requests("GET", "/system/df")) <= 1
    assert len([each for each in scripted.requests("GET") if "/system/df" != each.path]) <= 4


def test_b38_new_containers_of_a_known_image_make_no_request_each(watch: Watch,
                                                                  scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    daemon.fence()
    scripted.forget_requests()
    for number in range(500):
        attributes = {"image": image.reference, "name": f"c{number}"}
        for action in "create", "destroy":
            last = scripted.log.publish("container", action, f"{number:064x}", attributes)
    daemon.wait_cache(lambda cache: cache.last_used(image.id) >= last["timeNano"], "all applied")
    assert len(scripted.requests("GET")) <= 5


def test_a_burst_of_replayed_use_is_one_write(watch: Watch, scripted: ScriptedEngine) -> None:
    """B15: at most one write per 5 s, however many events."""
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    daemon.wait_cache(lambda cache: image.id in cache.ids, "the image")
    inodes = set()
    begin = time.monotonic()
    for _ in range(300):
        now = make_event("image", "tag", image.id, {"name": image.reference}, time.time_ns())
        scripted.log.replay(now)
        daemon.wait(lambda: scripted.log.backlog == 0, "the event read")
        inodes.add(daemon.cache_path.stat().st_ino)
    assert len(inodes) <= 2 + (time.monotonic() - begin) / 5
