"""PID 1 of a real engine's private namespaces: makes the mounts, keeps the engine.

Started by real_engine.py as `unshare … real_engine_init.py DIR PROGRAM [USR]`, in a mount, PID and
cgroup namespace of its own. PROGRAM is one of PROGRAMS. With USR, the /usr of another release, the
engine is that one's and has it in place of ours; since we and who comes here to look go on with
ours, that is in a second mount namespace. Takes commands on stdin, a line each, and answers each
with a line: `start [NAME]`, `stop`, `kill`, `freeze`, `thaw`. At the end of stdin it exits, and with
it, because it is PID 1, everything in the namespace.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = {"docker": "/usr/sbin/dockerd", "podman": "/usr/bin/podman"}
STOP_WITHIN = 30.0

KEPT: list[subprocess.Popen[str]] = []
"""Processes that stay as long as we do."""


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def cgroup_mounts() -> list[tuple[str, str, str]]:
    """Type, mount point and options of every cgroup hierarchy, as this machine has them."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            wanted = [each for each in options.split(",") if each not in ("rw", "ro")]
            found.append((kind, left.split()[4], ",".join(wanted)))
    return found


def mount_cgroups() -> None:
    """The same layout, seen from the cgroup namespace: containers land below our own groups."""
    hierarchies = cgroup_mounts()
    if any(point == "/sys/fs/cgroup" for _, point, _ in hierarchies):
        subprocess.run(["umount", "-l", "/sys/fs/cgroup"], check=True)
        mount("-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        return
    subprocess.run(["umount", "-R", "-l", "/sys/fs/cgroup"], check=True)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/sys/fs/cgroup")
    for kind, point, options in hierarchies:
        os.makedirs(point, exist_ok=True)
        mount("-t", kind, *(["-o", options] if options else []), kind, point)


def make_mounts(directory: Path) -> None:
    """Whatever an engine writes outside its own directories goes to a tmpfs."""
    mount("-t", "proc", "proc", "/proc")
    data = directory / "data"
    mount("-t", "tmpfs", "-o", "size=2g,mode=711", "tmpfs", str(data))
    for name in ("docker", "etc", "work", "tmp"):
        (data / name).mkdir()
    layers = f"lowerdir=/etc,upperdir={data}/etc,workdir={data}/work"
    mount("-t", "overlay", "-o", layers, "overlay", "/etc")  # /etc/docker/key.json
    # podman's locks are in /dev/shm. To say its version podman asks dpkg whose its helpers are, which
    # takes seconds of looking through what is installed here.
    for scratch in ("/run", "/opt", "/var/lib/cni", "/dev/shm", "/var/lib/dpkg"):
        if os.path.isdir(scratch):
            mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", scratch)
    mount_cgroups()


def enter_namespace(usr: str) -> list[str]:
    """Makes the second namespace; put before a command, it runs there as the same process.

    A process keeps it, not a file: the kernel may refuse that, for the order of namespaces.
    """
    keeper = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private",
         "sh", "-c", 'mount --bind "$0" /usr && echo ready && read -r end', usr],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert keeper.stdout
    if keeper.stdout.readline() != "ready\n":
        raise OSError(f"{usr} cannot take the place of /usr")
    KEPT.append(keeper)
    return ["nsenter", f"--mount=/proc/{keeper.pid}/ns/mnt", "--"]


def dockerd(directory: Path, name: str) -> list[str]:
    """Its arguments; the data root has that name."""
    (directory / "docker.pid").unlink(missing_ok=True)
    return [
        "--config-file", str(directory / "daemon.json"),
        "--data-root", str(directory / "data" / name),
        "--exec-root", str(directory / "exec"),
        "--pidfile", str(directory / "docker.pid"),
        "--iptables=false", "--ip6tables=false", "--bridge=none",
    ]


def podman(directory: Path, name: str) -> list[str]:
    """Its arguments; it has an API, and none of the machine's configuration."""
    configuration = Path("/etc/containers")
    shutil.rmtree(configuration, ignore_errors=True)
    configuration.mkdir()
    accept = {"default": [{"type": "insecureAcceptAnything"}]}
    (configuration / "policy.json").write_text(json.dumps(accept))
    (configuration / "registries.conf").write_text(
        '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n')
    return [
        "--root", str(directory / "data" / name),
        "--runroot", str(directory / "exec" / name),
        "--tmpdir", str(directory / "exec" / name / "libpod"),
        "--network-config-dir", str(directory / "exec/networks"),
        "--cgroup-manager=cgroupfs", "--events-backend=file",
        "system", "service", "--time=0", f"unix://{directory}/docker.sock",
    ]


class Engine:
    """The one engine."""

    def __init__(self, directory: Path, program: str, front: list[str]) -> None:
        self._directory = directory
        self._arguments = {"docker": dockerd, "podman": podman}[program]
        self._command = [*front, PROGRAMS[program]]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, name: str = "docker") -> None:
        """Its images are in a directory of that name."""
        self._process = subprocess.Popen(
            [*self._command, *self._arguments(self._directory, name)],
            stdin=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                                           "TMPDIR": str(self._directory / "data/tmp")})

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def end(self, number: signal.Signals) -> None:
        """Ends it and waits for that."""
        self.send(number)
        deadline = time.monotonic() + STOP_WITHIN
        while self.running():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the engine does not end on {number.name}")
            time.sleep(0.02)

    def running(self) -> bool:
        assert self._process is not None
        return self._process.poll() is None


def reap(*_signal: object) -> None:
    """Collects what has ended: orphans come to PID 1.

    Else dockerd takes the zombie of its old containerd for a live one, and waits for it in vain.
    """
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(directory: Path, program: str, usr: str = "") -> None:
    make_mounts(directory)
    front = enter_namespace(usr) if usr else []
    signal.signal(signal.SIGCHLD, reap)
    engine = Engine(directory, program, front)
    commands: dict[str, Callable[..., None]] = {
        "start": engine.start,
        "stop": lambda: engine.end(signal.SIGTERM),
        "kill": lambda: engine.end(signal.SIGKILL),
        "freeze": lambda: engine.send(signal.SIGSTOP),
        "thaw": lambda: engine.send(signal.SIGCONT),
    }
    for line in sys.stdin:
        command, *arguments = line.split()
        try:
            commands[command](*arguments)
        except (OSError, TimeoutError) as error:
            print(f"failed: {error}", flush=True)
        else:
            print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
