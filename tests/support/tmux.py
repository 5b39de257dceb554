"""A terminal with a screen: tmux shows what a person would see, after all cursor movements, and has real keys.

`Terminal` (terminal.py) has the raw bytes; this has the screen that they make, and a shell around the command.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping

from tests.support.waiting import until

COLUMNS, ROWS = 100, 30
PROMPT = "outside$"
SECONDS = 30  # bounds a failure


class Tmux:
    """A tmux server of its own with one window, in which a shell runs. A context manager that ends all of it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="tmux-")
        self._socket = os.path.join(self._directory.name, "s")
        self._environment = {
            **environment,
            "TERM": "screen",
            "PS1": f"{PROMPT} ",
            "ENV": "/dev/null",
        }
        self._environment.pop("TMUX", None)
        self._count = 0
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, "sh", "-i")
        self.pid = int(self._tmux("display-message", "-p", "#{pid}"))
        self.first = self._tmux("display-message", "-p", "#{pane_id}").strip()
        self.asks()

    def __enter__(self) -> Tmux:
        return self

    def __exit__(self, *_: object) -> None:
        pidfd = os.pidfd_open(self.pid)
        try:
            self._tmux("kill-server")
            import select

            assert select.select([pidfd], [], [], 20)[0], "the tmux server did not end"
        finally:
            os.close(pidfd)
            self._directory.cleanup()

    def split(self) -> str:
        """A second shell below the first; its pane."""
        pane = self._tmux(
            "split-window", "-d", "-P", "-F", "#{pane_id}", "-t", self.first, "sh", "-i"
        ).strip()
        self.asks(pane=pane)
        return pane

    def run(self, *command: str, pane: str | None = None, after: str = "") -> Callable[[int], None]:
        """Have the shell run a command and, when it has ended, the shell text `after`.

        Gives a function that waits until both have ended and checks the command's exit status. All of it is one
        line, since a command that reads the terminal would take a second one for its own.
        """
        self._count += 1
        mark = f"[{self._count}]"
        tail = f"status=$?; {after}; " if after else "status=$?; "
        self.type(
            f"clear; {shlex.join(command)}; {tail}printf '\\n{mark} %s\\n' $status", pane=pane
        )
        return lambda status: self.shows(f"{mark} {status}", pane=pane)

    def type(self, line: str, *, pane: str | None = None) -> None:
        """Type a line and Enter."""
        self._tmux("send-keys", "-t", pane or self.first, "-l", line)
        self.press("Enter", pane=pane)

    def press(self, *keys: str, pane: str | None = None) -> None:
        """Press keys by tmux's names: "C-c", "Enter", "q"."""
        self._tmux("send-keys", "-t", pane or self.first, *keys)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self, pane: str | None = None) -> list[str]:
        """The lines one sees, without empty ones at the end."""
        text = self._tmux("capture-pane", "-p", "-t", pane or self.first)
        return text.rstrip("\n").split("\n")

    def asks(self, prompt: str = PROMPT, *, pane: str | None = None) -> None:
        """Wait until the last line of the screen is `prompt`: what is typed now goes to whoever wrote it."""
        try:
            until(lambda: self.screen(pane)[-1].rstrip().endswith(prompt), "asked", SECONDS)
        except AssertionError:
            raise AssertionError(
                f"'{prompt}' is not the last line:\n" + "\n".join(self.screen(pane))
            ) from None

    def shows(self, text: str, *, pane: str | None = None) -> None:
        """Wait until a line of the screen is `text`, without white space around it and an echoed ^C before it."""
        try:
            until(lambda: text in map(_bare, self.screen(pane)), "shown", SECONDS)
        except AssertionError:
            raise AssertionError(
                f"'{text}' is no line of the screen:\n" + "\n".join(self.screen(pane))
            ) from None

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words],
            env=self._environment,
            cwd=self._environment["HOME"],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, f"tmux {shlex.join(words)}: {done.stderr}"
        return done.stdout


def _bare(line: str) -> str:
    return line.strip().removeprefix("^C").removeprefix("^Z")
