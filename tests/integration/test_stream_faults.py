"""What can happen to the event stream: B4, B5, B11, B13. No use is lost, nothing is asked twice.

Where the engine can tell all that was missed, nothing is listed and nobody notices; where it
cannot, lists say what it holds. A relay between daemon and engine does wrong to real ones as well.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import faults
from cache import Cache
from daemon import SANITIZED, Daemon
from engine_events import make_event
from engines import Engine
from faults import Relay
from scenes import SOAK, Pulled, pulled, used
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

MANY = 100_000
EVENTS = "GET */events?*"
RESUMED = "event stream resumed, nothing missed"
"""In the log."""


@pytest.fixture
def relay(directory: Path, engine: Engine) -> Iterator[Relay]:
    """In front of an engine, scripted or real."""
    made = Relay(directory, engine.socket_path)
    yield made
    made.close()


def is_used(image: Pulled, when_ns: int) -> Callable[[Cache], bool]:
    """Whether a cache file has the image, used last then."""
    return lambda cache: image.id in cache.ids and cache.last_used(image.id) == when_ns


def streams(relay: Relay) -> int:
    """How many have been opened so far."""
    return len(relay.requests(EVENTS))


def nobody_noticed(daemon: Daemon) -> None:
    """No warning, no STATUS that tells of an outage."""
    assert "waiting for it" not in daemon.log
    begin = next(number for number, each in enumerate(daemon.notify.statuses)
                 if each.startswith("Watching"))
    assert not [each for each in daemon.notify.statuses[begin:] if each.startswith("Waiting")]


def tag(engine: ScriptedEngine, image: str, time_ns: int) -> None:
    """An event of that time, which the engine does not remember."""
    engine.log.replay(make_event("image", "tag", image, {"name": "x:1"}, time_ns))


# Closed

@pytest.mark.needs("resume")
def test_b13_a_proxy_that_closes_it_again_and_again(daemon: MakeDaemon, engine: Engine,
                                                    relay: Relay) -> None:
    """Every 60 s, simulated faster: a quiet reconnect, no list, no collection, no loss."""
    watching = daemon(engine, host=relay.host).start().wait_watching()
    images = [pulled(engine, name) for name in "abc"]
    watching.fence()
    collections = watching.collections
    relay.forget_requests()
    times, slowest = {}, 0.0
    for number in range(60 if SOAK else 8):
        image = images[number % 3]
        if number % 2:
            times[image.id] = used(engine, image.reference)
        resumed = watching.log.count(RESUMED)
        assert relay.cut(EVENTS) == 1
        begin = time.monotonic()
        if not number % 2:
            times[image.id] = used(engine, image.reference)
        watching.wait(lambda: watching.log.count(RESUMED) > resumed, "it goes on")
        slowest = max(slowest, time.monotonic() - begin)
    print(f"watching again after at most {slowest:.3f} s")
    for asked in ("_ping", "images/json", "containers/json", "system/df"):
        assert not relay.requests(f"GET */{asked}*")
    assert watching.collections == collections
    nobody_noticed(watching)
    watching.fence()
    cache = watching.stop()
    assert {each: cache.last_used(each) for each in times} == times


@pytest.mark.needs("usage")
def test_b13_a_proxy_that_closes_it_where_nothing_ever_happened(daemon: MakeDaemon,
                                                                engine: Engine,
                                                                relay: Relay) -> None:
    """There is no last event that could come back: a list it may take, but no outage is told."""
    image = pulled(engine, "app")
    watching = daemon(engine, {"gc": {"max_total_size": "60GB"}}, host=relay.host)
    watching.start().wait_watching()
    watching.fence()
    relay.forget_requests()
    collections = watching.collections
    for _ in range(3):
        opened = streams(relay)
        assert relay.cut(EVENTS) == 1
        watching.wait(lambda: streams(relay) > opened, "the next stream")
        begin = time.monotonic()
        watching.wait(lambda: time.monotonic() - begin > 1.5, "what follows")
    nobody_noticed(watching)
    assert not relay.requests("GET */system/df*"), watching.log
    assert watching.collections == collections
    when = used(engine, image.reference)
    watching.fence()
    assert watching.stop().last_used(image.id) == when


@pytest.mark.parametrize("events", [1, 2], ids=["any", "new"])
def test_b11_a_stream_that_closes_after_each_event(daemon: MakeDaemon, scripted: ScriptedEngine,
                                                   events: int) -> None:
    """Of two, the first is the last one known, come back to show that nothing was missed."""
    watching = daemon(scripted).start().wait_watching()
    images = [pulled(scripted, f"app{number}") for number in range(2)]
    watching.fence()
    fault = scripted.script("GET", "/events", faults.stream_ends(events))
    scripted.log.close()
    times = {each.id: used(scripted, each.reference) for each in images}
    watching.wait(lambda: RESUMED in watching.log, "it goes on")
    begin = time.monotonic()
    scripted.forget_requests()
    watching.wait(lambda: time.monotonic() - begin > 4, "four seconds")
    assert len(scripted.requests("GET", "/events")) <= 4 * 20
    watching.wait_cache(lambda cache: {each: cache.last_used(each) for each in times} == times,
                        "every use", within=40)
    fault.remove()


def test_b5_a_stream_cut_at_any_byte(daemon: MakeDaemon, engine: Engine, relay: Relay) -> None:
    """In the header, a line, a chunk's length, wherever: what was cut comes again, whole."""
    watching = daemon(engine, host=relay.host).start().wait_watching()
    image = pulled(engine, "app")
    watching.fence()
    chance = random.Random(5)
    for _ in range(200 if SOAK else 6):
        opened = streams(relay)
        relay.script(EVENTS, faults.cut_after(chance.randrange(1, 2500)), times=1)
        relay.cut(EVENTS)
        watching.wait(lambda: streams(relay) > opened, "the next stream")
        when = used(engine, image.reference)
    relay.heal()
    watching.wait_cache(is_used(image, when), "the last use", 40)
    watching.fence()
    assert watching.stop().origin(image.id) == "pulled"


@pytest.mark.parametrize("cut", range(1, 4))
def test_b5_a_stream_cut_within_a_character(daemon: MakeDaemon, scripted: ScriptedEngine,
                                            cut: int) -> None:
    """Of four bytes; the line that follows on the next stream begins afresh."""
    watching = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")
    used(scripted, image.reference)
    watching.fence()
    event = make_event("image", "tag", image.id, {"name": "x:1", "note": "𐍈"}, time.time_ns())
    line = json.dumps(event, ensure_ascii=False).encode() + b"\n"
    scripted.log.inject(line[:line.index("𐍈".encode()) + cut])
    scripted.log.close()
    when = used(scripted, image.reference)
    watching.wait_cache(is_used(image, when), "the use thereafter")
    nobody_noticed(watching)
    scripted.log.inject(line)
    watching.fence()
    assert watching.alive


# Open, and silent

def test_b11_a_stream_that_opens_and_says_nothing(daemon: MakeDaemon,
                                                  scripted: ScriptedEngine) -> None:
    """Its last event should be there at once. It is not: connect anew, and list."""
    watching = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")
    used(scripted, image.reference)
    watching.fence()
    scripted.forget_requests()
    scripted.script("GET", "/events", faults.stream_silent(), times=1)
    begin = time.monotonic()
    scripted.log.close()
    when = used(scripted, image.reference)
    watching.wait(lambda: scripted.requests("GET", "/images/json"), "a list", within=5)
    print(f"watching again after {time.monotonic() - begin:.3f} s")
    watching.wait_cache(is_used(image, when), "the use meanwhile")


@pytest.mark.parametrize("when", ["first", "again"])
def test_b19_a_stream_that_never_opens(daemon: MakeDaemon, engine: Engine, relay: Relay,
                                       when: str) -> None:
    """The connection is taken and not even a header comes: not for ever."""
    never = threading.Event()
    watching = daemon(engine, {"engine": {"connect_timeout": "1s"}}, host=relay.host)
    image = pulled(engine, "app")
    if when == "again":
        watching.start().wait_watching()
        used(engine, image.reference)
        watching.fence()
    relay.script(EVENTS, faults.held(never), times=1)
    opened = streams(relay)
    begin = time.monotonic()
    if when == "again":
        relay.cut(EVENTS)
    else:
        watching.start()
    watching.wait(lambda: streams(relay) >= opened + 2, "another try", within=8)
    print(f"watching again after {time.monotonic() - begin:.3f} s")
    never.set()
    watching.wait_watching()
    last = used(engine, image.reference)
    watching.fence()
    assert watching.stop().last_used(image.id) == last


# What is in it

@pytest.mark.parametrize("raw", [
    b"\x00\xff\x16\x03\x01 not HTTP\r\n\r\n", b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n<html>busy</html>",
    b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
], ids=["no-http", "nothing", "half-body", "no-chunk", "html", "503"])
def test_b19_what_is_no_stream(daemon: MakeDaemon, engine: Engine, relay: Relay,
                               raw: bytes) -> None:
    watching = daemon(engine, host=relay.host).start().wait_watching()
    image = pulled(engine, "app")
    used(engine, image.reference)
    watching.fence()
    relay.script(EVENTS, faults.answered(raw), times=2)
    opened = streams(relay)
    begin = time.monotonic()
    relay.cut(EVENTS)
    when = used(engine, image.reference)
    watching.wait(lambda: streams(relay) >= opened + 3, "the third try")
    watching.wait_status("Watching")
    watching.fence()
    assert watching.stop().last_used(image.id) == when
    print(f"known again after {time.monotonic() - begin:.3f} s")


def test_b5_garbage_between_events(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    watching = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")
    chance = random.Random(5)
    for number in range(300):
        scripted.log.inject(chance.randbytes(number * 10).replace(b"\n", b"") + b"\n")
        scripted.log.inject((b"[" * 5000, b"{}", b"null", b'{"Type":"image","Action":7}',
                             b'{"timeNano":1e999}', b"\r")[number % 6] + b"\n")
        if number % 50 == 49:
            when = used(scripted, image.reference)
    watching.fence()
    assert watching.log.count("skipped a malformed event") >= 500
    nobody_noticed(watching)
    assert watching.stop().last_used(image.id) == when


def memory(daemon: Daemon) -> int:
    """Bytes that the process has had at most (VmHWM)."""
    for line in Path(f"/proc/{daemon.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@pytest.mark.needs("large-events")
def test_b5_a_line_of_5_mib(daemon: MakeDaemon, engine: Engine) -> None:
    """Skipped, and not kept in memory: the label of a container is in its every event."""
    watching = daemon(engine).start().wait_watching()
    image = pulled(engine, "app")
    watching.fence()
    before = memory(watching)
    body = {"Image": image.reference, "Cmd": ["/x"], "HostConfig": {"NetworkMode": "none"},
            "Labels": {"large": "x" * 5 * 2**20}}
    container = engine.client.call("POST", "/containers/create", None,
                                   json.dumps(body).encode()).json()["Id"]
    when = used(engine, image.reference)
    watching.wait_cache(is_used(image, when), "the use thereafter")
    engine.client.remove_container(container)
    nobody_noticed(watching)
    # Its list does not have the label. The sanitizer keeps what is freed.
    if engine.kind == "scripted" and not SANITIZED:
        assert memory(watching) - before < 4 * 2**20


def test_b37_a_hundred_thousand_events_at_once(daemon: MakeDaemon,
                                               scripted: ScriptedEngine) -> None:
    """Of images and containers, most of them known, every thousandth one not."""
    watching = daemon(scripted).start().wait_watching()
    images = [pulled(scripted, name) for name in "abcde"]
    watching.fence()
    before = memory(watching)
    scripted.forget_requests()
    start = time.time_ns()
    lines, times = [], {}
    for number in range(MANY):
        image = images[number % 5]
        times[image.id] = start + number
        actor = f"{number // 1000:064x}" if number % 1000 == 999 else "f" * 64
        event = make_event("image", "tag", image.id, {"name": image.reference}, start + number) \
            if number % 2 else make_event("container", "create", actor,
                                          {"image": image.reference, "name": "c"}, start + number)
        lines.append(json.dumps(event).encode() + b"\n")
    begin = time.monotonic()
    for number in range(0, MANY, 1000):
        scripted.log.inject(b"".join(lines[number:number + 1000]))
    watching.wait(lambda: scripted.log.backlog == 0, "all of them read", within=60)
    took = time.monotonic() - begin
    when = used(scripted, images[0].reference)
    watching.fence()
    grown = memory(watching) - before
    print(f"{MANY} events read after {took:.1f} s, {grown / 2**20:.1f} MiB more in use")
    assert len(scripted.requests()) < 200
    if not SANITIZED:
        assert grown < 64 * 2**20
    nobody_noticed(watching)
    cache = watching.stop()
    assert cache.last_used(images[0].id) == when
    last = {each: cache.last_used(each) for each in times if each != images[0].id}
    container_image = images[(MANY - 2) % 5].id  # it holds the first one of that name for ever
    assert all(last[each] >= times[each] - 10 for each in last), (last, times, container_image)


# When

def settled(daemon: Daemon, engine: ScriptedEngine) -> None:
    """Until the next stream is there, and the list, if there is one, as well."""
    daemon.wait(lambda: engine.log.listeners, "the next stream")
    begin = time.monotonic()
    daemon.wait(lambda: time.monotonic() - begin > 1.5, "a list, if there is one")
    daemon.fence()


def test_b4_events_out_of_order_twice_and_from_the_past(daemon: MakeDaemon,
                                                        scripted: ScriptedEngine) -> None:
    watching = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")
    watching.fence()
    start = time.time_ns()
    times = [start + number for number in range(200)] * 2 + [1, 10**9, start - 3600 * 10**9]
    random.Random(5).shuffle(times)
    for each in times:
        tag(scripted, image.id, each)
    watching.fence()
    scripted.log.close()
    watching.wait(lambda: scripted.log.listeners, "the next stream")
    watching.fence()
    assert watching.stop().last_used(image.id) == start + 199


@pytest.mark.parametrize("ahead", [2.0, 3600.0, 10 * 365 * 86400.0], ids=["2s", "1h", "10y"])
def test_b4_b11_an_event_from_the_future_hides_nothing(daemon: MakeDaemon,
                                                       scripted: ScriptedEngine,
                                                       ahead: float) -> None:
    """Now at the latest; and what comes after it is asked for when the stream was closed."""
    watching = daemon(scripted).start().wait_watching()
    image, other = pulled(scripted, "app"), pulled(scripted, "other")
    watching.fence()
    tag(scripted, image.id, time.time_ns() + int(ahead * 10**9))
    watching.fence()
    used(scripted, other.reference)
    watching.fence()
    scripted.log.close()
    when = used(scripted, other.reference)
    settled(watching, scripted)
    cache = watching.stop()
    assert cache.last_used(image.id) < time.time_ns()
    assert cache.last_used(other.id) == when


def test_b4_the_last_event_is_from_the_future(daemon: MakeDaemon,
                                              scripted: ScriptedEngine) -> None:
    """The engine's clock was wrong for a moment, the last one before the stream was closed."""
    watching = daemon(scripted).start().wait_watching()
    image, other = pulled(scripted, "app"), pulled(scripted, "other")
    watching.fence()
    tag(scripted, image.id, time.time_ns() + 3600 * 10**9)
    watching.fence()
    scripted.log.close()
    when = used(scripted, other.reference)
    settled(watching, scripted)
    assert watching.stop().last_used(other.id) == when
