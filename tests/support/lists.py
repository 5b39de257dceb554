"""Lists of images for tests, in the registry and in the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import images
from tests.support.engine import Engine
from tests.support.layout import DOCKER_LIST, OCI_INDEX, Layout
from tests.support.registry import Registry

INSECURE = "--tls-verify=false"


def put_several(
    registry: Registry, layout: Layout, repository: str, *, docker: bool = False
) -> tuple[str, str, list[str]]:
    """A list of busybox for amd64 and for arm64 in the registry: its name, its digest, and those of its images."""
    busybox = images.image("busybox")
    ours = busybox.copy(layout, docker=docker)
    theirs = busybox.copy(
        layout, docker=docker, architecture="arm64", variant="v8", config={"Cmd": ["x"]}
    )
    digest = registry.push_index(ours, layout.add_index([theirs, ours], docker=docker), repository)
    return f"{registry.host}/{repository}", digest, [theirs.digest, ours.digest]


def import_two(pod: Engine, tmp_path: Path) -> None:
    """Images "mine" and "other", for this machine and for arm64."""
    archive = tmp_path / "root.tar"
    archive.write_bytes(b"\0" * 10240)
    pod("import", "-q", str(archive), "mine")
    pod("import", "-q", "--arch", "arm64", str(archive), "other")


def local(pod: Engine, name: str) -> str:
    """How both engines are told that an image is here."""
    return name if pod.kind == "pod" else f"containers-storage:localhost/{name}:latest"


def entries(pod: Engine, name: str) -> list[dict[str, Any]]:
    return list(pod("manifest", "inspect", name).json()["manifests"] or [])


def top(registry: Registry, repository: str, tag: str = "latest") -> tuple[dict[str, Any], str]:
    """A list in the registry, and its digest."""
    accept = {"Accept": f"{OCI_INDEX}, {DOCKER_LIST}"}
    answer = registry.request("GET", f"/v2/{repository}/manifests/{tag}", headers=accept)
    return json.loads(answer.body), str(answer.headers["Docker-Content-Digest"])
