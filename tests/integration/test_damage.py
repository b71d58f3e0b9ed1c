"""Damaged and strange cache files: set aside or refused with a clear error, no removal (B16).

That each kind of damage is noticed is proved in tests/unit/codec; here the daemon itself starts on
some of each kind, with a limit under which it would remove every image that it may.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon import Daemon
from engines import Engine
from scenes import SOAK, Pulled, present, pulled
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]
Content = dict[str, Any]

EAGER = {"gc": {"max_total_size": "500kB"}}
"""Whatever is managed would go."""
TRUNCATIONS = 100 if SOAK else 5
FLIPS = 200 if SOAK else 10


def real_file(daemon: MakeDaemon, engine: Engine) -> tuple[Daemon, Pulled, bytes]:
    """A file of a daemon's own that says of an image that it was pulled: managed."""
    watching = daemon(engine).start().wait_watching()
    image = pulled(engine, "app")
    watching.fence()
    cache = watching.stop()
    assert cache.origin(image.id) == "pulled" and cache.managed(image.id)
    watching.configure(EAGER)
    return watching, image, watching.cache_path.read_bytes()


def aside(watching: Daemon) -> list[Path]:
    """What was set aside."""
    return sorted(path for path in watching.cache_path.parent.iterdir()
                  if path.name != watching.cache_path.name
                  and not path.name.endswith((".lock", ".new")))


def check_set_aside(watching: Daemon, engine: Engine, image: Pulled, content: bytes,
                    suffix: str = ".damaged") -> None:
    """It starts, says so, keeps the file's bytes, removes nothing, and knows nothing."""
    watching.cache_path.write_bytes(content)
    watching.start().wait_watching()
    line = watching.wait_log(rf"^warning: {re.escape(str(watching.cache_path))}: (.+); set aside "
                             rf"as (\S+), what is present counts as existing")
    assert present(engine, image) == [True]
    cache = watching.stop()
    assert cache.origin(image.id) == "existing" and not cache.managed(image.id)
    kept = Path(line[2])
    assert kept in aside(watching) and kept.read_bytes() == content
    assert kept.name.startswith(f"{watching.cache_path.name}{suffix}")
    kept.unlink()


def check_refused(watching: Daemon, engine: Engine, image: Pulled, why: str) -> None:
    """It does not start, and the error says what is wrong with which file."""
    watching.start()
    assert watching.wait_exit(within=15) == 1
    assert re.search(rf"^error: {re.escape(str(watching.cache_path))}:? {why}", watching.log,
                     re.MULTILINE), watching.log
    assert present(engine, image) == [True]


def edited(content: bytes, edit: Callable[[Content], object]) -> bytes:
    loaded: Content = json.loads(content)
    loaded.pop("checksum", None)  # should it have one: what is wrong is to be found as well
    edit(loaded)
    return json.dumps(loaded).encode()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "deep": lambda _: b'{"version":1,"images":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep-unknown-key": lambda good: good.rstrip()[:-1] + b',"x":' + b'{"x":' * 100_000,
    "huge-version": lambda good: edited(good, lambda it: it.update(version=10**400)),
    "huge-number": lambda good: edited(good, lambda it: it.update(unobserved_seconds=2**63 - 1)),
    "huge-exponent": lambda good: good.replace(b'"unobserved_seconds":0',
                                               b'"unobserved_seconds":1e999', 1),
    "year-10000": lambda good: edited(
        good, lambda it: it["images"][0].update(last_used="9999-12-31T23:59:59Z")),
    "twice": lambda good: edited(good, lambda it: it["images"].append(dict(it["images"][0]))),
    "images-an-object": lambda good: edited(good, lambda it: it.update(images={})),
    "image-a-number": lambda good: edited(good, lambda it: it["images"].append(7)),
    "reference-a-list": lambda good: edited(
        good, lambda it: it["images"][0].update(references=[[]])),
    "zeroes-at-the-end": lambda good: good[:100] + bytes(len(good) - 100),
    "two-files-in-one": lambda good: good + good,
    "utf-16": lambda good: good.decode().encode("utf-16"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_b16_damage_is_set_aside(daemon: MakeDaemon, scripted: ScriptedEngine,
                                 damage: Callable[[bytes], bytes]) -> None:
    watching, image, good = real_file(daemon, scripted)
    bad = damage(good)
    assert bad != good
    check_set_aside(watching, scripted, image, bad,
                    "" if damage is DAMAGES["huge-version"] else ".damaged")


def test_b16_a_newer_version_is_set_aside_and_kept_apart(daemon: MakeDaemon,
                                                         engine: Engine) -> None:
    watching, image, good = real_file(daemon, engine)
    check_set_aside(watching, engine, image,
                    edited(good, lambda it: it.update(version=2, pictures={})), ".newer")


def test_b16_truncated_anywhere(daemon: MakeDaemon, engine: Engine) -> None:
    """Of a real file some bytes' worth of places; each of them is in the unit tests."""
    watching, image, good = real_file(daemon, engine)
    end = good.rindex(b"}")
    for length in sorted(random.sample(range(end + 1), TRUNCATIONS)):
        print(f"truncated to {length} of {len(good)} bytes")
        check_set_aside(watching, engine, image, good[:length])


def test_b16_a_second_damaged_file_does_not_replace_the_first(daemon: MakeDaemon,
                                                              scripted: ScriptedEngine) -> None:
    watching, image, _ = real_file(daemon, scripted)
    for content in (b"first", b"second", b"third"):
        watching.cache_path.write_bytes(content)
        watching.start().wait_watching()
        watching.stop()
    assert present(scripted, image) == [True]
    assert {path.read_bytes() for path in aside(watching)} == {b"first", b"second", b"third"}


# Bits that flip

AGED = {"gc": {"max_unused": "4w", "max_total_size": "0"}}
"""Nothing that was used a minute ago may go by this, whatever else the file says."""


def check_flip(watching: Daemon, engine: Engine, image: Pulled, good: bytes, bit: int) -> None:
    """Whatever became of it: the daemon runs, and what was used just now is still there."""
    flipped = bytearray(good)
    flipped[bit // 8] ^= 1 << bit % 8
    print(f"bit {bit}: {bytes(flipped[max(bit // 8 - 30, 0):bit // 8 + 10])!r}")
    watching.cache_path.write_bytes(bytes(flipped))
    watching.start().wait_watching()
    assert present(engine, image) == [True], watching.log
    watching.stop()


def test_b16_random_bits_that_flip(daemon: MakeDaemon, engine: Engine) -> None:
    watching, image, good = real_file(daemon, engine)
    watching.configure(AGED)
    for bit in random.sample(range(len(good) * 8), FLIPS):
        check_flip(watching, engine, image, good, bit)


@pytest.mark.parametrize("key", ["last_used", "first_seen", "met", "observed_until"])
def test_b16_a_bit_that_makes_a_time_older(daemon: MakeDaemon, scripted: ScriptedEngine,
                                           key: str) -> None:
    """2026 becomes 2022: a file that is as well-formed as before."""
    watching, image, good = real_file(daemon, scripted)
    watching.configure(AGED)
    year = re.search(rb'"' + key.encode() + rb'":\s*"20\d(\d)', good)
    assert year
    digit = good[year.start(1)]
    bit = next(each for each in (2, 1, 0) if digit & 1 << each)
    check_flip(watching, scripted, image, good, year.start(1) * 8 + bit)


# What is no file of ours

def test_b16_a_directory_in_its_place_is_refused(daemon: MakeDaemon, engine: Engine) -> None:
    watching, image, _ = real_file(daemon, engine)
    watching.cache_path.unlink()
    watching.cache_path.mkdir()
    check_refused(watching, engine, image, "is no regular file")


def test_b16_a_fifo_in_its_place_is_refused_and_not_waited_for(daemon: MakeDaemon,
                                                               engine: Engine) -> None:
    watching, image, _ = real_file(daemon, engine)
    watching.cache_path.unlink()
    os.mkfifo(watching.cache_path)
    begin = time.monotonic()
    check_refused(watching, engine, image, "is no regular file")
    assert time.monotonic() - begin < 10
    assert watching.cache_path.is_fifo()


def test_b16_an_enormous_file_is_refused(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    watching, image, _ = real_file(daemon, scripted)
    os.truncate(watching.cache_path, 10**12)
    check_refused(watching, scripted, image, "File too large")


def test_b16_a_symlink_that_leads_nowhere_or_in_a_circle(daemon: MakeDaemon,
                                                         scripted: ScriptedEngine) -> None:
    watching, image, _ = real_file(daemon, scripted)
    nowhere = watching.directory / "home/nowhere"
    watching.cache_path.unlink()
    watching.cache_path.symlink_to(watching.cache_path)
    check_refused(watching, scripted, image, "Too many levels of symbolic links")
    watching.cache_path.unlink()
    watching.cache_path.symlink_to(nowhere)
    watching.start().wait_watching()
    assert present(scripted, image) == [True]
    assert watching.stop().origin(image.id) == "existing"
    assert not nowhere.exists(), "written through a link"


def test_b16_what_a_symlink_leads_to_is_not_written_to(daemon: MakeDaemon,
                                                       scripted: ScriptedEngine) -> None:
    """Neither through the file's own name nor through the temporary one's."""
    watching, image, good = real_file(daemon, scripted)
    elsewhere = watching.directory / "home/precious"
    elsewhere.write_bytes(good)
    watching.configure({"gc": {"max_total_size": "0"}})
    watching.cache_path.unlink()
    watching.cache_path.symlink_to(elsewhere)
    temporary = Path(f"{watching.cache_path}.new")
    temporary.symlink_to(elsewhere)
    watching.start().wait_watching()
    assert watching.stop().origin(image.id) == "pulled"
    assert elsewhere.read_bytes() == good
    assert not temporary.is_symlink() and not temporary.exists()


@pytest.mark.parametrize("by_link", [False, True], ids=["file", "symlink"])
def test_b16_another_users_file_is_refused(daemon: MakeDaemon, engine: Engine, by_link: bool,
                                           ) -> None:
    """By a daemon that is not root: anybody could have put it there."""
    watching, image, good = real_file(daemon, engine)
    watching.become_nobody(engine)
    mine = watching.directory.parent / "roots-file"
    mine.write_bytes(good)
    mine.chmod(0o644)
    if by_link:
        watching.cache_path.unlink()
        watching.cache_path.symlink_to(mine)
    else:
        mine.rename(watching.cache_path)
    check_refused(watching, engine, image, "belongs to another user")
    assert watching.cache_path.read_bytes() == good


def test_b16_a_file_that_must_not_be_read_is_refused(daemon: MakeDaemon, engine: Engine,
                                                     ) -> None:
    """Else what it knows would be overwritten."""
    watching, image, good = real_file(daemon, engine)
    watching.become_nobody(engine)
    watching.cache_path.chmod(0)
    check_refused(watching, engine, image, "Permission denied")
    assert watching.cache_path.read_bytes() == good
