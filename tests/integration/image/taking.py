"""A registry that takes pushes, and misbehaves on demand; see faulty.py."""

from __future__ import annotations

import json
import re
import uuid
from urllib.parse import parse_qs, urlsplit

from tests.integration.image.faulty import FaultyRegistry, Reply, Seen, digest_of

_UPLOAD = re.compile(r"^/v2/(.+)/blobs/uploads/([^/?]*)$")


class TakingRegistry(FaultyRegistry):
    """`bodies` has how many bytes arrived with each request for a blob.

    Connections are dropped after `drop_after` bytes of a body. What had come until then belongs to the upload, unless
    it `forgets`, and counts as sent; one that `forgets_late` does so with the next request that brings more. `lies`
    gives blobs the digest of something else.
    """

    def __init__(self) -> None:
        super().__init__()
        self.uploads: dict[str, bytearray] = {}
        self.bodies: list[int] = []
        self.forgets = self.forgets_late = False
        self._broken: set[str] = set()
        self.lies = False
        self.takes_pieces = True
        self.most_bytes: int | None = None
        """A longer body is answered with 413."""

    def _usual(self, seen: Seen) -> Reply:
        parts = urlsplit(seen.path)
        found = _UPLOAD.match(parts.path)
        if found:
            return self._upload(seen, found[1], found[2], parse_qs(parts.query))
        if seen.method == "PUT" and "/manifests/" in seen.path:
            repository, _, version = seen.path.removeprefix("/v2/").partition("/manifests/")
            kind = seen.headers["Content-Type"]
            self.add_manifest(f"{repository}:{version}", seen.body, kind)
            return Reply(201)
        return super()._usual(seen)

    def broken_off(self, seen: Seen) -> None:
        found = _UPLOAD.match(urlsplit(seen.path).path)
        if found and found[2] in self.uploads:
            if self.forgets_late:
                self._broken.add(found[2])
            elif not self.forgets:
                self.uploads[found[2]] += seen.body
        self.bodies.append(len(seen.body))  # last: tests wait for it

    def _upload(self, seen: Seen, repository: str, name: str, query: dict[str, list[str]]) -> Reply:
        if seen.method == "POST":
            name = uuid.uuid4().hex
            self.uploads[name] = bytearray()
            return self._state(repository, name)
        if name not in self.uploads:
            return _error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        if seen.method == "GET":
            return self._state(repository, name, 204)
        if seen.method == "DELETE":
            del self.uploads[name]
            return Reply(204)
        if self.most_bytes is not None and len(seen.body) > self.most_bytes:
            return Reply(413)
        self.bodies.append(len(seen.body))
        if name in self._broken:
            del self.uploads[name]
            return _error(404, "BLOB_UPLOAD_INVALID", "it was interrupted")
        data = self.uploads[name]
        if seen.method == "PATCH":
            if not self.takes_pieces and seen.headers.get("Content-Range"):
                return _error(400, "UNSUPPORTED", "no pieces")
            begin = seen.headers["Content-Range"].partition("-")[0]
            if int(begin) != len(data):
                return _error(416, "RANGE_INVALID", "not here")
            data += seen.body
            return self._state(repository, name)
        data += seen.body
        (digest,) = query["digest"]
        if digest_of(bytes(data)) != digest or self.lies:
            del self.uploads[name]
            return _error(400, "DIGEST_INVALID", "it is something else")
        self.blobs[digest] = bytes(self.uploads.pop(name))
        return Reply(201)

    def _state(self, repository: str, name: str, status: int = 202) -> Reply:
        end = max(len(self.uploads[name]) - 1, 0)
        location = f"/v2/{repository}/blobs/uploads/{name}"
        return Reply(status, {"Location": location, "Range": f"0-{end}"})


def _error(status: int, code: str, message: str) -> Reply:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Reply(status, {"Content-Type": "application/json"}, body)
