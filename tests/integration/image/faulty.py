"""A registry that misbehaves on demand: a real HTTP server on loopback, serving blobs and manifests from memory.

with FaultyRegistry() as server:
    server.add_image("me/x", "latest", [layer])
    server.fault("/blobs/", Reply(503), Reply(cut=1000))     # the first two requests for blobs
"""

from __future__ import annotations

import hashlib
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pod.image import media_types
from tests.support.layout import Entry, layer_tar


@dataclass
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass
class Reply:
    """What to answer. `cut` sends only so many bytes of the body, then hangs up. `hold` waits for an event first."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    hold: threading.Event | None = None
    usual: bool = False
    """Answer as if there were no fault, but for what the other fields say."""


class FaultyRegistry:
    """Also a token server, under /token. `requests` has all that was asked, in order."""

    def __init__(
        self, *, context: ssl.SSLContext | None = None, address: str = "127.0.0.1"
    ) -> None:
        self.requests: list[Seen] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.ranges = True
        self.several = True
        """Whether several ranges in one request get a multipart answer; else they get the whole."""
        self.slow: tuple[int, threading.Event] | None = None
        """Bodies longer than this many bytes stop there until the event."""
        self.drop_after: int | None = None
        """Of the body of a request, no more than this is read before the connection is dropped."""
        self.hold_bodies: tuple[threading.Event, threading.Event] | None = None
        """Sets the first when `drop_after` bytes of a body have come, and waits for the second before the rest."""
        self.answer: Callable[[Seen], Reply | None] = lambda seen: None
        self._faults: list[tuple[str, list[Reply]]] = []
        owner = self

        class Handler(_Handler):
            registry = owner

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up, as they should
        self.scheme = "http"
        if context is not None:
            self.scheme = "https"
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    def __enter__(self) -> FaultyRegistry:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fault(self, path_part: str, *replies: Reply) -> None:
        """Answer the next requests whose path contains `path_part` with these, one after the other."""
        self._faults.append((path_part, list(replies)))

    def seen(self, path_part: str, method: str = "GET") -> list[Seen]:
        return [seen for seen in self.requests if path_part in seen.path and seen.method == method]

    def add_blob(self, data: bytes) -> str:
        digest = digest_of(data)
        self.blobs[digest] = data
        return digest

    def add_manifest(
        self, name: str, document: Any, media_type: str = media_types.OCI_MANIFEST
    ) -> str:
        """Under NAME:TAG (or NAME@DIGEST) and under its digest."""
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        repository, _, version = name.rpartition(":")
        digest = digest_of(data)
        for key in (version, digest):
            self.manifests[f"/v2/{repository}/manifests/{key}"] = (media_type, data)
        return digest

    def add_image(self, name: str, layers: list[bytes], *, config: Any = None) -> str:
        """An image of uncompressed layers; the digest of its manifest."""
        document = config or {
            "os": "linux",
            "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.add_manifest(
            name,
            {
                "schemaVersion": 2,
                "mediaType": media_types.OCI_MANIFEST,
                "config": self._descriptor(data, media_types.OCI_CONFIG),
                "layers": [self._descriptor(layer, media_types.OCI_LAYER) for layer in layers],
            },
        )

    def _descriptor(self, data: bytes, media_type: str) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": self.add_blob(data), "size": len(data)}

    def reply_to(self, seen: Seen) -> Reply:
        for part, replies in self._faults:
            if part in seen.path and replies:
                reply = replies.pop(0)
                if reply.usual:
                    usual = self._usual(seen)
                    usual.headers = {**usual.headers, **reply.headers}
                    usual.cut, usual.hold = reply.cut, reply.hold
                    return usual
                return reply
        return self.answer(seen) or self._usual(seen)

    def broken_off(self, seen: Seen) -> None:
        """The connection ended within the body of a request, of which `seen` has the beginning."""

    def _usual(self, seen: Seen) -> Reply:
        if seen.path == "/v2/":
            return Reply(200, {}, b"{}")
        if seen.path in self.manifests:
            media_type, data = self.manifests[seen.path]
            headers = {"Content-Type": media_type, "Docker-Content-Digest": digest_of(data)}
            return Reply(200, headers, data)
        if "/blobs/" in seen.path:
            data = self.blobs.get(seen.path.rpartition("/")[2], b"")
            if data:
                return self._part(data, seen.headers.get("Range", ""))
        code = "BLOB_UNKNOWN" if "/blobs/" in seen.path else "MANIFEST_UNKNOWN"
        body = json.dumps({"errors": [{"code": code, "message": "not here"}]}).encode()
        return Reply(404, {"Content-Type": "application/json"}, body)

    def _part(self, data: bytes, wanted: str) -> Reply:
        spans = wanted.removeprefix("bytes=").split(",")
        if not wanted or not self.ranges or (len(spans) > 1 and not self.several):
            return Reply(200, {}, data)
        parts = []
        for span in spans:
            first, _, last = span.partition("-")
            start, end = int(first), min(int(last or len(data)) + 1, len(data))
            if start >= len(data):
                return Reply(416)
            parts.append((f"bytes {start}-{end - 1}/{len(data)}", data[start:end]))
        if len(parts) == 1:
            return Reply(206, {"Content-Range": parts[0][0]}, parts[0][1])
        body = b"".join(
            b"\r\n--cut\r\nContent-Type: x/y\r\nContent-Range: %b\r\n\r\n%b"
            % (place.encode(), part)
            for place, part in parts
        )
        kind = {"Content-Type": "multipart/byteranges; boundary=cut"}
        return Reply(206, kind, body + b"\r\n--cut--\r\n")


class _Handler(http.server.BaseHTTPRequestHandler):
    registry: FaultyRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        seen = Seen(
            self.command,
            self.path,
            {name.title(): value for name, value in self.headers.items()},
        )
        self.registry.requests.append(seen)
        seen.body = self._body(length)
        if len(seen.body) < length:
            self.close_connection = True
            self.registry.broken_off(seen)
            return
        reply = self.registry.reply_to(seen)
        if reply.hold is not None:
            reply.hold.wait(60)
        try:
            self._send(reply)
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True  # the client has seen enough

    def _body(self, length: int) -> bytes:
        """What the client sends, or what came until one of us hung up."""
        limit = self.registry.drop_after
        if self.registry.hold_bodies is None or not length:
            return self.rfile.read(length if limit is None else min(limit, length))
        begun, go_on = self.registry.hold_bodies
        first = self.rfile.read(min(length, limit or 0))
        begun.set()
        go_on.wait(60)
        try:
            return first + self.rfile.read(length - len(first))
        except ConnectionError:
            return first

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        headers = {"Content-Length": str(len(reply.body)), **reply.headers}
        if "Transfer-Encoding" in headers:
            del headers["Content-Length"]
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        body = reply.body if reply.cut is None else reply.body[: reply.cut]
        if self.registry.slow is not None and len(body) > self.registry.slow[0]:
            count, gate = self.registry.slow
            self.wfile.write(body[:count])
            gate.wait(60)
            body = body[count:]
        self.wfile.write(body)
        if reply.cut is not None:
            self.wfile.flush()
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  the base class calls them so

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class calls it so
        pass


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def small_layer(name: str = "file", content: bytes = b"content") -> bytes:
    return layer_tar([Entry(name, content)])
