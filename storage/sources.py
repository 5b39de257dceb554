"""Where images came from, by the digest of their manifest: what `system check --repair` asks for blobs again.

A file beside the index, which can be thrown away. A source is "docker://REGISTRY/REPOSITORY" or the location of an
archive or directory, such as "docker-archive:/home/me/saved.tar".
"""

from __future__ import annotations

from pod.base import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.locks import FileLock

_VERSION = 1
_MOST_EACH = 3


class Sources:
    """The sources in the file `path`; `is_here` says whether the manifest of a digest is still in the store."""

    def __init__(
        self, path: str, is_here: Callable[[str], bool], lock: Callable[[], FileLock]
    ) -> None:
        self._path = path
        self._is_here = is_here
        self._lock = lock

    def of(self, digest: str) -> tuple[str, ...]:
        """The sources of a manifest, the latest first; none when nobody knows."""
        return tuple(self._load().get(digest, ()))

    def note(self, digest: str, source: str) -> None:
        """Remember that the image came from there. Takes the store's lock. That it cannot be written is no error."""
        if self.of(digest)[:1] == (source,):
            return
        with self._lock():
            known = self._load()
            before = [other for other in known.get(digest, ()) if other != source]
            known[digest] = [source, *before][:_MOST_EACH]
            kept = {
                it: sources for it, sources in known.items() if it == digest or self._is_here(it)
            }
            try:
                files.write_json(self._path, {"version": _VERSION, "sources": kept}, sync=False)
            except OSError:
                pass  # as on a full disk

    def _load(self) -> dict[str, list[str]]:
        try:
            document = files.read_json(self._path)
        except (FileNotFoundError, files.DamagedFile):
            return {}
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            return {}
        found = document.get("sources")
        if not isinstance(found, dict):
            return {}
        return {
            digest: [source for source in sources if isinstance(source, str)]
            for digest, sources in found.items()
            if isinstance(sources, list)
        }
