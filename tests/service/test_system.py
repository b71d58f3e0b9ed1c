"""The machine's unit: systemd as PID 1, the daemon as root without its powers."""

from __future__ import annotations

import re

from images import MB
from machine import UNIT, Machine
from real_engine import RealEngine
from scenes import present, pulled

SETTINGS = {"enabled": True, "max_unused": "0", "grace": "0", "settle": "200ms",
            "min_free_space": "1%"}


def start(system: Machine, engine: RealEngine, **settings: object) -> None:
    system.configure({"gc": SETTINGS | settings, "engine": {"host": engine.host}})
    system.start()
    system.wait_text(f"Watching {engine.host}")


def test_service_of_the_machine(system: Machine, engine: RealEngine) -> None:
    """From start to stop."""
    start(system, engine)
    assert re.search(r" free \(\d\S* wanted\)", system.text)
    pid, image = system.pid, pulled(engine, "app")
    system.wait_text("Watching", "1 of 1 images managed")
    system.configure({"gc": SETTINGS | {"max_total_size": "500kB"},
                      "engine": {"host": engine.host}})
    system.systemctl("reload", UNIT)
    system.wait(lambda: present(engine, image) == [False], "removal under the new limit")
    assert system.pid == pid
    [entry] = system.wait(lambda: [each for each in system.journal() if
                                   each.get("DOCKERGCD_OUTCOME") == "removed"], "its entry")
    assert (entry["DOCKERGCD_BYTES"], entry["_SYSTEMD_UNIT"]) == (str(MB), UNIT)
    assert engine.host in system.run("dockergcctl", "status").stdout
    system.systemctl("stop", UNIT)
    assert (system.state, system.show("Result")) == ("inactive", "success")
    assert system.path(system.cache_path).stat().st_mode & 0o777 == 0o600
    system.start()
    system.wait_text("Watching")


def test_service_of_the_machine_is_root_without_its_powers(system: Machine,
                                                          engine: RealEngine) -> None:
    start(system, engine)
    status = dict(line.split(":\t", 1) for line in system.process("status").splitlines()
                  if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert status["CapAmb"] == "0" * 16
    dac_read_search = f"{1 << 2:016x}"
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {dac_read_search}


def test_service_of_the_machine_sees_free_space_below_a_closed_directory(
        system: Machine, engine: RealEngine) -> None:
    """Of somebody else's."""
    closed = system.path(engine.directory / "data")
    status = closed.stat()
    closed.chmod(0o700)
    system.run("chown", "4711:4711", str(engine.directory / "data"))
    try:
        start(system, engine)
        assert re.search(r" free \(\d\S* wanted\)", system.text)
    finally:
        closed.chmod(status.st_mode & 0o7777)
        system.run("chown", "0:0", str(engine.directory / "data"))


def test_service_of_the_machine_enabled_starts_with_it(system: Machine) -> None:
    system.systemctl("enable", UNIT)
    wanted = system.show("WantedBy")
    assert wanted == "multi-user.target"
