"""The scripted engine answers as a real dockerd does: the guard against a model that lies.

Each scenario runs on both engines. What every step answered, the events it made, the list and the
usage after it are written down without IDs, names made up by the engine and times, and compared.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engines import Engine
from engine_client import EngineClient, EngineError
from images import MB, image
from real_engine import RealEngine
from scripted_engine import ScriptedEngine

Do = Callable[..., Any]
Scenario = Callable[[Engine, EngineClient, Do], None]


class Trace:
    """What a client sees, step by step."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client = engine.client
        self.lines: list[str] = []

    def __call__(self, what: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Takes one step and writes down what it did."""
        known = self._client.image_ids(everything=True)
        used, begin = self._client.used(), time.time_ns()
        result: Any = None
        try:
            result = what(*arguments, **keywords)
            answer = "done"
        except EngineError as error:
            answer = f"{error.status} {error.message}"
        if what.__name__ == "remove_image" and result:
            answer = self._removed(result, known)
        self.lines += [
            f"{what.__name__}: {self._mask(answer)}",
            *(f"  event {each}" for each in self._events(begin)),
            *(f"  image {each}" for each in self._listed()),
            f"  used {self._client.used() - used:+d}",
        ]
        return result

    def _mask(self, text: str) -> str:
        text = text.replace(self._engine.registry, "REGISTRY")
        return re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b", "HEX", text)

    def _removed(self, records: list[dict[str, str]], known: set[str]) -> str:
        """The answer to a DELETE, in order: references, then images and layers."""
        def show(key: str, value: str) -> str:
            if key == "Untagged":
                return f"untagged {value}"
            return "image" if value in known else "layer"
        return ", ".join(show(*item) for each in records for item in each.items())

    def _events(self, since: int) -> list[str]:
        lines = []
        for event in self._client.events(since):
            attributes = dict(event["Actor"]["Attributes"])
            if attributes.get("image", "").startswith("sha256:") or "image" not in attributes:
                if event["Type"] == "container":
                    attributes["name"] = "NAME"  # the builder makes one up
            shown = ", ".join(f"{key}={attributes[key]}" for key in sorted(attributes))
            legacy = "".join(f" {key}={event[key]}" for key in ("status", "id", "from")
                             if key in event)
            actor = event["Actor"]["ID"]
            lines.append(self._mask(
                f"{event['Type']} {event['Action']} {actor} {shown};{legacy}"))
        return lines

    def _listed(self) -> list[str]:
        """The list; intermediates, which only all=1 shows, are marked."""
        shown = self._client.image_ids()
        return sorted(self._mask(" ".join([
            f"tags={sorted(each['RepoTags'] or [])} digests={sorted(each['RepoDigests'] or [])}",
            f"size={each['Size']} labels={each['Labels'] or {}}",
            f"containers={each['Containers']} shared={each['SharedSize']}",
            f"parent={bool(each['ParentId'])}",
            "" if each["Id"] in shown else "hidden",
        ])) for each in self._client.images(everything=True))


def pull_and_tag(engine: Engine, client: EngineClient, do: Do) -> None:
    """Pull new, present, shared layers, missing, moving; tags; all ways to untag."""
    one, two = image("one", MB, runnable=True), image("two", 2 * MB, runnable=True)
    ref = engine.registry + "/app:1"
    engine.push(ref, one)
    do(client.pull, ref)
    do(client.pull, ref)
    do(client.pull, engine.registry + "/app:none")
    engine.push(engine.registry + "/other:1", two)
    do(client.pull, engine.registry + "/other:1")
    do(client.tag, ref, "alias:1")
    do(client.tag, ref, "docker.io/library/alias:2")
    do(client.tag, ref, "alias:1")
    do(client.tag, two.id, "alias:1")
    engine.push(ref, two)
    do(client.pull, ref)
    do(client.remove_image, "alias:none")
    do(client.remove_image, "Alias:1")
    do(client.remove_image, one.id)
    do(client.remove_image, two.id)
    do(client.remove_image, "alias:1")
    do(client.remove_image, ref)
    do(client.remove_image, two.id[7:19])


def digests(engine: Engine, client: EngineClient, do: Do) -> None:
    """A tag that a pull moves leaves an image that only a digest names."""
    old, new = image("old"), image("new")
    ref = engine.registry + "/app:1"
    for version in old, new:
        engine.push(ref, version)
        do(client.pull, ref)
    by_digest = client.inspect(old.id)["RepoDigests"][0]
    do(client.create, by_digest, "c1")
    do(client.remove_image, by_digest)
    do(client.remove_container, "c1")
    do(client.remove_image, by_digest)
    do(client.remove_image, client.inspect(new.id)["RepoDigests"][0])
    do(client.remove_image, ref)


def load(_engine: Engine, client: EngineClient, do: Do) -> None:
    """Load with one tag, with two, with none, and of what is there."""
    tagged, untagged = image("tagged", labels={"a": "1"}), image("untagged")
    do(client.load, tagged.archive("loaded:1", "loaded:2"))
    do(client.load, tagged.archive("loaded:1"))
    do(client.load, untagged.archive())
    do(client.remove_image, untagged.id)
    do(client.remove_image, tagged.id)
    do(client.remove_image, tagged.id, force=True)


def containers(_engine: Engine, client: EngineClient, do: Do) -> None:
    """A container's life, and what it keeps from being removed."""
    used = image("used", runnable=True, labels={"b": "2"})
    client.load(used.archive("used:1"))
    do(client.create, "used:1", "c1")
    do(client.create, "absent:1", "c2")
    do(client.remove_image, "used:1")
    do(client.remove_image, used.id)
    do(client.start, "c1")
    do(client.remove_image, "used:1")
    do(client.remove_image, used.id)
    do(client.tag, "used:1", "used:2")
    do(client.remove_image, "used:1")
    do(client.remove_image, used.id)
    do(client.remove_container, "c1")
    do(client.stop, "c1")
    do(client.stop, "c1")
    do(client.remove_image, used.id)
    do(client.remove_container, "c1")
    do(client.create, used.id, "c3")
    do(client.start, "c3")
    do(client.remove_container, "c3", force=True)
    do(client.remove_container, "c3")
    do(client.remove_image, "used:2")


def build(_engine: Engine, client: EngineClient, do: Do) -> None:
    """A classic build, cached, changed, with its intermediates; pruned and not."""
    files = {"data": b"d" * 5000}
    dockerfile = "FROM scratch\nCOPY data /data\nENV A=1\nLABEL a=1\n"
    do(client.build_classic, dockerfile, files, "built:1")
    do(client.build_classic, dockerfile, files, "built:2")
    do(client.build_classic, dockerfile.replace("a=1", "a=2"), files, "built:1")
    do(client.build_classic, dockerfile.replace("ENV A=1", 'CMD ["/x"]'), files)
    do(client.remove_image, "built:2", noprune=True)
    do(client.remove_image, "built:1")
    do(client.build_classic, "FROM scratch\nLABEL a=1\nCOPY data /other\n", files, "built:3")
    do(client.remove_image, "built:3")
    do(client.clear)


def build_on_base(engine: Engine, client: EngineClient, do: Do) -> None:
    """A base that a build stands on: hidden when untagged, gone with its child unless noprune."""
    base = image("base", MB)
    dockerfile, files = "FROM base:1\nCOPY data /data\nLABEL a=1\n", {"data": b"e" * 7000}
    for noprune in True, False:
        do(client.load, base.archive("base:1"))
        do(client.build_classic, dockerfile, files, "child:1")
        do(client.remove_image, base.id)
        do(client.remove_image, "base:1")
        do(client.remove_image, base.id)
        do(client.remove_image, "child:1", noprune=noprune)
        client.clear()
    engine.push(engine.registry + "/base:1", base)
    do(client.pull, engine.registry + "/base:1")
    do(client.build_classic, dockerfile.replace("base:1", engine.registry + "/base:1"), files,
       "child:1")
    do(client.create, "child:1", "c1")
    do(client.remove_image, engine.registry + "/base:1")
    do(client.remove_container, "c1")
    do(client.remove_image, "child:1")


SCENARIOS = [pull_and_tag, digests, load, containers, build, build_on_base]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_scripted_engine_does_what_a_real_one_does(scripted: ScriptedEngine, real: RealEngine,
                                                   scenario: Scenario) -> None:
    traces = []
    for engine in real, scripted:
        traces.append(Trace(engine))
        scenario(engine, engine.client, traces[-1])
    assert traces[1].lines == traces[0].lines


def shape(value: Any) -> Any:
    """What kind of value: keys and types."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def is_part(part: Any, whole: Any) -> bool:
    """Whether all keys of one shape are in the other, with the same types."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and is_part(each, whole[key]) for key, each in part.items())
    if isinstance(part, list) and part:
        return isinstance(whole, list) and bool(whole) and is_part(part[0], whole[0])
    return bool(part == whole)


@pytest.mark.parametrize("path", [
    "/version", "/info", "/system/df", "/images/json", "/images/json?all=1", "/images/used:1/json",
    "/images/used:1/history", "/containers/json?all=1", "/containers/c1/json",
])
def test_scripted_answers_have_the_keys_and_types_of_real_ones(
        scripted: ScriptedEngine, real: RealEngine, path: str) -> None:
    shapes = []
    used = image("used", runnable=True)
    for engine in real, scripted:
        engine.client.prune_builds()  # an earlier test's
        engine.client.load(used.archive("used:1"))
        engine.client.run("used:1", "c1")
        answer = engine.client.call("GET", path).json()
        if path == "/system/df":
            answer["BuildCache"] = None  # what could not be pruned yet is no part of this
        shapes.append(shape(answer))
    assert is_part(shapes[1], shapes[0]), f"scripted {shapes[1]}\nreal {shapes[0]}"


@pytest.mark.parametrize(("method", "path", "status"), [
    ("HEAD", "/_ping", 200),
    ("GET", "/v1.99/images/json", 400),
    ("GET", "/v1.10/images/json", 400),
    ("GET", "/nonexistent", 404),
    ("GET", "/containers/nope/json", 404),
    ("GET", "/images/nope/json", 404),
    ("GET", "/events?since=abc", 500),
    ("GET", "/events?filters=x", 500),
])
def test_scripted_engine_refuses_what_a_real_one_refuses(
        scripted: ScriptedEngine, real: RealEngine, method: str, path: str, status: int) -> None:
    for engine in real, scripted:
        reply = engine.client.request(method, path)
        assert (engine.kind, reply.status) == (engine.kind, status)
    assert scripted.client.request(method, path).headers["Api-Version"] == (
        real.client.request(method, path).headers["Api-Version"]) or not path.endswith("ping")


@pytest.mark.parametrize("filters", [
    '{"type":["image"]}', '{"type":["container"],"event":["create","destroy"]}',
    '{"event":{"tag":true}}', '{"type":["image","container"],"event":["tag","start"],"x":["y"]}',
])
def test_event_filters_and_since_select_alike(scripted: ScriptedEngine, real: RealEngine,
                                              filters: str) -> None:
    seen = []
    for engine in real, scripted:
        client, begin = engine.client, time.time_ns()
        client.load(image("used", runnable=True).archive("used:1"))
        client.tag("used:1", "used:2")
        client.remove_container(client.run("used:1"), force=True)
        all_events = client.events(begin)
        second = all_events[1]["timeNano"]
        assert client.events(second)[0] == all_events[1], "since= is inclusive"
        stamp = f"{begin // 10**9}.{begin % 10**9:09d}"
        reply = client.call("GET", "/events", {"since": stamp, "until": f"{time.time():.9f}",
                                               "filters": filters})
        seen.append([re.findall(rb'"Type":"(\w+)","Action":"(\w+)"', line)
                     for line in reply.body.splitlines()])
    assert seen[0] == seen[1]


def test_an_engine_stops_starts_and_is_killed_with_its_images_kept(restartable: Engine) -> None:
    kept = image("kept")
    restartable.push(restartable.registry + "/kept:1", kept)
    restartable.client.pull(restartable.registry + "/kept:1")
    for end in restartable.stop, restartable.kill:
        end()
        assert not restartable.client.ping()
        restartable.start()
        assert restartable.client.image_ids() == {kept.id}


def traces(name: str) -> set[str]:
    """What an engine with a directory of that name has outside of its namespaces."""
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    cgroups = Path("/sys/fs/cgroup").glob(f"**/{name}")
    return {each for each in (*mounts, *map(str, cgroups), *map(str, Path("/var/tmp").iterdir()))
            if name in each}


def test_a_real_engine_leaves_nothing_behind(real: RealEngine) -> None:
    engine = RealEngine(real.name)
    name = engine.directory.name
    try:
        engine.client.load(image("app", runnable=True).archive("app:1"))
        engine.client.run("app:1")
        assert len(traces(name)) > 1
    finally:
        engine.close()
    assert not traces(name)
