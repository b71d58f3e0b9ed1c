"""What is told of removals: a line for people, fields for the journal (B39)."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import faults
from cache import format_time
from daemon import Daemon
from engines import Engine
from images import MB
from journal import Journal
from mounts import Mounts
from scenes import know_sizes, pulled, shown_size, taken, used
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]
MakeMounts = Callable[..., Mounts]


@pytest.fixture
def journal(directory: Path, mounts: MakeMounts) -> Iterator[Journal]:
    made = Journal(directory, mounts())
    yield made
    made.close()


def limit(daemon: Daemon, size: str) -> None:
    daemon.configure({"gc": {"max_total_size": size}})
    daemon.signal(signal.SIGHUP)


@pytest.mark.needs("usage")
def test_b39_a_line_for_each_removal_after_its_result(daemon: MakeDaemon, engine: Engine) -> None:
    made = daemon(engine).start().wait_watching()
    image = pulled(engine, "app")
    when = used(engine, image.reference)
    made.fence()
    know_sizes(made, engine)
    bound = "" if engine.store == "graph driver" else "up to "
    size = bound + shown_size(taken(engine, image))
    limit(made, "1")
    made.wait_log(rf"^info: removed {re.escape(image.reference)} \({image.id[:19]}\): over-size, "
                  rf"last used {format_time(when)[:19]}Z, unused for \S+, freed {size}$")


def service(daemon: MakeDaemon, engine: ScriptedEngine, journal: Journal) -> Daemon:
    """A daemon as systemd would start it, with its journal."""
    made = daemon(engine, arguments=())
    made.front = journal.enter
    made.environment["JOURNAL_STREAM"] = journal.stream(made.log_path)
    return made.start()


def test_b39_fields_in_the_journal(daemon: MakeDaemon, scripted: ScriptedEngine,
                                   journal: Journal) -> None:
    """Of one that went and of one that the engine refused."""
    made = service(daemon, scripted, journal)
    made.wait_status("Watching")
    first, second = pulled(scripted, "first"), pulled(scripted, "second")
    times = [used(scripted, each.reference) for each in (first, second)]
    made.wait_cache(lambda cache: cache.last_used(second.id) == times[1], "both")
    scripted.script("DELETE", "*", faults.reply(409, {"message": "no, thanks"}), times=1)
    limit(made, "1")

    def told() -> list[dict[str, str]]:
        return [each for each in journal.read() if "DOCKERGCD_OUTCOME" in each]

    made.wait(lambda: len(told()) == 2, "both entries")
    kept, removed = told()
    assert removed["DOCKERGCD_IMAGE"] == second.id
    assert removed["DOCKERGCD_REFERENCES"] == second.reference
    assert removed["DOCKERGCD_REASON"] == "over-size"
    assert removed["DOCKERGCD_LAST_USED"] == format_time(times[1])
    assert int(removed["DOCKERGCD_UNUSED_SECONDS"]) < 60
    assert removed["DOCKERGCD_BYTES"] == str(MB)
    assert removed["DOCKERGCD_OUTCOME"] == "removed"
    assert removed["PRIORITY"] == "6"
    assert removed["MESSAGE"].startswith(f"removed {second.reference} ")
    assert kept["DOCKERGCD_IMAGE"] == first.id
    assert "no, thanks" in kept["DOCKERGCD_OUTCOME"]
    assert kept["DOCKERGCD_BYTES"] == "0"
    assert kept["MESSAGE_ID"] != removed["MESSAGE_ID"]


def test_b39_fields_of_a_removal_that_failed(daemon: MakeDaemon, scripted: ScriptedEngine,
                                             journal: Journal) -> None:
    made = service(daemon, scripted, journal)
    made.wait_status("Watching")
    image = pulled(scripted, "app")
    made.wait_cache(lambda cache: image.id in cache.ids, "the image")
    scripted.script("DELETE", "*", faults.reply(500, {"message": "disk on fire"}))
    limit(made, "1")
    made.wait(lambda: any("DOCKERGCD_OUTCOME" in each for each in journal.read()), "the entry")
    failed = next(each for each in journal.entries if "DOCKERGCD_OUTCOME" in each)
    assert failed["PRIORITY"] == "3"
    assert failed["DOCKERGCD_IMAGE"] == image.id
    assert failed["DOCKERGCD_REASON"] == "over-size"
    assert failed["DOCKERGCD_BYTES"] == "0"
    assert "disk on fire" in failed["DOCKERGCD_OUTCOME"]
    assert failed["MESSAGE"].startswith(f"collection stopped at {image.reference} ")
    assert re.fullmatch("[0-9a-f]{32}", failed["MESSAGE_ID"])


def test_every_error_in_the_journal_has_an_id(daemon: MakeDaemon, scripted: ScriptedEngine,
                                              journal: Journal) -> None:
    made = service(daemon, scripted, journal)
    made.wait_status("Watching")
    made.config_path.write_text("gc: {")
    made.signal(signal.SIGHUP)
    made.wait(lambda: any(each["PRIORITY"] == "3" for each in journal.read()), "errors")
    errors = [each for each in journal.entries if each["PRIORITY"] == "3"]
    assert {each["MESSAGE_ID"] for each in errors} == {errors[0]["MESSAGE_ID"]}
    assert all("MESSAGE_ID" not in each for each in journal.entries if each["PRIORITY"] == "6")
