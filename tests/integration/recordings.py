"""What was recorded from engines, in tests/recorded, and a scripted engine that answers so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faults
from scripted_engine import ScriptedEngine

MakeEngine = Callable[..., ScriptedEngine]

RECORDED = Path(__file__).parents[1] / "recorded"
ENGINES = sorted(path.name for path in RECORDED.glob("*-*"))


def recorded(engine: str, name: str) -> Any:
    return json.loads((RECORDED / engine / f"{name}.json").read_text())


def full_id(image_id: str) -> str:
    """podman leaves the algorithm out."""
    return image_id if image_id.startswith("sha256:") else "sha256:" + image_id


def engine_like(make: MakeEngine, name: str) -> ScriptedEngine:
    """A scripted engine that says that it is the recorded one."""
    version = recorded(name, "version")
    engine = make(api_max=version["ApiVersion"], api_min=version["MinAPIVersion"])
    # The ID was left out of the recording, as what names the machine.
    for path, body in (("/version", version), ("/info", recorded(name, "info") | {"ID": "RE:CO"})):
        engine.script("GET", path, faults.reply(200, body))
    return engine
