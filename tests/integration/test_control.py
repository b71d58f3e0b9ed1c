"""The control socket: every route, what is refused, and that nobody makes the daemon wait (B37, B40).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import faults
from cache import parse_time
from control_client import ControlClient
from daemon import Daemon
from engines import Engine
from images import MB, image
from scenes import (forgetting, know_sizes, limit_for, loaded, present, pulled, room_for, taken,
                    tell, two_pulled, used)
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

NOWHERE = "unix:///nonexistent/docker.sock"


def reload(daemon: Daemon, **gc: Any) -> None:
    daemon.configure({"gc": gc})
    daemon.signal(signal.SIGHUP)
    daemon.wait_log(r"^info: configuration reloaded")


# What is told

@pytest.mark.needs("usage")
def test_status(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB", "target_total_size": "50GB",
                            "max_unused": "4w"})
    two_pulled(daemon, engine)
    loaded(engine, "mine:1")
    daemon.fence()
    daemon.wait(lambda: daemon.control.get("/v1/status")["state"] == "watching", "its rest")
    status = daemon.control.get("/v1/status")
    assert status["engine"]["host"] == daemon.environment["DOCKER_HOST"]
    version = engine.client.version()
    assert status["engine"]["version"] == version["Version"]
    assert status["engine"]["api_version"] == version["ApiVersion"]
    assert status["images"] == {"total": 3, "managed": 2}
    assert status["usage"] == engine.client.used()
    assert status["limits"]["max_total_size"] == 60 * 10**9
    assert status["limits"]["target_total_size"] == 50 * 10**9
    assert status["limits"]["min_free_space"] == 0
    assert status["limits"]["max_unused"] == 28 * 86400
    assert status["last_collection"]["removed"] == 0
    assert status["last_collection"]["after"] == engine.client.used()
    wait = parse_time(status["next_collection"]) - time.time_ns()
    assert 3500 * 10**9 < wait < 3601 * 10**9
    assert status["errors"] == []
    assert status["unobserved"] >= 0
    assert status["engine"]["id"] == daemon.stop().content["engine_id"]


def test_b19_status_without_an_engine(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE).start()
    made.wait_status("Waiting")
    status = made.control.get("/v1/status")
    assert status["state"] == "waiting"
    assert status["engine"]["host"] == NOWHERE
    assert status["engine"]["version"] is None
    assert status["images"]["total"] == 0
    for method, path in (("GET", "/v1/images"), ("GET", "/v1/plan"), ("GET", "/v1/images/x"),
                         ("POST", "/v1/gc"), ("POST", "/v1/track")):
        reply = made.control.call(method, path)
        assert reply.status == 503
        assert "waiting for Docker Engine" in reply.message


def test_b33_status_tells_errors_that_persist(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    daemon.config_path.write_text("gc: { oops = 1; };")
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("configuration not reloaded")
    error, = daemon.control.get("/v1/status")["errors"]
    assert "unknown key gc.oops" in error


@pytest.mark.needs("load-names")
def test_b40_every_image_in_the_order_of_eviction(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB", "max_unused": "4w"})
    old, new = two_pulled(daemon, engine)
    mine = loaded(engine, "mine:1", 5000)
    container = engine.client.create(new.reference)
    daemon.fence()
    know_sizes(daemon, engine)
    images = daemon.control.get("/v1/images")["images"]
    assert [each["id"] for each in images] == [old.id, mine.id, new.id]
    first, second, last = images
    assert first == {
        "id": old.id, "references": [old.reference], "origin": "pulled", "managed": True,
        "last_used": first["last_used"], "first_seen": first["first_seen"],
        "size": taken(engine, old), "unique_size": MB if engine.store == "graph driver" else None,
        "in_use": False, "verdict": "keep", "reason": "within-limits",
    }
    assert parse_time(first["last_used"]) == daemon.stop().last_used(old.id)
    assert (second["origin"], second["managed"], second["reason"]) == ("loaded", False,
                                                                       "unmanaged")
    assert (last["in_use"], last["reason"]) == (True, "in-use")
    engine.client.remove_container(container)


@pytest.mark.needs("usage")
def test_b40_one_image_by_any_name(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB", "max_unused": "4w"})
    old, new = two_pulled(daemon, engine)
    know_sizes(daemon, engine)
    for name in (new.reference, new.id, new.id.removeprefix("sha256:"), new.id[7:19]):
        shown = daemon.control.image(name)
        assert shown["id"] == new.id
        assert shown["ahead"] == 1
        assert shown["explanation"].endswith(" of 28d; 1 before it; goes above 60GB")
    # A slash need not be escaped.
    assert daemon.control.get(f"/v1/images/{old.reference}")["id"] == old.id
    reply = daemon.control.call("GET", "/v1/images/nobody:1")
    assert reply.status == 404
    assert reply.message == "no such image: nobody:1"


@pytest.mark.needs("usage")
@pytest.mark.parametrize("enabled", [True, False])
def test_b34_the_plan_is_what_a_collection_does(watch: Watch, engine: Engine,
                                                enabled: bool) -> None:
    daemon = watch(engine, {"enabled": enabled})
    old, new = two_pulled(daemon, engine)
    know_sizes(daemon, engine)
    reload(daemon, max_total_size=limit_for(engine, 1.5), max_removals="1")
    daemon.wait(lambda: daemon.status.endswith("1h") or "tracking" in daemon.status, "reloaded")
    if enabled:
        daemon.wait(lambda: present(engine, old) == [False], "the collection after the reload")
        return
    plan = daemon.control.get("/v1/plan")
    assert plan == daemon.control.post("/v1/gc", dry_run=1)
    assert plan["enabled"] is False
    assert (plan["before"], plan["after"]) == (taken(engine, old, new), taken(engine, new))
    assert plan["target"] == room_for(engine, 1.5)
    assert plan["exact"] is (engine.store == "graph driver")
    removed, = plan["remove"]
    assert removed == {"id": old.id, "references": [old.reference], "reason": "over-size",
                       "last_used": removed["last_used"], "reclaims": taken(engine, old)}
    assert plan["keep"] == [{"id": new.id, "references": [new.reference],
                             "reason": "within-limits"}]
    assert all(present(engine, old, new))


@pytest.mark.needs("usage")
def test_history(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    old, new = two_pulled(daemon, engine)
    know_sizes(daemon, engine)
    assert daemon.control.get("/v1/history") == {"history": []}
    size = taken(engine, old)
    reload(daemon, max_total_size=limit_for(engine, 1.5))
    daemon.wait_log("^info: removed ")
    daemon.fence()
    entry, = daemon.control.get("/v1/history")["history"]
    assert entry == {"time": entry["time"], "id": old.id, "references": [old.reference],
                     "reason": "over-size", "bytes": size, "outcome": "removed"}
    assert abs(parse_time(entry["time"]) - time.time_ns()) < 60 * 10**9


def test_b31_history_tells_of_what_would_not_go(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    old, _ = two_pulled(daemon, scripted)
    scripted.script("DELETE", "*", faults.reply(409, {"message": "no, thanks"}), times=1)
    reload(daemon, max_total_size="1.5MB")
    daemon.fence()
    entries = daemon.control.get("/v1/history")["history"]
    assert entries[0]["id"] == old.id
    assert "no, thanks" in entries[0]["outcome"]


# What is told to do

@pytest.mark.needs("usage")
def test_gc_and_waiting_for_it(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB"})
    old, new = two_pulled(daemon, engine)
    assert daemon.control.call("POST", "/v1/gc").status == 202
    daemon.fence()
    outcome = daemon.control.post("/v1/gc", wait=1)
    assert (outcome["removed"], outcome["failed"]) == (0, 0)
    assert outcome["before"] == outcome["after"] == taken(engine, old, new)
    daemon.stop()
    daemon.configure({"gc": {"enabled": False, "max_total_size": "1"}})
    daemon.start().wait_watching()
    reply = daemon.control.call("POST", "/v1/gc", {"wait": 1})
    assert reply.status == 409
    assert "enabled" in reply.message
    assert all(present(engine, old, new))


def test_b20_several_wait_for_a_collection_under_way(watch: Watch,
                                                     scripted: ScriptedEngine) -> None:
    """Each gets the outcome of one that began after it asked."""
    daemon = watch(scripted, {"max_total_size": "1.5MB", "grace": "1h"})
    two_pulled(daemon, scripted)
    release = threading.Event()
    scripted.script("GET", "/system/df", faults.hang(release), times=1)
    outcomes: list[Any] = []
    threads = [threading.Thread(target=lambda: outcomes.append(
        daemon.control.post("/v1/gc", wait=1))) for _ in range(3)]
    scripted.forget_requests()
    daemon.signal(signal.SIGUSR1)
    daemon.wait(lambda: scripted.requests("GET", "/system/df"), "the first one")
    assert daemon.control.get("/v1/status")["state"] == "collecting"
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    assert outcomes == []
    release.set()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 3
    assert len({outcome["time"] for outcome in outcomes}) == 1
    assert len(scripted.requests("GET", "/system/df")) == 2


def test_b19_who_waits_is_told_that_the_engine_has_gone(watch: Watch,
                                                        scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_total_size": "1.5MB"})
    hanging = threading.Event()
    scripted.script("GET", "/system/df", faults.hang(hanging))
    replies: list[Any] = []
    thread = threading.Thread(target=lambda: replies.append(
        daemon.control.call("POST", "/v1/gc", {"wait": 1})))
    thread.start()
    daemon.wait(lambda: daemon.control.get("/v1/status")["state"] == "collecting", "it collects")
    scripted.stop()
    hanging.set()
    thread.join()
    assert replies[0].status in (200, 503)
    scripted.start()


def test_b9_track_and_forget(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    managed, mine = pulled(engine, "app"), loaded(engine, "mine:1")
    daemon.fence()
    absent = f"{engine.registry}/later:1"
    before = daemon.control.image(managed.reference)["last_used"]
    assert tell(daemon, "track", managed.reference, "mine:1", absent) == [
        (managed.reference, "touched"), ("mine:1", "present"), (absent, "tracked")]
    assert daemon.control.image(managed.reference)["last_used"] > before
    assert not daemon.control.image("mine:1")["managed"]
    assert tell(daemon, "forget", managed.reference, "nobody:1") == [
        (managed.reference, "forgotten"), ("nobody:1", "unknown")]
    assert not daemon.control.image(managed.reference)["managed"]
    later = pulled(engine, "later")
    daemon.fence()
    assert daemon.control.image(later.id)["managed"]
    cache = daemon.stop()
    assert not cache.managed(managed.id) and cache.managed(later.id)
    assert not cache.managed(mine.id)
    daemon.start().wait_watching()
    assert not daemon.control.image(managed.reference)["managed"]
    assert tell(daemon, "track", managed.reference) == [(managed.reference, "tracked")]
    assert daemon.control.image(managed.reference)["managed"]


def test_b9_who_has_the_name_by_now_is_forgotten(watch: Watch, engine: Engine) -> None:
    """Whoever says it right after a pull can be faster than the pull's event."""
    daemon = watch(engine)
    old, new = pulled(engine, "app"), image("new")
    daemon.fence()
    engine.push(old.reference, new)
    with engine.log.late() if isinstance(engine, ScriptedEngine) else contextlib.nullcontext():
        engine.client.pull(old.reference)
        assert tell(daemon, "forget", old.reference) == [(old.reference, "forgotten")]
    daemon.fence()
    cache = daemon.stop()
    assert not cache.managed(new.id)


def test_b9_what_is_forgotten_during_a_removal_does_not_go_next(watch: Watch,
                                                                scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_unused": "1s", "interval": "1s"})
    going, left = pulled(scripted, "app"), pulled(scripted, "other")
    release = threading.Event()
    scripted.script("DELETE", "/images/*", faults.hang(release), times=1)
    daemon.wait(lambda: scripted.requests("DELETE"), "a removal")
    assert tell(daemon, "forget", left.reference) == [(left.reference, "forgotten")]
    release.set()
    daemon.fence()
    assert present(scripted, going, left) == [False, True]


def test_b19_what_is_forgotten_as_the_engine_goes_away_stays_so(watch: Watch,
                                                                scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    app = pulled(scripted, "app")
    daemon.fence()
    hanging = threading.Event()
    asked = scripted.script("GET", f"/images/{app.reference}/json", faults.hang(hanging), times=1)
    thread, told = forgetting(daemon, app.reference)
    daemon.wait(lambda: asked.times == 0, "the question")
    scripted.stop()
    hanging.set()
    thread.join()
    assert told == [(app.reference, "forgotten")]
    scripted.start()
    daemon.wait_watching()
    assert not daemon.control.image(app.id)["managed"]


@pytest.mark.needs("usage")
def test_pause_and_resume(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": limit_for(engine, 1.5), "settle": "50ms"})
    answer = daemon.control.post("/v1/pause", **{"for": "2h"})
    until = parse_time(answer["paused_until"])
    assert abs(until - time.time_ns() - 7200 * 10**9) < 10 * 10**9
    shown = f"paused until {answer['paused_until'][:19]}Z"
    daemon.wait(lambda: shown in daemon.status, "STATUS tells")
    old, new = pulled(engine, "old"), pulled(engine, "new")
    reply = daemon.control.call("POST", "/v1/gc")
    assert reply.status == 409 and "paused" in reply.message
    daemon.signal(signal.SIGUSR1)
    daemon.wait_log("^warning: not now: paused")
    time.sleep(0.5)
    assert all(present(engine, old, new))
    assert daemon.control.get("/v1/status")["next_collection"] is None
    assert daemon.control.post("/v1/resume") == {"paused_until": None}
    daemon.wait(lambda: present(engine, old, new) == [False, True], "what was due")


@pytest.mark.needs("usage")
def test_a_pause_ends_by_itself_and_with_the_daemon(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": limit_for(engine, 1.5), "settle": "50ms"})
    daemon.control.post("/v1/pause", **{"for": "1500ms"})
    old, new = pulled(engine, "old"), pulled(engine, "new")
    daemon.wait(lambda: present(engine, old, new) == [False, True], "after the pause")
    assert daemon.control.post("/v1/pause") == {"paused_until": "forever"}
    daemon.wait(lambda: daemon.status.endswith("; paused"), "STATUS tells")
    daemon.stop()
    daemon.start().wait_watching()
    assert daemon.control.get("/v1/status")["paused_until"] is None


# What is refused

@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/", 404), ("GET", "/v1", 404), ("GET", "/v1/nothing", 404), ("GET", "/v1/images/", 404),
    ("GET", "/v2/status", 404), ("GET", "/v1/status/", 404),
    ("POST", "/v1/status", 405), ("DELETE", "/v1/images", 405), ("GET", "/v1/gc", 405),
    ("PUT", "/v1/track", 405), ("PATCH", "/v1/plan", 405), ("OPTIONS", "/v1/status", 405),
    ("GET", "/v1/images/a%00b", 400), ("GET", "/v1/images/a%ffb", 400),
    ("POST", "/v1/pause?for=%ff", 400), ("POST", "/v1/pause?for=soon", 400),
    ("POST", "/v1/pause?for=0", 400), ("POST", "/v1/pause?for=-1h", 400),
    ("POST", "/v1/pause?for=", 400),
])
def test_what_makes_no_sense(watch: Watch, scripted: ScriptedEngine, method: str, path: str,
                             status: int) -> None:
    daemon = watch(scripted)
    reply = daemon.control.call(method, path)
    assert reply.status == status
    assert reply.message
    assert daemon.control.get("/v1/status")["state"] == "watching"


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"{}", b'{"images": "a"}', b'{"images": [1]}', b'{"images": [null]}',
    b'{"images": ["a", ""]}', b'{"images": ["UPPER CASE"]}', b'{"images": ["a:b:c:d"]}',
    b'{"images": ["a"]} trailing', b"\x00", b'{"images": ["a\\u0000b"]}', b"[" * 100_000,
], ids=lambda body: repr(body[:20]))
def test_bodies_that_make_no_sense(watch: Watch, scripted: ScriptedEngine, body: bytes) -> None:
    daemon = watch(scripted)
    for path in "/v1/track", "/v1/forget":
        reply = daemon.control.call("POST", path, body=body)
        assert reply.status == 400
        assert reply.message
    assert daemon.stop().content["tracked"] == []


def test_a_body_that_is_too_large(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    head = b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n"
    assert b" 413 " in daemon.control.raw(head).splitlines()[0]
    full = json.dumps({"images": ["a:1"]}).encode().ljust(1 << 20)
    assert daemon.control.call("POST", "/v1/track", body=full).status == 200


@pytest.mark.parametrize("data", [
    b"", b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"GET /v1/status\r\n\r\n",
    b"GET /v1/status HTTP/9.9\r\n\r\n", b"BREW /v1/status HTTP/1.1\r\n\r\n",
    b"GET http://elsewhere/v1/status HTTP/1.1\r\n\r\n", b"GET /%zz HTTP/1.1\r\n\r\n",
    b"GET /v1/status?a=%zz&&&=&b HTTP/1.1\r\nConnection: close\r\n\r\n",
    b"GET /v1/status HTTP/1.1\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET /v1/status HTTP/1.1\r\n" + b"X: a\r\n" * 10_000 + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"POST /v1/track HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/track HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /v1/track HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /v1/track HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    b"\x16\x03\x01\x00\xa5\x01", b"\x00" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
], ids=lambda data: repr(data[:30]))
def test_http_that_is_none(watch: Watch, scripted: ScriptedEngine, data: bytes) -> None:
    """Answered with 4xx or closed, and the daemon watches on."""
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    answer = daemon.control.raw(data)
    assert not answer or answer.split()[1][:1] in (b"2", b"4", b"5")
    when = used(scripted, image.reference)
    daemon.fence()
    assert daemon.stop().last_used(image.id) == when


def test_b37_clients_that_are_slow_delay_nobody(watch: Watch, scripted: ScriptedEngine) -> None:
    """They hold connections open, half a request sent, or take no answer."""
    daemon = watch(scripted, {"max_total_size": "1.5MB", "settle": "50ms"})
    slow = []
    for data in (b"", b"GET /v1/sta", b"POST /v1/track HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
                 b"GET /v1/images HTTP/1.1\r\n\r\n" * 200) * 10:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(daemon.control.path))
        connection.send(data)
        slow.append(connection)
    old, new = pulled(scripted, "old"), pulled(scripted, "new")
    daemon.wait(lambda: present(scripted, old, new) == [False, True], "a collection")
    daemon.wait(lambda: daemon.control.get("/v1/status")["images"]["total"] == 1, "its end")
    for connection in slow:
        connection.close()
    daemon.wait(lambda: daemon.control.get("/v1/status")["state"] == "watching", "its rest")


def test_a_client_that_does_not_wait_to_the_end(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_total_size": "1.5MB"})
    release = threading.Event()
    scripted.script("GET", "/system/df", faults.hang(release), times=1)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(daemon.control.path))
        connection.send(b"POST /v1/gc?wait=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        daemon.wait(lambda: daemon.control.get("/v1/status")["state"] == "collecting", "it waits")
    release.set()
    daemon.fence()
    daemon.wait(lambda: daemon.control.get("/v1/status")["state"] == "watching", "its rest")


# The socket

def test_the_socket_is_for_its_owner_alone_and_goes_with_the_daemon(
        watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    path = daemon.control.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    daemon.stop()
    assert not path.exists()


def test_one_that_a_killed_daemon_left_is_replaced(watch: Watch,
                                                   scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    daemon.kill()
    assert daemon.control.path.exists()
    daemon.start().wait_watching()
    assert daemon.control.get("/v1/status")["state"] == "watching"


@pytest.mark.parametrize("kind", ["live", "file", "directory"])
def test_what_is_not_ours_is_left_alone(daemon: MakeDaemon, scripted: ScriptedEngine,
                                        kind: str) -> None:
    """And images are collected all the same: told, in STATUS as well."""
    made = daemon(scripted)
    path = made.control.path
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as other:
        if kind == "live":
            other.bind(str(path))
            other.listen()
        elif kind == "file":
            path.write_text("precious")
        else:
            path.mkdir()
        made.start().wait_watching()
        made.wait_log(r"^error: no control socket: ")
        made.wait(lambda: "no control socket" in made.status, "STATUS tells")
        made.stop()
        assert path.exists()


@pytest.mark.parametrize("where", ["configured", "service", "too long"])
def test_where_it_is(daemon: MakeDaemon, scripted: ScriptedEngine, directory: Path,
                     where: str) -> None:
    path = directory / "elsewhere" / "gc.sock"
    environment, settings = {}, {}
    if where == "configured":
        settings = {"control": {"socket": str(path)}}
    elif where == "service":
        path = directory / "elsewhere" / "control.sock"
        environment = {"RUNTIME_DIRECTORY": f"{path.parent}:/nonexistent"}
    else:
        path = directory / ("x" * 120)
        settings = {"control": {"socket": str(path)}}
    made = daemon(scripted, settings, environment=environment)
    made.start().wait_watching()
    if where == "too long":
        made.wait_log("^error: no control socket: .*longer than a socket's path may be")
    else:
        assert ControlClient(path).get("/v1/status")["state"] == "watching"
        assert not made.control.path.exists()


def test_no_descriptor_is_left(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    daemon.control.get("/v1/status")

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{daemon.pid}/fd"))

    before = descriptors()
    for _ in range(300):
        daemon.control.get("/v1/status")
        daemon.control.call("GET", "/nothing")
    daemon.wait(lambda: descriptors() <= before, "all are closed")
