"""The leak check finds what it is for: it would be no check if it could not fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from pod.linux import idmap
from tests.support import keeper
from tests.support.engine import Engine
from tests.support.leaks import Watch
from tests.support.waiting import until

DETACHED = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
{act}
print(os.getpid(), flush=True)
os.close(1)
time.sleep(600)
"""


def start_detached(act: str = "") -> keeper.Process:
    """A grandchild in a session of its own, whose parents are gone."""
    script = DETACHED.format(act=act)
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True
    )
    pid = int(done.stdout)
    (found,) = [process for process in keeper.descendants() if process.pid == pid]
    return found


def test_a_detached_process_is_found_and_ended(watch: Watch) -> None:
    before = watch.before()
    process = start_detached()
    (sentence,) = [text for text in quick(watch.after)(before) if str(process.pid) in text]
    assert "time.sleep(600)" in sentence
    assert not process.is_alive()


def test_a_listening_socket_is_named(watch: Watch) -> None:
    before = watch.before()
    start_detached("import socket; s = socket.create_server(('127.0.0.1', 0))")
    assert "listening on" in quick(watch.after)(before)[0]


def test_a_process_in_a_user_namespace_is_found_and_ended(watch: Watch) -> None:
    before = watch.before()
    child = idmap.start_inside(lambda: os.execvp("sleep", ["sleep", "600"]), what="a sleeper")
    until(lambda: keeper.Process(child.pid, 0).command() == ["sleep", "600"], "executing")
    assert f"process {child.pid}" in quick(watch.after)(before)[0]


def test_a_process_that_ends_by_itself_is_waited_for(watch: Watch) -> None:
    before = watch.before()
    subprocess.run(
        [sys.executable, "-c", DETACHED.format(act="").replace("600", "0.3")],
        stdout=subprocess.DEVNULL,
    )
    assert watch.after(before) == []


def test_a_cgroup_is_found(watch: Watch) -> None:
    top = os.environ.get("POD_TEST_CGROUP")
    if not top:
        pytest.skip("allowed: no cgroup was delegated by tests/support/as-user")
    before = watch.before()
    os.mkdir(f"{top}/left")
    try:
        assert quick(watch.after)(before) == [f"cgroup {top}/left"]
    finally:
        os.rmdir(f"{top}/left")


@pytest.mark.parametrize(
    "place",
    ["staging/tree/", "trash/tree/", "images/partial/0123", "containers/ID/", "locks/container-ID"],
)
def test_files_of_an_unfinished_command_are_found(place: str, tmp_path: object) -> None:
    engine = Engine(["pod"], f"{tmp_path}/root", f"{tmp_path}/run", {})
    assert engine.leftovers() == []
    path = f"{engine.root}/{place}"
    os.makedirs(os.path.dirname(path))
    if not place.endswith("/"):
        open(path, "w").close()
    (sentence,) = engine.leftovers()
    assert place.rstrip("/").split("/")[-1] in sentence


def test_lock_of_the_image_store_may_stay(tmp_path: object) -> None:
    engine = Engine(["pod"], f"{tmp_path}/root", f"{tmp_path}/run", {})
    os.makedirs(f"{engine.root}/locks")
    open(f"{engine.root}/locks/images.lock", "w").close()
    assert engine.leftovers() == []


def quick(function: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """The check with a short deadline, since what it waits for does not happen here."""

    def call(*arguments: object) -> list[str]:
        from tests.support import leaks

        then, leaks.WAIT_SECONDS = leaks.WAIT_SECONDS, 0.2
        try:
            return function(*arguments)
        finally:
            leaks.WAIT_SECONDS = then

    return call
