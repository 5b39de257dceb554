"""Many commands at once on the same names, and what is true after a reboot."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.engine import Engine, Result
from tests.support.places import remove_tree
from tests.support.reboot import cut_power
from tests.support.waiting import is_there, until

MANY = 20
SLEEPS = ("--network", "none", "busybox", "sleep", "1000")


def at_once(pod: Engine, *commands: Iterable[str]) -> list[Result]:
    """All of them at the same time; none may meet a defect, or a lock for too long."""
    with ThreadPoolExecutor(len(commands)) as pool:
        results = list(pool.map(lambda words: pod(*words, status=None), commands))
    for result in results:
        assert "at fault" not in result.stderr and "Traceback" not in result.stderr, result
        assert "for too long" not in result.stderr, result
    return results


def succeeded(results: list[Result]) -> list[Result]:
    return [result for result in results if result.status == 0]


def status_of(pod: Engine, name: str) -> str:
    return pod("inspect", "-f", "{{.State.Status}}", name).out


def test_a_name_is_given_once(pod: Engine) -> None:
    results = at_once(pod, *[("run", "-d", "--name", "x", *SLEEPS)] * MANY)
    (winner,) = succeeded(results)
    assert pod.containers() == [winner.out]
    for result in results:
        if result is not winner:
            assert result.status == 125 and "x" in result.stderr
    pod("rm", "-f", "-t", "0", "x")


def test_replacing_one_another(pod: Engine) -> None:
    """Each may be replaced by the next; one is left, and it runs."""
    at_once(pod, *[("run", "-d", "--replace", "--stop-timeout", "0", "--name", "x", *SLEEPS)] * 6)
    pod("run", "-d", "--replace", "--stop-timeout", "0", "--name", "x", *SLEEPS)
    assert len(pod.containers()) == 1 and status_of(pod, "x") == "running"
    pod("rm", "-f", "-t", "0", "x")


def test_removed_by_all(pod: Engine) -> None:
    pod("run", "-d", "--name", "x", *SLEEPS)
    at_once(pod, *[("rm", "-f", "-t", "0", "x")] * MANY)
    assert pod.containers() == []


def test_stopped_and_started_by_all(pod: Engine) -> None:
    pod("create", "--name", "x", *SLEEPS)
    for how, state in ((("start",), "running"), (("stop", "-t", "0"), "exited")) * 2:
        results = at_once(pod, *[(*how, "x")] * 10)
        assert len(succeeded(results)) == 10, results
        assert status_of(pod, "x") == state


def test_everything_at_once_on_one_container(pod: Engine) -> None:
    """Whatever happened in which order, it can be used afterwards."""
    pod("create", "--name", "x", *SLEEPS)
    commands = [("start", "x"), ("stop", "-t", "0", "x"), ("restart", "-t", "0", "x"), ("kill", "x"),
                ("inspect", "x"), ("ps", "-a"), ("logs", "x"), ("wait", "x")] * 3  # fmt: skip
    with pod.spawn("wait", "x") as waiting:
        at_once(pod, *[command for command in commands if command[0] != "wait"])
        pod("stop", "-t", "0", "x")
        assert waiting.wait(30) == 0
    pod("start", "x")
    assert status_of(pod, "x") == "running"
    pod("rm", "-f", "-t", "0", "x")


def test_many_containers_at_once(pod: Engine) -> None:
    results = at_once(
        pod, *[("run", "--rm", "--network", "none", "busybox", "echo", str(n)) for n in range(MANY)]
    )
    assert sorted(int(result.out) for result in results) == list(range(MANY))
    assert pod.containers() == []


@pytest.mark.timeout(300)
@pytest.mark.not_podman("it takes minutes")
def test_two_hundred_containers(pod: Engine) -> None:
    """Started eight at a time, half of them with a network; all are seen, reached, stopped and removed at once."""

    def start(number: int) -> str:
        network = ("--network", "none") if number % 2 else ("-p", "127.0.0.1::80")
        return pod("run", "-d", "--name", f"c{number}", *network, "busybox", "sleep", "1000").out

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(start, range(200)))
    assert sorted(pod("ps", "-q", "--no-trunc").lines) == sorted(ids)
    ports = [line.rpartition(":")[2] for line in pod("port", "--all").lines]
    assert len(ports) == len(set(ports)) == 100
    for number in (0, 77, 199):
        assert pod("exec", f"c{number}", "hostname").out == ids[number][:12]
    assert len(pod("stats", "--no-stream", "--format", "{{.ID}}", timeout=150).lines) == 200
    assert len(pod("stop", "-a", "-t", "0", timeout=150).lines) == 200
    assert pod("ps", "-q").out == ""
    assert len(pod("rm", "-a", timeout=150).lines) == 200
    assert pod.containers() == []


def test_a_volume_is_made_once(pod: Engine) -> None:
    results = at_once(pod, *[("volume", "create", "v")] * MANY)
    assert [result.out for result in succeeded(results)] == ["v"]
    assert pod("volume", "ls", "-q").lines == ["v"]
    removed = at_once(pod, *[("volume", "rm", "v")] * 10)
    assert len(succeeded(removed)) == 1
    assert pod("volume", "ls", "-q").lines == []


def test_a_volume_that_is_made_by_its_users(pod: Engine) -> None:
    words = (
        "run",
        "--rm",
        "--network",
        "none",
        "-v",
        "v:/data",
        "busybox",
        "sh",
        "-c",
        "echo x >> /data/all",
    )
    assert len(succeeded(at_once(pod, *[words] * 10))) == 10
    out = pod(
        "run", "--rm", "--network", "none", "-v", "v:/data", "busybox", "cat", "/data/all"
    ).lines
    assert out == ["x"] * 10


def test_an_image_is_pulled_by_all(fresh_pod: Engine) -> None:
    assert fresh_pod.registry is not None
    fresh_pod.registry.have("busybox")
    results = at_once(fresh_pod, *[("pull", "-q", "busybox")] * 8)
    assert len({result.out for result in succeeded(results)}) == 1 and len(succeeded(results)) == 8
    assert len(fresh_pod("images", "-q").lines) == 1
    assert fresh_pod("run", "--rm", "--network", "none", "busybox", "echo", "ok").out == "ok"


def test_an_image_is_pulled_by_those_who_run_it(fresh_pod: Engine) -> None:
    assert fresh_pod.registry is not None
    fresh_pod.registry.have("busybox")
    words = ("run", "--rm", "--network", "none", "busybox", "echo", "ok")
    assert [result.out for result in at_once(fresh_pod, *[words] * 6)] == ["ok"] * 6


# After a reboot, and other ways to lose what says that a container runs


@pytest.fixture
def crashed(pod: Engine) -> Engine:
    """As after a power cut and a new start: containers "kept", and "temporary" with --rm, ran."""
    for name, options in (("kept", ()), ("temporary", ("--rm",))):
        pod("run", "-d", "--name", name, *options, *SLEEPS)
    cut_power(pod, "kept", "temporary")
    return pod


@pytest.mark.not_podman("its database is another")
def test_a_reboot_is_noticed(crashed: Engine) -> None:
    assert crashed("ps", "-q").out == ""
    assert crashed("ps", "-a", "--format", "{{.Names}}").out == "kept"
    state = json.loads(crashed("inspect", "-f", "{{json .State}}", "kept").out)
    assert (
        state["Status"] == "exited" and state["ExitCode"] == 137 and "restarted" in state["Error"]
    )
    crashed("start", "kept")
    assert status_of(crashed, "kept") == "running"
    crashed("rm", "-f", "-t", "0", "kept")


@pytest.mark.not_podman("its database is another")
@pytest.mark.parametrize(
    "command",
    [("start", "kept"), ("rm", "kept"), ("wait", "kept"), ("stop", "kept"), ("logs", "-f", "kept"),
     ("run", "--rm", "--name", "temporary", "--network", "none", "busybox", "true")],
    ids=lambda command: command[0],
)  # fmt: skip
def test_any_command_may_be_the_first_after_a_reboot(
    crashed: Engine, command: tuple[str, ...]
) -> None:
    crashed(*command)
    assert "temporary" not in crashed("ps", "-a", "--format", "{{.Names}}").lines


@pytest.mark.not_podman("it goes on without")
def test_a_run_directory_that_is_removed_ends_its_containers(pod: Engine) -> None:
    """As logind does at the end of the last session; nothing goes on unnoticed."""
    pod("run", "-d", "--name", "x", *SLEEPS)
    pids = list(
        map(int, pod("inspect", "-f", "{{.State.ConmonPid}} {{.State.Pid}}", "x").out.split())
    )
    remove_tree(pod.runroot)
    assert status_of(pod, "x") == "exited"
    until(lambda: not any(map(is_there, pids)), "ended")
    pod("start", "x")
    assert status_of(pod, "x") == "running"
    pod("rm", "-f", "-t", "0", "x")


@pytest.mark.not_podman("it looks at a lock of pod")
def test_an_end_that_another_command_records_is_told_as_it_will_be(pod: Engine) -> None:
    """As long as somebody has the container's lock, the row says that it runs, and nothing of its status."""
    container_id = pod("run", "-d", "--name", "c", "--network", "none", "busybox", "sh", "-c",
                       "sleep 1; exit 5").out  # fmt: skip
    with open(f"{pod.root}/locks/container-{container_id}", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert pod("wait", "c").out == "5"
        assert pod("wait", "--condition", "paused", "--condition", "exited", "c").out == "5"
        state = json.loads(pod("inspect", "--format", "{{json .State}}", "c").out)
        assert (state["Status"], state["Running"], state["ExitCode"]) == ("exited", False, 5)
        assert state["FinishedAt"] > state["StartedAt"]
        assert pod("ps", "-a", "--format", "{{.Status}}").out.startswith("Exited (5) ")
        assert pod("ps", "-q").out == ""
        shown = pod("ps", "-a", "--filter", "exited=5", "--format", "{{.Names}} {{.State}}").out
        assert shown == "c exited"
        assert "is not running" in pod("exec", "c", "true", status=125).stderr
    assert pod("wait", "c").out == "5"
    assert pod("ps", "-a", "--format", "{{.Status}}").out.startswith("Exited (5) ")
