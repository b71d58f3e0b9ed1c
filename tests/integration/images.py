"""Images made on the spot: chosen sizes, chosen labels, shared layers, no registry needed.

An image is plain data here. All engines take the very same bytes, so an image's ID is known before
it is pulled or loaded: the digest of its configuration, or, in the containerd image store, of its
manifest.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BUSYBOX = Path("/bin/busybox")
"""A static binary: the only program that a container of these images can run."""

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"

IDS = {"from": "config"}
"""What an image's ID is the digest of, on the engine of this run: "config" or "manifest"."""

MB = 1000 * 1000
"""What Docker prints as 1MB."""


def digest(data: bytes) -> str:
    """The digest of some bytes as engines write it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def chain_ids(diff_ids: list[str]) -> list[str]:
    """The chain ID of each prefix of a stack of layers, bottom first (OCI image spec)."""
    chains: list[str] = []
    for diff_id in diff_ids:
        chains.append(digest(f"{chains[-1]} {diff_id}".encode()) if chains else diff_id)
    return chains


def make_tar(files: dict[str, bytes], mode: int = 0o755) -> bytes:
    """A tar of regular files that is the same bytes each time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = mode
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


@dataclass(frozen=True)
class Layer:
    """One layer: an uncompressed tar, and the bytes in it that an engine counts."""

    tar: bytes = field(repr=False)
    size: int

    @functools.cached_property
    def diff_id(self) -> str:
        return digest(self.tar)

    @functools.cached_property
    def blob(self) -> bytes:
        """The layer as a registry holds it."""
        return gzip.compress(self.tar, compresslevel=1, mtime=0)


def layer_of(files: dict[str, bytes]) -> Layer:
    """A layer with these files."""
    return Layer(make_tar(files), sum(map(len, files.values())))


def layer(name: str, size: int) -> Layer:
    """A layer of SIZE bytes that no compression makes smaller; the same NAME, the same bytes."""
    return layer_of({name: random.Random(name).randbytes(size)})


@functools.cache
def busybox_layer() -> Layer:
    """What a container needs to run `/bin/busybox sleep`."""
    return layer_of({"bin/busybox": BUSYBOX.read_bytes()})


@dataclass(frozen=True)
class Image:
    """Layers, bottom first, and labels."""

    layers: tuple[Layer, ...]
    labels: tuple[tuple[str, str], ...] = ()
    comment: str = ""
    noise: int = 0
    """So many entries of its history made no layer; they lie between the first of those that did."""
    created: str = "2020-01-01T00:00:00Z"

    @functools.cached_property
    def config(self) -> bytes:
        """The configuration, whose digest is the image's ID on graph drivers."""
        return json.dumps({
            "architecture": "amd64",
            "os": "linux",
            "created": self.created,
            "comment": self.comment,
            "config": {
                "Cmd": ["/bin/busybox", "sleep", "3600"],
                "Labels": dict(self.labels) or None,
            },
            "history": list(self._history()),
            "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in self.layers]},
        }).encode()

    def _history(self) -> Iterator[dict[str, Any]]:
        for number in range(max(len(self.layers), self.noise)):
            entry = {"created": self.created}
            if number < self.noise:
                yield {**entry, "created_by": f"ENV A={number}", "empty_layer": True}
            if number < len(self.layers):
                yield {**entry, "created_by": f"layer {number}"}

    @property
    def id(self) -> str:
        return digest(self.manifest if IDS["from"] == "manifest" else self.config)

    @property
    def size(self) -> int:
        """What the engine calls its Size."""
        return sum(each.size for each in self.layers)

    @functools.cached_property
    def manifest(self) -> bytes:
        """The manifest, whose digest is the one in RepoDigests."""
        return json.dumps({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "size": len(self.config),
                       "digest": digest(self.config)},
            "layers": [{"mediaType": LAYER_TYPE, "size": len(each.blob),
                        "digest": digest(each.blob)} for each in self.layers],
        }).encode()

    def archive(self, *references: str) -> bytes:
        """The image as `docker save` writes it, under these names."""
        return archive_of({self: references})


def archive_of(images: Mapping[Image, Sequence[str]]) -> bytes:
    """Images and their names as `docker save` writes them from 25 on, for `docker load`.

    Graph drivers read manifest.json, the containerd image store index.json.
    """
    blobs: dict[str, bytes] = {}
    manifests: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for each, references in images.items():
        layers = [layer.blob for layer in each.layers]
        blobs |= {_path(blob): blob for blob in (each.config, each.manifest, *layers)}
        manifests.append({"Config": _path(each.config), "RepoTags": list(references) or None,
                          "Layers": [_path(blob) for blob in layers]})
        here = {"mediaType": MANIFEST_TYPE, "size": len(each.manifest),
                "digest": digest(each.manifest)}
        entries += [here | {"annotations": {"io.containerd.image.name": full_name(name)}}
                    for name in references] or [here]
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}
    return make_tar({
        **blobs,
        "manifest.json": json.dumps(manifests).encode(),
        "index.json": json.dumps(index).encode(),
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
    })


def _path(blob: bytes) -> str:
    """Where it is in an OCI layout."""
    return "blobs/" + digest(blob).replace(":", "/")


def full_name(reference: str) -> str:
    """A tagged reference with its domain, as the containerd image store has it."""
    domain, slash, _ = reference.partition("/")
    if slash and (domain == "localhost" or set(domain) & set(".:")):
        return reference
    return "docker.io/" + ("" if slash else "library/") + reference


def image(name: str, size: int = MB, *, base: Image | None = None, runnable: bool = False,
          labels: dict[str, str] | None = None, created: str = Image.created) -> Image:
    """An image whose own layer is called NAME and has SIZE bytes, on top of BASE's layers.

    A runnable one stands on the busybox layer, which all runnable images share.
    """
    below: tuple[Layer, ...] = base.layers if base else ()
    if runnable and busybox_layer() not in below:
        below = (busybox_layer(), *below)
    return Image((*below, layer(name, size)), tuple((labels or {}).items()), comment=name,
                 created=created)
