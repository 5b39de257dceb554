"""Which boot of the machine this is. Apart from processes.py, since lists need no more of it than this."""

from __future__ import annotations

import os


def boot_id() -> str:
    """A value that is different after every boot (random(4))."""
    fd = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 64).decode().strip()
    finally:
        os.close(fd)
