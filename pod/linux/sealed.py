"""Run a program from a copy in memory that nobody can change, not even its owner. See memfd_create(2), fcntl(2)."""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def execute(executable: str, arguments: list[str]) -> NoReturn:
    """execve(2) a Python interpreter from a sealed copy of its file; raises OSError when that cannot be done."""
    memory = os.memfd_create("pod", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(executable, "rb") as source:
        remaining = os.fstat(source.fileno()).st_size
        while remaining > 0:
            sent = os.sendfile(memory, source.fileno(), None, remaining)
            if sent == 0:
                break
            remaining -= sent
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
    # argv[0] keeps the path, from which the interpreter finds its library.
    os.execve(f"/proc/self/fd/{memory}", [executable, *arguments], dict(os.environ))
