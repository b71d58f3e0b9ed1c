"""The config file and the command line: what is refused, how, and with which exit code."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from daemon import Daemon, Texts
from images import image
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]

NOWHERE = "unix:///nonexistent/docker.sock"

BAD = {
    "unknown key": ("gc: {\n  enabled = true;\n  max_age = \"4w\";\n};\n", 3),
    "unknown group": ("log_level = \"info\";\nimage: { manage = [ ]; };\n", 2),
    "number for a duration": ("gc: {\n  max_unused = 4;\n};\n", 2),
    "number for a size": ("gc: {\n\n  max_total_size = 60000000000;\n};\n", 3),
    "number for a count": ("gc: { max_removals = 3; };\n", 1),
    "number with L": ("gc: { max_total_size = 60000000000L; };\n", 1),
    "string for a boolean": ("gc: {\n  enabled = \"true\";\n};\n", 2),
    "boolean for a string": ("cache_file = true;\n", 1),
    "bad duration": ("gc: {\n  max_unused = \"4 weeks and a bit\";\n};\n", 2),
    "bad size": ("gc: {\n  max_total_size = \"60 gigs\";\n};\n", 2),
    "negative": ("gc: {\n  grace = \"-1h\";\n};\n", 2),
    "overflow": ("gc: {\n  max_total_size = \"99999999999999999999TB\";\n};\n", 2),
    "fractional count": ("gc: {\n  max_removals = \"1.5\";\n};\n", 2),
    "bad level": ("\n\nlog_level = \"loud\";\n", 3),
    "bad origin": ("images: {\n  manage = [ \"pulled\",\n \"stolen\" ];\n};\n", None),
    "origins as a string": ("images: {\n  manage = \"pulled\";\n};\n", 2),
    "group as a value": ("gc = 1;\n", 1),
    "contradiction": ("gc: {\n max_total_size = \"1GB\";\n target_total_size = \"2GB\";\n};\n", 3),
    "syntax": ("gc: {\n  enabled = true;\n  max_unused = = ;\n};\n", 3),
    "unclosed": ("gc: {\n  enabled = true;\n", None),
    "key twice": ("log_level = \"info\";\nlog_level = \"debug\";\n", 2),
}
"""What is wrong: a file, and the line that the message has to name (None: any)."""


@pytest.mark.parametrize("what", BAD)
def test_check_config_names_file_and_line(daemon: MakeDaemon, what: str) -> None:
    text, line = BAD[what]
    made = daemon(NOWHERE)
    made.config_path.write_text(text)
    done = made.run("--check-config")
    errors = Texts.CONFIG_ERROR.findall(done.stdout + done.stderr)
    assert done.returncode == 78
    assert errors, done
    file, number, message = errors[0]
    assert file == str(made.config_path)
    assert line is None or int(number) == line
    assert len(message) > 10


def test_check_config_tells_of_every_mistake(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE)
    made.config_path.write_text(
        'gc: {\n  max_unused = 4;\n  grace = "x";\n  nonsense = true;\n};\n')
    done = made.run("--check-config")
    lines = [int(number) for _, number, _ in
             Texts.CONFIG_ERROR.findall(done.stdout + done.stderr)]
    assert lines == [2, 3, 4]


@pytest.mark.parametrize("what", ["unknown key", "number for a size", "contradiction", "syntax"])
@pytest.mark.parametrize("how", ["--foreground", "--once", "detached"])
def test_b33_nothing_starts_with_a_wrong_config(daemon: MakeDaemon, what: str, how: str) -> None:
    made = daemon(NOWHERE, notify=False)
    made.config_path.write_text(BAD[what][0])
    done = made.run(*([] if how == "detached" else [how]))
    assert done.returncode == 78
    assert Texts.CONFIG_ERROR.search(done.stderr), done.stderr
    assert not made.cache_path.exists()


def test_a_right_config_passes(daemon: MakeDaemon) -> None:
    done = daemon(NOWHERE).run("--check-config")
    assert (done.returncode, Texts.CONFIG_ERROR.findall(done.stdout + done.stderr)) == (0, [])


def test_config_option_reads_that_file_only_and_needs_it(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE)
    made.config_path.write_text("this is wrong")
    other = made.directory / "other.conf"
    missing = made.run("--check-config", "--config", str(other))
    assert missing.returncode == 78
    assert str(other) in missing.stdout + missing.stderr
    other.write_text('gc: { max_unused = "3d"; };\n')
    assert made.run("--check-config", "-c", str(other)).returncode == 0
    assert '"3d"' in made.run("--print-config", "-c", str(other)).stdout


def test_without_a_config_the_defaults_hold(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE)
    made.config_path.unlink()
    printed = made.run("--print-config").stdout
    for default in ('max_unused = "4w"', 'grace = "1h"', "enabled = false", '[ "pulled" ]',
                    'keep_label = "dockergcd.keep"', 'log_level = "info"'):
        assert " ".join(default.split()) in " ".join(printed.split())


def test_print_config_is_a_valid_config_that_prints_itself(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE, {
        "gc": {"max_total_size": "60GB", "target_total_size": "1.5GiB", "max_unused": "1h30m",
               "max_removals": "7", "dry_run": True},
        "images": {"manage": ["pulled", "built"], "keep_label": 'a "quoted" \\ label'},
    })
    first = made.run("--print-config")
    assert first.returncode == 0, first.stderr
    assert "60GB" in first.stdout and "pulled" in first.stdout and "built" in first.stdout
    made.config_path.write_text(first.stdout)
    assert made.run("--check-config").returncode == 0
    assert made.run("--print-config").stdout == first.stdout


RULES = ({"match": "127.0.0.1:*"}, {"match": "localhost/*"},
         {"match": "127.0.0.1:5000/base/*", "keep": True}, {"match": "docker.io/*", "keep": True})


def test_b33_rules_that_take_nothing_are_told(daemon: MakeDaemon,
                                              scripted: ScriptedEngine) -> None:
    """Never used: a warning with its place. No image now: STATUS counts them."""
    made = daemon(scripted, {"images": {"rules": RULES}})
    shadowed = re.compile(rf"^{made.config_path}:3: images.rules: the rule for "
                          r'"127.0.0.1:5000/base/\*" is never used', re.MULTILINE)
    checked = made.run("--check-config")
    assert checked.returncode == 0
    assert shadowed.match(checked.stderr)
    assert len(checked.stderr.splitlines()) == 1
    scripted.client.load(image("app").archive("127.0.0.1:5000/app:1"))
    made.start().wait_watching()
    made.wait_log(r"^warning: /.*is never used")
    made.wait_log(r'^warning: images.rules: the rule that keeps "docker.io/\*" protects no image')
    made.wait(lambda: "; 3 of 4 rules match no image" in made.status, "STATUS counts")
    scripted.client.tag("127.0.0.1:5000/app:1", "localhost/app:1")
    made.wait(lambda: "; 2 of 4 rules match no image" in made.status, "one has found its image")


@pytest.mark.parametrize("arguments", [
    ("--no-such-option",), ("-z",), ("argument",), ("--config",), ("--log-level", "loud"),
    ("--log-level",), ("--once", "extra"),
], ids=" ".join)
def test_wrong_usage_is_exit_2(daemon: MakeDaemon, arguments: tuple[str, ...]) -> None:
    done = daemon(NOWHERE).run(*arguments)
    assert done.returncode == 2
    assert "usage" in done.stderr.lower() or "--help" in done.stderr
    assert done.stdout == ""


def test_help_names_every_option(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE)
    for option in "--help", "-h":
        done = made.run(option)
        assert done.returncode == 0
        for each in ("foreground", "config", "host", "dry-run", "once", "check-config",
                     "print-config", "log-level", "version", "help"):
            assert "--" + each in done.stdout


def test_version(daemon: MakeDaemon) -> None:
    made = daemon(NOWHERE)
    for option in "--version", "-V":
        done = made.run(option)
        assert done.returncode == 0
        assert done.stdout.startswith("dockergcd ")
