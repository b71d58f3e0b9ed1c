"""What removals of built images free: BuildKit's, classic ones, both beside pulled and loaded ones.

Docker 20.10 tells nothing of what is built without a tag, so the daemons here list often. What the
engine has is read from its own store, layer by layer, and held against what it says itself.
"""

from __future__ import annotations

import random
import re
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from daemon import Daemon
from images import Image, chain_ids, layer
from real_engine import RealEngine
from scenes import Pulled, freed_in, loaded, pulled, used

pytestmark = pytest.mark.needs("layer-sizes", "exact-sizes")

Watch = Callable[..., Daemon]
Build = Callable[..., str]

REMOVED = re.compile(r"^info: removed .* \(sha256:([0-9a-f]{12})\): ", re.MULTILINE)

EVERYTHING = {"manage": ["pulled", "loaded", "built"]}
OFTEN = {"interval": "250ms"}

TRUE = 'RUN ["/bin/busybox", "true"]'


def write(path: str, size: int) -> str:
    """A step that runs and writes so many bytes."""
    return f'RUN ["/bin/busybox", "dd", "if=/dev/zero", "of={path}", "bs={size}", "count=1"]'


def content(name: str, size: int) -> bytes:
    """The same NAME, the same bytes."""
    return random.Random(name).randbytes(size)


def dockerfile(base: str, *steps: str) -> str:
    return "\n".join([f"FROM {base}", *steps, ""])


@pytest.fixture(params=["buildkit", "classic"])
def build(request: pytest.FixtureRequest, real: RealEngine) -> Iterator[Build]:
    """Builds a Dockerfile, given its text, files and a tag."""
    kinds = {"buildkit": real.client.build_buildkit, "classic": real.client.build_classic}
    yield kinds[request.param]
    forget_builds(real)


@pytest.fixture
def buildkit(real: RealEngine) -> Iterator[Build]:
    yield real.client.build_buildkit
    forget_builds(real)


def forget_builds(engine: RealEngine) -> None:
    """The next test begins without cached steps."""
    engine.clear()
    engine.client.prune_builds()


# What the engine has

@dataclass(frozen=True)
class Store:
    """Images with their layers, and what these take."""

    chains: dict[str, list[str]]
    """Of each image, bottom first."""
    parents: dict[str, str]
    sizes: dict[str, int]
    """Of each layer."""

    @classmethod
    def of(cls, engine: RealEngine) -> Store:
        """What is there now; the engine says itself that this is what it takes."""
        chains, parents = {}, {}
        for image_id in engine.client.image_ids(everything=True):
            shown = engine.client.inspect(image_id)
            chains[image_id] = chain_ids(shown["RootFS"].get("Layers") or [])
            parents[image_id] = shown["Parent"]
        layers = {each for chain in chains.values() for each in chain}
        store = cls(chains, parents, {each: engine.layer_size(each) for each in layers})
        assert store.usage(store.images) == engine.client.used()
        return store

    @property
    def images(self) -> set[str]:
        return set(self.chains)

    def usage(self, images: set[str]) -> int:
        """What these images take, each layer once."""
        return sum(self.sizes[each]
                   for each in {each for image in images for each in self.chains[image]})

    def ancestors(self, image: str) -> set[str]:
        """By parent, as classic builds have them."""
        parent = self.parents[image]
        return {parent, *self.ancestors(parent)} if parent in self.chains else set()

    def full_id(self, short: str) -> str:
        found, = (each for each in self.chains if each.startswith(f"sha256:{short}"))
        return found


# What the daemon does

def watching(watch: Watch, engine: RealEngine) -> Daemon:
    """A daemon that takes what is built from now on for built since it came."""
    return watch(engine, OFTEN, EVERYTHING)


def wait_known(daemon: Daemon, engine: RealEngine) -> None:
    """Until a list has come that was asked for after this call: what nothing told of is in it."""
    before = daemon.collections
    daemon.wait(lambda: daemon.collections >= before + 2, "a list, and a collection after it")
    count = len(engine.client.image_ids())
    daemon.wait(lambda: f": {count} of {count} images managed" in daemon.status, "all images")


@dataclass(frozen=True)
class Collection:
    """What went, in that order, and of each round what was freed and within which bounds."""

    removed: list[str]
    rounds: list[tuple[int, int, int]]

    @property
    def exact(self) -> bool:
        """In one round, predicted to the byte."""
        return len(self.rounds) == 1 and len(set(self.rounds[0])) == 1


def collect_down_to(daemon: Daemon, engine: RealEngine, target: int,
                    restart: bool = False) -> Collection:
    """With that limit: it is kept, the bytes are those said, and the last removal was needed."""
    before = Store.of(engine)
    assert before.usage(before.images) > target
    daemon.configure({"gc": {"max_total_size": str(target)}})
    if restart:
        daemon.stop()
        daemon.start().wait_watching()
        said = daemon.log
    else:
        begin = len(daemon.log)
        daemon.signal(signal.SIGHUP)
        daemon.fence()
        said = daemon.log[begin:]
    print(said)  # pytest shows it where a test fails
    after = Store.of(engine)
    removed = [before.full_id(short) for short in REMOVED.findall(said)]
    rounds = freed_in(said)
    left, usage = after.images, after.usage(after.images)
    assert left < before.images
    assert usage <= target
    # What is nameless below goes along with an image, but not before it.
    one_more = left | {removed[-1]} | before.ancestors(removed[-1])
    assert before.usage(one_more) > target, "one too many"
    assert sum(freed for freed, _, _ in rounds) == before.usage(before.images) - usage
    return Collection(removed, rounds)


def collect_to_the_end(daemon: Daemon, engine: RealEngine, *shares: float) -> None:
    """By and by to these shares of what is used, then all of it; each time exact."""
    for share in (*shares, 0.0):
        if usage := engine.client.used():
            target = max(int(usage * share), 1)
            assert collect_down_to(daemon, engine, target).exact
    assert engine.client.used() == 0


def runnable_base(engine: RealEngine) -> Pulled:
    """A base that can run, with a layer of its own."""
    return pulled(engine, "base", 54_321, runnable=True)


# One builder at a time

def test_b26_builds_from_scratch_that_part_at_several_depths(watch: Watch, real: RealEngine,
                                                             build: Build) -> None:
    """No image ends where BuildKit's part; one image has no layer at all."""
    daemon = watching(watch, real)
    files = {name: content(name, 10_000 + 111 * number)
             for number, name in enumerate(["s0", "s1", "s2", "o0", "o1", "o2", "o3"])}
    steps = ["COPY s0 /s0", "ENV A=1", "LABEL b=2", "COPY s1 /s1", "CMD c", "COPY s2 /s2"]
    for depth, shared in enumerate([steps[:1], steps[:3], steps[:4], steps]):
        for twin in range(2):
            own = [f"LABEL twin={twin}", f"COPY o{depth} /{twin}"]
            build(dockerfile("scratch", *shared, *own), files, f"app{depth}:{twin}")
    build(dockerfile("scratch", "ENV NO=layer"), None, "empty:1")
    wait_known(daemon, real)
    collect_down_to(daemon, real, real.client.used() - 1)
    collect_to_the_end(daemon, real, 0.8, 0.5)


def test_b26_builds_on_a_pulled_base(watch: Watch, real: RealEngine, build: Build) -> None:
    """Empty layers, steps without one, steps that run; one image has the base's layers only."""
    daemon = watching(watch, real)
    base = runnable_base(real)
    files = {name: content(name, 10_000) for name in ("one", "two", "own")}
    steps = ["WORKDIR /w", "COPY one /one", "ENV A=1", "LABEL b=2", TRUE, write("/dd", 23_456),
             "COPY two /two", "CMD true"]
    for depth in (1, 2, 5, 6, 8):
        build(dockerfile(base.reference, *steps[:depth], f"LABEL depth={depth}",
                         f"COPY own /own{depth}", "WORKDIR /end"), files, f"app{depth}:1")
    build(dockerfile(base.reference, *steps), files, "whole:1")
    build(dockerfile(base.reference, "ENV A=1", "LABEL b=2"), None, "same:1")
    wait_known(daemon, real)
    collect_to_the_end(daemon, real, 0.995, 0.99, 0.97)


def test_b26_builds_in_stages(watch: Watch, real: RealEngine, build: Build) -> None:
    """Of a classic build the first stages stay, nameless; of BuildKit's the cache has them."""
    daemon = watching(watch, real)
    base = runnable_base(real)
    files = {name: content(name, 20_000) for name in ("source", "lib")}
    made = dockerfile(f"{base.reference} AS make", "COPY source /source", write("/made", 34_567))
    lib = dockerfile("scratch AS lib", "COPY lib /lib", "ENV A=1")
    for number in range(3):
        last = dockerfile(["scratch", base.reference, "lib"][number], "LABEL a=1",
                          "COPY --from=make /made /made", f"COPY lib /{number}")
        build(made + lib + last, files, f"app{number}:1")
    wait_known(daemon, real)
    collect_down_to(daemon, real, real.client.used() - 1)
    collect_to_the_end(daemon, real, 0.98, 0.95)


def test_b7_b26_what_a_rebuild_leaves_behind_goes_first(watch: Watch, real: RealEngine,
                                                        build: Build) -> None:
    """The name has moved on; what both have in common stays with the new one."""
    daemon = watching(watch, real)
    base = runnable_base(real)
    older = pulled(real, "older", 1000)
    text = dockerfile(base.reference, "COPY lib /lib", "ENV A=1", "WORKDIR /w",
                      "COPY app /app")
    files = {"lib": content("lib", 40_000)}
    versions = []
    for size in (1111, 2222, 3333):
        versions.append(build(text, {**files, "app": content("app", size)}, "app:1"))
        wait_known(daemon, real)
    used(real, versions[0])
    full = real.client.used()
    first = collect_down_to(daemon, real, full - 2222)
    assert first.exact and first.removed == [versions[1]]
    second = collect_down_to(daemon, real, full - 2222 - 1)
    assert second.exact and second.removed == [versions[0]]
    assert real.client.image_ids() == {base.id, older.id, versions[2]}
    assert real.client.image_id("app:1") == versions[2]
    collect_to_the_end(daemon, real)


def test_b26_what_comes_back_from_the_build_cache(watch: Watch, real: RealEngine,
                                                  buildkit: Build) -> None:
    """The cache has the layers still: they count with the image again, and go with it again."""
    daemon = watching(watch, real)
    files = {name: content(name, 30_000) for name in ("shared", "a", "b")}

    def builds() -> list[str]:
        return [buildkit(dockerfile("scratch", "COPY shared /x", f"COPY {name} /y"), files,
                         f"{name}:1") for name in "ab"]

    first = builds()
    wait_known(daemon, real)
    collect_to_the_end(daemon, real, 0.9)
    daemon.configure({"gc": {"max_total_size": "0"}})
    daemon.signal(signal.SIGHUP)
    daemon.fence()
    assert builds() == first
    real.client.prune_builds()
    assert real.client.used() == 90_000
    wait_known(daemon, real)
    assert collect_down_to(daemon, real, 89_999).rounds == [(30_000,) * 3]
    assert collect_down_to(daemon, real, 1).rounds == [(60_000,) * 3]


@pytest.mark.parametrize("told", [False, True], ids=["open", "told"])
def test_b24_b26_histories_that_can_be_read_in_two_ways(watch: Watch, real: RealEngine,
                                                        buildkit: Build, told: bool) -> None:
    """An empty step is a layer or none: within bounds, and exact once another image tells."""
    daemon = watching(watch, real)
    files = {"shared": content("shared", 50_000),
             **{str(number): content(str(number), 10_000 + number) for number in range(5)}}
    shared = ["ENV A=1", "COPY shared /shared"]
    for number in range(4):
        buildkit(dockerfile("scratch", *shared, f"COPY {number} /own", "WORKDIR /w"), files,
                 f"app{number}:1")
    if told:
        buildkit(dockerfile("scratch", *shared, "COPY 4 /own"), files, "app4:1")
    wait_known(daemon, real)
    collection = collect_down_to(daemon, real, real.client.used() - 15_000)
    assert len(collection.removed) == 2
    assert all(lower <= freed <= upper for freed, lower, upper in collection.rounds)
    assert collection.exact == told
    collect_down_to(daemon, real, 1)


def test_b24_an_image_that_nobody_has_told_of(watch: Watch, real: RealEngine,
                                              buildkit: Build) -> None:
    """It has what was predicted to go, so the measure decides; it is not touched itself.

    Engines from 28 on tell of it: then it is known, nameless, and goes first.
    """
    daemon = watch(real, images=EVERYTHING)
    images = [pulled(real, f"app{number}", 100_000) for number in range(4)]
    daemon.fence()
    begin = time.time_ns()
    unknown = buildkit(dockerfile(images[1].reference, "COPY x /x"), {"x": bytes(1000)})
    if real.client.has_told_of(unknown, begin):
        daemon.fence()
        collection = collect_down_to(daemon, real, 250_000)
        assert collection.removed == [unknown, images[0].id, images[2].id]
        assert collection.rounds == [(201_000,) * 3]
        assert real.client.image_ids() == {images[1].id, images[3].id}
        return
    collection = collect_down_to(daemon, real, 250_000)
    assert collection.removed == [each.id for each in images[:3]]
    assert [freed for freed, _, _ in collection.rounds] == [100_000, 100_000]
    assert real.client.image_ids() == {images[3].id, unknown}


# All of them together

def stand(engine: RealEngine, chance: random.Random) -> list[str]:
    """Images of every origin on one base, used in random order, which is returned.

    The first of them has no name, and nothing tells of it.
    """
    client = engine.client
    base = runnable_base(engine)
    builders = {"buildkit": client.build_buildkit, "classic": client.build_classic}
    files = {name: content(name, 20_000 + number) for number, name in enumerate(["a", "b", "own"])}
    steps = ["COPY a /a", "LABEL b=1", TRUE, "COPY b /b", write("/c", 7777)]
    references = []
    for number in range(2):
        middle = pulled(engine, f"middle{number}", 30_000 + number, base=base.image)
        references.append(pulled(engine, f"pulled{number}", 9000, base=middle.image).reference)
        references.append(f"loaded{number}:1")
        loaded(engine, references[-1], 8000, base=middle.image)
        for kind, build in builders.items():
            for below in (base, middle):
                references.append(f"{kind}{number}:{below.image.comment}")
                text = dockerfile(below.reference, *steps[:chance.randrange(1, 6)],
                                  f"COPY own /{kind}{number}")
                build(text, files, references[-1])
    chance.shuffle(references)
    for reference in references:
        used(engine, reference)
    nameless = client.build_buildkit(dockerfile(base.reference, *steps[:2], "COPY own /x"), files)
    return [nameless, *(client.image_id(each) for each in references)]


def test_b21_b24_b26_images_of_every_origin_on_one_base(watch: Watch, real: RealEngine,
                                                        buildkit: Build) -> None:
    """Several collections down to nothing, some after a restart; each to the byte, in order."""
    seed = secrets.randbelow(10**9)
    print(f"seed: {seed}")
    chance = random.Random(seed)
    daemon = watching(watch, real)
    order = stand(real, chance)
    wait_known(daemon, real)
    if chance.random() < 0.5:
        real.client.prune_builds()
    removed: list[str] = []
    while (usage := real.client.used()) > 0:
        most = 100_000 if len(removed) < len(order) else usage
        collection = collect_down_to(daemon, real, usage - chance.randrange(1, most),
                                     restart=chance.random() < 0.3)
        assert collection.exact
        removed += collection.removed
    assert [each for each in removed if each in order] == order


# Many layers

def test_b24_b26_more_than_a_hundred_layers(watch: Watch, real: RealEngine,
                                            buildkit: Build) -> None:
    """Siblings share 60 and 90 of them; where a base is gone, only histories tell of those."""
    daemon = watching(watch, real)
    client = real.client
    layers = [layer(f"deep{number}", 100 + number) for number in range(105)]
    bases = {depth: Image(tuple(layers[:depth]), comment=f"base{depth}", noise=depth // 7)
             for depth in (60, 90, 105)}
    files = {name: content(name, 5000) for name in "abc"}
    steps = ["ENV A=1", "COPY a /0", "LABEL b=1", "COPY b /1", "COPY c /2", "WORKDIR /w",
             "COPY a /w", "COPY b /w"]
    made = []
    for depth, base in bases.items():
        reference = f"{real.registry}/base{depth}:1"
        real.push(reference, base)
        client.fetch(reference)
        for count in (2, 8):
            made.append(buildkit(dockerfile(reference, *steps[:count]), files, f"b{depth}:{count}"))
        loaded(real, f"loaded{depth}:1", 6000, base=base)
        made.append(client.image_id(f"loaded{depth}:1"))
        if depth == 60:
            client.remove_image(reference, noprune=True)
        else:
            made.append(client.build_classic(dockerfile(reference, *steps[:5]), files,
                                             f"c{depth}:1"))
        if depth == 90:
            client.untag(reference, noprune=True)
    wait_known(daemon, real)
    assert len(client.inspect("b105:8")["RootFS"]["Layers"]) == 111
    for image in reversed(made):
        used(real, image)
    collect_down_to(daemon, real, client.used() - 1)
    collect_to_the_end(daemon, real, 0.9, 0.5)


def test_b26_steps_of_a_build_that_only_its_tag_told_of(watch: Watch, real: RealEngine) -> None:
    """No list has come since: its steps are asked for, go with it, and are part of what it frees."""
    daemon = watch(real, images=EVERYTHING)
    files = {name: content(name, 10_000) for name in "ab"}
    for number in range(2):
        real.client.build_classic(dockerfile("scratch", "COPY a /a", f"COPY b /b{number}"), files,
                                  f"app{number}:1")
    daemon.fence()
    assert collect_down_to(daemon, real, 29_999).rounds == [(10_000,) * 3]
    assert collect_down_to(daemon, real, 19_999).rounds == [(20_000,) * 3]
    assert real.client.image_ids(everything=True) == set()
