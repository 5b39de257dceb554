"""Containers on a terminal with a screen: what a person sees and what the keys do, in tmux."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.engine import Engine
from tests.support.tmux import Tmux
from tests.support.waiting import until

NO_NETWORK = ("--network", "none")
INSIDE = "inside#"
SHELL = ("-it", *NO_NETWORK, "--name", "t", "-e", f"PS1={INSIDE} ", "busybox", "sh")
TRAPS = "trap 'echo got it; exit 9' INT; echo ready; while true; do sleep 0.05; done"


@pytest.fixture
def tmux(pod: Engine) -> Iterator[Tmux]:
    pod.have("busybox")
    with Tmux(pod.environment) as tmux:
        yield tmux


def run(tmux: Tmux, pod: Engine, *words: str, pane: str | None = None) -> Callable[[int], None]:
    return tmux.run(*pod.full_command(*words), pane=pane)


def shell(tmux: Tmux, pod: Engine, *options: str) -> Callable[[int], None]:
    """A shell in a new container; when this returns it waits for a line."""
    ended = run(tmux, pod, "run", *options, *SHELL)
    tmux.asks(INSIDE)
    return ended


def status(pod: Engine) -> str:
    return pod("inspect", "-f", "{{.State.Status}}", "t").out


def test_the_window_and_its_changes_are_known_inside(pod: Engine, tmux: Tmux) -> None:
    ended = shell(tmux, pod, "--rm")
    tmux.type("stty size")
    tmux.shows("30 100")
    tmux.resize(70, 20)
    tmux.type("until [ \"$(stty size)\" = '20 70' ]; do sleep 0.02; done; echo resized")
    tmux.shows("resized")
    tmux.type("exit 3")
    ended(3)


def test_control_c_ends_what_is_in_the_foreground(pod: Engine, tmux: Tmux) -> None:
    ended = shell(tmux, pod, "--rm")
    tmux.type("sh -c 'echo sleeping; exec sleep 1000'")
    tmux.shows("sleeping")
    tmux.press("C-c")
    tmux.type("echo still here; exit 5")
    tmux.shows("still here")
    ended(5)


def is_in_foreground(pod: Engine, name: str) -> bool:
    """Whether a process of this name in the container has its terminal: pgrp is tpgid in /proc/PID/stat (proc(5))."""
    found = pod("exec", "t", "sh", "-c", "cat /proc/[0-9]*/stat", status=None).lines
    fields = [line.rpartition(")")[2].split() for line in found if f"({name})" in line]
    return any(it[2] == it[5] for it in fields)


def test_jobs_are_controlled_inside(pod: Engine, tmux: Tmux) -> None:
    ended = shell(tmux, pod, "--rm")
    tmux.type("sh -c 'echo sleeping; exec sleep 1000'")
    tmux.shows("sleeping")
    tmux.press("C-z")
    tmux.asks(INSIDE)
    tmux.type("clear; jobs | cut -c 1-14")
    tmux.shows("[1]+  Stopped")
    tmux.type("clear; bg; jobs | cut -c 1-14")
    tmux.shows("[1]+  Running")
    tmux.type("clear; fg")
    tmux.shows('sh -c "echo sleeping; exec sleep 1000"')
    until(lambda: is_in_foreground(pod, "sleep"), "in the foreground")  # it is shown before
    tmux.press("C-c")
    tmux.type("clear; jobs; echo none left; exit")
    tmux.shows("none left")
    ended(0)


@pytest.mark.not_podman("it looks for each of the keys in a read of its own")
def test_keys_leave_the_container_running_and_attach_comes_back(pod: Engine, tmux: Tmux) -> None:
    ended = shell(tmux, pod)
    tmux.type("there=before")
    tmux.press("C-p", "C-q")
    ended(0)
    assert status(pod) == "running"
    ended = run(tmux, pod, "attach", "t")
    tmux.press("Enter")
    tmux.asks(INSIDE)
    tmux.type("echo it was $there; exit 6")
    tmux.shows("it was before")
    ended(6)


def test_a_pager_has_the_whole_screen(pod: Engine, tmux: Tmux) -> None:
    ended = shell(tmux, pod, "--rm")
    tmux.type("seq 1 500 > /tmp/lines; less -N /tmp/lines")
    tmux.shows("1 1")
    tmux.press("Space")
    tmux.shows("30 30")
    tmux.press("G")
    tmux.shows("500 500")
    tmux.press("q")
    tmux.type("clear; echo the shell is back; exit")
    tmux.shows("the shell is back")
    ended(0)


def test_an_editor_draws_and_saves(pod: Engine, tmux: Tmux) -> None:
    pod("run", "-d", "--name", "t", *NO_NETWORK, "busybox", "sleep", "1000")
    ended = run(tmux, pod, "exec", "-it", "t", "vi", "/tmp/new")
    tmux.shows("~")
    tmux.press("i")
    tmux.type("typed in vi")
    tmux.shows("I /tmp/new [Modified] 2/2 100%")
    tmux.press("Escape")
    tmux.shows("- /tmp/new [Modified] 2/2 100%")
    tmux.type(":wq")
    ended(0)
    assert pod("exec", "t", "cat", "/tmp/new").out == "typed in vi"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-t", "true"), 0),
        (("-t", "stty", "raw", "-echo"), 0),
        (("-t", "no-such-command"), 127),
        (("-i", "true"), 0),
    ],
    ids=str,
)
def test_the_terminal_is_as_it_was_afterwards(
    pod: Engine, tmux: Tmux, words: tuple[str, ...], code: int
) -> None:
    command = pod.full_command("run", "--rm", "-i", words[0], *NO_NETWORK, "busybox", *words[1:])
    tmux.type("before=$(stty -g)")
    ended = tmux.run(*command, after='[ "$(stty -g)" = "$before" ] && echo unchanged')
    tmux.shows("unchanged")
    ended(code)


def test_a_container_that_is_killed_gives_the_terminal_back(pod: Engine, tmux: Tmux) -> None:
    tmux.type("before=$(stty -g)")
    command = pod.full_command("run", *SHELL)
    ended = tmux.run(*command, after='[ "$(stty -g)" = "$before" ] && printf "\\nunchanged\\n"')
    tmux.asks(INSIDE)
    pod("kill", "t")
    tmux.shows("unchanged")
    ended(137)


def test_output_until_the_end_is_on_the_screen(pod: Engine, tmux: Tmux) -> None:
    ended = run(
        tmux, pod, "run", *NO_NETWORK, "--name", "t", "busybox", "sh", "-c", "seq 1 400; exit 4"
    )
    ended(4)
    assert "400" in tmux.screen()
    ended = run(tmux, pod, "logs", "--tail", "1", "t")
    ended(0)
    assert [line for line in tmux.screen() if line.isdigit()] == ["400"]


@pytest.mark.not_podman("it looks for each of the keys in a read of its own")
def test_two_terminals_see_the_same_and_both_may_type(pod: Engine, tmux: Tmux) -> None:
    ended = shell(tmux, pod)
    below = tmux.split()
    left = run(tmux, pod, "attach", "t", pane=below)
    tmux.press("Enter", pane=below)
    tmux.asks(INSIDE, pane=below)
    tmux.type("echo from above")
    tmux.shows("from above", pane=below)
    tmux.type("echo from below", pane=below)
    tmux.shows("from below")
    tmux.press("C-p", "C-q", pane=below)
    left(0)
    tmux.type("clear; echo the other stays; exit 8")
    tmux.shows("the other stays")
    ended(8)


@pytest.mark.not_podman("it may end before the last output has come, with status 1")
def test_control_c_goes_to_the_container_without_a_terminal(pod: Engine, tmux: Tmux) -> None:
    ended = run(tmux, pod, "run", *NO_NETWORK, "--name", "t", "busybox", "sh", "-c", TRAPS)
    tmux.shows("ready")
    tmux.press("C-c")
    tmux.shows("got it")
    ended(9)


def test_control_c_leaves_the_container_when_signals_are_not_passed(
    pod: Engine, tmux: Tmux
) -> None:
    options = ("--sig-proxy=false", *NO_NETWORK, "--name", "t")
    run(tmux, pod, "run", *options, "busybox", "sh", "-c", TRAPS)
    tmux.shows("ready")
    tmux.press("C-c")
    tmux.asks("$")  # the interrupted shell gives up its line
    assert status(pod) == "running"
    assert "got it" not in pod("logs", "t").stdout


def test_a_closed_window_does_not_end_a_container_with_a_terminal(pod: Engine) -> None:
    pod.have("busybox")
    with Tmux(pod.environment) as tmux:
        shell(tmux, pod)
    assert status(pod) == "running"
    pod("kill", "t")
    until(lambda: status(pod) == "exited", "ended")
