"""Layers once more, with other owners: for containers whose id map is not the usual one, such as --userns=keep-id.

The kernel refuses id-mapped mounts to ordinary users, so who owns a file in a container is decided by its inode. So a
layer is copied at most once per *shift* of its ids, and what that gives to the wrong owner is put above it in a thin
layer of its own:

    layers/HEX32                 as unpacked: image id n is the intermediate id n (spec/userns.py says what that is)
    layers/HEX32.u1g1            shifted: image id n is n + 1. All keep-id and nomap containers of a user stand on it
    layers/HEX32.u1g1-HASH       only the files of those owners that a map has elsewhere, and the directories above them

HASH is of the owners that are moved and occur in the layer, so that most maps need no such layer, or share one. A tree
counts when its record, which is written last, is there too; see layers.py about `boot`.
"""

from __future__ import annotations

import errno
import os

from pod.base import log
from pod.base.records import Record
from pod.linux import idmap
from pod.spec.digest import hex_of
from pod.spec.userns_maps import relative_map
from storage import behind, removal
from storage.layers import NAME_LENGTH
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.linux.idmap import IdMap
    from storage.layers import LayerRecord, LayerStore
    from storage.store import Store

    Moves = dict[int, int]

_MANY_FILES = 50_000  # that many take seconds


class Form(Record):
    """A tree to be made from the tree `source`: `whole`, or only what `uids` and `gids` give another owner."""

    name: str
    source: str
    diff_id: str
    uids: tuple[tuple[int, int], ...]
    gids: tuple[tuple[int, int], ...]
    whole: bool


class Shift:
    """What one id map does to the owners of files; for uids or for gids. All ids are intermediate ones."""

    def __init__(self, ids: IdMap, base: IdMap) -> None:
        self._ids = relative_map(ids, base)
        self._highest = sum(count for _, _, count in base) - 1
        self.by = self._inside(0) or 0

    def plain(self, number: int) -> int:
        """The id of an image's id in the shifted form: another for each, so those that would be too high begin at 0."""
        return (min(number, self._highest) + self.by) % (self._highest + 1)

    def wanted(self, number: int) -> int:
        """The id that it must have. One that does not exist in the container gets an id that means nobody there."""
        inside = self._inside(number)
        if inside is not None:
            return inside
        plain = self.plain(number)
        return self._first_unused() if self._is_used(plain) else plain

    def inside(self, number: int) -> int:
        """The id of one that the container has. Raises OSError for another."""
        found = self._inside(number)
        if found is None:
            raise OSError(errno.EINVAL, f"the container has no id {number}")
        return found

    def moves(self, owners: Iterable[int]) -> Moves:
        """What is wrong in the shifted form: id there -> id that it must have."""
        there_are = {min(number, self._highest) for number in owners}
        wanted = {self.plain(number): self.wanted(number) for number in there_are}
        return {old: new for old, new in sorted(wanted.items()) if old != new}

    def _inside(self, number: int) -> int | None:
        for first, outside, count in self._ids:
            if first <= number < first + count:
                return outside + number - first
        return None

    def _is_used(self, number: int) -> bool:
        return any(outside <= number < outside + count for _, outside, count in self._ids)

    def _first_unused(self) -> int:
        number = 0
        for _, outside, count in sorted(self._ids, key=lambda extent: extent[1]):
            if outside > number:
                break
            number = outside + count
        return min(number, self._highest)


def lowers(store: Store, diff_ids: Iterable[str], maps: tuple[IdMap, IdMap]) -> list[str]:
    """The names of the directories in `layers/` that make an image with the owners of `maps`, topmost first.

    What is missing is made, which may take a while. The caller keeps the layers from being collected meanwhile, and the
    result afterwards. Call with a single thread. Raises LayerNotFound.
    """
    records = [store.layers.record(diff_id) for diff_id in diff_ids]
    forms, found = _forms(store.layers, records, maps)
    missing = [form for form in forms if not store.layers.has_form(form.name)]
    if missing:
        with FileLock(f"{store.root}/locks/mapped.lock"):
            missing = [form for form in missing if not store.layers.has_form(form.name)]
            if missing:
                _make(store, missing, records)
    return found


def files_to_copy(store: Store, diff_ids: Iterable[str], maps: tuple[IdMap, IdMap]) -> int:
    """How many files `lowers` would have to copy for this map."""
    records = [store.layers.record(diff_id) for diff_id in diff_ids]
    forms, _ = _forms(store.layers, records, maps)
    entries = {record.diff_id: record.entries for record in records}
    missing = (form for form in forms if form.whole and not store.layers.has_form(form.name))
    return sum(entries[form.diff_id] for form in missing)


def _forms(
    layers: LayerStore, records: list[LayerRecord], maps: tuple[IdMap, IdMap]
) -> tuple[list[Form], list[str]]:
    """What is needed, in the order in which it can be made; and the directories that the result is made of."""
    bases = idmap.default_maps()
    uids, gids = (Shift(ids, base) for ids, base in zip(maps, bases, strict=True))
    forms: list[Form] = []
    found: list[str] = []
    for record in reversed(records):
        name = hex_of(record.diff_id)[:NAME_LENGTH]
        owners = layers.owners(record)
        source = name
        if uids.by or gids.by:
            source = f"{name}.u{uids.by}g{gids.by}"
            shifted = [
                {number: shift.plain(number) for number in numbers}
                for shift, numbers in zip((uids, gids), owners, strict=True)
            ]
            forms.append(_form(source, name, record, shifted, whole=True))
        moves = [shift.moves(numbers) for shift, numbers in zip((uids, gids), owners, strict=True)]
        if any(moves):
            adjusted = f"{name}.u{uids.by}g{gids.by}-{_hash_of(moves)}"
            forms.append(_form(adjusted, source, record, moves, whole=False))
            found.append(adjusted)
        found.append(source)
        if record.opaque:
            break  # overlay does not look for that mark at the root
    return forms, found


def _form(name: str, source: str, record: LayerRecord, moves: list[Moves], *, whole: bool) -> Form:
    uids, gids = (tuple(sorted(mapping.items())) for mapping in moves)
    return Form(name, source, record.diff_id, uids, gids, whole)


def _hash_of(moves: list[Moves]) -> str:
    import hashlib  # heavy

    text = repr([sorted(mapping.items()) for mapping in moves])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make(store: Store, forms: list[Form], records: list[LayerRecord]) -> None:
    entries = {record.diff_id: record.entries for record in records}
    files = sum(entries[form.diff_id] for form in forms if form.whole)
    text = f"layers are copied for the ids of this container, which is done once: {files} files"
    (log.warning if files > _MANY_FILES else log.info)(text)

    def work() -> None:
        from storage import remap

        remap.make(store, forms)

    idmap.run_inside(work, what="give layers other owners", namespaces=0)
    behind.start(store.layers.settle)


def is_caller_absent(maps: tuple[IdMap, IdMap]) -> bool:
    """Whether the caller is nobody in a container with these maps, so that its root cannot use the caller's files."""
    own = os.geteuid()
    return not any(host <= own < host + count for _, host, count in maps[0])


def give_files(owners: Iterable[tuple[str, int, int]], maps: tuple[IdMap, IdMap] | None) -> None:
    """Files of the caller's that ids of a container with this map are to own: (path, uid, gid), as it sees them.

    Raises OSError where there is no such id in the container.
    """
    bases = idmap.default_maps()
    uids, gids = (Shift(ids, base) for ids, base in zip(maps or bases, bases, strict=True))
    wanted = [(path, uids.inside(uid), gids.inside(gid)) for path, uid, gid in owners]
    wanted = [it for it in wanted if it[1:] != (0, 0)]

    def work() -> None:
        for path, uid, gid in wanted:
            os.chown(path, uid, gid)

    if wanted:
        removal.run_as_owner(work, what="give files to users of the container")


def give_to_root(paths: Iterable[str], maps: tuple[IdMap, IdMap]) -> None:
    """Directories of the caller's that a container with this map is to own; those that do not exist are passed over."""
    bases = idmap.default_maps()
    uids, gids = (Shift(ids, base) for ids, base in zip(maps, bases, strict=True))
    owner = (uids.plain(0), gids.plain(0))
    wanted = [path for path in paths if os.path.isdir(path)]
    if owner == (0, 0) or not wanted:
        return

    def work() -> None:
        for path in wanted:
            os.chown(path, *owner)

    removal.run_as_owner(work, what="give a directory to the container's root")
