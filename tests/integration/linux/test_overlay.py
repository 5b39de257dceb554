"""Overlays of more layers than the kernel takes in one mount, or than their names have room for."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from pod.linux import idmap, mounts
from storage import overlayfs


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(90, id="one page of names"),
        pytest.param(500, id="one mount"),
        pytest.param(501, id="one more"),
        pytest.param(1001, id="several mounts below"),
    ],
)
@pytest.mark.parametrize("is_writable", [True, False], ids=["writable", "read-only"])
def test_all_layers_are_seen_and_upper_ones_first(
    tmp_path: Path, count: int, *, is_writable: bool
) -> None:
    layers = []
    for number in range(count):
        layer = tmp_path / f"{number:032}"
        layer.mkdir()
        (layer / f"f{number}").touch()
        (layer / "highest").write_text(str(number))
        layers.insert(0, str(layer))
    for name in ("upper", "work", "target"):
        (tmp_path / name).mkdir()
    upper, work, target = (str(tmp_path / name) for name in ("upper", "work", "target"))
    options = overlayfs.marks_here().mount_options

    def mount() -> tuple[list[str], str, list[str]]:
        before = os.getcwd(), resource.getrlimit(resource.RLIMIT_NOFILE)
        mounts.mount_overlay(layers, *((upper, work) if is_writable else ("", "")), target, options)
        assert (os.getcwd(), resource.getrlimit(resource.RLIMIT_NOFILE)) == before
        names, highest = os.listdir(target), Path(target, "highest").read_text()
        if is_writable:
            os.unlink(f"{target}/f0")
            os.unlink(f"{target}/highest")
        return names, highest, os.listdir(target)

    names, highest, left = idmap.run_inside(mount, what="mount many layers")
    assert sorted(names) == sorted(["highest", *(f"f{number}" for number in range(count))])
    assert highest == str(count - 1)
    assert len(left) == len(names) - (2 if is_writable else 0)
