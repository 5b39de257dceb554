"""HTTP as registries need it: pooled connections, TLS, proxies, redirects, time limits, another attempt after a fault.

It knows nothing of images or tokens. Every failure leaves as a RegistryError. Used by several threads at once.
"""

from __future__ import annotations

from _thread import allocate_lock

from pod.base import log
from pod.base.records import Record
from pod.base.version import VERSION
from pod.image import failures
from pod.image.answer import NotHttp
from pod.image.connections import Connections, Settings, Url, join_url, parse_url
from pod.image.proxies import is_loopback, parse_proxy, proxy_for, split_host, without_password

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pod.image.answer import Answer
    from pod.image.wire import Wire

_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECTS_WITH_BODY = (307, 308)  # the others turn it into a GET; RFC 9110, 15.4
_WORTH_ANOTHER = (429, 500, 502, 503, 504)
_LONGEST_WAIT_SECONDS = 60
"""A server that asks to wait for longer is not waited for: Docker Hub asks for hours."""
_WITH_LENGTH = ("POST", "PUT", "PATCH")
"""Where no body is a body of no length; RFC 9110, 8.6."""
_DRAIN_BYTES = 64 << 10


class Body(Record):
    """What a request carries: `size` bytes, which `chunks` gives anew for every attempt."""

    size: int
    chunks: Callable[[], Iterable[bytes]]
    media_type: str = "application/octet-stream"


class Response:
    """An answer whose body has not been read. Close it, or read it to its end."""

    def __init__(self, answer: Answer, wire: Wire, host: str, connections: Connections) -> None:
        self.status = answer.status
        self._answer = answer
        self._wire: Wire | None = wire
        self._host = host
        self._connections = connections

    def header(self, name: str) -> str:
        """Its values, with commas between them; empty when it is not there."""
        return self._answer.header(name.lower())

    def headers(self, name: str) -> list[str]:
        """Its values, one by one."""
        return [value for known, value in self._answer.headers if known == name.lower()]

    def read(self, limit: int) -> bytes:
        """The body, at most `limit` bytes and one more, which tells that there are more. Closes the response."""
        inflate = self._inflater()
        try:
            parts, have = [], 0
            while have <= limit and (part := self._part()):
                parts.append(inflate(part, limit + 1 - have) if inflate else part)
                have += len(parts[-1])
            return b"".join(parts)[: limit + 1]
        finally:
            self.close()

    def chunks(self) -> Iterator[bytes]:
        """The body as it travels. Raises ConnectionLost or TimedOut when it breaks off."""
        while chunk := self._part():
            yield chunk

    def _inflater(self) -> Callable[[bytes, int], bytes] | None:
        """For what a server has compressed although it was asked not to."""
        if self.header("Content-Encoding").lower() not in ("gzip", "x-gzip", "deflate"):
            return None
        import zlib

        decompress = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress

        def inflate(part: bytes, limit: int) -> bytes:
            try:
                return decompress(part, limit)
            except zlib.error as error:
                raise failures.UnexpectedAnswer(self._host, "it is badly compressed") from error

        return inflate

    def _part(self) -> bytes:
        """What comes next of the body, and nothing at its end."""
        answer = self._answer
        try:
            while not answer.body and not answer.is_complete:
                data = self._wire.receive() if self._wire is not None else b""
                if data:
                    answer.feed(data)
                else:
                    answer.end()
        except (NotHttp, OSError) as error:
            self.close()
            raise failures.explain(error, self._host) from error
        if not answer.body:
            self.close()
            return b""
        part = answer.body[0] if len(answer.body) == 1 else b"".join(answer.body)
        answer.body.clear()
        return part

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

    def close(self) -> None:
        """Give the connection back when all of the body has come, else close it."""
        wire, self._wire = self._wire, None
        if wire is not None:
            answer = self._answer
            self._connections.give_back(wire, can_stay=answer.is_complete and answer.can_stay)


class Flag:
    """What is set once, and can be waited for: threading.Event, for less than 4 ms of import."""

    def __init__(self) -> None:
        self.is_set = False
        self._lock = allocate_lock()
        self._lock.acquire()

    def set(self) -> None:
        self.is_set = True
        try:
            self._lock.release()
        except RuntimeError:
            pass  # it is set already

    def wait(self, seconds: float) -> bool:
        """Whether it is set, at the latest after so many seconds."""
        if self._lock.acquire(timeout=seconds):
            self._lock.release()
        return self.is_set


class HttpClient:
    """Connections to any number of hosts. `notify` is told of every further attempt; `close` ends all."""

    def __init__(
        self, settings: Settings | None = None, notify: Callable[[str], None] = log.debug
    ) -> None:
        self.settings = settings or Settings()
        self.notify = notify
        self._connections = Connections(self.settings)
        self._cancelled = Flag()
        self._meanwhile: Callable[[], object] | None = None
        self._early: dict[str, tuple[Mapping[str, str], Wire]] = {}

    def meanwhile(self, function: Callable[[], object]) -> None:
        """Call it once, when the next request has been sent and before its answer is waited for."""
        self._meanwhile = function

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
        probing: bool = False,
    ) -> Response:
        """Send a request that may be repeated, follow redirects, and return the answer, whatever its status.

        `insecure` accepts any certificate and redirects to plain HTTP. `names` are further names of the host, under
        which its certificates may be filed. `fields` are sent as a form. When `probing`, the first attempt must bring
        an answer, whatever its status. Raises RegistryError.
        """
        if fields is not None:
            body = _form(fields)
        target = parse_url(url)
        attempt = 0
        while True:
            try:
                response = self._follow(method, target, dict(headers), insecure, names, body)
            except failures.RegistryError as error:
                spent = attempt >= self.settings.retries or (probing and attempt == 0)
                if spent or not error.transient:
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

    def ask_early(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        insecure: bool = False,
        names: tuple[str, ...] = (),
    ) -> None:
        """Send a GET for which `request` will be called soon: with the same headers, it takes this one's answer.

        What goes wrong here is left to that call, which asks again.
        """
        target = parse_url(url)
        try:
            wire, address, sent = self._ready("GET", target, headers, insecure, names, None)
        except failures.RegistryError as error:
            log.debug(f"asking early: {error.message}")
            return
        try:
            wire.send("GET", address, sent)
        except OSError as error:
            log.debug(f"asking early: {error}")
            self._connections.give_back(wire, can_stay=False)
            return
        self._early[str(target)] = (dict(headers), wire)

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
        self._connections.shut_down()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set

    def close(self) -> None:
        """Close the connections that are idle. Requests under way go on, but for those that were sent early."""
        early, self._early = self._early, {}
        for _, wire in early.values():
            self._connections.give_back(wire, can_stay=False)
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
        connections, host = self._connections, target.authority
        asked, wire = (
            self._early.pop(str(target), (None, None)) if method == "GET" else (None, None)
        )
        if wire is not None and asked != headers:
            connections.give_back(wire, can_stay=False)
            wire = None
        broken = None
        try:
            if wire is None:
                wire, address, sent = self._ready(method, target, headers, insecure, names, body)
                try:
                    wire.send(method, address, sent, body.chunks() if body is not None else ())
                except (BrokenPipeError, ConnectionResetError) as error:
                    broken = error  # before it hung up, it may have said why
            meanwhile, self._meanwhile = self._meanwhile, None
            if meanwhile is not None:
                meanwhile()
            answer = wire.head(method)
        except (NotHttp, OSError) as error:
            assert wire is not None
            connections.give_back(wire, can_stay=False)
            raise failures.explain(broken or error, host) from error
        except BaseException:  # of what gives the body
            if wire is not None:
                connections.give_back(wire, can_stay=False)
            raise
        return Response(answer, wire, host, connections)

    def _ready(
        self,
        method: str,
        target: Url,
        headers: Mapping[str, str],
        insecure: bool,
        names: tuple[str, ...],
        body: Body | None,
    ) -> tuple[Wire, str, Mapping[str, str]]:
        """A connection for a request, and the address and the headers to send. Raises RegistryError."""
        if self._cancelled.is_set:
            raise failures.Cancelled
        host = target.authority
        proxy = proxy_for(target.scheme, target.host, target.port)
        way = f" through {without_password(proxy)}" if proxy else ""
        log.debug(f"{method} {target}{way}")
        sent = {
            "Host": host,
            "User-Agent": f"pod/{VERSION}",
            "Accept-Encoding": "identity",
            **headers,
        }
        if body is not None:
            sent |= {"Content-Length": str(body.size), "Content-Type": body.media_type}
        elif method in _WITH_LENGTH:
            sent["Content-Length"] = "0"
        through = parse_proxy(proxy, host) if proxy else None
        address = target.path
        if through is not None and target.scheme == "http":
            address = str(target)
            if through.authorization:
                sent["Proxy-Authorization"] = through.authorization
        alone = headers.get("Connection") == "close"
        wire = self._connections.take(target, through, insecure=insecure, names=names, fresh=alone)
        return wire, address, sent


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
