"""kill -9 at any moment of what works on images, not only at the steps that have names: test_killed_storage.py.

Where it hits is left to chance. POD_TEST_KILLS=N kills each command so often; a handful keeps the suite quick.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import lists
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine
from tests.support.layout import Entry, Layout, layer_tar
from tests.support.registry import Registry
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("what is left of it then is its own business")

KILLS = int(os.environ.get("POD_TEST_KILLS") or 1)
INSECURE = "--tls-verify=false"


class Case:
    """Commands around the one that is killed; `{n}` in it becomes a number of its own each time."""

    def __init__(self, *words: str, before: Callable[[], object] = lambda: None,
                 after: Callable[[str], object] = lambda n: None) -> None:  # fmt: skip
        self.words, self.before, self.after = words, before, after


@pytest.fixture
def cases(pod: Engine, registry: Registry, tmp_path: Path) -> dict[str, Case]:
    layout = Layout(str(tmp_path / "layout"))
    image = layout.add_image(
        [layout.add_layer(layer_tar([Entry(f"{name}/{n}", os.urandom(30_000)) for n in range(30)]))
         for name in ("a", "b", "c")]
    )  # fmt: skip
    archive = image.docker_archive(str(tmp_path / "in.tar"), ["localhost/app:1"])
    (tmp_path / "file").write_bytes(os.urandom(2_000_000))
    lists.import_two(pod, tmp_path)
    saved, there = str(tmp_path / "out.tar"), f"{registry.host}/any"

    def load() -> None:
        pod("load", "-q", "-i", archive)

    def pulled(n: str) -> None:
        pod("pull", "-q", INSECURE, f"{there}/app:{n}")
        pod("rmi", f"{there}/app:{n}")

    def make_list() -> None:
        load()
        pod("manifest", "create", "--amend", "several", "localhost/app:1")

    def add_artifact() -> None:
        pod("artifact", "add", f"{there}/thing:1", str(tmp_path / "file"), status=None)

    return {
        "load": Case("load", "-q", "-i", archive, before=lambda: pod("rmi", "app:1", status=None)),
        "save": Case("save", "-q", "-o", saved, "app:1", before=load,
                     after=lambda n: pod("load", "-q", "-i", saved)),
        "push": Case("push", "-q", INSECURE, "app:1", f"{there}/app:{{n}}", before=load,
                     after=pulled),
        "push, compressed": Case(
            "push", "-q", INSECURE, "--compression-format", "zstd", "--force-compression",
            "--compression-level", "{n}", "app:1", f"{there}/app:{{n}}", before=load, after=pulled),
        "rmi": Case("rmi", "-i", "app:1", before=load),
        "image prune": Case("image", "prune", "-a", "-f", "--filter", "reference=app",
                            before=load),
        "system prune": Case("system", "prune", "-f", "--external", before=load),
        "manifest push": Case("manifest", "push", INSECURE, "several",
                              f"docker://{there}/list:{{n}}", before=make_list),
        "artifact add": Case("artifact", "add", "localhost/thing:{n}", str(tmp_path / "file"),
                             before=lambda: pod("artifact", "rm", "-a", status=None)),
        "artifact push": Case("artifact", "push", "-q", INSECURE, f"{there}/thing:1",
                              before=add_artifact),
    }  # fmt: skip


NAMES = ["load", "save", "push", "push, compressed", "rmi", "image prune", "system prune",
         "manifest push", "artifact add", "artifact push"]  # fmt: skip


def _goes_by_itself(line: str) -> bool:
    """A file that was about to get its name, which the next removal takes along."""
    return line.startswith("leftover: ") and ".tmp' is what a killed command has left" in line


@pytest.mark.parametrize("name", NAMES)
def test_killed_anywhere(pod: Engine, cases: dict[str, Case], name: str) -> None:
    """Nothing is half there, and the same command works when it is typed again."""
    case, chance = cases[name], random.Random(name)
    seconds = 0.0
    for number in range(KILLS + 1):
        text = str(number + 1)
        words = [word.replace("{n}", text) for word in case.words]
        case.before()
        begun = time.monotonic()
        if number == 0:  # to know how long it takes
            pod(*words)
            seconds = time.monotonic() - begun
            continue
        with pod.spawn(*words) as process:
            try:
                process.wait(chance.uniform(0.1, 1) * seconds)
            except subprocess.TimeoutExpired:
                process.kill()
        after = f"a kill after {time.monotonic() - begun} s"
        found = pod("system", "check", "--max", "24h", status=None)
        assert all(_goes_by_itself(line) for line in found.stdout.splitlines()), (after, found)
        if name.startswith("artifact add"):
            pod("artifact", "rm", words[2], status=None)
        pod(*words)
        case.after(text)
        pod("tag", "busybox", "localhost/gone:1")
        pod("rmi", "localhost/gone:1")
        nothing_wrong(pod, max_age="24h", after=after)
    until(lambda: not os.listdir(f"{pod.root}/staging"), "what was begun is gone")
    pod("rmi", "-i", "app:1", "several", "mine", "other")
    pod("artifact", "rm", "-a", status=None)
    pod("system", "prune", "-f", "--external")
    nothing_wrong(pod)
