"""API versions: negotiation, and what each of them makes different."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import faults
from daemon import Daemon
from scenes import present, pulled, used
from scripted_engine import ScriptedEngine, parse_version

MakeEngine = Callable[..., ScriptedEngine]
Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

RANGES = [("1.12", "1.24"), ("1.12", "1.41"), ("1.12", "1.43"), ("1.24", "1.45"),
          ("1.24", "1.51"), ("1.44", "1.52"), ("1.40", "1.55")]
"""Lowest and highest, of Docker 1.12, 20.10, 24, 26, 28.5, early 29 and 29.7."""


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_every_range_of_versions_is_spoken(watch: Watch, scripted_engine: MakeEngine, low: str,
                                           high: str) -> None:
    engine = scripted_engine(api_min=low, api_max=high)
    daemon = watch(engine)
    image = pulled(engine, "app")
    when = used(engine, image.reference)
    daemon.fence()
    asked = {each.version for each in engine.requests("GET", "/events")} - {""}
    assert asked and all(parse_version(low) <= parse_version(each) <= parse_version(high)
                         for each in asked)
    if high in ("1.24", "1.41", "1.43"):
        assert high in asked
    assert daemon.stop().last_used(image.id) == when


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_age_collects_at_every_version(watch: Watch, scripted_engine: MakeEngine, low: str,
                                       high: str) -> None:
    engine = scripted_engine(api_min=low, api_max=high)
    daemon = watch(engine, {"max_unused": "4w"})
    image = pulled(engine, "app")
    daemon.fence()
    daemon.stop()
    daemon.make_older(5 * 7 * 24 * 3600)
    daemon.start().wait(lambda: present(engine, image) == [False], "its removal")


@pytest.mark.parametrize(("low", "high"), RANGES[1:])
def test_size_collects_wherever_the_engine_measures(watch: Watch, scripted_engine: MakeEngine,
                                                    low: str, high: str) -> None:
    engine = scripted_engine(api_min=low, api_max=high)
    daemon = watch(engine, {"max_total_size": "1.5MB"})
    old, new = pulled(engine, "old"), pulled(engine, "new")
    daemon.wait(lambda: present(engine, old, new) == [False, True], "the old one's removal")


def test_docker_api_version_pins_the_version(daemon: MakeDaemon,
                                             scripted_engine: MakeEngine) -> None:
    engine = scripted_engine(api_min="1.24", api_max="1.51")
    made = daemon(engine, environment={"DOCKER_API_VERSION": "1.40"}).start().wait_watching()
    made.fence()
    asked = {each.version for path in ("/events", "/images/json", "/containers/json")
             for each in engine.requests("GET", path)} - {""}
    assert asked == {"1.40"}


def test_an_engine_too_old_gets_a_clear_error(daemon: MakeDaemon,
                                              scripted_engine: MakeEngine) -> None:
    engine = scripted_engine(api_min="1.12", api_max="1.23")
    done = daemon(engine).run("--foreground", "--once")
    assert done.returncode in (1, 69)
    assert "1.23" in done.stderr


def test_b5_events_without_legacy_keys_of_new_engines(watch: Watch,
                                                      scripted_engine: MakeEngine) -> None:
    engine = scripted_engine(api_min="1.40", api_max="1.55")
    daemon = watch(engine)
    image = pulled(engine, "app")
    when = used(engine, image.reference)
    daemon.fence()
    cache = daemon.stop()
    assert (cache.origin(image.id), cache.last_used(image.id)) == ("pulled", when)


def test_a_version_error_that_is_no_json_is_shown(daemon: MakeDaemon,
                                                  scripted: ScriptedEngine) -> None:
    text = b"client version 1.41 is too old. Minimum supported API version is 1.99, please upgrade"
    for path in "/info", "/images/json", "/events", "/containers/json":
        scripted.script("GET", path, faults.reply(400, text, {"Content-Type": "text/plain"}))
    made = daemon(scripted).start()
    made.wait_log("Minimum supported API version is 1.99")
    assert made.alive
