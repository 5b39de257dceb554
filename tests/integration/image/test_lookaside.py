"""Signatures on a web server: a real one, which has them, has not, or fails."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from pod.image.connections import Settings
from pod.image.http import HttpClient
from pod.image.trust import lookaside
from pod.image.trust.lookaside import BadLookaside

DIGEST = "sha256:" + "1" * 64


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/denied/"):
            self.send_error(403)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Generator[str]:
    handler = functools.partial(_Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a reader of too much hangs up
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def read(url: str) -> list[bytes]:
    client = HttpClient(Settings(retries=0))
    try:
        return lookaside.read(url, "team/app", DIGEST, client, insecure=False)
    finally:
        client.close()


def test_signatures_of_a_server(address: str, tmp_path: Path) -> None:
    assert read(f"{address}/store") == []
    for content in (b"one", b"two"):
        lookaside.write_below(str(tmp_path / "store"), "team/app", DIGEST, content)
    assert read(f"{address}/store") == read(f"{address}/store/") == [b"one", b"two"]


def test_a_server_that_refuses_is_no_server_without_signatures(address: str) -> None:
    with pytest.raises(BadLookaside, match="status 403"):
        read(f"{address}/denied")


def test_a_huge_signature_is_not_read(address: str, tmp_path: Path) -> None:
    path = lookaside.write_below(str(tmp_path / "store"), "team/app", DIGEST, b"")
    with open(path, "r+b") as file:
        file.truncate(64 << 20)
    with pytest.raises(BadLookaside, match="more than 4194304 bytes"):
        read(f"{address}/store")
