"""Named volumes: `volumes/NAME/_data`, owned by whoever uses them in a container."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from storage.directories import make_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.staging import Staging


class VolumeExists(PodError):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"volume '{name}' exists already", hint=f"pod volume rm {name}")


class VolumeNotFound(PodError):
    """There is no volume with this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"volume '{name}' is not here", hint="pod volume ls")


class VolumeStore:
    """The volumes below `root`. Names are checked by the caller; who uses a volume is known to the database alone."""

    def __init__(self, root: str, staging: Staging) -> None:
        self.directory = f"{root}/volumes"
        self._staging = staging

    def path(self, name: str) -> str:
        """The directory that containers see."""
        return f"{self.directory}/{name}/_data"

    def has(self, name: str) -> bool:
        return os.path.isdir(self.path(name))

    def create(self, name: str) -> str:
        """A new, empty volume; the directory that containers see. Raises VolumeExists."""
        make_private(self.directory)
        try:
            os.mkdir(f"{self.directory}/{name}", 0o700)
        except FileExistsError:
            raise VolumeExists(name) from None
        path = self.path(name)
        os.mkdir(path)
        os.chmod(path, 0o755)
        return path

    def remove(self, name: str) -> None:
        """Take a volume away; its tree goes to the trash. Raises VolumeNotFound."""
        if not os.path.lexists(f"{self.directory}/{name}"):
            raise VolumeNotFound(name)
        self._staging.discard(f"{self.directory}/{name}")

    def list(self) -> Sequence[str]:
        """The names of all volumes, sorted."""
        try:
            return sorted(os.listdir(self.directory))
        except FileNotFoundError:
            return []
