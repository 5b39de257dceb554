"""Everything that pod keeps on disk below its root directory, but for the database. Opening it costs nothing.

images/            an OCI image layout: oci-layout, index.json, blobs/; partial/ for downloads
build/KEY32        what a step of a build has changed (steps.py)
layers/HEX32       an unpacked layer, and its record layers/HEX32.json
containers/ID/     what belongs to a container
volumes/NAME/_data
staging/, trash/   trees that are being built, and trees that are being deleted
locks/             lock files; in layers.lock, the boots in which layers were made that may not all be on the disk
storage.json       which driver is used, and why not the others
"""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError
from storage.directories import names
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from storage.artifacts import ArtifactStore
    from storage.blobs import BlobStore
    from storage.collect import Garbage, Hold
    from storage.commit import NewLayer
    from storage.images import ImageRecord, ImageStore
    from storage.layers import LayerStore
    from storage.lists import ListStore
    from storage.places import Places
    from storage.rootfs import RootFileSystems
    from storage.sources import Sources
    from storage.staging import Staging
    from storage.steps import StepStore
    from storage.uploads import Uploads
    from storage.volumes import VolumeStore


class Store:
    """The stores below `root`, which are made when something is written.

    `driver` forces a storage driver by name; `volumes` is another place for volumes than `root`/volumes.
    """

    def __init__(self, root: str, *, driver: str | None = None, volumes: str | None = None) -> None:
        self.root = root
        self._volumes = volumes or f"{root}/volumes"
        self.forced_driver = driver or None
        self._staging: Staging | None = None
        self._layers: LayerStore | None = None
        self._places: Places | None = None
        self._blobs: BlobStore | None = None
        self._images: ImageStore | None = None

    @property
    def blobs(self) -> BlobStore:
        """What images are made of, by digest."""
        if self._blobs is None:
            from storage.blobs import BlobStore

            self._blobs = BlobStore(f"{self.root}/images")
        return self._blobs

    @property
    def images(self) -> ImageStore:
        """Images, by name and id. To start a container again nobody needs it."""
        if self._images is None:
            from storage.images import ImageStore

            directory = f"{self.root}/images"
            self._images = ImageStore(directory, self.blobs, lambda: self.layers, self.lock)
        return self._images

    @property
    def staging(self) -> Staging:
        """Trees that are being built or deleted. Commands that only look at images, or push them, do without."""
        if self._staging is None:
            from storage.staging import Staging

            self._staging = Staging(self.root)
        return self._staging

    @property
    def layers(self) -> LayerStore:
        """The unpacked layers."""
        if self._layers is None:
            from storage.layers import LayerStore

            self._layers = LayerStore(self.root, self.staging)
        return self._layers

    def settle_behind(self) -> None:
        """Start writing to the disk what layers.finish has left for later. Call with a single thread."""
        if self._layers is not None:
            self._layers.settle_behind()

    def lock(self) -> FileLock:
        """The image store's lock. Writers of images hold it while they change the index or remove anything."""
        return FileLock(f"{self.root}/locks/images.lock")

    @property
    def lists(self) -> ListStore:
        """The lists of images, which are in the index beside them."""
        from storage.lists import ListStore

        return ListStore(self.images, self.blobs)

    @property
    def places(self) -> Places:
        """Which repositories have had which blobs."""
        if self._places is None:
            from storage.places import Places

            self._places = Places(f"{self.root}/images/places.json")
        return self._places

    @property
    def uploads(self) -> Uploads:
        """The uploads that were begun."""
        from storage.uploads import Uploads

        return Uploads(f"{self.root}/images/uploads")

    @property
    def artifacts(self) -> ArtifactStore:
        """Artifacts, whose blobs are among those of images."""
        from storage.artifacts import ArtifactStore

        return ArtifactStore(self.images.directory, self.blobs, self.lock)

    @property
    def rootfs(self) -> RootFileSystems:
        """The root file systems of containers."""
        from storage.rootfs import RootFileSystems

        return RootFileSystems(self)

    @property
    def steps(self) -> StepStore:
        """The results of the steps of builds."""
        from storage.steps import StepStore

        return StepStore(self.root, self.staging, self.layers)

    @property
    def sources(self) -> Sources:
        """Where images came from."""
        from storage.sources import Sources

        return Sources(f"{self.images.directory}/sources.json", self.blobs.has, self.lock)

    @property
    def volumes(self) -> VolumeStore:
        """Named volumes."""
        from storage.volumes import VolumeStore

        return VolumeStore(self._volumes, self.staging)

    def restore_layers(self, image: ImageRecord) -> int:
        """Unpack those layers of an image that are missing, from its blobs; how many. Call with a single thread.

        A power cut soon after a pull can take layers away, never blobs. Raises BlobNotFound, LayerError.
        """
        with self.hold(image.diff_ids):
            jobs = []
            for layer, diff_id in zip(image.layers, image.diff_ids, strict=True):
                if not self.layers.has(diff_id):
                    fd = self.blobs.open(layer.digest)
                    try:
                        jobs.append(self.layers.unpack(fd, diff_id=diff_id))
                    finally:
                        os.close(fd)
            return len(self.layers.finish(jobs))

    def restore_after_cut(self) -> None:
        """Unpack what a power cut has taken of images, as their next use would; done once after a boot.

        Trees that may not be complete are thrown away, those of the cache of builds as well. What cannot be unpacked is
        left to the check. Call with a single thread.
        """
        self.discard_after_cut()
        if not self.layers.may_have_lost():
            return
        for image in self.images.list():
            try:
                self.restore_layers(image)
            except PodError as error:
                log.debug(f"layers of an image stay away: {error.message}")
        with self.layers.lock():
            self.layers.note_boot(only=True)

    def discard_after_cut(self) -> None:
        """Throw away the trees that were not written to the disk before the last boot, and whatever has no record."""
        if self.layers.may_have_lost() or self.steps.may_have_lost():
            from storage.collect import discard_debris

            discard_debris(self)

    def commit(
        self,
        directory: str,
        *,
        exclude: Iterable[str] = (),
        compress: bool = False,
        whole: bool = False,
        hold: Callable[[str], None] | None = None,
    ) -> NewLayer:
        """Make a layer, blob and tree, of what the container in `directory` has changed.

        `hold` is called with the digests of both before they are there, so that nobody collects what is not yet named.
        With `whole` it has the container's whole file system. Paths in `exclude` ("/etc/hosts") are left out. Call with
        a single thread.
        """
        from storage.commit import commit

        return commit(self, directory, exclude=exclude, compress=compress, whole=whole, hold=hold)

    def hold(self, digests: Iterable[str] = ()) -> Hold:
        """Keep blobs and layers with these digests from being collected while the context lasts, named or not.

        For what is being pulled, loaded or built: first hold, then ask whether it is here, and name the image before
        the end.
        """
        from storage.collect import Hold

        return Hold(self, digests)

    def tidy(self) -> None:
        """Clear up after commands that were killed, and delete the trash behind this one. Call with a single thread.

        Three directory listings when there is nothing to do.
        """
        from storage.collect import clear_up

        clear_up(self)
        if names(f"{self.root}/staging") or names(f"{self.root}/trash"):
            self.staging.tidy()

    def garbage(self) -> Garbage:
        """The blobs and layers that no image, no container and no running command needs."""
        from storage.collect import find_garbage

        return find_garbage(self)

    def delete_unreferenced(self) -> Garbage:
        """Remove that garbage; it is gone from sight at once, and the disk space follows. What was removed.

        The caller calls `staging.empty_trash_behind` or `staging.empty_trash` afterwards.
        """
        from storage.collect import delete_garbage

        return delete_garbage(self)
