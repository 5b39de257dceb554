"""One blob on its way to a registry: the upload that the registry has begun, and what is sent to it; see upload.py."""

from __future__ import annotations

import os

from pod.base import faults, log
from pod.image import failures
from pod.image.byteranges import whole_number
from pod.image.connections import join_url, parse_url
from pod.image.http import Body, is_too_long
from pod.image.refusals import UploadLost
from pod.spec.digest import algorithm_of
from storage.blobs import DigestMismatch, digest_of_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pod.image.http import Response
    from pod.image.upload import Content, Uploader
    from storage.uploads import UploadNote

_SMALLEST_PIECE = 64 << 10
_READ_BYTES = 256 << 10


class Session:
    """An upload that the registry has begun. `offset`: how many bytes it has, as far as we know."""

    def __init__(self, uploader: Uploader, location: str) -> None:
        self._uploader = uploader
        self.location = location
        self.offset = 0
        self.least_piece = 0

    def follow(self, response: Response) -> None:
        """Go on where the answer says. Raises UnexpectedAnswer."""
        registry = self._uploader.registry
        location = response.header("Location")
        base = parse_url(registry.url(""))
        target = join_url(parse_url(self.location) if self.location else base, location)
        if not location or target is None:
            raise failures.UnexpectedAnswer(
                registry.endpoint.registry, "it does not say where to upload a blob to"
            )
        if (target.scheme, base.scheme) == ("http", "https"):
            if target.host == base.host:
                # A registry behind a proxy that speaks TLS for it, and does not tell it so.
                target = target.replace(scheme=base.scheme, port=base.port)
            elif not registry.endpoint.insecure:
                raise failures.UnexpectedAnswer(
                    registry.endpoint.registry, "it wants a blob over plain HTTP"
                )
        self.location = str(target)

    def ask(self, size: int) -> bool:
        """Find out how far the upload has come; False when the registry does not know it, or has more than `size`."""
        response = self._uploader.send("GET", self.location)
        response.close()
        if response.status not in (202, 204):
            return False
        kept = _kept(response)
        if kept is None or kept > size:
            return False
        if response.header("Location"):
            self.follow(response)
        self.offset = kept
        return True

    def cancel(self) -> None:
        """Tell the registry that this upload is given up, whatever it says to that."""
        try:
            self._uploader.send("DELETE", self.location, repeatable=False).close()
        except failures.RegistryError as error:
            log.debug(f"an upload could not be cancelled: {error.message}")


def begun(uploader: Uploader, response: Response) -> Session:
    """The upload that an answer 202 to a POST stands for."""
    session = Session(uploader, "")
    session.least_piece = whole_number(response.header("OCI-Chunk-Min-Length")) or 0
    session.follow(response)
    return session


class Upload:
    """One blob on its way."""

    def __init__(
        self,
        uploader: Uploader,
        content: Content,
        fd: int,
        session: Session,
        note: UploadNote | None,
    ) -> None:
        self._note = note
        self._uploader = uploader
        self._registry = uploader.registry
        self._progress = uploader.progress
        self._content = content
        self._fd = fd
        self._session: Session | None = session
        self._piece_bytes = uploader.piece_bytes
        self._whole = False  # the registry knows no pieces
        self._apart = False  # connections do not last: each piece gets one of its own
        self._shown = 0

    def run(self) -> None:
        """Until the registry has the blob. Raises RegistryError."""
        http, digest = self._registry.http, self._content.digest
        attempt, furthest = 0, 0
        while True:
            failure: failures.RegistryError
            try:
                if self._session is None:
                    self._session = self._uploader.begin(self._content)
                self._show(self._session.offset)
                self._remember(self._session.location)
                faults.step("push: begun")
                self._send_all(self._session)
                self._remember("")
                return
            except failures.RegistryError as error:
                if not error.transient or is_too_long(error.wait_seconds):
                    self._end(error)
                    raise
                failure = error
            log.debug(f"the upload of {digest} is interrupted: {failure.message}")
            attempt += 1
            if attempt <= http.settings.retries:
                http.pause(attempt, failure, failure.wait_seconds)
            if self._session is not None and not self._can_go_on(self._session, failure):
                self._session = None
                if self._uploader.has(digest):
                    self._remember("")
                    return  # only the answer was lost
            if self._session is None:
                self._remember("")
            reached = self._session.offset if self._session else 0
            self._show(reached)
            if reached > furthest:  # as long as there is progress, it is worth another attempt
                furthest, attempt = reached, 0
            elif attempt > http.settings.retries:
                raise failure
            elif isinstance(failure, failures.ConnectionLost):
                # docker's registry forgets an upload of which a piece came by half, so a piece has to fit.
                self._apart = True
                self._piece_bytes = max(
                    min(self._piece_bytes, self._content.size) // 4, _SMALLEST_PIECE
                )

    def _can_go_on(self, session: Session, failure: failures.RegistryError) -> bool:
        """Whether the registry still has what came of the upload, which is then where `session` says."""
        if not session.ask(self._content.size):
            return False
        if session.offset or not isinstance(failure, failures.ConnectionLost):
            return True
        # docker's registry may not yet have seen the end of that connection, writes what came of the piece by and by,
        # and then drops the whole upload, with what came since. A new one costs one request.
        session.cancel()
        return False

    def _remember(self, location: str) -> None:
        if self._note is not None:
            self._note.write(location)

    def _end(self, error: failures.RegistryError) -> None:
        """Give the upload up for good, unless it is only this command that ends or the registry that is away."""
        if self._session is None:
            self._remember("")
        elif not isinstance(error, failures.Cancelled | failures.ConnectionRefused) and (
            not error.transient
        ):
            self._session.cancel()
            self._remember("")

    def _send_all(self, session: Session) -> None:
        size = self._content.size
        if session.offset == 0 and (self._whole or size <= self._piece_bytes):
            self._finish(session, size)
            return
        piece = max(self._piece_bytes, session.least_piece)
        while session.offset < size:
            self._send_piece(session, min(piece, size - session.offset))
        self._finish(session, 0)

    def _send_piece(self, session: Session, count: int) -> None:
        begin = session.offset
        response = self._registry.send(
            "PATCH",
            session.location,
            {
                "Content-Range": f"{begin}-{begin + count - 1}",
                **({"Connection": "close"} if self._apart else {}),
            },
            self._uploader.scope,
            body=self._body(begin, count),
            repeatable=False,
        )
        if response.status not in (201, 202, 204):
            self._give_up(response, session, count)
        response.close()
        session.follow(response)
        kept = _kept(response)
        session.offset = begin + count if kept is None else kept
        if not begin < session.offset <= begin + count:
            self._session = None
            raise UploadLost(self._registry.endpoint.registry, self._content.digest)
        self._show(session.offset)
        self._remember(session.location)
        faults.step("push: piece")

    def _finish(self, session: Session, count: int) -> None:
        """Send the last `count` bytes, and have the registry verify the blob."""
        joint = "&" if "?" in session.location else "?"
        response = self._registry.send(
            "PUT",
            f"{session.location}{joint}digest={self._content.digest}",
            {},
            self._uploader.scope,
            body=self._body(session.offset, count),
            repeatable=False,
        )
        if response.status not in (200, 201, 204):
            self._give_up(response, session, count)
        response.close()

    def _give_up(self, response: Response, session: Session, count: int) -> None:
        """Raise what an answer other than the expected one to `count` bytes means."""
        status, digest = response.status, self._content.digest
        registry = self._registry.endpoint.registry
        in_pieces = session.offset > 0 or (self._content.size > self._piece_bytes)
        if status == 413 and count > _SMALLEST_PIECE:
            response.close()
            self._session = None
            self._piece_bytes = max(count // 4, _SMALLEST_PIECE)
            raise UploadLost(registry, digest)
        if status in (404, 416):
            response.close()
            if status == 404:
                self._session = None
            raise UploadLost(registry, digest)
        if status == 400 and "DIGEST_INVALID" in [code for code, _ in response.errors()]:
            self._session = None
            self._verify()
            raise UploadLost(registry, digest)
        if in_pieces and not self._whole and status in (400, 405, 411, 501):
            log.debug(f"{registry} does not take pieces of blobs, by status {status}")
            self._whole, self._session = True, None
            raise UploadLost(registry, digest)
        raise self._uploader.refusal(response, f"blob '{digest}'")

    def _body(self, begin: int, count: int) -> Body:
        return Body(count, lambda: self._chunks(begin, count))

    def _chunks(self, begin: int, count: int) -> Iterator[bytes]:
        at, end = begin, begin + count
        while at < end:
            if self._registry.http.is_cancelled:
                raise failures.Cancelled
            chunk = os.pread(self._fd, min(_READ_BYTES, end - at), at)
            if not chunk:
                raise DigestMismatch(self._content.digest, "that of a shorter file")
            yield chunk
            at += len(chunk)
            self._show(at)

    def _show(self, reached: int) -> None:
        if reached != self._shown:
            content = self._content
            self._progress.advance(content.shown or content.digest, reached - self._shown)
            self._shown = reached

    def _verify(self) -> None:
        """Raise DigestMismatch when it is our own content that is wrong."""
        digest, size = self._content.digest, os.fstat(self._fd).st_size
        actual = digest_of_part(self._fd, 0, size, algorithm_of(digest))
        if actual != digest:
            raise DigestMismatch(digest, actual)


def _kept(response: Response) -> int | None:
    """How many bytes a registry has, by the Range header "0-LAST" of its answer; None when it does not say."""
    first, _, text = response.header("Range").removeprefix("bytes=").partition("-")
    last = whole_number(text)
    if last is None or whole_number(first) is None:
        return None
    # Nothing at all is "0-0", as one byte is; no blob of one byte is worth the difference.
    return last + 1 if last else 0
