"""The program on an interpreter whose file belongs to the caller, who is root in his containers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Generator
from dataclasses import replace

import pytest

from tests.support.engine import Engine


@pytest.fixture(scope="module")
def own_interpreter(workspace: str) -> str:
    """A copy of the interpreter that belongs to the user, as in a pyenv or an environment made with --copies."""
    path = os.path.join(workspace, "copied")
    subprocess.run([sys.executable, "-m", "venv", "--copies", "--without-pip", path], check=True)
    return os.path.join(path, "bin", "python3")


@pytest.fixture
def own_pod(pod: Engine, own_interpreter: str) -> Generator[Engine]:
    """The program under test on an interpreter that root of its containers owns."""
    packages = sysconfig.get_path("purelib")
    code = f"import sys; sys.path.insert(0, {packages!r}); from pod.__main__ import main; main()"
    os.chmod(own_interpreter, 0o555)  # the owner can change it all the same
    before = _identity(own_interpreter)
    yield replace(pod, command=[own_interpreter, "-I", "-c", code])
    assert _identity(own_interpreter) == before


def _identity(path: str) -> tuple[int, str]:
    with open(path, "rb") as file:
        return os.stat(path).st_mode, hashlib.sha256(file.read()).hexdigest()
