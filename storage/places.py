"""Which repositories have had which blobs, and what layers became when they were compressed in another way.

Both save work with registries and neither is ever trusted: a repository may have lost a blob, and the registry says so.
The file can be thrown away. The last of two commands that write at the same time wins, which costs no more than time.
"""

from __future__ import annotations

from pod.base import files, plainjson
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_VERSION = 1
_MOST_BLOBS = 4000
_MOST_REPOSITORIES = 8
"""Of one blob; the latest are kept."""


class Packed(Record):
    """A layer in some compression."""

    digest: str
    size: int
    annotations: Mapping[str, str] = {}


class Places:
    """What the file `path` knows; reads it once. Not for several threads at once, except as it says."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: dict[str, Any] | None = None
        self._new: list[tuple[str, str, Any]] = []

    def repositories(self, digest: str, registry: str) -> tuple[str, ...]:
        """The repositories of `registry` that have had the blob, the latest first."""
        beginning = f"{registry}/"
        names = self._load()["places"].get(digest, ())
        return tuple(
            name.removeprefix(beginning) for name in reversed(names) if name.startswith(beginning)
        )

    def packed(self, diff_id: str, how: str) -> Packed | None:
        """What the layer became when it was compressed in the way that `how` names, if it ever was."""
        found = self._load()["packed"].get(f"{diff_id} {how}")
        return Packed(*found) if found else None

    def add(self, digests: Iterable[str], repository: str) -> None:
        """A repository, with its registry, has these blobs. From any thread; written by `keep`."""
        self._new.extend(("places", digest, repository) for digest in digests)

    def add_packed(self, diff_id: str, how: str, packed: Packed) -> None:
        """A layer was compressed. From any thread; written by `keep`."""
        value = [packed.digest, packed.size, dict(packed.annotations)]
        self._new.append(("packed", f"{diff_id} {how}", value))

    def keep(self) -> None:
        """Write what is new. That nobody can write must not keep anybody from pulling and pushing."""
        new, self._new = self._new, []
        known = self._read()
        before = plainjson.dumps(known)
        for section, key, value in new:
            had = known[section].pop(key, ())
            if section == "places":
                names = [name for name in had if name != value]
                known[section][key] = [*names, value][-_MOST_REPOSITORIES:]
            else:
                known[section][key] = value
        for section in ("places", "packed"):
            for key in list(known[section])[:-_MOST_BLOBS]:
                del known[section][key]
        self._known = known
        if plainjson.dumps(known) == before:
            return
        try:
            files.write_json(self._path, known, sync=False)
        except OSError:
            pass

    def _load(self) -> dict[str, Any]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> dict[str, Any]:
        try:
            document = files.read_json(self._path)
        except (FileNotFoundError, files.DamagedFile):
            document = None
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            return {"version": _VERSION, "places": {}, "packed": {}}
        return document
