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
from scenes import pulled, used
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


def test_b39_a_line_for_each_removal_after_its_result(daemon: MakeDaemon, engine: Engine) -> None:
    made = daemon(engine).start().wait_watching()
    image = pulled(engine, "app")
    when = used(engine, image.reference)
    made.fence()
    limit(made, "1")
    made.wait_log(rf"^info: removed {re.escape(image.reference)} \({image.id[:19]}\): over-size, "
                  rf"last used {format_time(when)[:19]}Z, unused for \S+, freed 1MB$")


def test_b39_fields_in_the_journal(daemon: MakeDaemon, scripted: ScriptedEngine,
                                   journal: Journal) -> None:
    """Of one that went and of one that the engine refused."""
    made = daemon(scripted, arguments=())
    made.front = journal.enter
    made.environment["JOURNAL_STREAM"] = journal.stream(made.log_path)
    made.start().wait_status("Watching")
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
