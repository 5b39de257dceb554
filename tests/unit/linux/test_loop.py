from __future__ import annotations

import os
import time
from collections.abc import Generator
from typing import Any

import pytest

from pod.linux.loop import READ, WRITE, Loop


def last(calls: list[Any], loop: Loop, call: Any) -> None:
    """Note a call and end the loop."""
    calls.append(call)
    loop.stop()


@pytest.fixture
def loop() -> Generator[Loop]:
    one = Loop()
    yield one
    one.close()


@pytest.fixture
def pipe() -> Generator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            pass  # the test closed it


def test_a_ready_descriptor_is_served_until_stop(loop: Loop, pipe: tuple[int, int]) -> None:
    seen = []

    def take(events: int) -> None:
        seen.append(os.read(pipe[0], 1))
        if len(seen) == 3:
            loop.stop()

    loop.watch(pipe[0], take)
    os.write(pipe[1], b"abcd")
    loop.run()
    assert seen == [b"a", b"b", b"c"]


def test_the_end_of_a_pipe_is_readable(loop: Loop, pipe: tuple[int, int]) -> None:
    events: list[int] = []
    loop.watch(pipe[0], lambda given: last(events, loop, given))
    os.close(pipe[1])
    loop.run()
    assert events[0] & READ


def test_watching_again_changes_what_is_watched(loop: Loop, pipe: tuple[int, int]) -> None:
    calls: list[Any] = []
    loop.watch(pipe[1], lambda _: calls.append("first"), READ)
    loop.watch(pipe[1], lambda _: last(calls, loop, "second"), WRITE)
    loop.run()
    assert calls == ["second"]


def test_a_callback_may_forget_another_that_is_ready_too(loop: Loop) -> None:
    pipes = [os.pipe() for _ in range(2)]
    calls: list[Any] = []

    def serve(number: int) -> None:
        calls.append(number)
        for read_fd, _ in pipes:
            loop.forget(read_fd)

    for number, (read_fd, write_fd) in enumerate(pipes):
        loop.watch(read_fd, lambda _, number=number: serve(number))  # type: ignore[misc]
        os.write(write_fd, b"x")
    loop.turn(0)
    loop.turn(0)
    assert len(calls) == 1
    for ends in pipes:
        for fd in ends:
            os.close(fd)


def test_forgetting_twice_does_no_harm(loop: Loop, pipe: tuple[int, int]) -> None:
    loop.watch(pipe[0], lambda _: None)
    loop.forget(pipe[0])
    loop.forget(pipe[0])
    os.write(pipe[1], b"x")
    loop.turn(0)


def test_a_regular_file_cannot_be_watched(loop: Loop) -> None:
    with open(__file__, "rb") as file, pytest.raises(PermissionError):
        loop.watch(file.fileno(), lambda _: None)


def test_timers_come_in_the_order_of_their_times(loop: Loop) -> None:
    calls: list[Any] = []
    loop.set_timer("late", 0.02, lambda: last(calls, loop, "late"))
    loop.set_timer("early", 0, lambda: calls.append("early"))
    time.sleep(0.03)  # both are due when it looks
    loop.run()
    assert calls == ["early", "late"]


def test_a_replaced_timer_comes_once_and_as_it_was_set_last(loop: Loop) -> None:
    calls: list[Any] = []
    loop.set_timer("it", 0, lambda: calls.append("old"))
    loop.set_timer("it", 0, lambda: last(calls, loop, "new"))
    loop.run()
    loop.turn(0)
    assert calls == ["new"]


def test_a_timer_can_set_itself_again(loop: Loop) -> None:
    calls: list[Any] = []

    def tick() -> None:
        calls.append(1)
        if len(calls) < 3:
            loop.set_timer("tick", 0, tick)
        else:
            loop.stop()

    loop.set_timer("tick", 0, tick)
    loop.run()
    assert len(calls) == 3


def test_a_timer_that_another_cancels_or_replaces_does_not_come(loop: Loop) -> None:
    calls: list[Any] = []

    def first() -> None:
        calls.append("first")
        loop.cancel_timer("second")
        loop.set_timer("third", 1000, lambda: calls.append("third, replaced"))
        loop.stop()

    loop.set_timer("first", 0, first)
    loop.set_timer("second", 0, lambda: calls.append("second"))
    loop.set_timer("third", 0, lambda: calls.append("third"))
    loop.run()
    assert calls == ["first"]
    assert (loop.seconds_left("third") or 0) > 900


def test_seconds_left(loop: Loop) -> None:
    assert loop.seconds_left("none") is None
    loop.set_timer("due", -5, lambda: None)
    assert loop.seconds_left("due") == 0


def test_run_can_be_called_again_and_inside_a_callback(loop: Loop) -> None:
    calls: list[Any] = []

    def outer() -> None:
        loop.set_timer("inner", 0, lambda: last(calls, loop, "inner"))
        loop.run()
        calls.append("outer")
        loop.stop()

    loop.set_timer("outer", 0, outer)
    loop.run()
    assert calls == ["inner", "outer"]
