"""`pod system reset`: everything back to the beginning: no containers, images, volumes, networks, and no database."""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError
from pod.base.paths import ROOT_NAMES
from pod.engine import network_connect, remove
from pod.state import containers
from storage import removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine

_OURS_IN_RUNROOT = ("configuration", "containers", "networks")


def reset(engine: Engine) -> list[str]:
    """Stop and remove all containers, then everything else; problems on the way, as sentences.

    Call with a single thread. The directories themselves go when they are empty then.
    """
    problems = _remove_containers(engine) if os.path.exists(engine.paths.database) else []
    try:
        network_connect.end_holder(engine)
    except (PodError, OSError) as error:
        problems.append(f"the process that holds the networks cannot be ended: {error}")
    engine.close()
    paths = [f"{engine.paths.root}/{name}" for name in ROOT_NAMES]
    paths += [f"{engine.paths.runroot}/{name}" for name in _OURS_IN_RUNROOT]
    paths.append(engine.paths.volumes)
    for path in paths:
        try:
            removal.remove_tree(path)
        except FileNotFoundError:
            continue  # not even the directory above it
        except OSError as error:
            problems.append(f"'{path}' cannot be removed: {(error.strerror or '').lower()}")
    for directory in (engine.paths.root, engine.paths.runroot):
        try:
            os.rmdir(directory)
        except OSError as error:
            log.debug(f"'{directory}' stays: {error.strerror}")
    return problems


def _remove_containers(engine: Engine) -> list[str]:
    """Those that others need go with the others."""
    problems = []
    for container in containers.all_of(engine.database):
        try:
            remove.remove(
                engine, container, force=True, with_dependents=True, timeout_seconds=0, is_pod=True
            )
        except (PodError, OSError) as error:
            problems.append(f"container '{container.name}' cannot be removed: {error}")
    return problems
