"""One run of a virtual machine for all tests that say by `scene` what is to be done there; see machine.py."""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass

import pytest

from tests.support.engine import chosen_kind
from tests.vm import machine

_WHEN = ("login", "before", "after")

# Each scene is a process of its own, in this checkout, and its failure is not that of the others. It writes to a file,
# since progress is drawn on terminals, and an emulated serial line is slow.
_START = """
. /mnt/work/plan
export PATH="$PROGRAMS:$PATH" SYSTEMD_PAGER=
scene() {
    echo
    echo "== $1"
    local status=0
    rm -f /tmp/said
    timeout 2000 bash <&0 >/tmp/said 2>&1 || status=$?
    cat /tmp/said
    echo
    echo "== end of $1: $status"
}
pod image exists localhost/latest || pod load -q -i ~/.cache/pod-tests/busybox-1
"""


@dataclass(frozen=True)
class Said:
    """What the scripts of a scene have printed, error output as well."""

    login: str
    before: str
    after: str


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "scene(login=, before=, after=): scripts for the virtual machine: in a session that the user has by a login; "
        "in the user's systemd, with a delegated cgroup; and there after a reboot, with nobody logged in",
    )
    config.addinivalue_line("markers", "lengthy: minutes of emulation, for tox -e vm alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.get("POD_TEST_CUTS"):
        left_out = [item for item in items if item.get_closest_marker("lengthy")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def said(request: pytest.FixtureRequest, machine_said: dict[tuple[str, str], str]) -> Said:
    """What this test's scene has said."""
    name = request.node.name
    said = Said(*(machine_said.get((name, when), "") for when in _WHEN))
    print(f"login:\n{said.login}\nbefore:\n{said.before}\nafter:\n{said.after}")
    return said


@pytest.fixture(scope="session")
def machine_said(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> dict[tuple[str, str], str]:
    """Play all scenes that tests of this run have, in one process of it; what was said by test and time."""
    try:
        machine.check_host()
    except machine.Missing as missing:
        pytest.skip(str(missing))
    if chosen_kind() == "podman":
        pytest.skip("allowed: podman is not in the virtual machine")
    directory = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        directory = directory.parent  # that of all workers
    with open(directory / "machine-said", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        output = file.read()
        if not output:
            output = _play(request.session.items)
            file.write(output)
    parts = re.findall(r"^== (\S+) (\w+)\n(.*?)^== end of \1 \2: \d+$", output, re.M | re.S)
    found = {(name, when): text.strip("\n") for name, when, text in parts}
    if not found:
        print(output)
    return found


def _play(tests: list[pytest.Item]) -> str:
    """What the machine says, and why it has ended too early, if it has: then its other tests need not try it, too."""
    scripts = dict.fromkeys(_WHEN, "")
    for test in tests:
        for marker in test.iter_markers("scene"):
            for when, script in marker.kwargs.items():
                scripts[when] += (
                    f"scene '{test.name} {when}' <<'END OF SCENE'\n{script}\nEND OF SCENE\n"
                )
    played = {when: script and f"{_START}{script}true" for when, script in scripts.items()}
    try:
        return machine.run(
            played["before"] or "true",
            login=played["login"],
            after_reboot=played["after"],
            copies=("busybox", "nginx"),
            installed=True,
        ).output
    except RuntimeError as error:
        return str(error)
