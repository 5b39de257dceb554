"""Locations with a transport."""

from __future__ import annotations

import pytest

from pod.base.errors import InvalidValue, Unsupported
from pod.spec import transport
from pod.spec.transport import Location


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("docker://quay.io/a:b", Location("docker", reference="quay.io/a:b")),
        ("docker-archive:/x.tar", Location("docker-archive", "/x.tar")),
        ("docker-archive:x.tar:a/b:c", Location("docker-archive", "x.tar", "a/b:c")),
        ("docker-archive:x.tar:@2", Location("docker-archive", "x.tar", "@2")),
        ("oci:/dir:tag", Location("oci", "/dir", "tag")),
        ("oci:/dir", Location("oci", "/dir")),
        ("oci-archive:x.tar:latest", Location("oci-archive", "x.tar", "latest")),
        ("dir:/a:b", Location("dir", "/a:b")),
        ("containers-storage:a:b", Location("containers-storage", reference="a:b")),
        ("containers-storage:[overlay@/x+/y]a", Location("containers-storage", reference="a")),
    ],
)
def test_location(text: str, location: Location) -> None:
    assert transport.parse(text) == location


@pytest.mark.parametrize(
    "text", ["nginx", "nginx:1", "docker:dind", "localhost:5000/a", "quay.io/dir:latest"]
)
def test_plain_references_have_no_transport(text: str) -> None:
    assert transport.parse(text) is None


@pytest.mark.parametrize("text", ["docker://", "oci:", "dir:", "docker-archive:", "oci::tag"])
def test_transport_needs_what_it_names(text: str) -> None:
    with pytest.raises(InvalidValue):
        transport.parse(text)


def test_docker_daemon_is_refused_with_a_reason() -> None:
    with pytest.raises(Unsupported, match="running Docker engine"):
        transport.parse("docker-daemon:a:b")
