"""What a registry can have against a push: one class for each thing that a person would act on differently."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.image.failures import RegistryError, UnexpectedAnswer, said
from pod.image.http import failure_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.image.http import Response
    from pod.image.names import Endpoint

_NO_SPACE = 507  # Insufficient Storage, RFC 4918, 11.5


class PushDenied(RegistryError):
    """401 or 403. `user` is empty when no credentials were known."""

    def __init__(self, name: str, registry: str, user: str, words: str = "") -> None:
        if user:
            message = f"user '{user}' may not push to '{name}'{said(words)}"
        else:
            message = f"a push to '{name}' needs a login{said(words)}"
        super().__init__(message, hint=f"pod login {registry}")


class OtherDigest(PodError):
    """Something was to be pushed under a digest that it does not have."""

    def __init__(self, name: str, wanted: str, digest: str) -> None:
        super().__init__(
            f"what is pushed has the digest '{digest}', so it cannot be '{name}@{wanted}'",
            hint=f"push it under a tag: {name}:TAG",
        )


class NoSuchRepository(RegistryError):
    """404: the registry makes no repository by itself."""

    def __init__(self, repository: str, registry: str) -> None:
        super().__init__(
            f"registry '{registry}' knows no repository '{repository}', and a push does not make it there",
            hint="make it in the registry first, or check the spelling of the name",
        )


class NameRefused(RegistryError):
    """The registry has rules of its own for names."""

    def __init__(self, repository: str, registry: str, words: str) -> None:
        super().__init__(
            f"registry '{registry}' does not accept the name '{repository}'{said(words)}",
            hint="push under another name: pod push IMAGE REGISTRY/NAMESPACE/NAME",
        )


class ReadOnly(RegistryError):
    """405: a mirror, a cache, or a registry under maintenance."""

    def __init__(self, registry: str) -> None:
        super().__init__(
            f"registry '{registry}' takes no pushes: it is read-only",
            hint="push to another registry, or ask who runs this one",
        )


class TooLarge(RegistryError):
    """413, even for small pieces."""

    def __init__(self, registry: str, what: str) -> None:
        super().__init__(
            f"registry '{registry}' does not take {what}: it is too large",
            hint="ask who runs the registry to raise its limit for the size of requests",
        )


class RegistryFull(RegistryError):
    """507, or a quota."""

    def __init__(self, registry: str, words: str) -> None:
        super().__init__(
            f"registry '{registry}' has no space left{said(words)}",
            hint="remove images from the registry, or ask who runs it",
        )


class UploadLost(RegistryError):
    """The registry does not know an upload any more that it has begun, or its end does not fit its beginning."""

    transient = True

    def __init__(self, registry: str, digest: str, words: str = "") -> None:
        super().__init__(
            f"registry '{registry}' has lost the upload of blob '{digest}'{said(words)}",
            hint="push again",
        )


class Refused(RegistryError):
    """Another 4xx, with the registry's own words."""

    def __init__(self, registry: str, what: str, status: int, words: str) -> None:
        super().__init__(
            f"registry '{registry}' refuses {what} with status {status}{said(words)}",
            hint="ask who runs the registry",
        )


class BlobsMissing(RegistryError):
    """A manifest was refused since the registry has not all that it names."""

    def __init__(self, registry: str, what: str) -> None:
        super().__init__(f"registry '{registry}' misses blobs of {what}", hint="push again")


def refusal(response: Response, endpoint: Endpoint, user: str, what: str) -> RegistryError:
    """The error for an answer that means that the registry has not done what a push asked; reads the response.

    `what` is what was sent, for a sentence: "manifest 'latest'".
    """
    status, registry = response.status, endpoint.registry
    if status == 429 or (status >= 500 and status != _NO_SPACE):
        return failure_of(response, registry)
    errors = response.errors()
    codes = {code for code, _ in errors}
    words = "; ".join(message for _, message in errors if message)
    if status in (401, 403):
        return PushDenied(endpoint.name, registry, user, words if status == 403 else "")
    if status == _NO_SPACE:
        return RegistryFull(registry, words)
    if status == 405:
        return ReadOnly(registry)
    if status == 413:
        return TooLarge(registry, what)
    if "NAME_INVALID" in codes:
        return NameRefused(endpoint.repository, registry, words)
    if status == 404 and codes & {"NAME_UNKNOWN", "NOT_FOUND"}:
        return NoSuchRepository(endpoint.repository, registry)
    if codes & {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"}:
        return BlobsMissing(registry, what)
    if status >= 400:
        return Refused(registry, what, status, words)
    return UnexpectedAnswer(registry, f"status {status} for {what}")
