"""A journal in a mount namespace of its own: what a service logs natively, field by field."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from mounts import Mounts


def parse(datagram: bytes) -> dict[str, str]:
    """systemd's JOURNAL_NATIVE_PROTOCOL: NAME=value, or NAME, a length and any bytes."""
    fields = {}
    while datagram:
        line, _, datagram = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length, = struct.unpack_from("<Q", datagram)
            value, datagram = datagram[8:8 + length], datagram[8 + length + 1:]
        fields[name.decode()] = value.decode()
    return fields


class Journal:
    """Where journald's socket is, for processes that enter the namespace."""

    def __init__(self, directory: Path, mounts: Mounts) -> None:
        (directory / "journal").mkdir()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(directory / "journal/socket"))
        self._socket.setblocking(False)
        self.enter = mounts.enter
        mounts.mount("-t", "tmpfs", "tmpfs", "/run")
        mounts.inside(Path("/run/systemd/journal")).mkdir(parents=True)
        mounts.mount("--bind", str(directory / "journal"), "/run/systemd/journal")
        self.entries: list[dict[str, str]] = []

    @staticmethod
    def stream(path: Path) -> str:
        """JOURNAL_STREAM of a process that has this file for stderr."""
        status = path.stat()
        return f"{status.st_dev}:{status.st_ino}"

    def read(self) -> list[dict[str, str]]:
        """All entries so far."""
        while True:
            try:
                self.entries.append(parse(self._socket.recv(1 << 20)))
            except BlockingIOError:
                return self.entries

    def close(self) -> None:
        self._socket.close()
