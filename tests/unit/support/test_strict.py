"""POD_TEST_STRICT=1 turns skips into failures, except those that another place covers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engine import TREE

SKIPS = """
import pytest

def test_plain():
    pytest.skip("no such tool")

@pytest.mark.needs_kernel("feature of no kernel")
def test_kernel():
    pass

@pytest.mark.not_podman("it has no such command")
def test_podman():
    pass

@pytest.mark.xfail
def test_expected():
    assert False
"""


def run(directory: Path, text: str, *, strict: bool) -> str:
    (directory / "test_it.py").write_text(text)
    probe = "features._PROBES['feature of no kernel'] = lambda: False"
    (directory / "conftest.py").write_text(f"from tests.support import features\n{probe}\n")
    environment = {
        **os.environ,
        "POD": "podman",
        "POD_TEST_STRICT": "1" if strict else "",
        "PYTHONPATH": TREE,
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-q",
    ]
    return subprocess.run(
        [*command, str(directory)], env=environment, capture_output=True, text=True
    ).stdout


def test_skips_are_skips_on_a_persons_machine(tmp_path: Path) -> None:
    assert "3 skipped, 1 xfailed" in run(tmp_path, SKIPS, strict=False)


def test_only_the_unexplained_skip_fails_in_a_strict_run(tmp_path: Path) -> None:
    output = run(tmp_path, SKIPS, strict=True)
    assert "1 failed, 2 skipped, 1 xfailed" in output
    assert "no such tool" in output


@pytest.mark.parametrize("strict", [False, True])
def test_a_skipped_module_fails_in_a_strict_run(tmp_path: Path, strict: bool) -> None:
    output = run(tmp_path, "import pytest\npytest.importorskip('no_such_module')\n", strict=strict)
    assert ("1 error" in output) == strict
