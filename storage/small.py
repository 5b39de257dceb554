"""Take a container's directory away: at once when there is little in it, behind the command's back otherwise."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from storage.staging import Staging

_MOST_ENTRIES = 200


def remove_container(staging: Staging, directory: str) -> None:
    """Remove `directory` and what is in it; one that is not there is no error. What is large goes to the trash."""
    for left in ("work", "work/incompat", "work/incompat/volatile", "index"):
        try:
            # The kernel leaves these with no permissions at all; the mark is that of the option "volatile".
            os.chmod(f"{directory}/work/{left}", 0o700)
        except OSError:
            continue
    budget = [_MOST_ENTRIES]
    try:
        _remove(directory, budget)
    except FileNotFoundError:
        return
    except OSError:  # too much, or files with subordinate owners
        staging.discard(directory)
        staging.empty_trash_behind()


class _TooMuchError(OSError):
    """More entries than a command should wait for."""


def _remove(directory: str, budget: list[int]) -> None:
    with os.scandir(directory) as entries:
        for entry in list(entries):
            budget[0] -= 1
            if budget[0] < 0:
                raise _TooMuchError
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path, budget)
            else:
                os.unlink(entry.path)
    os.rmdir(directory)
