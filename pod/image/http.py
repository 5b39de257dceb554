"""HTTP as registries need it: pooled connections, TLS, proxies, redirects, time limits, another attempt after a fault.

It knows nothing of images or tokens. Every failure leaves as a RegistryError. Used by several threads at once.
"""

from __future__ import annotations

import threading

from pod.base import log
from pod.base.records import Record
from pod.base.version import VERSION
from pod.image import failures
from pod.image.connections import Connections, Settings, Url, join_url, load_library, parse_url
from pod.image.proxies import is_loopback, proxy_for, split_host, without_password

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import urllib3

_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECTS_WITH_BODY = (307, 308)  # the others turn it into a GET; RFC 9110, 15.4
_WORTH_ANOTHER = (429, 500, 502, 503, 504)
_LONGEST_WAIT_SECONDS = 60
"""A server that asks to wait for longer is not waited for: Docker Hub asks for hours."""
_DRAIN_BYTES = 64 << 10
CHUNK_BYTES = 256 << 10


class Body(Record):
    """What a request carries: `size` bytes, which `chunks` gives anew for every attempt."""

    size: int
    chunks: Callable[[], Iterable[bytes]]
    media_type: str = "application/octet-stream"


class Response:
    """An answer whose body has not been read. Close it, or read it to its end."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, host: str, siblings: set[Response]) -> None:
        self.status = raw.status
        self.headers = raw.headers
        self._raw = raw
        self._host = host
        self._siblings = siblings

    def header(self, name: str) -> str:
        return str(self.headers.get(name, ""))

    def read(self, limit: int) -> bytes:
        """The body, at most `limit` bytes and one more, which tells that there are more. Closes the response."""
        try:
            parts, have = [], 0
            while have <= limit and (part := self._read(limit + 1 - have, decode=True)):
                parts.append(part)
                have += len(part)
            return b"".join(parts)
        finally:
            self.close()

    def chunks(self) -> Iterator[bytes]:
        """The body as it travels. Raises ConnectionLost or TimedOut when it breaks off."""
        while chunk := self._read(CHUNK_BYTES, decode=False):
            yield chunk

    def _read(self, count: int, *, decode: bool) -> bytes:
        from urllib3.exceptions import HTTPError  # heavy

        try:
            return self._raw.read(count, decode_content=decode)
        except (HTTPError, OSError) as error:
            raise failures.explain(error, self._host) from error

    def words(self) -> str:
        """What the body of an error says, for a person: the messages of a registry's JSON, else nothing."""
        return "; ".join(message for _, message in self.errors() if message)

    def errors(self) -> list[tuple[str, str]]:
        """The (code, message) pairs of an error body, "Errors" in the distribution specification. Reads the body."""
        import json

        try:
            document = json.loads(self.read(_DRAIN_BYTES))
            listed = document["errors"]
            return [(str(item.get("code", "")), str(item.get("message", ""))) for item in listed]
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return []
        except failures.RegistryError:
            return []  # the status is known; that the explanation is cut short does not matter

    def abort(self) -> None:
        """Let a read in another thread end at once."""
        shutdown = getattr(self._raw, "shutdown", None)  # urllib3 has it from version 2.3 on
        if shutdown is not None:
            try:
                shutdown()
            except (OSError, ValueError, RuntimeError):
                pass  # it has ended by itself, and its connection may be somebody else's by now

    def close(self) -> None:
        """Give the connection back when the body was read, else close it."""
        self._siblings.discard(self)
        if self._raw.closed or self._raw.length_remaining == 0:
            self._raw.release_conn()
        else:
            self._raw.close()


class HttpClient:
    """Connections to any number of hosts. `notify` is told of every further attempt; `close` ends all."""

    def __init__(
        self, settings: Settings | None = None, notify: Callable[[str], None] = log.debug
    ) -> None:
        self.settings = settings or Settings()
        self.notify = notify
        self._connections = Connections(self.settings)
        self._cancelled = threading.Event()
        self._open: set[Response] = set()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        insecure: bool = False,
        names: tuple[str, ...] = (),
        fields: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Response:
        """Send a request that may be repeated, follow redirects, and return the answer, whatever its status.

        `insecure` accepts any certificate and redirects to plain HTTP. `names` are further names of the host, under
        which its certificates may be filed. `fields` are sent as a form. Raises RegistryError.
        """
        if fields is not None:
            body = _form(fields)
        target = parse_url(url)
        attempt = 0
        while True:
            try:
                response = self._follow(method, target, dict(headers), insecure, names, body)
            except failures.RegistryError as error:
                if not error.transient or attempt >= self.settings.retries:
                    raise
                failure: failures.RegistryError = error
                asked = None
            else:
                if response.status not in _WORTH_ANOTHER:
                    return response
                asked = retry_after(response)
                if attempt >= self.settings.retries or is_too_long(asked):
                    return response
                failure = _failed(response, target.authority, asked)
            attempt += 1
            self.pause(attempt, failure, asked)

    def request_once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        insecure: bool = False,
        names: tuple[str, ...] = (),
        body: Body | None = None,
    ) -> Response:
        """As `request`, without another attempt: to find out what a server is, or for what cannot be repeated."""
        return self._follow(method, parse_url(url), dict(headers), insecure, names, body)

    def pause(
        self, attempt: int, failure: failures.RegistryError, asked: float | None = None
    ) -> None:
        """Wait before attempt number `attempt`, counted from 1, and say why. Raises Cancelled."""
        delay = self.settings.retry_delay_seconds
        seconds = asked if asked is not None else 2.0 ** (attempt - 1) if delay is None else delay
        self.notify(f"{failure.message}; trying again in {seconds:g} seconds")
        if self._cancelled.wait(seconds):
            raise failures.Cancelled

    def cancel(self) -> None:
        """Let every waiting or later request fail with Cancelled, and break off those under way. From any thread."""
        self._cancelled.set()
        for response in list(self._open):
            response.abort()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def close(self) -> None:
        """Close the connections that are idle. Requests under way go on."""
        self._connections.close()

    def _follow(
        self,
        method: str,
        target: Url,
        headers: dict[str, str],
        insecure: bool,
        names: tuple[str, ...],
        body: Body | None,
    ) -> Response:
        first = target
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._send(method, target, headers, insecure, names, body)
            location = response.header("Location")
            followed = _REDIRECTS if body is None else _REDIRECTS_WITH_BODY
            if response.status not in followed or not location:
                return response
            response.read(_DRAIN_BYTES)
            following = join_url(target, location)
            if following is None:
                raise failures.UnexpectedAnswer(first.authority, "it redirects to no valid address")
            if following.scheme == "http" and target.scheme == "https" and not insecure:
                raise failures.UnexpectedAnswer(first.authority, "it redirects to plain HTTP")
            if (following.host, following.port) != (target.host, target.port):
                # The other host is trusted with the content, which has a digest, not with the credentials.
                headers.pop("Authorization", None)
                names = ()
            log.debug(f"{method} {target} is redirected to {following.authority}")
            target = following
        raise failures.UnexpectedAnswer(first.authority, "it redirects without end")

    def _send(
        self,
        method: str,
        target: Url,
        headers: dict[str, str],
        insecure: bool,
        names: tuple[str, ...],
        body: Body | None,
    ) -> Response:
        load_library()
        import urllib3
        from urllib3.exceptions import HTTPError

        if self._cancelled.is_set():
            raise failures.Cancelled
        proxy = proxy_for(target.scheme, target.host, target.port)
        sent = {"User-Agent": f"pod/{VERSION}", "Accept-Encoding": "identity", **headers}
        if body is not None:
            sent |= {"Content-Length": str(body.size), "Content-Type": body.media_type}
        through_proxy = proxy and target.scheme == "http"
        way = f" through {without_password(proxy)}" if proxy else ""
        log.debug(f"{method} {target}{way}")
        try:
            pool = self._connections.pool(target, proxy, insecure=insecure, names=names)
            raw = pool.urlopen(
                method,
                str(target) if through_proxy else target.path,
                body=body.chunks() if body is not None and body.size else None,
                headers=sent,
                retries=False,
                redirect=False,
                assert_same_host=False,  # a proxy is asked for other hosts than itself
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(
                    connect=self.settings.connect_seconds, read=self.settings.idle_seconds
                ),
            )
        except (HTTPError, OSError) as error:
            raise failures.explain(error, target.authority, proxy) from error
        response = Response(raw, target.authority, self._open)
        self._open.add(response)
        return response


def _form(fields: Mapping[str, str]) -> Body:
    from urllib.parse import urlencode

    data = urlencode(fields).encode()
    return Body(len(data), lambda: (data,), "application/x-www-form-urlencoded")


def is_too_long(asked_seconds: float | None) -> bool:
    """Whether a server asks to wait for longer than anybody would."""
    return asked_seconds is not None and asked_seconds > _LONGEST_WAIT_SECONDS


def retry_after(response: Response) -> float | None:
    """Seconds to wait; the header has a number or a date, RFC 9110, 10.2.3."""
    text = response.header("Retry-After")
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    import time
    from email.utils import parsedate_to_datetime  # heavy

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _failed(response: Response, host: str, asked: float | None) -> failures.RegistryError:
    if response.status == 429:
        response.read(_DRAIN_BYTES)
        return failures.TooManyRequests(host, asked)
    return failures.ServerFailed(host, response.status, response.words())


def failure_of(response: Response, registry: str) -> failures.RegistryError:
    """The error that an answer with an unusable status stands for."""
    if response.status == 429:
        return _failed(response, registry, retry_after(response))
    if response.status >= 500:
        return _failed(response, registry, None)
    words = failures.said(response.words())
    return failures.UnexpectedAnswer(registry, f"status {response.status}{words}")


def is_local(host: str) -> bool:
    """Whether HOST[:PORT] is this machine."""
    return is_loopback(split_host(host, 0)[0])
