"""What many tests begin with."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import faults
from cache import Cache
from daemon import Daemon
from engines import Engine
from images import MB, Image, image
from prometheus import Metrics
from scripted_engine import ScriptedEngine

T = TypeVar("T")

SOAK = os.environ.get("DOCKERGCD_SOAK") == "1"
"""Whether there is time for what takes minutes: tests/soak."""

PODMAN_WORDS = {"destroy": "remove", "load": "loadfromarchive"}
"""What podman says for an event's action."""


@dataclass(frozen=True)
class Pulled:
    """An image under a reference of the registry's."""

    reference: str
    image: Image

    @property
    def id(self) -> str:
        return self.image.id


def offered(engine: Engine, name: str, size: int = MB, *, tag: str = "1",
            **arguments: Any) -> Pulled:
    """An image in the registry, not pulled: `name:tag`, with content named after it."""
    made = Pulled(f"{engine.registry}/{name}:{tag}", image(f"{name}-{tag}", size, **arguments))
    engine.push(made.reference, made.image)
    return made


def pulled(engine: Engine, name: str, size: int = MB, *, tag: str = "1",
           **arguments: Any) -> Pulled:
    """An image in the registry and in the engine."""
    made = offered(engine, name, size, tag=tag, **arguments)
    engine.client.fetch(made.reference)
    return made


def loaded(engine: Engine, reference: str, size: int = MB, **arguments: Any) -> Image:
    """An image that came by `docker load`."""
    made = image(reference, size, **arguments)
    engine.client.load(made.archive(reference))
    return made


def used(engine: Engine, reference: str) -> int:
    """Uses an image: a container is created and removed. Returns when, in nanoseconds."""
    begin = time.time_ns()
    engine.client.remove_container(engine.client.create(reference))
    return event_time(engine, begin, "container", "destroy")


def two_pulled(daemon: Daemon, engine: Engine) -> tuple[Pulled, Pulled]:
    """Two images; the second was used last."""
    old, new = pulled(engine, "old"), pulled(engine, "new")
    used(engine, old.reference)
    used(engine, new.reference)
    daemon.fence()
    return old, new


def room_for(engine: Engine, count: float) -> int:
    """Bytes for so many images of 1 MB, about: two of them fit into 2.5, three do not.

    Twice as much in the containerd store, which counts what was downloaded as well.
    """
    return int(count * MB * (2 if engine.store == "containerd" else 1))


def limit_for(engine: Engine, count: float) -> str:
    """The same as a setting."""
    return shown_size(room_for(engine, count))


def shown_size(size: int) -> str:
    """Megabytes as docker prints them."""
    return f"{size / MB:.3g}MB"


def taken(engine: Engine, *images: Pulled | Image) -> int:
    """What the engine says that these images take, each by itself.

    Of a graph driver that is known; the containerd store adds what was downloaded, and blocks,
    podman what describes an image.
    """
    made = [each.image if isinstance(each, Pulled) else each for each in images]
    told = {each["Id"]: each["Size"] for each in engine.client.images()}
    total = sum(told[each.id] for each in made)
    known = sum(each.size for each in made)
    if engine.store == "podman":
        assert known <= total <= 1.01 * known + 10_000 * len(made)
    else:
        assert total >= 2 * known if engine.store == "containerd" else total == known
    return total


def know_sizes(daemon: Daemon, engine: Engine) -> None:
    """The containerd store tells them in lists alone: the next one comes at the next start."""
    if engine.store == "containerd":
        daemon.stop()
        daemon.start().wait_watching()


def freed_in(log: str) -> list[tuple[int, int, int]]:
    """Of each round: the bytes that were freed, and the bounds they were predicted to lie in."""
    found = re.findall(r"^debug: (\d+) bytes freed, predicted (\d+) to (\d+)$", log, re.MULTILINE)
    return [(int(freed), int(lower), int(upper)) for freed, lower, upper in found]


def event_time(engine: Engine, since_ns: int, kind: str, action: str) -> int:
    """The engine's own time of the last such event since then."""
    actions = {action, PODMAN_WORDS.get(action)}
    times = [event["timeNano"] for event in engine.client.events(since_ns)
             if event["Type"] == kind and event["Action"] in actions]
    assert times, f"no {kind} {action} event"
    return int(times[-1])


def present(engine: Engine, *images: Pulled | Image) -> list[bool]:
    """Which of the images are there, even if nothing but all=1 shows them."""
    ids = engine.client.image_ids(everything=True)
    return [each.id in ids for each in images]


def wait_until(when: float, daemon: Daemon | None = None) -> None:
    """Until that time of the monotonic clock; not a second for a condition to come true."""
    while time.monotonic() < when:
        assert daemon is None or daemon.alive
        time.sleep(0.01)


def came(cache: Cache, engine: Engine, image: Pulled | Image, since_ns: int,
         action: str) -> bool:
    """Whether the image's last use is its arrival, to the nanosecond.

    What podman 4 tells when it begins comes a little later, and perhaps first in a list.
    """
    told, last = event_time(engine, since_ns, "image", action), cache.last_used(image.id)
    return last == told or (tells_beginnings(engine) and told < last < told + 5 * 10**9)


def silent(engine: ScriptedEngine, change: Callable[[], T]) -> T:
    """A change that the engine keeps to itself."""
    publish, engine.model.emit = engine.model.emit, lambda *_arguments: None
    result = change()
    engine.model.emit = publish
    return result


def doubt(engine: ScriptedEngine) -> None:
    """As podman 4 tells of a load: it makes us list anew."""
    engine.log.publish("image", "load", "/tmp/some.tar", {"name": "/tmp/some.tar"})


def wait_event(daemon: Daemon, action: str) -> None:
    """Until the daemon has read its first event of that action."""
    def is_read() -> bool:
        metrics = Metrics(daemon.control.call("GET", "/metrics").body.decode())
        return metrics.count("dockergcd_events_total", action=action) > 0
    daemon.wait(is_read, f"the event {action}")


def lose_stream(daemon: Daemon, scripted: ScriptedEngine,
                path: str = "/events") -> threading.Event:
    """The stream ends, and what asks PATH on the way to another is not answered until this is
    set.
    """
    end = threading.Event()
    asked = len(scripted.requests("GET", path))
    scripted.script("GET", path, faults.hang(end), times=1)
    scripted.log.close()
    daemon.wait(lambda: len(scripted.requests("GET", path)) > asked, "the reconnect")
    return end


def tell(daemon: Daemon, what: str, *names: str) -> list[tuple[str, str]]:
    """Track or forget them: what came of each."""
    answer = daemon.control.post(f"/v1/{what}", {"images": list(names)})
    return [(each["reference"], each["result"]) for each in answer["images"]]


def forgetting(daemon: Daemon, name: str) -> tuple[threading.Thread, list[tuple[str, str]]]:
    """Somebody who says it and waits, and what comes of it."""
    results: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: results.extend(tell(daemon, "forget", name)))
    thread.start()
    return thread, results


def tells_beginnings(engine: Engine) -> bool:
    """Whether it tells a pull or a load when it begins: podman 4."""
    return engine.store == "podman" and engine.client.version()["Version"].startswith("4.")


def found(daemon: Daemon, url: str, source: str) -> None:
    """Until it watches the engine there, and has said from where that came."""
    daemon.wait_log(rf"^info: engine {re.escape(url)} \(from {re.escape(source)}\): \w+ ")
    daemon.wait_status(f"Watching {url} (")
