"""What processes take: how many were started, memory, wake-ups, processor time, bytes written."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

NETLINK_CONNECTOR = 11
CN_IDX_PROC, CN_VAL_PROC, LISTEN = 1, 1, 1
FORK, EXEC = 1, 2
HEADERS = 36
"""Of netlink and of the connector, before what has happened (linux/cn_proc.h)."""


class Started:
    """Counts the processes that a process and its descendants start.

    The kernel tells of each fork and exec (its process connector), so none is too short to be
    seen, and those of other programs on the machine are left out; ns_last_pid would count these,
    and threads, and wrappers on the PATH only what goes by their names. Needs root, outside of
    PID namespaces.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self._socket.bind((0, CN_IDX_PROC))
        operation = struct.pack("=I", LISTEN)
        message = struct.pack("=IIIIHH", CN_IDX_PROC, CN_VAL_PROC, 0, 0, len(operation), 0)
        head = struct.pack("=IHHII", HEADERS + len(operation), 3, 0, 0, 0)
        self._socket.send(head + message + operation)
        self._lock = threading.Lock()
        self._family: set[int] = set()
        self._forks = self._execs = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def follow(self, pid: int) -> None:
        """This one and what it starts from now on."""
        with self._lock:
            self._family.add(pid)

    def counts(self) -> tuple[int, int]:
        """Processes (no threads) and programs started so far; what was just now is in."""
        time.sleep(0.1)
        with self._lock:
            return self._forks, self._execs

    @property
    def family(self) -> set[int]:
        """All that were followed, those that have ended included."""
        with self._lock:
            return set(self._family)

    def close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._take(self._socket.recv(4096))

    def _take(self, data: bytes) -> None:
        what, = struct.unpack_from("=I", data, HEADERS)
        # After `what` come a processor's number and a time of 64 bits, then PIDs and thread groups.
        ids = HEADERS + 16
        with self._lock:
            if what == FORK:
                _, parent, child, group = struct.unpack_from("=IIII", data, ids)
                if parent in self._family and child == group:
                    self._family.add(child)
                    self._forks += 1
            elif what == EXEC:
                _, group = struct.unpack_from("=II", data, ids)
                self._execs += group in self._family


@dataclass(frozen=True)
class Memory:
    """In kB, as smaps_rollup has it."""

    pss: int = 0
    anonymous: int = 0
    """Pss_Anon: private, and no file's."""
    rss: int = 0
    """With each page that others have as well: what it would take if it were alone."""

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.pss + other.pss, self.anonymous + other.anonymous, self.rss + other.rss)

    def larger(self, other: Memory) -> Memory:
        return max(self, other, key=lambda each: each.pss)


def memory_of(pid: int) -> Memory:
    """Of one process; nothing if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return Memory()
    found = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return Memory(found["Pss"], found["Pss_Anon"], found["Rss"]) if found else Memory()


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def tree_of(pid: int) -> list[int]:
    """It and its descendants as they are now."""
    return [pid, *(each for child in children_of(pid) for each in tree_of(child))]


def memory_of_tree(pid: int) -> Memory:
    return sum(map(memory_of, tree_of(pid)), Memory())


def own_libraries(program: Path, directory: Path) -> dict[str, str]:
    """An environment in which the program has its libraries for itself, all but the C library.

    Its PSS is then what it takes where nothing else uses them, whatever runs here meanwhile.
    """
    directory.mkdir()
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    for name, path in re.findall(r"(\S+) => (/\S+)", listed):
        if name != "libc.so.6":
            shutil.copy(path, directory / name)
    return {"LD_LIBRARY_PATH": str(directory)}


class Peak:
    """The most memory that a tree of processes takes while this is open."""

    PERIOD = 0.005

    def __init__(self, pid: int) -> None:
        self.memory = Memory()
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self.PERIOD):
            self.memory = self.memory.larger(memory_of_tree(self._pid))


def wakeups_of(pid: int) -> int:
    """How often the tasks of a process have gone to sleep, which is as often as they woke up."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def wakeups_of_tree(pid: int) -> int:
    return sum(map(wakeups_of, tree_of(pid)))


def processor_time_of(pid: int) -> float:
    """Seconds of a process with a single thread; proc(5) has them in hundredths only."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def processor_time_of_tree(pid: int) -> float:
    """Seconds; those of children that have ended to the hundredth."""
    total = 0.0
    for each in tree_of(pid):
        total += sum(int((task / "schedstat").read_text().split()[0])
                     for task in Path(f"/proc/{each}/task").iterdir()) / 1e9
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return total


class Written:
    """The bytes of all files that are written in a directory.

    It looks often, and counts each file as it finds it whenever it is another one, or another
    time: what is replaced as a whole counts as a whole each time.
    """

    PERIOD = 0.02

    def __init__(self, directory: Path) -> None:
        self.bytes = self.files = 0
        self._directory = directory
        self._seen: set[tuple[int, int]] = set()
        self._look()
        self.bytes = self.files = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Written:
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(self.PERIOD):
            self._look()

    def _look(self) -> None:
        for path in self._directory.rglob("*"):
            with contextlib.suppress(OSError):
                found = path.stat()
                version = found.st_ino, found.st_mtime_ns
                if path.is_file() and version not in self._seen:
                    self._seen.add(version)
                    self.bytes += found.st_size
                    self.files += 1
