"""`pod import`: an image out of a root file system in an archive."""

from __future__ import annotations

import bz2
import gzip
import http.server
import lzma
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.support import images
from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine


@pytest.fixture(scope="module")
def tree() -> bytes:
    """Of busybox, as an archive."""
    with images.image("busybox").open_layer(0) as stream:
        return stream.read()


@pytest.mark.parametrize(
    "pack", [bytes, lambda data: gzip.compress(data, 1), bz2.compress, lambda data: lzma.compress(data, preset=0),
             zstandard.ZstdCompressor().compress],
    ids=["plain", "gzip", "bzip2", "xz", "zstd"],
)  # fmt: skip
def test_compressions(
    pod: Engine, tmp_path: Path, tree: bytes, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "tree"
    path.write_bytes(pack(tree))
    number = pod("import", "-q", str(path), "localhost/made:1").out.removeprefix("sha256:")
    assert pod("inspect", "--format", "{{.Id}}", "localhost/made:1").out == number
    assert (
        pod("run", "--rm", "--network", "none", "localhost/made:1", "/bin/echo", "in").out == "in"
    )
    nothing_wrong(pod)


def test_settings(pod: Engine, tree: bytes) -> None:
    changes = ["CMD [\"/bin/echo\", \"made\"]", "ENV A=b", "ENV C=\"d e\"", "LABEL app=web", "WORKDIR /tmp",
               "EXPOSE 80", "USER 7", "VOLUME /data", "STOPSIGNAL SIGINT"]  # fmt: skip
    words = [word for change in changes for word in ("-c", change)]
    pod("import", "-q", *words, "-m", "by a test", "-", "made", stdin=tree)
    (found,) = pod("image", "inspect", "localhost/made:latest").json()
    config = found["Config"]
    assert config["Cmd"] == ["/bin/echo", "made"]
    assert {"A=b", "C=d e"} <= set(config["Env"])
    assert (config["Labels"], config["WorkingDir"], config["User"]) == ({"app": "web"}, "/tmp", "7")
    assert (set(config["ExposedPorts"]), set(config["Volumes"])) == ({"80/tcp"}, {"/data"})
    assert config["StopSignal"] in ("SIGINT", "2")
    assert found["Comment"] == "by a test" or found["History"][0]["comment"] == "by a test"
    assert pod("run", "--rm", "--network", "none", "made").out == "made"
    assert pod("run", "--rm", "--network", "none", "made", "id", "-u").out == "7"


def test_from_an_address(pod: Engine, tree: bytes) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/tree.tar" else 404)
            self.send_header("Content-Length", str(len(tree)))
            self.end_headers()
            if self.path == "/tree.tar":
                self.wfile.write(tree)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            pod("import", "-q", f"{address}/tree.tar", "localhost/made:1")
            if pod.kind == "pod":  # podman takes the page that says "404" for an archive
                one_error(
                    pod("import", "-q", f"{address}/missing", "localhost/no:1", status=125),
                    hint=None,
                )
        finally:
            server.shutdown()
            thread.join()
    assert (
        pod("run", "--rm", "--network", "none", "localhost/made:1", "/bin/echo", "in").out == "in"
    )


def test_without_a_name(pod: Engine, tree: bytes) -> None:
    number = pod("import", "-q", "-", stdin=tree).out.removeprefix("sha256:")
    assert pod("inspect", "--format", "{{len .RepoTags}}", number).out == "0"
    pod("rmi", number)


def test_platform(pod: Engine, tree: bytes) -> None:
    pod("import", "-q", "--arch", "arm64", "--os", "linux", "-", "localhost/arm:1", stdin=tree)
    form = "{{.Architecture}}/{{.Os}}"
    assert pod("image", "inspect", "--format", form, "localhost/arm:1").out == "arm64/linux"


def test_what_cannot_be_imported(pod: Engine, tmp_path: Path, tree: bytes) -> None:
    before = pod("images", "-q").lines
    text = tmp_path / "text"
    text.write_bytes(b"no archive at all\n" * 1000)
    for words in (
        [str(text), "localhost/x"],
        [f"{tmp_path}/missing", "localhost/x"],
        [f"{tmp_path}", "localhost/x"],
    ):
        one_error(pod("import", "-q", *words, status=125), hint=None)
    for words in (["-c", "RUN x", "-", "localhost/x"], ["-", "Not A Name"]):
        if pod.kind == "pod":  # podman makes the image and fails then
            one_error(pod("import", "-q", *words, stdin=tree, status=125), hint=None)
    assert pod("images", "-q").lines == before
    nothing_wrong(pod)


@pytest.mark.not_podman("it makes an image of what has come")
def test_truncated_archive(pod: Engine, tree: bytes) -> None:
    before = pod("images", "-q").lines
    cut = gzip.compress(tree, 1)[:5000]
    one_error(pod("import", "-q", "-", "localhost/x", stdin=cut, status=125))
    assert pod("images", "-q").lines == before
    nothing_wrong(pod)
