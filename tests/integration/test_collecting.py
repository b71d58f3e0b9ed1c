"""What is removed, when, and in which order: B20 to B25 and the settings of `gc`."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable

import pytest

import faults
from cache import format_time, parse_time
from daemon import Daemon, Texts
from engines import Engine
from images import image
from scenes import (Pulled, know_sizes, limit_for, loaded, present, pulled, room_for, shown_size,
                    taken, used)
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]

WEEK = 7 * 24 * 3600


def three(engine: Engine) -> list[Pulled]:
    """Images of 1 MB each; least recently used first: b, c, a."""
    images = {name: pulled(engine, name) for name in "abc"}
    used(engine, images["a"].reference)
    return [images[name] for name in "bca"]


def limit(daemon: Daemon, **gc: object) -> None:
    """Puts these settings in force and collects."""
    daemon.configure({"gc": gc})
    daemon.signal(signal.SIGHUP)
    daemon.fence()


# The age rule

def test_images_unused_for_longer_than_max_unused_go_at_start_up(watch: Watch,
                                                                 engine: Engine) -> None:
    daemon = watch(engine, {"max_unused": "4w"})
    old, young = pulled(engine, "old"), pulled(engine, "young")
    daemon.fence()
    daemon.stop()
    daemon.make_older(4 * WEEK + 60, old.id)
    daemon.make_older(4 * WEEK - 3600, young.id)
    daemon.start()
    daemon.wait(lambda: present(engine, old, young) == [False, True], "the old one's removal")
    daemon.fence()
    assert present(engine, old, young) == [False, True]
    assert daemon.stop().ids == {young.id}


def test_b20_an_interval_that_is_shorter_than_a_list_takes(watch: Watch,
                                                           scripted: ScriptedEngine) -> None:
    """With thousands of images: a list that is under way will do, not yet another one after it."""
    daemon = watch(scripted, {"interval": "500ms"})
    scripted.script("GET", "/images/json", faults.delay(1))
    before = daemon.collections
    daemon.wait(lambda: daemon.collections > before + 2, "collections")


def test_b20_the_timer_collects_what_has_become_too_old_meanwhile(watch: Watch,
                                                                  engine: Engine) -> None:
    daemon = watch(engine, {"max_unused": "2s", "interval": "1s", "grace": "1s"})
    begin = time.monotonic()
    app = pulled(engine, "app")
    daemon.wait(lambda: present(engine, app) == [False], "its removal")
    assert time.monotonic() - begin > 1.9


def test_b12_time_in_which_nobody_watched_does_not_count(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_unused": "4w"})
    image = pulled(engine, "app")
    daemon.fence()
    daemon.stop()

    def five_weeks_later(content: dict[str, object]) -> None:
        for entry in [content, *content["images"]]:  # type: ignore[misc]
            for key in ("first_seen", "last_used", "observed_until"):
                if key in entry:
                    entry[key] = format_time(parse_time(entry[key]) - 5 * WEEK * 10**9)

    daemon.edit_cache(five_weeks_later)
    daemon.start().wait_watching()
    daemon.fence()
    assert present(engine, image) == [True]
    assert daemon.stop().content["unobserved_seconds"] >= 5 * WEEK - 60


def test_b20_sigusr1_collects(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_unused": "1s"})
    image = pulled(engine, "app")
    seen = time.monotonic()
    daemon.wait(lambda: time.monotonic() - seen > 1.1, "the image to age")
    assert present(engine, image) == [True], "nothing else has collected"
    daemon.collect()
    daemon.wait(lambda: present(engine, image) == [False], "its removal")


# The size rule

@pytest.mark.needs("usage")
def test_b20_crossing_the_threshold_collects_once_the_pulls_have_settled(watch: Watch,
                                                                         engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": limit_for(engine, 2.5)})
    a, b = pulled(engine, "a"), pulled(engine, "b")
    daemon.fence()
    assert present(engine, a, b) == [True, True]
    used(engine, a.reference)
    c = pulled(engine, "c")
    daemon.wait(lambda: present(engine, a, b, c) == [True, False, True], "b's removal")
    removed = daemon.wait(lambda: Texts.REMOVED.search(daemon.log), "a line about it")
    assert (removed["what"], removed["reason"]) == (b.reference, "over-size")


def size_of_last(engine: Engine, images: list[Pulled], count: float) -> str:
    """Bytes in the last COUNT of the images, to the byte: 2.5 are two and half of the first."""
    whole = int(count)
    return str(int(taken(engine, *images[len(images) - whole:])
                   + (count - whole) * taken(engine, images[0])))


@pytest.mark.needs("usage")
@pytest.mark.parametrize(("maximum", "target", "left"), [
    (2.5, None, [False, True, True]),
    (3, None, [True, True, True]),
    (2.999999, None, [False, True, True]),
    (2.5, 1.5, [False, False, True]),
    (2.5, 1, [False, False, True]),
    (2.5, 0.999, [False, False, False]),
    (3, 1, [True, True, True]),
    (0, None, [True, True, True]),
])
def test_b24_the_shortest_prefix_that_gets_there_goes(
        watch: Watch, engine: Engine, maximum: float, target: float | None,
        left: list[bool]) -> None:
    daemon = watch(engine)
    images = three(engine)
    daemon.fence()
    limit(daemon, max_total_size=size_of_last(engine, images, maximum),
          target_total_size="" if target is None else size_of_last(engine, images, target))
    assert present(engine, *images) == left


@pytest.mark.needs("usage")
def test_b21_least_recently_used_first(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    order = three(engine)
    daemon.fence()
    for count in 2.5, 1.5, 0.5:
        limit(daemon, max_total_size=limit_for(engine, count))
        order = order[1:]
        assert engine.client.image_ids() == {each.id for each in order}


def test_b21_removals_are_sent_in_order(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    images = three(scripted)
    daemon.fence()
    limit(daemon, max_total_size="1")
    assert present(scripted, *images) == [False] * 3
    sent = [each.path.removeprefix("/images/") for each in scripted.requests("DELETE")]
    positions = [min(sent.index(name) for name in (each.reference, each.id) if name in sent)
                 for each in images]
    assert positions == sorted(positions)


@pytest.mark.needs("usage")
def test_b21_dangling_images_first_under_size_pressure(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, images={"manage": ["loaded"]})
    oldest, moved = loaded(engine, "oldest:1"), loaded(engine, "app:1")
    new = image("new")
    engine.client.load(new.archive("app:1"))
    used(engine, moved.id)
    daemon.fence()
    limit(daemon, max_total_size=limit_for(engine, 2.5))
    assert present(engine, oldest, moved, new) == [True, False, True]


@pytest.mark.needs("usage")
def test_b24_an_image_that_frees_nothing_does_not_stop_the_rest(watch: Watch,
                                                                engine: Engine) -> None:
    """The upper image has no bytes of its own: the space is freed with the one below."""
    daemon = watch(engine)
    one = pulled(engine, "twin")
    two = pulled(engine, "same", base=one.image, size=0)
    other = pulled(engine, "other")
    daemon.fence()
    limit(daemon, max_total_size=limit_for(engine, 1.5))
    assert present(engine, one, two, other) == [False, False, True]


def test_b22_an_error_of_the_size_rule_does_not_stop_the_age_rule(
        watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_unused": "4w", "max_total_size": "500kB", "grace": "1h"})
    old, young = pulled(scripted, "old"), pulled(scripted, "young")
    daemon.fence()
    daemon.stop()
    daemon.make_older(5 * WEEK, old.id)
    scripted.script("GET", "/system/df", faults.reply(500, {"message": "df is broken"}))
    daemon.start().wait_log("/system/df")
    daemon.wait(lambda: present(scripted, old, young) == [False, True], "the old one's removal")


# B23

def test_b23_grace_beats_every_rule(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "500kB", "max_unused": "1s", "grace": "1h"})
    old, young = pulled(engine, "old"), pulled(engine, "young")
    daemon.fence()
    assert present(engine, old, young) == [True, True]
    daemon.stop()
    daemon.make_older(2 * 3600, old.id)
    daemon.start().wait(lambda: present(engine, old, young) == [False, True], "the old one")
    daemon.fence()
    assert present(engine, old, young) == [False, True]


@pytest.mark.parametrize(("labels", "kept"), [
    ({"dockergcd.keep": ""}, True), ({"dockergcd.keep": "yes"}, True), ({"other": "1"}, False),
])
def test_b23_the_keep_label_protects(watch: Watch, engine: Engine, labels: dict[str, str],
                                     kept: bool) -> None:
    daemon = watch(engine, {"max_unused": "1s", "interval": "1s"})
    image = pulled(engine, "app", labels=labels)
    bait = pulled(engine, "bait")
    daemon.wait(lambda: present(engine, bait) == [False], "the other one's removal")
    daemon.fence()
    assert present(engine, image) == [kept]


def test_b23_still_over_the_limit_it_warns_once_and_waits(watch: Watch,
                                                          scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_total_size": "500kB", "grace": "1h"})
    pulled(scripted, "app")
    daemon.wait_log(r"^warning: .*grace")
    for _ in range(3):
        daemon.collect()
    assert daemon.log.count("\nwarning: ") == 1
    assert not scripted.requests("DELETE")


# B25

@pytest.mark.parametrize("body", [
    {}, {"LayersSize": None}, {"LayersSize": "3MB"}, {"LayersSize": -1}, {"LayersSize": 1.5e99},
    {"Images": []}, [], "text", {"LayersSize": {"a": 1}},
], ids=str)
def test_b25_usage_that_is_no_number_is_an_error_and_nothing_goes(watch: Watch,
                                                                  scripted: ScriptedEngine,
                                                                  body: object) -> None:
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    script = scripted.script("GET", "/system/df", faults.reply(200, body))
    limit(daemon, max_total_size="500kB")
    daemon.wait_log(r"^(error|warning): .*/system/df")
    assert present(scripted, image) == [True]
    assert not scripted.requests("DELETE")
    script.remove()
    daemon.collect()
    daemon.wait(lambda: present(scripted, image) == [False], "removal once the engine tells")


@pytest.mark.parametrize(("api", "asked"), [("1.41", None), ("1.44", "image"), ("1.52", "image"),
                                            ("1.55", "image")])
def test_b25_usage_is_read_in_every_versions_form(
        watch: Watch, scripted_engine: Callable[..., ScriptedEngine], api: str,
        asked: str | None) -> None:
    engine = scripted_engine(api_max=api)
    daemon = watch(engine, {"max_total_size": "1.5MB"})
    old, new = pulled(engine, "old"), pulled(engine, "new")
    daemon.wait(lambda: present(engine, old, new) == [False, True], "the old one's removal")
    assert engine.requests("GET", "/system/df")[-1].query.get("type") == asked


def test_b27_usage_is_measured_one_request_at_a_time_and_not_per_removal(
        watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    images = [pulled(scripted, f"app{number}") for number in range(12)]
    daemon.fence()
    scripted.script("GET", "/system/df", faults.delay(0.1))
    scripted.forget_requests()
    daemon.configure({"gc": {"max_total_size": "1"}})
    daemon.signal(signal.SIGHUP)
    daemon.collect()
    daemon.wait(lambda: not any(present(scripted, *images)), "all removals")
    times = [each.time for each in scripted.requests("GET", "/system/df")]
    assert len(times) <= 6
    assert all(later - earlier > 0.09 for earlier, later in zip(times, times[1:]))


# B28

def test_b28_removals_that_free_nothing_end_the_collection(watch: Watch,
                                                           scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    images = [pulled(scripted, f"app{number}") for number in range(10)]
    daemon.fence()
    scripted.script("DELETE", "*", faults.reply(200, [{"Untagged": "x:1"}]))
    scripted.forget_requests()
    limit(daemon, max_total_size="1")
    assert all(present(scripted, *images))
    assert len(scripted.requests("GET", "/system/df")) <= 12
    assert daemon.alive


# Settings

def test_max_removals_caps_one_collection(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    images = three(engine)
    daemon.fence()
    limit(daemon, max_unused="1ms", max_removals="1")
    while any(present(engine, *images)):
        daemon.collect()
    daemon.fence()
    assert re.findall(r"collection finished: (\d+) images? removed", daemon.log) == ["1"] * 3


@pytest.mark.needs("usage")
@pytest.mark.parametrize("how", ["setting", "option"])
def test_b34_a_dry_run_says_what_would_go_and_removes_nothing(watch: Watch, engine: Engine,
                                                              how: str) -> None:
    options = ("--foreground", "--dry-run") if how == "option" else ("--foreground",)
    daemon = watch(engine, {"dry_run": how == "setting"}, arguments=options)
    images = three(engine)
    daemon.fence()
    know_sizes(daemon, engine)
    limit(daemon, max_total_size=limit_for(engine, 1.5))
    assert present(engine, *images) == [True, True, True]
    planned = [each["what"] for each in Texts.PLANNED.finditer(daemon.log)]
    assert planned[-2:] == [each.reference for each in images[:2]]
    if isinstance(engine, ScriptedEngine):
        assert not engine.requests("DELETE")


@pytest.mark.needs("usage")
def test_disabled_it_says_the_plan_on_sigusr1_and_removes_nothing(watch: Watch,
                                                                  engine: Engine) -> None:
    daemon = watch(engine, {"enabled": False, "max_total_size": limit_for(engine, 1.5)})
    images = three(engine)
    daemon.fence()
    know_sizes(daemon, engine)
    daemon.collect()
    assert present(engine, *images) == [True, True, True]
    planned = {each["what"] for each in Texts.PLANNED.finditer(daemon.log)}
    assert planned == {each.reference for each in images[:2]}


@pytest.mark.needs("usage")
def test_once_collects_once_saves_and_ends(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    images = three(engine)
    daemon.fence()
    daemon.stop()
    daemon.configure({"gc": {"max_total_size": limit_for(engine, 1.5)}})
    daemon.once()
    assert present(engine, *images) == [False, False, True]
    assert daemon.cache().ids == {images[2].id}


def test_b40_a_plan_that_cannot_be_written_is_an_error(
        daemon: Callable[..., Daemon], scripted: ScriptedEngine) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = daemon(scripted).run("--foreground", "--once", "--dry-run", stdout=full)
    assert done.returncode == 1
    assert "cannot write what would be removed: No space left on device" in done.stderr


@pytest.mark.needs("usage")
def test_b34_b40_once_as_a_dry_run_prints_the_plan(watch: Watch, engine: Engine) -> None:
    """As a table, and changes neither engine nor cache file; then it happens as it was said."""
    daemon = watch(engine)
    images = three(engine)
    daemon.fence()
    daemon.stop()
    before = daemon.cache_path.read_bytes()
    daemon.configure({"gc": {"max_total_size": limit_for(engine, 1.5)}})
    above = shown_size(room_for(engine, 1.5) + taken(engine, *images[:2]))
    said = daemon.run("--foreground", "--once", "--dry-run")
    assert said.returncode == 0, said.stderr
    head, *rows = said.stdout.splitlines()
    assert head.split() == ["VERDICT", "REASON", "IMAGE", "FREES", "WHY"]
    assert [row.split()[:3] for row in rows] == [
        ["remove", "over-size", images[0].reference],
        ["remove", "over-size", images[1].reference],
        ["keep", "within-limits", images[2].reference],
    ]
    assert all(len(row) <= 100 for row in rows)
    assert re.search(rf"unused \S+; 2 before it; goes above {above}$", rows[2])
    assert present(engine, *images) == [True, True, True]
    assert daemon.cache_path.read_bytes() == before
    removed = [each["what"] for each in Texts.REMOVED.finditer(daemon.once())]
    assert removed == [each.reference for each in images[:2]]


@pytest.mark.parametrize("manage", [
    ["pulled"], pytest.param(["loaded"], marks=pytest.mark.needs("load-names")),
    pytest.param(["pulled", "loaded"], marks=pytest.mark.needs("load-names")), [],
], ids=str)
def test_only_origins_in_manage_are_collected(watch: Watch, engine: Engine,
                                              manage: list[str]) -> None:
    daemon = watch(engine, images={"manage": manage})
    by_pull, by_load = pulled(engine, "app"), loaded(engine, "other:1")
    daemon.fence()
    limit(daemon, max_unused="1ms")
    assert present(engine, by_pull, by_load) == ["pulled" not in manage, "loaded" not in manage]


@pytest.mark.needs("usage")
def test_usage_after_a_collection_is_what_the_engine_measures(watch: Watch,
                                                              engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": limit_for(engine, 2.5),
                            "target_total_size": limit_for(engine, 1.5)})
    base = pulled(engine, "base")
    child = pulled(engine, "child", base=base.image)
    other = pulled(engine, "other")
    daemon.wait(lambda: present(engine, base, child) == [False, False], "the removals")
    daemon.fence()
    assert engine.client.used() == taken(engine, other)
    assert present(engine, other) == [True]
