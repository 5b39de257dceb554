from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pod.base.errors import PodError
from pod.linux import processes
from pod.linux.boot import boot_id
from tests.support.connections import own_descriptors


class Odd(PodError):
    exit_status = 127


def _raise(error: BaseException) -> Callable[[], Any]:
    def function() -> None:
        raise error

    return function


@pytest.mark.parametrize("value", [None, 1, "x", b"y" * 300_000, {"a": [1, (2, 3)]}, True])
def test_a_child_gives_its_result(value: Any) -> None:
    assert processes.fork(lambda: value, what="answer").result() == value


def test_an_error_for_people_crosses_with_its_hint_and_status() -> None:
    child = processes.fork(_raise(Odd("it went wrong", hint="do this")), what="fail")
    with pytest.raises(PodError) as caught:
        child.result()
    error = caught.value
    assert (error.message, error.hint, error.exit_status) == ("it went wrong", "do this", 127)


def test_an_error_of_the_kernel_crosses_with_number_and_path() -> None:
    child = processes.fork(lambda: os.open("/nowhere", os.O_RDONLY), what="open")
    with pytest.raises(FileNotFoundError) as caught:
        child.result()
    assert caught.value.filename == "/nowhere"


@pytest.mark.parametrize("error", [ValueError("a defect"), KeyboardInterrupt(), SystemExit(3)])
def test_anything_else_crosses_as_a_defect_with_its_place(error: BaseException) -> None:
    child = processes.fork(_raise(error), what="fail")
    with pytest.raises(RuntimeError) as caught:
        child.result()
    assert type(error).__name__ in str(caught.value)
    assert "test_processes.py" in str(caught.value)


def test_a_child_that_is_killed_says_what_it_should_have_done() -> None:
    child = processes.fork(lambda: os.kill(os.getpid(), signal.SIGKILL), what="count to three")
    with pytest.raises(processes.ChildFailed, match=r"should count to three .* 137"):
        child.result()


def test_a_result_that_cannot_cross_is_a_failure() -> None:
    with pytest.raises(processes.ChildFailed):
        processes.fork(object, what="answer").result()


def test_kill_leaves_no_process() -> None:
    child = processes.fork(signal.pause, what="wait")
    child.kill()
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, 0)


def test_a_child_has_no_other_descriptors() -> None:
    read_fd, write_fd = os.pipe()
    kept, other = os.dup(write_fd), os.dup(write_fd)
    child = processes.fork(
        lambda: sorted(map(int, os.listdir("/proc/self/fd"))), what="list", keep=(kept,)
    )
    found = child.result()
    assert kept in found
    assert other not in found and write_fd not in found and read_fd not in found
    assert len(found) == 6  # three streams, the kept one, the result, the directory
    for fd in (read_fd, write_fd, kept, other):
        os.close(fd)


def test_output_in_buffers_is_written_once() -> None:
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from pod.linux import processes\n"
        "sys.stdout.write('once\\n')\n"
        "processes.fork(lambda: sys.stdout.write('child\\n'), what='write').result()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "once\nchild\n"


@pytest.mark.parametrize("keep", [(), (0, 1, 2), (5, 9), (1, 5, 300)])
def test_descriptors_are_closed_but_those_to_keep(keep: tuple[int, ...]) -> None:
    def run() -> list[int]:
        null = os.open("/dev/null", os.O_RDWR)
        result = os.dup2(result_fd, 400)  # first, since it may have one of these numbers
        for fd in (0, 1, 2, 5, 9, 10, 300):
            os.dup2(null, fd)
        processes.close_descriptors({*keep, result})
        return [fd for fd in range(399) if _is_open(fd)]

    # The result of `run` needs a descriptor of its own, so it goes by a pipe.
    read_fd, result_fd = os.pipe()
    pid = processes.fork_raw()
    if pid == 0:
        os.write(400, repr(run()).encode())
        os._exit(0)
    os.close(result_fd)
    with open(read_fd) as file:
        assert file.read() == repr(list(keep))
    os.waitpid(pid, 0)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_a_process_is_known_by_number_and_start() -> None:
    child = subprocess.Popen(["sleep", "1000"])
    started = processes.start_time(child.pid)
    assert started
    assert processes.is_alive(child.pid, started)
    assert not processes.is_exiting(child.pid, started)
    assert not processes.is_alive(child.pid, started + 1)
    assert not processes.send_signal(child.pid, started + 1, signal.SIGKILL)
    assert child.poll() is None
    assert processes.send_signal(child.pid, started, signal.SIGKILL)
    child.wait()
    assert processes.start_time(child.pid) is None
    assert not processes.is_exiting(child.pid, started)
    assert not processes.send_signal(child.pid, started, signal.SIGKILL)


def started_as_zombie_too(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_a_zombie_is_not_alive() -> None:
    pid = processes.fork_raw()
    if pid == 0:
        os._exit(0)
    started = started_as_zombie_too(pid)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert processes.start_time(pid) is None
    assert processes.is_exiting(pid, started)
    assert not processes.is_exiting(pid, started + 1)
    os.waitpid(pid, 0)


def test_an_odd_process_name_does_not_confuse(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(program), "1000"])
    try:
        deadline = time.monotonic() + 60
        while b"a) Z" not in Path(f"/proc/{child.pid}/stat").read_bytes():
            assert time.monotonic() < deadline
        assert processes.start_time(child.pid)
    finally:
        child.kill()
        child.wait()


def test_waiting_for_a_process_that_is_no_child() -> None:
    child = subprocess.Popen(["sleep", "1000"])
    started = processes.start_time(child.pid) or 0
    assert not processes.wait_until_gone(child.pid, started, timeout_seconds=0)
    assert processes.wait_until_gone(child.pid, started + 1, timeout_seconds=0)
    child.kill()
    assert processes.wait_until_gone(child.pid, started)
    child.wait()
    assert processes.wait_until_gone(child.pid, started)


def test_kill_and_reap_collects_a_child() -> None:
    child = subprocess.Popen(["sleep", "1000"])
    processes.kill_and_reap(child.pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, 0)


def test_kill_and_reap_touches_nobody_elses_process() -> None:
    """A number that was reaped may belong to another process by now."""
    go, tell = os.pipe(), os.pipe()

    def parent() -> int:
        os.close(go[1])
        grandchild = subprocess.Popen(["sh", "-c", "read line; exit 7"], stdin=go[0])
        os.write(tell[1], b"%d" % grandchild.pid)
        return grandchild.wait()

    middle = processes.fork(parent, what="be a parent", keep=(*go, tell[1]))
    processes.kill_and_reap(int(os.read(tell[0], 20)))
    for fd in (*go, *tell):
        os.close(fd)
    assert middle.result() == 7


def test_a_program_gets_its_streams_and_nothing_else() -> None:
    code = (
        "import os, sys; os.write(1, b'out ' + os.read(0, 100)); os.write(int(sys.argv[1]), b'kept');"
        "os.write(2, ' '.join(os.listdir('/proc/self/fd')).encode())"
    )
    stdin, stdout, stderr, kept = (os.pipe() for _ in range(4))
    os.set_inheritable(stdin[0], True)
    pid = processes.spawn(
        [sys.executable, "-I", "-S", "-c", code, str(kept[1])],
        streams=(stdin[0], stdout[1], stderr[1]),
        keep=(kept[1],),
        directory="/",
    )
    os.write(stdin[1], b"hello")
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(stdout[0], 100) == b"out hello"
    assert os.read(kept[0], 100) == b"kept"
    # One more is that of the listing.
    assert set(os.read(stderr[0], 1000).decode().split()) == {"0", "1", "2", "3", str(kept[1])}
    for fd in (*stdin, *stdout, *stderr, *kept):
        os.close(fd)


def test_streams_may_be_any_numbers() -> None:
    """Also 2, 1, 0, which dup2 would overwrite one another."""

    def run() -> bytes:
        pipes = [os.pipe() for _ in range(2)]
        os.dup2(pipes[0][1], 2)
        os.dup2(pipes[1][1], 1)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        pid = processes.spawn(["/bin/sh", "-c", "echo one; echo two >&2"], streams=(0, 2, 1))
        os.waitpid(pid, 0)
        return os.read(pipes[0][0], 100) + os.read(pipes[1][0], 100)

    assert processes.fork(run, what="spawn").result() == b"one\ntwo\n"


def test_a_program_that_is_missing_ends_with_127() -> None:
    read_fd, write_fd = os.pipe()
    pid = processes.spawn(["/nowhere/it"], streams=(0, write_fd, write_fd))
    os.close(write_fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127
    with open(read_fd) as file:
        assert "/nowhere/it" in file.read()


def test_the_environment_of_programs_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/evil.so")
    monkeypatch.setenv("HOME", "/home/me")
    found = processes.clean_environment()
    assert found["HOME"] == "/home/me" and found["LC_ALL"] == "C"
    assert "LD_PRELOAD" not in found


def test_a_helper_dies_with_its_parent() -> None:
    read_fd, write_fd = os.pipe()
    pid = processes.fork_raw()
    if pid == 0:
        helper = processes.spawn(
            ["/bin/sleep", "1000"], streams=(0, 1, 2), dies_with_parent=True, new_session=True
        )
        os.write(write_fd, b"%d" % helper)
        signal.pause()
    helper = int(os.read(read_fd, 20))
    started = processes.start_time(helper)
    assert started
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert processes.wait_until_gone(helper, started)
    os.close(read_fd)
    os.close(write_fd)


def test_programs_are_found_in_given_places_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("given", "path"):
        (tmp_path / place).mkdir()
        program = tmp_path / place / "pod-test-program"
        program.write_text("")
        program.chmod(0o755)
    (tmp_path / "path/pod-test-directory").mkdir()
    (tmp_path / "path/pod-test-file").write_text("")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    given, path = str(tmp_path / "given"), str(tmp_path / "path")
    assert processes.find_program("pod-test-program", given) == f"{given}/pod-test-program"
    assert processes.find_program("pod-test-program") == f"{path}/pod-test-program"
    assert processes.find_program("pod-test-directory") is None
    assert processes.find_program("pod-test-file") is None
    assert processes.find_program("ls") is None or os.path.isabs(processes.find_program("ls") or "")


def test_all_children_that_ended_are_reaped() -> None:
    def run() -> list[int]:
        children = []
        for status in (0, 3):
            pid = os.fork()
            if pid == 0:
                os._exit(status)
            children.append(pid)
        sleeping = os.fork()
        if sleeping == 0:
            signal.pause()
        for pid in children:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        reaped = dict(processes.reap_all())
        os.kill(sleeping, signal.SIGKILL)
        os.waitpid(sleeping, 0)
        assert processes.reap_all() == []
        return [os.waitstatus_to_exitcode(reaped[pid]) for pid in children] + [len(reaped)]

    assert processes.fork(run, what="reap").result() == [0, 3, 2]


def test_fork_that_fails_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = own_descriptors()
    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(BlockingIOError):
        processes.fork(lambda: None, what="nothing")
    monkeypatch.undo()
    assert own_descriptors() == before


def test_the_boot_has_an_id() -> None:
    assert len(boot_id()) == 36
    assert not select.select([], [], [], 0)[0]
