"""What the commands that people wait for load: a new module on their way fails here, not under a stopwatch.

`--update-golden` rewrites the lists, which says what a change has added.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.support.engine import TREE, Engine
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("it is not written in Python")

DATA = os.path.join(TREE, "tests", "data", "startup")
OURS = ("pod", "storage", "netns")
# What costs a millisecond or more, whatever the lists say.
FORBIDDEN = set(
    """
    asyncio click collections contextlib ctypes dataclasses datetime enum functools hashlib http importlib.metadata
    inspect json logging pathlib psutil pyroute2 re rich shutil socket sqlite3 subprocess tempfile threading tomllib
    httptools typing xattr zstandard
    """.split()
)


@pytest.fixture
def container(pod: Engine) -> str:
    pod("run", "-d", "--name", "one", "--network", "none", "busybox", "sleep", "1000")
    return "one"


def loaded(pod: Engine, *words: str) -> set[str]:
    """The modules that the command, and the monitor forked from it, load after the launcher."""
    with open(pod.command[0], encoding="utf-8") as file:
        interpreter = file.readline().removeprefix("#!").split()
    watched = replace(pod, command=[*interpreter, "-X", "importtime", *pod.command])
    result = watched(*words)
    names = [
        line.split("|")[2].strip() for line in result.stderr.splitlines() if "import time:" in line
    ]
    first = names.index("pod")
    return set(names[first:])


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--rm", "busybox", "true"],
        ["run", "-d", "--rm", "-p", "127.0.0.1::80", "busybox", "sleep", "1000"],
        ["exec", "one", "true"],
        ["ps", "-a"],
        ["stop", "-t", "0", "one"],
        ["rm", "-f", "-t", "0", "one"],
        ["images"],
        ["stats", "--no-stream"],
        ["network", "create", "passing"],
        ["network", "rm", "staying"],
        ["pod", "create", "--network", "none", "passing"],
    ],
    ids=lambda words: "-".join(word.lstrip("-") for word in words[:2]),
)
def test_loads_what_is_listed(
    pod: Engine,
    container: str,
    words: list[str],
    update_golden: bool,
    request: pytest.FixtureRequest,
) -> None:
    # The configuration is read anew until its files are some seconds old.
    quick = ["run", "--rm", "--network", "none", "busybox", "true"]
    until(lambda: "tomllib" not in loaded(pod, *quick), "keeping the configuration")
    if "-p" in words:
        # What this kernel can do for networks is tried once.
        pod("rm", "-f", "-t", "0", pod(*words).out)
    if words[0] == "network":
        pod("network", "create", "staying")
        request.addfinalizer(lambda: pod("network", "rm", "-f", "passing", "staying"))
    if words[0] == "pod":
        request.addfinalizer(lambda: pod("pod", "rm", "-f", "passing"))
    modules = loaded(pod, *words)
    assert " ".join(sorted(modules & FORBIDDEN)) == ""
    ours = {name for name in modules if name.partition(".")[0] in OURS}
    path = os.path.join(DATA, f"{request.node.callspec.id}.txt")
    if update_golden:
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in sorted(ours))
    with open(path, encoding="utf-8") as file:
        assert sorted(ours - set(file.read().split())) == []
