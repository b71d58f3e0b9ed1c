"""A Docker Engine in this process: HTTP over a Unix socket (and TCP), obedient and scriptable.

It answers what a Docker Engine of a given API version answers (engine_model.py holds the rules),
logs every request of the daemon's, and does wrong to it on demand:

    engine.script("GET", "/images/json", faults.reply(500, {"message": "boom"}), times=1)
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import re
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from engine_client import USER_AGENT, EngineClient
from engine_events import EventFilter, EventLog, encode_event
from engine_model import ApiError, Container, Model, StoredImage
from faults import JSON, Fault
from images import Image
from wire import Gone, Response, Wire

Version = tuple[int, int]

SERVER_VERSIONS: dict[Version, str] = {
    (1, 24): "1.12.6", (1, 41): "20.10.24", (1, 43): "24.0.9", (1, 45): "26.1.5",
    (1, 51): "28.5.2", (1, 52): "29.0.4", (1, 55): "29.7.2",
}


def parse_version(text: str) -> Version:
    """`1.41` as a pair that compares."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


@dataclass(frozen=True)
class Request:
    """One line of the request log."""

    method: str
    path: str
    """Without the version."""
    version: str
    """`1.41`, or nothing where the path has none."""
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(repr=False, default=b"")
    time: float = field(default_factory=time.time)

    def matches(self, method: str, path: str) -> bool:
        """Both may be patterns; `*` crosses slashes."""
        return fnmatch.fnmatchcase(self.method, method) and fnmatch.fnmatchcase(self.path, path)

    def flag(self, name: str) -> bool:
        """A boolean of the query, as moby reads it."""
        return self.query.get(name, "").strip().lower() not in ("", "0", "no", "false", "none")


@dataclass
class Script:
    """A fault, and which requests it happens to."""

    method: str
    path: str
    fault: Fault
    times: int | None
    """How often; None: always."""

    def remove(self) -> None:
        """From now on this fault does not happen."""
        self.times = 0


@dataclass
class ServedExchange:
    """What a fault gets to see."""

    request: Request
    wire: Wire
    handle: Callable[[], Response]


class ScriptedEngine:
    """The engine. `start` it, `stop` it, on the same socket and with the same images."""

    kind = "scripted"
    store = "graph driver"

    def __init__(self, directory: Path, *, api_max: str = "1.41", api_min: str = "1.12",
                 engine_id: str = "SCRI:PTED:ENGI:NE01", tcp: bool = False,
                 tcp_address: tuple[str, int] = ("127.0.0.1", 0),
                 filters_events: bool = True) -> None:
        self.socket_path = directory / "docker.sock"
        self.root = directory / "docker-root"
        self.root.mkdir(parents=True, exist_ok=True)
        self.api_max, self.api_min = parse_version(api_max), parse_version(api_min)
        self.engine_id = engine_id
        self.registry = "127.0.0.1:5000"
        self.filters_events = filters_events
        self.log = EventLog()
        self.model = Model(self.log.publish)
        self.client = EngineClient(self.socket_path)
        self._tcp = tcp
        self._tcp_address = tcp_address
        self._requests: list[Request] = []
        self._scripts: list[Script] = []
        self._lock = threading.Lock()
        self._name = ""
        self._others: dict[str, tuple[str, Path, Model, EventLog]] = {}
        self._servers: list[_UnixServer | _TcpServer] = []
        self._routes: list[tuple[str, str, Callable[..., Response]]] = []
        self.stopping = threading.Event()
        self._thawed = threading.Event()
        self._thawed.set()

    # Life

    @property
    def host(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.socket_path}"

    @property
    def tcp_host(self) -> str:
        host, port = self._tcp_address
        return f"tcp://{host}:{port}"

    def start(self) -> None:
        self.stopping = threading.Event()
        self._routes = list(self._make_routes())
        self._servers = [_UnixServer(str(self.socket_path), self)]
        if self._tcp:
            server = _TcpServer(self._tcp_address, self)
            self._tcp_address = self._tcp_address[0], server.server_address[1]
            self._servers.append(server)
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """As dockerd on SIGTERM: containers stop, streams end, the socket goes."""
        self.model.stop_everything()
        self._thawed.set()
        self.flush()  # its last words
        self._end()

    def kill(self) -> None:
        """As dockerd on SIGKILL: the socket file stays, and nobody is behind it."""
        self._end(unlink=False)

    def freeze(self) -> None:
        """As dockerd on SIGSTOP: connections are taken, nothing is answered."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def replace(self, name: str = "") -> None:
        """Stopped, and another engine started on the socket; without a name it is the first."""
        self.stop()
        self._others[self._name] = (self.engine_id, self.root, self.model, self.log)
        self._name = name
        if name in self._others:
            self.engine_id, self.root, self.model, self.log = self._others[name]
        else:
            self.engine_id, self.root = name, self.root.with_name(name)
            self.log = EventLog()
            registry, self.model = self.model.registry, Model(self.log.publish)
            self.model.registry = registry
        self.start()

    def _end(self, unlink: bool = True) -> None:
        self.stopping.set()
        self._thawed.set()
        self.log.close()
        for server in self._servers:
            server.end()
        self._servers = []
        self.log.forget()
        if unlink:
            self.socket_path.unlink(missing_ok=True)

    def upgrade(self, api_min: str, api_max: str) -> None:
        """Stopped, and started as another version of itself, with the same images."""
        self.stop()
        self.api_min, self.api_max = parse_version(api_min), parse_version(api_max)
        self.start()

    # For tests

    def push(self, reference: str, image: Image) -> None:
        """Puts an image into the registry that pulls are served from."""
        self.model.registry[reference] = image

    def clear(self) -> None:
        """A new engine for each test needs no clearing; a shared one does."""
        self.client.clear()

    def flush(self) -> None:
        """Until all listeners have been sent what has happened so far."""
        deadline = time.monotonic() + 15
        while self.log.backlog:
            assert time.monotonic() < deadline, "a listener that does not read"
            time.sleep(0.005)

    def script(self, method: str, path: str, fault: Fault, times: int | None = None) -> Script:
        """From now on FAULT happens to the next TIMES (None: all) such requests."""
        script = Script(method, path, fault, times)
        with self._lock:
            self._scripts.append(script)
        return script

    def requests(self, method: str = "*", path: str = "*") -> list[Request]:
        """The daemon's requests so far, in order, that match."""
        with self._lock:
            return [each for each in self._requests if each.matches(method, path)]

    def forget_requests(self) -> None:
        """Starts the request log afresh."""
        with self._lock:
            self._requests.clear()

    # Serving

    def serve(self, request: Request, wire: Wire) -> None:
        """Answers one request, or lets a fault do it.

        The driver's own requests are neither logged nor disturbed: tests mean the daemon's.
        """
        self._thawed.wait()
        if request.headers.get("User-Agent") == USER_AGENT:
            wire.send(self._respond(request))
            return
        with self._lock:
            self._requests.append(request)
            script = next((each for each in self._scripts
                           if each.times != 0 and request.matches(each.method, each.path)), None)
            if script and script.times:
                script.times -= 1
        if script:
            script.fault(ServedExchange(request, wire, lambda: self._respond(request)))
        else:
            wire.send(self._respond(request))

    def _respond(self, request: Request) -> Response:
        """The honest answer."""
        try:
            version = self._check_version(request.version)
            for method, pattern, handler in self._routes:
                match = re.fullmatch(pattern, request.path)
                if match and request.method in method.split():
                    with self.model.lock:
                        return handler(request, version, *match.groups())
            raise ApiError(404, "page not found")
        except ApiError as error:
            return _json({"message": error.message}, error.status)

    def _check_version(self, text: str) -> Version:
        version = parse_version(text) if text else self.api_max
        if version < self.api_min:
            raise ApiError(400, f"client version {text} is too old. Minimum supported API version "
                                f"is {_dotted(self.api_min)}, please upgrade your client to a "
                                "newer version")
        if version > self.api_max:
            raise ApiError(400, f"client version {text} is too new. Maximum supported API version "
                                f"is {_dotted(self.api_max)}")
        return version

    def _make_routes(self) -> Iterator[tuple[str, str, Callable[..., Response]]]:
        yield "GET HEAD", "/_ping", self._ping
        yield "GET", "/version", self._version
        yield "GET", "/info", self._info
        yield "GET", "/events", self._events
        if self.api_max >= (1, 25):
            yield "GET", "/system/df", self._df
        yield "GET", "/images/json", self._images
        yield "POST", "/images/create", self._pull
        yield "POST", "/images/load", self._load
        yield "GET", "/images/(.+)/json", self._image
        yield "GET", "/images/(.+)/history", self._history
        yield "POST", "/images/(.+)/tag", self._tag
        yield "DELETE", "/images/(.+)", self._remove_image
        yield "POST", "/build", self._build
        yield "POST", "/build/prune", self._prune_build_cache
        yield "GET", "/containers/json", self._containers
        yield "POST", "/containers/create", self._create
        yield "GET", "/containers/([^/]+)/json", self._container
        yield "POST", "/containers/([^/]+)/start", self._start
        yield "POST", "/containers/([^/]+)/stop", self._stop
        yield "DELETE", "/containers/([^/]+)", self._remove_container

    # The engine itself

    def _ping(self, _request: Request, _version: Version) -> Response:
        return Response(200, b"OK", {
            "Api-Version": _dotted(self.api_max), "Docker-Experimental": "false",
            "Ostype": "linux", "Content-Type": "text/plain; charset=utf-8",
        })

    @property
    def server_version(self) -> str:
        return SERVER_VERSIONS.get(self.api_max, "20.10.24")

    def _version(self, _request: Request, _version: Version) -> Response:
        return _json({
            "Platform": {"Name": ""}, "Version": self.server_version,
            "ApiVersion": _dotted(self.api_max), "MinAPIVersion": _dotted(self.api_min),
            "Os": "linux", "Arch": "amd64",
        })

    def _info(self, _request: Request, _version: Version) -> Response:
        return _json({
            "ID": self.engine_id, "Containers": len(self.model.containers),
            "Images": len(self.model.images), "Driver": "overlay2",
            "DriverStatus": [["Backing Filesystem", "extfs"]],
            "DockerRootDir": str(self.root), "ServerVersion": self.server_version,
            "OperatingSystem": "Scripted", "OSType": "linux", "Name": "scripted",
        })

    def _df(self, request: Request, version: Version) -> Response:
        """Below 1.42 `type` is ignored; from 1.52 there is ImageUsage beside the legacy keys."""
        asked = request.query.get("type", "") if version >= (1, 42) else ""
        types = set(asked.split(",")) if asked else {"image", "container", "volume", "build-cache"}
        if unknown := types - {"image", "container", "volume", "build-cache"}:
            raise ApiError(400, f"unknown object type: {unknown.pop()}")
        answer: dict[str, Any] = {
            "LayersSize": 0, "Images": None, "Containers": None, "Volumes": None,
            "BuildCache": None,
        }
        if "image" in types:
            answer |= {
                "LayersSize": self.model.layers_size(),
                "Images": [self._summary(each, version, usage=True)
                           for each in self.model.listed(False)],
            }
            if version >= (1, 52):
                answer["ImageUsage"] = self._image_usage(request, version)
        if "container" in types:
            answer["Containers"] = [self._container_summary(each)
                                    for each in self.model.containers.values()]
        if "build-cache" in types:
            records = [each.summary() for each in self.model.build_cache]
            answer["BuildCache"] = records or ([] if version >= (1, 42) else None)
        if version < (1, 42):
            answer |= {"Volumes": [], "BuilderSize": 0}
        if self.api_max >= (1, 52) and answer["LayersSize"] == 0:
            del answer["LayersSize"]  # 29 leaves it out at every version
        if version >= (1, 52) and request.flag("verbose"):
            answer = {key: value for key, value in answer.items() if key.endswith("Usage")}
        return _json(answer)

    def _image_usage(self, request: Request, version: Version) -> dict[str, Any]:
        """Zero fields are left out."""
        images = list(self.model.listed(False))
        used = {each.image_id for each in self.model.containers.values()}
        usage: dict[str, Any] = {
            "ActiveCount": sum(each.id in used for each in images),
            "TotalCount": len(images),
            "TotalSize": self.model.layers_size(),
            "Reclaimable": sum(self.model.size_of(each) - self.model.shared_size(each)
                               for each in images if each.id not in used),
        }
        if request.flag("verbose"):
            usage["Items"] = [self._summary(each, version, usage=True) for each in images]
        return {key: value for key, value in usage.items() if value}

    def _events(self, request: Request, version: Version) -> Response:
        try:
            accepts = EventFilter(request.query.get("filters", ""))
            since, until = (_nanoseconds(request.query.get(key)) for key in ("since", "until"))
        except ValueError as error:
            raise ApiError(500, str(error)) from error
        if not self.filters_events:
            accepts = EventFilter("")
        log = self.log
        if not request.flag("stream") and "stream" in request.query:  # podman's
            until = time.time_ns()
        subscription = log.subscribe(accepts, since, until)

        def lines() -> Iterator[bytes]:
            try:
                yield b""
                for item in subscription:
                    self._thawed.wait()
                    yield item if isinstance(item, bytes) else encode_event(item, version)
            finally:
                log.unsubscribe(subscription)

        kind = "application/jsonl" if version >= (1, 52) else "application/json"
        body = lines()
        next(body)  # from here on the subscription ends with it, even if nothing can be sent
        return Response(200, body, {"Content-Type": kind})

    # Images

    def _summary(self, image: StoredImage, version: Version, usage: bool = False) -> dict[str, Any]:
        """An image as lists show it."""
        tags, digests = self.model.tags_of(image.id), self.model.digests_of(image.id)
        size = self.model.size_of(image)
        missing: list[str] | None = [] if version >= (1, 43) else None
        if version < (1, 43) and not tags and not digests:
            tags, digests = ["<none>:<none>"], ["<none>@<none>"]
        containers = sum(each.image_id == image.id for each in self.model.containers.values())
        summary: dict[str, Any] = {
            "Containers": containers if usage or version >= (1, 51) else -1,
            "Created": image.created,
            "Id": image.id,
            "Labels": image.labels or None,
            "ParentId": image.parent,
            "RepoDigests": digests or missing,
            "RepoTags": tags or missing,
            "SharedSize": self.model.shared_size(image) if usage else -1,
            "Size": size,
        }
        if version < (1, 44):
            summary["VirtualSize"] = size
        return summary

    def _images(self, request: Request, version: Version) -> Response:
        return _json([self._summary(each, version)
                      for each in self.model.listed(request.flag("all"))])

    def _image(self, _request: Request, version: Version, name: str) -> Response:
        image = self.model.find(name)
        size = self.model.size_of(image)
        answer = {
            "Id": image.id,
            "RepoTags": self.model.tags_of(image.id),
            "RepoDigests": self.model.digests_of(image.id),
            "Parent": image.parent,
            "Comment": image.config.get("comment", ""),
            "Created": image.config.get("created", ""),
            "Config": image.config.get("config", {}),
            "Architecture": "amd64",
            "Os": "linux",
            "Size": size,
            "GraphDriver": {"Data": {}, "Name": "overlay2"},
            "RootFS": {"Type": "layers", "Layers": image.diff_ids},
            "Metadata": {"LastTagTime": image.tagged},
        }
        if version < (1, 44):
            answer["VirtualSize"] = size
        return _json(answer)

    def _history(self, _request: Request, _version: Version, name: str) -> Response:
        image = self.model.find(name)
        sizes = iter([self.model.layer_sizes[diff_id] for diff_id in image.diff_ids])
        steps = [{
            "Id": "<missing>", "Created": image.created,
            "CreatedBy": step.get("created_by", ""), "Tags": None,
            "Size": 0 if step.get("empty_layer") else next(sizes), "Comment": "",
        } for step in image.config.get("history", ())]
        steps.reverse()
        ancestor: StoredImage | None = image
        for step in steps:
            if ancestor is None:
                break
            step |= {"Id": ancestor.id, "Tags": self.model.tags_of(ancestor.id) or None}
            ancestor = self.model.images.get(ancestor.parent)
        return _json(steps)

    def _pull(self, request: Request, _version: Version) -> Response:
        self.model.pull(request.query["fromImage"], request.query.get("tag", ""))
        return _lines([{"status": "Pulling"}, {"status": "Status: Downloaded newer image"}])

    def _load(self, request: Request, _version: Version) -> Response:
        return _lines([{"stream": f"Loaded image: {each}\n"}
                       for each in self.model.load(request.body)])

    def _build(self, request: Request, _version: Version) -> Response:
        return _lines(list(self.model.build(request.body, request.query.get("t", ""))))

    def _prune_build_cache(self, request: Request, version: Version) -> Response:
        """A parameter that the version does not know is ignored: then all of it goes."""
        query = request.query if version >= (1, 39) else {}
        limits = ["keep-storage"] + ["max-used-space"] * (version >= (1, 48))
        keep = max(int(query.get(each, 0)) for each in limits)
        until = json.loads(query.get("filters", "{}")).get("until", ["0ms"])[0]
        gone = self.model.prune_build_cache(int(until.removesuffix("ms")) * 10**6, keep)
        return _json({"CachesDeleted": [each.id for each in gone] or None,
                      "SpaceReclaimed": sum(each.size for each in gone)})

    def _tag(self, request: Request, _version: Version, name: str) -> Response:
        self.model.tag(name, request.query["repo"], request.query.get("tag", ""))
        return Response(201)

    def _remove_image(self, request: Request, _version: Version, name: str) -> Response:
        return _json(self.model.remove_image(name, request.flag("force"),
                                             not request.flag("noprune")))

    # Containers

    def _container_summary(self, container: Container) -> dict[str, Any]:
        """A container as lists show it: its image by ID where the text no longer leads there."""
        try:
            leads_there = self.model.find(container.image).id == container.image_id
        except ApiError:
            leads_there = False
        return {
            "Id": container.id,
            "Names": ["/" + container.name],
            "Image": container.image if leads_there else container.image_id,
            "ImageID": container.image_id,
            "Command": "/bin/busybox sleep 3600",
            "Created": container.created,
            "Ports": [],
            "Labels": container.labels,
            "State": container.state,
            "Status": container.state.capitalize(),
            "HostConfig": {"NetworkMode": "none"},
            "NetworkSettings": {"Networks": {}},
            "Mounts": [],
        }

    def _containers(self, request: Request, _version: Version) -> Response:
        return _json([self._container_summary(each) for each in self.model.containers.values()
                      if request.flag("all") or each.state == "running"])

    def _container(self, _request: Request, _version: Version, name: str) -> Response:
        container = self.model.find_container(name)
        running = container.state == "running"
        return _json({
            "Id": container.id,
            "State": {"Status": container.state, "Running": running, "Dead": False},
            "Image": container.image_id,
            "Name": "/" + container.name,
            "HostConfig": {"NetworkMode": "none"},
            "Config": {"Image": container.image, "Labels": container.labels},
        })

    def _create(self, request: Request, _version: Version) -> Response:
        body = json.loads(request.body)
        container = self.model.create_container(body["Image"], request.query.get("name", ""),
                                                body.get("Labels") or {})
        return _json({"Id": container.id, "Warnings": []}, 201)

    def _start(self, _request: Request, _version: Version, name: str) -> Response:
        self.model.start_container(name)
        return Response(204)

    def _stop(self, _request: Request, _version: Version, name: str) -> Response:
        self.model.stop_container(name)
        return Response(204)

    def _remove_container(self, request: Request, _version: Version, name: str) -> Response:
        self.model.remove_container(name, request.flag("force"))
        return Response(204)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests; the engine answers them."""

    protocol_version = "HTTP/1.1"
    server: _UnixServer | _TcpServer

    def _serve(self) -> None:
        url = urlsplit(self.path)
        version, path = re.fullmatch(r"(?:/v(\d+\.\d+))?(/.*)", unquote(url.path)).groups("")
        # Keys that come several times: type of /system/df.
        query = {key: ",".join(values) for key, values in
                 parse_qs(url.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, path, version, query,
                          dict(self.headers.items()), body)
        wire = Wire(self.connection, self.server.engine.stopping, self.command == "HEAD")
        try:
            self.server.engine.serve(request, wire)
        except Gone:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT = _serve

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_args: Any) -> None:
        """The request log is enough."""


class _ServerMixin(socketserver.ThreadingMixIn):
    """A thread a connection; at the end all connections are cut."""

    daemon_threads = True
    block_on_close = False
    engine: ScriptedEngine

    def remember(self) -> None:
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)  # type: ignore[misc]

    def end(self) -> None:
        """Takes no more, and cuts what is open."""
        self.shutdown()  # type: ignore[attr-defined]
        self.server_close()  # type: ignore[attr-defined]
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is a bug of this engine."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, Gone)):
            super().handle_error(request, client_address)  # type: ignore[misc]


class _UnixServer(_ServerMixin, socketserver.UnixStreamServer):
    request_queue_size = 128

    def __init__(self, path: str, engine: ScriptedEngine) -> None:
        self.engine = engine
        self.remember()
        Path(path).unlink(missing_ok=True)
        super().__init__(path, _Handler)


class _TcpServer(_ServerMixin, socketserver.TCPServer):
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], engine: ScriptedEngine) -> None:
        self.engine = engine
        self.remember()
        super().__init__(address, _Handler)


def _dotted(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _json(value: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(value, separators=(",", ":")).encode() + b"\n", JSON)


def _lines(values: list[dict[str, Any]]) -> Response:
    return Response(200, b"".join(json.dumps(each).encode() + b"\r\n" for each in values), JSON)


def _nanoseconds(text: str | None) -> int | None:
    """`sec` or `sec.nanos`, as /events takes them; anything else is an error."""
    if not text:
        return None
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9] if fraction else 0)
