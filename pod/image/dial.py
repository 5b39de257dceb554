"""A stream to a server: over TCP, perhaps through a proxy, perhaps with TLS."""

from __future__ import annotations

from pod.image import failures, tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable
    from typing import TypeVar

    from pod.image.connections import Url
    from pod.image.wire import Stream

    T = TypeVar("T")

_RECORD_BYTES = 64 << 10


def dial(target: Url, proxy: str, context: ssl.SSLContext | None, seconds: float) -> Stream:
    """A stream to `target`, or for plain HTTP to the proxy that is asked for it; whoever gets it closes it.

    `seconds` are for the connection, and for each step of the handshakes. Raises RegistryError.
    """
    stream: Stream
    if proxy:
        stream = _proxied(proxy, target, seconds)
    else:
        stream = _connected(target.host, target.port, target.authority, seconds)
    if context is None:
        return stream
    try:
        return _secured(stream, context, target.host)
    except OSError as error:
        stream.close()
        raise failures.explain_handshake(error, target.authority) from error


def proxy_login(proxy: str) -> str:
    """The value of Proxy-Authorization for a proxy whose URL has a user; otherwise empty."""
    from urllib.parse import unquote, urlsplit

    userinfo = urlsplit(proxy).netloc.rpartition("@")[0]
    if not userinfo:
        return ""
    import base64

    return f"Basic {base64.b64encode(unquote(userinfo).encode()).decode()}"


def _connected(host: str, port: int, shown: str, seconds: float) -> socket.socket:
    """Raises RegistryError about the server `shown`."""
    import socket

    try:
        # As bytes, a name needs no look into the tables of IDNA.
        name: str | bytes = host.encode() if host.isascii() else host
        made = socket.create_connection((name, port), seconds)  # type: ignore[arg-type]  # bytes do
    except (socket.gaierror, UnicodeError) as error:
        raise failures.UnknownHost(shown) from error
    except TimeoutError as error:
        raise failures.TimedOut(shown, "accept the connection") from error
    except OSError as error:
        raise failures.ConnectionRefused(shown, failures.os_reason(error)) from error
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _proxied(proxy: str, target: Url, seconds: float) -> Stream:
    """To the proxy, and for https through it. Raises ProxyFailed."""
    from urllib.parse import urlsplit

    shown = target.authority
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host:
        raise failures.ProxyFailed(proxy, shown, "that is no address")
    secure = parts.scheme == "https"
    try:
        stream: Stream = _connected(host, port or (443 if secure else 80), shown, seconds)
    except failures.RegistryError as error:
        raise failures.ProxyFailed(proxy, shown, failures.reason_of(error)) from error
    try:
        if secure:
            stream = _secured(stream, tls.context_for((), verify=True), host)
        if target.scheme == "https":
            _tunnel(stream, proxy, target)
    except OSError as error:
        stream.close()
        why = failures.reason_of(failures.explain_handshake(error, shown))
        raise failures.ProxyFailed(proxy, shown, why) from error
    except BaseException:
        stream.close()
        raise
    return stream


def _tunnel(stream: Stream, proxy: str, target: Url) -> None:
    """Have the proxy connect us to `target`; RFC 9110, 9.3.6. Raises OSError, ProxyFailed."""
    from pod.image import wire

    place = f"{target.shown_host}:{target.port}"
    headers = {"Host": place, "User-Agent": "pod"}
    if login := proxy_login(proxy):
        headers["Proxy-Authorization"] = login
    try:
        status = wire.Connection(stream).tunnel(place, headers)
    except wire.Garbled as error:
        raise failures.ProxyFailed(proxy, target.authority, "it does not speak HTTP") from error
    if status == 407:
        raise failures.ProxyFailed(proxy, target.authority, "it wants a user name and a password")
    if status // 100 != 2:
        raise failures.ProxyFailed(proxy, target.authority, f"it answered with status {status}")


def _secured(stream: Stream, context: ssl.SSLContext, host: str) -> Stream:
    """TLS around a stream, after the handshake. Raises OSError."""
    import socket
    import ssl

    context.set_alpn_protocols(["http/1.1"])
    if isinstance(stream, socket.socket) and not isinstance(stream, ssl.SSLSocket):
        return context.wrap_socket(stream, server_hostname=host)
    return _Inner(stream, context, host)


class _Inner:
    """TLS within the TLS of a proxy."""

    def __init__(self, outer: Stream, context: ssl.SSLContext, host: str) -> None:
        import ssl

        self._outer = outer
        self._come, self._go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._come, self._go, server_hostname=host)
        self._turn(self._tls.do_handshake)

    def recv(self, count: int, /) -> bytes:
        import ssl

        try:
            return self._turn(lambda: self._tls.read(count))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def sendall(self, data: bytes, /) -> None:
        self._turn(lambda: self._tls.write(data))  # all of it: memory takes any amount

    def settimeout(self, seconds: float | None, /) -> None:
        self._outer.settimeout(seconds)

    def fileno(self) -> int:
        return self._outer.fileno()

    def shutdown(self, how: int, /) -> None:
        import socket

        assert isinstance(self._outer, socket.socket)
        socket.socket.shutdown(self._outer, how)

    def close(self) -> None:
        self._outer.close()

    def _turn(self, step: Callable[[], T]) -> T:
        """Do a step of TLS, and bring what it has to say, or waits for, over the outer stream."""
        import ssl

        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._outer.recv(_RECORD_BYTES)
                if data:
                    self._come.write(data)
                else:
                    self._come.write_eof()
                continue
            except ssl.SSLError:
                self._flush()  # the alert
                raise
            self._flush()
            return result

    def _flush(self) -> None:
        if data := self._go.read():
            self._outer.sendall(data)
