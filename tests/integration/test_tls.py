"""An engine on TCP with mutual TLS: a real dockerd with --tlsverify.

What is wrong with certificates is told in words of which one and why, and is waited for like any
engine that is away.
"""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from certificates import Authority, Pair, folder_of, loopback
from daemon import Daemon
from docker_cli import create_context, docker
from mounts import Mounts
from real_engine import RealEngine
from scenes import pulled
from scripted_engine import ScriptedEngine

MakeDaemon = Callable[..., Daemon]

ADDRESS = loopback(2)
"""What the engine's certificate is for."""
OTHER_ADDRESS = loopback(3)
"""The engine listens there, too."""
NOT_SIGNED = "the engine's certificate is not signed by "
EXPIRED = "the engine's certificate has expired"
WRONG_HOST = "the engine's certificate is not for the host that the address names"
NONE_OF_OURS = "the engine wants a certificate of ours, and there is none: it is engine.tls_cert, "
OURS_REFUSED = "the engine does not accept our certificate {}: has it expired, or is it signed by "


@dataclass(frozen=True)
class Certificates:
    """Who trusts whom."""

    own: Authority
    """The engine trusts it, and is signed by it."""
    foreign: Authority
    engine: Pair
    expired_engine: Pair
    client: Pair
    foreign_client: Pair
    expired_client: Pair


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    own, foreign = Authority(folder / "own", "own"), Authority(folder / "foreign", "foreign")
    return Certificates(
        own, foreign,
        engine=own.issue("engine", f"IP:{ADDRESS}"),
        expired_engine=own.issue("expired-engine", f"IP:{ADDRESS}", days=-1),
        client=own.issue("client"), foreign_client=foreign.issue("client"),
        expired_client=own.issue("expired-client", days=-1))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Path:
    """The folder of the certificate that the engine shows."""
    folder = tmp_path_factory.mktemp("engine")
    show(folder, certificates.engine)
    return folder


@pytest.fixture(scope="module")
def secured(real_name: str, certificates: Certificates, shown: Path) -> Iterator[RealEngine]:
    """An engine that wants TLS of everybody on TCP."""
    engine = RealEngine(
        real_name, hosts=(f"tcp://{ADDRESS}:2376", f"tcp://{OTHER_ADDRESS}:2376"),
        options={"tlsverify": True, "tlscacert": str(certificates.own.ca),
                 "tlscert": str(shown / "cert.pem"), "tlskey": str(shown / "key.pem")})
    yield engine
    engine.close()


def show(folder: Path, pair: Pair) -> None:
    """What the engine shows of itself, from its next start on."""
    shutil.copy(pair.certificate, folder / "cert.pem")
    shutil.copy(pair.key, folder / "key.pem")


def tls_settings(ca: Path | str = "", pair: Pair | None = None) -> dict[str, str]:
    return {"tls_ca": str(ca), "tls_cert": str(pair.certificate if pair else ""),
            "tls_key": str(pair.key if pair else "")}


def right(certificates: Certificates) -> dict[str, str]:
    return tls_settings(certificates.own.ca, certificates.client)


# What works

def by_environment(made: Daemon, certificates: Certificates) -> str:
    folder = folder_of(made.directory / "certs", certificates.own, certificates.client)
    made.environment |= {"DOCKER_HOST": f"tcp://{ADDRESS}", "DOCKER_TLS_VERIFY": "1",
                         "DOCKER_CERT_PATH": str(folder)}
    return "DOCKER_HOST"


def by_docker_folder(made: Daemon, certificates: Certificates) -> str:
    """Without DOCKER_CERT_PATH it is ~/.docker."""
    folder_of(made.directory / "home/.docker", certificates.own, certificates.client)
    made.environment |= {"DOCKER_HOST": f"tcp://{ADDRESS}:2376", "DOCKER_TLS_VERIFY": "yes"}
    return "DOCKER_HOST"


def by_configuration(made: Daemon, certificates: Certificates) -> str:
    made.configure({"engine": {"host": f"tcp://{ADDRESS}"} | right(certificates)})
    return "engine.host"


def by_https(made: Daemon, certificates: Certificates) -> str:
    folder = folder_of(made.directory / "certs", certificates.own, certificates.client)
    made.environment |= {"DOCKER_HOST": f"https://{ADDRESS}", "DOCKER_CERT_PATH": str(folder)}
    return "DOCKER_HOST"


def by_context(made: Daemon, certificates: Certificates) -> str:
    """With its certificates, which the command line has taken into the context's own folder."""
    folder = made.directory / "home/.docker"
    client = certificates.client
    create_context(folder, "far", host=f"tcp://{ADDRESS}:2376", ca=certificates.own.ca,
                   cert=client.certificate, key=client.key)
    docker(folder, "context", "use", "far")
    made.environment["DOCKER_HOST"] = ""
    return 'the docker context "far"'


def by_unverified_context(made: Daemon, certificates: Certificates) -> str:
    """The engine's certificate is nobody's business, ours is the engine's."""
    folder = made.directory / "home/.docker"
    client = certificates.client
    create_context(folder, "unverified", host=f"tcp://{OTHER_ADDRESS}:2376",
                   skip_tls_verify="true", cert=client.certificate, key=client.key)
    made.environment |= {"DOCKER_HOST": "", "DOCKER_CONTEXT": "unverified"}
    return 'the docker context "unverified"'


WAYS = (by_environment, by_docker_folder, by_configuration, by_https, by_context,
        by_unverified_context)


@pytest.mark.parametrize("way", WAYS, ids=[each.__name__ for each in WAYS])
def test_the_whole_job_over_tls(daemon: MakeDaemon, secured: RealEngine,
                                certificates: Certificates, way: Callable[..., str]) -> None:
    """What is pulled is tracked, and removed at its age. Without a port, it is 2376."""
    secured.clear()
    made = daemon(secured, {"gc": {"max_unused": "2s", "interval": "500ms"}})
    source = way(made, certificates)
    made.start().wait_watching()
    url = rf"\w+://{OTHER_ADDRESS if way is by_unverified_context else ADDRESS}:2376"
    assert re.search(rf"^info: engine {url} \(from {re.escape(source)}\)", made.log, re.MULTILINE)
    image = pulled(secured, "app")
    made.wait_log(rf"^info: new image {image.reference} .*: pulled, managed")
    made.wait(lambda: not secured.client.has(image.reference), "its removal")
    made.wait_log(rf"^info: removed {image.reference} .*: unused,")


def test_an_engine_that_restarts_is_watched_again(daemon: MakeDaemon, secured: RealEngine,
                                                  certificates: Certificates) -> None:
    made = daemon(secured, {"engine": right(certificates)}, host=f"tcp://{ADDRESS}")
    made.start().wait_watching()
    secured.stop()
    made.wait_status("Waiting for Docker Engine")
    secured.start()
    made.wait_status("Watching", within=30)


# What is refused, and in which words

@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong, and what is said of it."""

    settings: Callable[[Certificates], dict[str, str]]
    says: Callable[[Certificates], str]
    host: str = f"tcp://{ADDRESS}:2376"


WRONGS = {
    "authority": Wrong(lambda c: tls_settings(c.foreign.ca, c.client),
                       lambda c: f"{NOT_SIGNED}the authority in {c.foreign.ca} ("),
    "system-authorities": Wrong(lambda c: tls_settings("", c.client),
                                lambda c: f"{NOT_SIGNED}an authority that this system trusts: "
                                          "engine.tls_ca, or ca.pem in DOCKER_CERT_PATH, "),
    "host": Wrong(right, lambda c: WRONG_HOST, f"tcp://{OTHER_ADDRESS}:2376"),
    "no-client": Wrong(lambda c: tls_settings(c.own.ca), lambda c: NONE_OF_OURS),
    "foreign-client": Wrong(lambda c: tls_settings(c.own.ca, c.foreign_client),
                            lambda c: OURS_REFUSED.format(c.foreign_client.certificate)),
    "expired-client": Wrong(lambda c: tls_settings(c.own.ca, c.expired_client),
                            lambda c: OURS_REFUSED.format(c.expired_client.certificate)),
    "other-key": Wrong(
        lambda c: tls_settings(c.own.ca, Pair(c.client.certificate, c.foreign_client.key)),
        lambda c: f"{c.foreign_client.key}: not the key of our certificate "
                  f"{c.client.certificate}"),
    "no-key": Wrong(lambda c: right(c) | {"tls_key": ""},
                    lambda c: f"there is no key for our certificate {c.client.certificate}"),
    "no-authority": Wrong(lambda c: right(c) | {"tls_ca": "/etc/passwd"},
                          lambda c: "/etc/passwd: no certificates in PEM format"),
    "no-certificate": Wrong(lambda c: right(c) | {"tls_cert": "/etc/passwd"},
                            lambda c: "/etc/passwd: not a certificate in PEM format"),
    "missing-authority": Wrong(lambda c: right(c) | {"tls_ca": "/nonexistent/ca"},
                               lambda c: "/nonexistent/ca: No such file or directory"),
    "missing-certificate": Wrong(lambda c: right(c) | {"tls_cert": "/nonexistent/cert"},
                                 lambda c: "/nonexistent/cert: No such file or directory"),
    "missing-key": Wrong(lambda c: right(c) | {"tls_key": "/nonexistent/key"},
                         lambda c: "/nonexistent/key: No such file or directory"),
    "plain": Wrong(lambda c: {}, lambda c: "Client sent an HTTP request to an HTTPS server"),
}


@pytest.mark.parametrize("what", WRONGS)
def test_what_is_wrong_is_told(daemon: MakeDaemon, secured: RealEngine,
                               certificates: Certificates, what: str) -> None:
    """`--once` gives up, the daemon waits; STATUS says why."""
    wrong = WRONGS[what]
    made = daemon(secured, {"engine": wrong.settings(certificates)}, host=wrong.host)
    done = made.run("--foreground", "--once")
    assert done.returncode == 69
    assert wrong.says(certificates) in done.stderr
    made.start().wait_log(r"next try in at most \d{4} ms")
    assert wrong.says(certificates) in made.wait_status("Waiting for Docker Engine at ")


def test_tls_where_there_is_none_is_told(
        daemon: MakeDaemon, scripted_engine: Callable[..., ScriptedEngine]) -> None:
    engine = scripted_engine(tcp=True)
    done = daemon(engine, host=engine.tcp_host.replace("tcp:", "https:")).run("--once")
    assert done.returncode == 69
    assert "the engine does not speak TLS at this address (" in done.stderr


def test_verification_needs_an_authority(
        daemon: MakeDaemon, scripted_engine: Callable[..., ScriptedEngine], directory: Path) -> None:
    """As with docker itself: DOCKER_TLS_VERIFY without a ca.pem is no trust in everybody."""
    engine = scripted_engine(tcp=True)
    made = daemon(engine, host=engine.tcp_host, environment={
        "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(directory)})
    done = made.run("--foreground", "--once")
    assert done.returncode == 69
    assert f"{directory}/ca.pem: No such file or directory" in done.stderr


def test_a_context_that_skips_verification_is_asked_by_tls(
        daemon: MakeDaemon, docker_config: Path, secured: RealEngine) -> None:
    """Though it has no certificates: so does docker."""
    create_context(docker_config, "bare", host=f"tcp://{ADDRESS}:2376", skip_tls_verify="true")
    done = daemon(secured, environment={"DOCKER_HOST": "", "DOCKER_CONTEXT": "bare"}).run("--once")
    assert done.returncode == 69
    assert NONE_OF_OURS in done.stderr


# What is mended

def test_an_authority_that_is_mended_is_read_again(daemon: MakeDaemon, secured: RealEngine,
                                                   certificates: Certificates,
                                                   directory: Path) -> None:
    """Without a reload, and not only the next day."""
    ca = directory / "ca.pem"
    shutil.copy(certificates.foreign.ca, ca)
    made = daemon(secured, {"engine": tls_settings(ca, certificates.client)},
                  host=f"tcp://{ADDRESS}").start()
    made.wait_log(re.escape(NOT_SIGNED))
    shutil.copy(certificates.own.ca, ca)
    made.wait_watching()


def test_a_certificate_that_expired_is_told_though_the_engine_was_away(
        daemon: MakeDaemon, secured: RealEngine, shown: Path,
        certificates: Certificates) -> None:
    """The engine restarts, and what it shows now has expired; then it has a new one."""
    made = daemon(secured, {"engine": right(certificates)}, host=f"tcp://{ADDRESS}")
    made.start().wait_watching()
    secured.stop()
    made.wait_log("^warning: no engine at .*, waiting for it: ")
    show(shown, certificates.expired_engine)
    try:
        secured.start()
        made.wait_log(f"^warning: no engine at .*, waiting for it: .*{EXPIRED}", within=40)
        made.wait(lambda: EXPIRED in made.status, "STATUS says so")
        done = made.run("--foreground", "--once", "--dry-run")
        assert (done.returncode, EXPIRED in done.stderr) == (69, True)
        secured.stop()
    finally:
        show(shown, certificates.engine)
        secured.start()
    made.wait_status("Watching", within=40)


# Whom to trust

def test_who_names_an_authority_trusts_no_other(
        daemon: MakeDaemon, secured: RealEngine, certificates: Certificates,
        mounts: Callable[..., Mounts], directory: Path) -> None:
    """Not even those of the system, which hold where none is named."""
    trusted = directory / "trusted"
    trusted.mkdir()
    shutil.copy(certificates.own.ca, trusted / "ca-certificates.crt")
    hashed = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", certificates.own.ca],
                            capture_output=True, text=True, check=True).stdout.strip()
    shutil.copy(certificates.own.ca, trusted / f"{hashed}.0")
    machine = mounts()
    machine.mount("--bind", str(trusted), "/etc/ssl/certs")

    made = daemon(secured, {"engine": tls_settings("", certificates.client)},
                  host=f"https://{ADDRESS}")
    made.front = machine.enter
    made.start().wait_watching()
    made.stop()
    made.configure({"engine": {"tls_ca": certificates.foreign.ca}})
    made.start().wait_log(re.escape(NOT_SIGNED))


# The private key

def test_a_key_that_anybody_can_read_is_told(daemon: MakeDaemon, secured: RealEngine,
                                             certificates: Certificates) -> None:
    """It works all the same, as it does with docker."""
    made = daemon(secured)
    by_environment(made, certificates)
    key = made.directory / "certs/key.pem"
    made.start().wait_watching()
    assert "private key" not in made.log
    made.stop()
    key.chmod(0o644)
    made.start().wait_watching()
    assert f"warning: anybody can read our private key: chmod 600 {key}\n" in made.log


def test_a_key_that_we_may_not_read_is_not_passed_over(
        daemon: MakeDaemon, secured: RealEngine, certificates: Certificates) -> None:
    made = daemon(secured)
    by_environment(made, certificates)
    made.become_nobody(secured)
    key = made.directory / "certs/key.pem"
    shutil.chown(key, 0, 0)
    made.start()
    made.wait_log(f"waiting for it: GET /_ping: {key}: Permission denied")


# No haste

class Handshakes:
    """A TLS server that nobody trusts; counts who comes."""

    def __init__(self, pair: Pair) -> None:
        self.count = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._socket = socket.create_server((ADDRESS, 0))
        self.host = f"https://{ADDRESS}:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.count += 1
            with connection:
                try:
                    self._context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def test_what_is_refused_is_not_tried_in_haste(daemon: MakeDaemon,
                                               certificates: Certificates) -> None:
    """Later and later: a try each for what the log tells, and no other."""
    server = Handshakes(certificates.engine)
    made = daemon(server.host, {"engine": {"tls_ca": certificates.foreign.ca}}).start()
    made.wait_log(r"next try in at most [2-9]\d{3} ms")
    delays = [int(each) for each in re.findall(r"next try in at most (\d+) ms", made.log)]
    made.kill()
    server.close()
    assert delays == sorted(set(delays)) and delays[0] >= 250
    assert server.count == len(delays)
