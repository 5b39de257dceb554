"""Pushing: from the store to a repository of a registry.

    with connect(reference, access, progress, store) as destination:
        destination.put_blobs(contents)                         # in parallel; what is there already is skipped
        digest = destination.put_manifest(data, media_type)     # under the reference's tag

That is all there is to images, lists and artifacts alike: blobs first, then the manifest that names them.
"""

from __future__ import annotations

from _functools import partial
from _thread import allocate_lock

from pod.base import faults, log
from pod.image import failures, names
from pod.image.http import Body, HttpClient
from pod.image.media_types import ACCEPTED
from pod.image.registry import Registry
from pod.spec.digest import is_digest
from storage.blobs import digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pod.image.access import Access
    from pod.image.names import Endpoint
    from pod.image.progress import Progress
    from pod.image.upload import Content, Uploader
    from pod.spec.reference import Reference
    from storage.blobs import BlobStore
    from storage.store import Store

_PARALLEL = 3
_JOIN_SECONDS = 5


def connect(
    reference: Reference,
    access: Access,
    progress: Progress,
    store: Store,
) -> Destination:
    """The repository of a full `reference`, for writing; a context manager. Nothing is sent yet.

    Mirrors are for reading, so the place is the registry itself, wherever registries.conf has it. The `store` tells
    from which other repositories of the registry blobs can be mounted, learns what is where, and knows what a killed
    command has begun to upload, which is continued. Raises RegistryBlocked.
    """
    endpoint = names.endpoints(
        reference, access.registries, tls_verify=access.tls_verify, what="be pushed to"
    )[-1]
    return Destination(reference, endpoint, access, progress, store)


class Destination:
    """A repository in a registry. `endpoint` is where it is, `reference` what the person called it."""

    def __init__(
        self,
        reference: Reference,
        endpoint: Endpoint,
        access: Access,
        progress: Progress,
        store: Store,
    ) -> None:
        self._store = store
        self.reference = reference
        self.endpoint = endpoint
        self._http = HttpClient(access.settings, progress.message)
        self.progress = progress
        self.registry = self._registry = Registry(
            self._http, endpoint, access.credentials_for(endpoint)
        )
        self._uploader_once: Uploader | None = None

    def __enter__(self) -> Destination:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def _uploader(self) -> Uploader:
        """What uploads; not loaded for a repository that has the manifest. First asked for by a single thread."""
        if self._uploader_once is None:
            from pod.image.upload import Uploader

            uploads = self._store.uploads
            uploads.sweep()
            self._uploader_once = Uploader(self._registry, self.progress, uploads)
        return self._uploader_once

    def meanwhile(self, function: Callable[[], object]) -> None:
        """Call it when the next request has been sent, while its answer is on its way."""
        self._http.meanwhile(function)

    def put_blobs(self, contents: Iterable[Content]) -> None:
        """Bring blobs into the repository, several at a time, the largest first; those that it has are not sent.

        Raises RegistryError: PushDenied, ReadOnly, NoSuchRepository, ConnectionLost, ...; DigestMismatch for a blob of
        the store that is damaged. What was uploaded until then stays there, for the next attempt.
        """
        wanted = {content.digest: content for content in contents}
        queue = sorted(wanted.values(), key=lambda content: -content.size)
        self.run([partial(self.put_blob, content) for content in queue])

    def put_blob(self, content: Content) -> None:
        """As put_blobs, inside of `run`."""
        if self.has_blob(content.digest):
            self._uploader.forget(content)
            return
        if not content.shown:
            self.progress.layer_known(content.digest, content.size)
        sources = self._store.places.repositories(content.digest, self.endpoint.registry)
        others = tuple(name for name in sources if name != self.endpoint.repository)
        if not self._uploader.upload(content, others):
            self.progress.advance(content.shown or content.digest, content.size)
        self.progress.done(content.shown or content.digest)
        self._store.places.add([content.digest], self.endpoint.name)

    def has_blob(self, digest: str) -> bool:
        """Whether the repository has the blob, which then counts as copied. Inside of `run`."""
        if not self._uploader.has(digest):
            return False
        self.progress.already_exists(digest)
        self._store.places.add([digest], self.endpoint.name)
        return True

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Call these, several at a time, in threads; the first error ends the others and is raised.

        Call with a single thread. The first job is alone: its answers tell how to log in, or that all is of no use.
        """
        if not jobs:
            return
        self.progress.begin()
        try:
            jobs[0]()
            if jobs[1:]:
                _Work(jobs[1:], self._http.cancel).run()
        finally:
            self.progress.finish()
            self._store.places.keep()

    def has_manifest(self, version: str) -> str | None:
        """The digest of the manifest with this tag or digest; None when there is none, or the registry does not say.

        Asks for the permission to push already, so that no other token is needed later. Raises RegistryError when the
        registry does not answer; whether anything can be put there, the next requests tell.
        """
        url, headers = self._registry.url(f"manifests/{version}"), {"Accept": ", ".join(ACCEPTED)}
        response = self._registry.send("HEAD", url, headers, self._registry.scope("pull,push"))
        response.close()
        if response.status != 200:
            return None
        if is_digest(version):
            return version
        declared = response.header("Docker-Content-Digest")
        return declared if is_digest(declared) else None

    def put_manifest(self, data: bytes, media_type: str, version: str | None = None) -> str:
        """Put a manifest or an index into the repository, whose blobs are there; its digest.

        `version` is a tag or its digest, by default what the reference has. Raises RegistryError, OtherDigest.
        """
        faults.step("push: blobs")
        digest = digest_of(data)
        if version is None:
            self.expect(digest)
        version = version or self.reference.version
        url = self._registry.url(f"manifests/{version}")
        body = Body(len(data), lambda: (data,), media_type)
        response = self._registry.send("PUT", url, {}, self._registry.scope("pull,push"), body=body)
        if response.status not in (200, 201, 202):
            from pod.image.refusals import refusal

            what = f"manifest '{version}' of '{self.endpoint.name}'"
            raise refusal(response, self.endpoint, self._registry.user, what)
        response.close()
        faults.step("push: manifest")
        log.debug(f"{self.endpoint.name}:{version} is {digest}")
        return digest

    def expect(self, digest: str) -> None:
        """That the reference may stand for what has this digest; asked before blobs are sent. Raises OtherDigest."""
        if self.reference.digest not in ("", digest):
            from pod.image.refusals import OtherDigest

            raise OtherDigest(self.endpoint.name, self.reference.digest, digest)

    def put_again(self, data: bytes, media_type: str, version: str | None = None) -> str | None:
        """As put_manifest, of one that the repository has; None when it says that blobs are gone that it had."""
        try:
            return self.put_manifest(data, media_type, version)
        except failures.RegistryError as error:
            from pod.image.refusals import BlobsMissing

            if not isinstance(error, BlobsMissing):
                raise
            log.debug(error.message)
            return None


class _Work:
    """The threads, and the first thing that went wrong in them. `cancel` makes jobs that run end soon."""

    def __init__(self, jobs: Sequence[Callable[[], None]], cancel: Callable[[], None]) -> None:
        self._queue = list(reversed(jobs))
        self._cancel = cancel
        self._lock = allocate_lock()
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Do all; returns when all threads have ended. Raises what went wrong first."""
        import threading  # heavy

        count = min(_PARALLEL, len(self._queue))
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:  # Ctrl-C
            with self._lock:
                self._queue.clear()
            self._cancel()
            for thread in threads:
                thread.join(_JOIN_SECONDS)
            raise
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._failure is not None or not self._queue:
                    return
                job = self._queue.pop()
            try:
                job()
            except BaseException as error:  # noqa: BLE001  the thread ends here, and the error goes to its owner
                with self._lock:
                    first = self._failure is None
                    if first:
                        self._failure = error
                if first:
                    self._cancel()
                return


def content_of(blobs: BlobStore, digest: str) -> Content:
    """A blob of the store, as it is. Raises BlobNotFound."""
    from pod.image.upload import Content

    return Content(digest, blobs.size(digest), lambda: blobs.open(digest))


def push_as_it_is(
    destination: Destination,
    contents: Iterable[Content],
    data: bytes,
    media_type: str,
    version: str | None = None,
) -> str:
    """Blobs and a manifest that names them; its digest.

    When the repository has this very manifest already, its blobs are not looked for; should they be gone all the
    same, which the registry says, they are sent.
    """
    contents = list(contents)
    if version is None:
        destination.expect(digest_of(data))
    if destination.has_manifest(digest_of(data)):
        digest = destination.put_again(data, media_type, version)
        if digest is not None:
            return digest
    destination.put_blobs(contents)
    return destination.put_manifest(data, media_type, version)
