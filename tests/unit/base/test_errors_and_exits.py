from __future__ import annotations

import os
import signal

import pytest

from pod.base import errors, exits
from pod.linux import processes


@pytest.mark.parametrize("status", [0, 1, 125, 255])
def test_an_exit_status_is_its_own(status: int) -> None:
    pid = processes.fork_raw()
    if pid == 0:
        os._exit(status)
    assert exits.from_wait_status(os.waitpid(pid, 0)[1]) == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGRTMIN + 3])
def test_a_signal_is_128_and_its_number(number: int) -> None:
    pid = processes.fork_raw()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.pause()
    assert exits.from_wait_status(os.waitpid(pid, 0)[1]) == 128 + number


def test_an_error_reads_as_its_message() -> None:
    error = errors.PodError("it is so", hint="do that")
    assert (str(error), error.hint, error.exit_status) == ("it is so", "do that", 125)


def test_an_invalid_value_names_what_it_was_for() -> None:
    message = str(errors.InvalidValue("--umask", "9", "an octal number"))
    assert message == "--umask '9' is not valid: an octal number"
