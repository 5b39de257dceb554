"""From the name that a person typed to the places where the image may be.

First the name: a short one is an alias, or is looked for in the registries that the configuration lists. Then the
place: a rule of the configuration may send it elsewhere, block it, or name mirrors to ask first.

Source: containers-registries.conf(5). The files themselves are read by `pod.engine.configuration`, which fills the
records below.
"""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec import reference as references
from pod.spec.reference import DEFAULT_REGISTRY, InvalidReference, Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

LOCAL_REGISTRY = "localhost"
"""The registry in the names of images that were made here."""

ENFORCING, PERMISSIVE, DISABLED = "enforcing", "permissive", "disabled"

_HUB_HOST = "registry-1.docker.io"  # where "docker.io" really answers; no file says so, every client knows it


class Mirror(Record):
    """A `[[registry.mirror]]`. `pull` is "all", "digest-only" or "tag-only" (`pull-from-mirror`)."""

    location: str
    insecure: bool = False
    pull: str = "all"


class Rule(Record):
    """A `[[registry]]`: what to do with names that begin with `prefix`. An empty `location` keeps the name."""

    prefix: str
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirror_by_digest_only: bool = False
    mirrors: tuple[Mirror, ...] = ()
    nested: ClassVar = {"mirrors": Mirror}


class RegistriesConfig(Record):
    """All of registries.conf and registries.conf.d that concerns names."""

    search: tuple[str, ...] = (DEFAULT_REGISTRY,)
    """`unqualified-search-registries`."""
    short_name_mode: str = ENFORCING
    rules: tuple[Rule, ...] = ()
    aliases: Mapping[str, str] = {}
    """Short name -> full name without tag; an empty one takes back what another file said."""
    credential_helpers: tuple[str, ...] = ()
    nested: ClassVar = {"rules": Rule}


class Endpoint(Record):
    """A repository to ask. `registry` is its name in errors and in credentials; `host` where it answers.

    `insecure` allows certificates that cannot be verified, and plain HTTP. On the loopback interface plain HTTP is
    allowed anyway, unless the person has insisted on TLS: `strict`.
    """

    registry: str
    repository: str
    insecure: bool = False
    is_mirror: bool = False
    strict: bool = False

    @property
    def host(self) -> str:
        """HOST[:PORT] to connect to."""
        return _HUB_HOST if self.registry == DEFAULT_REGISTRY else self.registry

    @property
    def name(self) -> str:
        return f"{self.registry}/{self.repository}"


class Resolution(Record):
    """The full names that a name can mean, in the order in which to try them.

    With `ask`, a person at the terminal has to choose; `origin` says how a short name was resolved.
    """

    references: tuple[Reference, ...]
    origin: str = ""
    ask: bool = False


class AmbiguousName(PodError):
    """A short name that could come from several registries, with nobody to ask."""

    def __init__(self, name: str, references: tuple[Reference, ...]) -> None:
        registries = ", ".join(reference.registry for reference in references)
        super().__init__(
            f"short name '{name}' could come from any of {registries}",
            hint=f"write the whole name, such as {references[0]}",
        )


class NoRegistry(PodError):
    """A short name, no alias for it, and no registry to search."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"short name '{name}' is no alias, and no registries are configured to search for it",
            hint=f"write the whole name, such as docker.io/library/{name}",
        )


class RegistryBlocked(PodError):
    """The configuration forbids it."""

    def __init__(self, reference: Reference | str, prefix: str, what: str = "be pulled") -> None:
        super().__init__(f"'{reference}' may not {what}: registries.conf blocks '{prefix}'")


def resolve(reference: Reference, config: RegistriesConfig, *, interactive: bool) -> Resolution:
    """What `reference` can mean, with "latest" where no tag was given.

    Without a terminal (`interactive`) and in enforcing mode, a name is never guessed: several candidates raise
    AmbiguousName. Raises NoRegistry when there is none.
    """
    if not reference.is_short:
        return Resolution((reference.with_default_tag(),))
    alias = _alias(reference, config)
    if alias is not None:
        return Resolution((alias.with_default_tag(),), origin="alias")
    found = _searched(reference, config.search)
    if not found:
        raise NoRegistry(str(reference))
    ask = len(found) > 1 and config.short_name_mode != DISABLED and interactive
    if len(found) > 1 and config.short_name_mode == ENFORCING and not interactive:
        raise AmbiguousName(str(reference), found)
    return Resolution(found, origin="unqualified-search registries", ask=ask)


def local_names(reference: Reference, config: RegistriesConfig) -> tuple[str, ...]:
    """The names under which a local image may be meant by `reference`, best first.

    An image that was made here comes before one that was pulled; Docker Hub's counts whatever the configuration says.
    """
    if not reference.is_short:
        return (str(reference.with_default_tag()),)
    candidates = [reference.with_registry(LOCAL_REGISTRY)]
    alias = _alias(reference, config)
    if alias is not None:
        candidates.append(alias)
    candidates += _searched(reference, (*config.search, DEFAULT_REGISTRY))
    return tuple(dict.fromkeys(str(candidate.with_default_tag()) for candidate in candidates))


def name_for_new_image(reference: Reference) -> Reference:
    """The full name of an image that is made or tagged here: a short name is localhost's."""
    full = reference.with_registry(LOCAL_REGISTRY) if reference.is_short else reference
    return full.with_default_tag()


def endpoints(
    reference: Reference,
    config: RegistriesConfig,
    *,
    tls_verify: bool | None = None,
    what: str = "be pulled",
) -> tuple[Endpoint, ...]:
    """Where to ask for a full `reference`: mirrors first, then the registry itself.

    `tls_verify` is the option of the command line, which beats the configuration; `what` is for a sentence about what
    the reference may not. Raises RegistryBlocked.
    """
    rule = _rule_for(str(reference), config.rules)
    if rule is None:
        return (_endpoint(reference.name, insecure=tls_verify is False, strict=bool(tls_verify)),)
    if rule.blocked:
        raise RegistryBlocked(reference, rule.prefix, what)
    found = [
        _endpoint(
            _rewritten(reference.name, rule.prefix, mirror.location),
            insecure=_is_insecure(tls_verify, mirror.insecure),
            is_mirror=True,
            strict=bool(tls_verify),
        )
        for mirror in rule.mirrors
        if _mirror_serves(mirror, rule, reference)
    ]
    own = _rewritten(reference.name, rule.prefix, rule.location)
    insecure = _is_insecure(tls_verify, rule.insecure)
    found.append(_endpoint(own, insecure=insecure, strict=bool(tls_verify)))
    return tuple(found)


def registry_endpoint(
    name: str, config: RegistriesConfig, *, tls_verify: bool | None = None, rewrite: bool = False
) -> Endpoint:
    """The registry, or the namespace in one, with the full `name`, for what is asked of no image: a login, a search.

    With `rewrite`, a registry that is somewhere else by the configuration is asked there. Raises RegistryBlocked.
    """
    rule = _rule_for(name, config.rules)
    if rule is not None and rule.blocked:
        raise RegistryBlocked(name, rule.prefix, "be used")
    insecure = _is_insecure(tls_verify, rule is not None and rule.insecure)
    if rewrite and rule is not None:
        moved = _rewritten(name, rule.prefix, rule.location)
        name = name if "/" in moved else moved
    return _endpoint(name, insecure=insecure, strict=bool(tls_verify))


def _alias(reference: Reference, config: RegistriesConfig) -> Reference | None:
    target = config.aliases.get(reference.repository)
    if not target:
        return None
    full = references.parse(target)
    if full.is_short or full.tag or full.digest:
        raise InvalidReference(target, f"the alias '{reference.repository}' needs a full name")
    return full.replace(tag=reference.tag, digest=reference.digest)


def _searched(reference: Reference, registries: tuple[str, ...]) -> tuple[Reference, ...]:
    return tuple(
        dict.fromkeys(reference.with_registry(name).with_default_tag() for name in registries)
    )


def _rule_for(name: str, rules: tuple[Rule, ...]) -> Rule | None:
    """The rule with the longest matching prefix; a whole reference, with tag or digest, is a prefix too."""
    best: Rule | None = None
    for rule in rules:
        if _matched(name, rule.prefix) and (best is None or len(rule.prefix) > len(best.prefix)):
            best = rule
    return best


def _matched(name: str, prefix: str) -> str:
    """The beginning of `name` that `prefix` covers, up to a boundary; empty when it covers none."""
    if prefix.startswith("*."):
        host = name.partition("/")[0]
        bare = host.partition(":")[0] if ":" not in prefix else host
        return host if bare.endswith(prefix[1:]) else ""
    if name == prefix or (name.startswith(prefix) and name[len(prefix)] in "/:@"):
        return prefix
    return ""


def _rewritten(name: str, prefix: str, location: str) -> str:
    return location + name[len(_matched(name, prefix)) :] if location else name


def _mirror_serves(mirror: Mirror, rule: Rule, reference: Reference) -> bool:
    if reference.digest:
        return mirror.pull != "tag-only"
    return mirror.pull != "digest-only" and not rule.mirror_by_digest_only


def _is_insecure(tls_verify: bool | None, configured: bool) -> bool:
    return configured if tls_verify is None else not tls_verify


def _endpoint(name: str, *, insecure: bool, is_mirror: bool = False, strict: bool) -> Endpoint:
    registry, _, repository = name.partition("/")
    return Endpoint(registry, repository, insecure, is_mirror, strict)
