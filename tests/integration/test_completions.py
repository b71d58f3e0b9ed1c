"""Completions for bash, zsh and fish: each shell on a terminal, or as near to it as it can be."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon import BINARY, OWN_DEATH, Daemon
from engines import Engine
from scenes import loaded, pulled
from test_ctl import CTL, NOWHERE, MakeDaemon, Watch, listening, reply

COMPLETIONS = Path(__file__).resolve().parents[2] / "completions"
WITHIN = 15.0
LEVELS = {"error", "warning", "info", "debug"}
SCHEMES = {"unix://", "tcp://", "http://", "https://"}

ALL, TAB = "\024", "\t"
"""Keys: all completions are put into the line; the one that is left, or what they begin with."""

COMPLAINT = "dockergcctl:"


class Terminal:
    """An interactive shell on a terminal of its own, driven by keys."""

    PROMPT = "READY> "

    def __init__(self, daemon: Daemon, command: list[str], start: str) -> None:
        self._directory = daemon.directory
        self._shown = b""
        pid, self._master = pty.fork()
        if pid == 0:
            os.chdir(daemon.directory)
            os.execvpe(OWN_DEATH[0], [*OWN_DEATH, *command], daemon.environment | {
                "TERM": "dumb", "COLUMNS": "500", "HISTFILE": "/dev/null", "SHELL": command[0]})
        self.pid = pid
        self.type(f"PS1='READ''Y> '; PS2=; {start}\n")
        self._wait(lambda: self.shown.endswith(self.PROMPT), "its prompt")

    def close(self) -> None:
        os.close(self._master)
        os.waitpid(self.pid, 0)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    @property
    def shown(self) -> str:
        return self._shown.decode(errors="replace")

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WITHIN
        while not condition():
            assert time.monotonic() < deadline, f"not within {WITHIN} s: {what}\n{self.shown}"
            if select.select([self._master], [], [], 0.05)[0]:
                self._shown += os.read(self._master, 65536)

    def words(self, line: str, key: str) -> list[str]:
        """The words of the line after a key that completes it: as a command would get them."""
        result = self._directory / "completed"
        result.unlink(missing_ok=True)
        self.type(f"{line}{key}\001printf '%s\\n' \005 >completed.new; "
                  "mv completed.new completed\n")
        self._wait(lambda: result.exists() and self.shown.endswith(self.PROMPT),
                   f"completion of {line!r}")
        return result.read_text().splitlines()


Complete = Callable[[str], list[str]]
Shell = Callable[[Daemon], Complete]
MakeTerminal = Callable[[str, Daemon], Terminal]


def bash(daemon: Daemon) -> Terminal:
    return Terminal(daemon, ["bash", "--norc", "--noprofile", "-i"],
                    "bind 'set enable-bracketed-paste off' 'set bell-style none'; "
                    "bind '\"\\C-t\": insert-completions'; "
                    f"for f in {COMPLETIONS}/*.bash; do . $f; done")


def zsh(daemon: Daemon) -> Terminal:
    dump = daemon.directory / "zcompdump"
    return Terminal(daemon, ["zsh", "-f", "-i"],
                    f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -d {dump}; "
                    "unset zle_bracketed_paste; unsetopt prompt_cr prompt_sp beep; bindkey -e; "
                    "zstyle ':completion:all-matches::::' completer _all_matches _complete; "
                    "zstyle ':completion:all-matches:*' insert true; "
                    "zle -C all-matches complete-word _generic; bindkey '^T' all-matches")


def fish(daemon: Daemon, line: str) -> list[tuple[str, str]]:
    """What it offers, each with its description."""
    done = subprocess.run(
        ["fish", "--no-config", "-c",
         f"for f in {COMPLETIONS}/*.fish; source $f; end; complete -C $argv[1]", line],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=daemon.environment,
        cwd=daemon.directory, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    pairs = [line.partition("\t") for line in done.stdout.splitlines()]
    return [(word, description) for word, _, description in pairs]


@pytest.fixture
def terminal() -> Iterator[MakeTerminal]:
    """Makes a terminal with that shell, which finds our programs on its PATH."""
    terminals: list[Terminal] = []

    def make(name: str, daemon: Daemon) -> Terminal:
        link_programs(daemon)
        terminals.append({"bash": bash, "zsh": zsh}[name](daemon))
        return terminals[-1]

    yield make
    for each in terminals:
        each.close()


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, terminal: MakeTerminal) -> Shell:
    """Makes a function that tells what the last word of a line can become."""
    def make(daemon: Daemon) -> Complete:
        if request.param == "fish":
            link_programs(daemon)
            return lambda line: [word for word, _ in fish(daemon, line)]
        made = terminal(request.param, daemon)

        def complete(line: str) -> list[str]:
            *given, last = line.split(" ")
            words = made.words(line, ALL)
            assert words[:len(given)] == given, words
            assert COMPLAINT not in made.shown
            found = words[len(given):]
            return [] if found in ([], [last]) else found

        return complete

    return make


def link_programs(daemon: Daemon) -> None:
    for program in (BINARY, CTL):
        link = daemon.directory / "bin" / program.name
        if not link.exists():
            link.symlink_to(program)


def help_of(program: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Options and commands of --help, each with its description."""
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    options, commands = {}, {}
    for line in shown.splitlines():
        if found := re.match(r"  +(-.*?)  +(.*)", line):
            options |= dict.fromkeys(re.findall(r"(?<!\S)--?[\w-]+", found[1]), found[2])
        elif found := re.match(r"  (\w+)\S*.*?  +(.*)", line):
            commands[found[1]] = found[2]
    return options, commands


def values(words: list[str]) -> set[str]:
    """Without the option that they are for, which bash puts before the first one alone."""
    return {word.partition("=")[2] or word for word in words}


# What is offered

def test_completion_offers_what_help_tells(daemon: MakeDaemon, shell: Shell) -> None:
    complete = shell(daemon(NOWHERE))
    for program in (CTL, BINARY):
        options, commands = help_of(program)
        assert {"-h", "--help", "--dry-run"} <= options.keys()
        assert set(complete(f"{program.name} -")) == options.keys()
        if commands:
            assert {"status", "gc", "track"} <= commands.keys()
            assert set(complete(f"{program.name} ")) == commands.keys()


def test_completion_knows_what_a_command_takes(daemon: MakeDaemon, shell: Shell) -> None:
    complete = shell(daemon(NOWHERE))
    options, commands = help_of(CTL)
    for_gc = {"-n", "--dry-run", "-w", "--wait"}
    assert set(complete("dockergcctl gc -")) == options.keys()
    for command in commands.keys() - {"gc"}:
        assert set(complete(f"dockergcctl {command} -")) == options.keys() - for_gc
    for command in commands.keys() - {"pause"}:
        assert complete(f"dockergcctl {command} ") == []
    assert set(complete("dockergcctl --socket status ")) == commands.keys()
    assert set(complete("dockergcctl --json pause ")) == {"30m", "1h", "2h", "1d"}
    assert complete("dockergcctl pause 1h ") == []
    assert complete("dockergcctl exp") == ["explain"]
    assert complete("dockergcctl --so")[0].startswith("--socket")


def test_completion_of_values(daemon: MakeDaemon, shell: Shell) -> None:
    complete = shell(daemon(NOWHERE))
    assert set(complete("dockergcd --log-level ")) == LEVELS
    assert values(complete("dockergcd --once --log-level=")) == LEVELS
    assert values(complete("dockergcd --log-level=w")) == {"warning"}
    assert set(complete("dockergcd --host ")) == SCHEMES
    assert set(complete("dockergcd -H u")) == {"unix://"}


def test_completion_of_files(daemon: MakeDaemon, shell: Shell) -> None:
    made = daemon(NOWHERE)
    (made.directory / "some").mkdir()
    (made.directory / "some/file.conf").touch()
    complete = shell(made)
    for line in ("dockergcd -c some/f", "dockergcd --foreground --config some/f",
                 "dockergcd --config=some/f", "dockergcctl --socket some/f",
                 "dockergcctl --socket=some/f"):
        assert values(complete(line)) == {"some/file.conf"}


# Images

def test_completion_of_images(watch: Watch, engine: Engine, shell: Shell) -> None:
    daemon = watch(engine, {"max_total_size": "60GB"})
    app = pulled(engine, "app").reference
    for name in ("alpine:3.20", "alpine:edge", "some/thing:1"):
        loaded(engine, name)
    daemon.fence()
    complete = shell(daemon)
    names = {app, "alpine:3.20", "alpine:edge", "some/thing:1"}
    for command in ("explain", "track", "forget", "--json explain", "track absent:1",
                    "--socket run/dockergcd/control.sock explain",
                    "--socket=run/dockergcd/control.sock explain"):
        assert set(complete(f"dockergcctl {command} ")) == names
    assert set(complete("dockergcctl forget alpine:edge ")) == names - {"alpine:edge"}
    assert complete("dockergcctl track some") == ["some/thing:1"]
    for nothing in ("images", "explain alpine:edge", "explain zzz",
                    "--socket /nonexistent explain"):
        assert complete(f"dockergcctl {nothing} ") == []


@pytest.mark.parametrize("shell_name", ["bash", "zsh"])
def test_completion_of_names_with_colons(watch: Watch, engine: Engine, terminal: MakeTerminal,
                                         shell_name: str) -> None:
    """Bash takes a colon for the beginning of a new word."""
    daemon = watch(engine)
    app = pulled(engine, "app").reference
    for name in ("alpine:3.20", "alpine:3.21", "alpine:edge"):
        loaded(engine, name)
    daemon.fence()
    press = terminal(shell_name, daemon).words
    for begin, end in (("al", "alpine:"), ("alpine:3", "alpine:3.2"),
                       ("alpine:e", "alpine:edge"), ("alpine:edge", "alpine:edge"),
                       (app[:5], app), (app[:-1], app), (app.rpartition(":")[0], app)):
        assert press(f"dockergcctl explain {begin}", TAB)[2:] == [end]


def test_completion_leaves_out_what_is_no_plain_name(daemon: MakeDaemon, shell: Shell) -> None:
    made = daemon(NOWHERE)
    complete = shell(made)
    body = {"images": [{"id": "x", "references": names} for names in (
        [], ["plain:1", "$(touch$IFS'hacked')", "`touch hacked`", "two words", "-n", "",
             "docker.io/library/a/b:1", "docker.io/library/c:1"],
        ["\x1b[2J", ";touch hacked;:1"], ["last:1"])]}
    with listening(made.directory / "run/dockergcd/control.sock") as server:
        thread = threading.Thread(target=reply, args=(server, json.dumps(body).encode()))
        thread.start()
        assert set(complete("dockergcctl explain ")) == {
            "plain:1", "library/a/b:1", "c:1", "last:1"}
        thread.join()
    assert not (made.directory / "hacked").exists()


def test_completion_without_an_answer_is_silent(daemon: MakeDaemon, shell: Shell) -> None:
    made = daemon(NOWHERE)
    complete = shell(made)
    begin = time.monotonic()
    assert complete("dockergcctl explain ") == []
    assert time.monotonic() - begin < 5
    with listening(made.directory / "run/dockergcd/control.sock"):
        begin = time.monotonic()
        assert complete("dockergcctl explain ") == []
        assert 0.9 < time.monotonic() - begin < 5
    made.start().wait_status("Waiting")
    assert complete("dockergcctl explain ") == []


# The files

@pytest.mark.parametrize("program", [CTL, BINARY], ids=["dockergcctl", "dockergcd"])
def test_completion_describes_as_help_does(daemon: MakeDaemon, program: Path) -> None:
    options, commands = help_of(program)
    offered = fish(daemon(NOWHERE), f"{program.name} -")
    offered += fish(daemon(NOWHERE), f"{program.name} ") if commands else []
    assert dict(offered) == options | commands
    text = (COMPLETIONS / f"_{program.name}").read_text().replace("\\:", ":")
    assert [each for each in (options | commands).values() if each not in text] == []


@pytest.mark.parametrize("command", [
    ["bash", "-n", "*.bash"], ["shellcheck", "*.bash"], ["zsh", "-n", "_*"],
    ["fish", "-n", "*.fish"],
], ids=" ".join)
def test_completion_files_are_well_formed(command: list[str]) -> None:
    *program, pattern = command
    files = sorted(COMPLETIONS.glob(pattern))
    assert len(files) == 2
    for file in files:
        done = subprocess.run([*program, file], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
