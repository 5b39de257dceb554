"""Run the interpreter from a copy in memory that nobody can change, not even its owner. See memfd_create(2), fcntl(2).

For a moment a container's own files are opened by a process whose /proc/self/exe is the interpreter, and an image can
have its command be "#!/proc/self/exe" (CVE-2019-5736). Where root of the container is the owner of the interpreter's
file, it could be overwritten from there; the copy cannot.
"""

from __future__ import annotations

import errno
import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_OWN_PROGRAM = "/proc/self/exe"
_NAME = "pod"
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_MFD_EXEC = 0x10  # Linux 6.3; without it the sysctl vm.memfd_noexec may forbid to execute it


def is_needed() -> bool:
    """Whether root of a container could change the file of this process's program, unless a copy of it runs already.

    A file of the caller's own counts whatever its mode says, since the owner can change that; so does one of another
    user, who may be among the caller's subordinate ids.
    """
    if os.readlink(_OWN_PROGRAM) == f"/memfd:{_NAME} (deleted)":
        return False
    return os.stat(_OWN_PROGRAM).st_uid != 0 or os.access(_OWN_PROGRAM, os.W_OK)


def execute(arguments: list[str]) -> NoReturn:
    """execve(2) this process's program from a sealed copy; raises OSError when that cannot be done."""
    memory = _memory()
    with open(_OWN_PROGRAM, "rb") as source:
        remaining = os.fstat(source.fileno()).st_size
        while remaining > 0:
            sent = os.sendfile(memory, source.fileno(), None, remaining)
            if sent == 0:
                break
            remaining -= sent
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
    # argv[0] keeps the path, from which the interpreter finds its library.
    os.execve(f"/proc/self/fd/{memory}", arguments, dict(os.environ))


def _memory() -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(_NAME, flags | _MFD_EXEC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create(_NAME, flags)
