"""The terminal of a container, and of a process that joins: in its own devpts, controlling, with size and owner."""

from __future__ import annotations

import pytest

from pod.base.errors import PodError
from tests.support.bundles import Bench, Exec


def test_terminal(bench: Bench, runtime: str) -> None:
    script = "tty; stty size; echo $TERM; test -t 0 -a -t 1 -a -t 2 && echo all; echo own >/dev/tty; ls /dev/pts"
    done = bench.run(
        "sh", "-c", script, terminal=True, facts={"window": (30, 100)}, runtime=runtime
    )
    assert done.out.split("\r\n")[:5] == ["/dev/pts/0", "30 100", "xterm", "all", "own"]
    assert "ptmx" in done.out


def test_console_is_the_terminal(bench: Bench) -> None:
    done = bench.run(
        "sh", "-c", "echo through >/dev/console; stat -c %t:%T /dev/console $(tty)", terminal=True
    )
    first, one, other = done.out.split("\r\n")[:3]
    assert first == "through" and one == other


def test_terminal_belongs_to_the_user(bench: Bench) -> None:
    script = "stat -c %u $(tty); echo x >$(tty)"
    done = bench.run(
        "sh",
        "-c",
        f"{script}; exec sleep 100",
        terminal=True,
        user="1",
        joins=[Exec(["sh", "-c", script], terminal=True)],
    )
    for out in (done.out, done.joined[0].out):
        assert out.split("\r\n")[:2] == ["1", "x"]


def test_terminal_of_a_process_that_joins(bench: Bench) -> None:
    script = "tty; stty size; echo own >/dev/tty; sleep 0; kill -INT $$"
    done = bench.run(
        "sleep",
        "100",
        joins=[Exec(["sh", "-c", script], terminal=True, window=(20, 70)), Exec(["tty"])],
    )
    first, second = done.joined
    assert first.out.split("\r\n")[:3] == ["/dev/pts/0", "20 70", "own"] and first.status == 130
    assert (second.out, second.status) == ("not a tty\n", 1)


def test_interrupt_reaches_the_foreground(bench: Bench) -> None:
    # The second x is of cat, so that it is there: process 1 itself would not be interrupted.
    done = bench.run(
        "sh",
        "-c",
        "echo ready; cat; exit $?",
        terminal=True,
        typed=[("ready", "x\n"), ("x\r\nx", "\x03")],
    )
    assert done.status == 130


def test_terminal_is_asked_of_the_containers_own_devpts_alone(bench: Bench) -> None:
    # The container has put a file where the terminals are.
    script = "mount -t tmpfs x /dev/pts; echo content >/dev/pts/ptmx; exec sleep 100"
    with pytest.raises((PodError, OSError)):
        bench.run(
            "sh",
            "-c",
            f"{script}",
            privileged=True,
            joins=[
                Exec(["sh", "-c", "until test -f /dev/pts/ptmx; do :; done"]),
                Exec(["tty"], terminal=True),
            ],
        )
