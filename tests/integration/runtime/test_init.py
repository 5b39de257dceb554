"""Process 1 that `--init` asks for: catatonit where it is installed, and our own."""

from __future__ import annotations

import os
import signal

import pytest

from pod.linux import processes
from tests.support.bundles import Bench, Exec
from tests.support.waiting import until

STATUS = "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Umask):' /proc/{}/status"


@pytest.fixture(params=["catatonit", "built-in"])
def facts(request: pytest.FixtureRequest) -> dict[str, object]:
    if request.param == "built-in":
        return {}
    program = processes.find_program("catatonit")
    assert program, "catatonit is not installed"
    return {"init_program": program}


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 7", 7), ("kill -9 $$", 137), ("test $$ != 1 && exit 0", 0)],
    ids=["status", "killed", "not-1"],
)
def test_status_is_that_of_the_command(
    bench: Bench, facts: dict[str, object], script: str, status: int
) -> None:
    assert bench.run("sh", "-c", script, init=True, facts=facts).status == status


def test_orphans_are_reaped(bench: Bench, facts: dict[str, object]) -> None:
    # The inner shell ends first, so that the sleep becomes an orphan, which must not stay as a zombie.
    script = (
        "sh -c 'sleep 0.01 & echo $! >/tmp/pid'; while test -e /proc/$(cat /tmp/pid); do :; done"
    )
    assert bench.run("sh", "-c", script, init=True, facts=facts).status == 0


def test_signals_reach_the_command(bench: Bench, facts: dict[str, object]) -> None:
    script = "trap 'echo got >&2; exit 5' TERM; echo ready; while :; do sleep 0.01; done"

    def terminate(pid: int) -> None:
        # The shell below process 1 has its trap when it has a child.
        until(lambda: _children_of(_children_of(pid)), "the trap set")
        os.kill(pid, signal.SIGTERM)

    done = bench.run("sh", "-c", script, init=True, facts=facts, meanwhile=terminate)
    assert (done.status, done.err) == (5, "got\n")


def _children_of(pid: str | int) -> str:
    words = str(pid).split()
    if not words:
        return ""
    with open(f"/proc/{words[0]}/task/{words[0]}/children") as file:
        return file.read()


def test_process_1_has_no_more_privileges_than_the_command(bench: Bench) -> None:
    for config in ({}, {"user": "daemon"}):
        done = bench.run(
            "sh", "-c", f"{STATUS.format(1)}; echo; {STATUS.format('self')}", init=True, **config
        )
        one, _, own = done.out.partition("\n\n")
        assert one + "\n" == own


def test_processes_can_join(bench: Bench, facts: dict[str, object]) -> None:
    script = "ps -o pid,comm | grep -c sleep"
    done = bench.run("sleep", "100", init=True, facts=facts, joins=[Exec(["sh", "-c", script])])
    assert (done.joined[0].status, done.joined[0].lines) == (0, ["1"])
    if not facts:  # process 1 is a fork of ours, with our environment in it
        script = "ls /proc/1/fd; cat /proc/1/environ; cat /proc/1/mem; readlink /proc/1/exe; cat /proc/1/cmdline"
        done = bench.run(
            "sleep", "100", init=True, joins=[Exec(["sh", "-c", script], privileged=True)]
        )
        assert done.joined[0].out.rstrip("\0") == "pod-init"


def test_interrupt_of_a_terminal_comes_once(bench: Bench) -> None:
    script = "trap 'echo got' INT; echo ready; until [ \"$line\" = end ]; do read line; done"
    typed = [("ready", "\x03"), ("got", "end\n")]
    done = bench.run("sh", "-c", script, init=True, terminal=True, typed=typed)
    assert (done.status, done.out.count("got")) == (0, 1)
