"""The hands of the tests: what a user does with an engine, over the Engine API itself.

The same driver serves the scripted engine and a real one. It pins no API version: what the
tests ask for has been the same since 1.24.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from images import make_tar


USER_AGENT = "test-driver"
"""Tells the driver's requests from the daemon's."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float = 60) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class EngineError(Exception):
    """The engine said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class EngineClient:
    """Drives one engine."""

    def __init__(self, socket_path: Path, reading: float = 0) -> None:
        """READING is how many seconds the engine needs to find past events.

        podman reads them from a file, and stops wherever it is when `until` has come.
        """
        self.socket_path = socket_path
        self._reading_ns = int(reading * 10**9)

    # The wire

    def request(self, method: str, path: str, query: dict[str, Any] | None = None,
                body: bytes | None = None, content_type: str = "application/json") -> Reply:
        """One request, whatever comes back."""
        connection = UnixConnection(self.socket_path)
        headers = {"User-Agent": USER_AGENT}
        if body is not None:
            headers["Content-Type"] = content_type
        target = path + ("?" + urlencode(query) if query else "")
        try:
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def call(self, method: str, path: str, query: dict[str, Any] | None = None,
             body: bytes | None = None, content_type: str = "application/json") -> Reply:
        """One request that has to succeed."""
        reply = self.request(method, path, query, body, content_type)
        if reply.status >= 400:
            try:
                message = reply.json()["message"]
            except (ValueError, KeyError, TypeError):
                message = reply.body.decode(errors="replace")
            raise EngineError(reply.status, message)
        return reply

    def _progress(self, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        """A request whose answer is a line of JSON a step, and whose error may be in one."""
        reply = self.call(*args, **kwargs)
        steps = [json.loads(line) for line in reply.body.splitlines() if line.strip()]
        for step in steps:
            if "error" in step:
                raise EngineError(reply.status, step["error"])
        return steps

    # Images

    def pull(self, reference: str) -> str:
        """Pulls `host/repo:tag`; returns the image's ID."""
        self.fetch(reference)
        return self.image_id(reference)

    def fetch(self, reference: str) -> None:
        """Pulls `host/repo:tag`, which somebody may remove again at once."""
        name, _, tag = reference.rpartition(":")
        self._progress("POST", "/images/create", {"fromImage": name, "tag": tag})

    def load(self, archive: bytes) -> None:
        """Loads what `Image.archive` made."""
        self._progress("POST", "/images/load", {"quiet": 1}, archive, "application/x-tar")

    def build_classic(self, dockerfile: str, files: dict[str, bytes] | None = None,
                      tag: str = "") -> str:
        """Builds without BuildKit; returns the ID of the last step's image."""
        context = make_tar({"Dockerfile": dockerfile.encode(), **(files or {})})
        query = {"t": tag} if tag else {}
        steps = self._progress("POST", "/build", query, context, "application/x-tar")
        return [step["aux"]["ID"] for step in steps if "ID" in step.get("aux", {})][-1]

    def build_buildkit(self, dockerfile: str, files: dict[str, bytes] | None = None,
                       tag: str = "") -> str:
        """Builds with the engine's BuildKit, without a network; returns the image's ID."""
        context = make_tar({"Dockerfile": dockerfile.encode(), **(files or {})})
        query = {"version": 2, "networkmode": "none", **({"t": tag} if tag else {})}
        steps = self._progress("POST", "/build", query, context, "application/x-tar")
        return [step["aux"]["ID"] for step in steps if step.get("id") == "moby.image.id"][-1]

    def prune_builds(self) -> None:
        """What `docker builder prune --all` does: BuildKit forgets all steps."""
        self.call("POST", "/build/prune", {"all": 1})

    def tag(self, name: str, reference: str) -> None:
        """What `docker tag NAME REFERENCE` does."""
        repo, _, tag = reference.rpartition(":")
        self.call("POST", f"/images/{quote(name)}/tag", {"repo": repo, "tag": tag})

    def remove_image(self, name: str, force: bool = False,
                     noprune: bool = False) -> list[dict[str, str]]:
        """What `docker rmi` does; returns what the engine says went."""
        query = {key: 1 for key, wanted in (("force", force), ("noprune", noprune)) if wanted}
        reply: list[dict[str, str]] = self.call("DELETE", f"/images/{quote(name)}", query).json()
        return reply

    untag = remove_image

    def images(self, everything: bool = False) -> list[dict[str, Any]]:
        """The list; with EVERYTHING also the intermediates of builds."""
        query = {"all": 1} if everything else None
        while True:
            reply = self.request("GET", "/images/json", query)
            # The containerd image store's, and podman's, if an image goes meanwhile.
            if reply.status != 404 and b"to resolve the error" not in reply.body:
                break
            time.sleep(0.05)
        if reply.status != 200:
            raise EngineError(reply.status, reply.body.decode(errors="replace"))
        listed: list[dict[str, Any]] = reply.json()
        return listed

    def image_ids(self, everything: bool = False) -> set[str]:
        return {each["Id"] for each in self.images(everything)}

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/images/{quote(name)}/json").json()
        return found

    def history(self, name: str) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = self.call("GET", f"/images/{quote(name)}/history").json()
        return steps

    def image_id(self, name: str) -> str:
        found: str = self.inspect(name)["Id"]
        return found

    def has(self, name: str) -> bool:
        """Whether NAME, a reference or an ID, is there."""
        return self.request("GET", f"/images/{quote(name)}/json").status == 200

    def references(self) -> set[str]:
        """All tags of all images."""
        return {tag for each in self.images() for tag in each["RepoTags"] or []
                if tag != "<none>:<none>"}

    # Containers

    def create(self, image: str, name: str = "") -> str:
        """Creates a container that would sleep; returns its ID."""
        body = {
            "Image": image,
            "Cmd": ["/bin/busybox", "sleep", "3600"],
            "StopSignal": "SIGKILL",  # PID 1 of a namespace ignores SIGTERM
            "HostConfig": {"NetworkMode": "none"},
        }
        reply = self.call("POST", "/containers/create", {"name": name} if name else None,
                          json.dumps(body).encode())
        created: str = reply.json()["Id"]
        return created

    def start(self, container: str) -> None:
        self.call("POST", f"/containers/{container}/start")

    def stop(self, container: str) -> None:
        self.call("POST", f"/containers/{container}/stop", {"t": 1})

    def remove_container(self, container: str, force: bool = False) -> None:
        self.call("DELETE", f"/containers/{container}", {"force": 1} if force else None)

    def run(self, image: str, name: str = "") -> str:
        """Creates and starts."""
        container = self.create(image, name)
        self.start(container)
        return container

    def containers(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.call("GET", "/containers/json", {"all": 1}).json()
        return listed

    # The engine

    def ping(self) -> bool:
        """Whether it answers."""
        try:
            return self.request("GET", "/_ping").status == 200
        except OSError:
            return False

    def version(self) -> dict[str, Any]:
        """What it says of itself: Version, ApiVersion and more."""
        found: dict[str, Any] = self.call("GET", "/version").json()
        return found

    def df(self) -> dict[str, Any]:
        """What takes how much. Before API 1.42 an engine counts for one client at a time."""
        while True:
            try:
                usage: dict[str, Any] = self.call("GET", "/system/df").json()
                return usage
            except EngineError as error:
                if "already running" not in str(error):
                    raise
            time.sleep(0.05)

    def used(self) -> int:
        """Bytes in image layers, each layer once."""
        size: int = self.df()["LayersSize"]
        return size

    def events(self, since_ns: int, until_ns: int | None = None) -> list[dict[str, Any]]:
        """What has happened in that time, as far as the engine remembers (256 events)."""
        until = time.time_ns() if until_ns is None else until_ns
        until_at = max(until, time.time_ns() + self._reading_ns) if self._reading_ns else until
        query = {key: f"{at // 10**9}.{at % 10**9:09d}"
                 for key, at in (("since", since_ns), ("until", until_at))}
        lines = self.call("GET", "/events", query).body.splitlines()
        events = [json.loads(line) for line in lines]
        return [each for each in events if since_ns <= each["timeNano"] <= until]

    def wait_told(self) -> None:
        """Until whoever listens has been told what happened before, by podman.

        It looks into its log four times a second for each listener. So once we have been told of
        one thing, and then of a second that came after it, all others have been told as well; of
        a third and a fourth, where the machine has other things to do.
        """
        listening = UnixConnection(self.socket_path)
        query = {"since": int(time.time()), "filters": '{"type":["volume"]}'}
        try:
            listening.request("GET", "/events?" + urlencode(query))
            told = listening.getresponse()
            name = f"flush-{time.time_ns()}"
            for method, path, body in 2 * (("POST", "/volumes/create", f'{{"Name":"{name}"}}'),
                                           ("DELETE", f"/volumes/{name}", None)):
                self.call(method, path, body=body.encode() if body else None)
                while name not in told.readline().decode():
                    assert not told.isclosed(), "podman ends its events"
        finally:
            listening.close()

    def has_told_of(self, image_id: str, since_ns: int) -> bool:
        """Whether an event names the image. Of a BuildKit build without a tag 28 tells, 26 not."""
        return any((event["Type"], event["Actor"]["ID"]) == ("image", image_id)
                   for event in self.events(since_ns))

    def clear(self) -> None:
        """No container and no image, not even an intermediate, is left."""
        for container in self.containers():
            self.remove_container(container["Id"], force=True)
        while images := self.images(everything=True):
            replies = [self.request("DELETE", f"/images/{each['Id']}", {"force": 1})
                       for each in images]
            if all(reply.status != 200 for reply in replies):
                said = [reply.body for reply in replies]
                raise AssertionError(f"images that cannot be removed: {images}: {said}")
