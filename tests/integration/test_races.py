"""What others do with the engine while an image is being removed: B3, B7, B14, B29, B30, B35.

First each race by itself: the scripted engine holds one DELETE back, before or after it took
effect, while the driver does the other thing. Then all of them at once on both engines, with
timings from a seed that is printed; DOCKERGCD_SEED sets it, DOCKERGCD_SOAK=1 makes it long.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import json
import os
import random
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import faults
from cache import Cache
from daemon import Daemon, Texts
from engine_client import USER_AGENT, EngineClient, EngineError, UnixConnection
from engines import Engine
from images import MB, image
from scenes import (
    SOAK, Pulled, doubt, event_time, forgetting, loaded, lose_stream, offered, pulled, silent,
    used, wait_event,
)
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]

ROUNDS = 400 if SOAK else 25
SECONDS = 1800.0 if SOAK else 20.0
"""Of one run of the races on one engine: after that, no further round."""

BEFORE, AFTER = "before", "after"
"""Whether the driver acts before or after the DELETE that is held back took effect."""

moments = pytest.mark.parametrize("moment", [BEFORE, AFTER])


def canonical(reference: str) -> str:
    """As the cache file has it."""
    domain, slash, _ = reference.partition("/")
    if slash and (domain == "localhost" or "." in domain or ":" in domain):
        return reference
    return "docker.io/" + (reference if slash else "library/" + reference)


def names_of(listed: dict[str, Any]) -> set[str]:
    """The names of an image in the engine's list; its digests where it has no tag."""
    for key in "RepoTags", "RepoDigests":
        names = {canonical(each) for each in listed[key] or () if not each.startswith("<none>")}
        if names:
            return names
    return set()


def disagreements(cache: Cache, client: EngineClient,
                  origins: dict[str, str] | None = None) -> list[str]:
    """How the cache file differs from what the engine holds."""
    listed = {each["Id"]: names_of(each) for each in client.images()}
    known = {each["id"]: set(each["references"]) for each in cache.content["images"]}
    wrong = [f"unknown: {each} {listed[each]}" for each in listed.keys() - known.keys()]
    wrong += [f"gone: {each} {known[each]}" for each in known.keys() - listed.keys()]
    for each in listed.keys() & known.keys():
        if listed[each] != known[each]:
            wrong.append(f"{each}: the engine says {listed[each]}, the file {known[each]}")
        origin = (origins or {}).get(each)
        if origin and cache.origin(each) != origin:
            wrong.append(f"{each} {known[each]}: {cache.origin(each)}, not {origin}")
    return wrong


def check_settled(daemon: Daemon, engine: Engine, origins: dict[str, str]) -> None:
    """The cache file agrees with the engine, and no list was needed for that."""
    daemon.fence()
    wrong = disagreements(daemon.stop(), engine.client, origins)
    assert not wrong, "\n".join([*wrong, "--- log", daemon.log[-6000:]])


def read_everything(daemon: Daemon, engine: ScriptedEngine) -> None:
    """Until the daemon has taken all events so far: it asks for a container that the last names."""
    marker = secrets.token_hex(32)
    engine.log.publish("container", "start", marker, {"image": "marker", "name": "marker"})
    daemon.wait(lambda: engine.requests("GET", f"/containers/{marker}/json"), "all events read")


def held_back(moment: str, arrived: threading.Event, release: threading.Event) -> faults.Fault:
    """The right answer once RELEASE is set; takes effect then, or at once."""
    def fault(exchange: faults.Exchange) -> None:
        response = exchange.handle() if moment == AFTER else None
        arrived.set()
        while not release.is_set():
            exchange.wire.pause(0.02)
        exchange.wire.send(response or exchange.handle())
    return fault


def hold_removal(daemon: Daemon, engine: ScriptedEngine, moment: str,
                 number: int = 1) -> threading.Event:
    """Has all removed that may go. The DELETE of that number is held back until this is set."""
    arrived, release = threading.Event(), threading.Event()
    engine.forget_requests()
    if number > 1:
        engine.script("DELETE", "*", faults.delay(0), times=number - 1)
    engine.script("DELETE", "*", held_back(moment, arrived, release), times=1)
    daemon.configure({"gc": {"max_total_size": "1"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(arrived.is_set, f"DELETE number {number}")
    return release


@contextlib.contextmanager
def removal(daemon: Daemon, engine: ScriptedEngine, moment: str, number: int = 1) -> Iterator[None]:
    """A removal that is held back for as long as this lasts, and until all events were read."""
    release = hold_removal(daemon, engine, moment, number)
    try:
        yield
        read_everything(daemon, engine)
    finally:
        release.set()


def hold_question(daemon: Daemon, engine: ScriptedEngine, app: Pulled) -> threading.Event:
    """It loses its tag spare:1, and no answer comes about it before this is set: others wait."""
    release, path = threading.Event(), f"/images/{app.id}/json"
    engine.script("GET", path, faults.hang(release), times=1)
    engine.client.remove_image("spare:1")
    daemon.wait(lambda: engine.requests("GET", path), "the question")
    return release


def unused_for_hours(watch: Watch, engine: ScriptedEngine,
                     *aliases: str) -> tuple[Daemon, Pulled]:
    """A pulled image with these names, too; only what was used within the hour is safe."""
    daemon = watch(engine, {"grace": "1h"})
    app = pulled(engine, "app")
    for alias in aliases:
        engine.client.tag(app.reference, alias)
    daemon.fence()
    daemon.stop()
    daemon.make_older(2 * 3600)
    daemon.start().wait_watching()
    return daemon, app


def name_in_form(engine: Engine, app: Pulled, form: str) -> str:
    digests = engine.client.inspect(app.id)["RepoDigests"]
    return {"tag": "alias:2", "id": app.id, "digest": (digests or [app.id])[0]}[form]


# A container that appears

@moments
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("form", ["tag", "digest", "id"])
@pytest.mark.parametrize("state", ["created", "running"])
def test_b30_a_container_that_appears_at_any_step_keeps_image_and_a_name(
        watch: Watch, scripted: ScriptedEngine, state: str, form: str, number: int,
        moment: str) -> None:
    """Three names, so three steps; after the last one there is nothing to create it from."""
    daemon, app = unused_for_hours(watch, scripted, "alias:1", "alias:2")
    name = name_in_form(scripted, app, form)
    container = ""
    with removal(daemon, scripted, moment, number):
        with contextlib.suppress(EngineError):
            container = scripted.client.create(name)
            if state == "running":
                scripted.client.start(container)
    daemon.fence()
    assert bool(container) == scripted.client.has(app.id), "it goes with its last name only"
    if container:
        assert names_of(next(each for each in scripted.client.images() if each["Id"] == app.id))
        assert len(scripted.requests("DELETE")) == number, "and nothing more was tried"
        scripted.client.start(container)
    check_settled(daemon, scripted, {app.id: "pulled"})


@moments
def test_b29_a_container_that_came_and_went_meanwhile_was_a_use(
        watch: Watch, scripted: ScriptedEngine, moment: str) -> None:
    """B2, B23: it is within grace again, though nothing holds it."""
    daemon, app = unused_for_hours(watch, scripted, "alias:1", "alias:2")
    with removal(daemon, scripted, moment):
        scripted.client.remove_container(scripted.client.create("alias:2"))
    daemon.fence()
    assert scripted.client.references() >= {"alias:2"}
    check_settled(daemon, scripted, {app.id: "pulled"})


# An image that comes again

@moments
@pytest.mark.parametrize("number", [1, 2, 3])
def test_b35_an_image_that_is_pulled_again_at_any_step_stays(
        watch: Watch, scripted: ScriptedEngine, number: int, moment: str) -> None:
    daemon, app = unused_for_hours(watch, scripted, "alias:1", "alias:2")
    with removal(daemon, scripted, moment, number):
        scripted.client.pull(app.reference)
    daemon.fence()
    assert scripted.client.has(app.id)
    assert len(scripted.requests("DELETE")) == number, "and nothing more was tried"
    check_settled(daemon, scripted, {app.id: "pulled"})


def test_b35_no_further_step_while_it_is_not_known_what_was_pulled(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """The pull tells a name alone; the engine takes its time to say which image that is."""
    daemon, app = unused_for_hours(watch, scripted, "alias:1", "alias:2")
    asked, answer = threading.Event(), threading.Event()
    release = hold_removal(daemon, scripted, AFTER)
    scripted.script("GET", "/images/*app:1/json", held_back(BEFORE, asked, answer), times=1)
    scripted.client.pull(app.reference)
    daemon.wait(asked.is_set, "the question what was pulled")
    release.set()
    # What follows the answer to the step: the next one, or nothing until the question is answered.
    begin = time.monotonic()
    daemon.wait(lambda: len(scripted.requests("DELETE")) > 1 or time.monotonic() - begin > 0.5,
                "a further step, or none")
    answer.set()
    daemon.fence()
    assert len(scripted.requests("DELETE")) == 1
    assert scripted.client.references() == {app.reference, "alias:1", "alias:2"} - {
        scripted.requests("DELETE")[0].path.removeprefix("/images/").removeprefix(
            "docker.io/library/")} | {app.reference}
    check_settled(daemon, scripted, {app.id: "pulled"})


def test_b14_an_image_loaded_again_just_after_its_removal_is_a_loaded_one(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """And so it is unmanaged: it does not go a second time."""
    daemon, app = unused_for_hours(watch, scripted)
    with removal(daemon, scripted, AFTER):
        assert not scripted.client.has(app.id)
        scripted.client.load(app.image.archive(app.reference))
    daemon.fence()
    assert scripted.client.references() == {app.reference}
    check_settled(daemon, scripted, {app.id: "loaded"})


def test_b14_an_image_pulled_again_just_after_its_removal_is_known(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """The answer to the DELETE comes after the events of the pull."""
    daemon, app = unused_for_hours(watch, scripted)
    with removal(daemon, scripted, AFTER):
        scripted.client.pull(app.reference)
    daemon.fence()
    assert scripted.client.references() == {app.reference}
    check_settled(daemon, scripted, {app.id: "pulled"})


# A name that moves

def move_by_tag(engine: Engine, reference: str) -> str:
    moved = loaded(engine, "mine:1")
    engine.client.tag("mine:1", reference)
    engine.client.untag("mine:1")
    return moved.id


def move_by_pull(engine: Engine, reference: str) -> str:
    new = offered(engine, "app", 2 * MB, tag="next")
    engine.push(reference, new.image)
    return engine.client.pull(reference)


def move_by_load(engine: Engine, reference: str) -> str:
    moved = image("mine")
    engine.client.load(moved.archive(reference))
    return moved.id


def move_by_build(engine: Engine, reference: str) -> str:
    return engine.client.build_classic("FROM scratch\nCOPY x /x\nLABEL a=1\n", {"x": b"x"},
                                       reference)


ORIGINS = {move_by_tag: "loaded", move_by_pull: "pulled", move_by_load: "loaded",
           move_by_build: "built"}

moves = pytest.mark.parametrize("move", ORIGINS, ids=lambda move: move.__name__[8:])


@moments
@moves
def test_b29_what_takes_over_the_name_of_an_image_that_goes_stays(
        watch: Watch, scripted: ScriptedEngine, move: Callable[[Engine, str], str],
        moment: str) -> None:
    """The only name of the one that goes is another one's by the time the engine gets to it."""
    daemon, app = unused_for_hours(watch, scripted)
    with removal(daemon, scripted, moment):
        moved = move(scripted, app.reference)
    daemon.fence()
    assert scripted.client.has(moved), "an image went that was never to go"
    assert scripted.client.image_id(app.reference) == moved
    check_settled(daemon, scripted, {moved: ORIGINS[move]})


@moments
@moves
def test_b29_a_name_that_moved_before_its_turn_is_left_alone(
        watch: Watch, scripted: ScriptedEngine, move: Callable[[Engine, str], str],
        moment: str) -> None:
    daemon, app = unused_for_hours(watch, scripted, "alias:1", "alias:2")
    with removal(daemon, scripted, moment, 2):
        last = f"{scripted.registry}/app:1"
        if last not in scripted.client.references():
            last = "alias:2"
        if move is move_by_pull and last == "alias:2":
            scripted.client.pull(pulled(scripted, "new", 2 * MB).reference)
            moved = scripted.client.image_id(f"{scripted.registry}/new:1")
            scripted.client.tag(moved, last)
        else:
            moved = move(scripted, last)
    daemon.fence()
    assert scripted.client.image_id(last) == moved
    assert not scripted.client.has(app.id)
    check_settled(daemon, scripted, {moved: ORIGINS[move]})


@moments
def test_b7_a_name_that_moves_away_and_back_is_the_images_own(
        watch: Watch, scripted: ScriptedEngine, moment: str) -> None:
    """A tag is a use (B2)."""
    daemon, app = unused_for_hours(watch, scripted, "alias:1", "alias:2")
    other = loaded(scripted, "other:1")
    with removal(daemon, scripted, moment):
        scripted.client.tag("other:1", "alias:2")
        scripted.client.tag(app.id, "alias:2")
    daemon.fence()
    assert scripted.client.image_id("alias:2") == app.id
    check_settled(daemon, scripted, {app.id: "pulled", other.id: "loaded"})


def test_b29_a_name_that_moved_without_a_word_is_left_alone(watch: Watch,
                                                            scripted: ScriptedEngine) -> None:
    """As BuildKit moves it: only the list of containers shows whose it is."""
    daemon, app = unused_for_hours(watch, scripted)
    other = loaded(scripted, "other:1")
    daemon.fence()
    silent(scripted, lambda: scripted.client.tag("other:1", app.reference))
    scripted.client.create(app.reference)
    scripted.flush()
    daemon.configure({"gc": {"max_total_size": "1", "grace": "0s"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: not scripted.client.has(app.id), "the removal of the nameless one")
    daemon.fence()
    assert scripted.client.image_id(app.reference) == other.id
    check_settled(daemon, scripted, {other.id: "loaded"})


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_b29_an_image_that_got_a_name_without_a_word_does_not_go_by_it(
        watch: Watch, scripted: ScriptedEngine, moved: int) -> None:
    """Of an image with several names all but the last go by name: whose is it by now?"""
    daemon, app = unused_for_hours(watch, scripted, "alias:1", "alias:2")
    other = loaded(scripted, "other:1")
    daemon.fence()
    name = [app.reference, "alias:1", "alias:2"][moved]
    silent(scripted, lambda: scripted.client.tag("other:1", name))
    silent(scripted, lambda: scripted.client.untag("other:1"))
    daemon.configure({"gc": {"max_total_size": "1", "grace": "0s"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: not scripted.client.has(app.id), "the removal")
    daemon.fence()
    assert scripted.client.references() == {name}
    assert scripted.client.image_id(name) == other.id


@pytest.mark.parametrize("status", [404, 500])
def test_b29_when_nobody_says_whose_a_name_is_a_list_does(
        watch: Watch, scripted: ScriptedEngine, status: int) -> None:
    daemon, app = unused_for_hours(watch, scripted, "alias:1")
    scripted.script("GET", f"/images/{app.reference}/json", faults.reply(status), times=1)
    scripted.forget_requests()
    daemon.configure({"gc": {"max_total_size": "1", "grace": "0s"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: not scripted.client.has(app.id), "the removal")
    daemon.fence()
    requests = [f"{each.method} {each.path}" for each in scripted.requests("*", "/images/*")]
    assert requests[:3] == [f"GET /images/{app.reference}/json", "GET /images/json",
                            f"DELETE /images/{app.reference}"]


def test_b7_a_name_that_moves_while_details_are_asked_for(
        daemon: Callable[..., Daemon], scripted: ScriptedEngine) -> None:
    """Lists are there, the answer about the layers of one image is older than what came next."""
    app, other = pulled(scripted, "app"), loaded(scripted, "other:1")
    arrived, release = threading.Event(), threading.Event()
    scripted.script("GET", f"/images/{app.id}/json", held_back(AFTER, arrived, release), times=1)
    watching = daemon(scripted).start()
    watching.wait(arrived.is_set, "the question")
    scripted.client.tag("other:1", app.reference)
    wait_event(watching, "tag")
    release.set()
    watching.wait_watching()
    names = watching.control.get(f"/v1/images/{other.id}")["references"]
    assert sorted(names) == sorted([canonical(app.reference), canonical("other:1")])


def test_b3_a_container_by_a_name_that_was_given_and_lost(watch: Watch,
                                                          scripted: ScriptedEngine) -> None:
    """Its event comes after the answer about the one that had got the name for a moment."""
    former, holder = pulled(scripted, "former"), image("mine:1")
    daemon = watch(scripted)
    silent(scripted, lambda: loaded(scripted, "mine:1"))
    scripted.forget_requests()
    given, asked_again = threading.Event(), threading.Event()
    scripted.script("GET", f"/images/{holder.id}/json", faults.hang(given), times=1)
    scripted.script("GET", f"/images/{former.id}/json", faults.hang(asked_again), times=1)
    scripted.client.tag("mine:1", former.reference)
    daemon.wait(lambda: scripted.requests("GET", f"/images/{holder.id}/json"), "the question")
    containers: list[str] = []
    silent(scripted, lambda: containers.append(scripted.client.create(former.reference)))
    silent(scripted, lambda: loaded(scripted, former.reference))
    given.set()
    daemon.wait(lambda: scripted.requests("GET", f"/images/{former.id}/json"), "the next one")
    scripted.log.publish("container", "create", containers[0],
                         {"image": former.reference, "name": "late"})
    wait_event(daemon, "create")
    assert not daemon.control.image(former.id)["in_use"]
    asked_again.set()
    daemon.fence()
    assert daemon.control.image(holder.id)["in_use"]


def test_b9_who_has_the_name_by_now_is_forgotten_whatever_a_list_says(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """One that was made before the name moved comes after it was said."""
    daemon = watch(scripted)
    old = pulled(scripted, "app")
    daemon.fence()
    asked, release = threading.Event(), threading.Event()
    scripted.script("GET", "/images/json", held_back(AFTER, asked, release), times=1)
    doubt(scripted)
    daemon.wait(asked.is_set, "a list")
    with scripted.log.late():
        new = move_by_pull(scripted, old.reference)
        thread, results = forgetting(daemon, old.reference)
        daemon.wait(lambda: not daemon.control.image(old.id)["managed"], "what was told")
        release.set()
        thread.join()
    assert results == [(old.reference, "forgotten")]
    daemon.fence()
    assert not daemon.stop().managed(new)


def is_in_use(daemon: Daemon, image_id: str) -> bool:
    """By what it knows; no image that it does not know is."""
    answer = daemon.control.call("GET", f"/v1/images/{image_id}")
    return answer.status == 200 and bool(daemon.control.image(image_id)["in_use"])


@pytest.mark.parametrize("move", [move_by_pull, move_by_load, move_by_tag],
                         ids=lambda move: move.__name__[8:])
def test_b3_a_container_by_a_name_that_has_moved_on_before_its_event(
        watch: Watch, scripted: ScriptedEngine, move: Callable[[Engine, str], str]) -> None:
    """The answer about who had got the name meanwhile is newer than the event."""
    former = pulled(scripted, "app")
    daemon = watch(scripted)
    answer = threading.Event()
    scripted.forget_requests()
    scripted.script("GET", "/images/*/json", faults.hang(answer), times=1)
    holder = move(scripted, former.reference)
    daemon.wait(lambda: scripted.requests("GET", "/images/*/json"), "the question")
    with scripted.log.late():
        scripted.client.create(former.reference)
        last = move_by_build(scripted, former.reference)
        answer.set()
        daemon.wait_log("new image")
    daemon.wait(lambda: is_in_use(daemon, holder), "the container's image")
    daemon.fence()
    assert [is_in_use(daemon, each) for each in (former.id, holder, last)] == [False, True, False]


def test_b3_a_container_that_no_list_shows_any_more_before_its_end_is_told(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """Nobody could be asked what it held: its end is a use of what was typed."""
    app = pulled(scripted, "app")
    daemon = watch(scripted)
    asked, listed = threading.Event(), threading.Event()
    scripted.script("GET", "/images/*/json", faults.hang(asked), times=1)
    scripted.script("GET", "/images/json", held_back(AFTER, asked, listed), times=1)
    scripted.client.pull(app.reference)
    container = scripted.client.create(app.reference)
    wait_event(daemon, "create")
    doubt(scripted)
    daemon.wait(asked.is_set, "a list")
    begin = time.time_ns()
    with scripted.log.late():
        scripted.client.remove_container(container)
        listed.set()
        daemon.fence()
    daemon.fence()
    assert daemon.stop().last_used(app.id) == event_time(scripted, begin, "container", "destroy")


def test_b3_the_end_of_a_container_whose_name_goes_before_it_can_be_asked(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """By the list that answers instead nobody has the name that was typed."""
    app = pulled(scripted, "app")
    scripted.client.tag(app.reference, "spare:1")
    daemon = watch(scripted)
    newer, container = threading.Event(), threading.Event()
    scripted.script("GET", "/images/*/json", faults.hang(newer), times=1)
    scripted.script("GET", "/containers/*/json", faults.hang(container), times=1)
    scripted.forget_requests()
    pulled(scripted, "other")
    daemon.wait(lambda: scripted.requests("GET", "/images/*/json"), "the question")
    with scripted.log.late():
        when = used(scripted, app.reference)
        newer.set()
        daemon.wait_log("new image")
    daemon.wait(lambda: scripted.requests("GET", "/containers/*/json"), "the next one")
    scripted.client.remove_image(app.reference)
    doubt(scripted)
    daemon.fence()
    container.set()
    assert daemon.stop().last_used(app.id) == when


def test_b3_a_container_of_an_image_that_went_and_came_again(watch: Watch,
                                                             scripted: ScriptedEngine) -> None:
    """The answer that it is gone is older."""
    app = pulled(scripted, "app")
    daemon = watch(scripted)
    asked, release = threading.Event(), threading.Event()
    scripted.script("GET", f"/images/{app.id}/json", held_back(AFTER, asked, release), times=1)
    scripted.client.remove_image(app.reference)
    daemon.wait(asked.is_set, "the question")
    scripted.client.pull(app.reference)
    when = used(scripted, app.id)
    wait_event(daemon, "destroy")
    release.set()
    daemon.fence()
    assert daemon.stop().last_used(app.id) == when


@pytest.mark.parametrize("again", [False, True], ids=["given-once", "given-and-asked-again"])
def test_b3_a_container_by_a_name_that_was_loaded_after_it_was_given(
        watch: Watch, scripted: ScriptedEngine, again: bool) -> None:
    """And before it as well: it is asked for once, and that was the last to get the name."""
    given = pulled(scripted, "given")
    for spare in "spare:1", "spare:2":
        scripted.client.tag(given.reference, spare)
    daemon = watch(scripted)
    release = hold_question(daemon, scripted, given)
    holder = loaded(scripted, "name:1")
    scripted.client.tag(given.id, "name:1")
    scripted.client.load(holder.archive("name:1"))
    if again:
        scripted.client.remove_image("spare:2")
    when = used(scripted, "name:1")
    wait_event(daemon, "destroy")
    release.set()
    daemon.fence()
    assert daemon.stop().last_used(holder.id) == when


def test_b3_what_is_raised_again_and_again_is_asked_in_its_turn(
        watch: Watch, scripted: ScriptedEngine) -> None:
    app = pulled(scripted, "app")
    scripted.client.tag(app.reference, "spare:1")
    first, second = offered(scripted, "first"), offered(scripted, "second")
    daemon = watch(scripted)
    release = hold_question(daemon, scripted, app)
    for each in first, second, first:
        scripted.client.pull(each.reference)
    used(scripted, app.id)
    wait_event(daemon, "destroy")
    release.set()
    daemon.fence()
    asked = [each.path for each in scripted.requests("GET", "/images/*:1/json")]
    assert asked[:2] == [f"/images/{each.reference}/json" for each in (first, second)]


def test_b11_a_name_that_moved_in_a_gap_during_a_removal(watch: Watch,
                                                         scripted: ScriptedEngine) -> None:
    """It was given just before the gap; the list shows whose it is when the answer comes."""
    daemon, app = unused_for_hours(watch, scripted)
    mine, other = loaded(scripted, "mine:1"), loaded(scripted, "other:1")
    release = hold_removal(daemon, scripted, AFTER)
    scripted.client.tag("mine:1", "name:1")
    wait_event(daemon, "tag")
    end = lose_stream(daemon, scripted)
    silent(scripted, lambda: scripted.client.tag("other:1", "name:1"))
    scripted.log.forget()
    scripted.forget_requests()
    end.set()
    daemon.wait(lambda: scripted.requests("GET", "/containers/json"), "the lists")
    release.set()
    check_settled(daemon, scripted, {mine.id: "loaded", other.id: "loaded"})
    assert not scripted.client.has(app.id)


def test_b13_a_container_that_goes_after_a_removal_through_which_the_stream_was_cut(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """It came during the removal, whose answer came before the stream went on; no list follows."""
    daemon, _app = unused_for_hours(watch, scripted)
    other = loaded(scripted, "other:1")
    release = hold_removal(daemon, scripted, AFTER)
    container = scripted.client.create("other:1")
    wait_event(daemon, "create")
    end = lose_stream(daemon, scripted)
    release.set()
    daemon.wait_log("^info: removed ")
    end.set()
    daemon.wait_log("^debug: event stream resumed")
    scripted.client.remove_container(container)
    wait_event(daemon, "destroy")
    loaded(scripted, "third:1")
    daemon.wait_log("^info: new image third:1")
    assert not daemon.control.image(other.id)["in_use"]


# A new name, a child

@moments
def test_b29_an_image_that_is_given_a_name_meanwhile_was_used(
        watch: Watch, scripted: ScriptedEngine, moment: str) -> None:
    daemon, app = unused_for_hours(watch, scripted, "alias:1")
    with removal(daemon, scripted, moment):
        scripted.client.tag(app.id, "mine:1")
    daemon.fence()
    assert scripted.client.image_id("mine:1") == app.id
    check_settled(daemon, scripted, {app.id: "pulled"})


@moments
def test_b29_what_is_built_on_an_image_that_goes_stays_whole(
        watch: Watch, scripted: ScriptedEngine, moment: str) -> None:
    daemon, app = unused_for_hours(watch, scripted, "alias:1")
    with removal(daemon, scripted, moment):
        child = scripted.client.build_classic("FROM alias:1\nCOPY x /x\n", {"x": b"x"},
                                              "child:1") if (
            "alias:1" in scripted.client.references()) else scripted.client.build_classic(
                f"FROM {app.reference}\nCOPY x /x\n", {"x": b"x"}, "child:1")
    daemon.fence()
    assert scripted.client.image_id("child:1") == child
    assert app.id in scripted.client.image_ids(everything=True)
    check_settled(daemon, scripted, {child: "built"})


# A container whose image is not known

def unknown_container(engine: ScriptedEngine, image_id: str) -> int:
    """The first that is heard of a container: it starts. Returns when."""
    container = secrets.token_hex(32)
    engine.script("GET", f"/containers/{container}/json",
                  faults.reply(200, {"Id": container, "Image": image_id, "Name": "/c",
                                     "State": {"Status": "running"},
                                     "Config": {"Image": "something:1"}}))
    event = engine.log.publish("container", "start", container,
                               {"image": "something:1", "name": "c"})
    return int(event["timeNano"])


def test_b3_a_container_of_an_image_that_is_gone_is_no_end(watch: Watch,
                                                          scripted: ScriptedEngine) -> None:
    """An engine lets such a container through when somebody removes its image meanwhile."""
    daemon = watch(scripted)
    app = pulled(scripted, "app")
    gone = "sha256:" + secrets.token_hex(32)
    unknown_container(scripted, gone)
    daemon.wait(lambda: scripted.requests("GET", f"/images/{gone}/json"), "the question for it")
    daemon.fence()
    check_settled(daemon, scripted, {app.id: "pulled"})


def test_b3_a_container_of_an_image_that_came_unseen_was_a_use_of_it(
        watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    unseen = image("unseen")
    scripted.model.add(unseen)
    when = unknown_container(scripted, unseen.id)
    daemon.wait(lambda: scripted.requests("GET", f"/images/{unseen.id}/json"), "the question")
    daemon.fence()
    assert daemon.stop().last_used(unseen.id) == when


# All at once

class Witness:
    """Reads the engine's events, and tells when containers were created."""

    def __init__(self, engine: Engine) -> None:
        self._connection = UnixConnection(engine.client.socket_path)
        since = time.time_ns()
        filters = json.dumps({"type": ["container"], "event": ["create"]})
        query = urlencode({"since": f"{since // 10**9}.{since % 10**9:09d}", "filters": filters})
        self._connection.request("GET", f"/events?{query}", headers={"User-Agent": USER_AGENT})
        self._response = self._connection.getresponse()
        self._created: dict[str, int] = {}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            while line := self._response.readline():
                event = json.loads(line)
                self._created[event["Actor"]["ID"]] = event["timeNano"]

    def close(self) -> None:
        if self._connection.sock:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def created(self, container: str) -> int:
        """When, by the engine's clock."""
        deadline = time.monotonic() + 10
        while container not in self._created and time.monotonic() < deadline:
            time.sleep(0.01)
        return self._created[container]


class Crowd:
    """Threads that use an engine while images go, and know what must be there still.

    Names of their own, each used in one way: `app` and `alias` are never moved or taken away by
    the crowd, `moving` always is; `mine` was loaded and is unmanaged, `fresh` within grace,
    `built` was built and is unmanaged.
    """

    OFTEN = {
        "pull": 2, "pull_and_tag": 6, "pull_and_create": 6, "tag": 2, "create": 4,
        "create_from_id": 3, "create_from_digest": 3, "end": 6, "move_pull": 4, "move_tag": 4,
        "load": 3, "fresh_pull": 1,
        # These take a real engine more than a second each.
        "run": 0.5, "build": 0.5, "move_build": 0.5,
    }
    """What to do, and how often."""

    def __init__(self, engine: Engine, daemon: Daemon, relay: faults.Relay, witness: Witness,
                 seed: int) -> None:
        self.engine, self.client, self.witness = engine, engine.client, witness
        self.daemon, self.relay = daemon, relay
        self.seed = seed
        self.engines_own: set[str] = set()
        """Containers that the engine has created of an image that it was removing."""
        self.unnamed: set[str] = set()
        """Containers whose image the engine has taken the name of, and has refused to remove."""
        self.done: collections.Counter[str] = collections.Counter()
        self.refused: collections.Counter[str] = collections.Counter()
        self.unexpected: list[str] = []
        self.ours_to_keep: set[str] = set()
        self.origins: dict[str, str] = {}
        self.lock = threading.Lock()
        self.apps = [offered(engine, f"app{number}", MB // 10, runnable=True)
                     for number in range(4)]
        self.versions = [image(f"moving-{number}", MB // 10, runnable=True)
                         for number in range(3)]
        self.moving = f"{engine.registry}/moving:1"
        self.mine = [image(f"mine{number}", MB // 10, runnable=True) for number in range(2)]
        self.fresh = [offered(engine, f"fresh{number}", MB // 10) for number in range(2)]
        self.origins |= {each.id: "pulled" for each in (*self.apps, *self.versions, *self.fresh)}
        self.origins |= {each.id: "loaded" for each in self.mine}

    @property
    def known_origins(self) -> dict[str, str]:
        """Of others some come as `built`, and are kept.

        Podman loses events with the older half of its log; the containerd store lets a tag bring
        back an image that has just gone.
        """
        return self.origins if self.engine.store == "graph driver" else {}

    def round(self, number: int, threads: int = 4, steps: int = 8) -> None:
        """Everybody does something, at random moments."""
        def work(worker: int) -> None:
            chance = random.Random(f"{self.seed}/{number}/{worker}")
            for _ in range(steps):
                time.sleep(chance.random() ** 3 * 0.1)
                self.step(chance)

        crowd = [threading.Thread(target=work, args=(worker,)) for worker in range(threads)]
        for each in crowd:
            each.start()
        for each in crowd:
            each.join()

    def step(self, chance: random.Random) -> None:
        action = chance.choices(list(self.OFTEN), list(self.OFTEN.values()))[0]
        try:
            getattr(self, action)(chance)
        except EngineError as error:
            # What is wanted may just have gone: 404, 409, 500 by a layer that goes meanwhile.
            self._count(self.refused, action)
            if error.status not in (200, 404, 409, 500):
                self.unexpected.append(f"{action}: {error}")
        else:
            self._count(self.done, action)

    def _count(self, counter: collections.Counter[str], action: str) -> None:
        with self.lock:
            counter[action] += 1

    # Steps

    def pull(self, chance: random.Random) -> None:
        self.client.pull(chance.choice(self.apps).reference)

    def tag(self, chance: random.Random) -> None:
        self.tag_as(chance.choice(self.apps).id, chance)

    def tag_as(self, app: str, chance: random.Random) -> None:
        """Gives it one of the names that are its own."""
        number = [each.id for each in self.apps].index(app)
        self.client.tag(app, f"alias{number}:{chance.randrange(3)}")

    def pull_and_tag(self, chance: random.Random) -> None:
        app = self.client.pull(chance.choice(self.apps).reference)
        for _ in range(3):
            self.tag_as(app, chance)

    def pull_and_create(self, chance: random.Random) -> None:
        app = self.client.pull(chance.choice(self.apps).reference)
        time.sleep(chance.random() * 0.1)
        self.client.create(app)

    def create(self, chance: random.Random) -> str:
        number = chance.randrange(len(self.apps))
        return self.client.create(chance.choice([
            self.apps[number].reference, f"alias{number}:{chance.randrange(3)}", self.moving]))

    def run(self, chance: random.Random) -> None:
        self.client.start(self.create(chance))

    def create_from_id(self, chance: random.Random) -> None:
        self.client.create(chance.choice([*self.apps, *self.versions]).id)

    def create_from_digest(self, chance: random.Random) -> None:
        app = chance.choice(self.apps)
        self.client.create((self.client.inspect(app.reference)["RepoDigests"] or [app.id])[0])

    def end(self, chance: random.Random) -> None:
        if containers := self.client.containers():
            self.client.remove_container(chance.choice(containers)["Id"], force=True)

    def move_pull(self, chance: random.Random) -> None:
        with self.lock:  # of what is pushed and what is pulled
            self.engine.push(self.moving, chance.choice(self.versions))
            self.client.pull(self.moving)

    def move_tag(self, chance: random.Random) -> None:
        self.client.tag(chance.choice(self.versions).id, "moving:2")

    def move_build(self, chance: random.Random) -> None:
        self._build("moving:2", chance)

    def load(self, chance: random.Random) -> None:
        number = chance.randrange(len(self.mine))
        self.client.load(self.mine[number].archive(f"mine{number}:1"))
        self._keep(self.mine[number].id)

    def build(self, chance: random.Random) -> None:
        self._build(f"built:{chance.randrange(3)}", chance)

    def fresh_pull(self, chance: random.Random) -> None:
        self._keep(self.client.pull(chance.choice(self.fresh).reference))

    def _build(self, tag: str, chance: random.Random) -> None:
        built = self.client.build_classic("FROM scratch\nCOPY x /x\n",
                                          {"x": str(chance.random()).encode()}, tag)
        self._keep(built, "built")

    def _keep(self, image_id: str, origin: str = "") -> None:
        """From now on this image must never be gone."""
        with self.lock:
            self.ours_to_keep.add(image_id)
            if origin:
                self.origins[image_id] = origin

    # Invariants

    def check(self) -> list[str]:
        """What is not as it must be, while nobody does anything but the daemon."""
        wrong = list(self.unexpected)
        images = self.client.image_ids(everything=True)
        wrong += [f"gone, and nobody might take it: {each}" for each in self.ours_to_keep - images]
        for container in self.client.containers():
            wrong += self._check_container(container)
        return wrong

    def _check_container(self, container: dict[str, Any]) -> list[str]:
        what = f"container {container['Id'][:12]} ({container['State']}) of {container['ImageID']}"
        reply = self.client.request("GET", f"/images/{container['ImageID']}/json")
        if reply.status != 200:
            if self._was_asked_before(container):
                self.engines_own.add(container["Id"])
                return []
            return [f"{what}: its image is gone: {reply.status}"]
        if container["State"] == "created" and container["ImageID"] not in self.moved_away:
            if not reply.json()["RepoTags"] and not reply.json()["RepoDigests"]:
                if self._was_unnamed_by_a_refusal(container["ImageID"]):
                    self.unnamed.add(container["Id"])
                    return []
                return [f"{what}: no name is left"]
        return []

    def _was_asked_before(self, container: dict[str, Any]) -> bool:
        """Whether the daemon asked for the image's removal before there was the container only.

        An engine that creates a container looks the image up at first and lists the container at
        last; one that removes an image looks for containers at first. In between each lets the
        other through, whoever asked. No client can know of such a container.
        """
        asked = self.relay.times(f"DELETE */images/{container['ImageID']}*")
        return bool(asked) and max(asked) <= self.witness.created(container["Id"])

    def _was_unnamed_by_a_refusal(self, image_id: str) -> bool:
        """Whether the engine has answered 409 to the removal by ID.

        It looks for containers, takes the last name away, and looks for containers again: one that
        comes in between keeps an image without a name, whoever asked for the removal.
        """
        refusal = rf"^info: kept .*: DELETE \S*/images/{image_id}: 409 "
        return bool(re.search(refusal, self.daemon.log, re.MULTILINE))

    @property
    def moved_away(self) -> set[str]:
        """Images whose names the crowd itself may have taken."""
        return {each.id for each in self.versions}

    def start_one(self, chance: random.Random) -> list[str]:
        """Whether a container can be started still."""
        waiting = [each for each in self.client.containers() if each["State"] == "created"]
        if not waiting:
            return []
        container = chance.choice(waiting)
        try:
            self.client.start(container["Id"])
        except EngineError as error:
            return [f"container {container['Id'][:12]} does not start: {error}"]
        self._count(self.done, "start")
        return []

    def thin_out(self, chance: random.Random) -> None:
        """Most containers go, so that their images may."""
        for each in self.client.containers():
            if chance.random() < 0.7:
                self.client.remove_container(each["Id"], force=True)

    def __str__(self) -> str:
        def show(counter: collections.Counter[str]) -> str:
            return ", ".join(f"{what} {count}" for what, count in sorted(counter.items()))
        return (f"seed {self.seed}; {len(self.engines_own)} containers created too late, "
                f"{len(self.unnamed)} of images that lost their name by a refusal; "
                f"done: {show(self.done)}; refused: {show(self.refused)}")


@contextlib.contextmanager
def collecting_all_the_time(daemon: Daemon, chance: random.Random) -> Iterator[None]:
    """Besides what the size limit asks for."""
    enough = threading.Event()

    def work() -> None:
        while not enough.wait(chance.random() * 0.3):
            with contextlib.suppress(AssertionError, ProcessLookupError):  # the test will notice
                daemon.signal(signal.SIGUSR1)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def check_agreement(daemon: Daemon, crowd: Crowd) -> list[str]:
    """Once nothing happens any more and the cache file is written, it agrees with the engine."""
    daemon.fence()
    wrong: list[str] = []

    def agrees() -> bool:
        wrong[:] = disagreements(daemon.cache(), crowd.client, crowd.known_origins)
        return not wrong

    with contextlib.suppress(AssertionError):
        daemon.wait(agrees, "agreement", within=8)
    return wrong


def test_b29_b30_no_image_of_a_container_goes_whatever_happens_at_the_same_time(
        watch: Watch, engine: Engine, directory: Path) -> None:
    """B7, B14, B18, B35: and nothing that is unmanaged or within grace; and all that is, is known.

    The daemon removes all the time whatever nobody uses.
    """
    seed = int(os.environ.get("DOCKERGCD_SEED") or secrets.randbelow(10**9))
    print(f"DOCKERGCD_SEED={seed}")
    rules = [{"match": "*/fresh*", "grace": "1h"}]
    relay = faults.Relay(directory, engine.socket_path)
    daemon = watch(engine, {"max_total_size": "1", "max_unused": "1ms", "settle": "50ms"},
                   {"rules": rules}, host=relay.host)
    chance, rounds, wrong = random.Random(seed), 0, list[str]()
    with contextlib.closing(Witness(engine)) as witness:
        crowd = Crowd(engine, daemon, relay, witness, seed)
        begin = time.monotonic()
        while rounds < ROUNDS and time.monotonic() - begin < SECONDS and not wrong:
            with collecting_all_the_time(daemon, chance):
                crowd.round(rounds)
                wrong = crowd.check() + crowd.start_one(chance)
            rounds += 1
            if rounds % 10 == 0 and not wrong:
                wrong = check_agreement(daemon, crowd)
            crowd.thin_out(chance)
        daemon.fence()
        wrong += crowd.check()
    wrong += disagreements(daemon.stop(), engine.client, crowd.known_origins)
    relay.close()
    removed = len(Texts.REMOVED.findall(daemon.log))
    print(f"{engine.kind}: {rounds} rounds, {removed} images removed; {crowd}")
    assert not wrong, "\n".join([*wrong, str(crowd), "--- log", daemon.log[-20000:]])
    assert removed > 0 and rounds > 1, "nothing was removed at all"
