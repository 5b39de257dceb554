"""What the kernel under the other tests lacks: those tests, in the virtual machine."""

from __future__ import annotations

import pytest

from tests.vm import machine
from tests.vm.conftest import Said

pytestmark = pytest.mark.timeout(machine.TEST_SECONDS)

PYTEST = "POD_TEST_STRICT=vm POD_TEST_PATIENCE=5 .venv/bin/python -m pytest -p no:cacheprovider -o timeout=900"

# To collect all tests takes minutes in the machine.
_FILES_WITH = r"$(grep -lr --include='test_*.py' tests/e2e tests/integration -e mark\."

scene = pytest.mark.scene


@scene(before="cat /sys/fs/cgroup/user.slice/user-$UID.slice/user@$UID.service/cgroup.controllers")
def test_session_has_delegated_controllers(said: Said) -> None:
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= set(said.before.split())


@scene(before=f'{PYTEST} -m needs_kernel {_FILES_WITH}needs_kernel)\necho "status $?"')
def test_tests_that_need_a_kernel_feature_pass(said: Said) -> None:
    assert said.before.endswith("\nstatus 0"), said.before


@scene(login=f'{PYTEST} -m needs_login {_FILES_WITH}needs_login)\necho "status $?"')
def test_tests_that_need_a_login_pass(said: Said) -> None:
    assert said.login.endswith("\nstatus 0"), said.login
