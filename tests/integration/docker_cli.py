"""The docker command line of Debian's docker.io, as the hand that writes contexts."""

from __future__ import annotations

import subprocess
from pathlib import Path

DOCKER = "/usr/bin/docker"
"""Another one may be before it in PATH."""


def docker(config: Path, *arguments: str) -> str:
    """Runs it with CONFIG as its folder; what it says."""
    done = subprocess.run([DOCKER, "--config", str(config), *arguments], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def create_context(config: Path, name: str, **endpoint: str | Path) -> None:
    """`docker context create NAME --docker host=…,ca=…`"""
    text = ",".join(f"{key.replace('_', '-')}={value}" for key, value in endpoint.items())
    docker(config, "context", "create", name, "--docker", text)
