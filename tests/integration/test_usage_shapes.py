"""What an answer to /system/df looks like, by version, and that each shape decides rightly.

`LayersSize` alone below 1.52, `ImageUsage` beside it from there on, `ImageUsage` alone where an
engine has dropped what it calls legacy. From 29.0 on zeros are left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import faults
from daemon import Daemon
from scenes import present, pulled
from scripted_engine import ScriptedEngine, ServedExchange
from wire import Response

MakeEngine = Callable[..., ScriptedEngine]
Watch = Callable[..., Daemon]
Reshape = Callable[[dict[str, Any]], dict[str, Any]]


def legacy(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if not key.endswith("Usage")}


def usage_alone(answer: dict[str, Any]) -> dict[str, Any]:
    return {"ImageUsage": answer["ImageUsage"]}


def without_size(reshape: Reshape) -> Reshape:
    """The same shape, with everything in it but the size."""
    def reshaped(answer: dict[str, Any]) -> dict[str, Any]:
        shown = reshape(answer)
        shown.pop("LayersSize", None)
        shown.get("ImageUsage", {}).pop("TotalSize", None)
        return shown
    return reshaped


SHAPES: dict[str, tuple[str, Reshape]] = {
    "layers-size": ("1.41", legacy),
    "layers-size-of-images": ("1.51", legacy),
    "both": ("1.55", dict),
    "image-usage": ("1.55", usage_alone),
}
"""The newest API version, and what of an answer the engine shows."""

shapes = pytest.mark.parametrize(("version", "reshape"), SHAPES.values(), ids=list(SHAPES))


def shaped(engine: ScriptedEngine, reshape: Reshape) -> None:
    """From now on the engine shows its usage so."""
    def fault(exchange: ServedExchange) -> None:
        answer = json.loads(exchange.handle().body)  # type: ignore[arg-type]
        exchange.wire.send(Response(200, json.dumps(reshape(answer)).encode(), faults.JSON))

    engine.script("GET", "/system/df", fault)  # type: ignore[arg-type]


def limited(watch: Watch, engine: ScriptedEngine) -> Daemon:
    """A daemon that has room for three images of 1 MB each."""
    return watch(engine, {"max_total_size": "3.5MB"})


@shapes
def test_b25_every_shape_decides_how_much_goes(watch: Watch, scripted_engine: MakeEngine,
                                               version: str, reshape: Reshape) -> None:
    engine = scripted_engine(api_max=version)
    shaped(engine, reshape)
    daemon = limited(watch, engine)
    images = [pulled(engine, f"app{number}") for number in range(3)]
    daemon.fence()
    assert present(engine, *images) == [True] * 3
    images += [pulled(engine, f"more{number}") for number in range(2)]
    daemon.wait(lambda: present(engine, *images) == [False] * 2 + [True] * 3, "the oldest two gone")
    daemon.fence()
    assert present(engine, *images) == [False] * 2 + [True] * 3
    assert daemon.control.get("/v1/status")["usage"] == 3 * 10**6


@shapes
def test_b25_a_shape_without_its_size_removes_nothing(watch: Watch, scripted_engine: MakeEngine,
                                                      version: str, reshape: Reshape) -> None:
    engine = scripted_engine(api_max=version)
    images = [pulled(engine, f"app{number}") for number in range(5)]
    shaped(engine, without_size(reshape))
    daemon = limited(watch, engine)
    missing = "TotalSize" if version == "1.55" else "LayersSize"
    daemon.wait_log(rf"^(error|warning): .*/system/df.*{missing} is missing")
    daemon.fence()
    assert present(engine, *images) == [True] * 5
    assert daemon.control.get("/v1/status")["usage"] is None


@shapes
def test_b25_an_engine_without_images_uses_nothing(watch: Watch, scripted_engine: MakeEngine,
                                                   version: str, reshape: Reshape) -> None:
    engine = scripted_engine(api_max=version)
    shaped(engine, reshape)
    daemon = limited(watch, engine)
    daemon.fence()
    assert "/system/df:" not in daemon.log
    assert daemon.control.get("/v1/status")["usage"] == 0


def test_b25_a_zero_that_29_leaves_out_below_1_52_is_none(watch: Watch,
                                                          scripted_engine: MakeEngine) -> None:
    """`{"Images":[]}` is all that an empty engine says where an older version is pinned.

    From one that is not empty that would be an error, so it is here: until there is an image.
    """
    engine = scripted_engine(api_min="1.40", api_max="1.55")
    daemon = watch(engine, {"max_total_size": "3.5MB"},
                   environment={"DOCKER_API_VERSION": "1.51"})
    assert "LayersSize" not in engine.client.call("GET", "/v1.51/system/df").json()
    daemon.wait_log(r"^(error|warning): .*/system/df.*LayersSize is missing")
    assert daemon.control.get("/v1/status")["usage"] is None
    pulled(engine, "app")
    daemon.fence()
    assert daemon.control.get("/v1/status")["usage"] == 10**6


@pytest.mark.parametrize(("version", "query"), [
    ("1.41", {}), ("1.42", {"type": "image"}), ("1.51", {"type": "image"}),
    ("1.52", {"type": "image"}), ("1.55", {"type": "image"}),
])
def test_usage_of_images_is_asked_for_where_an_engine_can(
        watch: Watch, scripted_engine: MakeEngine, version: str, query: dict[str, str]) -> None:
    """Without `verbose`: the sum is there, and the list of images only where it always was."""
    engine = scripted_engine(api_max=version)
    limited(watch, engine).fence()
    assert {json.dumps(each.query) for each in engine.requests("GET", "/system/df")} == {
        json.dumps(query)}
