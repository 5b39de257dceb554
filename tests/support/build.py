"""Builds for tests: a context on disk, a Dockerfile as text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.support.engine import Engine, Result


class Context:
    """A directory with files, and builds of it."""

    def __init__(self, pod: Engine, directory: Path) -> None:
        self._pod = pod
        self.directory = directory
        directory.mkdir(exist_ok=True)

    def write(self, files: Mapping[str, str]) -> Context:
        """Files by their paths; a path that ends with a slash is a directory."""
        for name, content in files.items():
            path = self.directory / name
            if name.endswith("/"):
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return self

    def build(
        self,
        dockerfile: str,
        *options: str,
        tag: str = "made",
        status: int | None = 0,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Result:
        """`build -t TAG OPTIONS` of this context with that Dockerfile, which stays in the directory."""
        (self.directory / "Dockerfile").write_text(dockerfile)
        words = ("build", *(("-t", tag) if tag else ()), *options, str(self.directory))
        return self._pod(*words, status=status, env=env, timeout=timeout)

    def run(self, *command: str, image: str = "made") -> str:
        """What a command in the image writes."""
        return self._pod("run", "--rm", "--network", "none", image, *command).out


def text_of_all_files(directory: str) -> bytes:
    """Everything that is in the files below a directory, one after the other."""
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                try:
                    found.append(Path(path).read_bytes())
                except (PermissionError, FileNotFoundError):
                    continue
    return b"\n".join(found)
