"""`pod system df`: where the disk space goes. Every byte below the root directory belongs to exactly one row.

Sizes are what the file system has allocated, as du(1) counts it: for images their blobs as they were pulled and their
unpacked layers, each counted once however many images have it.
"""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.engine import build_cache, leftovers
from pod.engine import list as listing
from pod.state import volumes
from storage.images import ImageRecord
from storage.lists import blobs_below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pod.engine.build_cache import Entry
    from pod.engine.context import Engine
    from pod.engine.leftovers import Leftover
    from pod.engine.list import Listed
    from storage.lists import ListRecord

_BLOCK = 512


class ImageUsage(Record):
    """`shared_bytes` are those of parts that other images have, too."""

    image: ImageRecord | ListRecord
    bytes: int
    shared_bytes: int
    containers: int


class ContainerUsage(Record):
    """All that belongs to a container: what it wrote, its log, its configuration."""

    listed: Listed
    bytes: int


class VolumeUsage(Record):
    """`links` is the number of containers that use the volume."""

    name: str
    links: int
    bytes: int


class Row(Record):
    """One line of the summary. `total` and `active` count objects."""

    kind: str
    total: int
    active: int
    bytes: int
    reclaimable_bytes: int


class DiskUsage(Record):
    """Everything. `image_bytes` are those of all images together, what they share being counted once."""

    images: tuple[ImageUsage, ...]
    containers: tuple[ContainerUsage, ...]
    volumes: tuple[VolumeUsage, ...]
    partials: tuple[tuple[str, int], ...]
    garbage: tuple[tuple[Leftover, int], ...]
    image_bytes: int
    unused_image_bytes: int
    metadata_bytes: int
    artifacts: int = 0
    artifact_bytes: int = 0
    """What artifacts take that images do not."""
    cache: tuple[Entry, ...] = ()
    """Steps of builds, and cache mounts."""
    cache_bytes: int = 0

    def rows(self) -> list[Row]:
        """The summary, whose sum is what du(1) says of the root directory."""
        used_images = {it.image.id for it in self.images if it.containers}
        running = [it for it in self.containers if it.listed.is_running]
        used = [it for it in self.volumes if it.links]
        all_containers, all_volumes = _sum(self.containers), _sum(self.volumes)
        partial_bytes = sum(size for _, size in self.partials)
        garbage_bytes = sum(size for _, size in self.garbage)
        return [
            Row(
                "Images",
                len({it.image.id for it in self.images}),
                len(used_images),
                self.image_bytes,
                self.unused_image_bytes,
            ),
            Row(
                "Containers",
                len(self.containers),
                len(running),
                all_containers,
                all_containers - _sum(running),
            ),
            Row(
                "Local Volumes",
                len(self.volumes),
                len(used),
                all_volumes,
                all_volumes - _sum(used),
            ),
            *(
                [Row("Artifacts", self.artifacts, 0, self.artifact_bytes, 0)]
                if self.artifacts
                else []
            ),
            Row(
                "Build Cache",
                len(self.cache),
                sum(it.in_use for it in self.cache),
                self.cache_bytes,
                self.cache_bytes - sum(it.bytes for it in self.cache if it.in_use),
            ),
            Row("Partial Downloads", len(self.partials), 0, partial_bytes, partial_bytes),
            Row("Garbage", len(self.garbage), 0, garbage_bytes, garbage_bytes),
            Row("Metadata", 0, 0, self.metadata_bytes, 0),
        ]


def measure(engine: Engine) -> DiskUsage:
    """Look at everything. Call with a single thread."""
    if not os.path.isdir(engine.paths.root):
        return DiskUsage((), (), (), (), (), 0, 0, 0)
    store = engine.store
    containers = listing.containers(engine, everything=True)
    volume_rows = volumes.all_of(engine.database)
    users = volumes.users(engine.database)
    images = store.images.list_all()
    artifacts = store.artifacts.list()
    garbage = leftovers.find(engine)
    engine.close()

    container_paths = {it.summary.id: engine.paths.container(it.summary.id) for it in containers}
    volume_paths = {row.name: os.path.dirname(store.volumes.path(row.name)) for row in volume_rows}
    forms = store.layers.forms()
    here = store.lists.members_here()  # reads manifest and configuration of each
    image_paths = {_key(image): _paths_of(engine, image, here, forms) for image in images}
    artifact_paths = {
        store.blobs.path(digest)
        for it in artifacts
        for digest in blobs_below(store.blobs, it.digest)
    }
    cache = build_cache.entries(engine)
    cache_paths = [
        store.steps.directory,
        *(f"{store.layers.directory}/{name}" for name in store.steps.used_layers()),
    ]
    stood_on = {f"{store.layers.directory}/{name}" for name in store.rootfs.used_layers()}
    partial_paths = [
        *(path for path, _ in store.blobs.partials()),
        *leftovers.under_construction(engine),
    ]
    sizes = _measure_all(
        [
            *container_paths.values(),
            *volume_paths.values(),
            *stood_on.union(*image_paths.values(), artifact_paths),
            *partial_paths,
            *(it.path for it in garbage),
            *cache_paths,
        ]
    )

    counts: dict[str, int] = {}
    for it in containers:
        counts[it.summary.image_id] = counts.get(it.summary.image_id, 0) + 1
    owners: dict[str, set[str]] = {}
    ids = {_key(image): _ids(engine, image, here) for image in images}
    for image in images:
        for path in image_paths[_key(image)]:
            owners.setdefault(path, set()).update(ids[_key(image)])
    in_images = stood_on.union(owners)
    volumes.all_of(
        engine.database
    )  # so that its files are there as they are when any other command looks
    needed = stood_on.union(
        path for path, ids in owners.items() if any(map(counts.get, ids))
    ).union(artifact_paths)
    return DiskUsage(
        images=tuple(
            ImageUsage(
                image,
                sum(sizes[path] for path in image_paths[_key(image)]),
                sum(sizes[path] for path in image_paths[_key(image)] if len(owners[path]) > 1),
                sum(counts.get(image_id, 0) for image_id in ids[_key(image)]),
            )
            for image in images
        ),
        containers=tuple(
            ContainerUsage(it, sizes[container_paths[it.summary.id]]) for it in containers
        ),
        volumes=tuple(
            VolumeUsage(row.name, len(users.get(row.name, ())), sizes[volume_paths[row.name]])
            for row in volume_rows
        ),
        partials=tuple((path, sizes[path]) for path in partial_paths),
        garbage=tuple((it, sizes[it.path]) for it in garbage),
        image_bytes=sum(sizes[path] for path in in_images),
        unused_image_bytes=sum(sizes[path] for path in in_images - needed),
        metadata_bytes=_rest(engine.paths.root, sizes),
        artifacts=len(artifacts),
        artifact_bytes=sum(sizes[path] for path in artifact_paths - in_images),
        cache=cache,
        cache_bytes=sum(sizes[path] for path in {*cache_paths} - in_images),
    )


def _key(image: ImageRecord | ListRecord) -> tuple[str, str]:
    return image.id, image.digest


def _ids(engine: Engine, image: ImageRecord | ListRecord, here: Sequence[ImageRecord]) -> set[str]:
    """The image that containers say they were made from, or those of a list, as far as they are `here`."""
    if isinstance(image, ImageRecord):
        return {image.id}
    digests = engine.store.lists.blobs_of(image)
    return {member.id for member in here if member.digest in digests} or {image.id}


def _paths_of(
    engine: Engine,
    image: ImageRecord | ListRecord,
    here: Sequence[ImageRecord],
    forms: Mapping[str, str],
) -> set[str]:
    """The blobs and layers of an image, or of those of a list that are `here`, and copies of the layers, which `forms`
    has with their diff ids."""
    if not isinstance(image, ImageRecord):
        digests = engine.store.lists.blobs_of(image)
        members = [member for member in here if member.digest in digests]
        blobs = {engine.store.blobs.path(it) for it in digests}
        return blobs.union(*(_paths_of(engine, member, (), forms) for member in members))
    blobs = set(image.blob_digests)
    paths = {engine.store.blobs.path(digest) for digest in blobs}
    paths.update(engine.store.layers.path(diff_id) for diff_id in image.diff_ids)
    directory = engine.store.layers.directory
    return paths.union(f"{directory}/{name}" for name in forms if forms[name] in image.diff_ids)


def _measure_all(paths: Iterable[str]) -> dict[str, int]:
    """Allocated bytes of files and trees, whoever owns what is in them; 0 for what is not there."""
    from storage.rootfs import measure_inside

    wanted = list(dict.fromkeys(paths))
    measured = measure_inside(wanted) if wanted else ()
    return {path: usage.allocated for path, usage in zip(wanted, measured, strict=True)}


def _rest(root: str, known: Collection[str]) -> int:
    """Allocated bytes of everything below `root` that is not in one of the `known` trees: all of it the caller's."""
    total = os.lstat(root).st_blocks * _BLOCK
    pending = [root]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.path in known:
                        continue
                    total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except (FileNotFoundError, PermissionError):
            continue  # removed meanwhile, or a tree that another command has just begun
    return total


def _sum(usages: Iterable[ContainerUsage | VolumeUsage]) -> int:
    return sum(it.bytes for it in usages)
