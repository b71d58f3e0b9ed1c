"""PID 1 of a test's machine: makes the mounts; then is systemd, or keeps a user logged in.

Started by machine.py as `unshare … machine_init.py JSON`, in namespaces of its own. A system
machine becomes `systemd`. A user's takes commands on stdin, a line each, and answers each with a
line: `login`, `logout`. At the end of stdin it exits, and with it, because it is PID 1, all that
runs there.

Nothing is written to what is there: the root is read-only, and where files appear is a tmpfs.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SYSTEMD = "/lib/systemd/systemd"
JOURNALD = "/lib/systemd/systemd-journald"
CGROUP = Path("/sys/fs/cgroup")
WITHIN = 30.0
SUBORDINATES = 1_000_000

SCRATCH = ("/run", "/tmp", "/var/tmp", "/var/log", "/var/cache", "/var/lib/systemd", "/home",
           "/root", "/dev/shm")

JOURNAL = """\
[Journal]
Storage=persistent
ReadKMsg=no
Audit=no
ForwardToSyslog=no
ForwardToConsole=no
ForwardToWall=no
RateLimitBurst=0
"""

SYSTEM_UNITS = {
    **{f"{name}.target": f"[Unit]\nDescription={name}\nDefaultDependencies=no\n{more}"
       for name, more in {
           "sysinit": "Wants=journald.service\nAfter=journald.service\n",
           "basic": "Requires=sysinit.target\nAfter=sysinit.target\n",
           "multi-user": "Requires=basic.target\nAfter=basic.target\n",
           "shutdown": "",
       }.items()},
    "journald.service": "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\n"
                        f"StandardOutput=null\nExecStart={JOURNALD}\n",
}
"""All that a system machine has beside the unit under test."""


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def lay_over(path: str, *options: str) -> None:
    mount("-t", "tmpfs", "-o", ",".join(("mode=755", *options)), "tmpfs", path)


def make_mounts(installed: str, prefix: str) -> None:
    mount("-t", "proc", "proc", "/proc")
    mount("-t", "overlay", "-o", f"lowerdir={installed}:{prefix}", "overlay", prefix)
    for path in SCRATCH:
        if os.path.isdir(path):
            lay_over(path)
    for path, mode in (("/tmp", 0o1777), ("/var/tmp", 0o1777), ("/dev/shm", 0o1777),
                       ("/root", 0o700)):
        os.chmod(path, mode)
    # What PID 1 makes on a real machine, and a user's manager needs for its sandboxes
    for path in ("journal", "journald.conf.d", "system", "unit-root", "mount-rootfs", "propagate"):
        Path("/run/systemd", path).mkdir(parents=True)
    for path in ("/run/user", "/run/log", "/var/log/journal", "/run/machine"):
        Path(path).mkdir()
    make_etc(Path("/run/machine"))
    Path("/run/systemd/journald.conf.d/machine.conf").write_text(JOURNAL)
    Path("/run/systemd/journal/flushed").touch()  # to /var/log/journal at once


def make_etc(directory: Path) -> None:
    """What is written there is ours alone."""
    for name in ("etc", "work"):
        (directory / name).mkdir()
    mount("-t", "overlay", "-o",
          f"lowerdir=/etc,upperdir={directory}/etc,workdir={directory}/work", "overlay", "/etc")
    Path("/etc/machine-id").unlink(missing_ok=True)
    Path("/etc/machine-id").write_text(uuid.uuid4().hex + "\n")


def make_cgroups() -> None:
    """Cgroup v2 alone, from our own group on, as a machine has it."""
    subprocess.run(["umount", "-R", "-l", str(CGROUP)], check=True)
    mount("-t", "cgroup2", "cgroup2", str(CGROUP))
    enter_cgroup("init.scope")


def enter_cgroup(name: str) -> None:
    (CGROUP / name).mkdir(parents=True, exist_ok=True)
    (CGROUP / name / "cgroup.procs").write_text(str(os.getpid()))


def make_read_only() -> None:
    mount("-o", "remount,bind,ro", "/")


def wait_for(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.01)


# A system


def make_devices() -> None:
    """The harmless ones."""
    found = [(path, os.stat(path)) for path in map("/dev/{}".format, (
        "null", "zero", "full", "random", "urandom", "tty"))]
    lay_over("/dev")
    for path, status in found:
        os.mknod(path, stat.S_IFCHR | 0o666, status.st_rdev)
        os.chmod(path, 0o666)
    for name, kind, options in (("pts", "devpts", "newinstance,ptmxmode=0666"),
                                ("mqueue", "mqueue", "rw"), ("shm", "tmpfs", "mode=1777")):
        Path("/dev", name).mkdir()
        mount("-t", kind, "-o", options, kind, f"/dev/{name}")
    Path("/dev/ptmx").symlink_to("pts/ptmx")


def become_systemd() -> None:
    """With nothing of the machine's own units, and nothing of the kernel's to set."""
    for path in ("/lib/systemd/system", "/etc/systemd", "/lib/systemd/system-generators"):
        lay_over(path)
    for name, text in SYSTEM_UNITS.items():
        Path("/lib/systemd/system", name).write_text(text)
    Path("/etc/systemd/system").mkdir()
    make_devices()
    make_read_only()
    for path in ("/proc/sys", "/sys"):
        mount("--bind", path, path)
        mount("-o", "remount,bind,ro", path)
    os.execve(SYSTEMD, ["systemd", "--system", "--unit=multi-user.target", "--show-status=no"],
              {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "container": "dockergcd-test"})


# A user


class User:
    """Somebody with a home, whose manager is started and ended."""

    def __init__(self, name: str, uid: int, groups: list[str], environment: dict[str, str]) -> None:
        self._name, self._uid = name, uid
        self._home = Path("/home", name)
        self._runtime = Path(f"/run/user/{uid}")
        self._manager: subprocess.Popen[bytes] | None = None
        with Path("/etc/passwd").open("a") as passwd:
            passwd.write(f"{name}:x:{uid}:{uid}::{self._home}:/bin/sh\n")
        Path("/etc/group").write_text(self._with_groups(groups))
        for path in ("/etc/subuid", "/etc/subgid"):  # of a rootless podman
            with Path(path).open("a") as ranges:
                ranges.write(f"{name}:{SUBORDINATES}:65536\n")
        (self._home / ".config/environment.d").mkdir(parents=True)
        (self._home / ".config/environment.d/test.conf").write_text(
            "".join(f"{key}={value}\n" for key, value in environment.items()))
        for path in (self._home, *self._home.rglob("*")):
            shutil.chown(path, uid, uid)
        self._home.chmod(0o700)
        self._slice = f"user.slice/user-{uid}.slice/user@{uid}.service"

    def _with_groups(self, groups: list[str]) -> str:
        lines = []
        for line in Path("/etc/group").read_text().splitlines():
            name, password, number, members = line.split(":")
            if name in groups:
                members = ",".join(filter(None, (members, self._name)))
            lines.append(":".join((name, password, number, members)))
        return "\n".join((*lines, f"{self._name}:x:{self._uid}:")) + "\n"

    def _enter(self) -> None:
        enter_cgroup(self._slice)
        for path in ("", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
            shutil.chown(CGROUP / self._slice / path, self._uid, self._uid)

    def login(self) -> None:
        """Returns when the manager takes requests."""
        self._runtime.mkdir(exist_ok=True)
        lay_over(str(self._runtime), "mode=700", f"uid={self._uid}", f"gid={self._uid}")
        self._manager = subprocess.Popen(
            ["setpriv", f"--reuid={self._uid}", f"--regid={self._uid}", "--init-groups",
             "--inh-caps=-all", SYSTEMD, "--user", "--log-target=journal"],
            stdin=subprocess.DEVNULL, cwd=self._home, preexec_fn=self._enter, env={
                "HOME": str(self._home), "USER": self._name, "LOGNAME": self._name,
                "SHELL": "/bin/sh", "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(self._runtime),
                "PATH": "/usr/local/bin:/usr/bin:/bin",
            })
        wait_for(lambda: self._has_ended() or (self._runtime / "systemd/private").exists(),
                 "systemd --user does not come up")
        if self._has_ended():
            raise RuntimeError("systemd --user has ended at once")

    def logout(self) -> None:
        """The manager stops all that it runs, and ends."""
        assert self._manager is not None
        self._manager.terminate()
        wait_for(self._has_ended, "systemd --user does not end")
        # As systemd does it: podman's last process may still be in there.
        subprocess.run(["umount", "-l", str(self._runtime)], check=True)

    def _has_ended(self) -> bool:
        assert self._manager is not None
        return self._manager.poll() is not None


def start_journald() -> None:
    subprocess.Popen([JOURNALD], stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"},
                     preexec_fn=lambda: enter_cgroup("system.slice/systemd-journald.service"))
    wait_for(Path("/run/systemd/journal/stdout").exists, "systemd-journald does not come up")


def reap(*_signal: object) -> None:
    """Collects what has ended: orphans come to PID 1."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def keep_user(lines: Iterable[str], **arguments: Any) -> None:
    user = User(**arguments)
    make_read_only()
    start_journald()
    signal.signal(signal.SIGCHLD, reap)
    commands = {"login": user.login, "logout": user.logout}
    for line in lines:
        try:
            commands[line.strip()]()
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"failed: {error}", flush=True)
        else:
            print("done", flush=True)


def main(installed: str, prefix: str, user: dict[str, Any] | None = None) -> None:
    os.chdir("/")
    os.umask(0o022)
    make_mounts(installed, prefix)
    make_cgroups()
    if user is None:
        become_systemd()
    else:
        keep_user(sys.stdin, **user)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
