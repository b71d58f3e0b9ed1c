"""What Prometheus gets to see (B41): every metric, what it counts, and where it is served.

Numbers are held against what the engine itself tells: its events, its log of requests, its usage.
The alerts and the dashboard in etc/ are held against the daemon's metrics by a real Prometheus.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import itertools
import json
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import faults
from cache import parse_time
from daemon import WITHIN, Daemon, Texts
from engine_model import CacheRecord
from engines import Engine
from faults import Relay
from images import MB, image
from mounts import Mounts
from prometheus import FormatError, Metrics, Prometheus, Series, free_port, promtool
from real_engine import RealEngine
from scenes import limit_for, loaded, present, pulled, taken, two_pulled, used, wait_until
from scripted_engine import Request, ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]
MakeMounts = Callable[..., Mounts]
MakePrometheus = Callable[..., Prometheus]

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "etc/prometheus-rules.yml"
RULES_TEST = Path(__file__).with_name("prometheus-rules-test.yml")
DASHBOARD = ROOT / "etc/grafana-dashboard.json"

NOWHERE = "unix:///nonexistent/docker.sock"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WEEK = 7 * 24 * 3600
EVENTS = "GET */events?*"

TYPES = {
    "dockergcd_build_info": "gauge",
    "dockergcd_engine_up": "gauge",
    "dockergcd_engine_info": "gauge",
    "dockergcd_enabled": "gauge",
    "dockergcd_dry_run": "gauge",
    "dockergcd_paused": "gauge",
    "dockergcd_config_last_reload_successful": "gauge",
    "dockergcd_images": "gauge",
    "dockergcd_usage_bytes": "gauge",
    "dockergcd_free_bytes": "gauge",
    "dockergcd_filesystem_size_bytes": "gauge",
    "dockergcd_limit_bytes": "gauge",
    "dockergcd_max_unused_seconds": "gauge",
    "dockergcd_shortfall_bytes": "gauge",
    "dockergcd_collections_total": "counter",
    "dockergcd_last_collection_timestamp_seconds": "gauge",
    "dockergcd_last_collection_success": "gauge",
    "dockergcd_last_collection_removed_images": "gauge",
    "dockergcd_next_collection_timestamp_seconds": "gauge",
    "dockergcd_removals_total": "counter",
    "dockergcd_reclaimed_bytes_total": "counter",
    "dockergcd_build_cache_reclaimed_bytes_total": "counter",
    "dockergcd_events_total": "counter",
    "dockergcd_malformed_event_lines_total": "counter",
    "dockergcd_event_stream_reconnects_total": "counter",
    "dockergcd_event_differences_total": "counter",
    "dockergcd_unobserved_seconds_total": "counter",
    "dockergcd_engine_requests_total": "counter",
    "dockergcd_engine_request_duration_seconds": "histogram",
    "dockergcd_cache_file_writes_total": "counter",
    "dockergcd_cache_file_write_failures_total": "counter",
    "dockergcd_cache_file_writable": "gauge",
    "dockergcd_cache_file_last_write_timestamp_seconds": "gauge",
}
"""What is promised. Names and meanings are for ever: dashboards and alerts of others use them."""

ORIGINS = ("existing", "pulled", "built", "loaded")
REASONS = ("unused", "over-size", "low-space")
OUTCOMES = ("removed", "kept", "refused", "failed")
ACTIONS = {
    *(("container", each) for each in ("create", "start", "die", "destroy")),
    *(("image", each) for each in ("pull", "tag", "untag", "load", "import", "create", "push",
                                   "save", "delete")),
}

ALSO = {"remove": "destroy", "loadfromarchive": "load"}
"""podman's words."""

EVERYTHING = {"max_total_size": "60GB", "target_total_size": "50GB", "min_free_space": "1",
              "max_unused": "4w"}
"""With these limits there is a value of every metric."""


def metrics_of(daemon: Daemon) -> Metrics:
    """A scrape by the control socket; whatever it is, it is in the format."""
    reply = daemon.control.call("GET", "/metrics")
    assert (reply.status, reply.content_type) == (200, CONTENT_TYPE), reply
    return Metrics(reply.body.decode())


def wait_metrics(daemon: Daemon, condition: Callable[[Metrics], Any], what: str,
                 within: float = WITHIN) -> Metrics:
    """Until they say so. A condition about a value that is not there does not hold yet."""
    seen: list[Metrics] = []

    def holds() -> bool:
        seen[:] = [metrics_of(daemon)]
        with contextlib.suppress(LookupError):
            return bool(condition(seen[0]))
        return False

    daemon.wait(holds, f"metrics: {what}", within)
    return seen[0]


def check_clean(daemon: Daemon) -> None:
    """Prometheus' own tool has nothing to say on them."""
    text = daemon.control.call("GET", "/metrics").body.decode()
    done = promtool("check", "metrics", text=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), text


def reload(daemon: Daemon, settings: dict[str, Any]) -> None:
    before = daemon.log.count("configuration reloaded")
    daemon.configure(settings)
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: daemon.log.count("configuration reloaded") > before, "the reload")


def limit(daemon: Daemon, **gc: Any) -> None:
    """Puts these settings in force and collects."""
    reload(daemon, {"gc": gc})
    daemon.fence()


def removals(metrics: Metrics) -> dict[tuple[str, str], float]:
    """Those that there were, by reason and outcome."""
    found = metrics.by("dockergcd_removals_total", "reason", "outcome")
    return {key: value for key, value in found.items() if value}


def disk_of(engine: Engine, mounts: MakeMounts) -> tuple[tuple[str, ...], Path]:
    """What to put before the command of a daemon that is to see the engine's files, and where they
    are for us: on a tmpfs in both cases."""
    if isinstance(engine, RealEngine):
        mount = mounts(engine.namespace)
        return mount.enter, mount.inside(engine.directory / "data")
    mount = mounts()
    mount.mount("-t", "tmpfs", "-o", f"size={100 * MB}", "tmpfs", str(engine.root))
    return mount.enter, mount.inside(engine.root)


def collections_of(metrics: Metrics, outcome: str) -> float:
    return metrics.count("dockergcd_collections_total", outcome=outcome)


# The format

@pytest.mark.needs("usage")
def test_b41_every_metric_is_there_with_its_type(daemon: MakeDaemon, engine: Engine,
                                                 mounts: MakeMounts) -> None:
    made = daemon(engine, {"gc": EVERYTHING})
    made.front, _ = disk_of(engine, mounts)
    made.start().wait_watching()
    two_pulled(made, engine)
    metrics = wait_metrics(made, lambda metrics: metrics.has(
        "dockergcd_cache_file_last_write_timestamp_seconds"), "the first write")
    assert metrics.types == TYPES
    for name, kind in TYPES.items():
        for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            assert metrics.has(name + suffix), name
    version = made.run("--version").stdout.split()[1]
    assert metrics("dockergcd_build_info", version=version) == 1


def test_b41_counters_begin_at_zero(watch: Watch, scripted: ScriptedEngine) -> None:
    """One that appears with its first value has not increased, for Prometheus."""
    metrics = metrics_of(watch(scripted))
    assert metrics.by("dockergcd_removals_total", "reason", "outcome") == {
        each: 0 for each in itertools.product(REASONS, OUTCOMES)}
    assert metrics.by("dockergcd_malformed_event_lines_total", "cause") == {"syntax": 0,
                                                                            "too-long": 0}
    assert metrics.by("dockergcd_collections_total", "outcome") == {"finished": 1, "failed": 0}
    assert metrics.by("dockergcd_events_total", "type", "action") == {each: 0 for each in ACTIONS}
    for name in ("reclaimed_bytes", "build_cache_reclaimed_bytes", "event_stream_reconnects",
                 "event_differences", "cache_file_write_failures"):
        assert metrics(f"dockergcd_{name}_total") == 0


def test_b41_promtool_has_nothing_to_say_without_an_engine(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE).start()
    made.wait_status("Waiting")
    check_clean(made)
    metrics = metrics_of(made)
    assert metrics("dockergcd_engine_up") == 0
    assert metrics.types.items() <= TYPES.items()
    for name in ("engine_info", "usage_bytes", "last_collection_timestamp_seconds",
                 "last_collection_success", "last_collection_removed_images",
                 "next_collection_timestamp_seconds"):
        assert not metrics.has(f"dockergcd_{name}"), name


@pytest.mark.needs("usage")
def test_b41_promtool_has_nothing_to_say_after_collections(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    check_clean(daemon)
    old, new = two_pulled(daemon, engine)
    limit(daemon, **EVERYTHING, max_removals="1")
    check_clean(daemon)
    limit(daemon, max_total_size=limit_for(engine, 1.5), target_total_size="")
    assert present(engine, old, new) == [False, True]
    wait_metrics(daemon, removals, "the removal")
    check_clean(daemon)


def test_b41_promtool_has_nothing_to_say_after_faults(watch: Watch,
                                                      scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    two_pulled(daemon, scripted)
    scripted.log.inject(b"garbage\n")
    scripted.script("DELETE", "*", faults.reply(409, {"message": 'no "\\\n'}), times=1)
    scripted.script("DELETE", "*", faults.reply(500, {"message": "boom"}), times=1)
    scripted.script("GET", "/system/df", faults.garbage(), times=1)
    limit(daemon, max_total_size="1")
    daemon.config_path.write_text("oops")
    daemon.signal(signal.SIGHUP)
    wait_metrics(daemon, lambda metrics: len(removals(metrics)) == 3 and
                 not metrics("dockergcd_config_last_reload_successful"), "all of it")
    check_clean(daemon)
    scripted.stop()
    daemon.wait_status("Waiting")
    check_clean(daemon)


@pytest.mark.parametrize("text", [
    "# HELP a A.\n# TYPE a counter\na 1\n",
    "# TYPE a_total counter\na_total 1\n",
    "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"\"c\"} 1\n",
    "# HELP a_total A.\n# TYPE a_total counter\na_total 1 2 3\n",
], ids=["no-total", "no-help", "label", "value"])
def test_b41_promtool_would_say_it(text: str) -> None:
    done = promtool("check", "metrics", text=text)
    assert done.returncode != 0
    assert done.stdout + done.stderr


@pytest.mark.parametrize("text", [
    "", "a 1", "a 1\n", "# HELP a A.\n# TYPE a gauge\nb 1\n", "# HELP a A.\n# HELP a A.\n",
    "# HELP a A.\n# TYPE a gauge\na 1\na 1\n", "# HELP a A.\n# TYPE a gauge\na{b=\"\\c\"} 1\n",
    "# HELP a A.\n# TYPE a gauge\na{b=\"c\",} 1\n", "# HELP a A.\n# TYPE a gauge\na  1\n",
    "# HELP a A.\n# TYPE a gauge\na{b=\"\"\"} 1\n", "\n",
], ids=repr)
def test_b41_what_is_not_the_format_is_found(text: str) -> None:
    with pytest.raises(FormatError):
        Metrics(text)


def test_b41_labels_are_escaped(daemon: MakeDaemon, scripted: ScriptedEngine,
                                directory: Path) -> None:
    """What the user or the engine says is in them, control characters as \\xNN."""
    version = 'a"b\\c\nd\u202e{},=é'
    answer = {"Version": version, "ApiVersion": "1.41", "MinAPIVersion": "1.12",
              "Platform": {"Name": ""}, "Os": "linux", "Arch": "amd64"}
    scripted.script("GET", "/version", faults.reply(200, answer))
    odd = directory / 'quote"back\\slash'
    odd.symlink_to(directory)
    host = f"unix://{odd}/docker.sock"
    made = daemon(scripted, host=host).start().wait_watching()
    check_clean(made)
    info, = metrics_of(made).series("dockergcd_engine_info").items()
    assert dict(info[0]) == {"host": host, "api_version": "1.41",
                             "version": 'a"b\\c\\x0ad\\xe2\\x80\\xae{},=é'}
    assert info[1] == 1


# Images and limits

def by_origin(metrics: Metrics) -> dict[tuple[str, bool], float]:
    """All of it that is not 0; that the others are there as well is checked here."""
    found = metrics.by("dockergcd_images", "origin", "managed")
    assert set(found) == set(itertools.product(ORIGINS, ("true", "false")))
    return {(origin, managed == "true"): value
            for (origin, managed), value in found.items() if value}


@pytest.mark.needs("load-names")
def test_b41_images_by_origin_and_managed(watch: Watch, engine: Engine) -> None:
    """As the list of images has them; the steps of a build are none."""
    loaded(engine, "there:1", 1000)
    daemon = watch(engine, images={"manage": ["pulled"], "rules": ({"match": "mine-*"},)})
    assert by_origin(metrics_of(daemon)) == {("existing", False): 1}
    app, _ = pulled(engine, "app", 1000), pulled(engine, "other", 1001)
    for name in ("theirs:1", "mine-a:1", "mine-b:1"):
        loaded(engine, name, 1002)
    engine.client.build_classic("FROM scratch\nCOPY x /x\nLABEL a=1\n", {"x": b"x"}, "made:1")
    wanted = {("existing", False): 1.0, ("pulled", True): 2, ("loaded", False): 1,
              ("loaded", True): 2, ("built", False): 1}
    wait_metrics(daemon, lambda metrics: by_origin(metrics) == wanted, f"{wanted}")
    daemon.fence()
    assert by_origin(metrics_of(daemon)) == wanted == collections.Counter(
        (each["origin"], each["managed"])
        for each in daemon.control.get("/v1/images")["images"])
    engine.client.remove_image(app.reference)
    wanted["pulled", True] = 1
    wait_metrics(daemon, lambda metrics: by_origin(metrics) == wanted, "one less")
    daemon.control.post("/v1/track", {"images": ["there:1", "made:1"]})
    daemon.control.post("/v1/forget", {"images": [f"{engine.registry}/other:1"]})
    shown = collections.Counter((each["origin"], each["managed"])
                                for each in daemon.control.get("/v1/images")["images"])
    assert shown["pulled", False] == 1
    assert by_origin(metrics_of(daemon)) == shown


@pytest.mark.needs("usage")
def test_b41_usage_and_limits(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB", "target_total_size": "50GB",
                            "max_unused": "4w"})
    size = taken(engine, *two_pulled(daemon, engine))
    metrics = wait_metrics(daemon, lambda metrics: metrics("dockergcd_usage_bytes") == size,
                           "usage")
    assert engine.client.used() == size
    assert metrics.by("dockergcd_limit_bytes", "limit") == {"max_total_size": 60 * 10**9,
                                                            "target_total_size": 50 * 10**9}
    assert metrics("dockergcd_max_unused_seconds") == 4 * WEEK
    assert metrics.by("dockergcd_shortfall_bytes", "limit") == {"max_total_size": 0,
                                                                "min_free_space": 0}
    assert not metrics.has("dockergcd_free_bytes")
    assert not metrics.has("dockergcd_filesystem_size_bytes")
    limit(daemon, max_total_size="0", target_total_size="", max_unused="0")
    metrics = metrics_of(daemon)
    assert not metrics.has("dockergcd_limit_bytes")
    assert not metrics.has("dockergcd_max_unused_seconds")


def test_b41_usage_that_is_not_known_is_not_there(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_total_size": "60GB"})
    two_pulled(daemon, scripted)
    assert metrics_of(daemon)("dockergcd_usage_bytes") == 2 * MB
    script = scripted.script("GET", "/system/df", faults.reply(500, {"message": "df is broken"}))
    daemon.collect()
    wait_metrics(daemon, lambda metrics: not metrics.has("dockergcd_usage_bytes"), "none")
    script.remove()
    daemon.collect()
    wait_metrics(daemon, lambda metrics: metrics("dockergcd_usage_bytes") == 2 * MB, "it is back")


@pytest.mark.needs("usage")
def test_b41_what_is_too_much_and_may_not_go(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    mine, old = loaded(engine, "mine:1", 3 * MB), pulled(engine, "old")
    daemon.fence()
    limit(daemon, max_total_size="1MB", target_total_size="500kB")
    assert present(engine, mine, old) == [True, False]
    shortfall = {"max_total_size": taken(engine, mine) - 500_000.0, "min_free_space": 0.0}
    metrics = wait_metrics(daemon, lambda metrics: metrics.by(
        "dockergcd_shortfall_bytes", "limit") == shortfall, "what is too much")
    # Nothing is wrong with the collection itself.
    assert metrics("dockergcd_last_collection_success") == 1
    engine.client.remove_image("mine:1")
    daemon.fence()
    wait_metrics(daemon, lambda metrics: not any(metrics.by(
        "dockergcd_shortfall_bytes", "limit").values()), "nothing is, any more")


def test_b41_what_the_next_collection_will_remove_is_no_shortfall(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """One was stopped by max_removals, and one only says what it would do."""
    daemon = watch(scripted)
    for name in "abcd":
        pulled(scripted, name)
    daemon.fence()
    reload(daemon, {"gc": {"max_total_size": "500kB", "max_removals": "1"}})
    metrics = wait_metrics(daemon, lambda metrics: metrics(
        "dockergcd_last_collection_removed_images") == 1, "one is gone")
    assert metrics("dockergcd_usage_bytes") > MB
    assert metrics("dockergcd_shortfall_bytes", limit="max_total_size") == 0
    limit(daemon, dry_run=True, max_removals="0")
    metrics = metrics_of(daemon)
    assert metrics("dockergcd_usage_bytes") > MB
    assert metrics("dockergcd_shortfall_bytes", limit="max_total_size") == 0


def test_b41_free_space(daemon: MakeDaemon, engine: Engine, mounts: MakeMounts) -> None:
    """As the kernel tells it of the engine's file system, a tmpfs of a namespace."""
    made = daemon(engine)
    made.front, root = disk_of(engine, mounts)
    made.start().wait_watching()
    image = pulled(engine, "app", 3 * MB)
    loaded(engine, "mine:1", 2000)
    made.fence()
    space = os.statvfs(root)
    size = space.f_blocks * space.f_frsize

    def free() -> int:
        now = os.statvfs(root)
        return now.f_bavail * now.f_frsize

    limit(made, min_free_space="1%")
    metrics = wait_metrics(made, lambda metrics: metrics("dockergcd_free_bytes") == free(), "free")
    assert metrics("dockergcd_filesystem_size_bytes") == size
    assert metrics.by("dockergcd_limit_bytes", "limit") == {
        "min_free_space": pytest.approx(size / 100, abs=1)}
    assert metrics("dockergcd_shortfall_bytes", limit="min_free_space") == 0
    wanted = free() + 20 * MB
    limit(made, min_free_space=str(wanted))
    assert present(engine, image) == [False]
    metrics = wait_metrics(made, lambda metrics: removals(metrics) == {
        ("low-space", "removed"): 1} and metrics("dockergcd_shortfall_bytes",
                                                 limit="min_free_space") > 0, "the removal")
    made.fence()
    missing = metrics_of(made)("dockergcd_shortfall_bytes", limit="min_free_space")
    assert missing == pytest.approx(wanted - free(), abs=65536)
    assert metrics("dockergcd_shortfall_bytes", limit="max_total_size") == 0
    limit(made, min_free_space="0")
    metrics = metrics_of(made)
    assert not metrics.has("dockergcd_free_bytes")
    assert metrics("dockergcd_shortfall_bytes", limit="min_free_space") == 0


# Collections

@pytest.mark.needs("usage")
def test_b41_removed_for_size(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    old, new = two_pulled(daemon, engine)
    freed = taken(engine, old)
    before = metrics_of(daemon)
    assert before("dockergcd_last_collection_removed_images") == 0
    daemon.configure({"gc": {"max_total_size": limit_for(engine, 1.5)}})
    begin = time.time()
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: present(engine, old, new) == [False, True], "the removal")
    metrics = wait_metrics(daemon, lambda metrics: metrics(
        "dockergcd_last_collection_removed_images") == 1, "the collection's end")
    assert removals(metrics) == {("over-size", "removed"): 1}
    assert metrics("dockergcd_reclaimed_bytes_total") == freed
    assert metrics("dockergcd_usage_bytes") == taken(engine, new)
    assert collections_of(metrics, "finished") > collections_of(before, "finished")
    assert collections_of(metrics, "failed") == 0
    assert metrics("dockergcd_last_collection_success") == 1
    assert begin <= metrics("dockergcd_last_collection_timestamp_seconds") <= time.time()
    ended = parse_time(daemon.control.get("/v1/status")["last_collection"]["time"]) / 10**9
    assert metrics_of(daemon)("dockergcd_last_collection_timestamp_seconds") == \
        pytest.approx(ended, abs=0.01)


@pytest.mark.needs("usage")
def test_b41_removed_for_age(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_unused": "4w"})
    old, young = pulled(engine, "old", 2 * MB), pulled(engine, "young")
    freed = taken(engine, old)
    daemon.fence()
    daemon.stop()
    daemon.make_older(4 * WEEK + 60, old.id)
    daemon.start().wait_watching()
    metrics = wait_metrics(daemon, removals, "a removal")
    assert removals(metrics) == {("unused", "removed"): 1}
    assert metrics("dockergcd_reclaimed_bytes_total") == freed
    assert present(engine, old, young) == [False, True]


def test_b41_collections_are_counted(watch: Watch, engine: Engine) -> None:
    """As often as the log tells, and the next one is where the status says."""
    daemon = watch(engine)
    for _ in range(3):
        daemon.collect()
    daemon.fence()
    metrics = wait_metrics(daemon, lambda metrics: collections_of(metrics, "finished") ==
                           daemon.collections, "each of them")
    assert collections_of(metrics, "finished") >= 6
    planned = parse_time(daemon.control.get("/v1/status")["next_collection"]) / 10**9
    assert metrics("dockergcd_next_collection_timestamp_seconds") == pytest.approx(planned, abs=1)
    assert 3500 < metrics("dockergcd_next_collection_timestamp_seconds") - time.time() < 3601


def test_b41_refused(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    two_pulled(daemon, scripted)
    scripted.script("DELETE", "*", faults.reply(409, {"message": "no, thanks"}), times=1)
    limit(daemon, max_total_size="500kB")
    wanted = {("over-size", "refused"): 1.0, ("over-size", "removed"): 2.0}
    metrics = wait_metrics(daemon, lambda metrics: removals(metrics) == wanted, "all outcomes")
    assert metrics("dockergcd_reclaimed_bytes_total") == 2 * MB
    assert collections_of(metrics, "failed") == 0


def test_b41_failed(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    two_pulled(daemon, scripted)
    script = scripted.script("DELETE", "*", faults.reply(500, {"message": "boom"}))
    reload(daemon, {"gc": {"max_total_size": "500kB"}})
    metrics = wait_metrics(daemon, lambda metrics: removals(metrics).get(
        ("over-size", "failed"), 0) >= 2, "two tries")
    assert metrics("dockergcd_last_collection_success") == 0
    assert metrics("dockergcd_last_collection_removed_images") == 0
    assert metrics("dockergcd_reclaimed_bytes_total") == 0
    script.remove()
    daemon.wait(lambda: not scripted.client.image_ids(everything=True), "both gone", within=40)
    daemon.fence()
    tries = len(scripted.requests("DELETE")) - 2
    wanted = {("over-size", "failed"): tries, ("over-size", "removed"): 2}
    metrics = wait_metrics(daemon, lambda metrics: removals(metrics) == wanted, "each try")
    assert collections_of(metrics, "failed") == tries
    assert metrics("dockergcd_last_collection_success") == 1


@pytest.mark.parametrize("when", ["between-names", "before-its-turn"])
def test_b41_kept(watch: Watch, scripted: ScriptedEngine, when: str) -> None:
    """A container was faster: the verdict changes once a removal is under way."""
    daemon = watch(scripted)
    first, second = two_pulled(daemon, scripted)
    scripted.client.tag(first.reference, "other:1")
    used(scripted, second.reference)
    daemon.fence()
    kept, gone = (first, second) if when == "between-names" else (second, first)
    release = threading.Event()
    scripted.script("DELETE", "*", faults.hang(release), times=1)
    reload(daemon, {"gc": {"max_total_size": "500kB"}})
    daemon.wait(lambda: scripted.requests("DELETE"), "the first removal")
    scripted.client.create(kept.id)
    scripted.flush()
    wait_metrics(daemon, lambda metrics: metrics.count(
        "dockergcd_events_total", type="container", action="create") == 4, "the event is read")
    release.set()
    daemon.wait_log(r"^info: kept .*: .*in-use by now")
    daemon.wait(lambda: present(scripted, kept, gone) == [True, False], "the other one's removal")
    daemon.fence()
    wanted = {("over-size", "kept"): 1.0, ("over-size", "removed"): 1.0}
    wait_metrics(daemon, lambda metrics: removals(metrics) == wanted, "both outcomes")


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/containers/json"), ("GET", "/system/df"), ("GET", "/images/json"), ("DELETE", "*"),
])
def test_b41_a_collection_that_fails(watch: Watch, scripted: ScriptedEngine, method: str,
                                     path: str) -> None:
    """Whatever the request that fails, the alert on failing collections gets to know."""
    daemon = watch(scripted, {"interval": "1s"})
    two_pulled(daemon, scripted)
    assert metrics_of(daemon)("dockergcd_last_collection_success") == 1
    script = scripted.script(method, path, faults.reply(500, {"message": "boom"}))
    reload(daemon, {"gc": {"max_total_size": "500kB"}})
    begin = time.time()
    metrics = wait_metrics(daemon, lambda metrics: metrics(
        "dockergcd_last_collection_success") == 0, "it has failed")
    assert collections_of(metrics, "failed") >= 1
    metrics = wait_metrics(daemon, lambda metrics: metrics(
        "dockergcd_last_collection_timestamp_seconds") > begin, "it was tried again")
    script.remove()
    wait_metrics(daemon, lambda metrics: metrics("dockergcd_last_collection_success") == 1,
                 "it works again", within=40)
    assert not scripted.client.image_ids(everything=True)


def test_b41_build_cache_is_counted_by_itself(daemon: MakeDaemon,
                                              scripted: ScriptedEngine) -> None:
    now = time.time_ns()
    scripted.model.build_cache.extend(
        CacheRecord(name, MB, now - (5 - number) * 10**12) for number, name in enumerate("abcde"))
    made = daemon(scripted, {"build_cache": {"max_total_size": "2500kB"}})
    made.start().wait_watching()
    metrics = wait_metrics(made, lambda metrics: metrics(
        "dockergcd_build_cache_reclaimed_bytes_total") == 3 * MB, "what it was")
    assert len(scripted.model.build_cache) == 2
    assert metrics("dockergcd_reclaimed_bytes_total") == 0
    assert not removals(metrics)


@pytest.mark.parametrize("gc", [{}, {"enabled": False}, {"dry_run": True}], ids=str)
def test_b41_enabled_dry_run_and_paused(watch: Watch, scripted: ScriptedEngine,
                                        gc: dict[str, bool]) -> None:
    daemon = watch(scripted, gc)
    metrics = metrics_of(daemon)
    assert metrics("dockergcd_enabled") == gc.get("enabled", True)
    assert metrics("dockergcd_dry_run") == gc.get("dry_run", False)
    assert metrics("dockergcd_paused") == 0
    assert metrics.has("dockergcd_next_collection_timestamp_seconds")
    daemon.control.post("/v1/pause", **{"for": "2h"})
    metrics = metrics_of(daemon)
    assert metrics("dockergcd_paused") == 1
    assert not metrics.has("dockergcd_next_collection_timestamp_seconds")
    daemon.control.post("/v1/resume")
    metrics = metrics_of(daemon)
    assert metrics("dockergcd_paused") == 0
    assert metrics.has("dockergcd_next_collection_timestamp_seconds")
    daemon.control.post("/v1/pause", **{"for": "300ms"})
    assert metrics_of(daemon)("dockergcd_paused") == 1
    wait_metrics(daemon, lambda metrics: not metrics("dockergcd_paused"), "it ends by itself")
    reload(daemon, {"gc": {"enabled": True, "dry_run": True}})
    metrics = metrics_of(daemon)
    assert (metrics("dockergcd_enabled"), metrics("dockergcd_dry_run")) == (1, 1)


def test_b41_a_configuration_that_is_not_reloaded(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    assert metrics_of(daemon)("dockergcd_config_last_reload_successful") == 1
    daemon.config_path.write_text("gc: { oops = 1; };")
    daemon.signal(signal.SIGHUP)
    wait_metrics(daemon, lambda metrics: metrics("dockergcd_config_last_reload_successful") == 0,
                 "it has failed")
    reload(daemon, {})
    assert metrics_of(daemon)("dockergcd_config_last_reload_successful") == 1


# Events

@pytest.fixture
def relay(directory: Path, engine: Engine) -> Iterator[Relay]:
    """In front of an engine, scripted or real."""
    made = Relay(directory, engine.socket_path)
    yield made
    made.close()


def test_b41_events_by_type_and_action(watch: Watch, engine: Engine) -> None:
    """Just as many as the engine itself remembers."""
    begin = time.time_ns()
    daemon = watch(engine)
    app = pulled(engine, "app", runnable=True)
    pulled(engine, "other", 1000)
    loaded(engine, "mine:1", 1000)
    engine.client.tag(app.reference, "second:1")
    used(engine, app.reference)
    container = engine.client.run(app.reference)
    engine.client.stop(container)
    engine.client.remove_container(container)
    engine.client.remove_image("mine:1")
    daemon.fence()
    told = collections.Counter((each["Type"], ALSO.get(each["Action"], each["Action"]))
                               for each in engine.client.events(begin))
    wanted = {key: float(count) for key, count in told.items() if key in ACTIONS}
    assert {("image", "pull"), ("image", "load"), ("image", "tag"), ("image", "delete"),
            ("container", "create"), ("container", "start"), ("container", "die"),
            ("container", "destroy")} <= set(wanted)
    assert ("image", "untag") in wanted or engine.store == "podman"
    assert wanted["image", "pull"] == wanted["container", "create"] == 2

    def counted(metrics: Metrics) -> dict[Any, float]:
        found = metrics.by("dockergcd_events_total", "type", "action")
        return {key: value for key, value in found.items() if value}

    wait_metrics(daemon, lambda metrics: counted(metrics) == wanted, f"{wanted}")


def test_b41_malformed_lines(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    for line in (b"garbage", b"{", b"[]", b'{"Type":"image","Action":7}', b"\x00\xff"):
        scripted.log.inject(line + b"\n")
    for _ in range(2):
        scripted.log.inject(b'{"Type":"' + b"x" * (2**20 + 1) + b'"}\n')
    used(scripted, pulled(scripted, "app").reference)
    metrics = wait_metrics(daemon, lambda metrics: metrics.count(
        "dockergcd_events_total", action="destroy") == 1, "what comes after them")
    assert metrics.by("dockergcd_malformed_event_lines_total", "cause") == {"syntax": 5,
                                                                            "too-long": 2}


@pytest.mark.needs("large-events")
def test_b41_lines_that_are_too_long(watch: Watch, engine: Engine) -> None:
    """The label of a container is in its every event."""
    daemon = watch(engine)
    app = pulled(engine, "app", 1000)
    body = {"Image": app.reference, "Cmd": ["/x"], "HostConfig": {"NetworkMode": "none"},
            "Labels": {"large": "x" * 5 * 2**20}}
    container = engine.client.call("POST", "/containers/create", None,
                                   json.dumps(body).encode()).json()["Id"]
    engine.client.remove_container(container)
    used(engine, app.reference)
    metrics = wait_metrics(daemon, lambda metrics: metrics.count(
        "dockergcd_events_total", action="destroy") == 1, "what comes after them")
    assert metrics.by("dockergcd_malformed_event_lines_total", "cause") == {"syntax": 0,
                                                                            "too-long": 2}


@pytest.mark.needs("resume")
def test_b41_streams_that_break(daemon: MakeDaemon, engine: Engine, relay: Relay) -> None:
    """Each is counted; where nothing was missed, no event is counted twice."""
    begin = time.time_ns()
    made = daemon(engine, host=relay.host).start().wait_watching()
    app = pulled(engine, "app")
    used(engine, app.reference)
    made.fence()
    for number in range(1, 4):
        resumed = made.log.count("event stream resumed, nothing missed")
        assert relay.cut(EVENTS) == 1
        made.wait(lambda: made.log.count("event stream resumed, nothing missed") > resumed,
                  "it goes on")
        metrics = metrics_of(made)
        assert metrics("dockergcd_event_stream_reconnects_total") == number
        assert metrics("dockergcd_engine_up") == 1
    used(engine, app.reference)
    made.fence()
    told = collections.Counter(each["Action"] for each in engine.client.events(begin)
                               if (each["Type"], each["Action"]) in ACTIONS)
    assert told["destroy"] == 2
    metrics = metrics_of(made)
    assert {action: metrics.count("dockergcd_events_total", action=action)
            for action in told} == told


def test_b41_what_no_event_has_told(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"interval": "2500ms"})
    daemon.fence()
    publish, scripted.model.emit = scripted.model.emit, lambda *_arguments: None
    loaded(scripted, "silent:1")
    scripted.client.load(image("other").archive("silent:2"))
    scripted.model.emit = publish
    daemon.wait(lambda: daemon.log.count("no event told that") == 2, "both", within=30)
    wait_metrics(daemon, lambda metrics: metrics("dockergcd_event_differences_total") == 2, "both")


def test_b41_the_engine_goes_and_comes_back(daemon: MakeDaemon, restartable: Engine) -> None:
    made = daemon(restartable).start().wait_watching()
    before = metrics_of(made)
    status = made.control.get("/v1/status")
    shown = restartable.client.version()
    info: Series = {frozenset({("host", status["engine"]["host"]), ("version", shown["Version"]),
                               ("api_version", shown["ApiVersion"])}): 1}
    assert before("dockergcd_engine_up") == 1
    assert before.series("dockergcd_engine_info") == info
    restartable.stop()
    metrics = wait_metrics(made, lambda metrics: metrics("dockergcd_engine_up") == 0, "away")
    begin = time.monotonic()
    assert not metrics.has("dockergcd_engine_info")
    assert not metrics.has("dockergcd_next_collection_timestamp_seconds")
    wait_until(begin + 2.5, made)
    restartable.start()
    made.wait_status("Watching")
    metrics = wait_metrics(made, lambda metrics: metrics("dockergcd_engine_up") == 1, "back")
    took = time.monotonic() - begin
    assert metrics.series("dockergcd_engine_info") == info
    name = "dockergcd_unobserved_seconds_total"
    metrics = wait_metrics(made, lambda metrics: metrics(name) - before(name) >= 2.5, "all of it")
    assert metrics(name) - before(name) <= took + 5
    assert metrics(name) == pytest.approx(made.control.get("/v1/status")["unobserved"], abs=1)


# Requests

ENDPOINTS = (
    ("GET", "/_ping", "ping"), ("GET", "/version", "version"), ("GET", "/info", "info"),
    ("GET", "/images/json", "images"), ("GET", "/images/*/json", "image"),
    ("GET", "/images/*/history", "history"), ("GET", "/containers/json", "containers"),
    ("GET", "/containers/*/json", "container"), ("GET", "/system/df", "system_df"),
    ("POST", "/build/prune", "build_prune"), ("DELETE", "/images/*", "image_remove"),
)
"""The first that matches."""


def endpoint_of(request: Request) -> str:
    return next(name for method, path, name in ENDPOINTS if request.matches(method, path))


def asked(engine: ScriptedEngine) -> dict[str, float]:
    """How often the engine was asked for what, but for its events, which never end."""
    return dict(collections.Counter(endpoint_of(each) for each in engine.requests()
                                    if each.path != "/events"))


def requests_of(metrics: Metrics) -> dict[str, float]:
    """By endpoint, whatever came of them."""
    total: collections.Counter[str] = collections.Counter()
    for (endpoint, _), value in metrics.by(
            "dockergcd_engine_requests_total", "endpoint", "code").items():
        total[endpoint] += int(value)
    return {endpoint: value for endpoint, value in total.items() if value}


def wait_asked(daemon: Daemon, engine: ScriptedEngine) -> Metrics:
    """Until each request that the engine has got is counted."""
    return wait_metrics(daemon, lambda metrics: requests_of(metrics) == asked(engine),
                        "all requests")


def test_b41_requests_are_those_that_the_engine_gets(daemon: MakeDaemon,
                                                     scripted: ScriptedEngine) -> None:
    scripted.model.build_cache.append(CacheRecord("a", MB, time.time_ns()))
    made = daemon(scripted, {"build_cache": {"max_total_size": "500kB"}})
    made.start().wait_watching()
    base = image("base")
    for name in "ab":  # they part within what only a history tells
        pulled(scripted, name, base=base)
    container = secrets.token_hex(32)
    scripted.script("GET", f"/containers/{container}/json", faults.reply(200, {
        "Id": container, "Image": base.id, "Name": "/c", "State": {"Status": "running"},
        "Config": {"Image": "something:1"}}))
    scripted.log.publish("container", "start", container, {"image": "something:1", "name": "c"})
    made.fence()
    limit(made, max_total_size="1")
    made.wait(lambda: not scripted.client.image_ids(everything=True), "removals")
    made.fence()
    assert set(asked(scripted)) == {name for _, _, name in ENDPOINTS}
    metrics = wait_asked(made, scripted)
    codes = metrics.by("dockergcd_engine_requests_total", "endpoint", "code")
    assert {code for (_, code), value in codes.items() if value} <= {"200", "404"}
    check_histograms(metrics)


def check_histograms(metrics: Metrics) -> None:
    """Buckets ascend, each holds those before it, the last one all, which are all requests."""
    name = "dockergcd_engine_request_duration_seconds"
    counts = metrics.by(f"{name}_count", "endpoint")
    sums = metrics.by(f"{name}_sum", "endpoint")
    assert {key: value for key, value in counts.items() if value} == requests_of(metrics)
    assert set(sums) == set(counts)
    for endpoint, count in counts.items():
        found = buckets(metrics, endpoint)
        assert list(found)[-1] == float("inf") and len(found) > 5
        assert list(found.values()) == sorted(found.values())
        assert found[float("inf")] == count
        assert (sums[endpoint] > 0) == (count > 0)


def buckets(metrics: Metrics, endpoint: str) -> dict[float, float]:
    """How many took so long at most, in ascending order."""
    found = metrics.by("dockergcd_engine_request_duration_seconds_bucket", "endpoint", "le")
    of_it = {float(le): value for (of, le), value in found.items() if of == endpoint}
    return dict(sorted(of_it.items()))


def test_b41_a_slow_answer_lands_in_its_bucket(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_total_size": "60GB"})
    daemon.fence()
    before = wait_asked(daemon, scripted)
    scripted.forget_requests()
    slow = 0.7
    scripted.script("GET", "/system/df", faults.delay(slow), times=1)
    begin = time.monotonic()
    daemon.control.post("/v1/gc", wait=1)
    took = time.monotonic() - begin
    assert len(scripted.requests("GET", "/system/df")) == 1
    metrics = metrics_of(daemon)
    check_histograms(metrics)
    old, new = buckets(before, "system_df"), buckets(metrics, "system_df")
    assert list(old) == list(new)
    grown = {bound: new[bound] - old[bound] for bound in new}
    assert not any(value for bound, value in grown.items() if bound < slow)
    assert all(value == 1 for bound, value in grown.items() if bound >= took)
    assert any(bound < slow for bound in grown) and any(took <= bound < 60 for bound in grown)
    name = "dockergcd_engine_request_duration_seconds_sum"
    grew = metrics(name, endpoint="system_df") - before(name, endpoint="system_df")
    assert slow <= grew <= took


def test_b41_each_request_has_a_time_of_its_own(daemon: MakeDaemon,
                                                scripted: ScriptedEngine) -> None:
    """Those that follow a slow ping are not slow, nor is one after a wait for the engine."""
    slow = 1.5
    scripted.script("GET", "/_ping", faults.delay(slow), times=1)
    scripted.script("GET", "/system/df", faults.reply(
        500, {"message": "a disk usage operation is already running"}), times=3)
    made = daemon(scripted).start().wait_watching()
    name = "dockergcd_engine_request_duration_seconds_sum"
    metrics = wait_metrics(made, lambda metrics: metrics(
        "dockergcd_engine_requests_total", endpoint="system_df", code="200") == 1, "a measure")
    assert slow <= metrics(name, endpoint="ping")
    for endpoint in ("version", "info", "images", "system_df"):
        assert metrics(name, endpoint=endpoint) < slow, endpoint
    times = [each.time for each in scripted.requests("GET", "/system/df")]
    assert len(times) == 4 and times[-1] - times[0] >= 1.4, "they were half a second apart"


@pytest.mark.parametrize(("fault", "code"), [
    (faults.reply(500, {"message": "a disk usage operation is already running"}), "500"),
    (faults.html(502), "502"), (faults.garbage(), "error"), (faults.truncate(20), "error"),
    (faults.hang(threading.Event()), "timeout"), (faults.reply(200, b"nonsense"), "200"),
    (faults.reply(404, {"message": "page not found"}), "404"),
], ids=["busy", "502", "garbage", "cut", "hang", "nonsense", "404"])
def test_b41_what_came_of_a_request(daemon: MakeDaemon, scripted: ScriptedEngine,
                                    fault: faults.Fault, code: str) -> None:
    made = daemon(scripted, {"gc": {"max_total_size": "60GB"},
                             "engine": {"request_timeout": "1s"}})
    made.start().wait_watching()
    made.fence()
    before = wait_asked(made, scripted)
    scripted.script("GET", "/system/df", fault, times=1)
    made.signal(signal.SIGUSR1)
    asked_before = requests_of(before)["system_df"]
    # The one that goes wrong and another one, which does not: a collection that failed, or a
    # measure that was refused, is tried again.
    made.wait(lambda: asked(scripted)["system_df"] == asked_before + 2, "the second request")
    metrics = wait_asked(made, scripted)

    def counted(metrics: Metrics) -> dict[Any, float]:
        found = metrics.by("dockergcd_engine_requests_total", "endpoint", "code")
        return {key[1]: value for key, value in found.items() if key[0] == "system_df" and value}

    wanted = counted(before)
    for each in (code, "200"):
        wanted[each] = wanted.get(each, 0) + 1
    assert counted(metrics) == wanted
    check_histograms(metrics)


def test_b41_an_engine_that_does_not_answer_is_counted(daemon: MakeDaemon,
                                                       scripted: ScriptedEngine) -> None:
    """Connections are taken: a ping times out. None are: it is an error."""
    made = daemon(scripted, {"engine": {"connect_timeout": "500ms"}}).start().wait_watching()
    scripted.kill()
    wait_metrics(made, lambda metrics: metrics(
        "dockergcd_engine_requests_total", endpoint="ping", code="error") >= 2, "refused")
    scripted.freeze()
    scripted.start()
    metrics = wait_metrics(made, lambda metrics: metrics(
        "dockergcd_engine_requests_total", endpoint="ping", code="timeout") >= 2, "no answer")
    check_histograms(metrics)
    scripted.thaw()


def test_b41_a_scrape_asks_nobody(watch: Watch, scripted: ScriptedEngine) -> None:
    """And is answered while the engine has nothing to say."""
    daemon = watch(scripted, {"max_total_size": "60GB"})
    daemon.fence()
    scripted.forget_requests()
    for _ in range(100):
        metrics_of(daemon)
    assert scripted.requests() == []
    release = threading.Event()
    scripted.script("GET", "/system/df", faults.hang(release), times=1)
    daemon.signal(signal.SIGUSR1)
    daemon.wait(lambda: scripted.requests("GET", "/system/df"), "it is measuring")
    assert metrics_of(daemon)("dockergcd_engine_up") == 1
    release.set()
    daemon.fence()


# The cache file

def test_b41_the_cache_file(daemon: MakeDaemon, engine: Engine, mounts: MakeMounts) -> None:
    """Writes that succeed and, on a disk that has become read-only, fail."""
    made = daemon(engine)
    namespace, folder = mounts(), made.directory / "cache"
    made.front = namespace.enter
    made.cache_path = namespace.inside(made.cache_path)
    made.start().wait_watching()
    app = pulled(engine, "app")
    made.wait_cache(lambda cache: cache.ids == {app.id}, "the image")
    writes, failures = ("dockergcd_cache_file_writes_total",
                        "dockergcd_cache_file_write_failures_total")
    last = "dockergcd_cache_file_last_write_timestamp_seconds"
    before = metrics_of(made)
    assert before(writes) >= 1
    assert before(failures) == 0
    assert before("dockergcd_cache_file_writable") == 1
    assert before(last) == pytest.approx(made.cache_path.stat().st_mtime, abs=1)
    namespace.mount("--bind", str(folder), str(folder))
    namespace.mount("-o", "remount,bind,ro", str(folder))
    used(engine, app.reference)
    broken = wait_metrics(made, lambda metrics: metrics(failures) >= 1, "that fails")
    assert broken("dockergcd_cache_file_writable") == 0
    assert broken(writes) == before(writes)
    assert broken(last) == before(last)
    namespace.umount(folder)
    begin = time.time()
    mended = wait_metrics(made, lambda metrics: metrics("dockergcd_cache_file_writable") == 1,
                          "it is written again")
    assert mended(writes) == before(writes) + 1
    assert mended(last) == pytest.approx(made.cache_path.stat().st_mtime, abs=1)
    assert begin <= mended(last) <= time.time()
    assert mended(failures) == broken(failures)


# Where they are served

LOOPBACK = ["127.0.0.1", "::1"]


def joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def listen_at(address: str) -> tuple[int, dict[str, Any]]:
    """A free port, and the settings that serve metrics there."""
    port = free_port(address)
    return port, {"control": {"metrics_listen": joined(address, port)}}


def call(address: str, port: int, method: str = "GET",
         path: str = "/metrics") -> tuple[int, str, str]:
    """Status, content type, body."""
    connection = http.client.HTTPConnection(address, port, timeout=WITHIN)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return (response.status, response.headers.get("Content-Type", ""),
                response.read().decode())
    finally:
        connection.close()


def serves(address: str, port: int) -> bool:
    """Whether metrics of a dockergcd are there; false if nobody listens."""
    try:
        status, content_type, text = call(address, port)
    except ConnectionRefusedError:
        return False
    assert (status, content_type) == (200, CONTENT_TYPE)
    return Metrics(text)("dockergcd_engine_up") in (0, 1)


@pytest.mark.parametrize("address", LOOPBACK)
def test_b41_served_by_tcp_and_nothing_else_is(daemon: MakeDaemon, scripted: ScriptedEngine,
                                               address: str) -> None:
    port, settings = listen_at(address)
    made = daemon(scripted, settings).start().wait_watching()
    app = pulled(scripted, "app")
    made.fence()
    status, content_type, text = call(address, port)
    assert (status, content_type) == (200, CONTENT_TYPE)
    metrics = Metrics(text)
    assert metrics.types == metrics_of(made).types
    assert metrics("dockergcd_images", origin="pulled", managed="true") == 1
    before = made.control.get("/v1/status")
    collections_before = made.collections
    for method, path in (
            ("GET", "/"), ("GET", "/v1/status"), ("GET", "/v1/images"), ("GET", "/v1/plan"),
            ("GET", f"/v1/images/{app.id}"), ("GET", "/v1/history"), ("POST", "/v1/gc"),
            ("POST", "/v1/gc?wait=1"), ("POST", "/v1/track"), ("POST", "/v1/forget"),
            ("POST", "/v1/pause"), ("POST", "/v1/pause?for=2h"), ("POST", "/v1/resume"),
            ("GET", "/metrics/"), ("GET", "/metrics/x"), ("GET", "/v1/metrics"), ("GET", "/v1")):
        assert call(address, port, method, path)[0] == 404, (method, path)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert call(address, port, method)[0] == 405, method
        assert made.control.call(method, "/metrics").status == 405, method
    after = made.control.get("/v1/status")
    assert after == before and after["paused_until"] is None
    assert made.collections == collections_before
    assert call(address, port, path="/metrics?x=y")[0] == 200


def test_b41_not_by_tcp_unless_asked_for(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    mine = {os.readlink(each) for each in Path(f"/proc/{daemon.pid}/fd").iterdir()}
    listening = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{daemon.pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":  # LISTEN
                listening.add(f"socket:[{fields[9]}]")
    assert not mine & listening
    assert metrics_of(daemon)("dockergcd_engine_up") == 1


@pytest.mark.parametrize("address", LOOPBACK)
def test_b41_a_port_that_is_taken(daemon: MakeDaemon, scripted: ScriptedEngine,
                                  address: str) -> None:
    """Told in log and status, and images are collected all the same; a reload tries again."""
    port, settings = listen_at(address)
    made = daemon(scripted, {**settings, "gc": {"max_total_size": "1.5MB", "settle": "50ms"}})
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family):
        made.start().wait_watching()
        where = re.escape(joined(address, port))
        made.wait_log(rf"^error: .*{where}.*(in use|another)")
        error, = made.control.get("/v1/status")["errors"]
        assert joined(address, port) in error
        made.wait(lambda: joined(address, port) in made.status, "STATUS tells")
        old, new = pulled(scripted, "old"), pulled(scripted, "new")
        made.wait(lambda: present(scripted, old, new) == [False, True], "a collection")
        wait_metrics(made, removals, "its removal, by the control socket")
    reload(made, {})
    made.wait(lambda: serves(address, port), "it is served")
    made.wait(lambda: made.control.get("/v1/status")["errors"] == [], "no error any more")


@pytest.mark.parametrize("address", [
    "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:65536",
    "127.0.0.1:-1", "127.0.0.1:80x", "127.0.0.1: 80", "localhost:80", ":9487", "9487",
    "1.2.3:80", "256.0.0.1:80", "::1", "::1:9487", "[::1]", "[::1]:", "[::1]:0", "[::1]:70000",
    "[::1:9487", "[127.0.0.1]:9487", "[]:9487", "http://127.0.0.1:9487", "unix:/run/x", "*:9487",
    "nonsense", " ", "127.0.0.1:9487 ", "127.0.0.1:9487,[::1]:9487",
], ids=repr)
def test_b33_b41_addresses_that_make_no_sense(daemon: MakeDaemon, address: str) -> None:
    made = daemon(NOWHERE)
    made.config_path.write_text(
        f'control: {{\n  socket = "";\n  metrics_listen = "{address}";\n}};\n')
    for arguments in (("--check-config",), ("--foreground",)):
        done = made.run(*arguments)
        assert done.returncode == 78
        errors = Texts.CONFIG_ERROR.findall(done.stdout + done.stderr)
        assert [(file, line) for file, line, _ in errors] == [(str(made.config_path), "3")]
        assert "control.metrics_listen" in errors[0][2]


@pytest.mark.parametrize("address", [
    "", "127.0.0.1:9487", "0.0.0.0:1", "127.0.0.1:65535", "[::1]:9487", "[::]:9487",
    "[fd00::1:2]:9487",
], ids=repr)
def test_b41_addresses_that_do(daemon: MakeDaemon, address: str) -> None:
    made = daemon(NOWHERE, {"control": {"metrics_listen": address}})
    done = made.run("--check-config")
    assert (done.returncode, done.stderr) == (0, "")
    assert f'metrics_listen = "{address}"' in made.run("--print-config").stdout


def test_b41_b42_a_reload_opens_moves_and_closes(daemon: MakeDaemon,
                                                 scripted: ScriptedEngine) -> None:
    made = daemon(scripted).start().wait_watching()
    (first, at_first), (second, at_second) = listen_at("127.0.0.1"), listen_at("::1")
    assert not serves("127.0.0.1", first)
    reload(made, at_first)
    made.wait(lambda: serves("127.0.0.1", first), "it is opened")
    with socket.create_connection(("127.0.0.1", first)) as idle:
        reload(made, at_second)
        made.wait(lambda: serves("::1", second), "it is moved")
        made.wait(lambda: not serves("127.0.0.1", first), "the old one is closed")
        idle.settimeout(WITHIN)
        assert idle.recv(1) == b"", "nor is a connection left"
    made.config_path.write_text('control: { metrics_listen = "nonsense"; };')
    made.signal(signal.SIGHUP)
    made.wait_log("configuration not reloaded")
    assert serves("::1", second)
    reload(made, {"control": {"metrics_listen": ""}})
    made.wait(lambda: not serves("::1", second), "it is closed")
    assert "needs a restart" not in made.log
    assert metrics_of(made)("dockergcd_engine_up") == 1


def test_b41_b42_a_reload_that_changes_nothing_drops_nobody(daemon: MakeDaemon,
                                                            scripted: ScriptedEngine) -> None:
    port, settings = listen_at("127.0.0.1")
    made = daemon(scripted, settings).start().wait_watching()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN)
    connection.connect()
    kept = connection.sock
    for _ in range(2):
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == 200 and response.read()
        reload(made, {"gc": {"interval": "2h"}})
    assert connection.sock is kept
    connection.close()


def test_b41_the_port_is_free_again_at_once(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    """A restart does not wait for what is left of connections that the daemon has closed."""
    port, settings = listen_at("127.0.0.1")
    made = daemon(scripted, settings).start().wait_watching()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.settimeout(WITHIN)
        assert connection.recv(12) == b"HTTP/1.1 200"
        made.stop()
        made.start().wait_watching()
        assert serves("127.0.0.1", port)
    assert made.control.get("/v1/status")["errors"] == []


def test_b41_scrapes_leave_no_descriptor(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    port, settings = listen_at("127.0.0.1")
    made = daemon(scripted, settings).start().wait_watching()
    assert serves("127.0.0.1", port)

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{made.pid}/fd"))

    before = descriptors()
    for _ in range(300):
        call("127.0.0.1", port)
        call("127.0.0.1", port, path="/nothing")
    made.wait(lambda: descriptors() <= before, "all are closed")


def test_b37_b41_clients_that_are_slow_delay_nobody(daemon: MakeDaemon,
                                                    scripted: ScriptedEngine) -> None:
    port, settings = listen_at("127.0.0.1")
    made = daemon(scripted, settings).start().wait_watching()
    slow = []
    for data in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\n\r\n" * 50) * 20:
        slow.append(socket.create_connection(("127.0.0.1", port)))
        slow[-1].sendall(data)
    assert serves("127.0.0.1", port)
    image = pulled(scripted, "app")
    made.fence()
    when = used(scripted, image.reference)
    made.fence()
    assert made.stop().last_used(image.id) == when
    for each in slow:
        each.close()


def test_b41_once_listens_nowhere(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    """It runs beside a daemon, or from cron: the port is none of its business."""
    port, settings = listen_at("127.0.0.1")
    made = daemon(scripted, settings)
    with socket.create_server(("127.0.0.1", port)):
        assert "error" not in made.once()


# A real Prometheus

@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[MakePrometheus]:
    """Starts a server that scrapes a target; at the end it is gone."""
    made: list[Prometheus] = []

    def make(target: str, rules: Path | None = None) -> Prometheus:
        made.append(Prometheus(tmp_path, target, rules))
        return made[-1]

    yield make
    for each in made:
        each.close()


def values(server: Prometheus, expression: str) -> list[float]:
    return [value for _, value in server.query(expression)]


@pytest.mark.needs("usage")
@pytest.mark.parametrize("address", LOOPBACK)
def test_b41_prometheus_scrapes(daemon: MakeDaemon, engine: Engine, prometheus: MakePrometheus,
                                address: str) -> None:
    port, settings = listen_at(address)
    made = daemon(engine, settings).start().wait_watching()
    server = prometheus(joined(address, port))
    server.wait(lambda: values(server, 'up{job="dockergcd"}') == [1], "it is up")
    target, = server.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    old, new = two_pulled(made, engine)
    pulled_images = 'dockergcd_images{origin="pulled",managed="true"}'
    server.wait(lambda: values(server, pulled_images) == [2], "both images")
    assert len(values(server, "dockergcd_images")) == 8
    freed = taken(engine, old)
    limit(made, max_total_size=limit_for(engine, 1.5))
    assert present(engine, old, new) == [False, True]
    server.wait(lambda: values(server, pulled_images) == [1], "the removal")
    removed = 'dockergcd_removals_total{reason="over-size",outcome="removed"}'
    server.wait(lambda: values(server, removed) == [1], "the counter")
    assert values(server, "dockergcd_reclaimed_bytes_total") == [freed]
    server.wait(lambda: values(server, f"increase({removed}[1m])")[0] > 0, "an increase")
    types = {name: entry[0]["type"] for name, entry in server.get("metadata").items()}
    assert types == {name: TYPES[name] for name in types}
    assert set(TYPES) - set(types) <= {  # those without a value now
        "dockergcd_free_bytes", "dockergcd_filesystem_size_bytes", "dockergcd_max_unused_seconds"}
    made.stop()
    server.wait(lambda: values(server, 'up{job="dockergcd"}') == [0], "it is down")


def dashboard() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return content


def panels() -> list[dict[str, Any]]:
    """All but the rows."""
    return [each for each in dashboard()["panels"] if each["type"] != "row"]


def filled_in(expression: str, instance: str) -> str:
    """As Grafana asks it."""
    for name, value in (("$job", "dockergcd"), ("$instance", instance),
                        ("$__rate_interval", "1m"), ("$__range", "1m")):
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def names_in(expression: str) -> set[str]:
    """The metrics of ours that it is about."""
    return set(re.findall(r"\bdockergcd_\w+", expression))


def selectors_in(expression: str) -> list[str]:
    """What it selects, without what it makes of it."""
    return re.findall(r"\b(?:dockergcd_\w+|up)\b(?:\{[^}]*\})?", expression)


@pytest.mark.needs("usage")
def test_b41_no_expression_is_a_dead_letter(daemon: MakeDaemon, engine: Engine,
                                            mounts: MakeMounts,
                                            prometheus: MakePrometheus) -> None:
    """Of the alerts and of the dashboard: Prometheus takes it, and there is something to see."""
    port, settings = listen_at("127.0.0.1")
    made = daemon(engine, {**settings, "gc": EVERYTHING})
    made.front, _ = disk_of(engine, mounts)
    made.start().wait_watching()
    two_pulled(made, engine)
    wait_metrics(made, lambda metrics: metrics.has(
        "dockergcd_cache_file_last_write_timestamp_seconds"), "every metric")
    server = prometheus(f"127.0.0.1:{port}", RULES)
    assert not server.accepts("sum(dockergcd_images")
    group, = server.wait(lambda: server.get("rules")["groups"], "the rules")
    server.wait(lambda: all(each["health"] == "ok" for each in
                            server.get("rules")["groups"][0]["rules"]), "they are evaluated")
    alerts = [each["query"] for each in group["rules"]]
    shown = [filled_in(target["expr"], f"127.0.0.1:{port}")
             for panel in panels() for target in panel["targets"]]
    assert len(alerts) >= 6 and len(shown) >= 20
    names = metrics_of(made).names
    assert not names_in("dockergcd_no_such_thing") <= names
    for expression in alerts + shown:
        assert server.accepts(expression), expression
        assert names_in(expression) <= names, expression
    for expression in [*shown, *itertools.chain(*map(selectors_in, alerts))]:
        server.wait(lambda asks=expression: server.query(asks), expression)
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)",
                                           variable["definition"]).groups()
            assert variable["query"]["query"] == variable["definition"]
            wanted = {"job": "dockergcd", "instance": f"127.0.0.1:{port}"}[variable["name"]]
            selector = filled_in(selector, wanted)
            assert [labels[label] for labels, _ in server.query(selector)] == [wanted]
    # Nothing is wrong, so nobody is told.
    assert not server.get("alerts")["alerts"]


def test_b41_alerts_come_up(daemon: MakeDaemon, scripted: ScriptedEngine,
                            prometheus: MakePrometheus) -> None:
    """Each is pending as soon as what it is about happens to a real daemon."""
    port, settings = listen_at("127.0.0.1")
    made = daemon(scripted, settings).start().wait_watching()
    loaded(scripted, "mine:1", 2 * MB)
    made.fence()
    server = prometheus(f"127.0.0.1:{port}", RULES)

    def pending() -> set[str]:
        return {each["labels"]["alertname"] for each in server.get("alerts")["alerts"]}

    server.wait(lambda: values(server, "up") == [1], "a scrape")
    assert pending() == set()
    limit(made, max_total_size="1", min_free_space=str(10**18))
    server.wait(lambda: pending() == {"DockergcdOverLimit", "DockergcdLowSpace"}, "both limits")
    broken = scripted.script("GET", "/containers/json", faults.reply(500, {"message": "boom"}))
    made.signal(signal.SIGUSR1)
    server.wait(lambda: "DockergcdCollectionFailing" in pending(), "a collection that fails")
    broken.remove()
    made.config_path.write_text("oops")
    made.signal(signal.SIGHUP)
    server.wait(lambda: "DockergcdConfigurationNotReloaded" in pending(), "no reload")
    scripted.stop()
    server.wait(lambda: "DockergcdEngineAway" in pending() and
                "DockergcdCollectionFailing" not in pending(), "no engine")
    made.stop()
    server.wait(lambda: pending() == {"DockergcdDown"}, "no daemon")


# Alerts and dashboard

ALERT = re.compile(r"- alert: (\w+)\n +expr: (.*)\n")


def alert_names() -> list[str]:
    return [name for name, _ in ALERT.findall(RULES.read_text())]


def test_b41_promtool_takes_the_rules() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alert_names())} rules found" in done.stdout
    assert len(alert_names()) == len(set(alert_names())) >= 6
    text = RULES.read_text()
    for key in ("for: ", "severity: ", "summary: ", "description: "):
        assert text.count(f" {key}") == len(alert_names()), key


def test_b41_alerts_fire_when_they_should() -> None:
    done = promtool("test", "rules", RULES_TEST)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = re.findall(r"- alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:( \[\])?",
                        RULES_TEST.read_text())
    assert {name for name, none in tested if not none} == set(alert_names())
    assert {name for name, none in tested if none} == set(alert_names())


@pytest.mark.parametrize("expression", ["vector(0) > 0", "vector(1) > 0"],
                         ids=["never", "always"])
@pytest.mark.parametrize("alert", alert_names())
def test_b41_an_alert_that_is_wrong_is_found(tmp_path: Path, alert: str, expression: str) -> None:
    """What holds the alerts against their tests does so for each of them."""
    rules, test = (tmp_path / each.relative_to(ROOT) for each in (RULES, RULES_TEST))
    for path in (rules, test):
        path.parent.mkdir(parents=True)
    test.write_text(RULES_TEST.read_text())
    rules.write_text(ALERT.sub(
        lambda match: match[0].replace(match[2], expression) if match[1] == alert else match[0],
        RULES.read_text()))
    done = promtool("test", "rules", test)
    assert done.returncode != 0
    assert alert in done.stdout + done.stderr


def test_b41_the_dashboard_is_whole() -> None:
    content = dashboard()
    everything = content["panels"]
    assert content["id"] is None and content["uid"] and content["title"]
    assert content["schemaVersion"] == 36  # Grafana 9.0's
    assert len({each["id"] for each in everything}) == len(everything)
    cells: set[tuple[int, int]] = set()
    for panel in everything:
        position = panel["gridPos"]
        area = set(itertools.product(range(position["x"], position["x"] + position["w"]),
                                     range(position["y"], position["y"] + position["h"])))
        assert position["x"] + position["w"] <= 24 and not area & cells, panel["title"]
        cells |= area
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        assert panel["type"] in ("stat", "timeseries")
        assert panel["title"] and panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"] and panel["datasource"] == source
        assert all(each["datasource"] == source for each in panel["targets"])
        ids = [each["refId"] for each in panel["targets"]]
        assert len(ids) == len(set(ids))
    variables = content["templating"]["list"]
    assert [each["name"] for each in variables] == ["datasource", "job", "instance"]
    assert variables[0]["type"] == "datasource" and variables[0]["query"] == "prometheus"
