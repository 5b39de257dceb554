"""`pod builder`: what builds keep, as it is listed, measured and removed; and buildx, which is not needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("version 4.3 has images of steps instead")
TEXT = """\
FROM busybox AS unused-later
RUN --mount=type=cache,id=mine,target=/c echo kept > /c/f && echo step > /one
FROM busybox
COPY --from=unused-later /one /two
"""


@pytest.fixture
def built(fresh_pod: Engine, tmp_path: Path) -> Engine:
    (tmp_path / "Dockerfile").write_text(TEXT)
    fresh_pod.have("busybox")
    fresh_pod("build", "-q", "--network", "none", "-t", "it", str(tmp_path))
    return fresh_pod


def kinds(pod: Engine, *options: str) -> dict[str, tuple[str, bool]]:
    """Instruction or id of the mount -> kind, and whether an image shares it."""
    found = pod("builder", "ls", "--format", "json", *options).json()
    return {it["Text"]: (it["Type"], it["Shared"]) for it in found}


def test_steps_and_mounts_are_listed(built: Engine) -> None:
    run, copy = TEXT.splitlines()[1], TEXT.splitlines()[3]
    expected = {run: ("step", False), copy: ("step", True), "mine": ("mount", False)}
    assert kinds(built) == expected
    assert set(kinds(built, "--filter", "type=mount")) == {"mine"}
    assert set(kinds(built, "--filter", "shared=true")) == {copy}
    assert kinds(built, "--filter", "until=1h") == {}
    assert [line.split(":")[0] for line in built("builder", "du").lines] == ["Reclaimable", "Total"]
    assert built("buildx", "ls", "-q").lines == built("builder", "ls", "-q").lines


def test_prune_leaves_images_and_what_they_share(built: Engine, tmp_path: Path) -> None:
    copy = TEXT.splitlines()[3]
    built("builder", "prune", "-f")
    assert kinds(built) == {copy: ("step", True), "mine": ("mount", False)}
    built("builder", "prune", "-f", "--all")
    assert kinds(built) == {}
    assert built("run", "--rm", "--network", "none", "it", "cat", "/two").out == "step"
    result = built("build", "--network", "none", "-t", "it", str(tmp_path))
    assert "Using cache" not in result.stderr
    nothing_wrong(built)


def test_prune_by_size_takes_the_oldest_first(built: Engine) -> None:
    built("builder", "prune", "-f", "--all", "--keep-storage", "1g")
    assert len(kinds(built)) == 3
    built("builder", "prune", "-f", "--all", "--keep-storage", "0")
    assert not any(kind == "mount" for kind, _ in kinds(built).values())


def test_prune_of_images_and_of_all_takes_the_cache_along(built: Engine, tmp_path: Path) -> None:
    built("image", "prune", "-f", "--build-cache")
    assert kinds(built) == {}
    built("build", "-q", "--network", "none", "-t", "it", str(tmp_path))
    built("system", "prune", "-f", "--build")
    assert set(kinds(built)) == {TEXT.splitlines()[3], "mine"}


def test_wrong_filters_are_named(pod: Engine) -> None:
    for text in ("x=y", "type=z", "shared=2", "until", "until=x"):
        message = one_error(pod("builder", "ls", "--filter", text, status=125), hint=None)
        assert "--filter" in message and text.rpartition("=")[2] in message


def test_buildx_needs_nothing_to_be_made(pod: Engine) -> None:
    result = pod("buildx", "create", "--use", "--name", "x")
    assert result.out == "default" and "builds without a builder" in result.stderr
    assert pod("buildx", "use", "x").out == ""
    assert pod("buildx", "version").out == pod("version").out
    assert "pod manifest" in pod("buildx", "imagetools", status=125).stderr
