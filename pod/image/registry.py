"""The registry API, as far as reading goes: manifests, blobs, tags.

Source: OCI distribution specification, "Pull". One Registry stands for one repository at one endpoint.
"""

from __future__ import annotations

from _thread import allocate_lock

from pod.base import log
from pod.base.records import Record
from pod.image import failures
from pod.image.connections import parse_url
from pod.image.http import failure_of, is_local
from pod.image.media_types import ACCEPTED
from pod.spec.digest import algorithm_of, is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from pod.image.auth import Credentials
    from pod.image.http import Body, HttpClient, Response
    from pod.image.names import Endpoint
    from pod.image.token import Authorizer

MAX_MANIFEST_BYTES = 4 << 20
_MOST_RANGES = 100  # in one request: servers take 8 KiB of headers
MOST_REQUESTS = 40  # for ranges one by one: each takes as long as the way there and back
_MAX_TAGS = 100_000
_TAG_PAGE_BYTES = 16 << 20


class FetchedManifest(Record):
    """A manifest or index as it came: bytes, what the server called it, and the digest we computed."""

    data: bytes
    media_type: str
    digest: str


class BlobStream:
    """A blob on its way. `offset` is where it really begins, which is 0 for servers that cannot continue."""

    def __init__(self, response: Response, offset: int, size: int | None) -> None:
        self.offset = offset
        self.size = size
        """The size of the whole blob, when the server says it."""
        self._response = response

    def chunks(self) -> Iterator[bytes]:
        return self._response.chunks()

    def close(self) -> None:
        self._response.close()


class Registry:
    """One repository at one endpoint. Used by several threads at once, after the first request.

    `find_credentials` is called when the registry asks for them, once.
    """

    def __init__(
        self,
        http: HttpClient,
        endpoint: Endpoint,
        find_credentials: Callable[[], Credentials | None] = lambda: None,
    ) -> None:
        self.endpoint = endpoint
        self.http = http
        self._find_credentials = find_credentials
        self._authorizer: Authorizer | None = None
        self._scheme = ""
        self._lock = allocate_lock()

    def manifest(self, version: str) -> FetchedManifest:
        """The manifest or index with a tag or digest. Raises ManifestUnknown, WrongManifestDigest, RegistryError."""
        what = f"manifest '{version}' of '{self.endpoint.name}'"
        response = self._get(f"manifests/{version}", {"Accept": ", ".join(ACCEPTED)})
        if response.status == 404:
            raise self._unknown_manifest(response, version)
        if response.status != 200:
            raise failure_of(response, self.endpoint.registry)
        data = response.read(MAX_MANIFEST_BYTES)
        if len(data) > MAX_MANIFEST_BYTES:
            raise failures.AnswerTooLarge(self.endpoint.registry, what, MAX_MANIFEST_BYTES)
        declared = response.header("Docker-Content-Digest")
        expected = version if is_digest(version) else declared if is_digest(declared) else ""
        digest = _digest_of(data, algorithm_of(expected) if expected else "sha256")
        if expected and digest != expected:
            raise failures.WrongManifestDigest(what, expected, digest)
        return FetchedManifest(data, response.header("Content-Type"), digest)

    def manifest_digest(self, version: str) -> str | None:
        """What the registry says is the digest of a tag, without fetching it; None when it does not say."""
        response = self._get(f"manifests/{version}", {"Accept": ", ".join(ACCEPTED)}, method="HEAD")
        response.close()
        if response.status == 404:
            raise failures.ManifestUnknown(self._shown(version), self.endpoint.registry)
        if response.status != 200:
            raise failure_of(response, self.endpoint.registry)
        declared = response.header("Docker-Content-Digest")
        return declared if is_digest(declared) else None

    def expect_blob(self, digest: str) -> None:
        """Ask for a blob that `blob` will be called for soon, so that the registry makes up its answer meanwhile."""
        authorization = self._authorization(self.scope("pull"))
        self.http.ask_early(
            self.url(f"blobs/{digest}"),
            {"Authorization": authorization} if authorization else {},
            insecure=self.endpoint.insecure,
            names=self._names(),
        )

    def blob(self, digest: str, offset: int = 0) -> BlobStream:
        """Begin to read a blob, from `offset` on if the server can; the caller closes it.

        Raises BlobUnknown, RegistryError.
        """
        from pod.image import byteranges

        headers = {"Range": f"bytes={offset}-"} if offset else {}
        response = self._get(f"blobs/{digest}", headers)
        if response.status == 416 and offset:
            response.close()
            return self.blob(digest)  # what we have is not a beginning of what they have
        if response.status == 404:
            response.close()
            raise failures.BlobUnknown(digest, self.endpoint.name)
        if response.status == 206:
            start, _, size = byteranges.content_range(response.header("Content-Range"))
            if start != offset:
                response.close()
                raise failures.UnexpectedAnswer(
                    self.endpoint.registry, "it sends another part of a blob than it was asked for"
                )
            return BlobStream(response, offset, size)
        if response.status != 200:
            raise failure_of(response, self.endpoint.registry)
        return BlobStream(response, 0, byteranges.whole_number(response.header("Content-Length")))

    def blob_ranges(self, digest: str, ranges: Sequence[tuple[int, int]]) -> Generator[bytes]:
        """The bytes of ranges (start, end) of a blob, which are in order and apart; close the generator.

        Several are asked for in one request where the server answers that with several. Raises RangesRefused when it
        gives no ranges at all, or must be asked for more than MOST_REQUESTS one by one; RegistryError.
        """
        from pod.image import byteranges

        together = _MOST_RANGES
        at = 0
        while at < len(ranges):
            wanted = ranges[at : at + together]
            text = ",".join(f"{start}-{end - 1}" for start, end in wanted)
            response = self._get(f"blobs/{digest}", {"Range": f"bytes={text}"})
            try:
                if response.status == 206:
                    yield from byteranges.content(response, wanted, self.endpoint.registry)
                    at += len(wanted)
                elif (
                    response.status in (200, 416)
                    and len(wanted) > 1
                    and len(ranges) - at <= MOST_REQUESTS
                ):
                    together = 1  # servers for files that cannot give several, such as S3
                elif response.status in (200, 416):
                    raise failures.RangesRefused(self.endpoint.registry)
                elif response.status == 404:
                    raise failures.BlobUnknown(digest, self.endpoint.name)
                else:
                    raise failure_of(response, self.endpoint.registry)
            finally:
                response.close()

    def small_blob(self, digest: str, size: int) -> bytes:
        """A blob that is held in memory, such as a configuration; its digest is the caller's to check."""
        stream = self.blob(digest)
        try:
            if stream.size is not None and stream.size != size:
                raise failures.UnexpectedAnswer(
                    self.endpoint.registry,
                    f"blob '{digest}' has {stream.size} bytes and should have {size}",
                )
            parts, have = [], 0
            for chunk in stream.chunks():
                have += len(chunk)
                if have > size:
                    raise failures.AnswerTooLarge(self.endpoint.registry, f"blob '{digest}'", size)
                parts.append(chunk)
            return b"".join(parts)
        finally:
            stream.close()

    def tags(self) -> list[str]:
        """All tags of the repository, page by page."""
        import json

        found: list[str] = []
        path = "tags/list"
        while path:
            response = self._get(path, {"Accept": "application/json"})
            if response.status == 404:
                response.close()
                raise failures.RepositoryUnknown(self.endpoint.repository, self.endpoint.registry)
            if response.status != 200:
                raise failure_of(response, self.endpoint.registry)
            link = response.header("Link")
            try:
                listed = json.loads(response.read(_TAG_PAGE_BYTES)).get("tags") or []
                found.extend(tag for tag in listed if isinstance(tag, str))
            except (ValueError, RecursionError, AttributeError, TypeError) as error:
                raise failures.UnexpectedAnswer(
                    self.endpoint.registry, "its list of tags is none"
                ) from error
            path = _next_page(link) if listed and len(found) < _MAX_TAGS else ""
        return found

    def _get(self, path: str, headers: dict[str, str], method: str = "GET") -> Response:
        """A request below the repository, to read."""
        return self.ask(self.url(path), headers, self.scope("pull"), method)

    def ask(
        self, url: str, headers: dict[str, str], scope: str = "", method: str = "GET"
    ) -> Response:
        """A request that may be repeated, with whatever permission it takes. Raises Unauthorized, RegistryError."""
        response = self.send(method, url, headers, scope)
        if response.status in (401, 403):
            response.close()
            raise failures.Unauthorized(self.endpoint.name, self.endpoint.registry, self.user)
        return response

    @property
    def root(self) -> str:
        """The address of the API itself, with a slash at its end."""
        return f"{self._base()}/v2/"

    @property
    def user(self) -> str:
        """Who the registry knows us as; empty for nobody."""
        return self._authorizer.user if self._authorizer is not None else ""

    def url(self, path: str) -> str:
        """The address of what is at `path` below the repository."""
        return f"{self._base()}/v2/{self.endpoint.repository}/{path}"

    def scope(self, actions: str) -> str:
        """What a token has to allow for these actions, such as "pull,push"."""
        return f"repository:{self.endpoint.repository}:{actions}"

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        scope: str,
        *,
        body: Body | None = None,
        repeatable: bool = True,
    ) -> Response:
        """A request with whatever permission it takes; the answer may be 401 or 403 all the same.

        `scope` is one or several, with a space between them. Another host than the registry's gets no credentials.
        Unless it is `repeatable`, a request is sent again only after a refusal. Raises RegistryError.
        """
        endpoint, http = self.endpoint, self.http
        request = http.request if repeatable else http.request_once
        names, base = self._names(), self._base()
        target, own = parse_url(url), parse_url(base)
        if (target.scheme, target.authority) != (own.scheme, own.authority):
            return request(method, url, headers, insecure=endpoint.insecure, body=body)
        first = None
        if not self._scheme:
            first = self._plain_answer(url, headers, method) if body is None else None
            self._scheme = "http" if first is not None else self._choose_scheme()
            url = f"{self._base()}{url.removeprefix(base)}"
        authorization = self._authorization(scope)
        for _ in range(2):
            sent = {**headers, "Authorization": authorization} if authorization else headers
            response = first or request(
                method, url, sent, insecure=endpoint.insecure, names=names, body=body
            )
            first = None
            if response.status != 401:
                break
            challenges = response.headers("WWW-Authenticate")
            response.read(MAX_MANIFEST_BYTES)
            authorization = self._authorized().renew(scope, authorization, challenges)
            if authorization is None:
                break
        return response

    def _authorization(self, scope: str) -> str | None:
        """The header that the registry is known to want."""
        return self._authorizer.header(scope) if self._authorizer is not None else None

    def _authorized(self) -> Authorizer:
        """What gets permissions; many registries on this machine never ask for any."""
        from pod.image.token import Authorizer

        with self._lock:
            if self._authorizer is None:
                self._authorizer = Authorizer(self.http, self.endpoint, self._find_credentials)
            return self._authorizer

    def _names(self) -> tuple[str, ...]:
        return (self.endpoint.registry, self.endpoint.host)

    def _base(self) -> str:
        """With "http" for a registry on this machine, until the first answer tells what is spoken there."""
        with self._lock:
            if not self._scheme and (self.endpoint.strict or not is_local(self.endpoint.host)):
                self._scheme = self._choose_scheme()
            return f"{self._scheme or 'http'}://{self.endpoint.host}"

    def _plain_answer(self, url: str, headers: Mapping[str, str], method: str) -> Response | None:
        """The answer to the first request when plain HTTP is spoken on this machine; None when perhaps it is not.

        Nobody listens there, so nothing is lost by asking in the clear what needs no credentials. A server for TLS
        says at once that it is one, while one for plain HTTP may wait for ever for the end of a line in what was a TLS
        greeting.
        """
        if method not in ("GET", "HEAD"):
            return None
        try:
            response = self.http.request(
                method,
                url,
                headers,
                insecure=self.endpoint.insecure,
                names=self._names(),
                probing=True,
            )
        except failures.ConnectionLost as error:
            log.debug(f"asking by plain HTTP: {error.message}")
            return None
        if response.status == 400:  # what servers for TLS answer to plain HTTP
            response.close()
            return None
        return response

    def _choose_scheme(self) -> str:
        """https, unless plain HTTP is allowed and the server speaks nothing else."""
        endpoint = self.endpoint
        local = is_local(endpoint.host)
        if endpoint.strict or not (local or endpoint.insecure):
            return "https"
        if local and self._answers_plainly():
            return "http"
        try:
            self._ping("https")
        except (failures.NoTls, failures.ConnectionRefused, failures.TimedOut) as error:
            log.debug(f"{error.message}; trying plain HTTP")
            return "http"
        except failures.RegistryError as error:
            log.debug(f"asking for TLS: {error.message}")
        return "https"

    def _answers_plainly(self) -> bool:
        try:
            return self._ping("http") != 400
        except failures.ConnectionLost:
            return False

    def _ping(self, scheme: str) -> int:
        response = self.http.request_once(
            "GET",
            f"{scheme}://{self.endpoint.host}/v2/",
            {},
            insecure=self.endpoint.insecure,
            names=self._names(),
        )
        response.read(MAX_MANIFEST_BYTES)
        return response.status

    def _unknown_manifest(self, response: Response, version: str) -> failures.RegistryError:
        codes = [code for code, _ in response.errors()]
        if "NAME_UNKNOWN" in codes:
            return failures.RepositoryUnknown(self.endpoint.repository, self.endpoint.registry)
        return failures.ManifestUnknown(self._shown(version), self.endpoint.registry)

    def _shown(self, version: str) -> str:
        return f"{self.endpoint.repository}{'@' if ':' in version else ':'}{version}"


def _digest_of(data: bytes, algorithm: str) -> str:
    import hashlib  # heavy

    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def _next_page(link: str) -> str:
    """The path below the repository in a Link header, RFC 8288; registries give `</v2/NAME/tags/list?...>`."""
    target, _, rest = link.partition(">")
    if 'rel="next"' not in rest and "rel=next" not in rest:
        return ""
    _, found, query = target.lstrip(" <").partition("/tags/list")
    return f"tags/list{query}" if found else ""
