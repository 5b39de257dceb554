"""`pod run`: wrong values, options that exclude each other, and what is not supported, named."""

from __future__ import annotations

import pytest

from tests.support.engine import Engine

# What is refused

UNNAMED = pytest.mark.not_podman("it does not say which value is wrong")


OTHER = pytest.mark.not_podman("it sees a conflict with --rm or --network=none first")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-p", "99999:80"], "99999"),
        (["-v", "a:b:c:d"], "a:b:c:d"),
        (["--memory", "12x"], "12x"),
        pytest.param(["--name", "a b"], "a b", marks=UNNAMED),
        (["-w", "relative"], "relative"),
        (["--env-file", "/no/such/file"], "/no/such/file"),
        (["--add-host", "nonsense"], "nonsense"),
        (["--cap-add", "NONSENSE"], "NONSENSE"),
        (["--ulimit", "nonsense=1"], "nonsense=1"),
        (["--security-opt", "nonsense"], "nonsense"),
        pytest.param(["--log-driver", "nonsense"], "nonsense", marks=UNNAMED),
        (["--stop-signal", "NONSENSE"], "NONSENSE"),
        pytest.param(["--restart", "sometimes"], "sometimes", marks=OTHER),
        (["--shm-size", "much"], "much"),
        (["--pull", "sometimes"], "sometimes"),
        (["--pid", "nonsense"], "nonsense"),
        (["--volumes-from", "no-such-container"], "no-such-container"),
        pytest.param(
            ["--network", "container:no-such-container"], "no-such-container", marks=OTHER
        ),
        (["--timeout", "-1"], "-1"),
        (["--user", "no-such-user"], "no-such-user"),
        (["--rootfs"], "busybox"),
    ],
)
def test_wrong_value_is_named(pod: Engine, words: list[str], named: str) -> None:
    result = pod("run", "--rm", "--network=none", *words, "busybox", "true", status=None)
    assert result.status in (125, 126)  # podman finds some only when it starts the container
    assert result.stdout == ""
    assert named in result.stderr
    assert "Traceback" not in result.stderr
    assert pod("ps", "-a", "-q").out == ""


@pytest.mark.parametrize(
    ("words", "one", "other"),
    [
        (["--rm", "--restart", "always"], "--rm", "--restart"),
        (["--replace"], "--replace", "--name"),
        (["--userns", "keep-id", "--uidmap", "0:0:1"], "--userns", "--uidmap"),
        (["--no-hosts", "--add-host", "a:10.1.1.1"], "--no-hosts", "--add-host"),
        (["--uts", "host", "--hostname", "x"], "--uts", "--hostname"),
        (["-d", "-a", "stdout"], "--detach", "--attach"),
        (["--cpus", "1", "--cpu-quota", "10000"], "--cpus", "--cpu-quota"),
        (["--platform", "linux/amd64", "--arch", "amd64"], "--platform", "--arch"),
        (["-t", "--log-driver", "passthrough"], "--tty", "--log-driver"),
        (["--cgroups", "split", "--cgroup-parent", "x"], "--cgroups", "--cgroup-parent"),
        (["--cgroups", "disabled", "--memory", "1g"], "--cgroups", "--memory"),
        (["--uidmap", "0:0:1", "--subuidname", "x"], "--uidmap", "--subuidname"),
        (["--no-healthcheck", "--health-cmd", "true"], "--no-healthcheck", "--health-cmd"),
        (["--memory-swap", "1g"], "--memory-swap", "--memory"),
        (["--init-ctr", "once"], "--init-ctr", "--pod"),
        (["--rmi", "--restart", "always"], "--rm", "--restart"),
        (["-v", "/tmp:/x", "--tmpfs", "/x"], "--volume", "--tmpfs"),
    ],
)
@pytest.mark.not_podman("its messages name the options in other words, or not at all")
def test_conflict_names_both_options(pod: Engine, words: list[str], one: str, other: str) -> None:
    result = pod("run", *words, "busybox", "true", status=125)
    assert one in result.stderr and other in result.stderr
    assert len(result.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    "option",
    [
        "--rdt-class=gold",
        "--oom-kill-disable",
    ],
)
@pytest.mark.not_podman("it has them, or refuses them in its own words")
def test_option_of_others_is_refused_with_a_reason(pod: Engine, option: str) -> None:
    result = pod("run", option, "busybox", "true", status=125)
    assert result.stderr.startswith(f"Error: flag '{option.partition('=')[0]}' is not supported: ")
