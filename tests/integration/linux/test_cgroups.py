"""Groups that others remove while we look: one command's end is another's look."""

from __future__ import annotations

import os
import threading

from pod.linux import cgroups


def test_a_group_may_go_between_opening_and_reading() -> None:
    """The kernel then says ENODEV, and not ENOENT: on reading, on writing."""
    root = cgroups.delegated_root()
    assert root is not None, (
        "the tests of the engine run in a delegated tree: tests/support/as-user"
    )
    path, over = f"{root}/coming-and-going-{os.getpid()}", threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            os.mkdir(path)
            os.rmdir(path)

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        for _ in range(2000):
            assert not cgroups.is_populated(path)
            assert not cgroups.is_frozen(path)
            assert cgroups.processes(path) == []
            cgroups.kill(path)
    finally:
        over.set()
        other.join()
