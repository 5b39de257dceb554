"""Exit statuses that pod gives of its own accord, and the translation of a wait status.

Source: podman-run(1), "Exit Status"; the shell's 128+N for a signal, POSIX XCU 2.8.2.
"""

from __future__ import annotations

import os

FAILED = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127
PIPE_CLOSED = 141  # 128 + SIGPIPE: what a reader such as `head` does to every other program


def from_wait_status(status: int) -> int:
    """The exit status that a shell would show for a status from waitpid(2)."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)
