"""Image references: what a person types to name an image, and what the store and registries call it.

    [REGISTRY[:PORT]/]REPOSITORY[:TAG][@DIGEST]

The grammar is that of the distribution project's `reference` package, which every registry follows. A reference
without a registry is a *short name*; which registry it means is decided in `pod.image.names`, not here. Names that
begin with a transport ("oci:DIR:TAG") are taken apart by `pod.spec.transport`.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue
from pod.base.records import Record

DEFAULT_REGISTRY = "docker.io"
DEFAULT_NAMESPACE = "library/"
DEFAULT_TAG = "latest"

_MAX_NAME = 255
_MAX_TAG = 128
_DIGITS = frozenset("0123456789")
_LOWER = _DIGITS | frozenset("abcdefghijklmnopqrstuvwxyz")
_LETTERS = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HEX = frozenset("0123456789abcdef")


class InvalidReference(InvalidValue):
    """Text that does not name an image."""

    def __init__(self, text: str, why: str, *, hint: str | None = None) -> None:
        super().__init__("image name", text, why)
        self.hint = hint


class Reference(Record):
    """A parsed reference. `registry` is empty in a short name; `tag` and `digest` are empty when not given."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def is_short(self) -> bool:
        return not self.registry

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    @property
    def tagged(self) -> str:
        """Name and tag, under which the store keeps the image; empty for one that is named by digest alone."""
        return f"{self.name}:{self.tag}" if self.tag else ""

    @property
    def version(self) -> str:
        """What a registry is asked for: the digest, else the tag, else "latest"."""
        return self.digest or self.tag or DEFAULT_TAG

    def __str__(self) -> str:
        text = self.name
        if self.tag:
            text = f"{text}:{self.tag}"
        if self.digest:
            text = f"{text}@{self.digest}"
        return text

    def with_registry(self, registry: str) -> Reference:
        """The same repository in `registry`; Docker Hub's one-word names get their "library/"."""
        repository = self.repository
        if registry == DEFAULT_REGISTRY and "/" not in repository:
            repository = DEFAULT_NAMESPACE + repository
        return Reference(registry, repository, self.tag, self.digest)

    def with_default_tag(self) -> Reference:
        """With ":latest", unless there is a tag or a digest already."""
        return self if self.tag or self.digest else self.replace(tag=DEFAULT_TAG)

    def normalized(self) -> Reference:
        """The full form: a short name is taken as Docker Hub's, a missing tag as "latest"."""
        full = self.with_registry(DEFAULT_REGISTRY) if self.is_short else self
        return full.with_default_tag()

    def familiar(self) -> str:
        """The shortest text with the same meaning to docker: without "docker.io/" and "library/"."""
        if self.registry != DEFAULT_REGISTRY:
            return str(self)
        return str(
            Reference("", self.repository.removeprefix(DEFAULT_NAMESPACE), self.tag, self.digest)
        )


def parse(text: str) -> Reference:
    """The reference that `text` spells. Raises InvalidReference, which says what is wrong."""
    if not text:
        raise InvalidReference(text, "it is empty")
    if "://" in text:
        raise InvalidReference(text, "a name has no scheme", hint=text.partition("://")[2] or None)
    rest, at, digest = text.partition("@")
    if at:
        _check_digest(text, digest)
    registry, repository = _split_registry(rest)
    tag = ""
    if ":" in repository:
        repository, _, tag = repository.rpartition(":")
        _check_tag(text, tag)
    if registry:
        _check_registry(text, registry)
    if registry in ("index.docker.io", "registry-1.docker.io"):
        registry = DEFAULT_REGISTRY
    _check_repository(text, repository)
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = DEFAULT_NAMESPACE + repository
    if len(registry) + len(repository) + 1 > _MAX_NAME:
        raise InvalidReference(text, f"a name has at most {_MAX_NAME} characters")
    if not registry and len(repository) == 64 and _HEX.issuperset(repository):
        raise InvalidReference(text, "64 hexadecimal digits are an id, not a name")
    return Reference(registry, repository, tag, digest)


def _split_registry(name: str) -> tuple[str, str]:
    """The first component is a registry when it cannot be anything else: a dot, a port, capitals, or "localhost"."""
    first, slash, rest = name.partition("/")
    if not slash:
        return "", name
    if "." in first or ":" in first or first == "localhost" or first != first.lower():
        return first, rest
    return "", name


def _check_registry(text: str, registry: str) -> None:
    if registry.startswith("["):
        host, bracket, port = registry[1:].partition("]")
        if not bracket or not host or not frozenset(host) <= frozenset("0123456789abcdefABCDEF:."):
            raise InvalidReference(text, f"'{registry}' is not an IPv6 address in brackets")
        if port and not (port.startswith(":") and _is_port(port[1:])):
            raise InvalidReference(text, f"'{port.lstrip(':')}' is not a port")
        return
    host, colon, port = registry.partition(":")
    if colon and not _is_port(port):
        raise InvalidReference(text, f"'{port}' is not a port")
    for part in host.split("."):
        if not part or not _LETTERS.issuperset(part.replace("-", "")) or "-" in (part[0], part[-1]):
            raise InvalidReference(text, f"'{host}' is not a host name")


def _is_port(text: str) -> bool:
    return 0 < len(text) <= 5 and _DIGITS.issuperset(text) and 0 < int(text) <= 65535


def _check_repository(text: str, repository: str) -> None:
    if repository != repository.lower():
        raise InvalidReference(
            text, "the repository must be lower-case", hint=_lowered(text, repository)
        )
    for component in repository.split("/"):
        _check_component(text, component)


def _lowered(text: str, repository: str) -> str | None:
    """The name that was meant, if it is one then."""
    lowered = repository.lower()
    try:
        for component in lowered.split("/"):
            _check_component(text, component)
    except InvalidReference:
        return None
    return text.replace(repository, lowered, 1) if repository in text else None


def _check_component(text: str, component: str) -> None:
    """Letters and digits, in groups joined by one of `.`, `_`, `__`, or any number of `-`."""
    if not component:
        raise InvalidReference(text, "it has an empty part")
    if component[0] not in _LOWER or component[-1] not in _LOWER:
        raise InvalidReference(text, f"'{component}' must begin and end with a letter or digit")
    joint = ""
    for character in component:
        if character not in _LOWER:
            if character not in "._-":
                raise InvalidReference(text, f"{character!r} is not allowed in a name")
            joint += character
        elif joint:
            if joint not in (".", "_", "__") and joint.strip("-"):
                raise InvalidReference(text, f"'{joint}' is not allowed between letters")
            joint = ""


def _check_tag(text: str, tag: str) -> None:
    if not tag:
        raise InvalidReference(text, "the tag after ':' is empty")
    if len(tag) > _MAX_TAG:
        raise InvalidReference(text, f"a tag has at most {_MAX_TAG} characters")
    if tag[0] in ".-":
        raise InvalidReference(text, "a tag must not begin with '.' or '-'")
    for character in tag:
        if character not in _LETTERS and character not in "_.-":
            raise InvalidReference(text, f"{character!r} is not allowed in a tag")


def _check_digest(text: str, digest: str) -> None:
    from pod.spec.digest import InvalidDigest, parse_digest  # few references have one

    try:
        parse_digest(digest)
    except InvalidDigest as error:
        raise InvalidReference(
            text, f"'{digest}' is not a digest such as sha256:1f2e..."
        ) from error
