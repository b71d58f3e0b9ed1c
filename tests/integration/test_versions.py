"""API versions: negotiation, and what each of them makes different."""

from __future__ import annotations

import re
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
          ("1.24", "1.51"), ("1.44", "1.52"), ("1.40", "1.55"), ("1.24", "1.24"),
          ("1.44", "1.44"), ("1.55", "1.60")]
"""Lowest and highest, of Docker 1.12, 20.10, 24, 26, 28.5, early 29, 29.7; then of engines that
speak one version only, and of one from a later year."""
MEASURED = [each for each in RANGES if each[1] != "1.24"]
NEWEST = "1.55"
"""What dockergcd knows."""


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_every_range_of_versions_is_spoken(watch: Watch, scripted_engine: MakeEngine, low: str,
                                           high: str) -> None:
    engine = scripted_engine(api_min=low, api_max=high)
    daemon = watch(engine)
    image = pulled(engine, "app")
    when = used(engine, image.reference)
    daemon.fence()
    wanted = min(high, NEWEST, key=parse_version)
    assert {each.version for each in engine.requests()} == {"", wanted}
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


@pytest.mark.parametrize(("low", "high"), MEASURED)
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


@pytest.mark.parametrize(("pinned", "error"), [
    ("nonsense", 'DOCKER_API_VERSION is "nonsense", which is no version'),
    ("1.", 'DOCKER_API_VERSION is "1.", which is no version'),
    ("1.23", "DOCKER_API_VERSION is 1.23, dockergcd speaks 1.24 to 1.55"),
    ("1.60", "DOCKER_API_VERSION is 1.60, dockergcd speaks 1.24 to 1.55"),
    # What we know, and this engine does not.
    ("1.40", "400 client version 1.40 is too old. Minimum supported API version is 1.44"),
    ("1.55", "400 client version 1.55 is too new. Maximum supported API version is 1.54"),
])
def test_a_pinned_version_that_does_not_do(daemon: MakeDaemon, scripted_engine: MakeEngine,
                                           pinned: str, error: str) -> None:
    engine = scripted_engine(api_min="1.44", api_max="1.54")
    made = daemon(engine, environment={"DOCKER_API_VERSION": pinned}).start()
    made.wait_log(re.escape(error))
    made.wait(lambda: len(engine.requests("GET", "/_ping")) > 1, "another attempt")
    assert not engine.requests("GET", "/images/json")
    assert made.alive


NONSENSE = {
    "no-digits": ("1.24", "abc"), "no-minor": ("1.24", "1"),
    "too-large": ("1.24", "999999999999.1"), "half": ("1.24", "1."),
    "empty": ("1.24", ""), "min-nonsense": ("old", "1.41"), "upside-down": ("1.50", "1.41"),
}


def version_body(low: str, high: str) -> dict[str, str]:
    return {"Version": "20.10.24", "ApiVersion": high, "MinAPIVersion": low}


@pytest.mark.parametrize(("low", "high"), NONSENSE.values(), ids=list(NONSENSE))
def test_versions_that_make_no_sense_are_told_until_they_do(
        daemon: MakeDaemon, scripted: ScriptedEngine, low: str, high: str) -> None:
    wrong = scripted.script("GET", "/version", faults.reply(200, version_body(low, high)))
    made = daemon(scripted).start()
    made.wait_log(re.escape(f'API versions make no sense: "{low}" to "{high}"'))
    assert not {each.version for each in scripted.requests()} - {""}
    wrong.remove()
    made.wait_watching()


def ping(header: str | None) -> faults.Fault:
    """An answer to /_ping with that Api-Version; None: without."""
    return faults.reply(200, b"OK", {} if header is None else {"Api-Version": header})


@pytest.mark.parametrize("header", [None, "", "abc", "1.", "1.99"])
def test_the_header_matters_only_where_version_is_hidden(
        daemon: MakeDaemon, scripted: ScriptedEngine, header: str | None) -> None:
    scripted.script("GET", "/_ping", ping(header))
    daemon(scripted).start().wait_watching()
    assert {each.version for each in scripted.requests()} == {"", "1.41"}


@pytest.mark.parametrize(("header", "error"), [
    (None, "/version: 403 no"), ("", "make no sense"), ("abc", 'make no sense: "" to "abc"'),
    ("1.23", "the engine speaks API 1.23, dockergcd 1.24 to 1.55: one of them is too old"),
])
def test_a_hidden_version_and_a_header_that_does_not_help(
        daemon: MakeDaemon, scripted: ScriptedEngine, header: str | None, error: str) -> None:
    hidden = scripted.script("GET", "/version", faults.reply(403, b"no"))
    scripted.script("GET", "/_ping", ping(header))
    made = daemon(scripted).start()
    made.wait_log(re.escape(error))
    hidden.remove()
    made.wait_watching()


def test_a_version_without_api_version_is_an_error(daemon: MakeDaemon,
                                                   scripted: ScriptedEngine) -> None:
    wrong = scripted.script("GET", "/version", faults.reply(200, {"Version": "20.10.24"}))
    made = daemon(scripted).start()
    made.wait_log("/version: ApiVersion is missing")
    wrong.remove()
    made.wait_watching()


@pytest.mark.parametrize(("low", "high"), [("1.12", "1.23"), ("1.56", "1.60")],
                         ids=["too-old", "too-new"])
def test_an_engine_of_another_age_is_waited_for(daemon: MakeDaemon, scripted_engine: MakeEngine,
                                                low: str, high: str) -> None:
    """It is told, and the daemon is there when another version of it is."""
    engine = scripted_engine(api_min=low, api_max=high)
    made = daemon(engine).start()
    made.wait_log(f"the engine speaks API {low} to {high}, dockergcd 1.24 to 1.55")
    engine.upgrade("1.40", "1.55")
    made.wait_watching()
    image = pulled(engine, "app")
    made.fence()
    assert made.stop().origin(image.id) == "pulled"


@pytest.mark.parametrize(("low", "high"), [("1.44", "1.52"), ("1.55", "1.60"), ("1.12", "1.24")],
                         ids=["newer", "newer-than-we", "older"])
def test_an_engine_that_comes_back_in_another_version_is_spoken_to_in_that(
        watch: Watch, scripted_engine: MakeEngine, low: str, high: str) -> None:
    engine = scripted_engine(api_min="1.24", api_max="1.43")
    daemon = watch(engine)
    image = pulled(engine, "app")
    daemon.fence()
    engine.forget_requests()
    engine.upgrade(low, high)
    daemon.wait(lambda: engine.requests("GET", "/containers/json"), "lists")
    when = used(engine, image.reference)
    daemon.fence()
    wanted = min(high, NEWEST, key=parse_version)
    # The stream is tried once as it was, in case that the engine never went away.
    assert engine.requests("GET", "/events")[-1].version == wanted
    assert {each.version for each in engine.requests() if each.path != "/events"} == {"", wanted}
    assert daemon.stop().last_used(image.id) == when


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
