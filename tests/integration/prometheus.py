"""What Prometheus makes of the daemon's metrics: the format, promtool, and a server that scrapes.

The programs are Debian's (prometheus). The server runs on a loopback port of its own, keeps what it
stores in a directory of the test's, and ends with it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from daemon import OWN_DEATH, WITHIN

PROGRAMS = ("prometheus", "promtool")
UP_WITHIN = 60.0
SCRAPE_INTERVAL = "500ms"

Series = dict[frozenset[tuple[str, str]], float]
"""Values by labels."""


class FormatError(Exception):
    """A text that is not in Prometheus' text format, or is so carelessly."""


class Metrics:
    """A text in the format 0.0.4, read more strictly than Prometheus does.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """

    _COMMENT = re.compile(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)")
    _SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
    _LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|$)')
    _ESCAPE = re.compile(r"\\(.)")

    def __init__(self, text: str) -> None:
        self.types: dict[str, str] = {}
        """Of each family."""
        self._help: set[str] = set()
        self._series: dict[str, Series] = {}
        if not text.endswith("\n"):
            raise FormatError("the last line has no end")
        family = ""
        for line in text[:-1].split("\n"):
            family = self._read_line(line, family)

    def _read_line(self, line: str, family: str) -> str:
        """Returns the family that the next line may belong to."""
        if match := self._COMMENT.fullmatch(line):
            kind, name, rest = match.groups()
            seen: Any = self._help if kind == "HELP" else self.types
            if name in seen:
                raise FormatError(f"{kind} of {name} twice")
            if kind == "HELP":
                self._help.add(name)
            else:
                self.types[name] = rest
            return name
        match = self._SAMPLE.fullmatch(line)
        if not match:
            raise FormatError(f"no line of the format: {line!r}")
        name, labels, value = match.groups()
        suffixes = ("_bucket", "_sum", "_count") if self.types.get(family) == "histogram" else ("",)
        if family not in self._help or name not in [family + each for each in suffixes]:
            raise FormatError(f"not after HELP and TYPE of its family: {line!r}")
        series = self._series.setdefault(name, {})
        key = self._read_labels(labels or "")
        if key in series:
            raise FormatError(f"twice: {line!r}")
        series[key] = float(value)
        return family

    def _read_labels(self, text: str) -> frozenset[tuple[str, str]]:
        found: dict[str, str] = {}
        position = 0
        while position < len(text):
            match = self._LABEL.match(text, position)
            if not match or match[1] in found:
                raise FormatError(f"no labels: {text!r}")
            found[match[1]] = self._ESCAPE.sub(
                lambda escape: "\n" if escape[1] == "n" else escape[1], match[2])
            position = match.end()
        return frozenset(found.items())

    def series(self, name: str) -> Series:
        """All of a metric that are there."""
        return self._series.get(name, {})

    def by(self, name: str, *labels: str) -> dict[Any, float]:
        """All of a metric by the values of these labels, which are all that it may have."""
        values = {}
        for key, value in self.series(name).items():
            pairs = dict(key)
            assert sorted(pairs) == sorted(labels), f"labels of {name}: {sorted(pairs)}"
            values[pairs[labels[0]] if len(labels) == 1 else
                   tuple(pairs[each] for each in labels)] = value
        return values

    def __call__(self, name: str, **labels: str) -> float:
        """One value, which has to be there, with just these labels."""
        return self.series(name)[frozenset(labels.items())]

    def count(self, name: str, **labels: str) -> float:
        """A counter with these among its labels, summed up: what has never happened is 0."""
        return sum(value for key, value in self.series(name).items() if labels.items() <= set(key))

    def has(self, name: str) -> bool:
        """Whether there is a value of it."""
        return bool(self.series(name))

    @property
    def names(self) -> set[str]:
        """Of all samples."""
        return set(self._series)


def free_port(address: str = "127.0.0.1") -> int:
    """One that nobody listens on now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def promtool(*arguments: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs it; what it has to say on metrics comes on standard output or on standard error."""
    _require()
    return subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True,
                          timeout=60, check=False)


def _require() -> None:
    for program in PROGRAMS:
        assert shutil.which(program), f"no {program}: apt-get install prometheus"


class Prometheus:
    """A server that scrapes one target, as the job dockergcd."""

    def __init__(self, directory: Path, target: str, rules: Path | None = None) -> None:
        _require()
        self._directory = directory / "prometheus"
        self._directory.mkdir()
        self._log_path = self._directory / "log"
        config = self._directory / "prometheus.yml"
        config.write_text(json.dumps({  # which is YAML
            "global": {"scrape_interval": SCRAPE_INTERVAL, "scrape_timeout": SCRAPE_INTERVAL,
                       "evaluation_interval": SCRAPE_INTERVAL},
            "rule_files": [str(rules)] if rules else [],
            "scrape_configs": [{"job_name": "dockergcd",
                                "static_configs": [{"targets": [target]}]}],
        }))
        self._port = free_port()
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [*OWN_DEATH, "prometheus", f"--config.file={config}",
                 f"--storage.tsdb.path={self._directory / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self._port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._directory,
                env={"PATH": "/usr/bin:/bin", "GOMAXPROCS": "1"})
        try:
            self.wait(self._is_ready, "it is ready", UP_WITHIN)
        except BaseException:
            self.close()
            raise

    def get(self, path: str, **query: str) -> Any:
        """What the API has to tell; what it refuses is an error."""
        status, body = self._request(f"/api/v1/{path}" + (f"?{urlencode(query)}" if query else ""))
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "success", answer
        return answer["data"]

    def accepts(self, expression: str) -> bool:
        """Whether it can be asked."""
        status, body = self._request(f"/api/v1/query?{urlencode({'query': expression})}")
        assert (status == 200) == (json.loads(body)["status"] == "success")
        return status == 200

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values of what there is now."""
        return [(each["metric"], float(each["value"][1]))
                for each in self.get("query", query=expression)["result"]]

    def wait(self, condition: Callable[[], Any], what: str, within: float = WITHIN) -> Any:
        """Until CONDITION holds; its value. Fails at once if the server has ended."""
        deadline = time.monotonic() + within
        while not (value := condition()):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                log = self._log_path.read_text(errors="replace")
                raise AssertionError(f"prometheus: {'it has ended, ' if ended else ''}not within "
                                     f"{within} s: {what}\n--- log\n{log[-4000:]}")
            time.sleep(0.05)
        return value

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _request(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WITHIN)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._request("/-/ready")[0] == 200
        return False
