"""policy.json: which scope counts, and that what cannot be verified is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pod.image.policy import (
    InvalidPolicy,
    KeySource,
    Policy,
    PolicyRejects,
    parse_policy,
    without_duplicates,
)

ACCEPT = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]
SIGNED = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}]


def policy(default: Any, **transports: Any) -> Policy:
    return parse_policy(
        {
            "default": default,
            "transports": {key.replace("_", "-"): value for key, value in transports.items()},
        }
    )


@pytest.mark.parametrize(
    ("scope", "name", "allowed"),
    [
        ("", "docker.io/library/a:1", True),
        ("docker.io", "docker.io/library/a:1", True),
        ("docker.io", "quay.io/library/a:1", False),
        ("docker.io/library", "docker.io/library/a:1", True),
        ("docker.io/lib", "docker.io/library/a:1", False),
        ("docker.io/library/a", "docker.io/library/a:1", True),
        ("docker.io/library/a:1", "docker.io/library/a:1", True),
        ("docker.io/library/a:2", "docker.io/library/a:1", False),
        ("h.io:5000", "h.io:5000/a:1", True),
        ("h.io:5000/a", "h.io:5000/a@sha256:" + "0" * 64, True),
        ("*.example.com", "a.b.example.com/x:1", True),
        ("*.example.com", "example.com/x:1", False),
    ],
)
def test_scopes_of_registries(scope: str, name: str, allowed: bool) -> None:
    rules = policy(REJECT, docker={scope: ACCEPT})
    if allowed:
        rules.check("docker", name)
    else:
        with pytest.raises(PolicyRejects, match="rejected by the policy for everything"):
            rules.check("docker", name)


def test_the_narrowest_scope_counts() -> None:
    rules = policy(ACCEPT, docker={"": REJECT, "q.io": REJECT, "q.io/ok": ACCEPT})
    rules.check("docker", "q.io/ok/x:1")
    with pytest.raises(PolicyRejects, match=r"for 'q\.io'"):
        rules.check("docker", "q.io/other:1")
    with pytest.raises(PolicyRejects, match="for 'docker'"):
        rules.check("docker", "r.io/other:1")
    rules.check("oci-archive", "/x.tar")


def test_scopes_of_paths() -> None:
    rules = policy(REJECT, docker_archive={"/safe": ACCEPT}, oci={"/": ACCEPT})
    rules.check("docker-archive", "/safe/dir/x.tar")
    rules.check("oci", "/any")
    with pytest.raises(PolicyRejects):
        rules.check("docker-archive", "/safer/x.tar")


def test_a_wildcard_covers_hosts_with_ports() -> None:
    rules = policy(REJECT, docker={"*.example.com": ACCEPT})
    assert rules.check("docker", "a.example.com:5000/x:1") is None


def test_a_layout_is_covered_by_path_and_tag() -> None:
    rules = policy(REJECT, oci={"/l:1": ACCEPT, "/m": ACCEPT})
    assert rules.check("oci", "/l:1") is None
    assert rules.check("oci", "/m:2") is None
    with pytest.raises(PolicyRejects):
        rules.check("oci", "/l:2")


def test_signatures_are_demanded() -> None:
    assert policy(ACCEPT).check("docker", "a.io/b:1") is None
    assert not policy(ACCEPT, docker={"x.io": REJECT}).wants_signatures
    rules = policy(ACCEPT, docker={"a.io": [*ACCEPT, *SIGNED]})
    assert rules.wants_signatures
    demand = rules.check("docker", "a.io/b:1")
    assert demand is not None
    (requirement,) = demand.requirements
    assert (requirement.kind, requirement.keys) == ("signedBy", (KeySource(path="/k"),))
    assert requirement.identity.kind == "matchRepoDigestOrExact"


@pytest.mark.parametrize(
    "requirement",
    [
        {"type": "signedBy", "keyType": "X509Certificates", "keyPath": "/k"},
        {"type": "signedBaseLayer", "baseLayerIdentity": {"type": "matchExact"}},
        {"type": "sigstoreSigned", "fulcio": {"caPath": "/ca", "oidcIssuer": "i"}},
        {"type": "sigstoreSigned", "pki": {"caRootsPath": "/ca"}},
    ],
)
def test_what_cannot_be_verified_is_impossible_and_not_absent(requirement: Any) -> None:
    demand = policy([requirement]).check("docker", "a.io/b:1")
    assert demand is not None
    assert demand.requirements[0].impossible


def test_all_requirements_must_be_met() -> None:
    with pytest.raises(PolicyRejects):
        policy([*ACCEPT, *REJECT]).check("docker", "a.io/b:1")


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"default": []},
        {"default": {"type": "reject"}},
        {"default": ["reject"]},
        {"default": [{"type": "maybe"}]},
        {"default": ACCEPT, "transports": []},
        {"default": ACCEPT, "transports": {"docker": []}},
        {"default": ACCEPT, "transports": {"docker": {"": []}}},
        {"default": ACCEPT, "more": 1},
        {"default": [{"type": "reject", "more": 1}]},
        {"default": [{"type": "signedBy"}]},
        {"default": [{"type": "signedBy", "keyType": "GPGKeys"}]},
        {"default": [{**SIGNED[0], "keyData": "aa"}]},
        {"default": [{**SIGNED[0], "keyPath": ""}]},
        {"default": [{**SIGNED[0], "keyType": 1}]},
        {"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPaths": []}]},
        {"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPaths": "/k"}]},
        {"default": [{**SIGNED[0], "signedIdentity": {}}]},
        {"default": [{**SIGNED[0], "signedIdentity": {"type": "matchExact", "prefix": "a"}}]},
        {"default": [{**SIGNED[0], "signedIdentity": {"type": "exactReference"}}]},
        {"default": [{**SIGNED[0], "signedIdentity": {"type": "remapIdentity", "prefix": "a"}}]},
        {"default": [{"type": "sigstoreSigned"}]},
        {"default": [{"type": "sigstoreSigned", "keyPath": "/k", "fulcio": {}}]},
        {"default": [{"type": "sigstoreSigned", "fulcio": 1}]},
        {
            "default": [
                {
                    "type": "sigstoreSigned",
                    "keyPath": "/k",
                    "rekorPublicKeyPath": "/r",
                    "rekorPublicKeyData": "r",
                }
            ]
        },
    ],
)
def test_malformed_policies_let_nothing_in(document: Any) -> None:
    with pytest.raises(InvalidPolicy):
        parse_policy(document)


def test_a_name_that_stands_twice_is_no_policy() -> None:
    with pytest.raises(ValueError, match="'default' stands twice"):
        json.loads('{"default": 1, "default": 2}', object_pairs_hook=without_duplicates)
