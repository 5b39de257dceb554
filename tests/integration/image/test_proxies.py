"""Registries with TLS behind proxies, which speak plain HTTP or TLS themselves."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Generator
from pathlib import Path

import pytest

from pod.image import failures
from pod.image.connections import Settings
from pod.image.http import HttpClient
from tests.integration.image.faulty import FaultyRegistry
from tests.support.certificates import certificate
from tests.support.listener import Listener

QUICK = Settings(retries=0, connect_seconds=5, idle_seconds=5)
FAR = "https://far.example/v2/"


class Proxy(Listener):
    """Answers CONNECT with `status`, and then passes everything on to `port`, whatever was asked for."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.status = b"200 Connection established"
        self.asked: list[bytes] = []
        self._target, self._context = ("127.0.0.1", port), context
        super().__init__()

    def serve(self, client: socket.socket, number: int) -> None:
        try:
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(1)
            self.asked.append(head)
            client.sendall(b"HTTP/1.1 " + self.status + b"\r\nVia: a test\r\n\r\n")
            if self.status.startswith(b"200"):
                self._pass_on(client)
        except OSError:
            pass  # the client has seen enough
        finally:
            client.close()

    def _pass_on(self, client: socket.socket) -> None:
        """One thread for both ways: what is said here comes by turns."""
        with socket.create_connection(self._target) as server:
            client.settimeout(0.005)
            server.settimeout(0.005)
            while True:
                for source, sink in ((client, server), (server, client)):
                    try:
                        data = source.recv(65536)
                    except TimeoutError:
                        continue
                    if not data:
                        return
                    sink.sendall(data)


@pytest.fixture
def far(tmp_path: Path) -> Generator[FaultyRegistry]:
    """A registry that is called far.example."""
    (tmp_path / "far").mkdir()
    with FaultyRegistry(context=certificate(str(tmp_path / "far"), "DNS:far.example")) as server:
        yield server


@pytest.fixture(params=["http", "https"])
def proxy(
    request: pytest.FixtureRequest,
    far: FaultyRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Generator[Proxy]:
    """Set as HTTPS_PROXY, with a user and a password."""
    context = None
    if request.param == "https":
        (tmp_path / "proxy").mkdir()
        context = certificate(str(tmp_path / "proxy"), "IP:127.0.0.1", subject="proxy")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "proxy" / "cert.pem"))
    started = Proxy(far.port, context)
    monkeypatch.setenv("HTTPS_PROXY", f"{request.param}://me:p%40ss@127.0.0.1:{started.port}")
    yield started
    started.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Trust in far.example."""
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.crt").symlink_to(tmp_path / "far" / "cert.pem")
    return QUICK.replace(cert_dir=str(tmp_path / "certs"))


def get(settings: Settings, url: str = FAR) -> bytes:
    http = HttpClient(settings)
    try:
        answers = [http.request("GET", url, {}, names=("far.example",)).read(100_000)]
        answers.append(http.request("GET", url, {}, names=("far.example",)).read(100_000))
        (answer,) = set(answers)
        return answer
    finally:
        http.close()


def test_tls_goes_through_a_proxy(far: FaultyRegistry, proxy: Proxy, settings: Settings) -> None:
    """One connection for both requests, and the password for the proxy alone."""
    assert get(settings) == b"{}"
    (asked,) = proxy.asked
    assert asked.startswith(b"CONNECT far.example:443 HTTP/1.")
    assert b"\r\nproxy-authorization: basic bwu6cebzcw==\r\n" in asked.lower()
    assert [seen.path for seen in far.requests] == ["/v2/"] * 2
    assert all("Proxy-Authorization" not in seen.headers for seen in far.requests)


def test_much_goes_through_a_proxy(far: FaultyRegistry, proxy: Proxy, settings: Settings) -> None:
    data = bytes(range(256)) * 300
    digest = far.add_blob(data)
    assert get(settings, f"{FAR}me/x/blobs/{digest}") == data


def test_certificates_behind_a_proxy_are_verified(proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(failures.UnknownAuthority, match=r"far\.example"):
        get(QUICK.replace(cert_dir=str(tmp_path / "nothing")))


@pytest.mark.parametrize(
    ("status", "why"),
    [(b"407 Who are you", "407 Who are you"), (b"502 Bad", "502 Bad")],
)
def test_proxy_that_refuses(proxy: Proxy, settings: Settings, status: bytes, why: str) -> None:
    """Its password is not shown."""
    proxy.status = status
    with pytest.raises(failures.ProxyFailed, match=why) as raised:
        get(settings)
    assert "ss@" not in raised.value.message


def test_proxy_that_is_not_trusted(
    far: FaultyRegistry, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proxy").mkdir()
    proxy = Proxy(far.port, certificate(str(tmp_path / "proxy"), "IP:127.0.0.1"))
    monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.port}")
    with pytest.raises(failures.ProxyFailed, match="unknown authority"):
        get(settings)
    proxy.close()


@pytest.mark.parametrize("address", ["http://", "http://:80", "http://h:port"])
def test_proxy_that_is_none(
    settings: Settings, far: FaultyRegistry, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(failures.ProxyFailed, match="no address"):
        get(settings)
