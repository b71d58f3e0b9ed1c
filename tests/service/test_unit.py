"""The units as they are installed: what systemd makes of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from machine import UNIT, Installed, Machine, UserMachine

EXPOSED = 2.0
"""At most, by `systemd-analyze security`, where 10 is a unit without any of it."""


@pytest.fixture(params=["user", "system"])
def any_machine(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue({"user": "machine", "system": "system"}[request.param])


def test_service_units_are_where_systemd_looks(any_machine: Machine,
                                               installed: Installed) -> None:
    manager = "user" if isinstance(any_machine, UserMachine) else "system"
    assert any_machine.show("LoadState") == "loaded"
    assert any_machine.show("FragmentPath") == str(installed.unit(manager))


def test_service_units_are_clean(any_machine: Machine) -> None:
    """Whether man is there to find the pages is not theirs to answer for."""
    done = any_machine.run("systemd-analyze", *any_machine.manager, "verify", "--man=no",
                           any_machine.show("FragmentPath"))
    assert [line for line in (done.stdout + done.stderr).splitlines() if "dockergcd" in line] == []


def test_service_units_are_hardened(any_machine: Machine) -> None:
    report = any_machine.run("systemd-analyze", *any_machine.manager, "security", "--no-pager",
                             UNIT).stdout
    figure = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
    assert figure and float(figure[1]) <= EXPOSED, report


def test_service_units_differ_where_they_have_to(installed: Installed) -> None:
    def settings(manager: str) -> set[str]:
        text = (installed.root / "lib/systemd" / manager / UNIT).read_text()
        return {line for line in text.splitlines() if line and not line.startswith("#")}

    user, system = settings("user"), settings("system")
    assert {line.partition("=")[0] for line in user ^ system} == {
        "PrivateUsers", "CapabilityBoundingSet", "WantedBy"}
