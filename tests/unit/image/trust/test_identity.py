"""Which signed names fit which images: the table of containers-policy.json(5)."""

from __future__ import annotations

import pytest

from pod.image.policy import Identity
from pod.image.trust.identity import accepts
from pod.spec.reference import parse

HEX = "0" * 64
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("kind", "image", "signed", "fits"),
    [
        ("matchExact", "a.io/b:1", "a.io/b:1", True),
        ("matchExact", "a.io/b:1", "a.io/b:2", False),
        ("matchExact", "a.io/b:1", "a.io/b", False),
        ("matchExact", f"a.io/b@{DIGEST}", "a.io/b:1", False),
        ("matchExact", f"a.io/b@{DIGEST}", f"a.io/b@{DIGEST}", True),
        ("matchRepoDigestOrExact", "a.io/b:1", "a.io/b:1", True),
        ("matchRepoDigestOrExact", "a.io/b:1", "a.io/b:2", False),
        ("matchRepoDigestOrExact", f"a.io/b@{DIGEST}", "a.io/b:2", True),
        ("matchRepoDigestOrExact", f"a.io/b:1@{DIGEST}", "a.io/b:2", True),
        ("matchRepoDigestOrExact", f"a.io/b@{DIGEST}", "a.io/c:2", False),
        ("matchRepoDigestOrExact", f"a.io/b@{DIGEST}", "a.io/b", False),
        ("matchRepository", "a.io/b:1", "a.io/b:2", True),
        ("matchRepository", "a.io/b:1", "a.io/b", True),
        ("matchRepository", "a.io/b:1", "a.io/b/c:1", False),
        ("matchExact", "docker.io/library/b:1", "b:1", True),
        ("matchExact", "a.io/b:1", "", False),
        ("matchExact", "a.io/b:1", "A B", False),
    ],
)
def test_names_that_follow_the_image(kind: str, image: str, signed: str, fits: bool) -> None:
    assert accepts(Identity(kind), parse(image), signed) is fits


@pytest.mark.parametrize(
    ("kind", "values", "signed", "fits"),
    [
        ("exactReference", ("x.io/y:1",), "x.io/y:1", True),
        ("exactReference", ("x.io/y:1",), "x.io/y:2", False),
        ("exactReference", ("x.io/y",), "x.io/y", False),
        ("exactRepository", ("x.io/y",), "x.io/y:7", True),
        ("exactRepository", ("x.io/y",), "x.io/z:7", False),
        ("remapIdentity", ("a.io", "x.io"), "x.io/n/b:1", True),
        ("remapIdentity", ("a.io", "x.io"), "a.io/n/b:1", False),
        ("remapIdentity", ("a.io/n", "x.io/m/k"), "x.io/m/k/b:1", True),
        ("remapIdentity", ("a.io/n/b", "x.io/c"), "x.io/c:1", True),
        ("remapIdentity", ("a.io/nn", "x.io"), "a.io/n/b:1", True),
        ("remapIdentity", ("a.io/n", "X Y"), "a.io/n/b:1", False),
    ],
)
def test_names_that_the_policy_says(
    kind: str, values: tuple[str, ...], signed: str, fits: bool
) -> None:
    assert accepts(Identity(kind, values), parse("a.io/n/b:1"), signed) is fits


def test_an_image_in_a_file_has_no_name() -> None:
    assert not accepts(Identity("matchRepository"), None, "a.io/b:1")
    assert not accepts(Identity("remapIdentity", ("a", "b")), None, "a.io/b:1")
    assert accepts(Identity("exactReference", ("a.io/b:1",)), None, "a.io/b:1")
