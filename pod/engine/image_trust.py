"""Image trust: show policy.json as a table, and write rules for registries into the caller's own.

Only what a rule says is shown; which rule counts for an image is decided in `pod.image.policy`.
"""

from __future__ import annotations

import json
import os

from pod.base.errors import PodError, UsageError
from pod.base.files import read_text, write_atomic
from pod.base.records import Record
from pod.engine.configuration import ConfigurationError
from pod.engine.configuration_registries import load_policy
from pod.image import policy as policies
from pod.image.policy import InvalidPolicy, Requirement, parse_policy, without_duplicates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from pod.engine.configuration_places import Places
    from pod.engine.context import Engine

TYPES = ("accept", "reject", "signedBy", "sigstoreSigned")
_SHOWN = {policies.ACCEPT: "accept", policies.REJECT: "reject", policies.SIGNED_BY: "signed"}
_DEFAULT = "default"


class Rule(Record):
    """One rule of the policy. `transport` is "repository" for registries and "all" for the default, as podman says.

    `keys` are files, or "policy.json" for keys in it; `signers` whose keys these are; `store` where signatures are.
    """

    transport: str
    name: str
    kind: str
    keys: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    store: str = ""


def rules(engine: Engine, registry: str = "") -> list[Rule]:
    """All rules; with `registry`, a registry, namespace or repository, the one that counts for it alone.

    Raises ConfigurationError.
    """
    policy = load_policy(engine.places)
    if registry:
        scopes = policy.transports.get("docker", {})
        for scope in policies.scopes_of("docker", registry):
            if scope in scopes:
                return _rules(engine, "repository", scope, scopes[scope])
        return _rules(engine, "all", _DEFAULT, policy.default)
    found = _rules(engine, "all", _DEFAULT, policy.default)
    for transport, scopes in sorted(policy.transports.items()):
        shown = "repository" if transport == "docker" else transport
        for scope, requirements in sorted(scopes.items()):
            found += _rules(engine, shown, scope, requirements)
    return found


def raw(engine: Engine) -> str:
    """The policy file as it is; the policy that holds without one."""
    return _present(engine.places)[1]


def set_rule(engine: Engine, scope: str, kind: str, keys: Sequence[str]) -> str:
    """Put a rule for `scope` (a registry, namespace or repository, or "default") into the caller's policy.json.

    The path of that file. It begins as a copy of the file that held until now. Each of the files `keys` must have
    signed. Raises UsageError, PodError, ConfigurationError.
    """
    requirements = _made(scope, kind, keys)
    path, text = _present(engine.places)
    try:
        document = json.loads(text, object_pairs_hook=without_duplicates)
        parse_policy(document)  # so that nothing is written into what is broken
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(path, f"is not valid JSON: {error}") from error
    except InvalidPolicy as error:
        raise ConfigurationError(path, error.message) from error
    if scope == _DEFAULT:
        document[_DEFAULT] = requirements
    else:
        document.setdefault("transports", {}).setdefault("docker", {})[scope] = requirements
    parse_policy(document)
    target = engine.places.policy_sources()[0].path
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        data = json.dumps(document, indent=4).encode() + b"\n"
        write_atomic(os.path.realpath(target), data, mode=0o644)
    except OSError as error:
        raise PodError(f"'{target}' cannot be written: {error.strerror}") from error
    return target


def _made(scope: str, kind: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    if scope != _DEFAULT and (
        not scope.strip("/") or "://" in scope or set(scope) & set(" \t\n'\"")
    ):
        raise UsageError(
            f"'{scope}' is no registry, namespace or repository", hint="such as quay.io/team"
        )
    if kind in ("accept", "reject"):
        if keys:
            raise UsageError(f"--pubkeysfile does not go with the type '{kind}'")
        return [{"type": policies.ACCEPT if kind == "accept" else policies.REJECT}]
    if not keys:
        raise UsageError(
            f"the type '{kind}' needs at least one public key", hint="--pubkeysfile FILE"
        )
    for key in keys:
        if not os.path.isfile(key):
            raise PodError(f"the public key '{key}' of --pubkeysfile is no file")
    paths = [os.path.abspath(key) for key in keys]
    own = {"keyType": policies.GPG_KEYS} if kind == "signedBy" else {}
    return [{"type": kind, **own, "keyPath": path} for path in paths]


def _present(places: Places) -> tuple[str, str]:
    """The path and the text of the policy that holds."""
    for source in places.policy_sources():
        try:
            return source.path, read_text(source.path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ConfigurationError(source.path, f"cannot be read: {error.strerror}") from error
    return "policy.json", json.dumps({"default": [{"type": policies.ACCEPT}]}, indent=4) + "\n"


def _rules(
    engine: Engine, transport: str, name: str, requirements: Iterable[Requirement]
) -> list[Rule]:
    found = []
    for one in requirements:
        keys = tuple(key.path or "policy.json" for key in one.keys)
        is_gpg = one.kind == policies.SIGNED_BY
        signers = tuple(who for key in one.keys for who in _owners(key)) if is_gpg else ()
        store = ""
        if transport == "repository" and one.kind not in (policies.ACCEPT, policies.REJECT):
            store = _store(engine, name)
        found.append(Rule(transport, name, _SHOWN.get(one.kind, one.kind), keys, signers, store))
    return found


def _owners(key: policies.KeySource) -> list[str]:
    """Whose key it is; nothing for one that cannot be read, which a pull will complain of."""
    from pod.image.trust import openpgp, verify

    try:
        return openpgp.owners(verify.read_key(key))
    except PodError:
        return []


def _store(engine: Engine, name: str) -> str:
    from pod.engine.configuration_signatures import load_signatures  # it takes a reader of YAML

    places = load_signatures(engine.places)
    return places.reading(name) if places.says_where(name) else ""
