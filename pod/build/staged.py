"""The place where one step works: an upper directory for what it changes, and what is needed around it."""

from __future__ import annotations

import os

from pod.build.tasks import Job
from pod.spec.bundle import overlay_directory
from storage import overlayfs
from storage.drivers.overlay import make_upper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from typing import Any

    from pod.build.nest import Nest
    from pod.spec.mounts import Mount
    from storage.store import Store


class Staged:
    """A directory in staging/; whoever makes it calls `discard` at the end, after having taken `upper` or not.

    `lowers` are directories, topmost first, without those of the step.
    """

    def __init__(self, store: Store, lowers: list[str]) -> None:
        self._driver = store.rootfs.driver()
        self._is_native = self._driver.name == "overlay"
        self._root: dict[str, Any] = {}
        self._tree = store.staging.create()
        self.path = self._tree.path
        self.lowers = lowers
        try:
            if self._is_native:
                make_upper(self.path, lowers)
            os.mkdir(f"{self.path}/rootfs", 0o700)
            os.mkdir(f"{self.path}/parts", 0o755)
            os.mkdir(f"{self.path}/points", 0o755)
        except BaseException:
            self._tree.discard()
            raise

    def make_points(self, mounts: Iterable[Mapping[str, Any]]) -> None:
        """Places for OCI mounts: below everything else, so that none of them is made in what the step leaves."""
        for entry in mounts:
            place = f"{self.path}/points{entry['destination']}"
            source = entry.get("source") or ""
            if source.startswith("/") and not os.path.isdir(source):
                os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
                os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o644))
            else:
                os.makedirs(place, 0o755, exist_ok=True)

    def make_overlay_directories(self, mounts: Iterable[Mount]) -> None:
        """Where writes to mounts go that are thrown away."""
        for number, mount in enumerate(mounts):
            if mount.overlay or mount.kind == "image":
                top = overlay_directory(self.path, number)
                os.mkdir(top, 0o700)
                for name in ("upper", "work", "empty"):
                    os.mkdir(f"{top}/{name}", 0o755)

    def mount(self) -> dict[str, Any]:
        """What the runtime mounts as the root (runtime/create.py, `rootfs`). No more points are made after that."""
        lowers = [*self.lowers, f"{self.path}/points"]
        if not self._is_native:
            if not self._root:
                root = self._driver.create(self.path, lowers)
                self._root = {**root.to_json(), "kind": root.kind}
            return self._root
        return {
            "kind": "overlay",
            "lowers": lowers,
            "upper": f"{self.path}/upper",
            "work": f"{self.path}/work",
            # Nobody waits for the disk: a step that a power cut takes is done again.
            "options": [*overlayfs.marks_here().mount_options, "volatile"],
        }

    def renew(self) -> None:
        """Before it is mounted once more: overlay takes no work directory twice that was volatile."""
        if self._is_native:
            os.rename(f"{self.path}/work", f"{self.path}/worked")
            os.mkdir(f"{self.path}/work", 0o700)

    def changes(self, nest: Nest) -> Generator[Any, Any, str]:
        """The directory with what the step has changed, in the form that layers have."""
        if self._is_native:
            return f"{self.path}/upper"
        target = f"{self.path}/tree"
        os.mkdir(target, 0o700)
        lowers, marks = [*self.lowers, f"{self.path}/points"], overlayfs.marks_here()

        def work() -> None:
            from storage import canonical  # what the usual driver does without

            canonical.rewrite(self._driver, self.path, lowers, marks, target)

        yield lambda: Job(nest.start(work, what="keep what a step has changed"))
        return target

    def discard(self) -> None:
        """Throw away what is left."""
        self._tree.discard()
