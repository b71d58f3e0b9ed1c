"""The event stream: reconnecting, engines that go and come back (B10, B11, B13, B19)."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import faults
from cache import parse_time
from daemon import Daemon
from engines import Engine
from images import image
from scenes import (
    Pulled, came, loaded, lose_stream, offered, present, pulled, silent, used, wait_event,
)
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]


def test_b10_subscribes_before_it_lists(watch: Watch, scripted: ScriptedEngine) -> None:
    watch(scripted)
    paths = [each.path for each in scripted.requests("GET")]
    assert paths.index("/events") < paths.index("/images/json")
    assert paths.index("/events") < paths.index("/containers/json")
    assert "since" in scripted.requests("GET", "/events")[0].query


@pytest.mark.parametrize("clean", [True, False], ids=["last-chunk", "cut"])
def test_b13_a_stream_that_closes_is_opened_again_and_nothing_is_lost(
        daemon: MakeDaemon, scripted: ScriptedEngine, clean: bool) -> None:
    scripted.script("GET", "/events", faults.stream_ends(3, clean=clean), times=2)
    watching = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")
    for _ in range(5):
        when = used(scripted, image.reference)
    watching.wait(lambda: len(scripted.requests("GET", "/events")) >= 3, "two reconnects")
    watching.wait(lambda: scripted.log.listeners, "the third stream")
    watching.fence()
    assert watching.stop().last_used(image.id) == when


def test_b11_reconnects_from_the_last_event_and_lists_nothing(daemon: MakeDaemon,
                                                              scripted: ScriptedEngine) -> None:
    watching = daemon(scripted, {"gc": {"max_total_size": "60GB"}}).start().wait_watching()
    image = pulled(scripted, "app")
    when = used(scripted, image.reference)
    watching.fence()
    scripted.forget_requests()
    scripted.log.close()
    watching.wait(lambda: scripted.requests("GET", "/events"), "the reconnect")
    since = scripted.requests("GET", "/events")[0].query["since"]
    assert since == f"{when // 10**9}.{when % 10**9:09d}"
    later = used(scripted, image.reference)
    watching.wait_cache(lambda cache: cache.last_used(image.id) == later, "an event thereafter")
    assert not scripted.requests("GET", "/images/json")
    assert not scripted.requests("GET", "/system/df")


Gap = tuple[Daemon, Pulled, Pulled, threading.Event]


@pytest.fixture
def gap(daemon: MakeDaemon, scripted: ScriptedEngine) -> Gap:
    """A gap until the event is set, in which the first image's name has become the second's.

    The engine remembers what comes now, and no more the tag.
    """
    watching = daemon(scripted).start().wait_watching()
    former, other = pulled(scripted, "former"), pulled(scripted, "other")
    watching.fence()
    end = lose_stream(watching, scripted)
    scripted.client.tag(other.reference, former.reference)
    scripted.log.forget()
    return watching, former, other, end


def test_b11_after_a_gap_a_name_may_mean_another_image(gap: Gap,
                                                       scripted: ScriptedEngine) -> None:
    watching, former, other, end = gap
    when = used(scripted, former.reference)
    end.set()
    watching.wait(lambda: len(scripted.requests("GET", "/events")) >= 4, "the stream after that")
    watching.fence()
    cache = watching.stop()
    assert cache.last_used(former.id) < when
    assert cache.last_used(other.id) == when


def test_b11_after_a_gap_a_name_is_in_doubt_until_there_is_a_list(
        gap: Gap, scripted: ScriptedEngine) -> None:
    """The list fails, and a container comes and goes before the next one."""
    watching, former, other, end = gap
    scripted.script("GET", "/images/json", faults.reply(500, {"message": "not now"}), times=1)
    end.set()
    watching.wait_log("^error: cannot list images.*not now")
    gone = threading.Event()
    scripted.script("GET", "/containers/*/json", faults.hang(gone), times=1)
    when = used(scripted, former.reference)
    gone.set()
    watching.fence()
    assert watching.stop().last_used(other.id) == when


def test_b11_after_a_gap_a_tag_that_was_asked_about_may_have_moved(
        daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    watching = daemon(scripted).start().wait_watching()
    former, other = pulled(scripted, "former"), pulled(scripted, "other")
    watching.fence()
    given = image("mine:1")
    silent(scripted, lambda: scripted.client.load(given.archive("mine:1")))
    answer = threading.Event()
    scripted.script("GET", f"/images/{given.id}/json", faults.hang(answer), times=1)
    scripted.client.tag("mine:1", former.reference)
    watching.wait(lambda: scripted.requests("GET", f"/images/{given.id}/json"), "the question")
    end = lose_stream(watching, scripted)
    scripted.client.tag(other.reference, former.reference)
    scripted.log.forget()
    when = used(scripted, former.reference)
    end.set()
    watching.wait(lambda: len(scripted.requests("GET", "/events")) >= 4, "the stream after that")
    watching.fence()
    answer.set()
    assert watching.stop().last_used(other.id) == when


def test_b11_after_a_gap_what_was_asked_before_is_asked_again(daemon: MakeDaemon,
                                                              scripted: ScriptedEngine) -> None:
    """A load, which no event tells, has taken the name that was pulled."""
    scripted.script("GET", "/info", faults.in_containerd(scripted))
    watching = daemon(scripted).start().wait_watching()
    app = offered(scripted, "app")
    answer = threading.Event()
    scripted.script("GET", f"/images/{app.reference}/json", faults.hang(answer), times=1)
    scripted.client.pull(app.reference)
    watching.wait(lambda: scripted.requests("GET", f"/images/{app.reference}/json"), "the question")
    end = lose_stream(watching, scripted)
    when = time.time_ns()
    other = loaded(scripted, app.reference)
    scripted.log.forget()
    answer.set()
    end.set()
    watching.wait(lambda: len(scripted.requests("GET", "/events")) >= 4, "the stream after that")
    watching.fence()
    cache = watching.stop()
    assert cache.origin(other.id) == "built"
    assert parse_time(cache.image(other.id)["first_seen"]) >= when


def test_b11_after_a_gap_what_was_read_before_proves_nothing(daemon: MakeDaemon,
                                                             scripted: ScriptedEngine) -> None:
    """The same before there has been a list."""
    scripted.script("GET", "/info", faults.in_containerd(scripted))
    watching = daemon(scripted).start().wait_watching()
    watching.stop()
    scripted.forget_requests()
    first = threading.Event()
    scripted.script("GET", "/images/json", faults.hang(first), times=1)
    watching.start()
    watching.wait(lambda: scripted.requests("GET", "/images/json"), "the list")
    app = pulled(scripted, "app")
    wait_event(watching, "pull")
    end = lose_stream(watching, scripted)
    other = image("other")
    silent(scripted, lambda: scripted.client.load(other.archive(app.reference)))
    scripted.log.forget()
    end.set()
    watching.wait_watching()
    watching.fence()
    first.set()
    assert watching.stop().origin(other.id) == "built"


def test_b11_after_a_gap_it_lists(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    """The ring has run over while nobody listened: what was missed shows in the lists."""
    watching = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")
    watching.fence()
    gate = scripted.script("GET", "/events", faults.reply(503, {"message": "later"}))
    scripted.log.close()
    watching.wait(lambda: len(scripted.requests("GET", "/events")) >= 2, "a refused reconnect")
    missed = pulled(scripted, "missed")
    for _ in range(300):
        scripted.log.publish("image", "tag", image.id, {"name": image.reference})
    gate.remove()
    watching.wait_cache(lambda cache: missed.id in cache.ids, "what was missed", within=40)


def test_b12_what_was_told_as_the_past_is_no_news_when_the_stream_tells_it(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """A name was given twice while nobody watched; the stream comes to that after the list."""
    first, second = loaded(scripted, "first:1"), loaded(scripted, "second:1")
    daemon = watch(scripted)
    daemon.stop()
    begin = time.time_ns()
    for each in first, second:
        scripted.client.tag(each.id, "name:1")
    told = scripted.client.events(begin)

    def late(exchange: Any) -> None:
        if "until" not in exchange.request.query:
            del exchange.request.query["since"]
        exchange.wire.send(exchange.handle())

    scripted.script("GET", "/events", late)
    daemon.start().wait_watching()
    names = ["docker.io/library/name:1", "docker.io/library/second:1"]
    for each in told:
        scripted.log.replay(each)
        daemon.fence()
        assert sorted(daemon.control.image(second.id)["references"]) == names
    scripted.client.tag(first.id, "name:1")
    daemon.fence()
    assert daemon.control.image(second.id)["references"] == names[1:]


def test_b11_a_name_that_was_given_in_a_gap_and_moved_on_before_the_list(
        daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    """The list is newer than what was told of the gap."""
    watching = daemon(scripted).start().wait_watching()
    first, second = loaded(scripted, "first:1"), loaded(scripted, "second:1")
    watching.fence()
    end = lose_stream(watching, scripted)
    scripted.log.forget()
    scripted.client.tag(first.id, "name:1")
    listed = threading.Event()
    scripted.forget_requests()
    scripted.script("GET", "/images/json", faults.hang(listed), times=1)
    end.set()
    watching.wait(lambda: scripted.requests("GET", "/images/json"), "the list")
    silent(scripted, lambda: scripted.client.tag(second.id, "name:1"))
    listed.set()
    watching.fence()
    assert watching.control.image(first.id)["references"] == ["docker.io/library/first:1"]


def test_b11_what_was_pulled_in_a_gap_and_built_over_was_built(
        daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    """The past tells both; who has the name in the list did not come with it."""
    scripted.script("GET", "/info", faults.in_containerd(scripted))
    watching = daemon(scripted).start().wait_watching()
    app = pulled(scripted, "app")
    watching.fence()
    end = lose_stream(watching, scripted)
    scripted.log.forget()
    scripted.client.pull(app.reference)
    built = scripted.client.build_classic("FROM scratch\nCOPY x /x\n", {"x": b"x"},
                                          app.reference)
    end.set()
    watching.wait(lambda: scripted.log.listeners, "the stream")
    watching.fence()
    assert watching.stop().origin(built) == "built"


def test_b11_a_container_that_goes_in_a_gap_is_gone(daemon: MakeDaemon,
                                                    scripted: ScriptedEngine) -> None:
    """Though its event had come while an answer was awaited, and is kept for that."""
    app = pulled(scripted, "app")
    watching = daemon(scripted).start().wait_watching()
    answer = threading.Event()
    scripted.script("GET", "/images/docker.io/library/nobody:1/json", faults.hang(answer), times=1)
    scripted.log.publish("image", "pull", "nobody:1", {"name": "nobody"})
    container = scripted.client.create(app.reference)
    watching.wait(lambda: watching.control.image(app.id)["in_use"], "its event")
    end = lose_stream(watching, scripted)
    scripted.client.remove_container(container)
    scripted.log.forget()
    end.set()
    watching.wait(lambda: not watching.control.image(app.id)["in_use"], "that it is gone")
    answer.set()


def test_b10_after_a_gap_nothing_goes_before_there_are_lists(watch: Watch,
                                                             scripted: ScriptedEngine) -> None:
    """Not even what is old by what was known: what was missed may be a use."""
    daemon = watch(scripted, {"max_unused": "4w"})
    image = pulled(scripted, "app")
    daemon.fence()
    daemon.stop()
    daemon.make_older(7200)
    daemon.start().wait_watching()
    refused = scripted.script("GET", "/images/json", faults.reply(500, {"message": "not now"}))
    scripted.log.forget()
    scripted.log.close()
    daemon.wait_log("cannot list images")
    daemon.configure({"gc": {"max_unused": "1h"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("configuration reloaded")
    failures = daemon.log.count("cannot list images")
    daemon.wait(lambda: daemon.log.count("cannot list images") > failures, "one more attempt")
    assert present(scripted, image) == [True] and not scripted.requests("DELETE")
    refused.remove()
    daemon.wait(lambda: present(scripted, image) == [False], "its removal")


def test_b5_a_stream_cut_within_a_line_loses_nothing(daemon: MakeDaemon,
                                                     scripted: ScriptedEngine) -> None:
    scripted.script("GET", "/events", faults.stream_ends(1, mid_line=True), times=1)
    watching = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")
    when = used(scripted, image.reference)
    watching.wait(lambda: len(scripted.requests("GET", "/events")) >= 2, "the reconnect")
    watching.fence()
    assert watching.stop().last_used(image.id) == when


def test_b13_a_silent_stream_stays_open(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    """However short the time-out of requests is: the stream is no request."""
    watching = daemon(scripted, {"engine": {"request_timeout": "300ms"}}).start().wait_watching()
    begin = time.monotonic()
    watching.wait(lambda: time.monotonic() - begin > 1.5, "five times the time-out")
    watching.fence()
    assert len(scripted.requests("GET", "/events")) == 1


def test_b19_an_engine_that_is_not_there_yet_is_waited_for(daemon: MakeDaemon,
                                                           scripted: ScriptedEngine) -> None:
    scripted.stop()
    watching = daemon(scripted).start()
    watching.wait_status("Waiting for Docker Engine")
    begin = time.monotonic()
    scripted.start()
    watching.wait_watching()
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_b19_an_engine_that_restarts_is_watched_again(daemon: MakeDaemon, restartable: Engine,
                                                      end: str) -> None:
    watching = daemon(restartable, {"gc": {"max_total_size": "60GB"}}).start().wait_watching()
    before = pulled(restartable, "before")
    watching.fence()
    getattr(restartable, end)()
    watching.wait_status("Waiting for Docker Engine")
    restartable.start()
    watching.wait_status("Watching", within=40)
    begin = time.time_ns()
    after = pulled(restartable, "after")
    watching.fence()
    cache = watching.stop()
    assert cache.ids == {before.id, after.id}
    assert {cache.origin(each) for each in cache.ids} == {"pulled"}
    assert came(cache, restartable, after, begin, "pull")


def test_b19_an_engine_that_goes_in_a_collection_is_no_end(watch: Watch,
                                                           scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_unused": "4w"})
    image = pulled(scripted, "app")
    daemon.fence()
    daemon.stop()
    daemon.make_older(5 * 7 * 24 * 3600)
    gate = scripted.script("DELETE", "*", faults.close())
    daemon.start().wait(lambda: scripted.requests("DELETE"), "a removal")
    scripted.stop()
    daemon.wait_status("Waiting for Docker Engine")
    gate.remove()
    scripted.start()
    daemon.wait(lambda: present(scripted, image) == [False], "its removal", within=40)


def test_b19_waiting_is_not_spinning(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    scripted.script("*", "*", faults.reply(503, {"message": "not yet"}))
    watching = daemon(scripted).start()
    watching.wait_status("Waiting for Docker Engine")
    begin = time.monotonic()
    watching.wait(lambda: time.monotonic() - begin > 3, "three seconds")
    assert 1 <= len(scripted.requests()) <= 30


# B36

def test_b36_idle_it_asks_nothing(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    daemon.fence()
    scripted.forget_requests()
    begin = time.monotonic()
    daemon.wait(lambda: time.monotonic() - begin > 2, "two seconds")
    assert scripted.requests() == []
