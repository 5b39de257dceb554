"""`pod push` to registries: what arrives there, and what is printed. Faults are in test_push_faults.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import images
from tests.support.engine import Engine
from tests.support.layout import Layout
from tests.support.registry import Registry

INSECURE = "--tls-verify=false"


def manifest_at(registry: Registry, repository: str, tag: str = "latest") -> tuple[str, Any]:
    """Digest and document."""
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    answer = registry.request(
        "GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": accept}
    )
    assert answer.status == 200, answer.body
    return str(answer.headers["Docker-Content-Digest"]), json.loads(answer.body)


@pytest.mark.not_podman("it compresses layers again, so that the digest changes")
def test_digest_of_a_pulled_image_stays(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    image = images.image("busybox").copy(Layout(str(tmp_path)), docker=True)
    registry.push(image, "from/there")
    for source in ("busybox", f"{registry.host}/from/there"):
        if source != "busybox":
            pod("pull", "-q", INSECURE, source)
        digest = pod("inspect", "--format", "{{.Digest}}", source).out
        target = f"to/{'docker' if '/' in source else 'oci'}"
        pod("push", INSECURE, source, f"{registry.host}/{target}")
        assert manifest_at(registry, target)[0] == digest
