"""SIGHUP: every key that can be read again has its effect, and the others say that they need a
restart (B42)."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import faults
from cache import parse_time
from daemon import Daemon
from engine_model import CacheRecord
from images import MB
from scenes import pulled, two_pulled
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

UNHURRIED = {"interval": "1h", "settle": "20ms"}


def reload(daemon: Daemon, settings: dict[str, Any]) -> None:
    daemon.configure(settings)
    begin = daemon.log.count("configuration reloaded")
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: daemon.log.count("configuration reloaded") > begin, "the reload")


def reason(daemon: Daemon, reference: str) -> str:
    return str(daemon.control.image(reference)["reason"])


@pytest.fixture
def watched(watch: Watch, scripted: ScriptedEngine) -> Daemon:
    return watch(scripted, UNHURRIED)


@pytest.mark.parametrize(("key", "value", "bytes_or_seconds"), [
    ("max_unused", "3d", 3 * 86400),
    ("max_total_size", "7GB", 7 * 10**9),
    ("min_free_space", "1MB", 10**6),
])
def test_b42_limits(watched: Daemon, key: str, value: str, bytes_or_seconds: int) -> None:
    assert watched.control.get("/v1/status")["limits"][key] != bytes_or_seconds
    reload(watched, {"gc": {key: value}})
    assert watched.control.get("/v1/status")["limits"][key] == bytes_or_seconds


def test_b42_the_target(watched: Daemon) -> None:
    reload(watched, {"gc": {"max_total_size": "7GB", "target_total_size": "5GB"}})
    assert watched.control.get("/v1/status")["limits"]["target_total_size"] == 5 * 10**9
    reload(watched, {"gc": {"target_total_size": ""}})
    assert watched.control.get("/v1/status")["limits"]["target_total_size"] == 7 * 10**9


def test_b42_enabled(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    """What was only talked about happens."""
    made = daemon(scripted, {"gc": UNHURRIED | {"enabled": False, "max_total_size": "1"}})
    made.start().wait_watching()
    image = pulled(scripted, "app")
    made.fence()
    assert scripted.client.has(image.reference)
    reload(made, {"gc": {"enabled": True}})
    made.wait(lambda: not scripted.client.has(image.reference), "its removal")


def test_b42_dry_run(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    made = daemon(scripted, {"gc": UNHURRIED | {"dry_run": True, "max_total_size": "1"}})
    made.start().wait_watching()
    image = pulled(scripted, "app")
    made.wait_log(r"^info: would remove ")
    assert scripted.client.has(image.reference)
    reload(made, {"gc": {"dry_run": False}})
    made.wait(lambda: not scripted.client.has(image.reference), "its removal")


def test_b42_grace(watched: Daemon, scripted: ScriptedEngine) -> None:
    image = pulled(scripted, "app")
    watched.fence()
    assert reason(watched, image.reference) == "within-limits"
    reload(watched, {"gc": {"grace": "1h"}})
    assert reason(watched, image.reference) == "grace"


def test_b42_interval(watched: Daemon) -> None:
    def due() -> int:
        return int(parse_time(watched.control.get("/v1/status")["next_collection"]))

    reload(watched, {"gc": {"interval": "5h"}})
    watched.wait(lambda: due() > time.time_ns() + 4 * 3600 * 10**9, "the next one in five hours")
    reload(watched, {"gc": {"interval": "100ms"}})
    asked = len(scripted_lists(watched))
    watched.wait(lambda: len(scripted_lists(watched)) > asked + 2, "one collection after another")


def scripted_lists(daemon: Daemon) -> list[str]:
    """What the debug log has of collections."""
    return re.findall(r"^debug: collection finished", daemon.log, re.MULTILINE)


def test_b42_settle(watch: Watch, scripted: ScriptedEngine) -> None:
    made = watch(scripted, {"interval": "1h", "settle": "1h", "max_total_size": "1"})
    image = pulled(scripted, "app")
    made.wait_log(r"^info: new image ")
    assert scripted.client.has(image.reference)
    reload(made, {"gc": {"settle": "10ms"}})
    another = pulled(scripted, "another")
    made.wait(lambda: not scripted.client.has(another.reference), "its removal")


def test_b42_max_removals(watched: Daemon, scripted: ScriptedEngine) -> None:
    two_pulled(watched, scripted)
    reload(watched, {"gc": {"enabled": False, "max_total_size": "1"}})
    assert len(watched.control.get("/v1/plan")["remove"]) == 2
    reload(watched, {"gc": {"max_removals": "1"}})
    assert len(watched.control.get("/v1/plan")["remove"]) == 1


def test_b42_manage(watched: Daemon, scripted: ScriptedEngine) -> None:
    image = pulled(scripted, "app")
    watched.fence()
    assert watched.control.image(image.reference)["managed"] is True
    reload(watched, {"images": {"manage": ["built"]}})
    assert watched.control.image(image.reference)["managed"] is False
    watched.wait(lambda: "0 of 1 images managed" in watched.status, "STATUS")


def test_b42_keep_label(watched: Daemon, scripted: ScriptedEngine) -> None:
    image = pulled(scripted, "app", labels={"precious": "yes"})
    watched.fence()
    assert reason(watched, image.reference) == "within-limits"
    reload(watched, {"images": {"keep_label": "precious"}})
    assert reason(watched, image.reference) == "kept-label"


def test_b42_rules(watched: Daemon, scripted: ScriptedEngine) -> None:
    image = pulled(scripted, "app")
    watched.fence()
    reload(watched, {"images": {"rules": ({"match": "*/app", "keep": True},)}})
    assert reason(watched, image.reference) == "kept-rule"
    reload(watched, {"images": {"rules": ({"match": "*/other", "keep": True},)}})
    assert reason(watched, image.reference) == "within-limits"


@pytest.mark.parametrize("limit", [{"max_unused": "1h"}, {"max_total_size": "1"}], ids=str)
def test_b42_build_cache(watched: Daemon, scripted: ScriptedEngine,
                         limit: dict[str, str]) -> None:
    scripted.model.build_cache.append(
        CacheRecord("old", MB, time.time_ns() - 86400 * 10**9))
    watched.signal(signal.SIGUSR1)
    watched.wait_log(r"^info: collection finished")
    assert scripted.model.build_cache
    reload(watched, {"build_cache": limit})
    watched.wait(lambda: not scripted.model.build_cache, "the prune")


@pytest.fixture
def second(tmp_path: Path) -> Iterator[ScriptedEngine]:
    """Another engine, elsewhere."""
    engine = ScriptedEngine(tmp_path)
    engine.start()
    yield engine
    engine.stop()


def test_b42_engine_host(daemon: MakeDaemon, scripted: ScriptedEngine,
                         second: ScriptedEngine) -> None:
    first = scripted
    made = daemon(first, {"engine": {"host": first.host}}).start().wait_watching()
    image = pulled(second, "app")
    reload(made, {"engine": {"host": second.host}})
    made.wait(lambda: made.status.startswith(f"Watching {second.host} "), "the other engine")
    assert [each["id"] for each in made.control.get("/v1/images")["images"]] == [image.id]
    asked = len(first.requests())
    second.client.remove_image(image.reference)
    made.wait(lambda: made.control.get("/v1/images")["images"] == [], "its events")
    assert len(first.requests()) == asked


def test_b42_request_timeout(watched: Daemon, scripted: ScriptedEngine) -> None:
    scripted.script("GET", "/system/df", faults.hang(threading.Event()))
    reload(watched, {"engine": {"request_timeout": "300ms"}, "gc": {"max_total_size": "1GB"}})
    watched.wait_log(r"^error: disk usage unknown.*[Tt]ime")


def test_b42_connect_timeout(watched: Daemon, scripted: ScriptedEngine) -> None:
    scripted.script("GET", "/_ping", faults.hang(threading.Event()))
    reload(watched, {"engine": {"connect_timeout": "300ms"}})
    watched.wait_log(r"^warning: no engine .*_ping.*[Tt]ime")


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address where nobody says a word: what is wrong with our own files shows all the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("key", ["tls_ca", "tls_cert", "tls_key"])
def test_b42_tls_files(daemon: MakeDaemon, deaf: str, key: str, tmp_path: Path) -> None:
    """Those of the new configuration are looked at, and missed."""
    made = daemon(deaf, {"engine": {"host": deaf, "connect_timeout": "500ms"}})
    made.start().wait_log(r"^warning: no engine .*[Tt]ime")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x",
                    "-keyout", tmp_path / "tls_key", "-out", tmp_path / "tls_cert"],
                   check=True, capture_output=True)
    there = {each: str(tmp_path / each) for each in ("tls_cert", "tls_key")}
    reload(made, {"engine": there | {key: str(tmp_path / "missing")}})
    made.wait_log(rf"^warning: no engine .*{tmp_path}/missing")


def test_b42_tls_verify(daemon: MakeDaemon, deaf: str, tmp_path: Path) -> None:
    """Who does not verify needs no CA."""
    made = daemon(deaf, {"engine": {"host": deaf, "connect_timeout": "500ms",
                                    "tls_ca": str(tmp_path / "missing")}})
    made.start().wait_log(rf"^warning: no engine .*{tmp_path}/missing")
    reload(made, {"engine": {"tls_verify": False}})
    made.wait_log(r"^warning: no engine .*[Tt]ime")


def test_b42_log_level(watched: Daemon) -> None:
    reload(watched, {"log_level": "error"})
    begin = len(watched.log)
    watched.control.post("/v1/gc", wait=1)
    assert watched.log[begin:] == ""
    watched.configure({"log_level": "debug"})
    watched.signal(signal.SIGHUP)
    watched.wait_log(r"^debug: collection finished")


def test_b42_what_needs_a_restart(watched: Daemon, tmp_path: Path) -> None:
    """It is named, and nothing moves before."""
    reload(watched, {"control": {"socket": str(tmp_path / "other.sock")},
                     "cache_file": str(tmp_path / "other.json")})
    watched.wait_log(r"^warning: needs a restart to take effect: control\.socket, cache_file$")
    assert watched.control.get("/v1/status")["state"] == "watching"
    assert not (tmp_path / "other.sock").exists()
    watched.fence()
    assert watched.stop() and watched.cache_path.exists()
    assert not (tmp_path / "other.json").exists()
