"""Answers that are not what the API says: an error that names the endpoint, and no removal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import faults
from daemon import Daemon
from scenes import present, pulled
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

OLD = 5 * 7 * 24 * 3600
RECOVER = 45.0
"""Back-off goes up to 30 s."""

ANYWHERE: dict[str, faults.Fault] = {
    "html": faults.html(502),
    "html-200": faults.html(200),
    "no-json": faults.reply(200, b"ok"),
    "empty": faults.reply(200, b""),
    "half-json": faults.reply(200, b'[{"Id":"sha256:'),
    "null": faults.reply(200, b"null"),
    "string": faults.reply(200, b'"text"'),
    "number": faults.reply(200, b"12"),
    "binary": faults.reply(200, b"\x00\x01\x02\xff"),
    "truncated": faults.truncate(10),
    "no-http": faults.garbage(),
    "closed": faults.close(),
    "length-too-long": faults.content_length(10**6),
    "500": faults.reply(500, {"message": "something broke"}),
    "500-text": faults.reply(500, b"plain text"),
    "404": faults.reply(404, {"message": "page not found"}),
}

IMAGES: dict[str, Any] = {
    "object": {},
    "no-id": [{"RepoTags": ["a:1"], "Size": 1}],
    "id-number": [{"Id": 7, "RepoTags": ["a:1"]}],
    "id-null": [{"Id": None}],
    "tags-string": [{"Id": "sha256:" + "0" * 64, "RepoTags": "a:1"}],
    "tags-numbers": [{"Id": "sha256:" + "0" * 64, "RepoTags": [1, 2]}],
    "list-of-strings": ["sha256:" + "0" * 64],
    "nested": [[]],
    "null-in-it": [None],
}

CONTAINERS: dict[str, Any] = {
    "object": {},
    "no-id": [{"ImageID": "sha256:" + "0" * 64, "State": "running"}],
    "no-image": [{"Id": "1" * 64, "State": "running"}],
    "image-number": [{"Id": "1" * 64, "ImageID": 3}],
    "null-in-it": [None],
}


def aged(watch: Watch, scripted: ScriptedEngine) -> tuple[Daemon, Any]:
    """A stopped daemon, and an image that it would remove at once at its next start."""
    daemon = watch(scripted, {"max_unused": "4w", "max_total_size": "500kB", "grace": "1h",
                              "interval": "1s"})  # tries again as soon
    image = pulled(scripted, "app")
    daemon.fence()
    daemon.stop()
    daemon.make_older(OLD)
    scripted.forget_requests()
    return daemon, image


def check(daemon: Daemon, image: Any, scripted: ScriptedEngine, path: str,
          fault: faults.Fault) -> None:
    """With FAULT an error names PATH and nothing goes; without it all is well again."""
    script = scripted.script("GET", path, fault)
    daemon.start().wait_log(rf"^(error|warning): .*{path}", within=60)
    assert daemon.alive
    assert present(scripted, image) == [True]
    assert not scripted.requests("DELETE")
    script.remove()
    daemon.wait(lambda: present(scripted, image) == [False], "recovery", RECOVER)


@pytest.mark.parametrize("path", ["/images/json", "/containers/json"])
@pytest.mark.parametrize("what", ANYWHERE)
def test_b32_a_list_that_is_none(watch: Watch, scripted: ScriptedEngine, path: str,
                                 what: str) -> None:
    daemon, image = aged(watch, scripted)
    check(daemon, image, scripted, path, ANYWHERE[what])


@pytest.mark.parametrize("what", IMAGES)
def test_b32_images_of_a_wrong_shape(watch: Watch, scripted: ScriptedEngine, what: str) -> None:
    daemon, image = aged(watch, scripted)
    check(daemon, image, scripted, "/images/json", faults.reply(200, IMAGES[what]))


@pytest.mark.parametrize("what", CONTAINERS)
def test_b32_containers_of_a_wrong_shape(watch: Watch, scripted: ScriptedEngine,
                                         what: str) -> None:
    daemon, image = aged(watch, scripted)
    check(daemon, image, scripted, "/containers/json", faults.reply(200, CONTAINERS[what]))


@pytest.mark.parametrize("what", [*ANYWHERE])
def test_what_answers_instead_of_an_engine(watch: Watch, scripted: ScriptedEngine,
                                           what: str) -> None:
    """At /info, which says who the engine is: no removal before that is known."""
    daemon, image = aged(watch, scripted)
    check(daemon, image, scripted, "/info", ANYWHERE[what])


@pytest.mark.parametrize("path", ["/images/json", "/containers/json"])
def test_a_gigabyte_of_json(watch: Watch, scripted: ScriptedEngine, path: str) -> None:
    daemon, image = aged(watch, scripted)
    check(daemon, image, scripted, path, faults.endless(10**9))


def test_a_gigabyte_of_json_as_one_object(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon, image = aged(watch, scripted)
    endless = faults.endless(10**9, b'{"ID":"', b"x" * 1000)
    check(daemon, image, scripted, "/info", endless)


def test_deeply_nested_json(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon, image = aged(watch, scripted)
    check(daemon, image, scripted, "/images/json", faults.reply(200, b"[" * 10**6))


def test_unknown_keys_are_no_error(watch: Watch, scripted: ScriptedEngine) -> None:
    honest = scripted.client.call("GET", "/info").json()
    scripted.script("GET", "/info", faults.reply(200, honest | {"Newer": {"Than": ["us"]}}))
    daemon = watch(scripted, {"max_total_size": "500kB"})
    image = pulled(scripted, "app")
    daemon.wait(lambda: present(scripted, image) == [False], "its removal")
