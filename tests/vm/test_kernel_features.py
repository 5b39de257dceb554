"""Tests that skip here, because this kernel lacks something, run in a virtual machine whose kernel has it."""

from __future__ import annotations

import pytest

from tests.support.engine import chosen_kind
from tests.vm import machine

# Everything is emulated, and the system may have to be built first.
pytestmark = pytest.mark.timeout(2 * machine.BOOT_SECONDS)


@pytest.fixture(autouse=True)
def host_can_run_it() -> None:
    try:
        machine.check_host()
    except machine.Missing as missing:
        pytest.skip(str(missing))
    if chosen_kind() == "podman":
        pytest.skip("allowed: podman is not in the virtual machine")


def test_session_has_delegated_controllers() -> None:
    top = "/sys/fs/cgroup/user.slice/user-$UID.slice/user@$UID.service"
    outcome = machine.run(f"cat {top}/cgroup.controllers", copies=())
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= set(outcome.output.split())


def test_tests_that_need_a_kernel_feature_pass() -> None:
    pytest = "POD_TEST_STRICT=vm .venv/bin/python -m pytest -p no:cacheprovider"
    outcome = machine.run(
        f"{pytest} -m 'needs_kernel and not needs_login' tests/e2e tests/integration",
        login=f"{pytest} -m needs_login tests/e2e",
    )
    assert outcome.status == 0, outcome.output
    assert "pod-vm: logout 0" in outcome.output, outcome.output
