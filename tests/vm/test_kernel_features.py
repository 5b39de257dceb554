"""What the kernel under the other tests lacks: those tests, in the virtual machine."""

from __future__ import annotations

import pytest

from tests.vm import machine
from tests.vm.conftest import Said

pytestmark = pytest.mark.timeout(machine.TEST_SECONDS)

scene = pytest.mark.scene


def _pytest(marker: str) -> str:
    """A script that runs the tests with this marker; only their files, since to collect all takes minutes there."""
    variables = "POD_TEST_STRICT=vm POD_TEST_PATIENCE=5"
    options = f"-p no:cacheprovider -o timeout=900 --durations 12 -m {marker}"
    files = " ".join(machine.tests_with(marker))
    return f'{variables} .venv/bin/python -m pytest {options} {files}\necho "status $?"'


@scene(before="cat /sys/fs/cgroup/user.slice/user-$UID.slice/user@$UID.service/cgroup.controllers")
def test_session_has_delegated_controllers(said: Said) -> None:
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= set(said.before.split())


@scene(before=_pytest("needs_kernel"))
def test_tests_that_need_a_kernel_feature_pass(said: Said) -> None:
    assert said.before.endswith("\nstatus 0"), said.before


@scene(login=_pytest("needs_login"))
def test_tests_that_need_a_login_pass(said: Said) -> None:
    assert said.login.endswith("\nstatus 0"), said.login
