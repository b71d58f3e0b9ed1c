"""A real engine and a real registry of the tests' own, which leave nothing behind.

Both are Debian's (docker.io, docker-registry): the dockerd that is installed here, or a dockerd or
podman that tests/fetch-engine got from another release. It lives in private mount, PID and cgroup
namespaces (see real_engine_init.py) and holds its images on a tmpfs there: when the first process
of the PID namespace goes, so do the engine, its containers and mounts; cgroups are removed here.
That works with cgroup v1, v2 and the hybrid layout. It needs root.

A test that wants a real engine and cannot have it fails: nothing here skips.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine_client import EngineClient
from images import MANIFEST_TYPE, Image, digest
from real_engine_init import PROGRAMS, cgroup_mounts

INSTALLED = "real"
PODMANS = ("podman-4", "podman-5")
NAMES = ("docker-20.10", "docker-26", "docker-28", "docker-28-containerd", *PODMANS)
"""Engines that tests/fetch-engine fetches."""

LACKS: dict[str, set[str]] = {
    "docker-28-containerd": {"layer-sizes"},
    "podman-4": {"exact-sizes", "buildkit", "containers-end", "untagged-bases", "resume",
                 "large-events", "usage", "load-names"},
    "podman-5": {"exact-sizes", "buildkit", "containers-end", "untagged-bases", "resume",
                 "large-events"},
}
"""What an engine cannot do: tests that are marked as needing it are not for that engine.

For each there is a test in a test_lacks….py which shows that the engine truly cannot, and what
dockergcd makes of that.
"""

INIT = Path(__file__).with_name("real_engine_init.py")
REGISTRY = "/usr/bin/docker-registry"
UP_WITHIN = 60.0
READING = {"podman": 0.3}
"""Seconds that an engine needs to find past events."""
OWN_DEATH = ["setpriv", "--pdeathsig", "KILL"]
"""Put before a command: it ends when this process does, however that ends."""


class RigError(Exception):
    """The engine or the registry does not come up; the message holds the end of its log."""


def _require(program: str, package: str) -> None:
    if not shutil.which(program):
        raise RigError(f"no {program}: apt-get install {package}")


def program(name: str) -> str:
    """Which of PROGRAMS an engine is."""
    return "podman" if name.startswith("podman-") else "docker"


def fetched(name: str) -> Path:
    """Where tests/fetch-engine has put what an engine has for its /usr."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    engines = os.environ.get("DOCKERGCD_ENGINES") or f"{cache}/dockergcd-tests/engines"
    folder = Path(engines, name.removesuffix("-containerd"), "usr")
    if not Path(folder, PROGRAMS[program(name)].removeprefix("/usr/")).exists():
        raise RigError(f"no {folder}: tests/fetch-engine {name}")
    return folder


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


class Registry:
    """Debian's docker-registry on a loopback port, its contents in memory."""

    def __init__(self, directory: Path) -> None:
        _require(REGISTRY, "docker-registry")
        self._log = directory / "registry.log"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.host = f"127.0.0.1:{probe.getsockname()[1]}"
        config = directory / "registry.yml"
        config.write_text(json.dumps({
            "version": 0.1, "log": {"level": "warn"}, "storage": {"inmemory": {}},
            "http": {"addr": self.host},
        }))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([*OWN_DEATH, REGISTRY, "serve", str(config)],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + UP_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RigError(f"docker-registry does not come up:\n{_tail(self._log)}")
            time.sleep(0.05)

    def push(self, reference: str, image: Image) -> None:
        """Puts an image there by the registry's HTTP API, version 2."""
        name, _, tag = reference.removeprefix(self.host + "/").rpartition(":")
        for blob in (image.config, *(each.blob for each in image.layers)):
            self._push_blob(name, blob)
        self._request("PUT", f"/v2/{name}/manifests/{tag}", image.manifest, MANIFEST_TYPE)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _push_blob(self, name: str, blob: bytes) -> None:
        headers = self._request("POST", f"/v2/{name}/blobs/uploads/")
        target = urlsplit(headers["Location"])
        query = f"{target.query}&digest={digest(blob)}".lstrip("&")
        self._request("PUT", f"{target.path}?{query}", blob, "application/octet-stream")

    def _request(self, method: str, path: str, body: bytes = b"",
                 content_type: str = "") -> http.client.HTTPMessage:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path, body,
                               {"Content-Type": content_type} if content_type else {})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise RigError(f"registry: {method} {path}: {response.status} {answer!r}")
        return response.headers

    def _answers(self) -> bool:
        try:
            self._request("GET", "/v2/")
        except (OSError, RigError):
            return False
        return True


class Cgroups:
    """One group in every hierarchy, to be the root of the engine's cgroup namespace."""

    def __init__(self, name: str) -> None:
        self.paths: list[Path] = []
        for _, point, _ in cgroup_mounts():
            path = Path(point, name)
            with contextlib.suppress(OSError):
                path.mkdir()
                self.paths.append(path)
                self._fill_cpuset(path)

    def enter(self) -> None:
        """Moves the calling process there."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                (path / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """Removes the groups and those below, which empty as their processes go."""
        deadline = time.monotonic() + 10
        while self.paths:
            for path in list(self.paths):
                for directory, _, _ in os.walk(path, topdown=False):
                    with contextlib.suppress(OSError):
                        os.rmdir(directory)
                if not path.exists():
                    self.paths.remove(path)
            if self.paths and time.monotonic() > deadline:
                raise RigError(f"cgroups cannot be removed: {self.paths}")
            time.sleep(0.02)

    @staticmethod
    def _fill_cpuset(path: Path) -> None:
        """A new cpuset of cgroup v1 takes no process before it has processors and memory."""
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (path.parent / "cpuset.cpus").exists() and (path.parent / name).exists():
                (path / name).write_text((path.parent / name).read_text())


class RealEngine:
    """A throwaway engine with a registry: the installed dockerd, or one of NAMES."""

    kind = "real"

    def __init__(self, name: str = INSTALLED, parent: str = "/var/tmp", *,
                 hosts: tuple[str, ...] = (), options: dict[str, Any] | None = None) -> None:
        """Keeps its data in a directory of its own in PARENT.

        It listens at HOSTS as well, with these OPTIONS of its daemon.json.
        """
        if os.geteuid() != 0:
            raise RigError("a real engine needs root (or --engine scripted)")
        self.name = name
        self.store = ("podman" if program(name) == "podman" else
                      "containerd" if name.endswith("-containerd") else "graph driver")
        """What holds the images: tests that are about one kind of it ask here."""
        self.ids_from = "manifest" if self.store == "containerd" else "config"
        """What an image's ID is the digest of."""
        self._usr: Path | None = None
        if name == INSTALLED:
            _require(PROGRAMS["docker"], "docker.io")
        else:
            self._usr = fetched(name)
        self.directory = Path(tempfile.mkdtemp(prefix="dgc-engine-", dir=parent))
        self.directory.chmod(0o711)
        for each in ("data", "exec"):
            (self.directory / each).mkdir()
        self.socket_path = self.directory / "docker.sock"
        features = {"containerd-snapshotter": True} if self.store == "containerd" else {}
        (self.directory / "daemon.json").write_text(json.dumps(
            {"features": features, "hosts": [self.host, *hosts]} | (options or {})))
        self.client = EngineClient(self.socket_path, READING.get(program(name), 0))
        self._log = self.directory / "engine.log"
        self._cgroups = Cgroups(self.directory.name)
        self._init: subprocess.Popen[str] | None = None
        self._registry: Registry | None = None
        try:
            self._registry = Registry(self.directory)
            self._init = self._unshare()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def host(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.socket_path}"

    @property
    def namespace(self) -> str:
        """Of a process that sees its files, `/proc/PID`."""
        assert self._init is not None
        return f"/proc/{self._init.pid}"

    @property
    def registry(self) -> str:
        """HOST:PORT."""
        assert self._registry is not None
        return self._registry.host

    def push(self, reference: str, image: Image) -> None:
        """Puts an image into the registry."""
        assert self._registry is not None
        self._registry.push(reference, image)

    def layer_size(self, chain_id: str) -> int:
        """The bytes of a layer, as the engine wrote them down when it came."""
        store = Path(f"{self.namespace}/root{self.directory}/data/docker/image/overlay2/layerdb")
        return int((store / chain_id.replace(":", "/") / "size").read_text())

    def clear(self) -> None:
        """No image, no container; nor a build, where builds are counted with the images."""
        self.client.clear()
        if self.store == "containerd":
            self.client.prune_builds()

    def flush(self) -> None:
        """Until the events of what happened before have been sent: dockerd does that at once."""
        if program(self.name) == "podman":
            self.client.wait_told()

    def start(self, name: str = "") -> None:
        """Returns when it answers. A name is another engine's, with images of its own."""
        self._tell(f"start {name}".rstrip())
        deadline = time.monotonic() + UP_WITHIN
        while not self.client.ping():
            assert self._init is not None
            if self._init.poll() is not None or time.monotonic() > deadline:
                raise RigError(f"{self.name} does not come up:\n{_tail(self._log)}")
            time.sleep(0.02)

    def stop(self) -> None:
        """By SIGTERM; its containers stop."""
        self._tell("stop")

    def kill(self) -> None:
        """By SIGKILL."""
        self._tell("kill")

    def freeze(self) -> None:
        """By SIGSTOP: connections are taken, nothing is answered."""
        self._tell("freeze")

    def thaw(self) -> None:
        self._tell("thaw")

    def replace(self, name: str = "") -> None:
        """Stopped, and another engine started on the socket; without a name it is the first."""
        self.stop()
        self.start(name)

    def close(self) -> None:
        """Ends everything and leaves nothing behind."""
        if self._init is not None:
            self._init.kill()
            self._init.communicate()
        if self._registry is not None:
            self._registry.close()
        self._cgroups.remove()
        shutil.rmtree(self.directory)

    def _unshare(self) -> subprocess.Popen[str]:
        command = [
            *OWN_DEATH, "unshare", "--mount", "--pid", "--cgroup", "--fork", "--kill-child",
            "--propagation", "private", sys.executable, str(INIT), str(self.directory),
            program(self.name), *([str(self._usr)] if self._usr else []),
        ]
        with self._log.open("wb") as log:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=log, text=True, preexec_fn=self._cgroups.enter)

    def _tell(self, command: str) -> None:
        assert self._init is not None and self._init.stdin and self._init.stdout
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            self._init.stdin.write(command + "\n")
            self._init.stdin.flush()
            answer = self._init.stdout.readline().strip()
        if answer != "done":
            raise RigError(f"engine: {command}: {answer or 'gone'}\n{_tail(self._log)}")
