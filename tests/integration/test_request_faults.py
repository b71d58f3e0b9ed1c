"""Requests that go wrong on their way to any engine: B31, B32, B37.

What test_answers.py and test_safety.py show on a scripted engine, a relay does to a real one here;
and what only an engine can do (refuse, die in mid-collection) a real one does itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import faults
from daemon import Daemon
from engines import Engine
from faults import Relay
from scenes import SOAK, event_time, pulled, used

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

LONG = 30.0 if SOAK else 5.0
"""How long a removal takes."""
RECOVER = 40.0
"""Back-off goes up to 30 s."""
ALL = {"gc": {"max_unused": "1ms"}}
"""Every image that may go is to go."""
DELETES = "DELETE *"


def answer(status: str, body: bytes, length: int | None = None) -> bytes:
    """A whole one, or one whose Content-Length is a lie."""
    return (f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n").encode() + body


@pytest.fixture
def relay(directory: Path, engine: Engine) -> Iterator[Relay]:
    """In front of an engine, scripted or real."""
    made = Relay(directory, engine.socket_path)
    yield made
    made.close()


def collecting(daemon: MakeDaemon, relay: Relay, engine: Engine, names: str = "ab", *,
               timeout: str = "5m") -> tuple[Daemon, list[str], list[int]]:
    """A stopped daemon that knows some images and would remove them at its next start.

    Also the images' IDs, and when each was used last, in that order.
    """
    made = daemon(engine, {"gc": {"interval": "1s"}, "engine": {"request_timeout": timeout}},
                  host=relay.host)
    made.start().wait_watching()
    images = [pulled(engine, name) for name in names]
    times = [used(engine, each.reference) for each in images]
    made.fence()
    made.stop()
    made.configure(ALL)
    return made, [each.id for each in images], times


def all_gone(daemon: Daemon, engine: Engine, images: list[str]) -> None:
    daemon.wait(lambda: not engine.client.image_ids(everything=True) & set(images),
                "all gone later", RECOVER)


# A removal

@pytest.mark.parametrize("wrong", [
    faults.answered(answer("500 Internal Server Error", b'{"message":"boom"}')),
    faults.answered(answer("200 OK", b'[{"Untagged":"x"},{"Del', 400)),
    faults.answered(answer("200 OK", b'[{"Untagged":"x"},{"Deleted":"sha256:0"}]', 17)),
    faults.answered(b""), faults.cut_after(1), faults.cut_after(230),
], ids=["500", "half", "length-short", "refused", "done-untold", "done-half"])
def test_b31_a_removal_that_fails(daemon: MakeDaemon, engine: Engine, relay: Relay,
                                  wrong: faults.Wrong) -> None:
    """It ends this collection; whether the engine did it or not, the next one makes it right."""
    made, images, times = collecting(daemon, relay, engine)
    relay.script(DELETES, wrong, times=2)  # libcurl itself tries a closed one again
    made.start().wait_log(r"^error: collection stopped at .*: DELETE ")
    all_gone(made, engine, images)
    made.fence()
    assert made.stop().ids == set()


@pytest.mark.parametrize("done", [False, True], ids=["not-done", "done"])
def test_b31_a_removal_that_times_out(daemon: MakeDaemon, engine: Engine, relay: Relay,
                                      done: bool) -> None:
    """Also one that the engine carries out afterwards."""
    made, images, times = collecting(daemon, relay, engine, timeout="1s")
    release = threading.Event()
    relay.script(DELETES, faults.held(release), times=1)
    made.start().wait(lambda: relay.requests(DELETES), "the removal")
    if done:
        engine.client.remove_image(images[0])
    made.wait_log(r"^error: collection stopped at .*: DELETE .*(timed out|timeout)")
    all_gone(made, engine, images)
    release.set()
    made.fence()
    assert made.stop().ids == set()


def test_b31_404_somebody_else_was_faster(daemon: MakeDaemon, engine: Engine,
                                          relay: Relay) -> None:
    made, images, times = collecting(daemon, relay, engine, "abc")
    release = threading.Event()
    relay.script(DELETES, faults.held(release), times=1)
    made.start().wait(lambda: relay.requests(DELETES), "the first removal")
    engine.client.remove_image(images[0])
    release.set()
    all_gone(made, engine, images)
    assert "collection stopped" not in made.log
    made.fence()
    assert made.stop().ids == set()


def test_b31_409_a_container_was_faster(daemon: MakeDaemon, engine: Engine,
                                        relay: Relay) -> None:
    """The image stays with its history, is in use, and the others go."""
    made, images, times = collecting(daemon, relay, engine, "abc")
    release = threading.Event()
    relay.script(DELETES, faults.held(release), times=1)
    made.start().wait(lambda: relay.requests(DELETES), "the first removal")
    begin = time.time_ns()
    engine.client.create(images[0])
    created = event_time(engine, begin, "container", "create")
    release.set()
    all_gone(made, engine, images[1:])
    assert "collection stopped" not in made.log
    made.fence()
    assert engine.client.image_ids() == {images[0]}
    cache = made.stop()
    assert cache.ids == {images[0]}
    assert cache.origin(images[0]) == "pulled" and cache.managed(images[0])
    assert cache.last_used(images[0]) >= created


# A list, a measure, an inspection

@pytest.mark.parametrize("what", [
    "images/json", "containers/json", pytest.param("system/df", marks=pytest.mark.needs("usage"))])
@pytest.mark.parametrize("wrong", [
    faults.answered(answer("500 Internal Server Error", b'{"message":"boom"}')),
    faults.answered(answer("200 OK", b"[]", 400)), faults.cut_after(40), faults.answered(b""),
], ids=["500", "length-long", "half-header", "refused"])
def test_b32_a_question_that_fails(daemon: MakeDaemon, engine: Engine, relay: Relay, what: str,
                                   wrong: faults.Wrong) -> None:
    """Nothing is removed, nothing is forgotten; once it is answered, all is done."""
    made, images, times = collecting(daemon, relay, engine)
    if what == "system/df":  # which the age rule does without
        made.configure({"gc": {"max_unused": "0", "max_total_size": "1"}})
    relay.script(f"GET */{what}*", wrong)
    made.start().wait_log(rf"^(error|warning): .*{what}")
    assert engine.client.image_ids() == set(images)
    assert not relay.requests(DELETES)
    assert made.cache().ids == set(images)
    for each, when in zip(images, times, strict=True):  # a list may have had the container still
        assert when <= made.cache().last_used(each) < when + 10**9
    relay.heal()
    all_gone(made, engine, images)


@pytest.mark.parametrize("wrong", [
    faults.answered(answer("500 Internal Server Error", b'{"message":"boom"}')),
    faults.answered(answer("200 OK", b'{"Id":"sha2', 400)), faults.cut_after(150),
    faults.answered(b""),
], ids=["500", "half", "half-of-its-own", "refused"])
def test_b31_an_image_that_cannot_be_asked_for(daemon: MakeDaemon, engine: Engine, relay: Relay,
                                               wrong: faults.Wrong) -> None:
    """What was pulled, and when, is known all the same."""
    made = daemon(engine, host=relay.host).start().wait_watching()
    relay.script("GET */images/*/json*", wrong, times=3)
    begin = time.time_ns()
    image = pulled(engine, "app")
    when = event_time(engine, begin, "image", "pull")
    made.wait_cache(lambda cache: image.id in cache.ids, "the image", RECOVER)
    made.fence()
    cache = made.stop()
    assert cache.origin(image.id) == "pulled"
    assert when <= cache.last_used(image.id) < when + 30 * 10**9  # a list shows it a little later


# In mid-collection

@pytest.mark.parametrize("end", ["stop", "kill"])
def test_b31_the_engine_goes_in_mid_collection(daemon: MakeDaemon, directory: Path,
                                               restartable: Engine, end: str) -> None:
    """Connections are refused from there on; when it is back, what is left is collected."""
    relay = Relay(directory, restartable.socket_path)
    made, images, times = collecting(daemon, relay, restartable, "abcd")
    held = restartable.client.create(images[3])
    never = threading.Event()
    relay.script(DELETES, lambda passage: bool(relay.requests(DELETES)[1:]) and never.wait(60)
                 or not relay.requests(DELETES)[1:])
    made.start().wait(lambda: len(relay.requests(DELETES)) >= 2, "the second removal")
    getattr(restartable, end)()
    relay.cut()
    made.wait_status("Waiting for Docker Engine")
    never.set()
    relay.heal()
    assert made.alive
    restartable.start()
    all_gone(made, restartable, images[:3])
    made.fence()
    assert restartable.client.image_ids() == {images[3]}
    assert made.stop().ids == {images[3]}
    assert [each["Id"] for each in restartable.client.containers()] == [held]
    relay.close()


def test_b37_two_thousand_events_while_a_removal_takes_long(daemon: MakeDaemon, engine: Engine,
                                                            relay: Relay) -> None:
    """None is lost: each of 40 images was used last by the last event that names it."""
    made, images, times = collecting(daemon, relay, engine, "a")
    made.configure({"gc": {"grace": "1h", "max_unused": "0"}})
    made.start().wait_watching()
    others = [pulled(engine, f"other{number}", 1000) for number in range(40)]
    made.fence()
    made.configure({"gc": {"max_unused": "1ms", "grace": "0"},
                    "images": {"rules": ({"match": "*/other*", "keep": True},)}})
    made.stop()
    slow = threading.Event()
    relay.script(DELETES, faults.held(slow), times=1)
    made.start().wait(lambda: relay.requests(DELETES), "the removal")
    begin, begun = time.time_ns(), time.monotonic()
    timer = threading.Timer(LONG, slow.set)
    timer.start()
    for number in range(2000):
        image = others[number % 40]
        engine.client.tag(image.id, image.reference)
    took = time.monotonic() - begun
    expected = {}
    engine.flush()
    for event in engine.client.events(begin):  # the engine remembers the last 256
        if event["Type"] == "image" and event["Action"] == "tag":
            expected["sha256:" + event["Actor"]["ID"][-64:]] = event["timeNano"]
    assert len(expected) == 40
    made.wait(lambda: engine.client.image_ids(everything=True) == {each.id for each in others},
              "the removal's end", LONG + RECOVER)
    print(f"2,000 events in {took:.1f} s, the removal took {time.monotonic() - begun:.1f} s")
    made.wait_cache(lambda cache: all(cache.last_used(each) == when
                                      for each, when in expected.items()), "each last event")
    assert made.stop().ids == {each.id for each in others}
    timer.join()
