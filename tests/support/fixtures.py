"""Fixtures for tests that run the program or the kernel; conftest.py of e2e and integration take them from here."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Generator, Mapping

import pytest

from tests.support import keeper
from tests.support.engine import TREE, Engine, chosen_kind, engine_in
from tests.support.leaks import WAIT_SECONDS, Watch
from tests.support.places import remove_tree, run_directory
from tests.support.registry import Registry


def pytest_configure() -> None:
    keeper.adopt_orphans()


@pytest.fixture(scope="session")
def watch() -> Watch:
    """What the leak check knows of the whole run."""
    return Watch()


@pytest.fixture(autouse=True)
def nothing_left(watch: Watch) -> Generator[None]:
    """After every test, nothing of it is left: see tests/support/leaks.py."""
    before = watch.before()
    yield
    if left := watch.after(before):
        pytest.fail("the test left behind:\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture(scope="session")
def workspace() -> Generator[str]:
    """A directory with a short path on a real disk, for the whole run."""
    with run_directory() as path:
        yield path


@pytest.fixture(scope="session")
def runtime_directory() -> Generator[str]:
    """What XDG_RUNTIME_DIR is for the programs under test."""
    with run_directory(os.environ.get("XDG_RUNTIME_DIR")) as path:
        yield path


@pytest.fixture(scope="session")
def registry(workspace: str, watch: Watch) -> Generator[Registry]:
    """docker-registry on loopback, without TLS and users. `registry.have("nginx")` puts an image into it."""
    with Registry(os.path.join(workspace, "registry")) as started:
        watch.allowed.add(started.process.pid)
        yield started


@pytest.fixture
def registry_with(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[..., Registry]]:
    """Start registries with `users=`, `tls=`, `schema1=` for one test; see Registry."""
    started: list[Registry] = []

    def start(
        *, users: Mapping[str, str] | None = None, tls: bool = False, schema1: bool = False
    ) -> Registry:
        directory = str(tmp_path_factory.mktemp("registry"))
        started.append(Registry(directory, users=users, tls=tls, schema1=schema1))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def session_engine(
    workspace: str, runtime_directory: str, registry: Registry, watch: Watch
) -> Generator[Engine]:
    """The engine behind `pod`."""
    _warn_of_old_installation()
    engine = engine_in(workspace, runtime_directory, "s", registry)
    engine.have("busybox")
    watch.engines.append(engine)
    watch.paths += [workspace, runtime_directory]
    yield engine
    engine.clean()
    end_pause_process(engine)


@pytest.fixture
def pod(session_engine: Engine) -> Generator[Engine]:
    """The program under test, with busybox in its store. Containers, volumes and new image names go after the test.

    Do not remove images that others use; `fresh_pod` is for that. `pod.have("nginx")` brings another image.
    """
    yield session_engine
    session_engine.clean()


@pytest.fixture
def fresh_pod(workspace: str, runtime_directory: str, registry: Registry) -> Generator[Engine]:
    """The program under test with a root of its own that does not exist yet."""
    with engine_of_its_own(workspace, runtime_directory, registry) as engine:
        yield engine


@contextlib.contextmanager
def engine_of_its_own(
    workspace: str, runtime_directory: str, registry: Registry
) -> Generator[Engine]:
    """The program under test with a new root in the directory `workspace`, of which nothing may be left in the end."""
    name = os.path.basename(tempfile.mkdtemp(prefix="f-", dir=workspace))
    os.rmdir(os.path.join(workspace, name))
    engine = engine_in(workspace, runtime_directory, name, registry)
    yield engine
    if os.path.exists(engine.root):
        engine.clean()
        engine("rmi", "-f", "-a", status=None)
    end_pause_process(engine)
    left = _leftovers(engine)
    remove_tree(engine.root)
    remove_tree(engine.runroot)
    assert not left, "left in the engine's directories:\n  " + "\n  ".join(left)


def _leftovers(engine: Engine) -> list[str]:
    """What is still left when what deletes trees in the background has had its time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (left := engine.leftovers() if os.path.exists(engine.root) else []) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.01)
    return left


@pytest.fixture(scope="session")
def is_podman() -> bool:
    return chosen_kind() == "podman"


def end_pause_process(engine: Engine) -> None:
    if engine.kind == "podman" and os.path.exists(engine.root):
        engine("system", "migrate", status=None)


def _warn_of_old_installation() -> None:
    """The end-to-end tests run what is installed; someone who edits the tree may expect otherwise."""
    mark = os.path.join(TREE, ".venv", ".pod-installed")
    if os.environ.get("POD") or not os.path.exists(mark):
        return
    newest = 0.0
    for name in ("pod", "storage", "netns", "conf"):
        for directory, _, files in os.walk(os.path.join(TREE, name)):
            for file in files:
                if not file.endswith(".pyc"):
                    newest = max(newest, os.stat(os.path.join(directory, file)).st_mtime)
    if newest > os.stat(mark).st_mtime:
        warnings.warn(
            ".venv/bin/pod is older than the tree: tests/support/machine.sh venv", stacklevel=1
        )
