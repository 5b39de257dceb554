"""mounts.conf: directories of the host of which every container gets a copy (containers-mounts.conf(5))."""

from __future__ import annotations

import os
import stat

from pod.base import log
from pod.base.errors import PodError
from pod.engine.configuration_registries import load_default_mounts
from pod.spec.mounts import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.configuration_places import Places
    from pod.spec.container import ContainerConfig

ORIGIN = "mounts.conf"


def copy_to_container(places: Places, config: ContainerConfig, directory: str) -> ContainerConfig:
    """Copy what mounts.conf names into the container's directory; the configuration with the mounts.

    What the user has mounted at the same place comes first, and a source that does not exist is passed over.
    """
    taken = {mount.target for mount in config.mounts}
    added = []
    for number, (source, target) in enumerate(load_default_mounts(places)):
        if target in taken:
            continue
        if not os.path.exists(source):
            log.warning(f"'{source}' of mounts.conf does not exist, so containers do not get it")
            continue
        copy = f"{directory}/default-{number}"
        try:
            _copy(source, copy)
        except OSError as error:
            raise PodError(
                f"'{error.filename or source}' of mounts.conf cannot be copied: {error.strerror}"
            ) from error
        taken.add(target)
        added.append(Mount("bind", target, source=copy, options=("nosuid", "nodev"), origin=ORIGIN))
    return config.replace(mounts=(*config.mounts, *added))


def _copy(source: str, target: str) -> None:
    """Files and directories with their modes; symbolic links as what they lead to, anything else not at all."""
    mode = os.stat(source).st_mode
    if stat.S_ISDIR(mode):
        os.mkdir(target, 0o700)
        for name in os.listdir(source):
            if os.path.exists(f"{source}/{name}"):  # a link may lead nowhere
                _copy(f"{source}/{name}", f"{target}/{name}")
        os.chmod(target, stat.S_IMODE(mode) | 0o700)
    elif stat.S_ISREG(mode):
        with open(source, "rb") as from_file, open(target, "xb") as to_file:
            while data := from_file.read(1 << 20):
                to_file.write(data)
            os.fchmod(to_file.fileno(), stat.S_IMODE(mode) & 0o777)
