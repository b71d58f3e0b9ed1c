"""What people see of a service that is not as it should be: `systemctl --user status` tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine import UNIT, MakeMachine, UserMachine
from real_engine import RealEngine

NOWHERE = "unix:///nonexistent/docker.sock"


def fails_to_start(machine: UserMachine, status: int, *told: str) -> None:
    """It is not tried again, and people see why."""
    assert machine.systemctl("start", UNIT, check=False).returncode != 0
    assert machine.state == "failed"
    assert machine.show("ExecMainStatus") == str(status)
    assert machine.show("NRestarts") == "0"
    machine.wait_status(*told)


def make_read_only(machine: UserMachine, folder: str, mode: int) -> Path:
    """A folder of the user's, by a mount."""
    path = machine.home / folder
    machine.run("mkdir", "-p", str(path))
    machine.run("chmod", f"{mode:o}", str(path))
    machine.mount("--bind", str(path), str(path))
    machine.mount("-o", "remount,bind,ro", str(path))
    return path


def test_service_without_a_configuration_only_tracks(machine: UserMachine) -> None:
    machine.start()
    machine.wait_text("Watching")
    assert "tracking only" in machine.text
    machine.wait_status("gc.enabled = false")
    assert machine.path(machine.config_path).parent.is_dir()


def test_b33_service_with_a_wrong_configuration_tells_file_and_line(machine: UserMachine) -> None:
    machine.configure('gc: {\n  enabled = true;\n  max_unused = 4;\n};\n')
    fails_to_start(machine, 78, f"{machine.config_path}:3: gc.max_unused: ")
    machine.configure("gc: { enabled = true; };\n")
    machine.start()
    machine.wait_text("Watching")


def test_b33_service_logs_a_wrong_configuration_as_an_error(machine: UserMachine) -> None:
    machine.configure("oops = true;\n")
    fails_to_start(machine, 78, str(machine.config_path))
    errors = [each["MESSAGE"] for each in machine.journal("PRIORITY=3") if
              each.get("_COMM") == "dockergcd"]
    assert any(str(machine.config_path) in each for each in errors), machine.messages


def test_service_with_a_configuration_that_cannot_be_read(machine: UserMachine) -> None:
    machine.configure("")
    machine.run("chmod", "0", str(machine.config_path))
    fails_to_start(machine, 78, f"{machine.config_path}: Permission denied")


def test_service_with_a_configuration_elsewhere(machine: UserMachine) -> None:
    """By a symbolic link, as collections of configuration files are kept."""
    machine.write(machine.home / "dotfiles/dockergcd/dockergcd.conf", "gc: { enabled = true; };\n")
    machine.run("ln", "-s", "../dotfiles/dockergcd", str(machine.config_path.parent))
    machine.start()
    assert "collecting" in machine.wait_text("Watching")


def test_service_with_a_wrong_option(machine: UserMachine) -> None:
    machine.drop_in("[Service]\nExecStart=\nExecStart=/usr/local/bin/dockergcd --oops\n")
    fails_to_start(machine, 2, "unrecognized option '--oops'", "Try 'dockergcd --help'.")


def test_b19_service_without_an_engine(make_machine: MakeMachine) -> None:
    machine = make_machine(host=NOWHERE)
    machine.start()
    machine.wait_text(f"Waiting for Docker Engine at {NOWHERE}: ", "o such file or directory")
    assert machine.state == "active"


def test_service_without_rights_on_the_socket(make_machine: MakeMachine,
                                              engine: RealEngine) -> None:
    machine = make_machine(groups=())
    machine.start()
    machine.wait_text(f"Waiting for Docker Engine at {engine.host}: ")
    assert machine.state == "active"
    hint = machine.text.partition("Permission denied")[2]
    assert "group" in hint and "docker" in hint, machine.text


def test_service_beside_another_daemon(machine: UserMachine) -> None:
    """Started by hand; when that one goes, the service takes over.

    While the next try is due, systemctl shows nothing of what was logged before.
    """
    machine.run("dockergcd")
    pid = int(machine.path(f"{machine.cache_path}.lock").read_text())
    assert machine.systemctl("start", UNIT, check=False).returncode != 0
    machine.wait(lambda: machine.show("SubState") == "auto-restart", "that it waits")
    assert f"{machine.cache_path} is held by another dockergcd, process {pid}" in machine.status
    machine.run("kill", str(pid))
    machine.wait(lambda: machine.state == "active", "its turn")
    machine.wait_text("Watching")


def test_service_started_twice_is_one(machine: UserMachine) -> None:
    machine.start()
    pid = machine.pid
    machine.start()
    assert machine.pid == pid and machine.show("NRestarts") == "0"
    assert "held by another dockergcd" in machine.run("dockergcd", "--foreground",
                                                      check=False).stderr


@pytest.mark.parametrize("folder", [".cache", ".cache/dockergcd"])
def test_service_with_a_read_only_cache_directory(machine: UserMachine, folder: str) -> None:
    """That cannot be made, or not be what it has to be."""
    path = make_read_only(machine, folder, 0o755)
    fails_to_start(machine, 239, "status=239/CACHE_DIRECTORY")
    machine.wait_message(f"{machine.home}/.cache: Read-only file system")
    machine.mount("-o", "remount,bind,rw", str(path))
    machine.start()
    machine.wait_text("Watching")


def test_service_with_a_cache_directory_that_has_become_read_only(machine: UserMachine) -> None:
    """It goes on without."""
    path = make_read_only(machine, ".cache/dockergcd", 0o700)
    machine.start()
    machine.wait_text("Watching", f"{path}/docker-images-gc.json")
    assert "Read-only file system" in machine.text


def test_service_with_a_cache_file_where_it_may_not_write(machine: UserMachine) -> None:
    path = machine.home / "elsewhere/images.json"
    machine.configure(f'cache_file = "{path}";\n')
    machine.start()
    machine.wait_text("Watching", f"{path.parent}: Read-only file system")
    machine.drop_in(f"[Service]\nReadWritePaths={path.parent}\n")
    machine.run("mkdir", str(path.parent))
    machine.systemctl("restart", UNIT)
    machine.wait(lambda: machine.path(path).exists(), "the cache file")
