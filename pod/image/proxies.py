"""Which proxy to use for a URL: HTTPS_PROXY, HTTP_PROXY, NO_PROXY, in lower case too.

The rules are those of Go's net/http, which every other engine has: this machine itself is never asked through a proxy.
"""

from __future__ import annotations

import os

from pod.base.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.image.wire import Proxy


def proxy_for(scheme: str, host: str, port: int) -> str:
    """The URL of the proxy for a request, or an empty text."""
    proxy = _setting("HTTPS_PROXY" if scheme == "https" else "HTTP_PROXY")
    if not proxy or is_loopback(host) or _is_excepted(host, port):
        return ""
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        raise Unsupported(
            f"the proxy '{without_password(proxy)}'", "only http and https proxies can be used"
        )
    return proxy


def parse_proxy(proxy: str, host: str) -> Proxy:
    """What `proxy_for` gives, in parts. Raises ProxyFailed; `host` is who was to be reached."""
    from urllib.parse import unquote, urlsplit  # heavy

    from pod.image import failures
    from pod.image.wire import Proxy

    try:
        parts = urlsplit(proxy)
        name, port = parts.hostname or "", parts.port
        if not name or not name.isascii():
            raise ValueError
    except ValueError:
        raise failures.ProxyFailed(proxy, host, "that is no address") from None
    authorization = ""
    userinfo, at, _ = parts.netloc.rpartition("@")
    if at:
        from base64 import b64encode

        authorization = "Basic " + b64encode(unquote(userinfo).encode()).decode()
    usual = 443 if parts.scheme == "https" else 80
    return Proxy(proxy, parts.scheme, name, port or usual, authorization)


def without_password(proxy: str) -> str:
    """The URL of a proxy for messages: who we are there is nobody's business."""
    scheme, between, rest = proxy.partition("://")
    return f"{scheme}{between}{rest.rpartition('@')[2]}"


def is_loopback(host: str) -> bool:
    """Whether `host`, without port, is this machine: "localhost", 127.0.0.0/8 or ::1."""
    bare = host.strip("[]").lower().rstrip(".")
    if bare in ("localhost", "::1"):
        return True
    parts = bare.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdecimal() for part in parts)


def split_host(host: str, default_port: int) -> tuple[str, int]:
    """HOST[:PORT], checked by the grammar of references, as host and port; IPv6 loses its brackets."""
    if host.startswith("["):
        address, _, port = host[1:].partition("]")
        return address, int(port[1:]) if port else default_port
    name, _, port = host.partition(":")
    return name, int(port) if port else default_port


def _setting(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower()) or ""


def _is_excepted(host: str, port: int) -> bool:
    """Whether NO_PROXY has the host: as a name, a suffix, an address or a network, perhaps with a port."""
    host = host.strip("[]").lower().rstrip(".")
    for word in _setting("NO_PROXY").split(","):
        pattern = word.strip().lower()
        if pattern == "*":
            return True
        if not pattern:
            continue
        name, colon, wanted_port = pattern.rpartition(":")
        if colon and wanted_port.isdecimal() and (":" not in name or name.startswith("[")):
            if int(wanted_port) != port:
                continue
            pattern = name.strip("[]")
        if _matches(host, pattern):
            return True
    return False


def _matches(host: str, pattern: str) -> bool:
    if "/" in pattern:
        return _in_network(host, pattern)
    pattern = pattern.removeprefix("*")
    if pattern.startswith("."):
        return host.endswith(pattern)
    return host == pattern or host.endswith(f".{pattern}")


def _in_network(host: str, network: str) -> bool:
    import ipaddress  # heavy

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
