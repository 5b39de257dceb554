"""Which images may enter the store: policy.json, and which of its requirements count for an image.

`insecureAcceptAnything` and `reject` are decided here. Requirements for signatures (`signedBy`, `sigstoreSigned`) are
handed back to the caller, who has them met by `pod.image.trust.verify` before anything is stored.

Source: containers-policy.json(5). The file itself is read by `pod.engine.configuration_registries`.
"""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar

ACCEPT, REJECT = "insecureAcceptAnything", "reject"
SIGNED_BY, SIGSTORE, BASE_LAYER = "signedBy", "sigstoreSigned", "signedBaseLayer"
GPG_KEYS = "GPGKeys"
_KEY_TYPES = (GPG_KEYS, "signedByGPGKeys", "X509Certificates", "signedByX509CAs")

EXACT, REPO_DIGEST_OR_EXACT, REPOSITORY = "matchExact", "matchRepoDigestOrExact", "matchRepository"
EXACT_REFERENCE, EXACT_REPOSITORY, REMAP = "exactReference", "exactRepository", "remapIdentity"
_IDENTITY_FIELDS = {
    EXACT: (),
    REPO_DIGEST_OR_EXACT: (),
    REPOSITORY: (),
    EXACT_REFERENCE: ("dockerReference",),
    EXACT_REPOSITORY: ("dockerRepository",),
    REMAP: ("prefix", "signedPrefix"),
}
_FIELDS = {
    ACCEPT: frozenset({"type"}),
    REJECT: frozenset({"type"}),
    SIGNED_BY: frozenset("type keyType keyPath keyPaths keyData signedIdentity".split()),
    SIGSTORE: frozenset(
        "type keyPath keyPaths keyData keyDatas fulcio pki rekorPublicKeyPath rekorPublicKeyPaths "
        "rekorPublicKeyData rekorPublicKeyDatas signedIdentity".split()
    ),
    BASE_LAYER: frozenset({"type", "baseLayerIdentity"}),
}


class NotAllowed(PodError):
    """The policy does not let the image in: by its name, or for want of a signature."""


SHOW = "pod image trust show"
"""What tells the rules."""


class PolicyRejects(NotAllowed):
    """No image of this name may come in."""

    def __init__(self, name: str, scope: str) -> None:
        what = f"image '{name}'" if name else "an image from standard input"
        super().__init__(f"{what} is rejected by the policy for {scope}", hint=SHOW)


class InvalidPolicy(PodError):
    """policy.json has not the form it must have. An unreadable policy lets nothing in."""

    def __init__(self, why: str) -> None:
        super().__init__(f"policy.json is not valid: {why}")


class Identity(Record):
    """Which name a signature must be for. `values` are those of the fields that the kind has, in their order."""

    kind: str = REPO_DIGEST_OR_EXACT
    values: tuple[str, ...] = ()


class KeySource(Record):
    """A public key, or several in one file: its `path`, or the base64 `data` in policy.json itself."""

    path: str = ""
    data: str = ""

    def __str__(self) -> str:
        return f"'{self.path}'" if self.path else "the key in policy.json"


class Requirement(Record):
    """One requirement. One of `keys` must have made the signature; `impossible` says why pod can never find it met."""

    kind: str
    keys: tuple[KeySource, ...] = ()
    rekor_keys: tuple[KeySource, ...] = ()
    identity: Identity = Identity()
    impossible: str = ""
    nested: ClassVar = {"keys": KeySource, "rekor_keys": KeySource, "identity": Identity}


class Demand(Record):
    """What must be met by signatures before the image `name` may come in; `scope` says in errors whose rule it is."""

    name: str
    scope: str
    requirements: tuple[Requirement, ...]


class Policy(Record):
    """`default` and every scope hold requirements, all of which must be met.

    `transports` is transport -> scope -> requirements; the scope "" is the transport's own default.
    """

    default: tuple[Requirement, ...] = (Requirement(ACCEPT),)
    transports: Mapping[str, Mapping[str, tuple[Requirement, ...]]] = {}

    def check(self, transport: str, name: str) -> Demand | None:
        """What signatures an image needs that comes this way; None when it may come as it is. Raises PolicyRejects.

        `name` is the full reference with tag or digest for "docker", the path (with ":TAG" for a layout) for files.
        """
        scope, requirements = self.requirements(transport, name)
        for requirement in requirements:
            if requirement.kind == REJECT:
                raise PolicyRejects(name, scope)
        signed = tuple(one for one in requirements if one.kind != ACCEPT)
        return Demand(name, scope, signed) if signed else None

    @property
    def wants_signatures(self) -> bool:
        """Whether any scope does, so that it matters where signatures are."""
        lists = [
            self.default,
            *(one for scopes in self.transports.values() for one in scopes.values()),
        ]
        return any(one.kind not in (ACCEPT, REJECT) for found in lists for one in found)

    def requirements(self, transport: str, name: str) -> tuple[str, tuple[Requirement, ...]]:
        """The scope that counts, as it is called in errors, and what it demands."""
        scopes = self.transports.get(transport, {})
        for scope in scopes_of(transport, name):
            if scope in scopes:
                return (f"'{scope}'" if scope else f"'{transport}'"), scopes[scope]
        return "everything", self.default


def parse_policy(document: Any) -> Policy:
    """The policy in the JSON value of a policy.json. Raises InvalidPolicy."""
    if not isinstance(document, dict) or "default" not in document:
        raise InvalidPolicy("it must be an object with 'default'")
    if unknown := document.keys() - {"default", "transports"}:
        raise InvalidPolicy(f"'{min(unknown)}' is no part of a policy")
    transports = document.get("transports", {})
    if not isinstance(transports, dict):
        raise InvalidPolicy("'transports' must be an object")
    parsed: dict[str, dict[str, tuple[Requirement, ...]]] = {}
    for transport, scopes in transports.items():
        if not isinstance(scopes, dict):
            raise InvalidPolicy(f"'transports.{transport}' must be an object")
        parsed[transport] = {
            scope: _requirements(value, f"transports.{transport}.{scope}")
            for scope, value in scopes.items()
        }
    return Policy(_requirements(document["default"], "default"), parsed)


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For json.loads: an object in which no name stands twice, since readers would differ in which one counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"'{twice}' stands twice in one object")
    return found


def _requirements(value: Any, where: str) -> tuple[Requirement, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidPolicy(f"'{where}' must be a list with at least one requirement")
    return tuple(_requirement(one, where) for one in value)


def _requirement(value: Any, where: str) -> Requirement:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise InvalidPolicy(f"'{where}' has a requirement of unknown type")
    if unknown := value.keys() - _FIELDS[kind]:
        raise InvalidPolicy(f"'{where}': '{kind}' has no field '{min(unknown)}'")
    if kind in (ACCEPT, REJECT):
        return Requirement(kind)
    if kind == BASE_LAYER:
        return Requirement(kind, impossible="no engine can verify 'signedBaseLayer'")
    identity = _identity(value.get("signedIdentity"), where)
    if kind == SIGNED_BY:
        return _signed_by(value, identity, where)
    return _sigstore_signed(value, identity, where)


def _signed_by(value: dict[str, Any], identity: Identity, where: str) -> Requirement:
    key_type = value.get("keyType")
    if key_type not in _KEY_TYPES:
        raise InvalidPolicy(f"'{where}': 'keyType' must be '{GPG_KEYS}'")
    keys = _keys(value, ("keyPath", "keyPaths", "keyData"), where)
    if len(keys) != 1:
        raise InvalidPolicy(f"'{where}' needs exactly one of keyPath, keyPaths and keyData")
    impossible = "" if key_type == GPG_KEYS else f"keys of type '{key_type}' cannot be verified"
    return Requirement(SIGNED_BY, keys[0], identity=identity, impossible=impossible)


def _sigstore_signed(value: dict[str, Any], identity: Identity, where: str) -> Requirement:
    keys = _keys(value, ("keyPath", "keyPaths", "keyData", "keyDatas"), where)
    others = [name for name in ("fulcio", "pki") if name in value]
    if len(keys) + len(others) != 1:
        raise InvalidPolicy(
            f"'{where}' needs exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio and pki"
        )
    prefix = "rekorPublicKey"
    rekor = _keys(
        value, tuple(f"{prefix}{end}" for end in ("Path", "Paths", "Data", "Datas")), where
    )
    if len(rekor) > 1:
        raise InvalidPolicy(f"'{where}' has several of the fields that begin with '{prefix}'")
    impossible = ""
    if others:
        if not isinstance(value[others[0]], dict):
            raise InvalidPolicy(f"'{where}': '{others[0]}' must be an object")
        impossible = f"pod verifies signatures by keys, not by certificates of '{others[0]}'"
    return Requirement(
        SIGSTORE, keys[0] if keys else (), rekor[0] if rekor else (), identity, impossible
    )


def _keys(value: dict[str, Any], names: tuple[str, ...], where: str) -> list[tuple[KeySource, ...]]:
    """The keys in each of the fields that are there."""
    found = []
    for name in names:
        if name not in value:
            continue
        given = value[name] if name.endswith("s") else [value[name]]
        if (
            not isinstance(given, list)
            or not given
            or not all(isinstance(one, str) and one for one in given)
        ):
            raise InvalidPolicy(
                f"'{where}': '{name}' must be text" + " in a list" * name.endswith("s")
            )
        in_file = "Path" in name
        found.append(
            tuple(KeySource(path=one) if in_file else KeySource(data=one) for one in given)
        )
    return found


def _identity(value: Any, where: str) -> Identity:
    if value is None:
        return Identity()
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _IDENTITY_FIELDS:
        raise InvalidPolicy(f"'{where}': 'signedIdentity' has an unknown type")
    fields = _IDENTITY_FIELDS[kind]
    if value.keys() != {"type", *fields} or not all(
        isinstance(value[name], str) for name in fields
    ):
        raise InvalidPolicy(f"'{where}': '{kind}' takes {' and '.join(fields) or 'no field'}")
    return Identity(kind, tuple(value[name] for name in fields))


def scopes_of(transport: str, name: str) -> list[str]:
    """The scopes that cover `name`, the narrowest first, ending with the transport's default "".

    The same hold for namespaces of registries.d, containers-registries.d(5).
    """
    found = [name]
    if transport == "docker":
        path = name.partition("@")[0]
        head, slash, last = path.rpartition("/")
        path = f"{head}{slash}{last.partition(':')[0]}"
    elif transport == "oci":
        path = name.rpartition(":")[0] or name
    else:
        path = name
    while path and path != "/":
        found.append(path)
        path = path.rpartition("/")[0]
    if transport == "docker":
        host = name.partition("/")[0].partition(":")[0]  # a wildcard has no port
        while "." in host:
            host = host.partition(".")[2]
            found.append(f"*.{host}")
    elif name.startswith("/"):
        found.append("/")
    return [*dict.fromkeys(found), ""]
