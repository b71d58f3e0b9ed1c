"""The two kinds of engine, which tests treat alike."""

from __future__ import annotations

from typing import TypeAlias

from real_engine import RealEngine
from scripted_engine import ScriptedEngine

Engine: TypeAlias = ScriptedEngine | RealEngine
