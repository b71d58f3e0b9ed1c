"""BuildKit's cache, pruned by the engine within limits: age and size, off by default (B34)."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

import faults
from daemon import Daemon
from engine_model import CacheRecord
from images import MB
from real_engine import RealEngine
from scenes import present, pulled, wait_until
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

DAY = 86400.0


def watch_cache(daemon: MakeDaemon, engine: Any, **limits: str) -> Daemon:
    made = daemon(engine, {"build_cache": limits})
    return made.start().wait_watching()


def fill(engine: ScriptedEngine) -> None:
    """By age: 1 MB each of a, b, c; d is in use and e shared."""
    now = time.time_ns()
    for number, name in enumerate("abcde"):
        used = now - int((5 - number) * DAY * 10**9)
        engine.model.build_cache.append(
            CacheRecord(name, MB, used, in_use=name == "d", shared=name == "e"))


def left(engine: ScriptedEngine) -> str:
    return "".join(each.id for each in engine.model.build_cache)


def pruned(daemon: Daemon) -> list[tuple[str, str]]:
    return re.findall(r"^info: pruned build cache: (\S+), (\d+) records?, freed \S+$",
                      daemon.log, re.MULTILINE)


@pytest.mark.parametrize(("limits", "remains", "said"), [
    ({}, "abcde", []),
    ({"max_unused": "10d"}, "abcde", []),
    ({"max_unused": "84h"}, "cde", [("unused", "2")]),
    ({"max_total_size": "4MB"}, "abcde", []),
    ({"max_total_size": "2500kB"}, "cde", [("over-size", "2")]),
    ({"max_unused": "108h", "max_total_size": "2500kB"}, "cde", [("unused", "1"),
                                                                ("over-size", "1")]),
], ids=str)
def test_within_limits(daemon: MakeDaemon, scripted: ScriptedEngine, limits: dict[str, str],
                       remains: str, said: list[tuple[str, str]]) -> None:
    fill(scripted)
    made = watch_cache(daemon, scripted, **limits)
    made.fence()
    assert left(scripted) == remains
    assert pruned(made) == said
    assert len(scripted.requests("POST", "/build/prune")) == len(said)


@pytest.mark.parametrize("api", ["1.39", "1.41", "1.43", "1.47", "1.48", "1.51", "1.55"])
def test_every_version_keeps_what_is_within_the_limit(
        daemon: MakeDaemon, scripted_engine: Callable[..., ScriptedEngine], api: str) -> None:
    """What an engine ignores would cost all of the cache."""
    engine = scripted_engine(api_max=api)
    fill(engine)
    made = watch_cache(daemon, engine, max_total_size="2500kB")
    made.fence()
    assert left(engine) == "cde"


@pytest.mark.parametrize("api", ["1.24", "1.38"])
def test_where_limits_are_ignored_it_is_left_alone(
        daemon: MakeDaemon, scripted_engine: Callable[..., ScriptedEngine], api: str) -> None:
    engine = scripted_engine(api_max=api)
    fill(engine)
    made = watch_cache(daemon, engine, max_total_size="1", max_unused="1h")
    made.fence()
    assert left(engine) == "abcde"
    assert len(re.findall("^warning: build_cache: this engine cannot", made.log, re.MULTILINE)) == 1


@pytest.mark.parametrize("gc", [{"dry_run": True}, {"enabled": False}], ids=str)
def test_b34_a_dry_run_says_it_and_prunes_nothing(daemon: MakeDaemon, scripted: ScriptedEngine,
                                                  gc: dict[str, bool]) -> None:
    fill(scripted)
    made = daemon(scripted, {"gc": gc, "build_cache": {"max_unused": "108h",
                                                       "max_total_size": "2500kB"}})
    made.start().wait_watching().collect()
    made.wait_log(r"^info: would prune build cache: unused, 1 record, frees up to 1MB$")
    made.wait_log(r"^info: would prune build cache: over-size, frees up to 500kB$")
    assert left(scripted) == "abcde"
    assert not scripted.requests("POST", "*")


@pytest.mark.parametrize("fault", [faults.reply(500, {"message": "boom"}), faults.truncate(5),
                                   faults.reply(200, b"{}")], ids=["500", "cut", "nonsense"])
def test_b31_a_prune_that_fails(daemon: MakeDaemon, scripted: ScriptedEngine,
                                fault: faults.Fault) -> None:
    """Told, and tried again a little later."""
    fill(scripted)
    scripted.script("POST", "/build/prune", fault, times=1)
    made = watch_cache(daemon, scripted, max_total_size="2500kB")
    made.wait_log(r"^error: build cache not pruned: POST /v1.41/build/prune")
    made.wait(lambda: left(scripted) == "cde", "the next try")
    # What is there is known: no list for that.
    assert len(scripted.requests("GET", "/images/json")) == 1


def test_one_that_somebody_else_prunes_already(daemon: MakeDaemon,
                                               scripted: ScriptedEngine) -> None:
    fill(scripted)
    scripted.script("POST", "/build/prune",
                    faults.reply(409, {"message": "a prune operation is already running"}))
    made = watch_cache(daemon, scripted, max_total_size="2500kB")
    made.wait_log(r"^debug: build cache: .*already running")
    made.wait_log(r"^\w+: collection finished")
    assert "error" not in made.log


@pytest.mark.parametrize("what", [{"Size": -1}, {"Size": "1MB"}, {"CreatedAt": 5,
                                                                  "LastUsedAt": "soon"}], ids=str)
def test_b32_a_cache_that_makes_no_sense_is_left_alone(
        daemon: MakeDaemon, scripted: ScriptedEngine, what: dict[str, Any]) -> None:
    """And the images are collected all the same."""
    fill(scripted)
    broken = scripted.model.build_cache[0].summary() | what

    def df(exchange: faults.Exchange) -> None:
        answer = json.loads(exchange.handle().body)
        answer["BuildCache"][0] = broken
        faults.reply(200, answer)(exchange)

    scripted.script("GET", "/system/df", df)
    made = daemon(scripted, {"gc": {"max_total_size": "1"}, "build_cache": {"max_unused": "1h"}})
    made.start().wait_watching()
    image = pulled(scripted, "app")
    made.wait(lambda: image.id not in scripted.client.image_ids(everything=True), "its removal")
    made.fence()
    assert left(scripted) == "abcde"
    assert "build cache: " in made.log


@pytest.mark.needs("buildkit")
def test_what_images_leave_goes_after_them(daemon: MakeDaemon, real: RealEngine) -> None:
    """Layers of a removed image stay in the cache of a real BuildKit, until it is pruned.

    From 26 on what was used within the last second counts as used, whatever is asked for.
    """
    real.client.prune_builds()
    real.client.build_buildkit("FROM scratch\nCOPY content /\n", {"content": os.urandom(MB)},
                               "app:1")
    made = daemon(real, {"images": {"manage": ["existing", "built"]}})
    made.start().wait_watching()
    real.client.remove_container(real.client.create("app:1"))
    made.fence()

    def private() -> int:
        return sum(each["Size"] for each in real.client.df()["BuildCache"] or []
                   if not each["Shared"])

    begin = private()
    assert begin >= MB  # its context
    made.configure({"gc": {"max_total_size": "1"}})
    made.signal(signal.SIGHUP)
    made.wait_log(r"^info: removed app:1")
    made.fence()
    assert not real.client.images(everything=True)
    assert private() >= begin + MB
    made.configure({"build_cache": {"max_total_size": "1500kB"}})
    made.signal(signal.SIGHUP)
    made.wait_log(r"^info: pruned build cache: over-size, ")
    made.fence()
    assert private() <= 1.5 * MB
    wait_until(time.monotonic() + 1.2, made)
    made.configure({"build_cache": {"max_unused": "1ms"}})
    made.signal(signal.SIGHUP)
    made.wait_log(r"^info: pruned build cache: unused, ")
    assert private() == 0


@pytest.mark.needs("buildkit")
def test_b25_the_cache_is_not_the_images(daemon: MakeDaemon, real: RealEngine) -> None:
    """It alone is above the limit, which the images are far below: none of them goes."""
    made = daemon(real, {"gc": {"max_total_size": "9MB"}}).start().wait_watching()
    images = [pulled(real, name) for name in ("one", "two")]
    for number in range(4):
        built = real.client.build_buildkit("FROM scratch\nCOPY f /f\n",
                                           {"f": os.urandom(3 * MB)}, f"built:{number}")
        real.client.remove_image(f"built:{number}")
        assert built not in real.client.image_ids(everything=True)
    made.fence()
    held = sum(each["Size"] for each in real.client.df()["BuildCache"])
    assert held > 12 * MB and present(real, *images) == [True, True]
    assert 2 * MB <= made.control.get("/v1/status")["usage"] < 9 * MB
