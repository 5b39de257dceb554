"""Which images may enter the store: policy.json.

`insecureAcceptAnything` and `reject` are enforced. Requirements that need signatures (`signedBy`, `sigstoreSigned`)
refuse the image with a sentence, because letting it through would be worse than not having it.

Source: containers-policy.json(5). The file itself is read by `pod.engine.configuration`.
"""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ACCEPT, REJECT = "insecureAcceptAnything", "reject"
_SIGNATURES = ("signedBy", "sigstoreSigned", "signedBaseLayer")


class PolicyRejects(PodError):
    """The policy does not let the image in."""

    def __init__(self, name: str, scope: str) -> None:
        super().__init__(
            f"image '{name}' is rejected by the policy for {scope}", hint="see policy.json"
        )


class SignaturesNeeded(PodError):
    """The policy asks for signatures, which cannot be verified yet."""

    def __init__(self, name: str, scope: str, kind: str) -> None:
        super().__init__(
            f"image '{name}' is refused: the policy for {scope} asks for '{kind}', which pod cannot verify yet",
            hint="see policy.json",
        )


class InvalidPolicy(PodError):
    """policy.json has not the form it must have. An unreadable policy lets nothing in."""

    def __init__(self, why: str) -> None:
        super().__init__(f"policy.json is not valid: {why}")


class Policy(Record):
    """`default` and every scope hold the types of the requirements, all of which must be met.

    `transports` is transport -> scope -> types; the scope "" is the transport's own default.
    """

    default: tuple[str, ...] = (ACCEPT,)
    transports: Mapping[str, Mapping[str, tuple[str, ...]]] = {}

    def check(self, transport: str, name: str) -> None:
        """Raise PolicyRejects or SignaturesNeeded unless an image may come this way.

        `name` is the full reference with tag or digest for "docker", the path for archives and directories.
        """
        scope, kinds = self._requirements(transport, name)
        for kind in kinds:
            if kind == REJECT:
                raise PolicyRejects(name, scope)
            if kind != ACCEPT:
                raise SignaturesNeeded(name, scope, kind)

    def _requirements(self, transport: str, name: str) -> tuple[str, tuple[str, ...]]:
        scopes = self.transports.get(transport, {})
        for scope in _scopes(transport, name):
            if scope in scopes:
                return (f"'{scope}'" if scope else f"'{transport}'"), scopes[scope]
        return "everything", self.default


def parse_policy(document: Any) -> Policy:
    """The policy in the JSON value of a policy.json. Raises InvalidPolicy."""
    if not isinstance(document, dict) or "default" not in document:
        raise InvalidPolicy("it must be an object with 'default'")
    transports = document.get("transports", {})
    if not isinstance(transports, dict):
        raise InvalidPolicy("'transports' must be an object")
    parsed: dict[str, dict[str, tuple[str, ...]]] = {}
    for transport, scopes in transports.items():
        if not isinstance(scopes, dict):
            raise InvalidPolicy(f"'transports.{transport}' must be an object")
        parsed[transport] = {
            scope: _kinds(value, f"transports.{transport}.{scope}")
            for scope, value in scopes.items()
        }
    return Policy(_kinds(document["default"], "default"), parsed)


def _kinds(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidPolicy(f"'{where}' must be a list with at least one requirement")
    kinds = []
    for requirement in value:
        kind = requirement.get("type") if isinstance(requirement, dict) else None
        if kind not in (ACCEPT, REJECT, *_SIGNATURES):
            raise InvalidPolicy(f"'{where}' has a requirement of unknown type")
        kinds.append(kind)
    return tuple(kinds)


def _scopes(transport: str, name: str) -> list[str]:
    """The scopes that cover `name`, the narrowest first, ending with the transport's default."""
    found = [name]
    if transport == "docker":
        path = name.partition("@")[0]
        head, slash, last = path.rpartition("/")
        path = f"{head}{slash}{last.partition(':')[0]}"
    else:
        path = name
    while path and path != "/":
        found.append(path)
        path = path.rpartition("/")[0]
    if transport == "docker":
        host = name.partition("/")[0]
        while "." in host:
            host = host.partition(".")[2]
            found.append(f"*.{host}")
    elif name.startswith("/"):
        found.append("/")
    return [*dict.fromkeys(found), ""]
