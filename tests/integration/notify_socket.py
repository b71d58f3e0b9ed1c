"""The service manager's end of sd_notify: collects what the daemon says about itself."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

Message = dict[str, str]

CREDENTIALS = struct.Struct("3i")
"""PID, UID, GID: unix(7), SCM_CREDENTIALS."""


class NotifySocket:
    """A datagram socket that is always drained: a full one would block the sender."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.path = path
        self.pid = 0
        """Whose messages count: an earlier process's may still be on their way."""
        self._received: list[tuple[int, Message]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(path))
        threading.Thread(target=self._collect, daemon=True).start()

    @property
    def messages(self) -> list[Message]:
        """What that process has said, in order."""
        return [message for pid, message in list(self._received) if pid == self.pid]

    @property
    def statuses(self) -> list[str]:
        """All STATUS texts, in order."""
        return self.said("STATUS")

    @property
    def status(self) -> str:
        """The present one."""
        return (self.statuses or [""])[-1]

    def said(self, key: str) -> list[str]:
        """The values that KEY had, in order."""
        return [each[key] for each in self.messages if key in each]

    def order(self, *keys: str) -> list[str]:
        """Which of these keys came, in order."""
        return [key for each in self.messages for key in each if key in keys]

    def close(self) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _collect(self) -> None:
        space = socket.CMSG_SPACE(CREDENTIALS.size)
        while True:
            try:
                datagram, ancillary, _, _ = self._socket.recvmsg(65536, space)
            except OSError:
                return
            pid = next((CREDENTIALS.unpack(data)[0] for _, kind, data in ancillary
                        if kind == socket.SCM_CREDENTIALS), 0)
            pairs = (line.partition("=") for line in datagram.decode().splitlines() if line)
            self._received.append((pid, {key: value for key, _, value in pairs}))
