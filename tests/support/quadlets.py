"""A systemd whose generator is pod's, for quadlets in one directory."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Generator
from dataclasses import dataclass

from tests.support.engine import Engine
from tests.support.systemd import UserManager, user_manager


@dataclass
class Quadlets:
    """Write files, `reload`, and ask `systemd`."""

    systemd: UserManager
    directory: str
    generator: str

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def reload(self) -> None:
        self.systemd.reload()

    def dry_run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.generator, "--dryrun"],
            env=self.systemd.environment,
            capture_output=True,
            text=True,
        )


@contextlib.contextmanager
def quadlets(engine: Engine, directory: str) -> Generator[Quadlets]:
    """Start a systemd; `directory` is its XDG_RUNTIME_DIR, and pod in its units has the root of `engine`."""
    generators = os.path.join(directory, "generators")
    files = os.path.join(directory, "containers", "systemd")
    os.makedirs(generators)
    os.makedirs(files)
    programs = os.path.join(directory, "bin")  # the generator calls the pod beside it
    os.makedirs(programs)
    installed = os.path.join(os.path.dirname(engine.command[0]), "pod-system-generator")
    shutil.copy(installed, programs)
    generator = os.path.join(generators, "pod-user-generator")
    os.symlink("../bin/pod-system-generator", generator)
    with open(os.path.join(programs, "pod"), "w") as file:
        file.write(f'#!/bin/sh\nexec {shlex.join([*engine.command, *engine.options])} "$@"\n')
    os.chmod(os.path.join(programs, "pod"), 0o755)
    more = {"SYSTEMD_GENERATOR_PATH": generators}
    with user_manager(engine, directory, more) as systemd:
        yield Quadlets(systemd, files, generator)
