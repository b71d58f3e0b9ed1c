"""Who may try what, and what comes of it: the threat model in HACKING.md, a test for each line.

What is malformed is in test_answers, test_damage and test_control_fuzz; here everything is well
formed and means harm.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import faults
from daemon import NOBODY, Daemon
from scenes import present, pulled
from scripted_engine import ScriptedEngine
from test_control_fuzz import ROUTES, answers, free_port, tcp
from test_ctl import NOWHERE, run

MakeDaemon = Callable[..., Daemon]
Watch = Callable[..., Daemon]

HARMLESS = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e"
                      r"\u2060-\u206f\ufeff]*")
"""What a terminal shows, line by line."""

HOSTILE: dict[str, str] = {
    "ansi": "evil\x1b[2J\x1b]0;owned\x07:1",
    "newline": "evil\n<3>error: disk on fire\nMAINPID=1\n:1",
    "c1": "evil\x9b31m:1",
    "bidi": "evil\u202egnp.exe:1",
    "format": "%s%n%99999999d%x:1",
    "path": "../../containers/prune",
    "query": "app?force=true&noprune=0",
    "fragment": "app:1#x",
    "percent": "app%2f..%2f..%2fcontainers%2fprune:1",
    "space": "app :1\r\nDELETE /containers/x HTTP/1.1\r\n\r\n",
    "long": "a" * 65_536 + ":1",
    "long-path": "/".join(["a" * 100] * 600) + ":1",
    "shell": "$(touch /tmp/dockergcd-was-here);`id`:1",
    "option": "--force",
}

OTHER = "sha256:" + "e1" * 32


def mixed_in(engine: ScriptedEngine, path: str, more: Any) -> None:
    """The engine's answer is changed by MORE, as often as it is asked."""
    def fault(exchange: faults.Exchange) -> None:
        response = exchange.handle()
        assert isinstance(response.body, bytes)
        if response.status == 200:
            body = json.dumps(more(json.loads(response.body))).encode()
            response = dataclasses.replace(response, body=body)
        exchange.wire.send(response)
    engine.script("GET", path, fault)


def summary(name: str, **more: Any) -> dict[str, Any]:
    return {"Id": OTHER, "ParentId": "", "RepoTags": [name], "RepoDigests": [], "Created": 1,
            "Size": 10**6, "SharedSize": -1, "VirtualSize": 10**6, "Labels": {},
            "Containers": -1} | more


def check_shown(made: Daemon) -> None:
    """Whatever people see of it is text, and no line of it is anybody else's."""
    shown = made.log_path.read_bytes().decode()
    assert HARMLESS.fullmatch(shown), ascii(shown[-4000:])
    assert not re.search(r"^<3>", shown, re.MULTILINE), shown[-4000:]
    assert made.notify
    for message in made.notify.messages:
        assert message.keys() <= {"READY", "STATUS", "STOPPING"}, message
        assert HARMLESS.fullmatch(message.get("STATUS", ""))
    for arguments in (["status"], ["images"], ["plan"], ["explain", OTHER], ["history"]):
        done = run(made, *arguments)
        assert HARMLESS.fullmatch(done.stdout + done.stderr), (arguments, ascii(done.stdout))


def check_asked(engine: ScriptedEngine) -> None:
    """Nothing was asked of the engine but what we ask, whatever was to be asked about."""
    for request in engine.requests():
        assert re.fullmatch(
            r"GET (/_ping|/version|/info|/events|/system/df|/images/json|/containers/json"
            r"|/images/[^?#]+/(json|history)|/containers/[0-9a-f]{64}/json)"
            r"|DELETE /images/(sha256:[0-9a-f]{64}|[a-z0-9._:/-]+)",
            f"{request.method} {request.path}"), request
        assert not request.flag("force") and ".." not in request.path


def is_gone(engine: ScriptedEngine, *images: Any) -> bool:
    return not any(present(engine, *images))


# The engine

@pytest.mark.parametrize("name", HOSTILE)
def test_an_image_whose_name_means_harm(watch: Watch, scripted: ScriptedEngine,
                                        name: str) -> None:
    mixed_in(scripted, "/images/json", lambda images: [*images, summary(HOSTILE[name])])
    made = watch(scripted, {"max_total_size": "1"})
    image = pulled(scripted, "app")
    made.wait(lambda: is_gone(scripted, image), "the honest one's removal")
    made.fence()
    check_shown(made)
    check_asked(scripted)


@pytest.mark.parametrize("name", HOSTILE)
def test_an_event_of_a_name_that_means_harm(watch: Watch, scripted: ScriptedEngine,
                                            name: str) -> None:
    made = watch(scripted, {"max_total_size": "1"})
    hostile = HOSTILE[name]
    for action in ("pull", "tag", "load", "untag", "delete"):
        scripted.log.publish("image", action, hostile, {"name": hostile})
        scripted.log.publish("image", action, hostile, {"name": "app:1"})
    for action in ("create", "start", "die", "destroy"):
        scripted.log.publish("container", action, hostile, {"image": hostile, "name": hostile})
        scripted.log.publish("container", action, "c" * 64, {"image": hostile, "name": hostile})
    image = pulled(scripted, "app")
    made.wait(lambda: is_gone(scripted, image), "the honest one's removal")
    made.fence()
    check_shown(made)
    check_asked(scripted)
    made.stop()  # whatever it still has is a leak


@pytest.mark.parametrize("action", ["create", "start", "die", "destroy"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_container_of_a_name_that_means_harm(watch: Watch, scripted: ScriptedEngine,
                                               name: str, action: str) -> None:
    """Nobody is asked about it, also when there is nothing else to do."""
    made = watch(scripted)
    image = pulled(scripted, "app")
    made.fence()
    scripted.log.publish("container", action, HOSTILE[name], {"image": image.reference})
    made.fence()
    check_shown(made)
    check_asked(scripted)


@pytest.mark.parametrize("name", HOSTILE)
def test_an_engine_that_calls_itself_something(daemon: MakeDaemon, scripted: ScriptedEngine,
                                               name: str) -> None:
    """Version, driver and name go to the log, to the status and to dockergcctl."""
    hostile = HOSTILE[name]
    mixed_in(scripted, "/version", lambda version: version | {"Version": hostile})
    mixed_in(scripted, "/info", lambda info: info | {
        "Driver": hostile, "DockerRootDir": "/" + hostile, "Name": hostile, "ID": hostile})
    made = daemon(scripted).start().wait_watching()
    pulled(scripted, "app")
    made.fence()
    check_shown(made)
    check_asked(scripted)


@pytest.mark.parametrize("status", [404, 409, 500])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_refusal_in_words_that_mean_harm(watch: Watch, scripted: ScriptedEngine, name: str,
                                           status: int) -> None:
    scripted.script("DELETE", "*", faults.reply(status, {"message": HOSTILE[name]}), times=1)
    made = watch(scripted, {"max_total_size": "1"})
    pulled(scripted, "app")
    made.wait(lambda: scripted.requests("DELETE"), "an attempt")
    made.fence()
    check_shown(made)
    check_asked(scripted)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_container_and_labels_that_mean_harm(watch: Watch, scripted: ScriptedEngine,
                                               name: str) -> None:
    """What holds an image is told: a name of somebody's choice."""
    hostile = HOSTILE[name]
    mixed_in(scripted, "/images/json", lambda images: [
        image | {"Labels": {hostile: hostile}} for image in images])
    made = watch(scripted, {"max_total_size": "1"})
    mixed_in(scripted, "/containers/json", lambda containers: [
        container | {"Names": ["/" + hostile], "Image": hostile} for container in containers])
    image = pulled(scripted, "app")
    scripted.client.create(image.reference)
    other = pulled(scripted, "other")
    made.wait(lambda: is_gone(scripted, other), "the other one's removal")
    made.fence()
    assert present(scripted, image) == [True]
    run_explain = run(made, "explain", image.reference)
    assert run_explain.returncode == 0 and HARMLESS.fullmatch(run_explain.stdout)
    check_shown(made)
    check_asked(scripted)


# Files

@pytest.mark.parametrize("name", HOSTILE)
def test_a_cache_file_with_names_that_mean_harm(daemon: MakeDaemon, scripted: ScriptedEngine,
                                                name: str) -> None:
    """Whoever can write it is us; still, what is in it is only ever shown, or matched."""
    made = daemon(scripted, {"gc": {"max_total_size": "1", "grace": "1h"}})
    made.start().wait_watching()
    image = pulled(scripted, "app")
    made.fence()
    content = json.loads(json.dumps(made.stop().content))
    for entry in content["images"]:
        entry["references"] = [HOSTILE[name]]
    content["tracked"] = [HOSTILE[name]]
    content["engine"] = HOSTILE[name]
    content.pop("checksum", None)
    made.cache_path.write_text(json.dumps(content))
    made.start().wait_watching()
    made.fence()
    assert present(scripted, image) == [True], "within grace"
    check_shown(made)
    check_asked(scripted)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_configuration_with_words_that_mean_harm(daemon: MakeDaemon, name: str) -> None:
    """As in one that was copied from the net: what is wrong with it is said in plain text."""
    made = daemon(NOWHERE)
    for text in (f'gc = {{ interval = "{HOSTILE[name]}"; }};\n',
                 f'images = {{ keep = [ "{HOSTILE[name]}" ]; }};\nunknown = 1;\n',
                 f"{HOSTILE[name]} = 1;\n"):
        made.config_path.write_text(text)
        done = made.run("--check-config")
        assert HARMLESS.fullmatch(done.stdout + done.stderr), ascii(done.stderr)
        assert done.returncode == 78
        assert all(line.startswith(f"{made.config_path}:") for line in done.stderr.splitlines())


@pytest.mark.parametrize("name", HOSTILE)
def test_arguments_that_mean_harm(daemon: MakeDaemon, name: str) -> None:
    made = daemon(NOWHERE)
    for arguments in ([f"--log-level={HOSTILE[name]}"], [f"--host={HOSTILE[name]}", "--once"],
                      [f"--config={HOSTILE[name]}", "--check-config"]):
        done = made.run(*arguments)
        assert done.returncode in (2, 69, 78), (arguments, done)
        assert HARMLESS.fullmatch(done.stdout + done.stderr), ascii(done.stderr)


# Clients and neighbours

def test_the_control_socket_is_its_users_alone(daemon: MakeDaemon,
                                               scripted: ScriptedEngine) -> None:
    made = daemon(scripted)
    made.start().wait_watching()
    path = made.directory / "run/dockergcd/control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for each in (path.parent, *path.parents[1:4]):
        each.chmod(0o755)  # even where the folders let everybody in
    done = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", "curl",
         "--silent", "--show-error", "--unix-socket", path, "http://d/v1/status"],
        capture_output=True, text=True, check=False)
    assert done.returncode == 7 and "connect" in done.stderr, done
    assert made.control.call("GET", "/v1/status").status == 200


def test_what_is_in_the_place_of_the_control_socket_stays(daemon: MakeDaemon,
                                                          scripted: ScriptedEngine) -> None:
    """A file, or what a link leads to: neither is removed, and the daemon does its work."""
    made = daemon(scripted)
    precious = made.directory / "precious"
    precious.write_text("mine")
    place = made.directory / "run/dockergcd/control.sock"
    place.parent.mkdir(mode=0o700)
    for put in (place.symlink_to, lambda target: place.write_text("also mine")):
        put(precious)
        made.start().wait_watching()
        made.wait_log("^error: no control socket: .*control.sock: Address already in use$")
        pulled(scripted, f"app-{place.is_symlink()}".lower())
        made.fence()
        made.stop()
        assert precious.read_text() == "mine" and os.path.lexists(place)
        place.unlink()


def test_over_tcp_there_is_nothing_but_metrics(daemon: MakeDaemon,
                                               scripted: ScriptedEngine) -> None:
    """Whoever can connect to the port, a web page in a browser as well."""
    port = free_port()
    made = daemon(scripted, {"control": {"metrics_listen": f"127.0.0.1:{port}"}})
    made.start().wait_watching()
    image = pulled(scripted, "app")
    made.fence()
    for route in ROUTES:
        method, target = route.split(" ")
        data = f"{method} {target} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n"
        [status] = answers(tcp(port, data.encode()))
        assert status == (200 if target == "/metrics" else 404), route
    assert present(scripted, image) == [True]
    assert made.control.call("GET", "/v1/status").json()["paused_until"] is None


def test_without_a_directory_of_its_own_it_listens_nowhere(daemon: MakeDaemon,
                                                           scripted: ScriptedEngine) -> None:
    """In /tmp a neighbour could be there first."""
    made = daemon(scripted)
    made.become_nobody(scripted)
    del made.environment["XDG_RUNTIME_DIR"]
    made.start().wait_watching()
    made.fence()
    targets = [os.readlink(link) for link in Path(f"/proc/{made.pid}/fd").iterdir()]
    sockets = {line.split()[6]: line.split()[7:]
               for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    own = [match[1] for each in targets if (match := re.fullmatch(r"socket:\[(\d+)\]", each))]
    assert own and not any(sockets.get(each) for each in own), "bound to a path"
    assert not any(each.startswith(("/tmp/", "/dev/shm/")) for each in targets)
