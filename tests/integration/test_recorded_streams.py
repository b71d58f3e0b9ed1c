"""Every event stream that was recorded: what the daemon makes of it.

Which images are used, by which event; which come, and from where; which are dropped; and what the
daemon had to ask. The table is OUTCOMES in recorded_outcomes.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from cache import Cache
from daemon import Daemon
from recorded_outcomes import MOVED, OUTCOMES, STAYS
from recordings import ENGINES, RECORDED, engine_like
from scripted_engine import ScriptedEngine
from stream_world import StreamWorld

MakeEngine = Callable[..., ScriptedEngine]
MakeDaemon = Callable[..., Daemon]

STREAMS = [(engine, name) for engine, table in OUTCOMES.items() for name in table]


def test_every_recorded_stream_is_in_the_table() -> None:
    for engine in OUTCOMES:
        names = {path.stem.removeprefix("events-")
                 for path in (RECORDED / engine).glob("events-*.ndjson") if path.stat().st_size}
        assert set(OUTCOMES[engine]) == names
    assert set(OUTCOMES) == set(ENGINES)


def changes(world: StreamWorld, cache: Cache) -> Iterator[str]:
    """What is otherwise in the cache file than before the stream."""
    before = world.ids - world.new
    for image_id in sorted(cache.ids | before, key=world.label):
        label = world.label(image_id)
        if image_id not in cache.ids:
            yield f"{label} gone"
            continue
        if image_id not in before:
            yield f"{label} {cache.origin(image_id)}"
        if (when := cache.last_used(image_id)) >= min(world.told):
            yield f"{label} used: {world.told[when]}"


def questions(world: StreamWorld, engine: ScriptedEngine) -> Iterator[str]:
    """What was asked of the engine."""
    asked = {each.path for each in engine.requests("GET", "*/json")}
    for path in sorted(asked - {"/containers/json"}):
        _, kind, *rest = path.split("/")
        name = "/".join(rest[:-1])
        if not name:
            yield f"lists {kind}"
        elif kind == "containers":
            yield "asks container"
        else:
            yield f"asks {world.label(world.resolve(name)) or name}"


@pytest.mark.parametrize(("recorded", "name"), STREAMS, ids=["-".join(each) for each in STREAMS])
def test_a_recorded_stream_has_its_effect(daemon: MakeDaemon, scripted_engine: MakeEngine,
                                          recorded: str, name: str) -> None:
    world = StreamWorld(recorded, name, STAYS.get((recorded, name), ""), name == MOVED)
    engine = engine_like(scripted_engine, recorded)
    world.serve(engine)
    made = daemon(engine).start().wait_watching()
    engine.forget_requests()
    world.play(engine, time.time_ns())
    made.fence()
    cache = made.stop()
    found = [*changes(world, cache), *dict.fromkeys(questions(world, engine))]
    assert found == OUTCOMES[recorded][name]
    assert not [line for line in made.log.splitlines() if line.startswith(("error:", "warning:"))]
