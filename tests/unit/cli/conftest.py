"""pod's command line as a program, and as a function."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
PROGRAM = "import sys; from pod.cli.main import main; sys.exit(main(sys.argv[1:]))"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def program() -> Run:
    """Runs pod's command line as a process of its own, without pod's other parts in the way."""

    def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": "/", "COLUMNS": "80"}
        environment.update(options.pop("env", {}))  # type: ignore[call-overload]
        settings: dict[str, object] = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "cwd": ROOT,
            "env": environment,
            "timeout": 60,
        }
        settings.update(options)
        return subprocess.run([sys.executable, "-c", PROGRAM, *words], **settings)  # type: ignore[call-overload]

    return run
