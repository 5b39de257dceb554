"""`image tree`: the layers of an image, and what stands upon it, in podman's words."""

from __future__ import annotations

import re

import pytest

from tests.support.engine import Engine


@pytest.fixture
def family(pod: Engine) -> list[str]:
    """Three images, each with one layer more than the one before; podman says the same of them."""
    names = ["localhost/tree-one:latest", "localhost/tree-two:latest"]
    parent = "busybox"
    for name in names:
        container = pod("create", "--network=none", parent, "touch", f"/{name[-10:-7]}").out
        pod("start", "-a", container)
        pod("commit", "-q", container, name)
        pod("rm", container)
        parent = name
    return ["docker.io/library/busybox:latest", *names]


def shape(lines: list[str]) -> list[str]:
    """Lines without ids and sizes, which differ between the engines."""
    found = [re.sub(r"ID: \w{12}", "ID", line) for line in lines if line.strip()]
    return [re.sub(r"Size: [ .\d]{1,6}[kMG]?B", "Size", line) for line in found]


def test_layers_from_the_bottom_up(pod: Engine, family: list[str]) -> None:
    base, one, two = family
    lines = pod("image", "tree", two).lines
    assert lines[0] == "Image ID: " + pod("inspect", "-f", "{{.Id}}", two).out[:12]
    assert lines[1] == f"Tags:     [{two}]"
    assert re.fullmatch(r"Size:     [\d.]+[kM]B", lines[2])
    assert shape(lines[3:]) == [
        "Image Layers",
        f"├── ID Size Top Layer of: [{base}]",
        f"├── ID Size Top Layer of: [{one}]",
        f"└── ID Size Top Layer of: [{two}]",
    ]
    first = pod("inspect", "-f", "{{index .RootFS.Layers 0}}", two).out
    assert lines[4].split()[2] == first.partition(":")[2][:12]


@pytest.mark.not_podman("it shows the layers of containers, too")
def test_what_requires(pod: Engine, family: list[str]) -> None:
    base, one, two = family
    pod("tag", one, "localhost/tree-other:latest")
    lines = pod("image", "tree", "--whatrequires", base).lines
    assert shape(lines[3:]) == [
        "Image Layers",
        f"├── ID Size Top Layer of: [{base}]",
        f"└── ID Size Top Layer of: [{one} localhost/tree-other:latest]",
        f"    └── ID Size Top Layer of: [{two}]",
    ]
    assert shape(pod("image", "tree", "--whatrequires", two).lines[3:]) == [
        "Image Layers",
        f"└── ID Size Top Layer of: [{two}]",
    ]


def test_an_image_that_is_not_here(pod: Engine) -> None:
    assert "nowhere" in pod("image", "tree", "nowhere", status=125).stderr
