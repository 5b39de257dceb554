"""So much space is to be free on the file system of the root directory: `--until-free` of the prune commands."""

from __future__ import annotations

import os

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine


class NotEnoughSpace(PodError):
    """Everything that could go is gone, and there is still less than was asked for."""

    def __init__(self, free_bytes: int, wanted_bytes: int) -> None:
        super().__init__(
            f"{free_bytes} bytes are free now, not the {wanted_bytes} of '--until-free', and nothing more can go",
            hint="pod system df --verbose shows what takes the space",
        )


class FreeSpace:
    """The wish for `wanted_bytes`, and what has been given back for it so far."""

    def __init__(self, engine: Engine, wanted_bytes: int) -> None:
        self.wanted_bytes = wanted_bytes
        self._engine = engine

    @property
    def free_bytes(self) -> int:
        """What an ordinary user can still write, as df(1) says."""
        status = os.statvfs(self._engine.paths.root)
        return status.f_bavail * status.f_frsize

    def is_enough(self) -> bool:
        """Whether there is as much as is wanted."""
        return self.free_bytes >= self.wanted_bytes

    def require(self) -> None:
        """Raise NotEnoughSpace unless there is."""
        if not self.is_enough():
            raise NotEnoughSpace(self.free_bytes, self.wanted_bytes)

    def collect(self) -> int:
        """Delete what nothing needs any more, now; the bytes that it had. Call with a single thread."""
        from pod.engine import image_remove

        freed = image_remove.collect_now(self._engine)
        if not self.is_enough():
            self._settle()
        return freed

    def _settle(self) -> None:
        """Have the file system do what it has put off: btrfs counts space as free when its transaction is over."""
        from pod.linux import syscalls  # heavy

        fd = os.open(self._engine.paths.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syscalls.syncfs(fd)
        finally:
            os.close(fd)
