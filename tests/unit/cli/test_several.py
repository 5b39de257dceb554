"""Commands that take several names, and commands that ask."""

from __future__ import annotations

import errno
import io
import os
import sys

import pytest

from pod.base.errors import PodError
from pod.cli.ask import confirmed
from pod.cli.several import for_each


class Busy(PodError):
    exit_status = 2


def test_every_name_is_tried_and_failures_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    tried = []

    def do(name: str) -> str | None:
        tried.append(name)
        if name == "bad":
            raise PodError("container 'bad' is not here")
        if name == "disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data")
        return None if name == "quiet" else name

    assert for_each(["a", "bad", "quiet", "disk", "b"], do) == 125
    assert tried == ["a", "bad", "quiet", "disk", "b"]
    sys.stdout.flush()
    captured = capfd.readouterr()
    assert captured.out == "a\nb\n"
    assert captured.err == (
        "Error: container 'bad' is not here\n"
        "Error: '/data': no space left on device\nHint: pod system df\n"
    )


def test_status_is_that_of_the_last_failure() -> None:
    def do(name: str) -> str:
        if name == "busy":
            raise Busy("x")
        if name == "bad":
            raise PodError("x")
        return name

    assert for_each(["bad", "busy", "ok"], do) == 2
    assert for_each(["ok"], do) == 0
    assert for_each([], do) == 0


def test_closed_pipe_ends_the_command() -> None:
    def do(name: str) -> str:
        raise BrokenPipeError(errno.EPIPE, "x")

    with pytest.raises(BrokenPipeError):
        for_each(["a", "b"], do)


def test_defect_is_not_swallowed() -> None:
    def do(name: str) -> str:
        raise ValueError(name)

    with pytest.raises(ValueError, match="a"):
        for_each(["a"], do)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("y\n", True),
        ("YES\n", True),
        (" y \n", True),
        ("n\n", False),
        ("\n", False),
        ("", False),
        ("ye\n", False),
    ],
)
def test_only_yes_is_yes(
    typed: str, expected: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert confirmed("This will remove all stopped containers.") is expected
    assert capsys.readouterr().out.startswith(
        "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] "
    )


def test_closed_input_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert confirmed("x") is False
