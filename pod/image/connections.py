"""Connections to registries: parts of a URL, and one pool of connections for each server."""

from __future__ import annotations

import sys
import threading

from pod.base.records import Record
from pod.image import failures, tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_POOLED = 8


class Settings(Record):
    """How to connect. `cert_dir` replaces all certs.d. `retry_delay_seconds` None doubles from one second on."""

    retries: int = 3
    retry_delay_seconds: float | None = None
    connect_seconds: float = 10
    idle_seconds: float = 60
    cert_dir: str | None = None


class Url(Record):
    """The parts of a URL that decide where a request goes."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def shown_host(self) -> str:
        """The host as URLs have it: IPv6 in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        usual = 443 if self.scheme == "https" else 80
        return self.shown_host if self.port == usual else f"{self.shown_host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def load_library() -> None:
    """Import urllib3, without what it needs for HTTP/2 alone: that takes a sixth of the time of the whole import."""
    name = "importlib.metadata"
    if "urllib3" in sys.modules or name in sys.modules:
        return
    sys.modules[name] = stand_in = type(sys)(name)
    stand_in.version = _version  # type: ignore[attr-defined]  # a module has what it is given
    try:
        import urllib3  # noqa: F401  heavy
    except ImportError:
        pass  # another release, which takes more from there: whoever imports it gets it whole
    finally:
        del sys.modules[name]


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


class Connections:
    """Pools, made when they are first needed. Used by several threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pools: dict[tuple[str, str, int, bool], Any] = {}
        self._managers: dict[str, Any] = {}
        self._lock = threading.Lock()

    def pool(self, target: Url, proxy: str, *, insecure: bool, names: tuple[str, ...]) -> Any:
        """The pool for a server. `names` are what else it is called, for its certificates; without any, it is not
        the registry itself but a place that it redirects to."""
        key = (target.scheme, target.host, target.port, insecure)
        with self._lock:
            if key not in self._pools:
                if target.scheme == "https":
                    self._pools[key] = self._secure(target, proxy, insecure, names)
                else:
                    self._pools[key] = self._plain(target, proxy)
            return self._pools[key]

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            for manager in self._managers.values():
                manager.clear()
            self._pools.clear()
            self._managers.clear()

    def _plain(self, target: Url, proxy: str) -> Any:
        import urllib3  # heavy

        if proxy:
            return self._manager(proxy).connection_from_host(target.shown_host, target.port, "http")
        return urllib3.HTTPConnectionPool(target.shown_host, target.port, maxsize=_POOLED)

    def _secure(self, target: Url, proxy: str, insecure: bool, names: tuple[str, ...]) -> Any:
        import urllib3  # heavy

        known = (*names, target.authority, f"{target.shown_host}:{target.port}")
        context = tls.context_for(
            tuple(dict.fromkeys(known)),
            verify=not insecure,
            directory=self._settings.cert_dir if names else None,
        )
        settings: dict[str, Any] = {"ssl_context": context, "maxsize": _POOLED}
        if insecure:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            settings |= {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        if proxy:
            manager = self._manager(proxy)
            return manager.connection_from_host(
                target.shown_host, target.port, "https", pool_kwargs=settings
            )
        return urllib3.HTTPSConnectionPool(target.shown_host, target.port, **settings)

    def _manager(self, proxy: str) -> Any:
        import urllib3  # heavy

        if proxy not in self._managers:
            headers = None
            userinfo = urllib3.util.parse_url(proxy).auth
            if userinfo:
                from urllib.parse import unquote

                headers = urllib3.util.make_headers(proxy_basic_auth=unquote(userinfo))
            self._managers[proxy] = urllib3.ProxyManager(proxy, proxy_headers=headers)
        return self._managers[proxy]


def parse_url(text: str) -> Url:
    """An http or https URL. Raises UnexpectedAnswer for anything else: URLs come from servers."""
    url = _parsed(text)
    if url is None:
        raise failures.UnexpectedAnswer(text[:100], "it is no http or https address")
    return url


def _parsed(text: str) -> Url | None:
    from urllib.parse import urlsplit  # heavy

    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    path = parts.path or "/"
    if parts.query:
        path = f"{path}?{parts.query}"
    if not path.isascii() or any(c <= " " or c == "\x7f" for c in path + parts.hostname):
        return None
    return Url(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), path)


def join_url(base: Url, location: str) -> Url | None:
    """Where a redirect leads; None when that is no http or https address."""
    from urllib.parse import urljoin

    try:
        return _parsed(urljoin(str(base), location))
    except ValueError:
        return None
