"""The cache file: its form, its modes, what is accepted and what is set aside."""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Callable

import pytest

import faults
from cache import TIME
from daemon import Daemon
from engines import Engine
from scenes import event_time, loaded, present, pulled, used
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

DAY = 86_400


def test_form_and_modes(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    image = pulled(engine, "app")
    engine.client.tag(image.reference, "alias:1")
    daemon.fence()
    content = daemon.stop().content
    assert content["version"] == 1
    assert isinstance(content["engine_id"], str) and content["engine_id"]
    assert TIME.fullmatch(content["observed_until"])
    assert isinstance(content["unobserved_seconds"], int)
    assert content["tracked"] == []
    [entry] = content["images"]
    assert (entry["id"], entry["origin"], entry["managed"]) == (image.id, "pulled", True)
    assert sorted(entry["references"]) == [image.reference, "docker.io/library/alias:1"]
    assert TIME.fullmatch(entry["first_seen"]) and TIME.fullmatch(entry["last_used"])
    assert isinstance(entry["unobserved_seconds"], int)
    assert stat.S_IMODE(daemon.cache_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.cache_path.parent.stat().st_mode) == 0o700
    others = [path.name for path in daemon.cache_path.parent.iterdir()
              if path != daemon.cache_path and ".tmp" in path.name]
    assert others == [], "temporary files are left"


def test_b18_an_empty_list_is_written_too(watch: Watch, scripted: ScriptedEngine) -> None:
    assert watch(scripted).stop().content["images"] == []


def test_what_was_learned_survives_a_restart(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    image, other = pulled(engine, "app"), loaded(engine, "other:1")
    daemon.fence()
    before = daemon.stop()
    daemon.start().wait_watching()
    daemon.fence()
    after = daemon.stop()
    for each in image, other:
        for key in ("origin", "managed", "first_seen", "last_used", "references"):
            assert after.image(each.id)[key] == before.image(each.id)[key]


def test_b15_a_kill_leaves_a_file_that_loads(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    image = pulled(engine, "app")
    daemon.wait_cache(lambda cache: image.id in cache.ids, "the image")
    daemon.kill()
    assert daemon.cache().origin(image.id) == "pulled"
    daemon.start().wait_watching()
    assert daemon.stop().origin(image.id) == "pulled"


@pytest.mark.parametrize("content", [
    "", "{", "not JSON", "null", "[1]", '{"version": 2, "images": []}', '{"version": "1"}',
    '[{"image_tag": 1}]', "\x00" * 4096,
], ids=["empty", "truncated", "text", "null", "list", "newer", "string", "types", "zeroes"])
def test_b16_a_file_that_is_none_is_set_aside(daemon: MakeDaemon, engine: Engine,
                                              content: str) -> None:
    image = pulled(engine, "app")
    watching = daemon(engine, {"gc": {"max_unused": "1ms"}})
    watching.write_cache(content)
    watching.start().wait_watching()
    watching.fence()
    assert present(engine, image) == [True]
    cache = watching.stop()
    assert cache.origin(image.id) == "existing"
    kept = [path for path in watching.cache_path.parent.iterdir()
            if path != watching.cache_path and path.read_text() == content]
    assert content == "" or kept, "the old file is gone"


def test_an_elastic_package_cache_is_accepted(daemon: MakeDaemon, engine: Engine) -> None:
    here = loaded(engine, "here:1")
    watching = daemon(engine)
    watching.write_cache([
        {"image_tag": "here:1", "last_used": "2026-01-02T03:04:05.123456789Z"},
        {"image_tag": "docker.elastic.co/absent:8.1", "last_used": "2026-01-02T04:04:05+01:00"},
    ])
    watching.start().wait_watching()
    watching.fence()
    cache = watching.stop()
    assert cache.managed(here.id) and cache.origin(here.id) == "existing"
    assert len(cache.tracked) == 1 and "absent:8.1" in next(iter(cache.tracked))


def test_cache_file_setting_and_cache_directory(daemon: MakeDaemon,
                                                scripted: ScriptedEngine) -> None:
    made = daemon(scripted)
    service = made.directory / "service"
    service.mkdir()
    made.environment["CACHE_DIRECTORY"] = str(service)
    made.once()
    assert json.loads((service / "docker-images-gc.json").read_text())["version"] == 1
    elsewhere = made.directory / "new" / "file.json"
    made.configure({"cache_file": str(elsewhere)})
    made.once()
    assert json.loads(elsewhere.read_text())["version"] == 1
    assert not made.cache_path.exists()


def test_another_engine_starts_afresh_and_the_first_is_taken_up_again(
        daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    made = daemon(scripted)
    made.start().wait_watching()
    image = pulled(scripted, "app")
    made.fence()
    assert made.stop().origin(image.id) == "pulled"
    scripted.engine_id = "OTHER"
    made.start().wait_watching()
    assert made.stop().origin(image.id) == "existing"
    scripted.engine_id = "SCRI:PTED:ENGI:NE01"
    made.start().wait_watching()
    assert made.stop().origin(image.id) == "pulled"


def hanging(scripted: ScriptedEngine, path: str) -> threading.Event:
    """Requests for PATH are not answered before the event is set."""
    answered = threading.Event()
    scripted.script("GET", path, faults.hang(answered))
    return answered


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_b15_a_use_that_waits_for_an_answer_is_no_loss(watch: Watch, scripted: ScriptedEngine,
                                                       end: str) -> None:
    """It is not in the file: the engine is asked for its event again after a restart."""
    daemon = watch(scripted)
    image, other = pulled(scripted, "app"), pulled(scripted, "other")
    daemon.fence()
    daemon.stop()
    daemon.make_older(DAY)
    daemon.start().wait_watching()
    daemon.fence()
    answered = hanging(scripted, "/images/*/json")
    begin = time.time_ns()
    scripted.client.fetch(image.reference)
    pull = event_time(scripted, begin, "image", "pull")
    use = used(scripted, other.reference)
    new = loaded(scripted, "new:1")
    daemon.wait_cache(lambda cache: cache.last_used(other.id) >= use, "a save after it")
    assert daemon.cache().last_used(image.id) < pull, "it did not have to wait"
    if end == "kill":
        daemon.kill()
    else:
        daemon.stop()
    answered.set()
    daemon.start().wait_watching()
    daemon.fence()
    cache = daemon.stop()
    assert cache.last_used(image.id) == pull
    assert cache.last_used(other.id) == use
    assert cache.origin(new.id) == "loaded"


def test_b15_uses_before_the_first_list_are_no_loss(watch: Watch,
                                                    scripted: ScriptedEngine) -> None:
    """However often it is ended before it knows of what they are."""
    daemon = watch(scripted)
    image, other = pulled(scripted, "app"), pulled(scripted, "other")
    daemon.fence()
    daemon.stop()
    daemon.make_older(DAY)
    use = used(scripted, image.reference)
    answered = hanging(scripted, "/images/json")
    for _ in range(3):
        listed = len(scripted.requests("GET", "/images/json"))
        daemon.start()
        daemon.wait(lambda: scripted.requests("GET", "/images/json")[listed:], "its list")
        daemon.stop()
    later = used(scripted, other.reference)
    answered.set()
    daemon.start().wait_watching()
    daemon.fence()
    cache = daemon.stop()
    assert (cache.last_used(image.id), cache.last_used(other.id)) == (use, later)
    away = cache.content["unobserved_seconds"]
    assert away <= (time.time_ns() - use) / 10**9 + 2, "the time in between counts once"
