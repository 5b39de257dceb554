"""The ids that containers with --userns=auto have, in all roots of the caller.

A user has one set of subordinate ids, and each root a database of its own. So the roots in which there are, or were,
such containers are listed in one file of the user's, whose lock is also what keeps two commands from choosing the
same range.
"""

from __future__ import annotations

import os

from pod.base import log, paths
from pod.base.errors import PodError
from pod.base.locks import FileLock
from pod.state import containers
from pod.state.database import Database

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine


class Chosen:
    """A context in which a range is chosen and its container's row made: until then nobody else sees what was taken."""

    def __init__(self, engine: Engine) -> None:
        self._root = os.path.realpath(engine.paths.root)
        self._list = f"{paths.default_root()}-auto-ids"
        self._locks = [FileLock(f"{engine.paths.locks}/userns.lock")]
        if os.geteuid() == 0:
            pass  # who has no such containers
        elif _can_write(os.path.dirname(self._list)):
            self._locks.insert(0, FileLock(self._list))
        else:
            log.debug(
                f"'{self._list}' cannot be written, so that the ids of other roots are not known"
            )

    def __enter__(self) -> Chosen:
        for lock in self._locks:
            lock.acquire()
        if len(self._locks) > 1 and self._root not in _lines(self._list):
            with open(self._list, "a", encoding="utf-8", errors="surrogateescape") as file:
                file.write(f"{self._root}\n")
        return self

    def __exit__(self, *_: object) -> None:
        for lock in reversed(self._locks):
            lock.release()


def used(engine: Engine) -> list[tuple[int, int]]:
    """The ranges (start, count) of all containers with --userns=auto. The caller holds `Chosen`."""
    databases = [engine.database]
    own = os.path.realpath(engine.paths.root)
    for root in _lines(f"{paths.default_root()}-auto-ids"):
        path = paths.Paths(root, "").database
        if root != own and os.path.exists(path):
            databases.append(Database(path))
    found = []
    for database in databases:
        try:
            found += [
                (it.config.userns.start, it.config.userns.size)
                for it in containers.all_of(database)
                if it.config.userns.mode == "auto" and it.config.userns.start
            ]
        except PodError as error:
            if database is engine.database:
                raise
            log.warning(f"the ids of containers in another root are not known: {error}")
        if database is not engine.database:
            database.close()
    return found


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _can_write(directory: str) -> bool:
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK)
