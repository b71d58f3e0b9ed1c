"""Killed at any moment: the file loads, nothing older than five seconds is lost (B15, B17).

By default each engine sees 30 kills at random moments and 6 in the middle of a write; with
DOCKERGCD_SOAK=1 it is 110 and 40.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cache import Cache
from daemon import Daemon, end_leftovers
from engines import Engine
from scenes import SOAK, Pulled, present, pulled, used

MakeHerd = Callable[..., list[Daemon]]
MakeDaemon = Callable[..., Daemon]

HERD = 10
"""So many daemons, each with a cache file of its own, watch one engine and are killed."""
KILLS_EACH = 11 if SOAK else 3
KILLS_WHILE_WRITING = 40 if SOAK else 6
MAY_LOSE = 5.0 + 1.0
"""B15, and a second for a machine that has other things to do."""
LIVES = ((0.0, 0.5), (0.0, MAY_LOSE), (MAY_LOSE + 0.2, MAY_LOSE + 1.0))
"""How long it runs: it has hardly begun; any time; and, from when it watches on, long enough for B15
to demand something."""
UP_WITHIN = 30.0
LIMITS = {"gc": {"max_unused": "4w"}}


class Traffic:
    """Containers come and go all the time; notes when which image was used, in engine's time."""

    def __init__(self, engine: Engine, images: list[Pulled]) -> None:
        self._engine, self._images = engine, images
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._error: Exception | None = None
        self.uses: list[tuple[str, int]] = []

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def last(self, until_ns: int) -> dict[str, int]:
        """Each image's last use until then."""
        assert self._error is None, self._error
        return {image_id: when for image_id, when in list(self.uses) if when <= until_ns}

    def _work(self) -> None:
        try:
            while not self._ended.wait(0.1):  # the engine's ring of 256 lasts for ten seconds
                image = random.choice(self._images)
                self.uses.append((image.id, used(self._engine, image.reference)))
        except Exception as error:  # pylint: disable=broad-except
            self._error = error


@dataclass
class Outcome:
    """What one daemon's many deaths came to."""

    kills: int = 0
    while_writing: int = 0
    demanding: int = 0
    """After it had watched for longer than it may lose."""
    oldest_lost: float = 0
    """How old the oldest use was that the file did not have at the kill."""
    back_after: list[float] = field(default_factory=list)
    """From each start until it watched."""


@pytest.fixture
def herd(directory: Path) -> Iterator[MakeHerd]:
    """Makes daemons that share nothing but the engine, not started."""
    made: list[Daemon] = []

    def make(engine: Engine) -> list[Daemon]:
        made.extend(Daemon(directory / f"d{number}", engine, LIMITS)
                    for number in range(HERD))
        return made

    yield make
    for each in made:
        each.close()
        end_leftovers(each.directory)
        each.check_no_client_was_run()


def files_beside(daemon: Daemon) -> set[str]:
    """What is there besides the cache file, by the end of its name."""
    name = daemon.cache_path.name
    return {path.name.removeprefix(name) for path in daemon.cache_path.parent.iterdir()} - {""}


def until(daemon: Daemon, moment: float) -> None:
    daemon.wait(lambda: time.monotonic() >= moment, "its end", within=30)


def live_and_be_killed(daemon: Daemon, life: float, outcome: Outcome) -> tuple[int, int | None]:
    """Starts it, kills it after so long; when, and since when it had watched, if it had."""
    begin = time.monotonic()
    end = begin + (life if life < MAY_LOSE else UP_WITHIN)
    watched_since: int | None = None
    daemon.start()
    while time.monotonic() < end and watched_since is None:
        if daemon.status.startswith("Watching"):
            watched_since = time.time_ns()
            outcome.back_after.append(time.monotonic() - begin)
        assert daemon.alive, f"it does not start after a kill:\n{daemon.log}"
        time.sleep(0.005)
    until(daemon, begin + life if life < MAY_LOSE else time.monotonic() + life)
    assert "set aside" not in daemon.log and "held by" not in daemon.log, daemon.log
    killed = time.time_ns()
    daemon.kill()
    outcome.kills += 1
    return killed, watched_since


def check_nothing_is_missing(cache: Cache, traffic: Traffic, killed: int,
                             watched_since: int | None, outcome: Outcome) -> None:
    """Of what was older than five seconds, if it watched for so long after its start."""
    if watched_since is None:
        return
    for image_id, when in list(traffic.uses):
        if max(cache.last_used(image_id), watched_since) < when <= killed:
            outcome.oldest_lost = max(outcome.oldest_lost, (killed - when) / 1e9)
    due = killed - int(MAY_LOSE * 1e9)
    if watched_since > due:
        return
    outcome.demanding += 1
    for image_id, when in traffic.last(due).items():
        assert cache.last_used(image_id) >= when, (
            f"a use {(killed - when) / 1e9} s before the kill is lost")


def die_again_and_again(daemon: Daemon, traffic: Traffic, ids: set[str], seed: int) -> Outcome:
    """One daemon's share of the kills."""
    dice = random.Random(seed)
    outcome = Outcome()
    known = daemon.cache()
    for number in range(KILLS_EACH):
        life = dice.uniform(*LIVES[(number + seed) % len(LIVES)])
        killed, watched_since = live_and_be_killed(daemon, life, outcome)
        outcome.while_writing += ".new" in files_beside(daemon)
        assert files_beside(daemon) <= {".lock", ".new"}, "leftovers accumulate"
        cache = daemon.cache()
        assert cache.ids == ids
        for each in ids:
            assert cache.last_used(each) >= known.last_used(each), "it went back"
            assert cache.image(each)["first_seen"] == known.image(each)["first_seen"]
            assert cache.origin(each) == "pulled"
        check_nothing_is_missing(cache, traffic, killed, watched_since, outcome)
        known = cache
    return outcome


def report(what: str, engine: Engine, outcomes: list[Outcome]) -> None:
    back = sorted(each for outcome in outcomes for each in outcome.back_after)
    print(f"{what}, {engine.kind}: {sum(each.kills for each in outcomes)} kills, "
          f"{sum(each.while_writing for each in outcomes)} in the middle of a write, "
          f"{sum(each.demanding for each in outcomes)} after more than {MAY_LOSE} s, oldest use "
          f"not yet saved {max(each.oldest_lost for each in outcomes):.2f} s, watching again "
          f"after {back[len(back) // 2]:.2f} s, at most {back[-1]:.2f} s")


def test_b15_killed_at_random_moments_under_load_it_loses_five_seconds_at_most(
        herd: MakeHerd, engine: Engine) -> None:
    """And nothing at all once it runs again: the engine tells what was not saved."""
    seed = time.time_ns()
    print(f"seed: {seed}")
    daemons = herd(engine)
    for each in daemons:
        each.start()
    for each in daemons:
        each.wait_watching()
    images = [pulled(engine, f"app{number}") for number in range(4)]
    ids = {each.id for each in images}
    for each in daemons:
        each.fence()
        each.stop()
    with Traffic(engine, images) as traffic, ThreadPoolExecutor(HERD) as pool:
        running = [pool.submit(die_again_and_again, each, traffic, ids, seed + number)
                   for number, each in enumerate(daemons)]
        outcomes = [each.result() for each in running]
        for each in daemons:
            each.start()
        for each in daemons:
            each.wait_watching()
    report("killed at random", engine, outcomes)
    assert sum(each.kills for each in outcomes) == HERD * KILLS_EACH
    assert any(each.demanding for each in outcomes)
    last = traffic.last(time.time_ns())
    for each in daemons:
        each.fence()
        cache = each.wait_cache(lambda cache: all(
            when <= cache.last_used(image_id) for image_id, when in last.items()), "all uses")
        each.stop()
        for image_id, when in last.items():  # later: a list had the container still (B6)
            assert cache.last_used(image_id) < when + 10**9
        assert files_beside(each) == {".lock"}
    assert present(engine, *images) == [True] * len(images)


def test_b15_killed_in_the_middle_of_a_write_the_old_file_stays(daemon: MakeDaemon,
                                                                engine: Engine) -> None:
    """The file is big, so that writing takes a while; it is killed as the new one appears."""
    watching = daemon(engine, LIMITS).start().wait_watching()
    image = pulled(engine, "app")
    watching.fence()
    watching.stop()
    asked_for = [{"image_tag": f"registry-{number}.example.com/{'long/' * 40}app:1.0",
                  "last_used": "2026-01-02T03:04:05.123456789Z"} for number in range(4000)]
    watching.edit_cache(lambda content: content["tracked"].extend(asked_for))
    temporary = Path(f"{watching.cache_path}.new")
    outcome = Outcome()
    for number in range(KILLS_WHILE_WRITING):
        begin = time.monotonic()
        watching.start().wait_status("Watching")
        outcome.back_after.append(time.monotonic() - begin)
        when = used(engine, image.reference)
        deadline = time.monotonic() + 7  # a write comes within 5 s; a busy machine may not see it
        while not temporary.exists() and time.monotonic() < deadline:
            assert watching.alive, watching.log
        time.sleep(random.uniform(0, 0.01) if number % 2 else 0)
        watching.kill()
        outcome.kills += 1
        outcome.while_writing += temporary.exists()
        cache = watching.cache()
        assert cache.origin(image.id) == "pulled" and len(cache.tracked) == len(asked_for)
        assert files_beside(watching) <= {".lock", ".new"}
    report("killed while writing", engine, [outcome])
    assert outcome.while_writing > 0, "not once in the middle"
    watching.start().wait_watching()
    watching.fence()
    assert watching.stop().last_used(image.id) >= when
    assert files_beside(watching) == {".lock"}


def test_b17_the_lock_of_a_killed_daemon_is_free_at_once(daemon: MakeDaemon,
                                                         engine: Engine) -> None:
    watching, second = daemon(engine, LIMITS), daemon(engine, LIMITS, notify=False)
    for _ in range(5):
        watching.start().wait_status("Watching")
        refused = second.run("--foreground")
        assert refused.returncode == 1
        assert f"held by another dockergcd, process {watching.pid}" in refused.stderr
        watching.kill()
    watching.start().wait_watching()
    watching.stop()
    assert files_beside(watching) == {".lock"}
