"""The engine that a recorded event stream came from, as far as the stream tells of it.

What the stream names was there before, unless it tells that it came; what it says is deleted is
gone after it. Only the times of its events are others: they happen now, in the same order.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import faults
from engine_model import familiar
from recordings import RECORDED, full_id
from scripted_engine import ScriptedEngine, ServedExchange

ARRIVALS = ("create", "load", "loadfromarchive", "import", "pull", "build")
TIMES = re.compile(rb'"time":\d+,"timeNano":\d+')
ID = re.compile(r"(sha256:)?[0-9a-f]{64}")
SHORT_ID = re.compile(r"[0-9a-f]{12}")


def made_up_id(text: str) -> str:
    """Of an image of which the stream tells a name alone."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def name_in(event: dict[str, Any]) -> str:
    return str(event["Actor"]["Attributes"].get("name", ""))


def actor_of(event: dict[str, Any]) -> str:
    """Whom an image's event is about: podman has an ID, Docker a name or an ID."""
    return str(event["Actor"]["ID"] or name_in(event))


def is_name(text: str) -> bool:
    """Not an ID, nor the path of podman's archives."""
    return bool(text) and not (ID.fullmatch(text) or SHORT_ID.fullmatch(text)
                               or text.startswith("/"))


def is_repository(text: str) -> bool:
    """`pull -a` on graph drivers names no tag; there is none that is called latest."""
    return is_name(text) and ":" not in text.rpartition("/")[2]


@dataclass
class StreamWorld:
    """One stream of `tests/recorded`."""

    engine: str
    name: str
    stays: str = ""
    """The name of an image that is said to be deleted and is there after it."""
    moved: bool = False
    """The container is of an image that has lost its name to another one."""
    told: dict[int, str] = field(default_factory=dict)
    """The time that an event was given, to what happened."""

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._raw.splitlines()]

    @property
    def _raw(self) -> bytes:
        return (RECORDED / self.engine / f"events-{self.name}.ndjson").read_bytes()

    @property
    def _of_images(self) -> list[dict[str, Any]]:
        return [each for each in self.events if each["Type"] == "image"]

    @property
    def _of_containers(self) -> list[dict[str, Any]]:
        return [each for each in self.events if each["Type"] == "container"
                and each["Actor"]["Attributes"].get("image")]

    @cached_property
    def names(self) -> dict[str, str]:
        """Every name that the stream has, to the ID of its image."""
        names: dict[str, str] = {}
        for event in self._of_images:
            actor, name = event["Actor"]["ID"], name_in(event)
            if ID.fullmatch(actor) and is_name(name):
                names[familiar(name)] = full_id(actor)
        for text in filter(is_name, self._texts):
            names.setdefault(familiar(text), made_up_id(text))
        return names

    @property
    def _texts(self) -> list[str]:
        """All that names an image in any way."""
        texts = [actor_of(each) for each in self._of_images if not is_repository(actor_of(each))]
        return texts + [each["Actor"]["Attributes"]["image"] for each in self._of_containers]

    @cached_property
    def ids(self) -> set[str]:
        """All images of the stream."""
        told = {self.resolve(each) for each in self._texts
                if ID.fullmatch(each) or SHORT_ID.fullmatch(each)}
        return told | set(self.names.values()) | ({made_up_id("moved")} if self.moved else set())

    def _names_of(self, image_id: str) -> list[str]:
        return sorted(name for name, each in self.names.items() if each == image_id)

    def label(self, image_id: str) -> str:
        """Its first name, or the beginning of its ID."""
        if self.moved and image_id == made_up_id("moved"):
            return "what had the name"
        name = next(iter(self._names_of(image_id)), image_id[7:19])
        return re.sub(r"@sha256:(.{12}).*", r"@\1", name)

    def resolve(self, text: str) -> str:
        """The image that a text means."""
        if ID.fullmatch(text):
            return full_id(text)
        if SHORT_ID.fullmatch(text):
            return full_id(text) + "0" * 52
        return self.names.get(familiar(text), "")

    # Before and after

    @property
    def new(self) -> set[str]:
        """Images that come with the stream."""
        if self.name.endswith(("-present", "build-cached-newtag")):
            return set()
        return {self.resolve(actor_of(each)) for each in self._of_images
                if each["Action"] in ARRIVALS} - {""}

    @property
    def pulled(self) -> set[str]:
        """Images that a registry has."""
        return {self.resolve(actor_of(each)) for each in self._of_images
                if each["Action"] == "pull"}

    @property
    def gone(self) -> set[str]:
        """Images that go with it."""
        return {full_id(each["Actor"]["ID"]) for each in self._of_images
                if each["Action"] == "delete"} - {self.names.get(self.stays)}

    @property
    def untagged(self) -> set[str]:
        """Names that go: the containerd store and podman tell them."""
        return {familiar(name_in(each)) for each in self._of_images if each["Action"] == "untag"}

    def image(self, image_id: str, after: bool) -> dict[str, Any]:
        names = [each for each in self._names_of(image_id)
                 if not (after and each in self.untagged)]
        digests = [each for each in names if "@" in each]
        if image_id in self.pulled and not digests:
            digests = [f"{each.rpartition(':')[0]}@{image_id}" for each in names]
        return {"Id": image_id, "RepoTags": [each for each in names if "@" not in each],
                "RepoDigests": digests, "Size": 10**6, "ParentId": "", "Labels": None,
                "Created": 1577836800, "SharedSize": -1}

    def images(self, after: bool) -> list[dict[str, Any]]:
        there = self.ids - (self.gone if after else self.new)
        return [self.image(each, after) for each in sorted(there)]

    def containers(self, after: bool) -> list[dict[str, Any]]:
        """All but those that the stream makes (before) or removes (after)."""
        absent = ("destroy", "remove") if after else ("create",)
        left_out = {each["Actor"]["ID"] for each in self._of_containers
                    if each["Action"] in absent}
        return [each for each in self._all_containers() if each["Id"] not in left_out]

    def _all_containers(self) -> list[dict[str, Any]]:
        texts = {each["Actor"]["ID"]: each["Actor"]["Attributes"]["image"]
                 for each in self._of_containers}
        return [{"Id": each, "Image": text, "State": "exited",
                 "ImageID": made_up_id("moved") if self.moved else self.resolve(text)}
                for each, text in texts.items()]

    # On an engine

    def serve(self, engine: ScriptedEngine) -> None:
        """The engine has what was there before, and from the first event on what is after."""
        def list_images(exchange: ServedExchange) -> None:
            faults.reply(200, self.images(after=bool(self.told)))(exchange)

        def list_containers(exchange: ServedExchange) -> None:
            # Then none: to be in the list is a use, and would hide what the events told.
            faults.reply(200, [] if self.told else self.containers(after=False))(exchange)

        def inspect_image(exchange: ServedExchange) -> None:
            asked = exchange.request.path.removeprefix("/images/").removesuffix("/json")
            image_id, there = self.resolve(asked), self.images(after=bool(self.told))
            found = next((each for each in there if each["Id"] == image_id), None)
            body = found and found | {"RootFS": {"Type": "layers", "Layers": [image_id]}}
            faults.reply(200 if body else 404, body or {"message": "No such image"})(exchange)

        def inspect_container(exchange: ServedExchange) -> None:
            found = next((each for each in self.containers(after=True)
                          if each["Id"] in exchange.request.path), None)
            body = found and {"Id": found["Id"], "Image": found["ImageID"]}
            faults.reply(200 if body else 404, body or {"message": "No such container"})(exchange)

        for path, fault in (("/images/json", list_images), ("/containers/json", list_containers),
                            ("/images/*/json", inspect_image),
                            ("/containers/*/json", inspect_container)):
            engine.script("GET", path, fault)  # type: ignore[arg-type]
        engine.script("GET", "/images/*/history", faults.reply(200, [{"Size": 10**6}]))
        engine.script("GET", "/system/df", faults.reply(200, {"LayersSize": 10**6}))

    def play(self, engine: ScriptedEngine, now_ns: int) -> None:
        """The stream, now: a microsecond between two events."""
        whens = [now_ns + 1000 * number for number in range(len(self.events))]
        self.told = {when: event["Action"] for when, event in zip(whens, self.events, strict=True)}
        times = iter(whens)

        def moved(_match: re.Match[bytes]) -> bytes:
            when = next(times)
            return b'"time":%d,"timeNano":%d' % (when // 10**9, when)

        engine.log.inject(TIMES.sub(moved, self._raw))
        assert next(times, None) is None
