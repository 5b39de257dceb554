"""TLS for registries: which authorities are trusted, and the client's own certificates.

A directory `certs.d/HOST[:PORT]` holds `*.crt` (authorities, in addition to the system's) and pairs `NAME.cert`,
`NAME.key` (what we show of ourselves). Source: containers-certs.d(5).
"""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Any

_RECORD_BYTES = 16 << 10


class CertificateUnusable(PodError):
    """A file in a certificate directory that cannot be loaded."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"certificate '{path}' cannot be used: {why}")


def context_for(
    hosts: tuple[str, ...], *, verify: bool, directory: str | None = None
) -> ssl.SSLContext:
    """A TLS context for a registry that is known under the names `hosts` (HOST[:PORT]).

    `directory` is used in place of all certs.d (`--cert-dir`). Raises CertificateUnusable.
    """
    import ssl  # heavy

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if verify:
        context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for path in [directory] if directory else certificate_directories(hosts):
        _load(context, path, verify=verify)
    return context


class TlsInside:
    """TLS to a server through another connection of TLS, to a proxy: what the one writes, the other carries."""

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, host: str) -> None:
        """Shakes hands. Raises OSError, ValueError."""
        import ssl  # heavy

        self._outer = outer
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._wants = ssl.SSLWantReadError
        self._ended = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
        self._inner = context.wrap_bio(
            self._arrived, self._leaving, server_hostname=host.rstrip(".")
        )
        self._do(self._inner.do_handshake)

    def send(self, data: bytes | memoryview) -> int:
        # One record: of what is written here nothing can be taken back.
        return int(self._do(self._inner.write, data[:_RECORD_BYTES]))

    def recv_into(self, buffer: bytearray) -> int:
        try:
            return int(self._do(self._inner.read, len(buffer), buffer))
        except self._ended:
            return 0

    def _do(self, act: Callable[..., Any], *arguments: Any) -> Any:
        while True:
            try:
                result = act(*arguments)
            except self._wants:
                self._flush()
                if data := self._outer.recv(_RECORD_BYTES):
                    self._arrived.write(data)
                else:
                    self._arrived.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if data := self._leaving.read():
            self._outer.sendall(data)


def certificate_directories(hosts: tuple[str, ...]) -> list[str]:
    """The directories of certs.d that exist for these hosts; the user's come first."""
    home = os.environ.get("HOME") or os.path.expanduser("~")
    config = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    roots = [f"{config}/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"]
    paths = [f"{root}/{host}" for root in roots for host in hosts]
    return [path for path in paths if os.path.isdir(path)]


def _load(context: ssl.SSLContext, directory: str, *, verify: bool) -> None:
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        raise CertificateUnusable(directory, "there is no such directory") from None
    except PermissionError:
        log.debug(f"{directory} is passed over: it cannot be read")
        return
    for name in names:
        path = f"{directory}/{name}"
        if name.endswith(".crt") and verify:
            _load_authority(context, path)
        elif name.endswith(".cert"):
            key = f"{path.removesuffix('.cert')}.key"
            if not os.path.exists(key):
                raise CertificateUnusable(path, f"its key '{key}' is missing")
            _load_own(context, path, key)
        elif name.endswith(".key") and f"{name.removesuffix('.key')}.cert" not in names:
            raise CertificateUnusable(path, "there is a key and no .cert beside it")


def _load_authority(context: ssl.SSLContext, path: str) -> None:
    import ssl

    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:  # before OSError, of which it is a kind
        raise CertificateUnusable(path, "it is no PEM certificate") from error
    except OSError as error:
        raise CertificateUnusable(path, error.strerror or "it cannot be read") from error


def _load_own(context: ssl.SSLContext, path: str, key: str) -> None:
    import ssl

    def no_password() -> str:
        raise CertificateUnusable(key, "it is encrypted, and nobody can be asked for its password")

    try:
        context.load_cert_chain(path, key, password=no_password)
    except ssl.SSLError as error:
        raise CertificateUnusable(
            path, "it is no PEM certificate, or does not fit its key"
        ) from error
    except OSError as error:
        raise CertificateUnusable(path, error.strerror or "it cannot be read") from error
