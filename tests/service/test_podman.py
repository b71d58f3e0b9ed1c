"""README's recipe "With podman": a user's podman and dockergcd by their own units, nothing else.

It is the rootless podman that is installed here, with its socket and service as it installs them,
and with the storage that it chooses.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from cache import parse_time
from images import MB, Image, image
from machine import UID, UNIT, MakeMachine, UserMachine
from real_engine import RealEngine

README = Path(__file__).resolve().parents[2] / "README.md"
SOCKET = f"/run/user/{UID}/podman/podman.sock"
BUILT = {"images": {"manage": ["built"]}}


@pytest.fixture
def machine(make_machine: MakeMachine) -> UserMachine:
    """Nobody tells where an engine is, and no docker has a socket."""
    return make_machine(host="")


def recipe() -> tuple[list[str], str]:
    """Its commands, and how what the last one prints begins."""
    text = README.read_text().partition("**With podman.**")[2]
    lines = text.partition("```sh\n")[2].partition("```")[0].splitlines()
    commands = [line.partition(" # ")[0].strip() for line in lines]
    shown = lines[-1].partition(" # ")[2].partition(", …")[0]
    return commands, shown.replace("/1000/", f"/{UID}/")


def follow(machine: UserMachine) -> None:
    """The first command of the recipe."""
    machine.run("sh", "-c", recipe()[0][0])
    machine.wait_text(f"Watching unix://{SOCKET} (Podman ")


def podman(machine: UserMachine, *arguments: str) -> str:
    return machine.run("podman", *arguments).stdout.strip()


def load(machine: UserMachine, name: str, size: int = MB) -> Image:
    """By `podman load`, under localhost/NAME:1."""
    made = image(name, size, runnable=True)
    archive = machine.path(f"/tmp/{name}.tar")
    archive.write_bytes(made.archive(reference(name)))
    podman(machine, "load", "--quiet", "--input", f"/tmp/{name}.tar")
    return made


def reference(name: str) -> str:
    return f"localhost/{name}:1"


def images_of(machine: UserMachine) -> dict[str, dict[str, Any]]:
    """What dockergcd knows, by ID."""
    return {each["id"]: each for each in machine.control.get("/v1/images")["images"]}


def knows(machine: UserMachine, *wanted: Image) -> dict[str, dict[str, Any]]:
    """Waits until it knows these images."""
    machine.wait(lambda: {each.id for each in wanted} <= images_of(machine).keys(), "the images")
    return images_of(machine)


def there(machine: UserMachine) -> set[str] | None:
    """The IDs of what podman has. Of an image that goes as it looks it makes an error: None."""
    done = machine.run("podman", "images", "--all", "--quiet", "--no-trunc", check=False)
    assert done.returncode == 0 or "image not known" in done.stderr, done.stderr
    return None if done.returncode else set(done.stdout.split())


def test_podman_recipe_finds_and_watches(machine: UserMachine) -> None:
    """Word for word, and again after the next login."""
    (enable, status), shown = recipe()
    assert shown.startswith("Engine:")
    machine.run("sh", "-c", enable)
    machine.wait_text(f"Watching unix://{SOCKET} (Podman ")
    machine.wait_message(f"engine unix://{SOCKET} (from the usual places): Podman ")
    assert shown.split() in [line.split(",")[0].split()
                             for line in machine.run("sh", "-c", status).stdout.splitlines()]
    machine.logout()
    machine.login()
    machine.wait_text(f"Watching unix://{SOCKET} (Podman ")


def test_b14_podman_what_is_loaded_is_built(machine: UserMachine) -> None:
    """What was there before is not, and what runs at once was not pulled for that."""
    before = load(machine, "before")
    machine.configure(BUILT)
    follow(machine)
    loaded = load(machine, "app")
    podman(machine, "run", "--rm", "--network", "none", reference("app"), "/bin/busybox", "true")
    known = knows(machine, before, loaded)
    machine.wait_text("Watching", ": 1 of 2 images managed")
    assert [known[each.id]["origin"] for each in (before, loaded)] == ["existing", "built"]


def test_b14_podman_many_loads_in_a_row_lose_nothing(machine: UserMachine) -> None:
    """While it lists for the one, the next one comes."""
    machine.configure(BUILT)
    before = [load(machine, f"before{number}", 1000) for number in range(3)]
    follow(machine)
    known = knows(machine, *before)
    loaded = [load(machine, f"app{number}", 1000) for number in range(20)]
    after = knows(machine, *before, *loaded)
    machine.wait_text("Watching", ": 20 of 23 images managed")
    assert {after[each.id]["origin"] for each in loaded} == {"built"}
    assert [after[each.id]["last_used"] for each in before] == [
        known[each.id]["last_used"] for each in before]


@pytest.mark.parametrize("command", [
    ("create",), ("run", "--rm"), ("run", "--detach")], ids=" ".join)
def test_b2_podman_use_is_seen(machine: UserMachine, command: tuple[str, ...]) -> None:
    follow(machine)
    used, unused = load(machine, "used"), load(machine, "unused")
    idle = knows(machine, used, unused)[unused.id]["last_used"]
    begin = time.time_ns()
    podman(machine, *command, "--network", "none", reference("used"), "/bin/busybox", "true")
    machine.wait(lambda: parse_time(images_of(machine)[used.id]["last_used"]) >= begin, "its use")
    assert images_of(machine)[unused.id]["last_used"] == idle


def test_b22_podman_what_is_unused_is_collected_and_what_is_in_use_is_not(
        machine: UserMachine) -> None:
    existing = load(machine, "existing")
    follow(machine)
    held, unused = load(machine, "held"), load(machine, "unused")
    container = podman(machine, "create", "--network", "none", reference("held"))
    knows(machine, existing, held, unused)
    machine.configure(BUILT | {"gc": {"enabled": True, "max_unused": "2s", "grace": "0",
                                      "interval": "1s"}})
    machine.systemctl("reload", UNIT)
    left = {existing.id, held.id}
    machine.wait(lambda: there(machine) == left, "removal of what is not in use")
    entry, = machine.control.get("/v1/history")["history"]
    assert (entry["id"], entry["reason"], entry["outcome"]) == (unused.id, "unused", "removed")
    assert images_of(machine)[held.id]["reason"] == "in-use"
    podman(machine, "rm", container)
    machine.wait(lambda: there(machine) == {existing.id}, "removal once the container is gone")


def service_pid(machine: UserMachine) -> str:
    """Of podman.service; "0" while it is not there."""
    return machine.systemctl("show", "--property", "MainPID", "--value",
                             "podman.service").stdout.strip()


def test_b13_podman_service_that_ends_when_idle(machine: UserMachine) -> None:
    """While it is watched it is not; once it ends, its socket has it back."""
    machine.write(machine.home / ".config/systemd/user/podman.service.d/test.conf",
                  "[Service]\nExecStart=\nExecStart=/usr/bin/podman system service --time 1\n")
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "podman.socket")
    machine.run("curl", "--silent", "--unix-socket", SOCKET, "http://d/_ping")
    assert service_pid(machine) != "0"
    machine.wait(lambda: service_pid(machine) == "0", "that it ends")
    follow(machine)
    watched, pid, begin = service_pid(machine), machine.pid, time.monotonic()
    assert watched != "0"
    machine.wait(lambda: time.monotonic() - begin > 3, "three seconds")
    assert service_pid(machine) == watched
    knows(machine, load(machine, "first"))
    machine.systemctl("kill", "podman.service")
    machine.wait(lambda: service_pid(machine) not in ("0", watched), "that it comes back")
    machine.wait_text(f"Watching unix://{SOCKET} (Podman ")
    knows(machine, load(machine, "second"))
    assert machine.pid == pid and machine.show("NRestarts") == "0"


def test_b19_podman_socket_that_is_away_is_waited_for(machine: UserMachine) -> None:
    follow(machine)
    pid, before = machine.pid, load(machine, "before")
    known = knows(machine, before)[before.id]
    machine.systemctl("stop", "podman.socket", "podman.service")
    # Its unit has KillMode=process: a busy machine may have one go on, who still tells us events.
    machine.run("pkill", "-KILL", "-f", "^/usr/bin/podman .*system service", check=False)
    machine.wait_text(f"Waiting for Docker Engine at unix://{SOCKET}: ")
    meanwhile = load(machine, "meanwhile")
    machine.systemctl("start", "podman.socket")
    machine.wait_text(f"Watching unix://{SOCKET} (Podman ")
    after = knows(machine, before, meanwhile)
    assert (after[before.id]["origin"], after[before.id]["last_used"]) == (
        known["origin"], known["last_used"])
    assert after[meanwhile.id]["origin"] == "built"
    assert machine.pid == pid and machine.show("NRestarts") == "0"


@pytest.mark.parametrize("place", [f"/run/user/{UID}/docker.sock", "/run/docker.sock"],
                         ids=["rootless", "system"])
def test_podman_comes_after_docker(machine: UserMachine, engine: RealEngine, place: str) -> None:
    """Where both have a socket."""
    machine.path(place).symlink_to(engine.socket_path)
    machine.run("sh", "-c", recipe()[0][0])
    shown = place.replace("/run/docker", "/var/run/docker")
    assert re.match(r"Watching \S+ \(Docker ", machine.wait_text(f"Watching unix://{shown} ("))
