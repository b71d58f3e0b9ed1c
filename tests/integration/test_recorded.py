"""Answers recorded from engines that cannot be had here: they are understood, and are the measure
of what the scripted engine says in their place.

`tests/recorded/ENGINE/` holds raw answers: info, version, images, containers, system-df, and the
event of a pull. Removals and all other events have tests of their own. Docker 20.10 and 28.5 have graph drivers, 29.7 the containerd image store.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import faults
from daemon import Daemon
from recordings import ENGINES, RECORDED, engine_like, full_id, recorded
from scenes import loaded
from scripted_engine import ScriptedEngine, ServedExchange
from wire import Response

MakeDaemon = Callable[..., Daemon]
MakeEngine = Callable[..., ScriptedEngine]

ANSWERS = {"/images/json": "images", "/containers/json": "containers", "/system/df": "system-df"}


def recorded_engine(make: MakeEngine, name: str) -> ScriptedEngine:
    """A scripted engine that answers every question as the recorded one did."""
    engine = engine_like(make, name)
    for path, answer in ANSWERS.items():
        engine.script("GET", path, faults.reply(200, recorded(name, answer)))
    images = {key: each for each in recorded(name, "images")
              for key in (each["Id"], full_id(each["Id"]), *each["RepoTags"])}

    def inspect(exchange: ServedExchange) -> None:
        asked = exchange.request.path.removeprefix("/images/").removesuffix("/json")
        image = images[asked]
        layers = {"RootFS": {"Type": "layers", "Layers": []}}
        body = {key: image[key] for key in ("Id", "RepoTags", "RepoDigests", "Size")} | layers
        exchange.wire.send(Response(200, json.dumps(body).encode(), faults.JSON))

    engine.script("GET", "/images/*/json", inspect)  # type: ignore[arg-type]
    return engine


@pytest.mark.parametrize("name", ENGINES)
def test_recorded_answers_are_understood(daemon: MakeDaemon, scripted_engine: MakeEngine,
                                         name: str) -> None:
    engine = recorded_engine(scripted_engine, name)
    made = daemon(engine).start().wait_watching()
    assert recorded(name, "version")["Version"] in made.status
    made.fence()
    cache = made.stop()
    assert cache.ids == {full_id(each["Id"]) for each in recorded(name, "images")}
    errors = [line for line in made.log.splitlines() if line.startswith("error: ")]
    # podman 4.3 says that its layers have 0 bytes: that is no size (B25).
    assert all("/system/df" in each for each in errors) and (not errors or "podman" in name)


@pytest.mark.parametrize("name", ENGINES)
def test_a_recorded_pull_makes_the_daemon_look(daemon: MakeDaemon, scripted_engine: MakeEngine,
                                               name: str) -> None:
    """Neither engine tells a pull's image ID in full: the daemon has to ask."""
    engine = recorded_engine(scripted_engine, name)
    made = daemon(engine).start().wait_watching()
    made.fence()
    engine.forget_requests()
    engine.log.inject((RECORDED / name / "events.ndjson").read_bytes())
    made.wait(lambda: engine.requests("GET", "/images/*"), "a question about the image")


@pytest.mark.parametrize("name", [each for each in ENGINES if each.startswith("docker")])
@pytest.mark.parametrize("path", ["/version", "/images/json", "/system/df"])
def test_scripted_answers_have_the_keys_of_recorded_ones(scripted_engine: MakeEngine, name: str,
                                                         path: str) -> None:
    version = recorded(name, "version")
    engine = scripted_engine(api_max=version["ApiVersion"], api_min=version["MinAPIVersion"])
    loaded(engine, "app:1")
    said = engine.client.call("GET", path).json()
    wanted = recorded(name, ANSWERS.get(path, "version"))
    if path == "/images/json":
        said, wanted = said[0], wanted[0]
    assert set(said) <= set(wanted)
    for key in "Images", "ImageUsage":
        if path == "/system/df" and key in wanted:
            one, other = said[key], wanted[key]
            assert set(one[0] if isinstance(one, list) else one) <= set(
                other[0] if isinstance(other, list) else other)
