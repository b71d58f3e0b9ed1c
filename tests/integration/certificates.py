"""Certificates and addresses of the tests' own; openssl makes them, as an administrator would."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def loopback(number: int) -> str:
    """An address of this process's own, on which all ports are free: 127.x.y.NUMBER."""
    return f"127.{os.getpid() >> 8 & 255}.{os.getpid() & 255}.{number}"


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; `ca` is what who trusts it has."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._name = name
        self.ca = folder / "ca.pem"
        self._key = folder / "ca-key.pem"
        _openssl("req", "-x509", *KEY, "-subj", f"/CN={name}", "-days", "2",
                 "-keyout", self._key, "-out", self.ca)

    def issue(self, name: str, *addresses: str, days: int = 2) -> Pair:
        """For an engine at ADDRESSES ("IP:127.0.0.1", "DNS:localhost"), or for a client."""
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}-key.pem")
        request, extensions = (self._folder / f"{name}.{end}" for end in ("csr", "ext"))
        extensions.write_text(
            f"subjectAltName={','.join(addresses)}\nextendedKeyUsage=serverAuth\n" if addresses
            else "extendedKeyUsage=clientAuth\n")
        _openssl("req", *KEY, "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key,
                 "-CAcreateserial", "-days", str(days), "-extfile", extensions,
                 "-out", pair.certificate)
        return pair


def folder_of(folder: Path, authority: Authority, pair: Pair | None = None) -> Path:
    """A folder as DOCKER_CERT_PATH wants it: ca.pem, cert.pem, key.pem."""
    folder.mkdir()
    files = {"ca.pem": authority.ca}
    if pair:
        files |= {"cert.pem": pair.certificate, "key.pem": pair.key}
    for name, source in files.items():
        (folder / name).write_bytes(source.read_bytes())
        (folder / name).chmod(0o600)
    return folder
