"""short-name-aliases.conf: what a person has once chosen for a short name. podman reads and writes the same file.

Source: containers-registries.conf(5), "SHORT-NAME ALIASING".
"""

from __future__ import annotations

import fcntl
import os

from pod.base import files, log
from pod.engine.configuration import read_toml
from pod.engine.configuration_places import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.configuration_places import Places


def record_alias(places: Places, short: str, full: str) -> None:
    """From now on `short` means `full`, both without tag. That it cannot be written is a warning: the image is here.

    Raises ConfigurationError when the file is there and cannot be understood.
    """
    path = places.short_names
    if not path:
        return
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX)  # podman's kind of lock, on podman's file
            found = read_toml(Source(path))
            aliases = (found[0] if found else {}).get("aliases", {})
            if aliases.get(short) == full:
                return
            files.write_atomic(path, _text_of({**aliases, short: full}).encode())
        finally:
            os.close(fd)
    except OSError as error:
        log.warning(f"the choice for '{short}' is not recorded in '{path}': {error.strerror}")
    else:
        log.debug(f"'{short}' means '{full}' from now on, by '{path}'")


def _text_of(aliases: dict[str, str]) -> str:
    """Names of images need no escapes."""
    lines = [f'  "{short}" = "{aliases[short]}"\n' for short in sorted(aliases)]
    return "".join(["[aliases]\n", *lines])
