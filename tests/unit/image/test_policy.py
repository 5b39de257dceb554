"""policy.json: which scope counts, and that what cannot be verified is refused."""

from __future__ import annotations

from typing import Any

import pytest

from pod.image.policy import InvalidPolicy, Policy, PolicyRejects, SignaturesNeeded, parse_policy

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


@pytest.mark.parametrize("kind", ["signedBy", "sigstoreSigned"])
def test_signatures_are_not_pretended(kind: str) -> None:
    rules = policy([{"type": kind}])
    with pytest.raises(SignaturesNeeded, match=kind):
        rules.check("docker", "a.io/b:1")


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
    ],
)
def test_malformed_policies_let_nothing_in(document: Any) -> None:
    with pytest.raises(InvalidPolicy):
        parse_policy(document)
