"""What a Docker Engine with a graph driver holds, and how it changes: moby's rules, no I/O.

The rules are those of moby 20.10 (daemon/images, image/store.go, builder/dockerfile); test_rig.py
holds them against a real dockerd.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
import secrets
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cache import format_time
from images import Image, chain_ids, digest, layer_of

NEVER = "0001-01-01T00:00:00Z"
NONE_NETWORK = hashlib.sha256(b"none").hexdigest()

Emit = Callable[[str, str, str, dict[str, str]], object]
"""Publishes an event: type, action, actor, attributes."""


class ApiError(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class StoredImage:
    """An image in the engine's store."""

    id: str
    config: dict[str, Any]
    parent: str = ""
    created: int = 0
    tagged: str = NEVER
    step: str = ""
    """What the builder did to make it: its key in the build cache."""

    @property
    def labels(self) -> dict[str, str]:
        return self.config.get("config", {}).get("Labels") or {}

    @property
    def diff_ids(self) -> list[str]:
        return list(self.config["rootfs"]["diff_ids"])

    @property
    def chains(self) -> list[str]:
        return chain_ids(self.diff_ids)


@dataclass
class Container:
    """A container; only its state matters here."""

    id: str
    name: str
    image: str
    """The text that the user typed."""
    image_id: str
    labels: dict[str, str]
    state: str = "created"
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def attributes(self) -> dict[str, str]:
        image = {"image": self.image} if self.image else {}
        return self.labels | image | {"name": self.name}


def familiar(reference: str) -> str:
    """`host/repo:tag` or `repo@sha256:…` as Docker shows it."""
    for prefix in ("index.docker.io/", "docker.io/"):
        reference = reference.removeprefix(prefix)
    reference = reference.removeprefix("library/")
    if "@" not in reference and ":" not in reference.rpartition("/")[2]:
        reference += ":latest"
    return reference


def repository(reference: str) -> str:
    """A familiar reference without its tag or digest."""
    if "@" in reference:
        reference, _, _ = reference.partition("@")
        return reference
    return reference.rpartition(":")[0]


@dataclass
class CacheRecord:
    """A record of BuildKit's cache."""

    id: str
    size: int
    used_ns: int
    in_use: bool = False
    shared: bool = False

    def summary(self) -> dict[str, Any]:
        return {"ID": self.id, "Type": "regular", "InUse": self.in_use, "Shared": self.shared,
                "Size": self.size, "CreatedAt": format_time(self.used_ns),
                "LastUsedAt": format_time(self.used_ns), "UsageCount": 1}


class Model:
    """Images, references, layers, containers. Every public method is one request's worth."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.lock = threading.RLock()
        self.build_cache: list[CacheRecord] = []
        self.images: dict[str, StoredImage] = {}
        self.references: dict[str, str] = {}
        """Familiar reference, by tag or by digest, to image ID."""
        self.layer_sizes: dict[str, int] = {}
        """Diff ID to bytes."""
        self.containers: dict[str, Container] = {}
        self.registry: dict[str, Image] = {}

    # Looking

    def find(self, name: str) -> StoredImage:
        """The image that NAME (reference, ID, beginning of an ID) means."""
        if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", name):
            found = self.images.get("sha256:" + name.removeprefix("sha256:"))
            if found:
                return found
            raise ApiError(404, f"No such image: {name}")
        if repository(familiar(name)) != repository(familiar(name)).lower():
            raise ApiError(400, "invalid reference format: repository name must be lowercase")
        if image_id := self.references.get(self._key(name)):
            return self.images[image_id]
        if re.fullmatch(r"(sha256:)?[0-9a-f]+", name):
            begin = "sha256:" + name.removeprefix("sha256:")
            matching = [each for each in self.images.values() if each.id.startswith(begin)]
            if len(matching) == 1:
                return matching[0]
        raise ApiError(404, f"No such image: {familiar(name)}")

    def _key(self, name: str) -> str:
        """The reference in NAME; a digest beside a tag decides, as in moby."""
        name = familiar(name)
        if "@" in name:
            left, _, right = name.partition("@")
            if ":" in left.rpartition("/")[2]:
                left = left.rpartition(":")[0]
            return f"{left}@{right}"
        return name

    def references_of(self, image_id: str) -> list[str]:
        return sorted(ref for ref, target in self.references.items() if target == image_id)

    def tags_of(self, image_id: str) -> list[str]:
        return [ref for ref in self.references_of(image_id) if "@" not in ref]

    def digests_of(self, image_id: str) -> list[str]:
        return [ref for ref in self.references_of(image_id) if "@" in ref]

    def children_of(self, image_id: str) -> list[StoredImage]:
        return [each for each in self.images.values() if each.parent == image_id]

    def listed(self, everything: bool) -> Iterator[StoredImage]:
        """Newest first; an image without a reference that is a parent shows only on demand."""
        for each in sorted(self.images.values(), key=lambda image: -image.created):
            if everything or self.references_of(each.id) or not self.children_of(each.id):
                yield each

    def size_of(self, image: StoredImage) -> int:
        return sum(self.layer_sizes[diff_id] for diff_id in image.diff_ids)

    def _sizes_by_chain(self, images: list[StoredImage]) -> dict[str, int]:
        return {chain: self.layer_sizes[diff_id] for image in images
                for chain, diff_id in zip(image.chains, image.diff_ids)}

    def layers_size(self) -> int:
        """Each layer that an image refers to, once."""
        return sum(self._sizes_by_chain(list(self.images.values())).values())

    def shared_size(self, image: StoredImage) -> int:
        """Bytes in layers that another image has too."""
        others = [each for each in self.images.values() if each.id != image.id]
        shared = self._sizes_by_chain(others)
        return sum(size for chain, size in self._sizes_by_chain([image]).items()
                   if chain in shared)

    def find_container(self, name: str) -> Container:
        for each in self.containers.values():
            if each.name == name.removeprefix("/") or each.id.startswith(name):
                return each
        raise ApiError(404, f"No such container: {name}")

    # Getting images

    def _image_event(self, action: str, actor: str, name: str) -> None:
        try:
            labels = self.find(actor).labels
        except ApiError:
            labels = {}
        self.emit("image", action, actor, labels | {"name": name})

    def add(self, image: Image) -> StoredImage:
        """Puts an image into the store; it may be there already."""
        for each in image.layers:
            self.layer_sizes[each.diff_id] = each.size
        created = int(time.mktime(time.strptime("2020-01-01", "%Y-%m-%d")))
        stored = StoredImage(image.id, json.loads(image.config), created=created)
        return self.images.setdefault(image.id, stored)

    def prune_build_cache(self, unused_ns: int, keep: int) -> list[CacheRecord]:
        """As BuildKit does it: the least recently used first, down to KEEP bytes (0: none)."""
        own = sorted((each for each in self.build_cache if not each.shared),
                     key=lambda each: each.used_ns)
        total, gone = sum(each.size for each in own), []
        for each in own:
            if each.in_use or time.time_ns() - each.used_ns < unused_ns or (keep and total <= keep):
                continue
            total -= each.size
            gone.append(each)
            self.build_cache.remove(each)
        return gone

    def pull(self, name: str, tag: str) -> None:
        reference = familiar(f"{name}:{tag}" if tag else name)
        image = self.registry.get(reference)
        if image is None:
            raise ApiError(404, f"manifest for {reference} not found: manifest unknown: "
                                "manifest unknown")
        self.add(image)
        self.references[reference] = image.id
        self.references[f"{repository(reference)}@{digest(image.manifest)}"] = image.id
        self._image_event("pull", reference, repository(reference))

    def load(self, archive: bytes) -> list[str]:
        """Loads a docker-archive; returns what was loaded."""
        loaded = []
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            def content(name: str) -> bytes:
                member = tar.extractfile(name)
                assert member is not None
                return member.read()

            for entry in json.loads(content("manifest.json")):
                config = content(entry["Config"])
                stored = StoredImage(digest(config), json.loads(config))
                for diff_id, name in zip(stored.diff_ids, entry["Layers"]):
                    self.layer_sizes[diff_id] = _unpacked_size(content(name))
                self.images.setdefault(stored.id, stored)
                for reference in entry["RepoTags"] or ():
                    self.references[familiar(reference)] = stored.id
                    loaded.append(familiar(reference))
                self._image_event("load", stored.id, stored.id)
        return loaded

    def tag(self, name: str, repo: str, tag: str) -> None:
        image = self.find(name)
        reference = familiar(f"{repo}:{tag}" if tag else repo)
        self.references[reference] = image.id
        image.tagged = _rfc3339(time.time_ns())
        self._image_event("tag", image.id, reference)

    # Building

    def build(self, context: bytes, tag: str) -> Iterator[dict[str, Any]]:
        """A classic build: FROM, COPY, LABEL, ENV, CMD; an image a step."""
        with tarfile.open(fileobj=io.BytesIO(context)) as tar:
            files = {member.name: tar.extractfile(member).read()  # type: ignore[union-attr]
                     for member in tar if member.isfile()}
        lines = [line for line in files["Dockerfile"].decode().splitlines() if line.strip()]
        current: StoredImage | None = None
        for number, line in enumerate(lines, 1):
            yield {"stream": f"Step {number}/{len(lines)} : {line}\n"}
            keyword, _, rest = line.partition(" ")
            if keyword == "FROM":
                current = None if rest == "scratch" else self.find(rest)
            elif keyword == "COPY":
                current = self._build_copy(current, line, *rest.split(), files)
            else:
                current = self._build_config(current, line, keyword, rest)
        if current is None:
            raise ApiError(400, "No image was generated. Is your Dockerfile empty?")
        yield {"aux": {"ID": current.id}}
        yield {"stream": f"Successfully built {current.id[7:19]}\n"}
        if tag:
            repo, _, name = familiar(tag).rpartition(":")
            self.tag(current.id, repo, name)

    def _build_copy(self, parent: StoredImage | None, line: str, source: str, target: str,
                    files: dict[str, bytes]) -> StoredImage:
        content = files[source]
        step = f"{line} {digest(content)}"
        if cached := self._cached(parent, step):
            return cached
        made = layer_of({target.lstrip("/"): content})
        self.layer_sizes[made.diff_id] = made.size
        config = self._child_config(parent)
        config["rootfs"]["diff_ids"].append(made.diff_id)
        return self._commit(parent, config, step, empty=False)

    def _build_config(self, parent: StoredImage | None, line: str, keyword: str,
                      rest: str) -> StoredImage:
        if cached := self._cached(parent, line):
            return cached
        config = self._child_config(parent)
        runtime = config["config"]
        if keyword == "LABEL":
            key, _, value = rest.partition("=")
            runtime["Labels"] = (runtime.get("Labels") or {}) | {key: value.strip('"')}
        elif keyword == "ENV":
            runtime["Env"] = [*(runtime.get("Env") or []), rest]
        elif keyword == "CMD":
            runtime["Cmd"] = json.loads(rest)
        else:
            raise ApiError(400, f"dockerfile parse error: unknown instruction: {keyword}")
        self._step_container(parent, runtime.get("Labels") or {})
        return self._commit(parent, config, line, empty=True)

    def _step_container(self, parent: StoredImage | None, labels: dict[str, str]) -> None:
        """A step that only changes the configuration makes a container and removes it."""
        container = Container(secrets.token_hex(32), "step_" + secrets.token_hex(4),
                              parent.id if parent else "", parent.id if parent else "", labels)
        self.emit("container", "create", container.id, container.attributes)
        self.emit("container", "destroy", container.id, container.attributes)

    def _cached(self, parent: StoredImage | None, step: str) -> StoredImage | None:
        parent_id = parent.id if parent else ""
        return next((each for each in self.images.values()
                     if each.step == step and each.parent == parent_id), None)

    def _child_config(self, parent: StoredImage | None) -> dict[str, Any]:
        empty = {"architecture": "amd64", "os": "linux", "config": {}, "history": [],
                 "rootfs": {"type": "layers", "diff_ids": []}}
        copied: dict[str, Any] = json.loads(json.dumps(parent.config if parent else empty))
        return copied

    def _commit(self, parent: StoredImage | None, config: dict[str, Any], step: str,
                empty: bool) -> StoredImage:
        created = _rfc3339(time.time_ns())
        entry = {"created": created, "created_by": f"/bin/sh -c #(nop) {step}"}
        config["history"].append(entry | ({"empty_layer": True} if empty else {}))
        config["created"] = created
        image_id = digest(json.dumps(config).encode())
        self.images[image_id] = StoredImage(image_id, config, parent.id if parent else "",
                                            int(time.time()), step=step)
        return self.images[image_id]

    # Removing images: daemon/images/image_delete.go

    def remove_image(self, name: str, force: bool, prune: bool) -> list[dict[str, str]]:
        image = self.find(name)
        records: list[dict[str, str]] = []
        single = self._is_single_reference(self.references_of(image.id))
        by_reference = not image.id.removeprefix("sha256:").startswith(
            name.removeprefix("sha256:"))
        if by_reference:
            if single and not force:
                self._check_unused_by(name, image)
            self._untag(self._key(name), name, image, records)
            if self.references_of(image.id):
                return records
        elif single:
            self._check_conflict(image, stopped=not force)
            for reference in self.references_of(image.id):
                self._untag(reference, reference, image, records, sweep=False)
        self._delete(image, records, force, prune, quiet=by_reference)
        return records

    def _is_single_reference(self, references: list[str]) -> bool:
        """At most one tag, and digests only of the same repository."""
        if len(references) <= 1:
            return True
        tags = [ref for ref in references if "@" not in ref]
        repos = {repository(ref) for ref in references if "@" in ref}
        if len(tags) > 1:
            return False
        return repos == {repository((tags or references)[0])}

    def _check_unused_by(self, name: str, image: StoredImage) -> None:
        for each in self.containers.values():
            if each.image_id == image.id:
                raise ApiError(409, f'conflict: unable to remove repository reference "{name}" '
                                    f"(must force) - container {each.id[:12]} is using its "
                                    f"referenced image {image.id[7:19]}")

    def _untag(self, reference: str, shown: str, image: StoredImage,
               records: list[dict[str, str]], sweep: bool = True) -> None:
        """Drops a reference; with its repository's last tag go that repository's digests."""
        del self.references[reference]
        self._image_event("untag", image.id, image.id)
        records.append({"Untagged": familiar(shown)})
        repo = repository(reference)
        if not sweep or "@" in reference:
            return
        if any(repository(tag) == repo for tag in self.tags_of(image.id)):
            return
        for each in self.digests_of(image.id):
            if repository(each) == repo:
                del self.references[each]
                records.append({"Untagged": each})

    def _delete(self, image: StoredImage, records: list[dict[str, str]], force: bool,
                prune: bool, quiet: bool) -> None:
        try:
            self._check_conflict(image, referenced=not force, stopped=not force)
        except ApiError:
            dangling = not (self.references_of(image.id) or self.children_of(image.id))
            used = any(each.image_id == image.id for each in self.containers.values())
            if quiet and (not dangling or used):
                return
            raise
        for reference in self.references_of(image.id):
            del self.references[reference]
            self._image_event("untag", image.id, image.id)
            records.append({"Untagged": reference})
        del self.images[image.id]
        self._image_event("delete", image.id, image.id)
        records.append({"Deleted": image.id})
        left = self._sizes_by_chain(list(self.images.values()))
        records += [{"Deleted": chain} for chain in reversed(image.chains) if chain not in left]
        if prune and image.parent in self.images:
            self._delete(self.images[image.parent], records, False, True, quiet=True)

    def _check_conflict(self, image: StoredImage, referenced: bool = False,
                        stopped: bool = False) -> None:
        """Hard conflicts always, soft ones where asked for, in moby's order."""
        def conflict(why: str, hard: bool) -> ApiError:
            forced = "cannot be forced" if hard else "must be forced"
            return ApiError(409, f"conflict: unable to delete {image.id[7:19]} ({forced}) - {why}")

        if self.children_of(image.id):
            raise conflict("image has dependent child images", True)
        users = [each for each in self.containers.values() if each.image_id == image.id]
        running = [each for each in users if each.state == "running"]
        if running:
            raise conflict(
                f"image is being used by running container {running[0].id[:12]}", True)
        if referenced and self.references_of(image.id):
            raise conflict("image is referenced in multiple repositories", False)
        if stopped and users:
            raise conflict(
                f"image is being used by stopped container {users[0].id[:12]}", False)

    # Containers

    _numbers = itertools.count(1)

    def create_container(self, image_name: str, name: str,
                         labels: dict[str, str]) -> Container:
        image = self.find(image_name)
        container = Container(secrets.token_hex(32), name or f"scripted_{next(self._numbers)}",
                              image_name, image.id, image.labels | labels)
        self.containers[container.id] = container
        self._container_event("create", container)
        return container

    def start_container(self, name: str) -> None:
        container = self.find_container(name)
        self._network_event("connect", container)
        container.state = "running"
        self._container_event("start", container)

    def stop_container(self, name: str) -> None:
        container = self.find_container(name)
        if container.state == "running":
            self._die(container)
            self._container_event("stop", container)

    def remove_container(self, name: str, force: bool) -> None:
        container = self.find_container(name)
        if container.state == "running":
            if not force:
                raise ApiError(409, f"You cannot remove a running container {container.id}. Stop "
                                    "the container before attempting removal or force remove")
            self._die(container)
        del self.containers[container.id]
        self._container_event("destroy", container)

    def stop_everything(self) -> None:
        """What an engine's shutdown does to its containers."""
        for container in list(self.containers.values()):
            self.stop_container(container.id)

    def _die(self, container: Container) -> None:
        self._container_event("kill", container, signal="9")
        container.state = "exited"
        self._container_event("die", container, exitCode="137")
        self._network_event("disconnect", container)

    def _container_event(self, action: str, container: Container, **more: str) -> None:
        self.emit("container", action, container.id, container.attributes | more)

    def _network_event(self, action: str, container: Container) -> None:
        self.emit("network", action, NONE_NETWORK,
                   {"container": container.id, "name": "none", "type": "null"})


def _unpacked_size(layer: bytes) -> int:
    """Of a layer's tar, compressed or not."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        return sum(member.size for member in tar if member.isfile())


def _rfc3339(time_ns: int) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_ns // 10**9))
    return f"{whole}.{time_ns % 10**9:09d}Z"
