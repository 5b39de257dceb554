"""Progress on a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from pod.cli.progress import Bars, Lines, progress_for
from pod.image.progress import Progress, Silence

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
FIRST, SECOND = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32


def act(progress: Progress) -> None:
    """A pull of two layers of which one is here; the other is met twice and begun twice."""
    progress.message("Trying to pull localhost:5000/x:latest...")
    progress.begin()
    progress.already_exists(SECOND)
    progress.layer_known(FIRST, 1000)
    progress.layer_known(FIRST, 1000)
    progress.advance(FIRST, 600)
    progress.advance(FIRST, -600)
    progress.message("trying again [red]\x1b[2J")
    progress.advance(FIRST, 1000)
    progress.done(FIRST)
    progress.finish()


def test_plain_lines(capfd: pytest.CaptureFixture[str]) -> None:
    act(Lines())
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "Trying to pull localhost:5000/x:latest...\n"
        "Getting image source signatures\n"
        f"Copying blob {SECOND} skipped: already exists\n"
        f"Copying blob {FIRST}\n"
        "trying again [red]\\x1b[2J\n"
    )


def test_silence(capfd: pytest.CaptureFixture[str]) -> None:
    act(progress_for(quiet=True))
    assert capfd.readouterr() == ("", "")
    assert isinstance(progress_for(quiet=True), Silence)
    assert isinstance(progress_for(), Lines)


BARS = """
import sys, threading
sys.path[:0] = [{root!r}, {here!r}]
from pod.cli.progress import Bars, progress_for
from test_progress import act, FIRST
progress = progress_for()
assert isinstance(progress, Bars), progress
act(progress)
assert threading.active_count() == 1, "a thread is left, and the next step forks"
print("result")
"""


@pytest.fixture
def on_terminal() -> Callable[..., tuple[int, str]]:
    """Runs Python code with a terminal as its standard error and returns what was drawn."""

    def run(code: str, **environment: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "100", **environment},
        ) as process:
            os.close(theirs)
            drawn = b""
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # EIO: the last descriptor of the other side is closed
                    break
                if not part:
                    break
                drawn += part
            output = process.stdout.read() if process.stdout else b""
            status = process.wait(60)
        os.close(ours)
        assert output in (b"", b"result\n")
        return status, drawn.decode()

    return run


def test_bars_are_drawn_and_leave_no_thread(on_terminal: Callable[..., tuple[int, str]]) -> None:
    code = BARS.format(root=ROOT, here=os.path.dirname(__file__))
    status, drawn = on_terminal(code)
    assert status == 0, drawn
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert "Trying to pull localhost:5000/x:latest..." in plain
    assert "Copying blob cdcdcdcdcdcd skipped: already exists" in plain
    assert "Copying blob abababababab" in plain
    assert "1.0/1.0 kB" in plain
    assert "trying again [red]\\x1b[2J" in plain
    assert "\x1b[2J" not in drawn


def test_no_colour_when_the_person_wants_none(on_terminal: Callable[..., tuple[int, str]]) -> None:
    code = BARS.format(root=ROOT, here=os.path.dirname(__file__))
    _, drawn = on_terminal(code, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", drawn)


def test_dumb_terminal_gets_lines(on_terminal: Callable[..., tuple[int, str]]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {ROOT!r})\n"
        "from pod.cli.progress import Lines, progress_for\nassert isinstance(progress_for(), Lines)"
    )
    assert on_terminal(code, TERM="dumb")[0] == 0


def test_failure_before_anything_moved_leaves_nothing_open() -> None:
    bars = Bars()
    bars.layer_known(FIRST, 1)
    bars.advance(FIRST, 1)
    bars.done(FIRST)
    bars.finish()
    bars.finish()
