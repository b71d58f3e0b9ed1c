"""The user's unit in daily life: a real `systemd --user`, a real dockerd."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cache import parse_time
from images import MB
from machine import UID, UNIT, MakeMachine, UserMachine
from real_engine import RealEngine
from scenes import Pulled, present, pulled, used

COLLECTING: dict[str, Any] = {
    "gc": {"enabled": True, "max_unused": "0", "grace": "0", "settle": "200ms"}}


def limited(size: str) -> dict[str, Any]:
    return {"gc": COLLECTING["gc"] | {"max_total_size": size}}


def entries(machine: UserMachine) -> dict[str, dict[str, Any]]:
    """The cache file's images; none as long as there is no file."""
    if not machine.path(machine.cache_path).exists():
        return {}
    return {each["id"]: each for each in machine.cache()["images"]}


def learned(machine: UserMachine, image: Pulled, when: int) -> None:
    """Waits until it is saved that the image was used then."""
    machine.wait(lambda: image.id in entries(machine) and
                 parse_time(entries(machine)[image.id]["last_used"]) == when, "the cache file")


def removals(machine: UserMachine) -> list[dict[str, Any]]:
    return [each for each in machine.journal() if each.get("DOCKERGCD_OUTCOME") == "removed"]


# Start and stop

def test_service_runs_as_the_user_and_tells_how_things_stand(machine: UserMachine,
                                                             engine: RealEngine) -> None:
    machine.start()
    assert (machine.state, machine.show("SubState")) == ("active", "running")
    version = engine.client.call("GET", "/version").json()["Version"]
    text = f"Watching {engine.host} (Docker {version}): 0 of 0 images managed"
    assert machine.wait_text(text).endswith("; tracking only")
    assert f'Status: "{text}' in machine.status
    assert re.search(rf"^Uid:(\t{UID}){{4}}$", machine.process("status"), re.MULTILINE)


def test_service_can_be_asked(machine: UserMachine, engine: RealEngine) -> None:
    """By who has the session's environment, not the unit's."""
    machine.start()
    machine.wait_text("Watching")
    assert engine.host in machine.run("dockergcctl", "status").stdout
    assert machine.path(machine.socket_path).stat().st_mode & 0o777 == 0o600
    assert machine.path(machine.socket_path).parent.stat().st_mode & 0o777 == 0o700


def test_service_enabled_starts_with_the_next_login(machine: UserMachine) -> None:
    assert machine.systemctl("is-enabled", UNIT, check=False).stdout == "disabled\n"
    machine.systemctl("enable", UNIT)
    assert machine.state == "inactive"
    machine.logout()
    machine.login()
    machine.wait_text("Watching")
    machine.systemctl("disable", UNIT)
    machine.logout()
    machine.login()
    assert machine.state == "inactive"


def test_service_stops_saves_and_starts_again(machine: UserMachine, engine: RealEngine) -> None:
    machine.start()
    machine.wait_text("Watching")
    image = pulled(engine, "app")
    when = used(engine, image.reference)
    machine.wait_text("Watching", "1 of 1 images managed")
    machine.systemctl("stop", UNIT)
    assert (machine.state, machine.show("Result")) == ("inactive", "success")
    assert not machine.path(machine.socket_path.parent).exists()
    saved = entries(machine)[image.id]
    assert parse_time(saved["last_used"]) >= when
    assert machine.path(machine.cache_path).stat().st_mode & 0o777 == 0o600
    assert machine.path(machine.cache_path).parent.stat().st_mode & 0o777 == 0o700
    machine.start()
    machine.wait_text("Watching", "1 of 1 images managed")
    machine.wait_message(": 1 images known")
    assert entries(machine)[image.id]["last_used"] == saved["last_used"]


def test_service_goes_when_the_user_does(machine: UserMachine) -> None:
    machine.start()
    machine.wait_text("Watching")
    machine.logout()
    assert entries(machine) == {} and machine.path(machine.cache_path).exists()
    machine.login()
    assert machine.state == "inactive"


# Reload

def test_b42_reload_takes_the_new_configuration(machine: UserMachine,
                                                engine: RealEngine) -> None:
    machine.configure(COLLECTING)
    machine.start()
    machine.wait_text("Watching")
    pid, image = machine.pid, pulled(engine, "app")
    machine.wait_text("Watching", "1 of 1 images managed")
    machine.configure(limited("500kB"))
    machine.systemctl("reload", UNIT)
    machine.wait(lambda: present(engine, image) == [False], "removal under the new limit")
    machine.wait_text("Watching", "0B of 500kB used")
    assert machine.state == "active" and machine.pid == pid


def test_b33_reload_of_a_wrong_configuration_fails_and_the_old_one_stays(
        machine: UserMachine, engine: RealEngine) -> None:
    machine.configure(COLLECTING)
    machine.start()
    machine.wait_text("Watching")
    pid, image = machine.pid, pulled(engine, "app")
    machine.wait_text("Watching", "1 of 1 images managed")
    machine.configure('gc: {\n  max_total_size = "1";\n  oops = true;\n};\n')
    assert machine.systemctl("reload", UNIT, check=False).returncode != 0
    where = f"{machine.config_path}:3: "
    machine.wait_text("Watching", f"; configuration not reloaded: {where}")
    machine.wait_status(where)
    assert (machine.state, machine.pid) == ("active", pid)
    assert present(engine, image) == [True]
    machine.configure(limited("500kB"))
    machine.systemctl("reload", UNIT)
    machine.wait(lambda: present(engine, image) == [False], "removal once it is right")
    machine.wait(lambda: "not reloaded" not in machine.text, "nothing wrong any more")


# What can happen to it

def test_b15_service_killed_comes_back_and_knows_all(machine: UserMachine,
                                                     engine: RealEngine) -> None:
    machine.start()
    machine.wait_text("Watching")
    image = pulled(engine, "app")
    when = used(engine, image.reference)
    learned(machine, image, when)
    pid = machine.pid
    machine.systemctl("kill", "--signal=KILL", UNIT)
    machine.wait(lambda: machine.state == "active" and machine.pid not in (0, pid), "a new one")
    machine.wait_text("Watching", "1 of 1 images managed")
    assert machine.show("NRestarts") == "1"
    learned(machine, image, when)
    assert engine.host in machine.run("dockergcctl", "status").stdout


def test_service_that_hangs_is_started_anew(machine: UserMachine) -> None:
    """As the unit says, but sooner."""
    machine.start()
    assert machine.show("WatchdogUSec") == "1min"
    machine.drop_in("[Service]\nWatchdogSec=3s\nRestartSec=100ms\n")
    machine.systemctl("restart", UNIT)
    machine.wait_text("Watching")
    pid = machine.pid
    machine.systemctl("kill", "--signal=STOP", UNIT)
    machine.wait(lambda: machine.state == "active" and machine.pid not in (0, pid), "a new one")
    machine.wait_text("Watching")
    assert machine.show("NRestarts") == "1"
    machine.wait_message("Watchdog timeout (limit 3s)!")


def test_b19_service_waits_for_an_engine_that_is_away(machine: UserMachine,
                                                      engine: RealEngine) -> None:
    machine.start()
    machine.wait_text("Watching")
    pid = machine.pid
    engine.stop()
    machine.wait_text(f"Waiting for Docker Engine at {engine.host}: ")
    assert machine.state == "active"
    engine.start()
    machine.wait_text("Watching")
    assert machine.pid == pid and machine.show("NRestarts") == "0"


# The journal

def test_b39_service_logs_a_removal_with_fields(machine: UserMachine, engine: RealEngine) -> None:
    machine.configure(limited("500kB"))
    machine.start()
    machine.wait_text("Watching")
    image = pulled(engine, "app")
    [entry] = machine.wait(lambda: removals(machine), "the removal's entry")
    assert entry["DOCKERGCD_IMAGE"] == image.id
    assert entry["DOCKERGCD_REFERENCES"] == image.reference
    assert entry["DOCKERGCD_REASON"] == "over-size"
    assert entry["DOCKERGCD_BYTES"] == str(MB)
    assert entry["PRIORITY"] == "6"
    assert entry["SYSLOG_IDENTIFIER"] == "dockergcd"
    assert entry["_UID"] == str(UID)
    assert entry["_SYSTEMD_USER_UNIT"] == UNIT
    assert entry["MESSAGE"].startswith(f"removed {image.reference} ")
    message_id = entry["MESSAGE_ID"]
    assert [each["DOCKERGCD_IMAGE"] for each in machine.journal(f"MESSAGE_ID={message_id}")] == [
        image.id]


def test_b39_service_logs_errors_with_a_message_id(machine: UserMachine) -> None:
    machine.configure(COLLECTING)
    machine.start()
    machine.wait_text("Watching")
    machine.configure("oops = true;\n")
    machine.systemctl("reload", UNIT, check=False)
    machine.wait_message("configuration not reloaded, the old one stays in force")
    errors = {each["MESSAGE"]: each.get("MESSAGE_ID") for each in machine.journal("PRIORITY=3")
              if each.get("_COMM") == "dockergcd"}
    assert len(errors) == 2 and len(set(errors.values())) == 1 and None not in errors.values(), (
        errors)


# The sandbox

def writable_below(machine: UserMachine, folder: Path) -> set[str]:
    """Where the daemon could write, of the mounts below a folder."""
    found = {}
    for line in machine.process("mountinfo").splitlines():
        fields = line.split()
        found[fields[4]] = "rw" in fields[5].split(",")
    return {path for path, writable in found.items()
            if writable and Path(path).is_relative_to(folder)}


def test_service_is_in_a_sandbox(machine: UserMachine) -> None:
    machine.start()
    machine.wait_text("Watching")
    status = dict(line.split(":\t", 1) for line in machine.process("status").splitlines()
                  if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert writable_below(machine, machine.home) == {
        str(machine.home / folder) for folder in (".cache/dockergcd", ".config/dockergcd")}
    assert "/" not in writable_below(machine, Path("/"))


def test_service_sees_the_free_space_of_the_engines_file_system(machine: UserMachine,
                                                                engine: RealEngine) -> None:
    machine.configure({"gc": COLLECTING["gc"] | {"min_free_space": "1%"}})
    machine.start()
    assert re.search(r" free \(\d\S* wanted\)", machine.wait_text("Watching", " wanted)"))


def test_service_takes_the_docker_context(make_machine: MakeMachine, engine: RealEngine) -> None:
    """From ~/.docker, as the docker command has it."""
    machine = make_machine(host="")
    machine.write(machine.home / ".docker/config.json", '{"currentContext": "mine"}')
    machine.write(machine.home / ".docker/contexts/meta/0123/meta.json",
                  '{"Name": "mine", "Metadata": {}, "Endpoints": {"docker": {"Host": "%s", '
                  '"SkipTLSVerify": false}}}' % engine.host)
    machine.start()
    machine.wait_text(f"Watching {engine.host}")
    machine.wait_message('(from the docker context "mine")')


def test_service_finds_the_usual_socket(make_machine: MakeMachine, engine: RealEngine) -> None:
    machine = make_machine(host="")
    machine.path("/run/docker.sock").symlink_to(engine.socket_path)
    machine.start()
    machine.wait_text("Watching unix:///var/run/docker.sock")


def test_service_runs_without_user_namespaces(machine: UserMachine) -> None:
    """By the drop-in that the unit's own comment has."""
    unit = machine.systemctl("cat", UNIT).stdout
    comment = unit.partition("#   [Service]\n")[2].partition("\nPrivateUsers=")[0]
    settings = [line.removeprefix("#").strip() for line in comment.splitlines()]
    assert settings[0] == "PrivateUsers=no" and len(settings) > 1
    machine.drop_in("\n".join(("[Service]", *settings)) + "\n")
    machine.start()
    machine.wait_text("Watching")
    assert machine.process("uid_map").split() == ["0", "0", "4294967295"]
