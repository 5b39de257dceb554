"""A web server and git repositories that tests make."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def git(directory: Path, *words: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    done = subprocess.run(
        ["git", *identity, "-C", str(directory), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """What is below /private/ takes the header Authorization that the file `authorization` has."""

    def log_message(self, *_: object) -> None:
        pass

    def send_head(self) -> Any:
        if self.path.startswith("/private/"):
            wanted = (Path(self.directory) / "authorization").read_text()
            if self.headers.get("Authorization") != wanted:
                self.send_error(401)
                return None
        return super().send_head()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """(address, directory) of a web server."""
    root = tmp_path / "site"
    root.mkdir()
    handler = functools.partial(Quiet, directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", root
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def repository(site: tuple[str, Path], tmp_path: Path) -> tuple[str, Path]:
    """(address, worktree) of a git repository with a branch `side` whose `app/` has another Dockerfile."""
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "-q", "-b", "main", ".")
    (source / "Dockerfile").write_text("FROM scratch\n")
    (source / "app").mkdir()
    (source / "out").symlink_to("/etc")
    (source / "app" / "Dockerfile").write_text("FROM one\n")
    git(source, "add", ".")
    git(source, "commit", "-q", "-m", "one")
    git(source, "checkout", "-q", "-b", "side")
    (source / "app" / "Dockerfile").write_text("FROM side\n")
    git(source, "commit", "-q", "-a", "-m", "two")
    git(source, "checkout", "-q", "main")
    address, root = site
    git(tmp_path, "clone", "-q", "--bare", str(source), str(root / "it.git"))
    git(root / "it.git", "update-server-info")
    return f"{address}/it.git", source
