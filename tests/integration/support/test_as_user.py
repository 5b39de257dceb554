"""The runner that becomes the test user must never mount anything on the machine itself."""

from __future__ import annotations

import os
import subprocess

import pytest

from pod.linux import idmap
from tests.support.engine import TREE


@pytest.mark.parametrize("outside", ["x", "own"])
def test_second_half_refuses_to_run_outside_a_namespace_of_its_own(outside: str) -> None:
    def try_it() -> tuple[int, bool]:
        with open("/proc/self/mountinfo") as file:
            before = file.read()
        given = os.readlink("/proc/self/ns/mnt") if outside == "own" else outside
        command = [f"{TREE}/tests/support/as-user", "--in-namespace", given, "true"]
        status = subprocess.run(command, stderr=subprocess.DEVNULL).returncode
        with open("/proc/self/mountinfo") as file:
            return status, file.read() == before

    # As root of a user namespace, so that a runner that did mount would succeed.
    status, unchanged = idmap.run_inside(try_it, what="as-user by hand")
    assert (status, unchanged) == (125, True)
