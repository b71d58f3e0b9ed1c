"""The scripted engine's event log: a ring, subscribers, filters, as moby has them."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

RING = 256
"""How many events an engine remembers, of all types."""

LEGACY_UNTIL = (1, 51)
"""The last API version whose events carry `status`, `id` and `from`."""

PREFIX_ACTIONS = ("exec_create", "exec_start", "health_status")
"""Actions with a text behind a colon: the `event` filter matches their beginning."""

Event = dict[str, Any]


def make_event(kind: str, action: str, actor: str, attributes: dict[str, str],
               time_ns: int) -> Event:
    """An event with the keys, and in the order, that Docker 20.10 sends."""
    event: Event = {}
    if kind == "image":
        event = {"status": action, "id": actor}
    elif kind == "container":
        event = {"status": action, "id": actor}
        if "image" in attributes:
            event["from"] = attributes["image"]
    return event | {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": actor, "Attributes": attributes},
        "scope": "local",
        "time": time_ns // 10**9,
        "timeNano": time_ns,
    }


def encode_event(event: Event, version: tuple[int, int]) -> bytes:
    """The event's line as a client of that API version gets it."""
    if version > LEGACY_UNTIL:
        event = {key: value for key, value in event.items()
                 if key not in ("status", "id", "from")}
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


class EventFilter:
    """`filters=` of GET /events: the keys `type` and `event`; others are ignored, as by moby."""

    def __init__(self, text: str) -> None:
        parsed = json.loads(text) if text else {}
        self._types = list(parsed.get("type", ()))
        self._actions = list(parsed.get("event", ()))

    def __call__(self, event: Event) -> bool:
        return self._match_type(event["Type"]) and self._match_action(event["Action"])

    def _match_type(self, kind: str) -> bool:
        return not self._types or kind in self._types

    def _match_action(self, action: str) -> bool:
        if not self._actions or action in self._actions:
            return True
        return action.startswith(PREFIX_ACTIONS) and action.startswith(tuple(self._actions))


class Subscription:
    """One listener's queue: events, raw bytes that a test injected, or the end."""

    def __init__(self, accepts: EventFilter) -> None:
        self.accepts = accepts
        self.queue: queue.Queue[Event | bytes | None] = queue.Queue()

    def __iter__(self) -> Iterator[Event | bytes]:
        """What comes, until the end; now and then nothing, so that a lost client is noticed."""
        while True:
            try:
                item = self.queue.get(timeout=0.1)
            except queue.Empty:
                yield b""
                continue
            if item is None:
                return
            yield item
            self.queue.task_done()


class EventLog:
    """Publishes to subscribers, and remembers the last events for `since`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ring: collections.deque[Event] = collections.deque(maxlen=RING)
        self._subscriptions: list[Subscription] = []
        self._held: list[Event] | None = None
        self._last_ns = 0
        self.clock: Callable[[], int] = time.time_ns

    def publish(self, kind: str, action: str, actor: str, attributes: dict[str, str]) -> Event:
        """Makes an event of now; no two in a row have the same time."""
        with self._lock:
            now = self.clock()
            self._last_ns = now + (now == self._last_ns)
            event = make_event(kind, action, actor, attributes, self._last_ns)
            self._ring.append(event)
            if self._held is None:
                self._deliver(event)
            else:
                self._held.append(event)
        return event

    @contextlib.contextmanager
    def late(self) -> Iterator[None]:
        """What is published meanwhile comes to listeners at its end."""
        with self._lock:
            self._held = []
        yield
        with self._lock:
            for event in self._held:
                self._deliver(event)
            self._held = None

    def replay(self, event: Event) -> None:
        """Sends an event as it is, whatever its time: engines repeat and reorder."""
        with self._lock:
            self._deliver(event)

    def inject(self, raw: bytes) -> None:
        """Sends bytes to every listener, whatever their filters."""
        with self._lock:
            for subscription in self._subscriptions:
                subscription.queue.put(raw)

    def subscribe(self, accepts: EventFilter, since_ns: int | None,
                  until_ns: int | None) -> Subscription:
        """A listener: what was since then, inclusively, and what comes until then."""
        subscription = Subscription(accepts)
        with self._lock:
            for event in self._since(since_ns):
                if (until_ns is None or event["timeNano"] <= until_ns) and accepts(event):
                    subscription.queue.put(event)
            if until_ns is not None and until_ns <= self.clock():
                subscription.queue.put(None)
            else:
                self._subscriptions.append(subscription)
        return subscription

    def _since(self, since_ns: int | None) -> Iterable[Event]:
        """As moby looks: from the last one back to the first that is too old, and no further."""
        if since_ns is None:
            return []
        found = itertools.takewhile(lambda event: event["timeNano"] >= since_ns,
                                    reversed(self._ring))
        return reversed(list(found))

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        with self._lock:
            return len(self._subscriptions)

    @property
    def backlog(self) -> int:
        """How much is not yet written to the listeners' sockets."""
        with self._lock:
            return sum(each.queue.unfinished_tasks for each in self._subscriptions)

    def close(self) -> None:
        """Ends every stream, cleanly."""
        with self._lock:
            for subscription in self._subscriptions:
                subscription.queue.put(None)
            self._subscriptions.clear()

    def forget(self) -> None:
        """An engine that restarts remembers nothing."""
        with self._lock:
            self._ring.clear()

    def _deliver(self, event: Event) -> None:
        for subscription in self._subscriptions:
            if subscription.accepts(event):
                subscription.queue.put(event)
