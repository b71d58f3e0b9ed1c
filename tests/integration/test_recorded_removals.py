"""Every answer to DELETE that was recorded, given to the daemon's own DELETE.

`tests/recorded/ENGINE/delete-NAME.json` is the body, `delete-NAME.request.json` what was asked and
the status. The table says what has to become of the image.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pytest

import faults
from daemon import Daemon, for_people
from recordings import ENGINES, RECORDED, engine_like, full_id, recorded
from scripted_engine import ScriptedEngine, ServedExchange

MakeEngine = Callable[..., ScriptedEngine]
MakeDaemon = Callable[..., Daemon]


class Outcome(enum.Enum):
    GONE = "the image is removed, all is said"
    ABSENT = "there is no such thing: a name was gone already, or the image was"
    UNTAGGED = "the name is gone, the image is not: on to its next name"
    KEPT = "the engine refuses: the image stays, and the next one is tried"
    FAILED = "neither: the collection ends, and nothing is forgotten"


GONE, ABSENT, UNTAGGED, KEPT, FAILED = Outcome

DOCKER: dict[str, Outcome] = {
    "404": ABSENT,
    "404-id": ABSENT,
    "base-of-child": UNTAGGED,
    "by-digest": GONE,
    "by-digest-when-tagged": UNTAGGED,
    "by-tag-after-digest": GONE,
    "by-tagdigest": UNTAGGED,
    "child-after-base": GONE,
    "conflict-dependent-child": KEPT,
    "conflict-dependent-child-force": KEPT,
    "conflict-multi-repos-by-id": KEPT,
    "conflict-multi-tags-by-id-with-container": KEPT,
    "conflict-multi-tags-one-repo-by-id": KEPT,
    "conflict-running-by-id-multi-tag": KEPT,
    "conflict-running-by-id-multi-tag-force": KEPT,
    "conflict-running-by-id-single-tag": KEPT,
    "conflict-running-by-id-untagged": KEPT,
    "conflict-running-by-id-untagged-force": KEPT,
    "conflict-running-by-tag": KEPT,
    "conflict-stopped-by-id-single-tag": KEPT,
    "conflict-stopped-by-tag": KEPT,
    "dangling-parent-by-id": KEPT,
    "invalid-ref-upper": FAILED,
    "last-tag-with-digest": GONE,
    "multi-repos-by-id-force": GONE,
    "noprune": GONE,
    "one-of-several-running": UNTAGGED,
    "one-of-two-tags-same-repo-with-digest": UNTAGGED,
    "running-by-tag-force": UNTAGGED,
    "single-tag-by-id": GONE,
    "single-tag-by-shortid": GONE,
    "stopped-by-tag-force": GONE,
}
"""What Docker 20.10 says."""

EXPECTED: dict[str, dict[str, Outcome]] = {
    "docker-20.10": DOCKER,
    # The parent has no child any more.
    "docker-28.5": DOCKER | {"dangling-parent-by-id": GONE},
    # The containerd store: a digest stands for the image, and no child holds its parent.
    "docker-29.7": DOCKER | {
        "base-of-child": GONE,
        "by-digest-when-tagged": GONE,
        "by-tag-after-digest": ABSENT,
        "by-tagdigest": GONE,
        "conflict-dependent-child": GONE,
        "conflict-dependent-child-force": ABSENT,
        "dangling-parent-by-id": ABSENT,
        "stopped-by-tag-force": UNTAGGED,
    },
    # By ID with several names is no conflict (409) there, but 500.
    "podman-4.3": {
        "404": ABSENT,
        "404-id": ABSENT,
        "by-digest": GONE,
        "conflict-multi-repos-by-id": FAILED,
        "conflict-running-by-id": KEPT,
        "conflict-running-by-id-multi-tag": FAILED,
        "conflict-running-by-tag": KEPT,
        "conflict-stopped-by-id": KEPT,
        "conflict-stopped-by-tag": KEPT,
        "invalid-ref-upper": FAILED,
        "last-tag-with-digest": GONE,
        "multi-repos-by-id-force": GONE,
        "noprune": GONE,
        "one-of-several-running": UNTAGGED,
        "running-by-tag-force": GONE,
        "single-tag-by-id": GONE,
        "stopped-by-tag-force": GONE,
        "untag-localhost": UNTAGGED,
        "untag-one-of-several": UNTAGGED,
    },
}

SOME_ID = "sha256:" + "5" * 64
NEXT_ID = "sha256:" + "f" * 64
"""Of an image that goes after it: of what was used at the same time the order is by ID."""
OTHER = "other.example/x"


@dataclass(frozen=True)
class Recording:
    """One answer, and the image that makes the daemon ask for it."""

    engine: str
    name: str

    @property
    def request(self) -> dict[str, Any]:
        found: dict[str, Any] = recorded(self.engine, f"delete-{self.name}.request")
        return found

    @property
    def body(self) -> bytes:
        return (RECORDED / self.engine / f"delete-{self.name}.json").read_bytes()

    @property
    def status(self) -> int:
        return int(self.request["status"])

    @property
    def asked(self) -> str:
        """The name or ID that was to go."""
        path = self.request["request"].removeprefix("DELETE /images/")
        return str(unquote(path.partition("?")[0]))

    @property
    def deleted(self) -> list[str]:
        entries = json.loads(self.body) if self.status == 200 else []
        return [full_id(each["Deleted"]) for each in entries if "Deleted" in each]

    @property
    def by_name(self) -> bool:
        """Not by ID, long or short; and UPPER:1 is the name of no image."""
        return not re.fullmatch(r"(sha256:)?[0-9a-f]{12,64}|UPPER:1", self.asked)

    @property
    def image_id(self) -> str:
        if self.asked.startswith("sha256:"):
            return self.asked
        return self.deleted[0] if self.deleted else SOME_ID

    @property
    def listed(self) -> dict[str, Any]:
        """With a name more than was asked for, where a name was, so that it is asked for first."""
        names, digests = ["app.example/only:1"], []
        if self.by_name and "@" in self.asked:
            name, _, digest = self.asked.partition("@")
            repository = re.sub(r":[^/]*$", "", name)
            names, digests = [], [f"{repository}@{digest}", f"{OTHER}@{digest}"]
        elif self.by_name:
            names = [self.asked, f"{OTHER}:1"]
        return listed(self.image_id, names, digests)

    @property
    def first(self) -> str:
        """What the daemon has to ask for, names in their full form."""
        if not self.by_name:
            return self.image_id
        name = str([*self.listed["RepoTags"], *self.listed["RepoDigests"]][0])
        return name if "/" in name else f"docker.io/library/{name}"


def listed(image_id: str, names: list[str], digests: list[str]) -> dict[str, Any]:
    return {"Id": image_id, "RepoTags": names, "RepoDigests": digests, "Size": 10**6,
            "ParentId": "", "Labels": None, "Created": 1577836800, "SharedSize": -1}


RECORDINGS = [Recording(engine, name) for engine, table in EXPECTED.items() for name in table]


def test_every_recorded_removal_is_in_the_table() -> None:
    assert set(EXPECTED) == set(ENGINES)
    for engine, table in EXPECTED.items():
        names = {path.name.removeprefix("delete-").removesuffix(".request.json")
                 for path in (RECORDED / engine).glob("delete-*.request.json")}
        assert set(table) == names


def images_engine(make: MakeEngine, recording: Recording) -> ScriptedEngine:
    """An engine with two images that take too much."""
    images = [recording.listed, listed(NEXT_ID, ["next.example/x:1"], [])]
    engine = engine_like(make, recording.engine)
    engine.script("GET", "/images/json", faults.reply(200, images))
    engine.script("GET", "/system/df", faults.reply(200, {"LayersSize": 2 * 10**6}))

    def inspect(exchange: ServedExchange) -> None:
        asked = exchange.request.path.removeprefix("/images/").removesuffix("/json")
        names = {asked, asked.removeprefix("docker.io/library/")}
        found = next(each for each in images if names & {each["Id"], *each["RepoTags"]})
        faults.reply(200, found | {"RootFS": {"Type": "layers"}})(exchange)

    engine.script("GET", "/images/*/json", inspect)  # type: ignore[arg-type]
    engine.script("GET", "/images/*/history", faults.reply(200, []))
    engine.script("DELETE", f"/images/{NEXT_ID}", faults.reply(200, [{"Deleted": NEXT_ID}]))
    return engine


def answer_removals(engine: ScriptedEngine, recording: Recording, outcome: Outcome) -> None:
    """As recorded; what the daemon asks next of the same image, the engine refuses."""
    engine.script("DELETE", "*", faults.reply(recording.status, recording.body), times=1)
    left = faults.reply(409, {"message": "conflict: the rest stays"})
    if outcome is ABSENT:
        left = faults.reply(404, {"message": "No such image"})
    engine.script("DELETE", "*", left)


@pytest.mark.parametrize("recording", RECORDINGS,
                         ids=[f"{each.engine}-{each.name}" for each in RECORDINGS])
def test_b31_a_recorded_removal_is_understood(
        daemon: MakeDaemon, scripted_engine: MakeEngine, recording: Recording) -> None:
    outcome = EXPECTED[recording.engine][recording.name]
    engine = images_engine(scripted_engine, recording)
    answer_removals(engine, recording, outcome)
    made = daemon(engine, {"gc": {"max_total_size": "1"}, "images": {"manage": ["existing"]}})
    done = made.run("--foreground", "--once")
    asked = [each.path.removeprefix("/images/") for each in engine.requests("DELETE")]
    goes_on = outcome is UNTAGGED or (outcome is ABSENT and recording.by_name)
    expected = [recording.first, *[recording.image_id] * goes_on,
                *[NEXT_ID] * (outcome is not FAILED)]
    assert asked == expected
    left = {recording.image_id} if outcome in (UNTAGGED, KEPT, FAILED) else set()
    assert made.cache().ids == left | ({NEXT_ID} if outcome is FAILED else set())
    assert done.returncode == (1 if outcome is FAILED else 0)
    if outcome in (KEPT, FAILED):
        said = json.loads(recording.body)["message"]
        assert said[:250] in for_people(done.stderr)
