"""The file system of a container that does not run, mounted for a while in a mount namespace of the caller's own.

For a process that is root of the default id map, in a new mount namespace, and reads or changes files there: it sees
what the container would see, but for what exists only while it runs.
"""

from __future__ import annotations

import os

from pod.base import log
from pod.linux import processes, syscalls
from pod.runtime import fuse, rootfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Visit:
    """The root file system that `description` says (launch.root_mount) on the directory `target`, with `mounts` in it.

    Of the mounts, which are OCI's, those are left out whose sources have gone. `root_fd` is an O_PATH descriptor.
    """

    def __init__(
        self, description: dict[str, Any], mounts: list[dict[str, Any]], target: str
    ) -> None:
        self._target = target
        self._server = fuse.start(description, closed_sources=False)
        self.root_fd = rootfs.mount_root(description, target, self._server)
        try:
            for entry in mounts:
                source = entry.get("source", "")
                if source.startswith("/") and not os.path.exists(source):
                    log.info(f"'{source}' is not there, and so not on '{entry['destination']}'")
                    continue
                rootfs.mount_all(self.root_fd, [entry], "")
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Unmount it all, once its files are closed; what was written is in the container's directory then."""
        os.close(self.root_fd)
        syscalls.umount2(self._target, syscalls.MNT_DETACH)
        if self._server is not None:
            processes.end_servers([(self._server.pid, self._server.started)])
