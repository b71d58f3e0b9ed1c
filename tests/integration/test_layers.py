"""What a removal frees, predicted and measured: to the byte where sizes are known (B26, B27)."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import faults
from daemon import Daemon
from engines import Engine
from faults import Relay
from images import MB, Image, Layer, image, layer, layer_of
from scenes import Pulled, freed_in, loaded, present, pulled, used, wait_until
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.needs("exact-sizes")

Watch = Callable[..., Daemon]


def measures(daemon: Daemon) -> list[tuple[int, int, int]]:
    """Of each round: what was freed, and the bounds it was predicted to lie in."""
    return freed_in(daemon.log)


def collect_down_to(daemon: Daemon, engine: Engine, target: int) -> None:
    """With that limit, once; the engine agrees about the outcome."""
    daemon.fence()
    daemon.configure({"gc": {"max_total_size": str(target)}})
    daemon.stop()
    daemon.start().wait_watching()
    assert engine.client.used() <= target


def pull(engine: Engine, name: str, *layers: Layer, noise: int = 0) -> Pulled:
    """Pulls an image of these layers, with so many metadata-only entries in its history."""
    made = dataclasses.replace(Image(layers, comment=name), noise=noise)
    reference = f"{engine.registry}/{name}:1"
    engine.push(reference, made)
    assert engine.client.pull(reference) == made.id
    return Pulled(reference, made)


@pytest.mark.needs("layer-sizes")
def test_b26_images_that_share_layers_at_several_depths(watch: Watch, engine: Engine) -> None:
    """No image ends where they part: only histories tell how much stays."""
    daemon = watch(engine)
    low, middle, high = layer("low", 300_000), layer("middle", 170_001), layer("high", 55_555)
    for number in range(3):
        pull(engine, f"low{number}", low, layer(f"l{number}", 100_000 + number))
        pull(engine, f"middle{number}", low, middle, layer(f"m{number}", 200_000 + number))
        pull(engine, f"high{number}", low, middle, high, layer(f"h{number}", 7 + number))
    for share in (0.99, 0.8, 0.0):
        collect_down_to(daemon, engine, max(int(engine.client.used() * share), 1))
        rounds = measures(daemon)
        assert len(rounds) == 1, "exact, so that one round is enough"
        assert rounds[0][0] == rounds[0][1] == rounds[0][2] > 0
    assert engine.client.image_ids(everything=True) == set()


def test_b26_random_images(watch: Watch, engine: Engine) -> None:
    """Empty layers and entries without layers, too; whatever is predicted holds."""
    seed = secrets.randbelow(10**9)
    print(f"seed: {seed}")
    chance = random.Random(seed)
    daemon = watch(engine)
    empty = layer_of({"empty": b""})
    stacks: list[tuple[Layer, ...]] = [()]
    for number in range(14):
        stack = chance.choice(stacks)
        for depth in range(chance.randrange(1, 4)):
            size = chance.choice([0, 1, 1000, 250_000])
            stack = (*stack, layer(f"{number}.{depth}", size) if size else empty)
        stacks.append(stack)
        shown = pull(engine, f"app{number}", *stack, noise=chance.randrange(3))
        if chance.random() < 0.3:
            used(engine, shown.reference)
    rounds = 0
    while (before := engine.client.used()) > 1:
        collect_down_to(daemon, engine, chance.randrange(1, before))
        for freed, lower, upper in measures(daemon):
            assert lower <= freed <= upper
            rounds += 1
    assert rounds > 0


@pytest.mark.needs("layer-sizes")
def test_b26_a_hundred_and_ten_layers(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    layers = [layer(f"deep{number}", 10 + number) for number in range(110)]
    pull(engine, "deep", *layers, noise=20)
    pull(engine, "other", *layers[:64], layer("other", 12_345), noise=3)
    daemon.fence()
    below = sum(each.size for each in layers[:64])
    collect_down_to(daemon, engine, below + 12_345)
    assert measures(daemon) == [(sum(each.size for each in layers[64:]),) * 3]


@pytest.mark.needs("layer-sizes")
def test_b26_loaded_and_built_images(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, images={"manage": ["loaded", "built", "pulled"]})
    loaded(engine, "base:1", 300_000)
    for number in range(2):
        engine.client.build_classic(
            f"FROM base:1\nENV A={number}\nCOPY x /x\nLABEL b={number}\n",
            {"x": bytes([number]) * 100_000}, f"built:{number}")
    daemon.fence()
    collect_down_to(daemon, engine, 450_000)
    assert measures(daemon) == [(100_000,) * 3]
    collect_down_to(daemon, engine, 1)
    assert measures(daemon) == [(400_000,) * 3]


def test_b27_histories_are_asked_for_once_and_only_where_they_tell_something(
        watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    base = layer("base", 1000)
    pull(scripted, "alone", layer("alone", 5))
    pull(scripted, "a", base, layer("a", 10))
    daemon.fence()
    assert not scripted.requests("GET", "/images/*/history")
    pull(scripted, "b", base, layer("b", 10))
    daemon.fence()
    assert len(scripted.requests("GET", "/images/*/history")) == 1
    pull(scripted, "c", base, layer("c", 10))
    daemon.fence()
    assert len(scripted.requests("GET", "/images/*/history")) == 1
    scripted.log.forget()
    scripted.log.close()
    daemon.fence()
    assert len(scripted.requests("GET", "/images/*/history")) == 1
    pulled(scripted, "base", base=None)
    daemon.fence()
    assert len(scripted.requests("GET", "/images/*/history")) == 1


# What is known need not be asked for

def asked(relay: Relay) -> list[str]:
    """The requests, without version and query."""
    return [re.sub(r" /v[\d.]+", " ", each).partition("?")[0].replace(" /", " ")
            for each in relay.requests()]


def settle(daemon: Daemon, image: Pulled) -> None:
    """Until all that follows from the image's arrival is over."""
    daemon.wait_log(f"^info: new image {re.escape(image.reference)} ")
    wait_until(time.monotonic() + 1, daemon)


@pytest.mark.needs("layer-sizes")
def test_b20_b38_one_image_more_costs_no_list_and_no_measure(
        daemon: Callable[..., Daemon], engine: Engine, directory: Path) -> None:
    """However many there are; the first measure has confirmed what is known of layers."""
    relay = Relay(directory, engine.socket_path)
    if isinstance(engine, ScriptedEngine):
        for number in range(1000):
            engine.model.add(image(f"many{number}", 1000))
    base = layer("base", 100_000)
    for name in "ab":
        pull(engine, name, base, layer(name, 1000))
    made = daemon(engine, {"gc": {"max_total_size": "2500kB"}}, host=relay.host)
    made.start().wait_watching()
    used_before = engine.client.used()
    relay.forget_requests()
    new = pull(engine, "c", base, layer("c", 50_000))
    settle(made, new)
    assert asked(relay) == [f"GET images/{new.reference}/json"]
    assert engine.client.used() == used_before + 50_000
    shown = {"scripted": "1.15MB of 2.5MB", "real": "152kB of 2.5MB"}[engine.kind]
    made.wait(lambda: shown in made.status, "STATUS tells what is known")
    relay.forget_requests()
    pull(engine, "large", layer("large", 2_600_000))
    made.wait_log("^info: collection finished: .* removed")
    counts = Counter(asked(relay))
    assert counts["GET system/df"] == 2, "before and after"
    assert counts["GET containers/json"] == 1
    assert counts["GET images/json"] == 0
    made.stop()
    relay.close()


def test_b25_an_engine_that_counts_otherwise_is_measured_each_time(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """What it says is above the limit, whatever its images' sizes add up to."""
    daemon = watch(scripted, {"max_total_size": "10MB", "grace": "1h"})
    pulled(scripted, "a")
    daemon.fence()
    scripted.script("GET", "/system/df", faults.reply(200, {"LayersSize": 9_000_000}), times=1)
    daemon.collect()
    scripted.script("GET", "/system/df", faults.reply(200, {"LayersSize": 11_000_000}))
    pulled(scripted, "b")
    daemon.wait_log("^warning: images take 1MB more than 10MB")


def unsized(exchange: faults.Exchange) -> None:
    """An engine that has not computed the sizes of its images."""
    response = exchange.handle()
    assert isinstance(response.body, bytes)
    body = re.sub(rb'"Size":\d+', b'"Size":-1', response.body)
    exchange.wire.send(dataclasses.replace(response, body=body))


def test_b26_images_of_unknown_size_go_one_by_one(watch: Watch, scripted: ScriptedEngine) -> None:
    """Each might free all that is to be freed; none is said to free what nobody has."""
    for path in ("/images/json", "/images/*/json"):
        scripted.script("GET", path, unsized)
    daemon = watch(scripted)
    first, second = pulled(scripted, "first"), pulled(scripted, "second")
    daemon.fence()
    daemon.configure({"gc": {"max_total_size": "1500kB"}})
    daemon.stop()
    daemon.start().wait_watching()
    assert scripted.client.image_ids() == {second.id}
    daemon.wait_log(rf"^info: removed {re.escape(first.reference)} .* an unknown amount$")
    assert measures(daemon) == [(1_000_000, 0, 2**64 - 1)]


def sized(image_id: str, size: int) -> faults.Fault:
    """An engine that tells this size of one of its images."""
    def fault(exchange: faults.Exchange) -> None:
        response = exchange.handle()
        answer = json.loads(response.body)
        for each in answer if isinstance(answer, list) else [answer]:
            if each.get("Id") == image_id:
                each["Size"] = size
        exchange.wire.send(dataclasses.replace(response, body=json.dumps(answer).encode()))
    return fault


@pytest.mark.parametrize("size", [-1, 0, 2**63])
def test_b24_b26_a_size_that_makes_no_sense(watch: Watch, scripted: ScriptedEngine,
                                            size: int) -> None:
    """The image might free anything: one at a time, and it is named. Nothing else suffers."""
    first, second, third = (pulled(scripted, name) for name in ("first", "second", "third"))
    for path in ("/images/json", "/images/*/json"):
        scripted.script("GET", path, sized(first.id, size))
    daemon = watch(scripted, images={"manage": ["existing"]})
    for each in (first, second, third):
        used(scripted, each.reference)
    daemon.wait_log(f"^debug: {first.id}: its size is not known")
    collect_down_to(daemon, scripted, 2_000_000)
    assert scripted.client.image_ids() == {second.id, third.id}
    collect_down_to(daemon, scripted, 1_000_000)
    assert scripted.client.image_ids() == {third.id}
    assert measures(daemon) == [(1_000_000, 1_000_000, 1_000_000)]


def test_b24_b29_what_others_remove_counts_after_an_image_of_unknown_size_has_gone(
        watch: Watch, scripted: ScriptedEngine) -> None:
    """Once it was gone, what others removed during a collection counted as nothing."""
    first, second = pulled(scripted, "first"), pulled(scripted, "second")
    large, unknown = pulled(scripted, "large", 5 * MB), pulled(scripted, "unknown")
    for path in ("/images/json", "/images/*/json"):
        scripted.script("GET", path, sized(unknown.id, -1))
    daemon = watch(scripted, images={"manage": ["existing"]})
    for each in (first, second, large):
        used(scripted, each.reference)
    scripted.client.untag(unknown.reference)
    daemon.fence()
    release = threading.Event()
    scripted.script("DELETE", "*", faults.hang(release), times=1)
    daemon.configure({"gc": {"max_total_size": "5500kB"}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: scripted.requests("DELETE", "/images/*"), "the first removal")
    scripted.client.untag(large.reference)
    release.set()
    daemon.fence()
    assert present(scripted, first, second, large) == [False, True, False]


def told_history(entries: list[int]) -> faults.Fault:
    return faults.reply(200, [{"Id": "x", "Size": size} for size in entries])


@pytest.mark.parametrize("entries", [[], [1], [5, 100_000], [1000] * 5, [100_000, 1000, 1000]],
                         ids=str)
def test_b24_b26_a_history_that_does_not_fit(watch: Watch, scripted: ScriptedEngine,
                                             entries: list[int]) -> None:
    """Which layers take how much stays open: named, within bounds, and never one too many."""
    base = layer("base", 100_000), layer("own", 1000)
    one, two = pull(scripted, "one", *base[:1], layer("1", 500)), pull(scripted, "two", *base)
    other = pulled(scripted, "other")
    scripted.script("GET", "/images/*/history", told_history(entries))
    daemon = watch(scripted, images={"manage": ["existing"]})
    for each in (one, two, other):
        used(scripted, each.reference)
    daemon.wait_log(r"^debug: .*history does not fit its layers")
    collect_down_to(daemon, scripted, scripted.client.used() - 1)
    assert scripted.client.image_ids() == {two.id, other.id}
    freed, lower, upper = measures(daemon)[0]
    assert lower <= freed <= upper
    assert any(each.id in daemon.log for each in (one, two))


def test_b32_an_image_that_vanishes_between_list_and_inspect(watch: Watch,
                                                            scripted: ScriptedEngine) -> None:
    first, second = pulled(scripted, "first"), pulled(scripted, "second")
    daemon_sees = threading.Event()

    def vanish(exchange: faults.Exchange) -> None:
        answer = exchange.handle()
        scripted.client.remove_image(first.reference)
        exchange.wire.send(answer)
        daemon_sees.set()

    scripted.script("GET", "/images/json", vanish, times=1)
    daemon = watch(scripted, images={"manage": ["existing"]})
    assert daemon_sees.is_set()
    daemon.fence()
    assert "error" not in daemon.log
    assert daemon.stop().ids == {second.id}


def test_b24_inspect_tells_no_size_on_the_containerd_store(daemon: Callable[..., Daemon],
                                                           scripted: ScriptedEngine) -> None:
    """It leaves out what was unpacked: taken for all, it would let one image too many go."""
    scripted.script("GET", "/info", faults.in_containerd(scripted))
    made = daemon(scripted).start().wait_watching()
    image = pulled(scripted, "app")
    made.wait(lambda: made.control.call("GET", f"/v1/images/{image.id}").status == 200, "it")
    assert made.control.image(image.id)["size"] is None
    made.stop()
    made.start().wait_watching()
    assert made.control.image(image.id)["size"] == image.image.size


@pytest.mark.parametrize("api", ["1.43", "1.51", "1.55"])
def test_b24_a_measure_tells_sizes_on_the_containerd_store(
        daemon: Callable[..., Daemon], scripted_engine: Callable[..., ScriptedEngine],
        api: str) -> None:
    """No list is needed to remove three images in one round."""
    engine = scripted_engine(api_max=api)
    engine.script("GET", "/info", faults.in_containerd(engine))
    made = daemon(engine).start().wait_watching()
    images = [pulled(engine, f"app{number}") for number in range(4)]
    made.fence()
    engine.forget_requests()
    made.configure({"gc": {"max_total_size": "1500kB"}})
    made.signal(signal.SIGHUP)
    made.wait(lambda: present(engine, *images) == [False] * 3 + [True], "three removals")
    made.fence()
    asked = [each.method for each in engine.requests()
             if each.matches("GET", "/system/df") or each.method == "DELETE"]
    assert asked[:5] == ["GET", "DELETE", "DELETE", "DELETE", "GET"]
    assert not engine.requests("GET", "/images/json")
