"""The cache file as tests read it."""

from __future__ import annotations

import calendar
import json
import re
import time
from dataclasses import dataclass
from typing import Any

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z")


def parse_time(text: str) -> int:
    """RFC 3339, UTC, with nanoseconds, and nothing else; nanoseconds since 1970."""
    match = TIME.fullmatch(text)
    assert match, f"not a time of the cache file's form: {text!r}"
    seconds = calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S"))
    return seconds * 10**9 + int(match[2])


def format_time(time_ns: int) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_ns // 10**9))
    return f"{whole}.{time_ns % 10**9:09d}Z"


@dataclass(frozen=True)
class Cache:
    """A cache file's content."""

    content: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> Cache:
        return cls(json.loads(text))

    @property
    def ids(self) -> set[str]:
        return {each["id"] for each in self.content["images"]}

    @property
    def tracked(self) -> set[str]:
        return {each["image_tag"] for each in self.content["tracked"]}

    def image(self, image_id: str) -> dict[str, Any]:
        """That image's entry; LookupError if there is none."""
        for each in self.content["images"]:
            if each["id"] == image_id:
                found: dict[str, Any] = each
                return found
        raise LookupError(f"{image_id} is not in the cache file")

    def last_used(self, image_id: str) -> int:
        return parse_time(self.image(image_id)["last_used"])

    def origin(self, image_id: str) -> str:
        return str(self.image(image_id)["origin"])

    def managed(self, image_id: str) -> bool:
        return bool(self.image(image_id)["managed"])
