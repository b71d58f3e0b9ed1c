"""Learning what is used: B1 to B9 and B14."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import faults
from cache import format_time
from daemon import Daemon
from engine_events import make_event
from engines import Engine
from images import MB
from scenes import (came, doubt, event_time, limit_for, loaded, offered, present, pulled, silent,
                    used)
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

HOUR = 3600 * 10**9


def use_event(image_id: str, time_ns: int) -> dict[str, Any]:
    """A `tag` event, which counts as use of that image."""
    return make_event("image", "tag", image_id, {"name": "whatever:1"}, time_ns)


# B1

def test_b1_only_events_that_matter_are_subscribed_to(watch: Watch,
                                                      scripted: ScriptedEngine) -> None:
    watch(scripted)
    filters = scripted.requests("GET", "/events")[-1].query["filters"]
    for noise in "exec_create", "health_status", "top", "resize", "network", "volume":
        assert noise not in filters
    for wanted in "image", "container", "create", "start", "die", "destroy", "pull", "load":
        assert wanted in filters


def test_b1_noise_makes_no_request_even_if_the_engine_does_not_filter(
        watch: Watch, scripted_engine: Callable[..., ScriptedEngine]) -> None:
    engine = scripted_engine(filters_events=False)
    daemon = watch(engine)
    image = pulled(engine, "app")
    container = engine.client.run(image.reference)
    daemon.fence()
    engine.forget_requests()
    attributes = {"image": image.reference, "name": "c"}
    for action in ("exec_create: /bin/sh -c secret", "exec_start: /bin/sh", "exec_die",
                   "health_status: healthy", "top", "resize", "attach") * 40:
        engine.log.publish("container", action, container, attributes)
    last = engine.log.publish("image", "tag", image.id, {"name": image.reference})["timeNano"]
    daemon.wait_cache(lambda cache: cache.last_used(image.id) >= last, "the event after the noise")
    assert [each.path for each in engine.requests()] in ([], ["/system/df"])
    assert "secret" not in daemon.log


# B2

def op_tag(engine: Engine, reference: str) -> tuple[str, str]:
    engine.client.tag(reference, "other:1")
    return "image", "tag"


def op_pull_again(engine: Engine, reference: str) -> tuple[str, str]:
    engine.client.pull(reference)
    return "image", "pull"


def op_create_and_destroy(engine: Engine, reference: str) -> tuple[str, str]:
    engine.client.remove_container(engine.client.create(reference))
    return "container", "destroy"


def op_create(engine: Engine, reference: str) -> tuple[str, str]:
    engine.client.create(reference)
    return "container", "create"


def op_start(engine: Engine, reference: str) -> tuple[str, str]:
    engine.client.run(reference)
    return "container", "start"


def op_die(engine: Engine, reference: str) -> tuple[str, str]:
    engine.client.stop(engine.client.run(reference))
    return "container", "die"


@pytest.mark.parametrize("operation", [op_tag, op_pull_again, op_create_and_destroy],
                         ids=lambda op: op.__name__)
def test_b2_use_is_credited_at_the_events_own_time(watch: Watch, engine: Engine,
                                                   operation: Callable[..., Any]) -> None:
    image = pulled(engine, "app")
    daemon = watch(engine)
    begin = time.time_ns()
    kind, action = operation(engine, image.reference)
    daemon.fence()
    assert daemon.stop().last_used(image.id) == event_time(engine, begin, kind, action)


@pytest.mark.parametrize("operation", [op_create, op_start, op_die], ids=lambda op: op.__name__)
def test_b2_a_container_is_use_from_its_event_on(watch: Watch, engine: Engine,
                                                 operation: Callable[..., Any]) -> None:
    image = pulled(engine, "app", runnable=True)
    daemon = watch(engine)
    begin = time.time_ns()
    kind, action = operation(engine, image.reference)
    daemon.fence()
    assert daemon.stop().last_used(image.id) >= event_time(engine, begin, kind, action)


@pytest.mark.needs("load-names")
def test_b2_load_of_what_is_present_is_use(watch: Watch, engine: Engine) -> None:
    image = loaded(engine, "app:1")
    daemon = watch(engine)
    begin = time.time_ns()
    engine.client.load(image.archive("app:1"))
    daemon.fence()
    assert daemon.stop().last_used(image.id) == event_time(engine, begin, "image", "load")


def test_b2_untag_is_no_use(watch: Watch, engine: Engine) -> None:
    image = pulled(engine, "app")
    daemon = watch(engine)
    begin = time.time_ns()
    engine.client.tag(image.reference, "other:1")
    tagged = event_time(engine, begin, "image", "tag")
    engine.client.untag(image.reference)
    daemon.fence()
    cache = daemon.stop()
    assert cache.last_used(image.id) == tagged
    assert cache.image(image.id)["references"] == ["docker.io/library/other:1"]


def test_b2_a_pulled_image_is_managed_used_and_seen_when_it_came(watch: Watch,
                                                                 engine: Engine) -> None:
    daemon = watch(engine)
    begin = time.time_ns()
    image = pulled(engine, "app")
    daemon.fence()
    cache = daemon.stop()
    entry = cache.image(image.id)
    assert (entry["origin"], entry["managed"]) == ("pulled", True)
    assert entry["references"] == [image.reference]
    assert came(cache, engine, image, begin, "pull")


# B3

def test_b3_a_container_credits_its_own_image_after_the_tag_moved(watch: Watch,
                                                                  engine: Engine) -> None:
    daemon = watch(engine)
    old = pulled(engine, "app", runnable=True)
    container = engine.client.create(old.reference)
    daemon.fence()
    new = offered(engine, "app", 2 * MB, tag="next")
    engine.push(old.reference, new.image)
    begin = time.time_ns()
    assert engine.client.pull(old.reference) == new.id
    daemon.fence()
    started = time.time_ns()
    engine.client.start(container)
    engine.client.remove_container(container, force=True)
    daemon.fence()
    cache = daemon.stop()
    assert cache.last_used(old.id) == event_time(engine, begin, "container", "destroy")
    assert cache.last_used(new.id) < started


def test_b3_a_container_created_while_nobody_watched_credits_its_own_image(
        watch: Watch, engine: Engine) -> None:
    old = pulled(engine, "app", runnable=True)
    container = engine.client.create(old.reference)
    new = offered(engine, "app", 2 * MB, tag="next")
    engine.push(old.reference, new.image)
    engine.client.pull(old.reference)
    daemon = watch(engine)
    begin = time.time_ns()
    engine.client.start(container)
    engine.client.remove_container(container, force=True)
    daemon.fence()
    cache = daemon.stop()
    assert cache.last_used(old.id) == event_time(engine, begin, "container", "destroy")
    assert cache.last_used(new.id) < begin


def test_b3_a_list_that_is_ahead_of_a_containers_end(watch: Watch,
                                                     scripted: ScriptedEngine) -> None:
    """Engines take a container from their list first, and tell of its end a little later."""
    daemon = watch(scripted)
    image, other = pulled(scripted, "app"), pulled(scripted, "other")
    container = scripted.client.create(image.reference)
    daemon.fence()
    scripted.client.tag(other.id, image.reference)  # what the user typed is another image by now
    script = scripted.script("GET", "/containers/json", faults.reply(200, []))
    daemon.fence()
    script.remove()
    begin = time.time_ns()
    scripted.client.remove_container(container)
    when = event_time(scripted, begin, "container", "destroy")
    daemon.fence()
    assert daemon.stop().last_used(image.id) == when


def test_b3_a_container_by_a_name_that_has_just_moved(watch: Watch,
                                                      scripted: ScriptedEngine) -> None:
    """Whose name it is by now is still being asked for when somebody uses it."""
    daemon = watch(scripted)
    old = pulled(scripted, "app")
    new = offered(scripted, "app", 2 * MB, tag="next")
    scripted.push(old.reference, new.image)
    daemon.fence()
    release = threading.Event()
    scripted.script("GET", "/images/*/json", faults.hang(release), times=1)
    scripted.client.pull(old.reference)
    container = scripted.client.create(old.reference)
    daemon.wait(lambda: scripted.log.backlog == 0, "the container on its way")
    release.set()
    daemon.wait(lambda: scripted.requests("GET", f"/containers/{container}/json"), "the question")
    begin = time.time_ns()
    scripted.client.remove_container(container)
    daemon.fence()
    when = event_time(scripted, begin, "container", "destroy")
    assert daemon.stop().last_used(new.id) == when


def test_b3_a_container_by_a_name_that_moved_while_nobody_listened(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """The engine remembers the container, and no more whose the name was."""
    old, new = pulled(scripted, "app"), loaded(scripted, "other:1")
    daemon = watch(scripted)
    used(scripted, old.reference)
    daemon.fence()
    reopen, release = threading.Event(), threading.Event()
    stream = scripted.script("GET", "/events", faults.hang(reopen), times=1)
    listing = scripted.script("GET", "/images/json", faults.hang(release), times=1)
    scripted.log.close()
    daemon.wait(lambda: stream.times == 0, "the reconnect")
    scripted.client.tag(new.id, old.reference)
    scripted.log.forget()
    container = scripted.client.create(old.reference)
    reopen.set()
    daemon.wait(lambda: listing.times == 0, "the list")
    begin = time.time_ns()
    scripted.client.remove_container(container)
    daemon.wait(lambda: scripted.log.backlog == 0, "the container's end on its way")
    release.set()
    daemon.fence()
    when = event_time(scripted, begin, "container", "destroy")
    assert daemon.stop().last_used(new.id) == when


def test_b3_a_container_that_is_gone_before_it_is_asked_for(watch: Watch,
                                                            scripted: ScriptedEngine) -> None:
    """Its end is a use as well, told later (by podman 0.25 s) than nobody knew of it any more."""
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    daemon.fence()
    release = threading.Event()
    scripted.script("GET", "/containers/*/json", faults.hang(release), times=1)
    container, attributes = "ab" * 32, {"image": "late:1", "name": "c"}
    scripted.log.publish("container", "create", container, attributes)
    daemon.wait(lambda: scripted.requests("GET", f"/containers/{container}/json"), "the question")
    scripted.client.tag(image.id, "late:1")
    daemon.wait(lambda: scripted.log.backlog == 0, "the tag on its way")
    release.set()
    daemon.wait_log("what the user typed must do")
    when = scripted.log.publish("container", "destroy", container, attributes)["timeNano"]
    daemon.fence()
    assert daemon.stop().last_used(image.id) == when


@pytest.mark.parametrize("form", ["tag", "id", "bare", "short", "digest", "canonical"])
def test_b3_whatever_the_user_typed(watch: Watch, engine: Engine, form: str) -> None:
    image = pulled(engine, "app")
    engine.client.tag(image.reference, "app:local")
    digest = engine.client.inspect(image.id)["RepoDigests"][0]
    typed = {
        "tag": "app:local", "id": image.id, "bare": image.id[7:], "short": image.id[7:19],
        "digest": digest, "canonical": "docker.io/library/app:local",
    }[form]
    daemon = watch(engine)
    when = used(engine, typed)
    daemon.fence()
    assert daemon.stop().last_used(image.id) == when


# B4

def test_b4_replayed_and_reordered_events_never_lower_the_time(watch: Watch,
                                                               scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    when = used(scripted, image.reference)
    for age in HOUR, 1, 5 * HOUR:
        scripted.log.replay(use_event(image.id, when - age))
    daemon.fence()
    assert daemon.stop().last_used(image.id) == when


def test_b4_a_time_in_the_future_is_now(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    before = time.time_ns()
    scripted.log.replay(use_event(image.id, before + 24 * HOUR))
    daemon.fence()
    assert before <= daemon.stop().last_used(image.id) <= time.time_ns()


# B5

@pytest.mark.parametrize("form", ["modern", "legacy", "name-for-id", "no-id", "bare-id"])
def test_b5_events_are_understood_in_every_form(watch: Watch, scripted: ScriptedEngine,
                                                form: str) -> None:
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    daemon.fence()
    when = time.time_ns()
    event = make_event("image", "tag", image.id, {"name": image.reference}, when)
    if form == "modern":
        event = {key: event[key] for key in ("Type", "Action", "Actor", "timeNano")}
    if form == "name-for-id":
        event |= {"Action": "pull", "Actor": {"ID": image.reference, "Attributes": {
            "name": image.reference.rpartition(":")[0]}}}
    if form == "no-id":
        event |= {"Action": "pull", "Actor": {"ID": "", "Attributes": {"name": image.reference}}}
    if form == "bare-id":
        event["Actor"] = {"ID": image.id[7:], "Attributes": {"name": image.reference}}
    scripted.log.replay(event)
    daemon.fence()
    assert daemon.stop().last_used(image.id) == when


def test_b5_everything_works_split_at_every_byte(daemon: MakeDaemon,
                                                 scripted: ScriptedEngine) -> None:
    scripted.script("*", "*", faults.split(1))
    watching = daemon(scripted, {"gc": {"max_total_size": "1.5MB"}}).start().wait_watching()
    old, new = pulled(scripted, "old"), pulled(scripted, "new")
    watching.wait(lambda: present(scripted, old, new) == [False, True], "the old one's removal")


@pytest.mark.parametrize("line", [
    b"not JSON at all\n", b"{\n", b"[]\n", b"null\n", b"\n", b"\xff\xfe\x00\n",
    b'{"Type":"image","Action":"pull"}\n',
    b'{"Type":1,"Action":2,"Actor":3,"timeNano":"x"}\n',
    b'{"Type":"container","Action":"create","Actor":{"ID":"x","Attributes":[]},"timeNano":-1}\n',
    b'{"Type":"image","Action":"tag","Actor":{"ID":"' + b"x" * 2**21 + b'"},"timeNano":1}\n',
], ids=["text", "brace", "array", "null", "empty", "binary", "no-actor", "types", "array-in-it",
        "over-1MiB"])
def test_b5_a_malformed_line_is_skipped_and_the_stream_goes_on(
        watch: Watch, scripted: ScriptedEngine, line: bytes) -> None:
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    daemon.fence()
    scripted.log.inject(line)
    when = used(scripted, image.reference)
    # No fence: a collection can overtake 2 MiB of events.
    daemon.wait_cache(lambda cache: cache.last_used(image.id) == when, "the use behind it")
    assert len(scripted.requests("GET", "/events")) <= 2, "the stream was not opened again"


# B6, B7, B8

@pytest.mark.parametrize("state", ["created", "running", "exited"])
def test_b6_an_image_that_a_container_holds_is_never_removed(watch: Watch, engine: Engine,
                                                             state: str) -> None:
    daemon = watch(engine)
    image = pulled(engine, "app", runnable=True)
    container = engine.client.create(image.reference)
    if state != "created":
        engine.client.start(container)
    if state == "exited":
        engine.client.stop(container)
    daemon.fence()
    daemon.configure({"gc": {"max_total_size": "500kB", "max_unused": "1s"}})
    daemon.stop()
    daemon.make_older(3600)
    daemon.start().wait_watching()
    daemon.fence()
    assert present(engine, image) == [True]
    engine.client.remove_container(container, force=True)
    daemon.fence()
    daemon.wait(lambda: daemon.collect() or present(engine, image) == [False],
                "removal once the container is gone")


def test_b7_a_tag_that_moves_takes_no_history_along(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    old = pulled(engine, "app")
    daemon.fence()
    before = time.time_ns()
    new = offered(engine, "app", 2 * MB, tag="next")
    engine.push(old.reference, new.image)
    engine.client.pull(old.reference)
    daemon.fence()
    cache = daemon.stop()
    assert cache.last_used(old.id) < before
    assert came(cache, engine, new, before, "pull")
    assert (cache.origin(old.id), cache.managed(old.id)) == ("pulled", True)
    assert old.reference not in cache.image(old.id)["references"]
    assert cache.image(new.id)["references"] == [old.reference]


@pytest.mark.needs("usage")
def test_b7_the_image_left_behind_by_a_moved_tag_is_collected(watch: Watch,
                                                              engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": limit_for(engine, 3.5)})
    old = pulled(engine, "app")
    other = pulled(engine, "other")
    new = offered(engine, "app", 2 * MB, tag="next")
    engine.push(old.reference, new.image)
    engine.client.pull(old.reference)
    daemon.wait(lambda: present(engine, other, old, new) == [True, False, True], "its removal")


@pytest.mark.needs("usage")
def test_b8_a_base_is_as_recently_used_as_what_stands_on_it(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    base, other = pulled(engine, "base"), pulled(engine, "other")
    child = pulled(engine, "child", base=base.image)  # pulled: Docker tells no Parent
    told = engine.client.inspect(child.id)["Parent"]
    assert told == (base.id[7:] if engine.store == "podman" else "")
    used(engine, child.reference)
    for count, left in (2.5, [True, False, True]), (1.5, [True, False, False]):
        limit = limit_for(engine, count)
        daemon.configure({"gc": {"max_total_size": limit}})
        daemon.signal(signal.SIGHUP)
        daemon.collect()
        daemon.wait(lambda: present(engine, base, other, child) == left, f"{left} with {limit}")
    daemon.fence()
    assert present(engine, base, other, child) == [True, False, False]


# B9

def test_b9_a_tracked_reference_is_managed_once_it_arrives(daemon: MakeDaemon,
                                                           engine: Engine) -> None:
    watching = daemon(engine)
    watching.write_cache([{"image_tag": "wanted:1", "last_used": format_time(time.time_ns())}])
    watching.start().wait_watching()
    wanted, other = loaded(engine, "wanted:1"), loaded(engine, "other:1")
    watching.fence()
    cache = watching.stop()
    assert (cache.managed(wanted.id), cache.managed(other.id)) == (True, False)
    assert cache.origin(wanted.id) in ("loaded", "built"), "it was not for its origin"
    assert cache.tracked == set()


def test_b9_what_is_tracked_and_absent_is_kept_in_the_cache_file(daemon: MakeDaemon,
                                                                 engine: Engine) -> None:
    watching = daemon(engine)
    watching.write_cache([{"image_tag": "absent:1", "last_used": "2026-01-02T03:04:05Z"}])
    watching.start().wait_watching()
    assert len(watching.stop().tracked) == 1
    watching.start().wait_watching()
    assert len(watching.stop().tracked) == 1


def test_b9_images_of_an_elastic_package_cache_that_are_present_are_managed(
        daemon: MakeDaemon, engine: Engine) -> None:
    known, unknown = loaded(engine, "known:1"), loaded(engine, "unknown:1")
    watching = daemon(engine, {"gc": {"max_unused": "1s", "interval": "1s"}})
    watching.write_cache([{"image_tag": "known:1", "last_used": "2026-01-02T03:04:05.1+02:00"}])
    watching.start().wait_watching()
    watching.wait(lambda: present(engine, known, unknown) == [False, True], "its removal")


def test_b9_with_enabled_false_everything_is_tracked_and_nothing_removed(watch: Watch,
                                                                         engine: Engine) -> None:
    daemon = watch(engine, {"enabled": False, "max_unused": "1ms"})
    image = pulled(engine, "app")
    daemon.fence()
    assert present(engine, image) == [True]
    assert daemon.stop().managed(image.id)


# B14

def test_b14_what_is_present_at_first_is_existing_and_stays(watch: Watch, engine: Engine) -> None:
    images = [pulled(engine, "app"), loaded(engine, "other:1")]
    daemon = watch(engine, {"max_unused": "1ms"})
    daemon.fence()
    assert present(engine, *images) == [True, True]
    cache = daemon.stop()
    assert {cache.origin(each.id) for each in images} == {"existing"}
    assert not any(cache.managed(each.id) for each in images)


def test_b14_existing_images_go_where_the_config_says_so(watch: Watch, engine: Engine) -> None:
    image = loaded(engine, "app:1")
    daemon = watch(engine, {"max_unused": "1s", "interval": "1s"},
                   {"manage": ["existing"]})
    daemon.wait(lambda: present(engine, image) == [False], "its removal")


@pytest.mark.needs("load-names")
def test_b14_origins_by_event(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    by_pull, by_load = pulled(engine, "app"), loaded(engine, "other:1")
    by_build = engine.client.build_classic("FROM scratch\nCOPY x /x\nLABEL a=1\n", {"x": b"x"},
                                           "built:1")
    daemon.fence()
    cache = daemon.stop()
    assert [cache.origin(each) for each in (by_pull.id, by_load.id, by_build)] == [
        "pulled", "loaded", "built"]
    assert [cache.managed(each) for each in (by_pull.id, by_load.id, by_build)] == [
        True, False, False]


@pytest.mark.needs("untagged-bases")
def test_b14_a_step_whose_child_goes_is_an_image_like_any_other(
        watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    engine.client.build_classic("FROM scratch\nCOPY x /x\nLABEL a=1\n", {"x": b"x"}, "built:1")
    daemon.fence()
    engine.client.remove_image("built:1", noprune=True)
    daemon.fence()
    left = engine.client.image_ids(everything=True)
    assert daemon.stop().ids == left


def test_b14_a_step_whose_child_is_asked_for_as_it_goes(watch: Watch,
                                                        scripted: ScriptedEngine) -> None:
    """dockerd forgets its parent first: who asks between the untag and the delete is told none."""
    daemon = watch(scripted)
    built = scripted.client.build_classic("FROM scratch\nCOPY x /x\nLABEL a=1\n", {"x": b"x"},
                                          "built:1")
    daemon.fence()
    going = scripted.client.inspect(built) | {"Parent": "", "RepoTags": []}
    scripted.script("GET", f"/images/{built}/json", faults.reply(200, going), times=1)
    scripted.client.remove_image("built:1", noprune=True)
    daemon.fence()
    assert daemon.stop().ids == scripted.client.image_ids(everything=True)


def test_b14_what_is_a_step_between_two_answers_loses_no_use(watch: Watch,
                                                             scripted: ScriptedEngine) -> None:
    """The answer that makes it a step is older than its name, and tells nothing of its use."""
    def build(label: str) -> str:
        return scripted.client.build_classic(f"FROM scratch\nCOPY x /x\nLABEL a={label}\n",
                                             {"x": b"x"})
    daemon = watch(scripted)
    gone = build("1")
    step = scripted.client.inspect(gone)["Parent"]
    scripted.client.remove_image(gone, noprune=True)
    daemon.fence()
    release = threading.Event()
    question = scripted.script("GET", "/images/*/json", faults.hang(release), times=1)
    scripted.client.tag(build("2"), "built:2")
    daemon.wait(lambda: question.times == 0, "the question what was built")
    silent(scripted, lambda: scripted.client.tag(step, "named:1"))
    scripted.log.publish("image", "load", step, {"name": step})
    last = used(scripted, step)
    daemon.wait(lambda: daemon.control.image(step)["last_used"] == format_time(last), "the use")
    release.set()
    daemon.fence()
    assert daemon.stop().last_used(step) >= last


@pytest.mark.needs("load-names")
def test_b14_a_new_image_whose_event_the_engine_remembers(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    daemon.stop()
    by_pull, by_load = pulled(engine, "app"), loaded(engine, "other:1")
    daemon.start().wait_watching()
    daemon.fence()  # podman takes its time to tell what it remembers
    cache = daemon.stop()
    assert [cache.origin(each.id) for each in (by_pull, by_load)] == ["pulled", "loaded"]


def test_b14_a_new_image_seen_without_its_event(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    daemon.stop()
    by_pull, by_load = pulled(scripted, "app"), loaded(scripted, "other:1")
    scripted.log.forget()
    before = time.time_ns()
    daemon.start().wait_watching()
    cache = daemon.stop()
    assert [cache.origin(each.id) for each in (by_pull, by_load)] == ["pulled", "built"]
    assert all(cache.last_used(each.id) >= before for each in (by_pull, by_load)), (
        "creation time, years ago, was taken for use")


def test_b18_what_is_gone_leaves_the_cache_file(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    image = pulled(engine, "app")
    daemon.fence()
    engine.client.remove_image(image.reference)
    daemon.fence()
    assert daemon.stop().ids == set()


def op_loads(engine: ScriptedEngine) -> None:
    loaded(engine, "new:1")
    doubt(engine)


def op_many_pulls(engine: ScriptedEngine) -> None:
    """More than one by one are asked for."""
    for number in range(70):
        pulled(engine, f"new{number}", 1000)


@pytest.mark.parametrize("op", [op_loads, op_many_pulls])
def test_b18_what_comes_during_a_list_drops_nothing(
        watch: Watch, scripted: ScriptedEngine, op: Callable[[ScriptedEngine], None]) -> None:
    """It is listed once more, but one list at a time."""
    known = loaded(scripted, "known:1")
    daemon = watch(scripted)
    release = threading.Event()
    scripted.forget_requests()
    listing = scripted.script("GET", "/images/json", faults.hang(release), times=1)
    doubt(scripted)
    daemon.wait(lambda: listing.times == 0, "a list")
    op(scripted)
    last = scripted.log.publish("image", "tag", known.id, {"name": "known:1"})["timeNano"]
    daemon.wait_cache(lambda cache: cache.last_used(known.id) == last, "what was told meanwhile")
    answered = []

    def slowly(exchange: faults.Exchange) -> None:
        """After what the first list has left to ask for."""
        faults.delay(0.3)(exchange)
        answered.append(exchange)

    scripted.script("GET", "/images/*/json", faults.delay(0.1), times=1)
    scripted.script("GET", "/containers/json", slowly, times=2)
    release.set()
    daemon.wait(lambda: len(answered) == 2, "a second list")
    lists = len(scripted.requests("GET", "/images/json"))
    doubt(scripted)
    daemon.wait(lambda: len(scripted.requests("GET", "/images/json")) > lists, "one more")
    daemon.fence()
    cache = daemon.stop()
    assert cache.ids == scripted.client.image_ids()
    assert (cache.origin(known.id), cache.last_used(known.id)) == ("existing", last)
