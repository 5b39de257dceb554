"""One run of a virtual machine for all tests of a file that say by `scene` what is to be done there; see machine.py.

The files' machines run side by side where pytest has workers, so that they have all processors of the host.
"""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass

import pytest

from tests.support.engine import chosen_kind
from tests.vm import machine

_LONGEST = "test_laptop.py"  # begun first, the others go on beside it
_WHEN = ("login", "before", "after")

# Each scene is a process of its own, in this checkout, and its failure is not that of the others. It writes to a file,
# since progress is drawn on terminals, and an emulated serial line is slow.
_START = """
. /mnt/work/plan
export SYSTEMD_PAGER=
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
"""
_INSTALLED = """
export PATH="$PROGRAMS:$PATH"
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
    config.addinivalue_line(
        "markers",
        "installed: a file whose machine has pod as a user installs it, and an image in the user's store",
    )
    config.addinivalue_line("markers", "lengthy: minutes of emulation, for tox -e vm alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.get("POD_TEST_CUTS"):
        left_out = [item for item in items if item.get_closest_marker("lengthy")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    ours = os.path.dirname(__file__)
    items.sort(key=lambda it: (str(it.path).startswith(ours), it.path.name != _LONGEST))


@pytest.fixture
def said(request: pytest.FixtureRequest, machine_said: dict[tuple[str, str], str]) -> Said:
    """What this test's scene has said."""
    name = request.node.name
    said = Said(*(machine_said.get((name, when), "") for when in _WHEN))
    print(f"login:\n{said.login}\nbefore:\n{said.before}\nafter:\n{said.after}")
    return said


@pytest.fixture(scope="module")
def machine_said(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> dict[tuple[str, str], str]:
    """Play all scenes that the chosen tests of this file have, once; what was said by test and time."""
    try:
        machine.check_host()
    except machine.Missing as missing:
        pytest.skip(str(missing))
    if chosen_kind() == "podman":
        pytest.skip("allowed: podman is not in the virtual machine")
    directory = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        directory = directory.parent  # that of all workers
    tests = [it for it in request.session.items if it.path == request.path]
    with open(directory / f"{request.path.stem}-said", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        output = file.read()
        if not output:
            installed = bool(request.node.get_closest_marker("installed"))
            output = _play(tests, installed=installed)
            file.write(output)
    parts = re.findall(r"^== (\S+) (\w+)\n(.*?)^== end of \1 \2: \d+$", output, re.M | re.S)
    found = {(name, when): text.strip("\n") for name, when, text in parts}
    if not found:
        print(output)
    return found


def _play(tests: list[pytest.Item], *, installed: bool) -> str:
    """What the machine says, and why it has ended too early, if it has: then its other tests need not try it, too."""
    scripts = dict.fromkeys(_WHEN, "")
    for test in tests:
        for marker in test.iter_markers("scene"):
            for when, script in marker.kwargs.items():
                scripts[when] += (
                    f"scene '{test.name} {when}' <<'END OF SCENE'\n{script}\nEND OF SCENE\n"
                )
    start = _START + (_INSTALLED if installed else "")
    played = {when: script and f"{start}{script}true" for when, script in scripts.items()}
    try:
        return machine.run(
            played["before"] or "true",
            login=played["login"],
            after_reboot=played["after"],
            copies=("busybox", "nginx"),
            installed=installed,
        ).output
    except RuntimeError as error:
        return str(error)
