"""What engines cannot do, by the words in LACKS: that they truly cannot, and what becomes of that.

An entry of LACKS that has become stale fails here. Whatever these tests do not name, an engine has
to do like any other.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import Daemon, Texts
from faults import Relay
from images import MB
from real_engine import RealEngine
from scenes import limit_for, loaded, present, pulled, taken, two_pulled, used

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

WEEK = 7 * 24 * 3600
EVERYTHING = {"max_unused": "1ms"}
"""Settings: whatever may go goes."""


# usage: what all images take together

@pytest.mark.lacks("usage")
def test_usage_the_size_rule_rests_and_the_age_rule_works(watch: Watch, real: RealEngine) -> None:
    daemon = watch(real, {"max_total_size": "500kB", "max_unused": "4w"})
    old, new = two_pulled(daemon, real)
    assert real.client.used() == 0 and taken(real, old, new) > 2 * MB
    daemon.wait_log(r"^(warning|error): .*LayersSize is 0 although there are images")
    assert present(real, old, new) == [True, True]
    assert daemon.control.get("/v1/status")["usage"] is None
    daemon.stop()
    daemon.make_older(4 * WEEK + 60, old.id)
    daemon.start()
    daemon.wait(lambda: present(real, old, new) == [False, True], "the old one's removal")
    daemon.fence()
    entry, = daemon.control.get("/v1/history")["history"]
    assert (entry["id"], entry["reason"], entry["outcome"]) == (old.id, "unused", "removed")


@pytest.mark.lacks("usage")
def test_usage_a_dry_run_says_what_age_would_remove(watch: Watch, real: RealEngine) -> None:
    daemon = watch(real, {"max_unused": "4w"})
    old, new = two_pulled(daemon, real)
    daemon.stop()
    daemon.make_older(5 * WEEK, old.id)
    said = daemon.run("--foreground", "--once", "--dry-run")
    assert said.returncode == 0, said.stderr
    assert [row.split()[:3] for row in said.stdout.splitlines()[1:]] == [
        ["remove", "unused", old.reference], ["keep", "within-limits", new.reference]]
    assert present(real, old, new) == [True, True]
    removed = [each["what"] for each in Texts.REMOVED.finditer(daemon.once())]
    assert removed == [old.reference]
    assert present(real, old, new) == [False, True]


# exact-sizes: an image takes its layers, and nothing else

@pytest.mark.lacks("exact-sizes")
def test_exact_sizes_what_an_image_frees_alone_is_not_claimed(watch: Watch,
                                                              real: RealEngine) -> None:
    daemon = watch(real)
    image = pulled(real, "app")
    daemon.fence()
    assert taken(real, image) > image.image.size
    shown = daemon.control.image(image.reference)
    assert (shown["size"], shown["unique_size"]) == (taken(real, image), None)


@pytest.mark.lacks("exact-sizes")
@pytest.mark.needs("usage")
def test_exact_sizes_the_size_rule_goes_in_rounds_and_takes_no_image_too_many(
        watch: Watch, real: RealEngine) -> None:
    daemon = watch(real)
    base = pulled(real, "base", 2 * MB)
    first, second, third = (pulled(real, name, base=base.image) for name in ("a", "b", "c"))
    daemon.fence()
    used = real.client.used()
    assert 5 * MB < used < 5.1 * MB, "layers that are shared count once"
    daemon.stop()
    daemon.configure({"gc": {"enabled": False, "max_total_size": limit_for(real, 4.5)}})
    daemon.start().wait_watching()
    assert daemon.control.get("/v1/plan")["exact"] is False
    daemon.stop()
    daemon.configure({"gc": {"enabled": True}})
    daemon.start().wait_watching()
    daemon.fence()
    assert present(real, base, first, second, third) == [True, False, True, True]
    assert MB < used - real.client.used() < 1.1 * MB


# load-names: of a load is told what was loaded

@pytest.mark.lacks("load-names")
def test_load_names_what_was_loaded_counts_as_built_and_stays(watch: Watch,
                                                              real: RealEngine) -> None:
    daemon = watch(real, EVERYTHING)
    begin = time.time_ns()
    image = loaded(real, "app:1")
    daemon.fence()
    told, = [each["Actor"] for each in real.client.events(begin)
             if each["Action"] == "loadfromarchive"]
    assert told["ID"] == "" and "app" not in told["Attributes"]["name"].rpartition("/")[2]
    daemon.fence()
    assert present(real, image) == [True]
    cache = daemon.stop()
    assert (cache.origin(image.id), cache.managed(image.id)) == ("built", False)
    assert cache.last_used(image.id) >= begin


# buildkit: builds by BuildKit, and the cache that they leave

@pytest.mark.lacks("buildkit")
def test_buildkit_there_is_no_build_cache_to_prune(daemon: MakeDaemon, real: RealEngine) -> None:
    assert real.client.request("POST", "/build/prune").status == 404
    real.client.build_classic("FROM scratch\nCOPY x /x\n", {"x": b"x"}, "built:1")
    assert not real.client.df()["BuildCache"]
    made = daemon(real, {"gc": EVERYTHING, "images": {"manage": ["existing"]},
                         "build_cache": {"max_unused": "1h", "max_total_size": "1MB"}})
    made.start().wait_watching()
    made.wait_log(r"^warning: build_cache: this engine cannot prune it within limits")
    made.fence()
    assert real.client.image_ids(everything=True) == set()
    assert "/build/prune" not in made.log


# containers-end: a container ends with its engine

@pytest.mark.lacks("containers-end")
def test_containers_end_one_that_runs_on_keeps_its_image(daemon: MakeDaemon,
                                                         restartable: RealEngine) -> None:
    watching = daemon(restartable, {"gc": EVERYTHING}).start().wait_watching()
    held, other = pulled(restartable, "held", runnable=True), pulled(restartable, "other")
    container = restartable.client.run(held.reference)
    begin = time.time_ns()
    restartable.stop()
    watching.wait_status("Waiting for Docker Engine")
    restartable.start()
    watching.wait_status("Watching")
    listed, = restartable.client.containers()
    assert (listed["Id"], listed["State"]) == (container, "running")
    watching.fence()
    assert present(restartable, held, other) == [True, False]
    assert watching.stop().last_used(held.id) >= begin


# untagged-bases: a base that loses its last name stays, nameless, as long as a child is there

@pytest.mark.lacks("untagged-bases")
def test_untagged_bases_one_that_lost_its_last_name_is_gone(watch: Watch,
                                                            real: RealEngine) -> None:
    daemon = watch(real)
    base = pulled(real, "base")
    child = pulled(real, "child", base=base.image)
    daemon.fence()
    real.client.untag(base.reference)
    assert present(real, base, child) == [False, True]
    daemon.fence()
    assert daemon.stop().ids == {child.id}


# resume: the events since that of the last one begin with it

@pytest.mark.lacks("resume")
def test_resume_what_breaks_off_begins_anew_and_nothing_is_lost(
        daemon: MakeDaemon, real: RealEngine, directory: Path) -> None:
    relay = Relay(directory, real.socket_path)
    made = daemon(real, host=relay.host).start().wait_watching()
    app, other = pulled(real, "app"), pulled(real, "other")
    last = used(real, app.reference)
    made.fence()
    relay.forget_requests()
    assert relay.cut("GET */events?*") >= 1  # perhaps an idle one, too
    when = used(real, other.reference)
    made.wait(lambda: relay.requests("GET */images/json*"), "a list")
    made.fence()
    assert "nothing missed" not in made.log
    cache = made.stop()
    assert (cache.last_used(app.id), cache.last_used(other.id)) == (last, when)
    assert cache.origin(app.id) == cache.origin(other.id) == "pulled"
    relay.close()


# large-events: an event is told, however long it is

@pytest.mark.lacks("large-events")
def test_large_events_an_end_that_was_not_told_holds_no_image(watch: Watch,
                                                              real: RealEngine) -> None:
    """Above 1 MB podman begins a new log, and what is in the old one may be lost."""
    daemon = watch(real, EVERYTHING | {"interval": "2s"}, {"manage": ["pulled", "built"]})
    begin = time.time_ns()
    body = {"Image": pulled(real, "app").reference, "Cmd": ["/x"], "Labels": {"x": "x" * 5 * 2**20},
            "HostConfig": {"NetworkMode": "none"}}
    created = real.client.call("POST", "/containers/create", None, json.dumps(body).encode())
    container = created.json()["Id"]
    real.client.remove_container(container)
    daemon.wait(lambda: not real.client.images(), "its removal")
    told = [each["Action"] for each in real.client.events(begin)
            if each["Actor"]["ID"] == container]
    assert len(told) < 2
