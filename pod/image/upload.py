"""Blobs into a repository of a registry: skipped when they are there, mounted from elsewhere, sent whole or in pieces.

An upload that breaks off goes on where the registry says that it is. Source: OCI distribution specification, "Push".
"""

from __future__ import annotations

import os

from pod.base import faults, log
from pod.base.records import Record
from pod.image import failures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.image.http import Response
    from pod.image.progress import Progress
    from pod.image.registry import Registry
    from pod.image.upload_blob import Session
    from storage.uploads import UploadNote, Uploads

PIECE_BYTES = faults.size_bytes("PIECE", 32 << 20)
"""Smaller blobs travel in one request; of larger ones, no more than this is sent again after an interruption."""
_MOST_MOUNTS = 3
_NOTED_BYTES = 1 << 20
"""Of uploads of less, no note is made."""


class Content(Record):
    """A blob that shall be in a registry.

    `open` gives a descriptor with all its bytes, which is closed.
    """

    digest: str
    size: int
    open: Callable[[], int]
    shown: str = ""
    """The digest under which its progress is told, when that is another one."""


class Uploader:
    """Uploads to the repository of `registry`. Used by several threads at once."""

    def __init__(
        self,
        registry: Registry,
        progress: Progress,
        uploads: Uploads | None = None,
        *,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        """`uploads` keeps notes, so that what a killed command has begun is continued."""
        self._uploads = uploads
        self.registry = registry
        self.progress = progress
        self.piece_bytes = piece_bytes
        self.scope = registry.scope("pull,push")

    def has(self, digest: str) -> bool:
        """Whether the repository has the blob. Raises RegistryError."""
        response = self.send("HEAD", self.registry.url(f"blobs/{digest}"))
        response.close()
        if response.status == 404:
            return False
        if response.status == 200:
            return True
        raise self.refusal(response, f"blob '{digest}'")

    def upload(self, content: Content, sources: Sequence[str] = ()) -> bool:
        """Bring a blob into the repository that does not have it; False when it was mounted, so that nothing was sent.

        `sources` are other repositories of the registry, from which it may be mounted.

        Raises RegistryError, DigestMismatch for content that is not what its digest says.
        """
        from pod.image.upload_blob import Upload  # not needed for what is there

        note = self._note(content)
        try:
            session = self._resumed(content, note) or self._mount(content, sources)
            if session is None:
                return False
            fd = content.open()
            try:
                Upload(self, content, fd, session, note).run()
            finally:
                os.close(fd)
            return True
        finally:
            if note is not None:
                note.close()

    def forget(self, content: Content) -> None:
        """That an upload of this was begun once: the repository has it."""
        if self._uploads is not None and content.size >= _NOTED_BYTES:
            self._uploads.forget(f"{self.registry.endpoint.name}@{content.digest}")

    def _note(self, content: Content) -> UploadNote | None:
        if self._uploads is None or content.size < _NOTED_BYTES:
            return None
        return self._uploads.note(f"{self.registry.endpoint.name}@{content.digest}")

    def _resumed(self, content: Content, note: UploadNote | None) -> Session | None:
        """The upload that an earlier command has begun, if the registry still knows it."""
        if note is None or not note.location:
            return None
        from pod.image.upload_blob import Session

        session = Session(self, note.location)
        note.write("")
        try:
            return session if session.ask(content.size) else None
        except failures.RegistryError as error:
            log.debug(f"an earlier upload of {content.digest} cannot go on: {error.message}")
            return None

    def _mount(self, content: Content, sources: Sequence[str]) -> Session | None:
        """None when one of the sources had the blob; otherwise an upload that has been begun."""
        from pod.image.upload_blob import begun

        session = None
        for source in sources[:_MOST_MOUNTS]:
            if session is not None:
                session.cancel()
                session = None
            query = f"mount={content.digest}&from={source}"
            scope = f"{self.scope} repository:{source}:pull"
            url = self.registry.url(f"blobs/uploads/?{query}")
            try:
                response = self.registry.send("POST", url, {}, scope)
            except (failures.LoginRefused, failures.Unauthorized):
                continue  # of the token server: the push may be allowed, and this is not
            response.close()
            if response.status == 201:
                log.debug(f"{content.digest} is mounted from {source}")
                return None
            session = begun(self, response) if response.status == 202 else None
        return session or self.begin(content)

    def begin(self, content: Content) -> Session:
        """A new upload. Raises RegistryError."""
        response = self.send("POST", self.registry.url("blobs/uploads/"))
        if response.status != 202:
            raise self.refusal(response, f"blob '{content.digest}'")
        response.close()
        from pod.image.upload_blob import begun

        return begun(self, response)

    def send(self, method: str, url: str, *, repeatable: bool = True) -> Response:
        """A request without a body. Raises RegistryError."""
        return self.registry.send(method, url, {}, self.scope, repeatable=repeatable)

    def refusal(self, response: Response, what: str) -> failures.RegistryError:
        """The error for an unexpected answer about `what`, a blob."""
        from pod.image.refusals import refusal

        return refusal(response, self.registry.endpoint, self.registry.user, what)
