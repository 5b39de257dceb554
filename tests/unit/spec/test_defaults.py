from __future__ import annotations

import pytest

from pod.linux.capabilities import NAMES
from pod.spec import defaults
from pod.spec.kernel_options import check_sysctls, parse_ulimits


def test_defaults_follow_the_grammars_of_the_options() -> None:
    assert set(defaults.CAPABILITIES) < set(NAMES)
    assert [ulimit.name for ulimit in parse_ulimits(defaults.ULIMITS)] == ["nofile", "nproc"]
    check_sysctls(defaults.SYSCTLS, has_own_network=True, has_own_ipc=True)


def test_what_is_hidden_is_absolute_and_named_once() -> None:
    paths = [*defaults.MASKED_PATHS, *defaults.READ_ONLY_PATHS]
    assert all(path.startswith(("/proc/", "/sys/")) for path in paths)
    assert len(set(paths)) == len(paths)


def test_a_directory_is_mounted_before_what_is_in_it() -> None:
    seen: list[str] = []
    for mount in defaults.MOUNTS:
        assert not any(target.startswith(f"{mount.target}/") for target in seen)
        assert "nosuid" in mount.options
        seen.append(mount.target)
    assert seen[0] == "/proc"


def test_shared_memory_has_a_size_unless_it_is_unlimited() -> None:
    assert "size=65536000" in defaults.shm_mount(defaults.SHM_SIZE).options
    assert not any(option.startswith("size=") for option in defaults.shm_mount(0).options)


@pytest.mark.parametrize(
    ("mode", "command", "expected"),
    [
        ("true", ("/sbin/init",), True),
        ("true", ("/usr/lib/systemd/systemd", "--user"), True),
        ("true", ("systemd",), True),
        ("true", ("/opt/init",), False),
        ("true", ("nginx",), False),
        ("true", (), False),
        ("always", ("nginx",), True),
        ("false", ("/sbin/init",), False),
    ],
)
def test_systemd_mode_follows_the_command(
    mode: str, command: tuple[str, ...], expected: bool
) -> None:
    assert defaults.wants_systemd(mode, command) == expected
