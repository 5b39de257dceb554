"""The user namespace of a build: made once, since its maps cost two programs, and joined by all that works in it."""

from __future__ import annotations

import os

from pod.linux import idmap, namespaces, processes, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pod.runtime import create


class Nest:
    """A context. The namespace is made when it is needed first; a process that waits keeps it until the end."""

    def __init__(self) -> None:
        self._maps = idmap.default_maps()
        self._is_ours = idmap.is_own_map(*self._maps)
        self._holder: create.Nest | None = None
        self._fd = -1

    def __enter__(self) -> Nest:
        return self

    def __exit__(self, *_: object) -> None:
        if self._holder is not None:
            os.close(self._fd)
            self._holder.abandon()
            self._holder = None

    def start(
        self, function: Callable[[], Any], *, what: str, keep: Iterable[int] = ()
    ) -> processes.Child:
        """Call `function` as root of the id map, in a mount namespace of its own; see idmap.start_inside."""
        if self._is_ours:
            return idmap.start_inside(function, what=what, keep=keep, keep_groups=True)
        user_fd = self._open()

        def inside() -> Any:
            syscalls.setns(user_fd, namespaces.CLONE_NEWUSER)
            os.close(user_fd)
            idmap.become_root(keep_groups=True)
            syscalls.unshare(namespaces.CLONE_NEWNS)
            syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
            return function()

        return processes.fork(inside, what=what, keep={user_fd, *keep})

    def path(self) -> str:
        """The file of the namespace for a container that joins it; "" where containers have that of the caller."""
        if self._is_ours:
            return ""
        self._open()
        assert self._holder is not None
        return f"/proc/{self._holder.pid}/ns/user"

    def _open(self) -> int:
        if self._holder is None:
            from pod.runtime import create

            self._holder = create.begin(self._maps, new_network=False)
            path = f"/proc/{self._holder.pid}/ns/user"
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return self._fd
