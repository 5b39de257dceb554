"""Certificates that are wrong: each in its own sentence with what to do, for whatever command asks the registry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.image.faulty import FaultyRegistry, small_layer
from tests.support.certificates import certificate
from tests.support.checks import one_error
from tests.support.engine import Engine

CASES = [
    pytest.param("IP:127.0.0.1", "20210101000000Z", True, "its certificate has expired", "clock", id="expired"),
    pytest.param("DNS:other.example", "20990101000000Z", True, "its certificate is for another name",
                 "use a name that the certificate has", id="other name"),
    pytest.param("IP:127.0.0.1", "20990101000000Z", False, "signed by an unknown authority",
                 "certs.d/HOST/ca.crt", id="unknown authority"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "end", "known", "why", "hint"), CASES)
def test_bad_certificate_is_named(
    pod: Engine, tmp_path: Path, name: str, end: str, known: bool, why: str, hint: str
) -> None:
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    with FaultyRegistry(context=certificate(str(tmp_path), name, end)) as server:
        server.add_image("me/x:latest", [small_layer()])
        if known:
            directory = tmp_path / ".config/containers/certs.d" / server.host
            directory.mkdir(parents=True)
            os.symlink(tmp_path / "cert.pem", directory / "ca.crt")
        reference = f"{server.host}/me/x"
        commands = [
            ("pull", "--tls-verify", reference),
            ("login", "--tls-verify", "-u", "a", "-p", "b", server.host),
            ("search", "--tls-verify", f"{server.host}/x"),
            ("run", "--rm", "--tls-verify", reference, "true"),
            ("push", "--tls-verify", "busybox", reference),
        ]
        for command in commands:
            result = pod(*command, env=env, status=125)
            message = one_error(result)
            if pod.kind == "pod":
                assert why in message
                assert server.host in message
                assert hint.replace("HOST", server.host) in result.stderr
                assert "--tls-verify=false" in result.stderr
        pod("pull", "-q", "--tls-verify=false", reference, env=env)


def test_authority_in_certs_d_or_cert_dir_is_trusted(pod: Engine, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    with FaultyRegistry(context=certificate(str(tmp_path), "IP:127.0.0.1")) as server:
        server.add_image("me/x:latest", [small_layer()])
        directory = tmp_path / "certs"
        directory.mkdir()
        os.symlink(tmp_path / "cert.pem", directory / "ca.crt")
        reference = f"{server.host}/me/x"
        pod("pull", "-q", "--tls-verify", "--cert-dir", str(directory), reference, env=env)
        login = ("-u", "a", "-p", "b", server.host)
        pod("login", "--tls-verify", *login, env=env, status=125)
        pod("login", "--tls-verify", "--cert-dir", str(directory), *login, env=env)
