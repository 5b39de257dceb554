"""One store, and two machines' worth of commands on it at once: pull, rmi, run, prune, save, load, tag, check, df.

Each command either does what it says or ends with one sentence, what was acknowledged and not removed is there, and in
the end all is well. Which command meets which is left to chance, but how many of each there are is not.
"""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.image.faulty import FaultyRegistry
from tests.integration.image.taking import TakingRegistry
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine, Result
from tests.support.layout import Entry, Layout, layer_tar
from tests.support.waiting import until

pytestmark = [
    pytest.mark.not_podman("it meets with errors of its own"),
    pytest.mark.timeout(300),  # dozens of commands, and all images come back afterwards
]

AT_ONCE = 6


def layers(number: int) -> list[bytes]:
    """Three, of which all images have the first and some the second."""
    names = ["all", f"some{number % 2}", f"own{number}"]
    return [
        layer_tar([Entry(f"{name}/{n}", name.encode() * 50) for n in range(10)]) for name in names
    ]


def at_once(pod: Engine, commands: list[tuple[str, ...]]) -> list[Result]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda words: pod(*words, status=None), commands))
    for result in results:
        assert "at fault" not in result.stderr and "Traceback" not in result.stderr, result
        assert "for too long" not in result.stderr, result
        if result.status not in (0, 125, 1, 2):
            raise AssertionError(f"an odd status:\n{result}")
    return results


def quiet(pod: Engine) -> None:
    """What goes on behind commands has ended."""
    until(
        lambda: pod("system", "check", "--quick", "--max", "24h", status=None).stdout == "", "quiet"
    )


def test_everything_at_once(pod: Engine, server: FaultyRegistry, tmp_path: Path) -> None:
    pulled, archives = [], []
    for number in range(3):
        server.add_image(f"me/p{number}:latest", layers(number))
        pulled.append(f"{server.host}/me/p{number}")
        layout = Layout(str(tmp_path / f"l{number}"))
        image = layout.add_image([layout.add_layer(it, "none") for it in layers(10 + number)])
        archives.append(
            image.docker_archive(str(tmp_path / f"{number}.tar"), [f"localhost/l{number}:1"])
        )
    pod("pull", "-q", pulled[0])
    pod("create", "--name", "user", pulled[0], "true")
    kept = [pulled[0], "localhost/kept:1"]
    pod("tag", "busybox", kept[1])
    count = itertools.count()
    commands: list[tuple[str, ...]] = []
    for number in range(2):
        commands += [
            *[("pull", "-q", name) for name in pulled],
            *[("load", "-q", "-i", path) for path in archives],
            *[("rmi", name) for name in (*pulled[1:], "localhost/l0:1")],
            ("run", "--rm", "--network", "none", "busybox", "true"),
            ("run", "--rm", "--network", "none", "--name", f"n{number}", "busybox", "true"),
            ("save", "-q", "-o", str(tmp_path / f"{next(count)}.saved"), "busybox"),
            ("save", "-q", "-o", str(tmp_path / f"{next(count)}.saved"), pulled[2]),
            ("tag", "busybox", f"localhost/t{number}:1"),
            ("image", "prune", "-f"),
            ("system", "prune", "--external", "-f"),
            ("system", "df"),
            ("images",),
            ("create", "--name", f"c{number}", pulled[1], "true"),
        ]
    random.Random(4).shuffle(commands)
    results = at_once(pod, commands)
    for result in results:
        if result.command[1] in ("run", "tag", "images", "load"):
            assert result.status == 0, result
    names = pod("images", "--format", "{{.Repository}}:{{.Tag}}").lines
    assert len(names) == len(set(names)), "a name was given twice"
    expected = {f"{kept[0]}:latest", kept[1], *(f"localhost/t{n}:1" for n in range(2))}
    assert expected <= set(names), "a name was lost"
    created = [it for it in results if it.command[1] == "create" and it.status == 0]
    assert len(pod.containers()) == 1 + len(created)
    for name in names:
        pod("rm", pod("create", name, "true").out)  # all of its layers are there
    for number in range(next(count)):
        path = tmp_path / f"{number}.saved"
        if path.exists():
            pod("load", "-q", "-i", str(path))
    quiet(pod)
    nothing_wrong(pod, max_age="24h")
    pod("rm", "-a")
    pod("system", "prune", "-a", "-f", "--filter", "label!=x")
    quiet(pod)
    nothing_wrong(pod)
    assert pod("images", "-q").out == ""


def test_everything_for_registries_at_once(pod: Engine, tmp_path: Path) -> None:
    """Push, lists and artifacts, the same ones too, beside commands that remove."""
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    pod("tag", "busybox", "localhost/app:1")
    with TakingRegistry() as taking:
        there = f"{taking.host}/me"
        commands: list[tuple[str, ...]] = []
        for number in range(2):
            commands += [
                *[
                    ("push", "-q", "busybox", f"{there}/app:{tag}")
                    for tag in ("1", "1", str(number))
                ],
                ("push", "-q", "--compression-format", "zstd", "busybox", f"{there}/packed:1"),
                ("manifest", "create", "--amend", "several", "localhost/app:1"),
                ("manifest", "create", f"list{number}", "localhost/app:1"),
                ("manifest", "push", f"list{number}", f"docker://{there}/list:1"),
                ("artifact", "add", f"{there}/thing{number}:1", str(tmp_path / "file")),
                ("artifact", "rm", f"{there}/thing0:1"),
                ("artifact", "ls"),
                ("tag", "busybox", f"localhost/t{number}:1"),
                ("rmi", f"localhost/t{number}:1"),
                ("pull", "-q", f"{there}/app:1"),
                ("image", "prune", "-f"),
                ("system", "prune", "--external", "-f"),
            ]
        random.Random(5).shuffle(commands)
        for result in at_once(pod, commands):
            if result.command[1] in ("push", "tag", "prune"):
                assert result.status == 0, result
        names = pod("images", "--format", "{{.Repository}}:{{.Tag}}").lines
        assert {"localhost/several:latest", "localhost/list0:latest"} <= set(names)
        assert f"{there}/thing1" in pod("artifact", "ls", "--format", "{{.Repository}}").lines
        for name in ("several", "list0", "list1"):
            (entry,) = pod("manifest", "inspect", name).json()["manifests"]
            assert entry["digest"] == pod("image", "inspect", "-f", "{{.Digest}}", "app:1").out
            pod("manifest", "push", name, f"docker://{there}/again:1")
        pod("artifact", "push", "-q", f"{there}/thing1:1")
    pod("artifact", "rm", "-a")
    pod("rmi", "-i", "several", "list0", "list1", "app:1", f"{there}/app:1")
    pod("system", "prune", "--external", "-f")
    quiet(pod)
    nothing_wrong(pod, max_age="24h")


def test_pruned_by_all(pod: Engine, server: FaultyRegistry) -> None:
    """All go, whoever was quicker, and nothing of them stays."""
    pod("create", "busybox", "true")
    for number in range(4):
        server.add_image(f"me/p{number}:latest", layers(number))
        pod("pull", "-q", f"{server.host}/me/p{number}")
    names = pod("images", "--format", "{{.Repository}}").lines
    unused = {name for name in names if not name.endswith("/busybox")}
    results = at_once(pod, [("image", "prune", "-a", "-f")] * AT_ONCE)
    removed = [line for result in results for line in result.lines]
    assert len(set(removed)) == len(unused), results
    quiet(pod)
    nothing_wrong(pod)
