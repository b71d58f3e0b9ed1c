"""The daemon as a process: signals, exit codes, sd_notify, detaching, which engine it takes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import faults
from daemon import Daemon, processes_of
from engines import Engine
from scenes import present, pulled, shown_size, taken
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]

NOWHERE = "unix:///nonexistent/docker.sock"


# sd_notify

def test_ready_comes_without_an_engine(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE).start()
    made.wait(lambda: made.notify and made.notify.said("READY") == ["1"], "READY=1")
    made.wait_status("Waiting for Docker Engine")
    made.signal(signal.SIGTERM)
    assert made.wait_exit() == 0


@pytest.mark.needs("usage")
def test_status_while_watching_tells_engine_images_and_usage(watch: Watch,
                                                             engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB"})
    version = engine.client.call("GET", "/version").json()["Version"]
    name = "Podman" if engine.store == "podman" else "Docker"
    assert f"({name} {version}): 0 of 0 images managed" in daemon.status
    app = pulled(engine, "app")
    daemon.fence()
    daemon.wait_status(f"Watching {engine.host} ({name} {version}): 1 of 1 images managed, ")
    assert f" {shown_size(taken(engine, app))} of 60GB used" in daemon.status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_and_sigint_save_and_stop(watch: Watch, engine: Engine,
                                          number: signal.Signals) -> None:
    daemon = watch(engine)
    image = pulled(engine, "app")
    daemon.fence()
    daemon.signal(number)
    assert daemon.wait_exit() == 0
    assert daemon.cache().ids == {image.id}
    assert daemon.notify and daemon.notify.order("READY", "STOPPING") == ["READY", "STOPPING"]
    assert daemon.status.startswith("Stopping")


@pytest.mark.parametrize("path", ["/system/df", "/containers/json", "/images/*"])
def test_sigterm_ends_it_whatever_request_is_under_way(watch: Watch, scripted: ScriptedEngine,
                                                       path: str) -> None:
    daemon = watch(scripted)
    image = pulled(scripted, "app")
    daemon.fence()
    method = "DELETE" if path == "/images/*" else "GET"
    scripted.forget_requests()
    scripted.script(method, path, faults.hang(threading.Event()))
    daemon.configure({"gc": {"max_total_size": "1"}})
    daemon.signal(signal.SIGHUP)
    daemon.signal(signal.SIGUSR1)
    daemon.wait(lambda: scripted.requests(method, path), "the request that hangs")
    assert daemon.stop().ids == {image.id}


@pytest.mark.parametrize("path", ["/_ping", "/info", "/events", "/images/json",
                                  "/containers/json"])
def test_sigterm_ends_it_while_it_meets_the_engine(daemon: MakeDaemon, scripted: ScriptedEngine,
                                                   path: str) -> None:
    scripted.script("*", path, faults.hang(threading.Event()))
    made = daemon(scripted).start()
    made.wait(lambda: scripted.requests("*", path), "the request that hangs")
    made.signal(signal.SIGTERM)
    assert made.wait_exit() == 0


def test_sighup_reloads_and_says_so(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    image = pulled(engine, "app")
    daemon.fence()
    assert present(engine, image) == [True]
    before = time.monotonic_ns() // 1000
    daemon.configure({"gc": {"max_unused": "1ms"}})
    daemon.signal(signal.SIGHUP)
    assert daemon.notify
    notify = daemon.notify
    daemon.wait(lambda: notify.order("READY", "RELOADING") == ["READY", "RELOADING", "READY"],
                "RELOADING, then READY")
    assert before <= int(notify.said("MONOTONIC_USEC")[0]) <= time.monotonic_ns() // 1000
    daemon.collect()
    daemon.wait(lambda: present(engine, image) == [False], "removal under the new limit")


def test_b33_sighup_with_a_wrong_config_leaves_the_old_one_in_force(watch: Watch,
                                                                    engine: Engine) -> None:
    daemon = watch(engine)
    image = pulled(engine, "app")
    daemon.fence()
    daemon.config_path.write_text('gc: {\n  max_total_size = "1";\n  oops = true;\n};\n')
    daemon.signal(signal.SIGHUP)
    daemon.wait_log(rf"^error: .*{daemon.config_path}:3: ")
    daemon.fence()
    assert present(engine, image) == [True]
    assert daemon.notify and daemon.notify.order("READY", "RELOADING") == [
        "READY", "RELOADING", "READY"]
    daemon.configure({"gc": {"max_unused": "1ms"}})
    daemon.signal(signal.SIGHUP)
    daemon.collect()
    daemon.wait(lambda: present(engine, image) == [False], "removal once the config is right")


def test_the_watchdog_is_kicked(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    made = daemon(scripted, environment={"WATCHDOG_USEC": "400000"}).start().wait_watching()
    assert made.notify
    notify = made.notify
    made.wait(lambda: len(notify.said("WATCHDOG")) >= 5, "five WATCHDOG=1")
    assert set(notify.said("WATCHDOG")) == {"1"}


def test_no_watchdog_unless_asked_for(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    daemon.fence()
    assert daemon.notify and daemon.notify.said("WATCHDOG") == []


def test_collecting_is_a_status(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    pulled(scripted, "app")
    daemon.fence()
    release = threading.Event()
    scripted.script("DELETE", "*", faults.hang(release))
    daemon.configure({"gc": {"max_total_size": "1"}})
    daemon.signal(signal.SIGHUP)
    daemon.signal(signal.SIGUSR1)
    daemon.wait_status("Collecting")
    release.set()
    daemon.wait_status("Watching")


def test_as_a_service_it_logs_with_levels_in_front(daemon: MakeDaemon,
                                                   scripted: ScriptedEngine) -> None:
    made = daemon(scripted, arguments=()).start().wait_watching()
    made.stop()
    lines = made.log_path.read_text().splitlines()
    assert lines and all(line[0] == "<" and line[2] == ">" for line in lines), made.log


def test_in_the_foreground_it_logs_for_people(daemon: MakeDaemon,
                                              scripted: ScriptedEngine) -> None:
    made = daemon(scripted, notify=False).start()
    made.wait(lambda: scripted.log.listeners, "the event stream")
    made.stop()
    lines = made.log_path.read_text().splitlines()
    levels = {line.partition(": ")[0] for line in lines}
    assert levels <= {"error", "warning", "info", "debug"} and "info" in levels, lines
    assert scripted.host in made.log and str(made.config_path) in made.log


# Exit codes

def test_once_with_an_engine_is_exit_0(daemon: MakeDaemon, engine: Engine) -> None:
    made = daemon(engine)
    made.once()
    assert made.cache_path.exists()


@pytest.mark.parametrize("host", [NOWHERE, "tcp://127.0.0.1:1"])
def test_once_without_an_engine_is_exit_69(daemon: MakeDaemon, host: str) -> None:
    done = daemon(host).run("--foreground", "--once")
    assert done.returncode == 69
    assert host in done.stderr


def test_once_that_fails_is_exit_1(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    scripted.script("GET", "/images/json", faults.reply(500, {"message": "boom"}))
    done = daemon(scripted).run("--foreground", "--once", timeout=60)
    assert done.returncode == 1
    assert "/images/json" in done.stderr


def test_b32_once_while_an_image_of_the_containerd_store_goes(daemon: MakeDaemon,
                                                              scripted: ScriptedEngine) -> None:
    """That store has no list then: asked for again, not for ever. Others never say so."""
    gone = faults.reply(404, {"message": "content digest sha256:1: not found"})
    scripted.script("GET", "/images/json", gone, times=1)
    made = daemon(scripted)
    assert made.run("--foreground", "--once").returncode == 1
    scripted.script("GET", "/info", faults.in_containerd(scripted))
    scripted.script("GET", "/images/json", gone, times=2)
    assert "error" not in made.once()
    scripted.script("GET", "/images/json", gone)
    done = made.run("--foreground", "--once", timeout=60)
    assert done.returncode == 1
    assert "404 content digest" in done.stderr


# Detaching

def running_pids(daemon: Daemon) -> list[int]:
    return list(processes_of(daemon.directory))


def test_started_by_hand_it_detaches(daemon: MakeDaemon, engine: Engine) -> None:
    made = daemon(engine, notify=False)
    done = made.run()
    assert (done.returncode, done.stdout) == (0, "")
    pids = running_pids(made)
    assert len(pids) == 1
    pid = pids[0]
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert int(stat[3]) != os.getsid(0), "still in the terminal's session"
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert all(os.readlink(f"/proc/{pid}/fd/{number}") == "/dev/null" for number in (0, 1, 2))
    image = pulled(engine, "app")
    made.wait_cache(lambda cache: image.id in cache.ids, "the image")
    os.kill(pid, signal.SIGTERM)
    made.wait(lambda: not running_pids(made), "its end")
    assert made.cache().ids == {image.id}


def test_detached_it_runs_without_an_engine(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE, notify=False)
    assert made.run().returncode == 0
    [pid] = running_pids(made)
    os.kill(pid, signal.SIGTERM)
    made.wait(lambda: not running_pids(made), "its end")


# Which engine

def test_host_option_wins_over_config_and_environment(daemon: MakeDaemon,
                                                      scripted: ScriptedEngine) -> None:
    made = daemon("unix:///nonexistent/environment.sock",
                  {"engine": {"host": "unix:///nonexistent/config.sock"}})
    made.start("--host", scripted.host).wait_watching()


def test_config_wins_over_environment(daemon: MakeDaemon, scripted: ScriptedEngine) -> None:
    made = daemon(NOWHERE, {"engine": {"host": scripted.host}})
    made.start().wait_watching()


def test_tcp(daemon: MakeDaemon, scripted_engine: Callable[..., ScriptedEngine]) -> None:
    engine = scripted_engine(tcp=True)
    made = daemon(engine, {"gc": {"max_total_size": "500kB"}}, host=engine.tcp_host)
    made.start().wait_watching()
    image = pulled(engine, "app")
    made.wait(lambda: present(engine, image) == [False], "its removal")
