"""`import pod`: its public names come when they are asked for, and cost nothing before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pod


@pytest.mark.parametrize("name", dir(pod))
def test_public_name_is_there(name: str) -> None:
    assert callable(getattr(pod, name))


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        pod.nonsense  # noqa: B018


def test_importing_it_imports_nothing_else() -> None:
    script = "import sys; before = set(sys.modules); import pod; print(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['__future__', 'pod']\n"
