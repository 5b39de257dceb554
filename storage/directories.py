"""Directories that only the caller may enter: layers hold set-id files, which nobody else on the machine may run."""

from __future__ import annotations

import os


def make_private(path: str) -> None:
    """Make a directory with mode 0700, and those above it that are missing; one that is there stays as it is."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:
        make_private(os.path.dirname(path))
        make_private(path)


def names(path: str) -> list[str]:
    """The entries of a directory; none when it is not there."""
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
