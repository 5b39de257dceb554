"""What can go wrong between us and a registry: one class for each thing that a person would act on differently.

`explain` and its like turn what sockets, ssl and the parser raise into these, by class and by number, never by words.
"""

from __future__ import annotations

import errno
import sys

from pod.base.errors import PodError
from pod.image.proxies import without_password

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

_SHOWN = 200  # characters of a server's own words that are worth showing
_AGAIN = "try again in a while; what has arrived is kept"
_UNVERIFIED = "--tls-verify=false, if you trust the network"
_PUSH_AGAIN = "ask the image's owner to push it again"

# X509_verify_cert_error(3)
_NOT_YET, _EXPIRED = 9, 10
_NAME_MISMATCH = (62, 64)
# What OpenSSL calls what a server says to the certificate that it was shown, or was not.
_WANTED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
_REFUSED = (
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "TLSV1_ALERT_UNKNOWN_CA",
)
# What OpenSSL calls it when the first bytes from the other side are no TLS record.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL")


class RegistryError(PodError):
    """A registry could not be used. `transient`: the same request may succeed a moment later."""

    transient = False
    wait_seconds: float | None = None
    """How long the registry asks to wait before that."""


class UnknownHost(RegistryError):
    def __init__(self, host: str) -> None:
        super().__init__(
            f"registry '{host}' cannot be found: no address is known for this name",
            hint="check the spelling and the network",
        )


class ConnectionRefused(RegistryError):
    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"registry '{host}' cannot be reached: {why}",
            hint="check the name, the port and the network",
        )


class ConnectionLost(RegistryError):
    """The connection broke while it was in use."""

    transient = True

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"the connection to registry '{host}' was lost: {why}", hint=_AGAIN)


class TimedOut(RegistryError):
    transient = True

    def __init__(self, host: str, what: str) -> None:
        super().__init__(f"registry '{host}' did not {what} in time", hint=_AGAIN)


class ProxyFailed(RegistryError):
    def __init__(self, proxy: str, host: str, why: str) -> None:
        shown = without_password(proxy)
        super().__init__(
            f"proxy '{shown}' could not be used to reach registry '{host}': {why}",
            hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
        )


class TlsFailed(RegistryError):
    """No secure connection; the subclasses are the reasons that have a name."""

    def __init__(self, host: str, why: str, *, hint: str | None = None) -> None:
        super().__init__(
            f"registry '{host}' cannot be trusted: {why}",
            hint=hint or _UNVERIFIED,
        )


class CertificateExpired(TlsFailed):
    """Its time is over, or has not begun: `early`."""

    def __init__(self, host: str, *, early: bool = False) -> None:
        why = "is not valid yet" if early else "has expired"
        super().__init__(
            host,
            f"its certificate {why}",
            hint=f"check the clock of this machine; if that is right, its owner has to renew it; {_UNVERIFIED}",
        )


class CertificateForOtherName(TlsFailed):
    def __init__(self, host: str) -> None:
        super().__init__(
            host,
            "its certificate is for another name",
            hint=f"use a name that the certificate has; {_UNVERIFIED}",
        )


class UnknownAuthority(TlsFailed):
    def __init__(self, host: str) -> None:
        super().__init__(
            host,
            "its certificate is signed by an unknown authority",
            hint=f"put the authority's certificate into ~/.config/containers/certs.d/{host}/ca.crt; {_UNVERIFIED}",
        )


class OwnCertificateWanted(TlsFailed):
    """It wants to know who we are, by a certificate; `refused`: by another one than it was shown."""

    def __init__(self, host: str, *, refused: bool = False) -> None:
        directory = f"~/.config/containers/certs.d/{host}"
        super().__init__(
            host,
            "it refuses your certificate" if refused else "it wants a certificate of yours",
            hint=f"put one that it knows into {directory}/me.cert, and its key into {directory}/me.key",
        )


class NoTls(TlsFailed):
    """The server speaks plain HTTP, or something else."""

    def __init__(self, host: str) -> None:
        super().__init__(host, "it does not speak TLS")


class Unauthorized(RegistryError):
    """401 or 403. `user` is empty when no credentials were known."""

    def __init__(self, name: str, registry: str, user: str) -> None:
        if user:
            message = f"'{name}' does not exist, or user '{user}' may not read it"
        else:
            message = f"'{name}' does not exist, or needs a login"
        super().__init__(message, hint=f"pod login {registry}")


class LoginRefused(RegistryError):
    """The user name or the password is wrong."""

    def __init__(self, registry: str, user: str) -> None:
        who = f"user '{user}'" if user else "the stored identity token"
        super().__init__(
            f"registry '{registry}' refused {who}: wrong name or password",
            hint=f"pod login {registry}",
        )


class SearchRefused(RegistryError):
    """401 or 403 for a search. `user` is empty when no credentials were known."""

    def __init__(self, registry: str, user: str) -> None:
        who = f"user '{user}'" if user else "without a login"
        super().__init__(
            f"registry '{registry}' allows no search {'by ' if user else ''}{who}",
            hint=f"pod login {registry}",
        )


class NoSearch(RegistryError):
    """The registry has neither a search nor a catalogue."""

    def __init__(self, registry: str) -> None:
        super().__init__(
            f"registry '{registry}' cannot be searched: it has neither a search nor a catalogue",
            hint=f"pod search --list-tags {registry}/REPOSITORY",
        )


class ManifestUnknown(RegistryError):
    def __init__(self, name: str, registry: str) -> None:
        super().__init__(
            f"image '{name}' is not in registry '{registry}'",
            hint="check the spelling of the name and the tag",
        )


class RepositoryUnknown(RegistryError):
    def __init__(self, repository: str, registry: str) -> None:
        super().__init__(
            f"repository '{repository}' is not in registry '{registry}'",
            hint="check the spelling of the name",
        )


class RangesRefused(RegistryError):
    """It gives blobs whole or not at all. Nobody is told: then the blob is fetched whole."""

    def __init__(self, registry: str) -> None:
        super().__init__(f"registry '{registry}' does not give parts of a blob")


class BlobUnknown(RegistryError):
    def __init__(self, digest: str, name: str) -> None:
        super().__init__(f"blob '{digest}' of '{name}' is not in its registry", hint=_PUSH_AGAIN)


class TooManyRequests(RegistryError):
    transient = True

    def __init__(self, registry: str, wait_seconds: float | None) -> None:
        wait = f", and asks to wait {wait_seconds:.0f} seconds" if wait_seconds else ""
        super().__init__(
            f"registry '{registry}' refuses more requests for now{wait}",
            hint=f"a login often raises the limit: pod login {registry}",
        )
        self.wait_seconds = wait_seconds


class ServerFailed(RegistryError):
    """5xx."""

    transient = True

    def __init__(self, registry: str, status: int, words: str) -> None:
        super().__init__(
            f"registry '{registry}' failed with status {status}{said(words)}", hint=_AGAIN
        )


class UnexpectedAnswer(RegistryError):
    """A status or a header that the protocol does not have at this place."""

    def __init__(self, registry: str, why: str) -> None:
        super().__init__(
            f"registry '{registry}' gave an answer that makes no sense: {why}", hint=_see(registry)
        )


class AnswerTooLarge(RegistryError):
    def __init__(self, registry: str, what: str, limit: int) -> None:
        super().__init__(
            f"the {what} from registry '{registry}' is larger than {limit} bytes",
            hint=_see(registry),
        )


class WrongManifestDigest(RegistryError):
    """What came is not what was asked for."""

    def __init__(self, what: str, expected: str, actual: str) -> None:
        super().__init__(f"the {what} should have digest {expected} and has {actual}", hint=_AGAIN)


class Cancelled(RegistryError):
    """Another part of the same pull failed, or the person gave up."""

    def __init__(self) -> None:
        super().__init__("the transfer was given up")


def _see(registry: str) -> str:
    return f"see what answers there: curl -i https://{registry}/v2/"


def said(words: str) -> str:
    """A server's own words as the end of a sentence: printable, and not too many."""
    shown = "".join(c if c.isprintable() else " " for c in words).strip()[:_SHOWN]
    return f": {shown}" if shown else ""


def explain_connecting(error: OSError, host: str) -> RegistryError:
    """The RegistryError for what `linux.tcp.connect` raises."""
    from pod.linux import tcp

    if isinstance(error, tcp.NameUnknown):
        return UnknownHost(host)
    if isinstance(error, TimeoutError):
        return TimedOut(host, "accept the connection")
    return ConnectionRefused(host, _os_reason(error))


def explain_handshake(error: Exception, host: str) -> RegistryError:
    """The RegistryError for what `ssl` raises when a connection is made secure."""
    import ssl  # heavy

    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return NoTls(host)  # it hung up instead of shaking hands
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return UnknownHost(host)  # nobody can have a certificate for that
    return explain(error, host)


def explain(error: Exception, host: str) -> RegistryError:
    """The RegistryError for what goes wrong on a connection to `host`: an OSError, or NotHttp."""
    if isinstance(error, TimeoutError):
        return TimedOut(host, "answer")
    ssl = sys.modules.get("ssl")
    if ssl is not None and isinstance(error, ssl.SSLError):
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return ConnectionLost(host, "the other side hung up")
        return _explain_tls(error, host)
    if isinstance(error, OSError):
        return ConnectionLost(host, _os_reason(error))
    return ConnectionLost(host, str(error) or "it ended too early")


def _explain_tls(error: ssl.SSLError, host: str) -> RegistryError:
    import ssl  # heavy

    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        if code in (_NOT_YET, _EXPIRED):
            return CertificateExpired(host, early=code == _NOT_YET)
        if code in _NAME_MISMATCH:
            return CertificateForOtherName(host)
        return UnknownAuthority(host)
    if error.reason in _NOT_TLS:
        return NoTls(host)
    if error.reason in (_WANTED, *_REFUSED):
        return OwnCertificateWanted(host, refused=error.reason != _WANTED)
    return TlsFailed(host, error.reason or "no secure connection")


def _os_reason(error: BaseException | None) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        words = {
            errno.ECONNREFUSED: "nothing listens there",
            errno.EHOSTUNREACH: "there is no route to it",
            errno.ENETUNREACH: "there is no network that leads to it",
            errno.ECONNRESET: "the other side hung up",
            errno.EPIPE: "the other side hung up",
        }
        return words.get(error.errno, error.strerror or "the connection failed")
    return "the connection failed"
