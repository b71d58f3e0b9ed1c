"""The dockergcd process under test, in an environment of its own.

Waiting is for conditions, with a deadline and the log in the failure. What tests know of the log's
wording is in `Texts`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from cache import Cache, format_time, parse_time
from control_client import ControlClient
from engines import Engine
from notify_socket import NotifySocket

BINARY = Path(os.environ.get("DOCKERGCD",
                             Path(__file__).resolve().parents[2] / "build/dockergcd")).absolute()

SANITIZED = "ASAN_OPTIONS" in os.environ
"""Whether the binary has the sanitizers in it (tests/sanitize): what it frees it keeps for a while."""

MARK = "DOCKERGCD_TEST"
"""In the environment of every process that a test starts, so that a detached one is found."""

OWN_DEATH = ("setpriv", "--pdeathsig", "KILL")
"""Put before a command: it ends when the tests do, however they end; its PID stays the same."""

NOBODY = 65534
CLIENTS = ("docker", "podman", "nerdctl")
PASSED_ON = ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "MALLOC_PERTURB_")
WITHIN = 15.0
STOP_WITHIN = 5.0
"""The contract: whatever request is under way."""

DEFAULTS: dict[str, Any] = {
    "gc": {"enabled": True, "max_unused": "0", "grace": "0", "settle": "200ms",
           "interval": "1h"},
    "log_level": "debug",
}
"""Settings unless a test says otherwise: no limit, no grace, no timer."""


class Texts:
    """Wording of the log, in one place."""

    PRIORITY = re.compile(r"^<([3467])>", re.MULTILINE)
    """What a service manager gets in front of a line (sd-daemon(3)), as NOTIFY_SOCKET is set."""
    LEVELS = {"3": "error: ", "4": "warning: ", "6": "info: ", "7": "debug: "}

    COLLECTION_END = re.compile(r"^\w+: collection (?:not )?finished", re.MULTILINE)
    REFUSED = re.compile(r"^warning: not now:", re.MULTILINE)
    REMOVED = re.compile(r"^info: removed (?P<what>\S+) .*?: (?P<reason>[\w-]+),", re.MULTILINE)
    PLANNED = re.compile(r"^info: would (?:have )?remove (?P<what>\S+)", re.MULTILINE)
    CONFIG_ERROR = re.compile(r"^(?:\w+: )?(?P<file>/\S+):(?P<line>\d+): (?P<message>.+)$",
                              re.MULTILINE)


def for_people(log: str) -> str:
    """A log for the service manager, turned into one for people."""
    return Texts.PRIORITY.sub(lambda match: Texts.LEVELS[match[1]], log)


def settings_text(settings: dict[str, Any]) -> str:
    """A libconfig file."""
    return "".join(f"{key} = {_value(value)};\n" for key, value in settings.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return "{ " + " ".join(settings_text(value).splitlines()) + " }"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_value, value))
        return f"( {inner} )" if any(isinstance(each, dict) for each in value) else f"[ {inner} ]"
    return json.dumps(str(value))


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Settings with some of them changed."""
    merged = dict(base)
    for key, value in changes.items():
        deeper = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if deeper else value
    return merged


class Daemon:
    """One dockergcd: its directories, its process, what it says and writes."""

    def __init__(self, directory: Path, engine: Engine | str,
                 settings: dict[str, Any] | None = None, *,
                 arguments: tuple[str, ...] = ("--foreground",), notify: bool = True,
                 host: str = "", environment: dict[str, str] | None = None) -> None:
        """An engine is at its HOST or somewhere in front of it; a string is where none may be."""
        self.directory = directory
        self._engine = None if isinstance(engine, str) else engine
        self.front: tuple[str, ...] = ()
        """Put before the command: who, or where, the daemon is to be."""
        self.program: tuple[str | Path, ...] = (BINARY,)
        self.arguments = arguments
        self.config_path = directory / "config/dockergcd/dockergcd.conf"
        self.cache_path = directory / "cache/dockergcd/docker-images-gc.json"
        self.log_path = directory / "log"
        self.clients_log = directory / "clients-run"
        for name in ("config/dockergcd", "cache", "run", "home", "bin"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        self.log_path.touch()
        self._trap_clients()
        self.settings = merge(DEFAULTS, settings or {})
        self.configure()
        self._log_begin = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.notify = NotifySocket(directory / "notify") if notify else None
        host = host or (engine if isinstance(engine, str) else engine.host)
        self.environment = self._environment(host) | (environment or {})
        self.control = ControlClient(directory / "run/dockergcd/control.sock")

    # Before it runs

    def configure(self, settings: dict[str, Any] | None = None) -> None:
        """Writes the config file, with these changes."""
        self.settings = merge(self.settings, settings or {})
        self.config_path.write_text(settings_text(self.settings))

    def _environment(self, host: str) -> dict[str, str]:
        passed_on = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        notify = {"NOTIFY_SOCKET": str(self.notify.path)} if self.notify else {}
        return passed_on | notify | {
            MARK: str(self.directory),
            "PATH": f"{self.directory}/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.directory / "home"),
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "XDG_RUNTIME_DIR": str(self.directory / "run"),
            "DOCKER_HOST": host,
        }

    def _trap_clients(self) -> None:
        """Clients of engines that write down that somebody ran them."""
        for name in CLIENTS:
            trap = self.directory / "bin" / name
            trap.write_text(f'#!/bin/sh\necho "$0 $*" >>"{self.clients_log}"\n')
            trap.chmod(0o755)

    def become_nobody(self, engine: Engine) -> None:
        """An unprivileged daemon, which can get at its program, its directories and the engine."""
        program = self.directory / "bin/dockergcd"
        shutil.copy(BINARY, program)
        self.program = (program,)
        self.front = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
        self.directory.parent.chmod(0o755)
        for path in (self.directory, *self.directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        assert self.notify
        self.notify.path.chmod(0o777)
        engine.socket_path.chmod(0o666)

    def check_no_client_was_run(self) -> None:
        """The daemon talks to the engine itself, always."""
        assert not self.clients_log.exists(), self.clients_log.read_text()

    # The process

    def start(self, *more: str) -> Daemon:
        """Starts it; does not wait for anything."""
        assert self._process is None, "started already"
        self._log_begin = self.log_path.stat().st_size
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.front, *OWN_DEATH, *self.program, *self.arguments, *more],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, cwd="/")
        if self.notify:
            self.notify.pid = self._process.pid
        return self

    def run(self, *arguments: str, timeout: float = 30,
            stdout: int | IO[str] = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        """Runs it to its end: `--once`, `--check-config` …"""
        return subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                              stderr=subprocess.PIPE, text=True, env=self.environment, cwd="/",
                              timeout=timeout, check=False)

    def once(self, *more: str) -> str:
        """`--once`, which has to succeed; returns what it said."""
        done = self.run("--foreground", "--once", *more)
        assert done.returncode == 0, done.stderr
        return for_people(done.stderr)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        assert self.alive, self._failure("it has ended")
        os.kill(self.pid, number)

    def wait_exit(self, within: float = STOP_WITHIN) -> int:
        """Its exit code."""
        assert self._process is not None
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._failure(f"it has not ended within {within} s")) from None
        self._process = None
        return code

    def stop(self) -> Cache:
        """SIGTERM, as a service manager stops it; returns the cache file it leaves."""
        self.signal(signal.SIGTERM)
        assert self.wait_exit() == 0, self._failure("exit code")
        return self.cache()

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        self.wait_exit()

    def close(self) -> None:
        """Ends it if it runs still."""
        if self.alive:
            self.kill()
        if self.notify:
            self.notify.close()

    # What it says

    @property
    def log(self) -> str:
        """The log since the last start, in the form for people whichever form it has."""
        return for_people(self.log_path.read_bytes()[self._log_begin:].decode(errors="replace"))

    @property
    def status(self) -> str:
        assert self.notify
        return self.notify.status

    @property
    def collections(self) -> int:
        """How many have come to their end, as far as the log tells."""
        return len(Texts.COLLECTION_END.findall(self.log))

    @property
    def _refusals(self) -> int:
        return len(Texts.REFUSED.findall(self.log))

    def cache(self) -> Cache:
        return Cache.parse(self.cache_path.read_text())

    # Waiting

    def wait(self, condition: Callable[[], Any], what: str, within: float = WITHIN) -> Any:
        """Until CONDITION holds; its value. Fails at once if the daemon ends meanwhile."""
        deadline = time.monotonic() + within
        while True:
            if value := condition():
                return value
            if self._process is not None and not self.alive:
                raise AssertionError(self._failure(f"it ended while waiting for {what}"))
            if time.monotonic() > deadline:
                raise AssertionError(self._failure(f"not within {within} s: {what}"))
            time.sleep(0.01)

    def wait_log(self, pattern: str, within: float = WITHIN) -> re.Match[str]:
        """Until a line of the log matches."""
        compiled = re.compile(pattern, re.MULTILINE | re.IGNORECASE)
        match: re.Match[str] = self.wait(lambda: compiled.search(self.log),
                                         f"log: {pattern}", within)
        return match

    def wait_status(self, begin: str, within: float = WITHIN) -> str:
        """Until STATUS begins so."""
        self.wait(lambda: self.status.startswith(begin), f"STATUS={begin}…", within)
        return self.status

    def wait_watching(self) -> Daemon:
        """Until it has met the engine, listed what is there and looked at it (B20: start-up)."""
        self.wait_status("Watching")
        self.wait(lambda: self.collections > 0, "the collection at start-up")
        return self

    def wait_cache(self, condition: Callable[[Cache], Any], what: str,
                   within: float = WITHIN) -> Cache:
        """Until the cache file, which is written at most every 5 s, says so.

        A condition about an image that it does not have yet does not hold yet, none does while
        it is still elastic-package's list.
        """
        def holds() -> bool:
            with contextlib.suppress(LookupError):
                return (self.cache_path.exists() and isinstance(self.cache().content, dict)
                        and bool(condition(self.cache())))
            return False
        self.wait(holds, f"cache file: {what}", within)
        return self.cache()

    def collect(self) -> None:
        """SIGUSR1, and until a collection has ended; again where it says that it cannot now."""
        before, refused = self.collections, self._refusals

        def ended() -> bool:
            nonlocal refused
            if self._refusals > refused:
                refused = self._refusals
                self.signal(signal.SIGUSR1)
            return self.collections > before

        self.signal(signal.SIGUSR1)
        self.wait(ended, "a collection's end")

    def fence(self) -> None:
        """Until everything that happened before has had its effect.

        The first collection may have been under way already; the second began after this call.
        """
        if self._engine:
            self._engine.flush()
        self.collect()
        self.collect()

    def _failure(self, what: str) -> str:
        status = f"STATUS={self.status}\n" if self.notify else ""
        return f"dockergcd: {what}\n{status}--- log\n{self.log[-6000:]}"

    # The cache file, between two runs

    def edit_cache(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Changes it while nobody watches."""
        assert not self.alive
        content = json.loads(self.cache_path.read_text())
        edit(content)
        self.cache_path.write_text(json.dumps(content))

    def make_older(self, seconds: float, *image_ids: str) -> None:
        """As if the images (none given: all) had been unused for so much longer, watched."""
        def edit(content: dict[str, Any]) -> None:
            for each in content["images"]:
                if not image_ids or each["id"] in image_ids:
                    for key in ("first_seen", "last_used"):
                        older = parse_time(each[key]) - int(seconds * 10**9)
                        each[key] = format_time(older)
        self.edit_cache(edit)

    def write_cache(self, content: Any) -> None:
        """A cache file from somewhere else."""
        self.cache_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.cache_path.write_text(
            content if isinstance(content, str) else json.dumps(content))


def processes_of(directory: Path) -> Iterator[int]:
    """The processes that a test in DIRECTORY started, detached ones too."""
    mark = f"{MARK}={directory}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
            except OSError:
                continue


def end_leftovers(directory: Path) -> None:
    """Ends what a failed test has left running."""
    for pid in processes_of(directory):
        os.kill(pid, signal.SIGKILL)
