"""What this kernel lacks, and what takes a reboot: in one run of a virtual machine, which boots twice."""

from __future__ import annotations

import re

import pytest

from tests.support.engine import chosen_kind
from tests.vm import machine

# Everything is emulated, and the system may have to be built first.
pytestmark = pytest.mark.timeout(2 * machine.BOOT_SECONDS)

PYTEST = "POD_TEST_STRICT=vm .venv/bin/python -m pytest -p no:cacheprovider"

# To collect all tests takes minutes in the machine.
_FILES_WITH = r"$(grep -lr --include='test_*.py' tests/e2e tests/integration -e mark\."

BEFORE = f"""
echo "== controllers"
cat /sys/fs/cgroup/user.slice/user-$UID.slice/user@$UID.service/cgroup.controllers
echo "== kernel features"
{PYTEST} -m needs_kernel {_FILES_WITH}needs_kernel)
echo "status $?"
pod=.venv/bin/pod
$pod load -q -i ~/.cache/pod-tests/busybox-1
for policy in no always unless-stopped; do
    $pod run -d --name $policy --network none --restart $policy localhost/latest sleep 1000
done
for name in stopped killed; do
    $pod run -d --name $name --network none --restart unless-stopped localhost/latest sleep 1000
done
$pod stop -t 0 stopped
$pod kill killed
$pod wait killed
echo "== install"
$pod startup install
mkdir -p /tmp/quadlets/web
cat > /tmp/quadlets/web/web.container <<'END'
[Container]
Image=localhost/latest
Network=none
Memory=64m
StopSignal=KILL
Volume=data.volume:/data
Exec=sh -c 'echo started >> /data/starts; exec sleep 1000'
[Install]
WantedBy=default.target
END
echo "[Volume]" > /tmp/quadlets/web/data.volume
$pod quadlet install /tmp/quadlets/web
systemctl --user start web
echo "== service"
systemctl --user is-active web
cat /sys/fs/cgroup$(systemctl --user show --value -p ControlGroup web)/pod-*/memory.max
echo "== end"
true
"""

# The unit may still be at it; stopping and starting it is another, orderly way down and up again.
AFTER = """
pod=.venv/bin/pod
echo "== service after the reboot"
# Nobody has started it: it is wanted by the default target.
timeout 300 sh -c 'until systemctl --user --quiet is-active web; do sleep 0.2; done'
systemctl --user is-active web
$pod exec systemd-web cat /data/starts
$pod quadlet rm -f web
systemctl --user start pod-startup.service
echo "== after the reboot"
$pod ps --format '{{.Names}}' | sort
echo "== why"
$pod inspect -f '{{.State.Error}}' no
echo "== stopped with the unit"
systemctl --user stop pod-startup.service
$pod ps --format '{{.Names}}'
echo "== started with the unit"
systemctl --user start pod-startup.service
$pod ps --format '{{.Names}}' | sort
echo "== exec"
$pod exec always echo well
echo "== removed"
$pod startup remove
systemctl --user is-enabled pod-startup.service
$pod rm -f -t 0 -a
echo "== end"
true
"""


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """What the machine said, by the headings above; "" is the login."""
    try:
        machine.check_host()
    except machine.Missing as missing:
        pytest.skip(str(missing))
    if chosen_kind() == "podman":
        pytest.skip("allowed: podman is not in the virtual machine")
    login = f"{PYTEST} -m needs_login {_FILES_WITH}needs_login)"
    outcome = machine.run(BEFORE, login=login, after_reboot=AFTER)
    print(outcome.output)
    found: dict[str, str] = {}
    # pytest's own lines have more of these signs, and end with them.
    for part in re.split("^== ", f"== \n{outcome.output}", flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        found.setdefault(heading, text)
    return found


def test_session_has_delegated_controllers(said: dict[str, str]) -> None:
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= set(said["controllers"].split())


def test_tests_that_need_a_kernel_feature_pass(said: dict[str, str]) -> None:
    assert "\nstatus 0\n" in said["kernel features"], said["kernel features"]


def test_tests_that_need_a_login_pass(said: dict[str, str]) -> None:
    assert "pod-vm: logout 0" in said[""], said[""]


def test_containers_run_again_after_a_reboot(said: dict[str, str]) -> None:
    assert "systemd user unit" in said["install"] and "the machine starts" in said["install"]
    assert said["after the reboot"].split() == ["always", "unless-stopped"]
    assert "restarted" in said["why"]
    assert said["exec"] == "well\n"


def test_a_quadlet_runs_again_after_a_reboot_with_its_volume(said: dict[str, str]) -> None:
    assert said["service"].split() == ["active", str(64 << 20)]
    assert said["service after the reboot"].split() == [
        "active",
        "started",
        "started",
        "data.volume",
        "web.container",
    ]


def test_the_unit_stops_and_starts_them(said: dict[str, str]) -> None:
    assert said["stopped with the unit"] == ""
    assert said["started with the unit"].split() == ["always", "unless-stopped"]
    assert "enabled" not in said["removed"]
