"""Images that are in an engine already when something is measured: the same each time."""

from __future__ import annotations

from typing import Any

from engines import Engine
from images import Image, archive_of, image
from scripted_engine import ScriptedEngine

ARCHIVE = 50
"""So many images are loaded at once."""
BASES = 10
"""So many images share what is below the own layers of all that are there."""


def crowd(first: int, count: int, seed: str = "", **arguments: Any) -> dict[Image, list[str]]:
    """Images by their names: each with a layer of its own on one of a few bases."""
    bases = [image(f"{seed}base-{number}", 10_000, runnable=True) for number in range(BASES)]
    return {image(f"{seed}crowd-{number}", 1000, base=bases[number % BASES], **arguments):
            [f"crowd:{number}"] for number in range(first, first + count)}


def load_crowd(engine: Engine, count: int, seed: str = "", **arguments: Any) -> None:
    """So many of them, as `docker load` does. The same SEED, the same bytes."""
    for begin in range(0, count, ARCHIVE):
        some = crowd(begin, min(ARCHIVE, count - begin), seed, **arguments)
        engine.client.load(archive_of(some))


def add_crowd(engine: ScriptedEngine, count: int, first: int = 0) -> None:
    """The same at once, without any event: nobody watches yet."""
    for each, names in crowd(first, count).items():
        engine.model.add(each)
        engine.model.references |= {name: each.id for name in names}
