"""A bench for containers of busybox, without an engine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator

import pytest

from tests.support.bundles import Bench, unpack_busybox
from tests.support.places import remove_tree


@pytest.fixture(scope="session")
def busybox_root(workspace: str) -> str:
    return unpack_busybox(os.path.join(workspace, "busybox-root"))


@pytest.fixture
def bench(workspace: str, busybox_root: str) -> Generator[Bench]:
    work = tempfile.mkdtemp(prefix="b-", dir=workspace)
    yield Bench(busybox_root, work)
    remove_tree(work)


@pytest.fixture(params=["built-in", "crun", "runc"])
def runtime(request: pytest.FixtureRequest) -> str:
    """The runtime for a bundle: "" for the built-in one, or the name of another."""
    return "" if request.param == "built-in" else str(request.param)
