"""Which modules a command loads: a new heavy import fails a test here, not a stopwatch.

`tests/data/startup/NAME.txt` lists what the command NAME may load: modules of pod one by one, others by their top-level
name. `pytest --update-golden tests/unit/test_startup.py` rewrites the lists; read the difference.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
DATA = os.path.join(ROOT, "tests/data/startup")
OURS = ("pod", "storage", "netns")

PROGRAM = """
import sys
before = set(sys.modules)
sys.path.insert(0, {root!r})
from pod.cli.main import main
stdout, sys.stdout = sys.stdout, open("/dev/null", "w")
status = main({words!r})
sys.stdout = stdout
print(status, *sorted(set(sys.modules) - before))
"""

# name of the list: the words, and the exit status that they have on an empty machine
CASES: dict[str, tuple[list[str], int]] = {
    "help": (["--help"], 0),
    "version": (["version"], 0),
    "version-format": (["version", "--format", "{{.Client.Version}}"], 0),
    "usage-error": (["version", "--bogus"], 125),
    "unknown-command": (["bogus"], 125),
}

# What none of them loads, whatever the lists say.
FORBIDDEN = {
    "typing",
    "dataclasses",
    "inspect",
    "asyncio",
    "importlib.metadata",
    "logging",
    "click",
}


@pytest.mark.parametrize("name", CASES)
def test_modules_that_a_command_loads(name: str, update_golden: bool) -> None:
    words, expected_status = CASES[name]
    loaded = modules(words, expected_status)
    path = os.path.join(DATA, f"{name}.txt")
    if update_golden:
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{module}\n" for module in sorted(loaded))
    with open(path, encoding="utf-8") as file:
        allowed = set(file.read().split())
    assert sorted(loaded - allowed) == []


@pytest.mark.parametrize("name", CASES)
def test_what_costs_milliseconds_is_not_loaded(name: str) -> None:
    words, expected_status = CASES[name]
    assert sorted(modules(words, expected_status) & FORBIDDEN) == []


@pytest.mark.parametrize(
    "entries",
    ["pod.monitor.main, pod.monitor.starting", "pod.cli.commands.run, pod.engine.run"],
    ids=["monitor", "command"],
)
def test_what_is_loaded_before_a_monitor_is_forked_is_wanted_by_both_sides(entries: str) -> None:
    program = f"""
import sys
sys.path.insert(0, {ROOT!r})
import {entries}
from pod.monitor.prefork import SHARED
print(*(name for name in SHARED if name not in sys.modules))
"""
    result = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout.split() == []


def modules(words: list[str], expected_status: int) -> set[str]:
    """What `pod WORDS` loads beyond what the bare interpreter has."""
    result = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM.format(root=ROOT, words=words)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": "/", "COLUMNS": "80"},
    )
    status, *names = result.stdout.split()
    assert int(status) == expected_status, result.stderr
    return {
        name if name.partition(".")[0] in OURS or name in FORBIDDEN else name.partition(".")[0]
        for name in names
        if not name.startswith("_")  # built into the interpreter, or the C half of a module
    }
