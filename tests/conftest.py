"""For all tests: markers, `--update-golden`, and skips that fail where they must (POD_TEST_STRICT=1)."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest

pytest.register_assert_rewrite("tests.support")
# A shell without job control starts what it puts into the background with this ignored, and so would every command be
# that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

from tests.support import features  # noqa: E402
from tests.support.chance import SEED  # noqa: E402
from tests.support.engine import chosen_kind  # noqa: E402

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # only the tests that use it need it
    pass
else:
    # The tree may belong to somebody else, and two runs should try the same examples.
    settings.register_profile(
        "pod",
        database=None,
        deadline=None,
        derandomize=bool(os.environ.get("CI")),
        suppress_health_check=[HealthCheck.too_slow],  # a machine under load is no fault of ours
    )
    settings.load_profile("pod")
    if os.environ.get("CI"):
        # Examples also come from the constants of our modules that a process happens to have loaded, which is chance.
        from hypothesis.internal.conjecture import providers

        providers._get_local_constants = lambda: providers._local_constants


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite golden files with what came out"
    )


def pytest_report_header() -> str:
    return f"POD_TEST_SEED={SEED}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "needs_kernel(feature): skips where the kernel lacks `feature` (a key of tests/support/features.py), also in "
        "strict runs, because tests/vm runs it on a kernel that has it",
    )
    config.addinivalue_line(
        "markers",
        "needs_login: skips outside of a login session without a delegated cgroup, which tests/vm has",
    )
    config.addinivalue_line(
        "markers", "not_podman(reason): does not hold for podman, because of `reason`"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files shall be rewritten."""
    return bool(request.config.getoption("--update-golden"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs_kernel"):
        (feature,) = marker.args
        if not features.has(feature):
            if os.environ.get("POD_TEST_STRICT") == "vm":
                pytest.fail(f"the virtual machine has no {feature} either")
            pytest.skip(f"{_ALLOWED}: this kernel has no {feature}; tests/vm runs it")
    if item.get_closest_marker("needs_login") and not features.is_login_session():
        pytest.skip(f"{_ALLOWED}: this is no login session with systemd; tests/vm runs it in one")
    for marker in item.iter_markers("not_podman"):
        (reason,) = marker.args
        if chosen_kind() == "podman":
            pytest.skip(f"{_ALLOWED}: not with podman: {reason}")


_ALLOWED = "allowed"


def _must_not_skip(report: pytest.TestReport | pytest.CollectReport) -> bool:
    if not report.skipped or hasattr(report, "wasxfail") or not os.environ.get("POD_TEST_STRICT"):
        return False
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return not reason.removeprefix("Skipped: ").startswith(_ALLOWED)


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    report.outcome = "failed"
    report.longrepr = f"skipped, which POD_TEST_STRICT=1 forbids: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _must_not_skip(report):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if _must_not_skip(report):
        _fail(report)
    return report
