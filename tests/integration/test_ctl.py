"""dockergcctl: what it shows of each answer, when it fails, and `docker gc`."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import faults
from daemon import BINARY, OWN_DEATH, Daemon
from engines import Engine
from scenes import (know_sizes, limit_for, loaded, present, pulled, shown_size, taken, two_pulled,
                    used)
from scripted_engine import ScriptedEngine

Watch = Callable[..., Daemon]
MakeDaemon = Callable[..., Daemon]
Done = subprocess.CompletedProcess[str]

CTL = BINARY.with_name("dockergcctl")
NOWHERE = "unix:///nonexistent/docker.sock"
FAILED, USAGE, UNAVAILABLE = 1, 2, 69


def run(daemon: Daemon, *arguments: str, program: str | Path = CTL, timeout: float = 30,
        **environment: str) -> Done:
    """Runs it in the daemon's environment, its output no terminal."""
    return subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env=daemon.environment | environment, cwd="/",
                          timeout=timeout, check=False)


def ctl(daemon: Daemon, *arguments: str) -> str:
    """What it prints, if it succeeds and has nothing to complain of."""
    done = run(daemon, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def answer(daemon: Daemon, *arguments: str) -> Any:
    """The same with --json."""
    return json.loads(ctl(daemon, "--json", *arguments))


def rows(text: str) -> list[list[str]]:
    """A table's cells, which have two spaces or more between them."""
    return [re.split(r"  +", line) for line in text.splitlines()]


def timeless(text: str) -> str:
    """Without what can be another from one second to the next, and the space that it takes."""
    return re.sub(r" {2,}", "  ", re.sub(r"\bnow\b(?=  )|\d+ seconds? ago", "", text))


def facts(text: str) -> dict[str, str]:
    """What is on lines like "State:  watching"."""
    return {label.strip(): value.strip() for label, value in
            (line.split(":", 1) for line in text.splitlines())}


@contextmanager
def terminal(daemon: Daemon, columns: int, *arguments: str,
             **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """Runs it on a terminal; with it comes a function for all that it shows until its end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([*OWN_DEATH, CTL, *arguments], stdin=slave, stdout=slave,
                               stderr=slave, cwd="/",
                               env=daemon.environment | {"TERM": "xterm"} | environment)
    os.close(slave)

    def read() -> str:
        shown = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # the other side is closed
                chunk = b""
            if not chunk:
                return shown.decode().replace("\r\n", "\n")
            shown += chunk

    try:
        yield process, read
    finally:
        process.kill()
        process.wait()
        os.close(master)


def shown_on_terminal(daemon: Daemon, columns: int, *arguments: str, **environment: str) -> str:
    with terminal(daemon, columns, *arguments, **environment) as (process, read):
        text = read()
        assert process.wait(10) == 0, text
    return text


# What each command shows

@pytest.mark.needs("usage")
def test_status(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB", "target_total_size": "50GB",
                            "max_unused": "4w"})
    images = two_pulled(daemon, engine)
    shown = {}

    def rests() -> bool:
        shown.update(facts(ctl(daemon, "status")))
        return shown["State"] == "watching"

    daemon.wait(rests, "its rest")
    version = engine.client.version()["Version"]
    assert shown["Engine"].startswith(f"{daemon.environment['DOCKER_HOST']}, version {version}")
    assert shown["Images"] == "2, 2 of them managed"
    assert shown["Usage"] == (
        f"{shown_size(taken(engine, *images))}, at most 60GB, then down to 50GB")
    assert shown["Unused for"] == "28d"
    assert ", finished: 0 removed, 0 failed, " in shown["Last collection"]
    assert " (in " in shown["Next collection"]
    assert "Error" not in shown
    status = answer(daemon, "status")
    assert status["state"] in ("watching", "collecting")
    assert status["limits"]["max_total_size"] == 60 * 10**9


def test_b19_status_without_an_engine(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE).start()
    made.wait_status("Waiting")
    assert facts(ctl(made, "status"))["State"] == "waiting"
    for command in (["images"], ["plan"], ["gc"], ["gc", "--wait"], ["explain", "x"],
                    ["track", "x"], ["forget", "x"]):
        done = run(made, *command)
        assert done.returncode == FAILED
        assert done.stdout == ""
        assert done.stderr.startswith("dockergcctl: waiting for Docker Engine at " + NOWHERE)


def test_b33_status_shows_errors_that_persist(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted)
    daemon.config_path.write_text("gc: { oops = 1; };")
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("configuration not reloaded")
    assert "unknown key gc.oops" in facts(ctl(daemon, "status"))["Error"]


def test_images(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB", "max_unused": "4w"})
    old, new = two_pulled(daemon, engine)
    loaded(engine, "mine:1", 5000)
    daemon.fence()
    know_sizes(daemon, engine)
    title, *lines = rows(ctl(daemon, "images"))
    assert title == ["IMAGE", "IMAGE ID", "ORIGIN", "LAST USED", "SIZE", "UNIQUE", "VERDICT",
                     "REASON"]
    assert {line[0] for line in lines} == {old.reference, new.reference, "mine:1"}
    by_name = {line[0]: line for line in lines}
    assert lines.index(by_name[old.reference]) < lines.index(by_name[new.reference])
    shown = by_name[old.reference]
    assert shown[1:3] == [old.id[7:19], "pulled"]
    assert re.fullmatch(r"now|\d+ (second|minute)s? ago", shown[3])
    unique = "1MB" if engine.store == "graph driver" else "-"
    assert shown[4:] == [shown_size(taken(engine, old)), unique, "keep", "within-limits"]
    assert by_name["mine:1"][-1] == "unmanaged"
    assert {each["id"] for each in answer(daemon, "images")["images"]} >= {old.id, new.id}


@pytest.mark.needs("usage")
def test_b40_explain(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB", "max_unused": "4w"})
    _, new = two_pulled(daemon, engine)
    know_sizes(daemon, engine)
    for name in (new.reference, new.id, new.id[7:19]):
        shown = facts(ctl(daemon, "explain", name))
        assert shown["Image"] == new.reference
        assert shown["ID"] == new.id
        assert shown["Verdict"] == "keep: within-limits"
        assert shown["Why"].endswith(" of 28d; 1 before it; goes above 60GB")
        assert shown["Ahead of it"] == "1"
        assert shown["Size"] == shown_size(taken(engine, new))
    assert answer(daemon, "explain", new.reference)["id"] == new.id
    for options in ([], ["--json"]):
        done = run(daemon, "explain", "nobody:1", *options)
        assert (done.returncode, done.stdout) == (FAILED, "")
        assert done.stderr == "dockergcctl: no such image: nobody:1\n"


@pytest.mark.needs("usage")
def test_b34_plan_and_dry_run(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    old, new = two_pulled(daemon, engine)
    daemon.stop()
    limit = limit_for(engine, 1.5)
    daemon.configure({"gc": {"enabled": False, "max_total_size": limit}})
    daemon.start().wait_watching()
    shown = ctl(daemon, "plan")
    assert timeless(shown) == timeless(ctl(daemon, "gc", "--dry-run"))
    off, headline, empty, title, *lines = shown.splitlines()
    assert off == "Collecting is disabled: nothing is removed."
    before, after = (shown_size(taken(engine, *images)) for images in ((old, new), (new,)))
    after = after if engine.store == "graph driver" else f"about {after}"
    assert headline == f"Removes 1 of 2 images: {before} now, {after} after it, target {limit}"
    assert empty == ""
    assert title.split() == ["VERDICT", "IMAGE", "IMAGE", "ID", "LAST", "USED", "FREES", "REASON"]
    removed, kept = rows("\n".join(lines))
    assert removed[:3] == ["remove", old.reference, old.id[7:19]]
    assert removed[4:] == [shown_size(taken(engine, old)), "over-size"]
    assert kept == ["keep", new.reference, new.id[7:19], "-", "-", "within-limits"]
    plan = answer(daemon, "plan")
    assert [each["id"] for each in plan["remove"]] == [old.id]
    assert plan == answer(daemon, "gc", "--dry-run")
    for options in ([], ["--wait"]):
        done = run(daemon, "gc", *options)
        assert done.returncode == FAILED
        assert "gc.enabled = false" in done.stderr
    assert all(present(engine, old, new))


@pytest.mark.needs("usage")
def test_gc_and_history(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    assert rows(ctl(daemon, "history")) == [
        ["TIME", "IMAGE", "IMAGE ID", "FREED", "REASON", "OUTCOME"]]
    old, new = two_pulled(daemon, engine)
    know_sizes(daemon, engine)
    size, both = taken(engine, old), shown_size(taken(engine, old, new))
    assert ctl(daemon, "gc", "--wait") == f"0 removed, 0 failed, {both} before, {both} after\n"
    assert answer(daemon, "gc", "--wait")["removed"] == 0
    assert ctl(daemon, "gc").startswith("The daemon collects")
    assert answer(daemon, "gc") == {}
    daemon.configure({"gc": {"max_total_size": limit_for(engine, 1.5)}})
    daemon.signal(signal.SIGHUP)
    daemon.wait(lambda: present(engine, old, new) == [False, True], "the collection")
    daemon.fence()
    _, line = rows(ctl(daemon, "history"))
    assert line[1:] == [old.reference, old.id[7:19], shown_size(size), "over-size", "removed"]
    entry, = answer(daemon, "history")["history"]
    assert (entry["id"], entry["bytes"]) == (old.id, size)


def test_b9_track_and_forget(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine)
    app = pulled(engine, "app")
    loaded(engine, "mine:1")
    daemon.fence()
    absent = f"{engine.registry}/later:1"
    title, *lines = rows(ctl(daemon, "track", app.reference, "mine:1", absent))
    assert title == ["IMAGE", "RESULT"]
    assert lines == [[app.reference, "touched"], ["mine:1", "present"], [absent, "tracked"]]
    assert rows(ctl(daemon, "forget", app.reference, "nobody:1"))[1:] == [
        [app.reference, "forgotten"], ["nobody:1", "unknown"]]
    assert not answer(daemon, "explain", app.reference)["managed"]
    assert answer(daemon, "track", "--", app.reference)["images"] == [
        {"reference": app.reference, "result": "tracked"}]
    done = run(daemon, "track", "UPPER CASE")
    assert done.returncode == FAILED
    assert "UPPER CASE" in done.stderr


def test_pause_and_resume(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_total_size": "1.5MB"})
    assert re.fullmatch(r"Collecting is paused until \S+Z \(in 2 hours\)\.\n",
                        ctl(daemon, "pause", "2h"))
    assert "paused until 20" in facts(ctl(daemon, "status"))["State"]
    done = run(daemon, "gc")
    assert done.returncode == FAILED
    assert "paused" in done.stderr
    assert ctl(daemon, "pause") == "Collecting is paused until resumed.\n"
    assert answer(daemon, "pause")["paused_until"] == "forever"
    assert facts(ctl(daemon, "status"))["State"] == "watching, paused until resumed"
    assert ctl(daemon, "resume") == "Collecting is not paused.\n"
    assert answer(daemon, "resume") == {"paused_until": None}
    for duration in ("soon", "-1h", "2", "0", ""):
        done = run(daemon, "pause", "--", duration)
        assert done.returncode == USAGE
    assert answer(daemon, "status")["paused_until"] is None


def test_json_is_the_daemons_own_body(watch: Watch, engine: Engine) -> None:
    daemon = watch(engine, {"max_total_size": "60GB"})
    two_pulled(daemon, engine)
    for command, path in (("images", "/v1/images"), ("history", "/v1/history"),
                          ("plan", "/v1/plan")):
        assert ctl(daemon, command, "--json") == daemon.control.call("GET", path).body.decode()


# Terminals

def test_tables_fit_the_terminal(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_total_size": "60GB"})
    long = pulled(scripted, "an-organisation/with-a-long-name/and-a-deep/path-to-the-image",
                  tag="2026.11.24-0123456789abcdef")
    daemon.fence()
    assert long.reference in ctl(daemon, "images")
    for columns in (120, 80, 50):
        for command in ("images", "plan"):
            *_, line = shown_on_terminal(daemon, columns, command, NO_COLOR="1").splitlines()
            assert len(line) <= columns
            assert "…" in line and "def " in line
            assert "\033" not in line
    assert "\033[1m" in shown_on_terminal(daemon, 80, "images")
    assert "\033" not in shown_on_terminal(daemon, 80, "images", TERM="dumb")


def test_nothing_reaches_a_terminal_that_it_would_act_on(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE).start()
    made.wait_status("Waiting")
    done = run(made, "explain", "\033[2Jx\u202e")
    assert done.returncode == FAILED
    assert "\033" not in done.stderr and "\u202e" not in done.stderr
    made.kill()
    with listening(made.directory / "run/dockergcd/control.sock") as server:
        body = b'{"paused_until":"forever","\\u001b":"\x1b[2J"}'
        with terminal(made, 80, "--json", "pause") as (process, read):
            reply(server, body)
            text = read()
            assert process.wait(10) in (0, FAILED)
        assert "\033" not in text


def test_gc_wait_shows_that_it_goes_on(watch: Watch, scripted: ScriptedEngine) -> None:
    daemon = watch(scripted, {"max_total_size": "60GB"})
    two_pulled(daemon, scripted)
    scripted.script("GET", "/system/df", faults.delay(2), times=1)
    text = shown_on_terminal(daemon, 80, "gc", "--wait", NO_COLOR="1")
    assert "collecting: 2 images, 2MB" in text
    assert text.endswith("\r\033[K0 removed, 0 failed, 2MB before, 2MB after\n")


# Without a daemon, or with one that is out of its mind

@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(15)
        server.bind(str(path))
        server.listen()
        yield server


def reply(server: socket.socket, body: bytes, status: bytes = b"200 OK") -> None:
    """Answers one request."""
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
                           + body)


def ask_liar(daemon: Daemon, body: bytes, *arguments: str, status: bytes = b"200 OK") -> Done:
    """Runs it with somebody else at the daemon's socket, who answers so."""
    with listening(daemon.directory / "run/dockergcd/control.sock") as server:
        process = subprocess.Popen([*OWN_DEATH, CTL, *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=daemon.environment, cwd="/")
        reply(server, body, status)
        out, error = process.communicate(timeout=15)
        return Done(process.args, process.returncode, out, error)


def test_no_daemon(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE)
    path = made.directory / "run/dockergcd/control.sock"
    hint = "is dockergcd running? systemctl "

    def complaint(*arguments: str, **environment: str) -> str:
        done = run(made, *arguments, "status", **environment)
        assert (done.returncode, done.stdout) == (UNAVAILABLE, "")
        return done.stderr

    assert complaint().startswith(f"dockergcctl: no daemon at {path}")
    assert hint in complaint()
    assert complaint("--socket", "/nonexistent/x") == (
        f"dockergcctl: no daemon at /nonexistent/x: {hint}--user status dockergcd\n")
    assert "no daemon at /nonexistent/control.sock" in complaint(RUNTIME_DIRECTORY="/nonexistent")
    with listening(path):
        pass
    assert complaint("--json").startswith(f"dockergcctl: no daemon at {path}")


def test_the_socket_is_found_where_the_daemon_puts_it(daemon: MakeDaemon) -> None:
    elsewhere = daemon(NOWHERE, environment={"RUNTIME_DIRECTORY": ""})
    place = elsewhere.directory / "run/of-the-service"
    elsewhere.environment["RUNTIME_DIRECTORY"] = str(place)
    elsewhere.start().wait_status("Waiting")
    elsewhere.wait((place / "control.sock").exists, "its socket")
    assert "waiting" in ctl(elsewhere, "status")
    assert run(elsewhere, "status", RUNTIME_DIRECTORY="").returncode == UNAVAILABLE
    assert run(elsewhere, "--socket", str(place / "control.sock"), "status",
               RUNTIME_DIRECTORY="").returncode == 0


def test_the_socket_of_the_configuration_is_found(daemon: MakeDaemon) -> None:
    """Before the usual place; a configuration that is wrong is the daemon's to complain of."""
    made = daemon(NOWHERE)
    socket_path = made.directory / "run/elsewhere.sock"
    made.configure({"control": {"socket": str(socket_path)}})
    made.start().wait_status("Waiting")
    made.wait(socket_path.exists, "its socket")
    assert "waiting" in ctl(made, "status")
    made.config_path.write_text("control: {")
    done = run(made, "status")
    assert (done.returncode, done.stdout) == (UNAVAILABLE, "")
    assert f"no daemon at {made.directory}/run/dockergcd/control.sock" in done.stderr


@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b"{", b"garbage", b"\xff\xfe", b'{"a":1}\0', b"[" * 1000,
], ids=repr)
def test_answers_that_are_no_json(daemon: MakeDaemon, body: bytes) -> None:
    made = daemon(NOWHERE)
    for options in ([], ["--json"]):
        done = ask_liar(made, body, "images", *options)
        assert (done.returncode, done.stdout) == (FAILED, "")
        assert done.stderr.startswith("dockergcctl: the daemon's answer: ")


@pytest.mark.parametrize("command", [
    ["status"], ["images"], ["plan"], ["history"], ["explain", "x"], ["track", "x"], ["pause"],
    ["gc", "--wait"], ["gc"],
], ids=" ".join)
@pytest.mark.parametrize("content", [
    {},
    {"images": 5, "remove": {}, "keep": None, "history": "x", "id": 1, "paused_until": []},
    {"images": [None, 1, "x", [], {}, {"id": 1, "references": [0, None, "@", ":", "\u001b[2J"],
                                      "last_used": "never", "size": -1, "verdict": {}}],
     "remove": [None, {"id": ""}], "keep": [3], "history": [[], {"time": 9}], "id": "",
     "limits": 3, "engine": [], "last_collection": {"time": 1}, "errors": [1, "\u009bx"],
     "paused_until": "z", "unobserved": 2**63 - 1, "usage": 1e99, "state": "\u202e"},
], ids=["empty", "wrong", "worse"])
def test_members_that_are_missing_or_wrong(daemon: MakeDaemon, command: list[str],
                                           content: Any) -> None:
    done = ask_liar(daemon(NOWHERE), json.dumps(content).encode(), *command)
    assert done.returncode in (0, FAILED)
    assert done.returncode == 0 or done.stderr.startswith("dockergcctl: the daemon's answer: ")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout + done.stderr)


def test_errors_are_told_by_their_message(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE)
    done = ask_liar(made, b'{"message":"no, \\u001b[2J\\nthanks"}', "gc", status=b"409 Conflict")
    assert (done.returncode, done.stderr) == (
        FAILED, "dockergcctl: no, \\x1b[2J\\x0athanks\n")
    for body in (b"", b"plain", b'{"message":5}'):
        done = ask_liar(made, body, "status", status=b"500 Oops")
        assert (done.returncode, done.stdout) == (FAILED, "")
        assert "HTTP status 500" in done.stderr


def test_an_endless_body_ends_at_64_mib(daemon: MakeDaemon) -> None:
    done = ask_liar(daemon(NOWHERE), b" " * ((64 << 20) + 1), "status")
    assert done.returncode == FAILED
    assert "more than 67108864 bytes" in done.stderr


def test_a_daemon_that_hangs_is_given_up(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE).start()
    made.wait_status("Waiting")
    made.signal(signal.SIGSTOP)
    done = run(made, "status", timeout=15)
    assert done.returncode == FAILED
    assert "no answer in time" in done.stderr


# The command line

@pytest.mark.parametrize("arguments", [
    [], ["nope"], ["status", "x"], ["images", "x"], ["track"], ["forget"], ["explain"],
    ["explain", "a", "b"], ["explain", ""], ["pause", "1h", "2h"], ["pause", "soon"],
    ["status", "--wait"], ["plan", "--dry-run"], ["--nope"], ["--socket"], ["--socket", "", "plan"],
], ids=" ".join)
def test_wrong_usage(daemon: MakeDaemon, arguments: list[str]) -> None:
    done = run(daemon(NOWHERE), *arguments)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr.startswith("dockergcctl: ")
    assert done.stderr.endswith("Try 'dockergcctl --help'.\n")


def test_help_and_version(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE)
    shown = ctl(made, "--help")
    assert shown == ctl(made, "-h")
    for command in ("status", "images", "plan", "gc [--dry-run] [--wait]", "track REF...",
                    "forget REF...", "explain REF", "history", "pause [DURATION]", "resume",
                    "metrics"):
        assert re.search(rf"^  {re.escape(command)}  +\w", shown, re.MULTILINE)
    assert max(map(len, shown.splitlines())) <= 80
    assert ctl(made, "--version") == ctl(made, "-V")
    assert ctl(made, "-V").split()[1] == made.run("--version").stdout.split()[1]


# docker's plugin

@pytest.fixture
def plugin(daemon: MakeDaemon) -> Callable[[Daemon], Path]:
    """Installs it for the docker CLI of the daemon's environment."""
    def install(made: Daemon) -> Path:
        link = made.directory / "home/.docker/cli-plugins/docker-gc"
        link.parent.mkdir(parents=True)
        link.symlink_to(CTL)
        return link

    return install


def test_docker_plugin_metadata(daemon: MakeDaemon, plugin: Callable[[Daemon], Path]) -> None:
    made = daemon(NOWHERE)
    done = run(made, "docker-cli-plugin-metadata", program=plugin(made))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "SchemaVersion": "0.1.0", "Vendor": "dockergcd",
        "Version": ctl(made, "--version").split()[1],
        "ShortDescription": "Remove unused images, least recently used first"}


def test_docker_gc(watch: Watch, scripted: ScriptedEngine,
                   plugin: Callable[[Daemon], Path]) -> None:
    daemon = watch(scripted, {"max_total_size": "60GB"})
    two_pulled(daemon, scripted)
    link = plugin(daemon)

    def docker(*arguments: str) -> Done:
        # Which engine docker would talk to is nothing to the plugin.
        return run(daemon, *arguments, program="/usr/bin/docker", DOCKER_HOST=NOWHERE)

    assert "Remove unused images, least recently used first" in docker("--help").stdout
    for arguments in (["gc", "plan"], ["--debug", "gc", "plan"], ["-l", "info", "gc", "plan"]):
        done = docker(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout.startswith("Removes 0 of 2 images")
    assert len(json.loads(docker("gc", "--json", "images").stdout)["images"]) == 2
    assert docker("gc", "gc", "--wait").returncode == 0
    for done in (docker("gc", "--help"), docker("help", "gc")):
        assert done.returncode == 0
        assert done.stdout.startswith("Usage: docker gc ")
    assert run(daemon, "plan", program=link).stdout.startswith("Removes 0 of 2 images")
    for arguments in (["gc"], ["gc", "nope"], ["gc", "explain"], ["gc", "--nope"]):
        done = docker(*arguments)
        assert done.returncode == USAGE
        assert "Try 'docker gc --help'." in done.stderr
    # The daemon has an engine of its own.
    done = docker("--context", "default", "gc", "plan")
    assert (done.returncode, done.stdout) == (USAGE, "")
    daemon.stop()
    done = docker("gc", "plan")
    assert done.returncode == UNAVAILABLE
    assert done.stderr.startswith("docker gc: no daemon at ")
