"""Is everything in the store what it should be? And what can be done where it is not."""

from __future__ import annotations

import os

from pod.base import files
from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec.digest import algorithm_of, hex_of
from storage.blobs import READ_BYTES, BlobNotFound
from storage.directories import names
from storage.layers import NAME_LENGTH
from storage.lists import blobs_below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from storage.images import ImageRecord
    from storage.store import Store

    Fetch = Callable[[str, tuple[str, ...], Collection[str]], None]
    """Gets blobs of the image again that has a manifest with this digest, and these names: those with these digests,
    which are damaged, and those that are missing. Raises PodError."""


class Problem(Record):
    """Something that is not as it should be. `kind` is one of those below, `subject` a digest, id or path."""

    kind: str
    subject: str
    what: str
    """A sentence for people, in lower case, without a full stop."""


INDEX = "damaged index"
IMAGE = "damaged image"
BLOB = "damaged blob"
LAYER = "missing layer"
CHANGED = "changed layer"
CONTAINER = "damaged container"
COPY = "missing copy of a layer"  # for the container `subject`, whose id map is not the usual one
LEFTOVER = "leftover"


def find_problems(store: Store, *, quick: bool = False, full: bool = False) -> Iterator[Problem]:
    """All problems of images, layers, containers, and what killed commands have left.

    The content of blobs is read, and of the files of layers what lstat(2) tells. `quick` looks at neither; `full`
    unpacks each layer once more, beside the one that is here, and compares them to the last byte. Call with a single
    thread.
    """
    try:
        images, damaged = store.images.list(), store.images.incomplete()
    except files.DamagedFile as error:
        yield Problem(INDEX, f"{store.images.directory}/index.json", error.message)
        return
    for digest, image_names in damaged:
        shown = ", ".join(image_names) or "without a name"
        yield Problem(
            IMAGE, digest, f"the manifest or configuration of image {shown} cannot be read"
        )
    checked: set[str] = set()
    bad: set[str] = set()
    for image in images:
        for problem in _image_problems(store, image, checked, quick=quick):
            bad.add(problem.subject)
            yield problem
    for name, digest in _lists_and_artifacts(store):
        yield from _part_problems(store, name, digest, checked, quick=quick)
    if not quick:
        yield from _changed_layers(store, images, bad, full=full)
    yield from _container_problems(store)
    yield from _leftovers(store)


def repair(
    store: Store,
    problems: Iterable[Problem],
    *,
    fetch: Fetch | None = None,
    busy: Collection[str] = (),
    remove_images: bool = True,
) -> list[Problem]:
    """Do what can be done; the problems that are left. Call with a single thread.

    Damaged blobs are fetched again. Layers are unpacked again from their blobs, and copied again for other id maps; not
    those that running containers stand on, whose directory names are `busy`. Images that cannot be mended are removed,
    or left with `remove_images=False`. Leftovers are removed. A damaged index or container is left to a person.
    """
    found = list(problems)
    left = [problem for problem in found if problem.kind in {INDEX, CONTAINER}]
    bad_images = {problem.subject: problem for problem in found if problem.kind == IMAGE}
    unusable = _fetch_documents(store, bad_images, fetch)
    for image in store.images.list():
        if image.digest in bad_images:  # nobody could look at the rest of it before
            found += _image_problems(store, image, set(), quick=False)
    bad_blobs = {problem.subject for problem in found if problem.kind == BLOB}
    unusable |= _fetch_blobs(store, bad_blobs, fetch)
    missing = set()
    for problem in found:
        if problem.kind in {LAYER, CHANGED}:
            path = store.layers.path(problem.subject)
            if os.path.basename(path) in busy and os.path.isdir(path):
                what = f"{problem.what}; containers that run need it: stop them first"
                left.append(problem.replace(what=what))
            else:
                missing.add(problem.subject)
    with store.lock():
        for diff_id in missing:
            store.layers.remove(diff_id)  # its record may be there
    for image in store.images.list():
        if image.digest not in unusable and missing.intersection(image.diff_ids):
            try:
                store.restore_layers(image)
            except PodError as error:
                left.append(Problem(LAYER, image.digest, error.message))
    left += _make_copies_again(store, [it for it in found if it.kind == COPY])
    for digest, problem in unusable.items():
        if remove_images:
            store.images.remove_manifest(digest)
        else:
            left.append(problem)
    with store.lock():
        for digest in bad_blobs:
            if remove_images and not _is_right(store, digest):
                store.blobs.remove(digest)
    if remove_images:
        _remove_unreadable(store)
    store.delete_unreferenced()
    store.staging.sweep()
    store.staging.empty_trash()
    return left


def _remove_unreadable(store: Store) -> None:
    """Lists whose document is gone, and artifacts of which a part is."""
    for record in store.lists.list():
        if not store.blobs.has(record.digest):
            store.lists.remove(record.id)
    for artifact in store.artifacts.list():
        if not all(map(store.blobs.has, blobs_below(store.blobs, artifact.digest))):
            store.artifacts.remove(artifact.name)


def _fetch_documents(
    store: Store, bad_images: dict[str, Problem], fetch: Fetch | None
) -> dict[str, Problem]:
    """Get manifests and configurations again; what cannot be mended, by the digest of the manifest, and why."""
    unusable: dict[str, Problem] = {}
    names = dict(store.images.incomplete())
    for digest, problem in bad_images.items():
        try:
            _fetch(fetch, digest, names.get(digest, ()), ())
        except PodError as error:
            unusable[digest] = problem.replace(what=f"{problem.what}, and {_reason(error)}")
    return unusable


def _fetch_blobs(store: Store, bad_blobs: set[str], fetch: Fetch | None) -> dict[str, Problem]:
    """As _fetch_documents, for images that can be read."""
    unusable: dict[str, Problem] = {}
    for image in store.images.list():
        needed = set(image.blob_digests)
        # Another image with the same blob may have been mended just now.
        wanted = {digest for digest in needed & bad_blobs if not _is_right(store, digest)}
        if not wanted:
            continue
        try:
            _fetch(fetch, image.digest, image.names, wanted)
        except PodError as error:
            shown = image.names[0] if image.names else image.id
            what = f"image '{shown}' has damaged blobs, and {_reason(error)}"
            unusable[image.digest] = Problem(BLOB, image.digest, what)
    return unusable


def _fetch(
    fetch: Fetch | None, digest: str, names: tuple[str, ...], damaged: Collection[str]
) -> None:
    if fetch is None:
        raise PodError("there is nowhere to get it from")
    fetch(digest, names, damaged)


def _reason(error: PodError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _is_right(store: Store, digest: str) -> bool:
    return store.blobs.has(digest) and _digest_on_disk(store, digest) == digest


def _make_copies_again(store: Store, problems: Iterable[Problem]) -> list[Problem]:
    """Copies of layers for containers that have lost them; the problems that are left."""
    left = []
    for problem in problems:
        directory = f"{store.root}/containers/{problem.subject}"
        try:
            for path in store.rootfs.layers(directory):
                if "." in os.path.basename(path) and not os.path.isdir(path):
                    store.layers.remove_form(os.path.basename(path))  # its record may be there
            store.rootfs.describe(directory)
        except PodError as error:
            left.append(problem.replace(what=f"{problem.what}: {error.message}"))
    return left


def _image_problems(
    store: Store, image: ImageRecord, checked: set[str], *, quick: bool
) -> Iterator[Problem]:
    shown = image.names[0] if image.names else image.id
    for digest in image.blob_digests:
        if digest in checked:
            continue
        checked.add(digest)
        if not store.blobs.has(digest):
            yield Problem(BLOB, digest, f"blob '{digest}' of image '{shown}' is missing")
        elif not _has_size(store, image, digest) or (not quick and not _has_content(store, digest)):
            yield Problem(BLOB, digest, f"blob '{digest}' of image '{shown}' has other content")
    for diff_id in image.diff_ids:
        if f"layer {diff_id}" in checked:  # that of a plain layer is also the digest of its blob
            continue
        checked.add(f"layer {diff_id}")
        if not store.layers.has(diff_id) or not os.path.isdir(store.layers.path(diff_id)):
            yield Problem(LAYER, diff_id, f"layer '{diff_id}' of image '{shown}' is missing")


def _lists_and_artifacts(store: Store) -> Iterator[tuple[str, str]]:
    """What they are called, and their digests."""
    for record in store.lists.list():
        yield f"list of images '{(*record.names, record.id)[0]}'", record.digest
    for artifact in store.artifacts.list():
        yield f"artifact '{artifact.name}'", artifact.digest


def _part_problems(
    store: Store, name: str, top: str, checked: set[str], *, quick: bool
) -> Iterator[Problem]:
    """Of what a list refers to, a part may be elsewhere; what is here must be right."""
    for digest in sorted(blobs_below(store.blobs, top)):
        if digest in checked:
            continue
        checked.add(digest)
        if not store.blobs.has(digest):
            if digest == top or name.startswith("artifact"):
                yield Problem(BLOB, digest, f"blob '{digest}' of {name} is missing")
        elif not quick and not _has_content(store, digest):
            yield Problem(BLOB, digest, f"blob '{digest}' of {name} has other content")


def _has_size(store: Store, image: ImageRecord, digest: str) -> bool:
    """Whether a layer's blob is as long as the manifest says, which costs nothing to see."""
    sizes = {layer.digest: layer.size for layer in image.layers}
    try:
        return digest not in sizes or store.blobs.size(digest) == sizes[digest]
    except BlobNotFound:
        return True  # another command has just removed it, with its image


def _changed_layers(
    store: Store, images: Sequence[ImageRecord], bad: set[str], *, full: bool
) -> Iterator[Problem]:
    """Layers whose files are not those of the image, but for those that are known to be `bad`."""
    layers = {
        diff_id: (image, layer.digest)
        for image in images
        for layer, diff_id in zip(image.layers, image.diff_ids, strict=True)
        if diff_id not in bad and store.layers.has(diff_id)
    }
    records = [record for record in store.layers.list() if record.diff_id in layers]
    now = store.layers.fingerprints(records)
    for record in records:
        image, digest = layers[record.diff_id]
        shown = image.names[0] if image.names else image.id
        what = f"layer '{record.diff_id}' of image '{shown}'"
        if full and digest not in bad:
            if difference := _difference(store, record.diff_id, digest):
                yield Problem(CHANGED, record.diff_id, f"{what} was changed: {difference}")
        elif record.fingerprint and now[record.diff_id] not in ("", record.fingerprint):
            yield Problem(CHANGED, record.diff_id, f"files of {what} are missing or were changed")


def _difference(store: Store, diff_id: str, digest: str) -> str:
    """How a layer differs from what its blob unpacks to; "" when it does not."""
    from storage import prints, removal

    fd = store.blobs.open(digest)
    try:
        job = store.layers.unpack(fd, diff_id=diff_id)
    finally:
        os.close(fd)
    try:
        job.collect()
    except PodError:
        job.abort()
        raise
    tree, path = job.release_tree(), store.layers.path(diff_id)

    def compare() -> str:
        found = prints.difference(path, tree.path)
        removal.remove_as_caller(tree.path)
        return found

    try:
        found: str = removal.run_as_owner(compare, what="compare the files of a layer")
    except BaseException:
        tree.discard()
        raise
    tree.remove()
    return found


def _container_problems(store: Store) -> Iterator[Problem]:
    present = {hex_of(record.diff_id)[:NAME_LENGTH] for record in store.layers.list()}
    present.update(store.layers.forms())
    containers = f"{store.root}/containers"
    for name in names(containers):
        directory = f"{containers}/{name}"
        if not os.path.exists(f"{directory}/rootfs.json"):
            continue  # it has no root file system of ours, or was being made: the database knows
        try:
            layers = store.rootfs.layers(directory)
        except (PodError, KeyError, TypeError):
            yield Problem(CONTAINER, name, f"what container '{name}' stands on cannot be read")
            continue
        copies = [path for path in layers if "." in os.path.basename(path)]
        if any(not os.path.isdir(it) or os.path.basename(it) not in present for it in copies):
            what = f"a layer that was copied for container '{name}' is missing"
            yield Problem(COPY, name, what)
        for layer in layers:
            if layer not in copies and os.path.basename(layer) not in present:
                what = f"container '{name}' stands on a layer that is missing"
                yield Problem(CONTAINER, name, what)
                break
        if not os.path.isdir(store.rootfs.changes(directory)):
            yield Problem(CONTAINER, name, f"what container '{name}' has written is missing")


def _leftovers(store: Store) -> Iterator[Problem]:
    garbage = store.garbage()
    for digest in garbage.blobs:
        yield Problem(LEFTOVER, digest, f"no image needs blob '{digest}'")
    for diff_id in garbage.layers:
        yield Problem(LEFTOVER, diff_id, f"no image or container needs layer '{diff_id}'")
    for form in garbage.forms:
        path = f"{store.layers.directory}/{form}"
        yield Problem(LEFTOVER, path, f"no image or container needs '{path}'")
    for path in garbage.debris:
        yield Problem(LEFTOVER, path, f"'{path}' is what a killed command has left")
    for path in (*store.staging.abandoned(), *store.staging.trash()):
        yield Problem(LEFTOVER, path, f"'{path}' was to be deleted")


def _has_content(store: Store, digest: str) -> bool:
    """Whether a blob has the content of its digest; also when another command has just removed it."""
    try:
        return _digest_on_disk(store, digest) == digest
    except BlobNotFound:
        return True


def _digest_on_disk(store: Store, digest: str) -> str:
    import hashlib  # heavy

    algorithm = algorithm_of(digest)
    found = hashlib.new(algorithm)
    fd = store.blobs.open(digest)
    try:
        while chunk := os.read(fd, READ_BYTES):
            found.update(chunk)
    finally:
        os.close(fd)
    return f"{algorithm}:{found.hexdigest()}"
