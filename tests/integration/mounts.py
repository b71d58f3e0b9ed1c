"""File systems of a test's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from daemon import OWN_DEATH


class Mounts:
    """A mount namespace: mounts made here are seen only by processes that enter it."""

    def __init__(self, namespace: str | None = None) -> None:
        self._process = None if namespace else subprocess.Popen(
            [*OWN_DEATH, "unshare", "--mount", "--propagation", "private",
             "sh", "-c", "echo ready; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._process:
            assert self._process.stdout
            assert self._process.stdout.readline() == "ready\n", "unshare --mount"
            namespace = f"/proc/{self._process.pid}"
        self._root = Path(f"{namespace}/root")
        self.enter = ("nsenter", f"--mount={namespace}/ns/mnt", "--")
        """Put before a command, it runs there; its PID stays the same."""

    def inside(self, path: Path) -> Path:
        """A path as it is there, for processes that are not."""
        return self._root / path.relative_to("/")

    def mount(self, *arguments: str) -> None:
        subprocess.run([*self.enter, "mount", *arguments], check=True)

    def umount(self, path: Path) -> None:
        subprocess.run([*self.enter, "umount", str(path)], check=True)

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
