"""Parsed configuration, kept in the run directory until one of its files changes.

A cache file is JSON: what the result depends on besides files (`key`), the state of every file that was looked at,
missing ones too, and the value. Whatever is odd about it means that it is ignored. It is written for the caller alone,
in a directory of the caller's own.
"""

from __future__ import annotations

import os
import time

from pod.base import log, plainjson
from pod.base.errors import PodError
from pod.base.files import read_bytes, write_atomic
from pod.base.paths import make_private
from pod.base.version import VERSION
from pod.engine.configuration_places import Source, files_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_FORMAT = f"1 {VERSION}"
# A file that changes twice between two ticks of the file system's clock keeps its times. So nothing is kept about files
# younger than this; git has the same rule for its index ("racy git").
_YOUNG_NS = 2_000_000_000


def read(directory: str, name: str, key: list[Any]) -> Any:
    """The value that was written under this name and key, if no file has changed since; None otherwise."""
    if not directory:
        return None
    path = f"{directory}/{name}.json"
    try:
        if os.stat(directory).st_uid != os.geteuid():
            return None
        document = plainjson.loads(read_bytes(path))
        if [document["format"], document["key"]] != [_FORMAT, key]:
            return None
        if all(_signature(file) == signature for file, signature in document["files"]):
            return document["value"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass  # missing, garbled, or of another kind: as good as none
    return None


def sign(sources: Iterable[Source]) -> list[list[Any]]:
    """The present state of every file, directory and drop-in of the sources. Ask before reading them, never after."""
    signatures = []
    for source in sources:
        signatures.append([source.path, _signature(source.path)])
        if source.directory:
            signatures += [[file.path, _signature(file.path)] for file in files_of(source)]
    return signatures


def write(
    directory: str, name: str, key: list[Any], signatures: list[list[Any]], value: Any
) -> None:
    """Keep `value`, which must be JSON; silently not, where that is impossible or a file has only just changed."""
    newest = max((state[1] for _, state in signatures if state), default=0)
    if not directory or newest > time.time_ns() - _YOUNG_NS:
        return
    document = {"format": _FORMAT, "key": key, "files": signatures, "value": value}
    try:
        make_private(directory)
        data = plainjson.dumps(document).encode()
        write_atomic(f"{directory}/{name}.json", data, sync=False)
    except (OSError, PodError) as error:
        log.debug(f"parsed configuration is not kept in '{directory}': {error}")


def _signature(path: str) -> list[int] | None:
    """What changes when the file does; None when it is not there. The time of change cannot be set by anybody."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev]
