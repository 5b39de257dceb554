"""`events --until` while the clock is set: the time that has passed counts."""

from __future__ import annotations

from pod.engine.events_follow import Until

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NOW = 1_000 * DAY  # what the clock says at the beginning
BOOTED = 5 * DAY  # the time since the boot then


def until_in_ten_seconds() -> Until:
    return Until(NOW + 10 * SECOND, NOW, BOOTED)


def test_wait_does_not_depend_on_the_clock() -> None:
    until = until_in_ten_seconds()
    assert until.left_ns(BOOTED + 4 * SECOND) == 6 * SECOND
    assert until.left_ns(BOOTED + 11 * SECOND) < 0


def test_with_a_steady_clock_the_time_of_the_event_decides() -> None:
    until = until_in_ten_seconds()
    for after, is_wanted in ((-DAY, True), (10 * SECOND, True), (10 * SECOND + 1, False)):
        moment = max(after, 0) + SECOND // 2  # when it is read
        corrected = SECOND // 4  # by which the clock is too late or early
        for wrong in (-corrected, corrected):
            accepted = until.accepts(NOW + after, NOW + moment + wrong, BOOTED + moment)
            assert accepted == is_wanted


def test_event_after_a_jump_is_in_time_when_the_wait_is_not_over() -> None:
    for jump in (-DAY, DAY):
        until = until_in_ten_seconds()
        for after, is_wanted in ((4 * SECOND, True), (12 * SECOND, jump < 0)):
            now, passed = NOW + jump + after, BOOTED + after
            # One of a clock that was set back is early in any case; the wait ends by itself.
            assert until.accepts(now, now, passed) == is_wanted


def test_event_from_before_a_jump_is_in_time() -> None:
    for jump in (-DAY, DAY):
        until = until_in_ten_seconds()
        after = 4 * SECOND
        assert until.accepts(NOW + after, NOW + jump + after, BOOTED + after)
