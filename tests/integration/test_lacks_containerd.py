"""What Docker's containerd image store cannot do, shown of the store itself, and what we do then.

There is a test for each word that LACKS has for it: it fails once the store can.
"""

from __future__ import annotations

import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import Daemon
from faults import Relay
from real_engine import RealEngine
from scenes import Pulled, freed_in, know_sizes, loaded, pulled, taken, used, wait_until

MakeDaemon = Callable[..., Daemon]
Watch = Callable[..., Daemon]
Round = tuple[int, int, int]

EVERYTHING = {"manage": ["pulled", "loaded", "built"]}


def size_by_layers(engine: RealEngine, image: Pulled) -> int:
    """What its history adds up to: on a graph driver, its size."""
    steps: list[int] = [each["Size"] for each in engine.client.history(image.id)]
    assert len(steps) == len(image.image.layers) and all(steps)
    return sum(steps)


def collect_down_to(daemon: Daemon, engine: RealEngine, target: int) -> list[Round]:
    """With that limit: it is kept, within the bounds, and the last round was needed."""
    before, begin = engine.client.used(), len(daemon.log)
    assert before > target
    daemon.configure({"gc": {"max_total_size": str(target)}})
    daemon.signal(signal.SIGHUP)
    daemon.fence()
    rounds = freed_in(daemon.log[begin:])
    after = engine.client.used()
    assert after <= target < after + rounds[-1][0]
    assert sum(freed for freed, _, _ in rounds) == before - after
    assert all(lower <= freed <= upper for freed, lower, upper in rounds)
    return rounds


@pytest.mark.lacks("layer-sizes")
def test_b26_layers_have_no_sizes(watch: Watch, real: RealEngine) -> None:
    """Nothing tells how much of a layer was downloaded, though that counts as well.

    So an image frees something between nothing and its size, which the plan says.
    """
    daemon = watch(real)
    base = pulled(real, "base", 300_000)
    one, two = (pulled(real, name, 100_000, base=base.image) for name in ("one", "two"))
    sizes = {each.id: taken(real, each) for each in (base, one, two)}
    for each in base, one, two:
        assert size_by_layers(real, each) < sizes[each.id] / 1.9
    know_sizes(daemon, real)
    shown = {each["id"]: each for each in daemon.control.get("/v1/images")["images"]}
    assert {each: shown[each]["size"] for each in sizes} == sizes
    assert all(shown[each]["unique_size"] is None for each in sizes)
    target = real.client.used() - 1
    (freed, lower, upper), = collect_down_to(daemon, real, target)
    assert (lower, upper) == (0, sizes[one.id])
    assert 200_000 < freed < upper / 3, "what it shares stays"
    assert real.client.image_ids() == {base.id, two.id}


@pytest.mark.lacks("layer-sizes")
def test_b24_b27_several_images_go_by_measures(watch: Watch, real: RealEngine) -> None:
    """None is one too many: a round goes no further than if each had freed all of its size."""
    daemon = watch(real)
    base = pulled(real, "base", 300_000)
    others = [pulled(real, f"app{number}", 100_000, base=base.image) for number in range(4)]
    know_sizes(daemon, real)
    rounds = collect_down_to(daemon, real, real.client.used() - 500_000)
    assert len(rounds) == 3, "more than one image's own in each would be too many"
    assert real.client.image_ids() == {base.id, others[3].id}


@pytest.mark.lacks("layer-sizes")
def test_b24_a_measure_tells_sizes_that_no_list_has_told(watch: Watch, real: RealEngine) -> None:
    """So that images without a size yet need not go one by one."""
    daemon = watch(real)
    images = [pulled(real, name) for name in "abcd"]
    daemon.fence()
    sizes = [taken(real, each) for each in images]
    assert [each["size"] for each in daemon.control.get("/v1/images")["images"]] == sizes
    (freed, lower, upper), = collect_down_to(daemon, real, sum(sizes[2:]))
    assert lower == 0 and freed == upper == sum(sizes[:2])
    assert real.client.image_ids() == {each.id for each in images[2:]}


@pytest.mark.lacks("layer-sizes")
def test_b20_b38_an_image_more_is_measured(daemon: MakeDaemon, real: RealEngine,
                                           directory: Path) -> None:
    """What is known of layers tells nothing about what is used, so the engine does; once each."""
    relay = Relay(directory, real.socket_path)
    made = daemon(real, {"gc": {"max_total_size": "60GB"}}, host=relay.host)
    made.start().wait_watching()
    pulled(real, "before")
    made.fence()
    wait_until(time.monotonic() + 1, made)  # what the pull has led to is over
    relay.forget_requests()
    new = pulled(real, "app")
    made.wait(lambda: made.control.get("/v1/status")["usage"] == real.client.used(), "a measure")
    wait_until(time.monotonic() + 1, made)
    asked = Counter(each.partition("?")[0].split("/")[-1] for each in relay.requests())
    assert asked["df"] == 1
    assert not [each for each in relay.requests() if each.endswith("images/json?all=1")]
    assert made.control.image(new.id)["verdict"] == "keep"
    made.stop()
    relay.close()


@pytest.mark.lacks("layer-sizes")
def test_b21_b24_images_of_every_origin_on_one_base(watch: Watch, real: RealEngine) -> None:
    """Several collections down to nothing: in order, and each no further than it must."""
    seed = secrets.randbelow(10**9)
    print(f"seed: {seed}")
    chance = random.Random(seed)
    daemon = watch(real, images=EVERYTHING)
    base = pulled(real, "base", 54_321, runnable=True)
    names = []
    for number in range(3):
        names.append(pulled(real, f"app{number}", 9000, base=base.image).reference)
        names.append(f"loaded{number}:1")
        loaded(real, names[-1], 8000, base=base.image)
        names.append(f"built{number}:1")
        real.client.build_classic(
            f"FROM {base.reference}\nLABEL a={number}\nCOPY own /own\nENV B=1\n",
            {"own": chance.randbytes(20_000 + number)}, names[-1])
    chance.shuffle(names)
    for name in names:
        used(real, name)
    daemon.fence()
    while (usage := real.client.used()) > 0:
        collect_down_to(daemon, real, usage - chance.randrange(1, min(60_000, usage)))
        left = real.client.references() & set(names)
        assert left == set(names[len(names) - len(left):]), "not in order"
    assert real.client.image_ids(everything=True) == set()
