"""A machine of a test's own: a real systemd, what is installed, and an engine's socket and files.

It shares the kernel and the mount namespace of a private dockerd (real_engine.py) with us, and has
all else for itself: processes, mounts, cgroups, journal, users. When its PID 1 goes, so does all of
it; only the cgroups are removed here. It needs root. One that cannot come up fails the test.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from control_client import ControlClient
from daemon import settings_text
from real_engine import OWN_DEATH, Cgroups, RealEngine, RigError

INIT = Path(__file__).with_name("machine_init.py")
UNIT = "dockergcd.service"
USER, UID = "gcuser", 4711
WITHIN = 30.0


def make_engine() -> RealEngine:
    """Where engines keep their data: in /var/tmp no unit with PrivateTmp= would see it."""
    return RealEngine(parent="/var/lib")


class Installed:
    """What `meson install` puts where, of the build that the tests are of."""

    def __init__(self, build: Path, directory: Path) -> None:
        options = json.loads(subprocess.run(
            ["meson", "introspect", "--buildoptions", str(build)], check=True,
            capture_output=True, text=True).stdout)
        self.prefix = next(each["value"] for each in options if each["name"] == "prefix")
        subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet",
                        "--destdir", str(directory)], check=True, stdout=subprocess.DEVNULL)
        self.root = directory / self.prefix.lstrip("/")
        """What is to lie over the prefix."""

    def unit(self, manager: str) -> Path:
        """A unit's file, under the name that the machine has it by."""
        return Path(self.prefix, "lib/systemd", manager, UNIT)


class Machine:
    """One with systemd as PID 1; everything is done as root."""

    manager: tuple[str, ...] = ()
    config_path = Path("/etc/dockergcd/dockergcd.conf")
    cache_path = Path("/var/cache/dockergcd/docker-images-gc.json")
    socket_path = Path("/run/dockergcd/control.sock")
    drop_ins = Path("/etc/systemd/system", UNIT + ".d")
    namespaces: tuple[str, ...] = ("--net", "--uts")

    def __init__(self, log: Path, engine: RealEngine, installed: Installed) -> None:
        self._log = log
        self._cgroups = Cgroups(f"dgc-machine-{os.getpid()}-{time.monotonic_ns():x}")
        self._process: subprocess.Popen[str] | None = None
        try:
            with log.open("wb") as stderr:
                self._process = subprocess.Popen(
                    [*OWN_DEATH, "nsenter", f"--mount={engine.namespace}/ns/mnt", "--",
                     "unshare", "--mount", "--pid", "--ipc", "--cgroup", *self.namespaces,
                     "--fork", "--kill-child", "--propagation", "private",
                     sys.executable, str(INIT),
                     json.dumps(self._arguments(installed))],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True,
                    preexec_fn=self._cgroups.enter)
            self._come_up()
        except BaseException:
            self.close()
            raise

    def _arguments(self, installed: Installed) -> dict[str, Any]:
        return {"installed": str(installed.root), "prefix": installed.prefix}

    def _come_up(self) -> None:
        self.wait(self._find_init, "its first process")
        self.wait(lambda: self.run("systemctl", "is-active", "multi-user.target", check=False)
                  .stdout == "active\n", "systemd comes up")

    def close(self) -> None:
        """Ends everything and leaves nothing behind."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._cgroups.remove()

    # Inside

    def _find_init(self) -> int:
        """Its PID 1, as we see it; 0 if there is none yet."""
        assert self._process is not None
        pid = self._process.pid
        if self._process.poll() is not None:
            raise RigError(f"the machine is gone:\n{self._log.read_text()[-3000:]}")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else 0

    @property
    def _pid(self) -> int:
        pid = self._find_init()
        assert pid, self._log.read_text()[-3000:]
        return pid

    def path(self, path: Path | str) -> Path:
        """A path of the machine's, for us."""
        return Path(f"/proc/{self._pid}/root", str(path).lstrip("/"))

    def _become(self) -> tuple[str, ...]:
        return ("env", "-i", "HOME=/root", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin")

    def command(self, *command: str) -> list[str]:
        """For a command to run there."""
        return ["nsenter", f"--target={self._pid}", "--mount", "--pid", "--ipc", "--cgroup",
                "--", *self._become(), *command]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.command(*command), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=2 * WITHIN, check=False)
        assert not check or done.returncode == 0, (
            f"{shlex.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def write(self, path: Path | str, text: str) -> None:
        """As its user."""
        self.run("sh", "-c", 'mkdir -p "${1%/*}" && printf %s "$2" >"$1"', "sh", str(path), text)

    def mount(self, *arguments: str) -> None:
        """Which only root may."""
        subprocess.run(["nsenter", f"--target={self._pid}", "--mount", "--", "mount", *arguments],
                       check=True)

    # The service

    def configure(self, settings: dict[str, Any] | str) -> None:
        """Writes the configuration file."""
        text = settings if isinstance(settings, str) else settings_text(settings)
        self.write(self.config_path, text)

    def drop_in(self, text: str) -> None:
        """What `systemctl edit` does."""
        self.write(self.drop_ins / "test.conf", text)
        self.systemctl("daemon-reload")

    def systemctl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("systemctl", *self.manager, *arguments, check=check)

    def start(self) -> None:
        assert self.systemctl("start", UNIT, check=False).returncode == 0, self._describe()

    def show(self, name: str) -> str:
        """A property of the unit's."""
        return self.systemctl("show", "--property", name, "--value", UNIT).stdout.strip()

    @property
    def text(self) -> str:
        """The one line that the daemon says of itself."""
        return self.show("StatusText")

    @property
    def pid(self) -> int:
        """The daemon's, as the machine knows it."""
        return int(self.show("MainPID"))

    @property
    def state(self) -> str:
        return self.show("ActiveState")

    @property
    def status(self) -> str:
        """What people see of it."""
        done = self.systemctl("status", "--no-pager", "--full", UNIT, check=False)
        return done.stdout + done.stderr

    def process(self, name: str) -> str:
        """A file of the daemon's in /proc."""
        return self.path(f"/proc/{self.pid}/{name}").read_text()

    def cache(self) -> Any:
        return json.loads(self.path(self.cache_path).read_text())

    @property
    def control(self) -> ControlClient:
        return ControlClient(self.path(self.socket_path))

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """What the unit's journal has, in order."""
        lines = self.run("journalctl", *self.manager, "--unit", UNIT, "--output=json", "--all",
                         "--no-pager", *matches).stdout.splitlines()
        return [json.loads(line) for line in lines]

    @property
    def messages(self) -> str:
        return "\n".join(str(each.get("MESSAGE", "")) for each in self.journal())

    def wait(self, condition: Callable[[], Any], what: str, within: float = WITHIN) -> Any:
        """Until CONDITION holds; its value."""
        deadline = time.monotonic() + within
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within} s: {what}\n{self._describe()}")
            time.sleep(0.02)
        return value

    def wait_text(self, begin: str, has: str = "") -> str:
        """Until the status line begins so, and has that."""
        text = ""

        def holds() -> bool:
            nonlocal text
            text = self.text
            return text.startswith(begin) and has in text
        self.wait(holds, f"status {begin}…{has}")
        return text

    def wait_message(self, part: str) -> None:
        self.wait(lambda: part in self.messages, f"in the journal: {part}")

    def wait_status(self, *parts: str) -> str:
        """Until people see all of that: the journal may come a moment later."""
        status = ""

        def holds() -> bool:
            nonlocal status
            status = self.status
            return all(part in status for part in parts)
        self.wait(holds, f"people see {parts}")
        return status

    def _describe(self) -> str:
        with contextlib.suppress(OSError, RigError, AssertionError):
            return f"{self.status}\n{self.messages[-3000:]}"
        return self._log.read_text()[-3000:]


class UserMachine(Machine):
    """One with a user who is logged in: `systemd --user`; everything is done as that user."""

    manager = ("--user",)
    home = Path("/home", USER)
    runtime = Path(f"/run/user/{UID}")
    config_path = home / ".config/dockergcd/dockergcd.conf"
    cache_path = home / ".cache/dockergcd/docker-images-gc.json"
    socket_path = runtime / "dockergcd/control.sock"
    drop_ins = home / ".config/systemd/user" / (UNIT + ".d")
    namespaces = ()

    def __init__(self, log: Path, engine: RealEngine, installed: Installed, *,
                 groups: tuple[str, ...] = ("docker",), host: str | None = None) -> None:
        """HOST is what an environment.d of the user's says; "" for nothing."""
        host = engine.host if host is None else host
        self._user = {"name": USER, "uid": UID, "groups": groups,
                      "environment": {"DOCKER_HOST": host} if host else {}}
        super().__init__(log, engine, installed)

    def _arguments(self, installed: Installed) -> dict[str, Any]:
        return super()._arguments(installed) | {"user": self._user}

    def _come_up(self) -> None:
        self.login()

    def _become(self) -> tuple[str, ...]:
        return ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--init-groups", "--inh-caps=-all",
                "env", "-i", f"HOME={self.home}", f"USER={USER}", "LANG=C.UTF-8",
                "PATH=/usr/local/bin:/usr/bin:/bin", f"XDG_RUNTIME_DIR={self.runtime}")

    def login(self) -> None:
        """Starts the user's manager."""
        self._tell("login")
        self.systemctl("is-system-running", "--wait", check=False)

    def logout(self) -> None:
        """Ends it, and all that it runs."""
        self._tell("logout")

    def _tell(self, command: str) -> None:
        assert self._process and self._process.stdin and self._process.stdout
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().strip()
        if answer != "done":
            raise RigError(f"machine: {command}: {answer or 'gone'}\n{self._log.read_text()}")


MakeMachine = Callable[..., UserMachine]
