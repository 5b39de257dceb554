"""The journal of events: many writers, rotation, killed writers, and readers that lose nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pod.engine.events import Reader, parse
from pod.linux import processes
from pod.state import events
from pod.state.events import Journal


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "root/events")


def numbered(number: int) -> dict[str, object]:
    return events.event("volume", "create", name=f"v{number}")


def names(reader: Reader) -> list[str]:
    return [event.name for event in reader.read()]


def test_an_event_comes_back_as_it_was(directory: str) -> None:
    line = events.event(
        "container", "died", object_id="ab", name="ö\n\x00\udcff", image="i", exit_code=0,
        attributes={"t": '{"t":1}'}, health="healthy", network="n", pod="p", error="e",
    )  # fmt: skip
    Journal(directory).append(line)
    reader = Reader(directory)
    (event,) = reader.read()
    reader.close()
    assert (event.kind, event.status, event.object_id) == ("container", "died", "ab")
    assert (event.name, event.exit_code, event.attributes) == (
        "ö\n\x00\udcff", 0, {"t": '{"t":1}'},
    )  # fmt: skip
    assert (event.health, event.network, event.pod, event.error) == ("healthy", "n", "p", "e")


def test_nowhere_keeps_nothing(tmp_path: Path) -> None:
    Journal("").append(numbered(1))
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    Journal(f"{tmp_path}/file/events").append(numbered(1))


def test_a_full_file_becomes_the_old_one(directory: str) -> None:
    journal = Journal(directory, 300)
    for number in range(20):
        journal.append(numbered(number))
    assert os.path.exists(f"{directory}/log.1")
    assert sum(os.path.getsize(f"{directory}/{name}") for name in os.listdir(directory)) < 900
    reader = Reader(directory)
    kept = names(reader)
    reader.close()
    assert kept == [f"v{number}" for number in range(20 - len(kept), 20)]


def test_zero_is_no_limit(directory: str) -> None:
    journal = Journal(directory, 0)
    for number in range(20):
        journal.append(numbered(number))
    assert os.listdir(directory) == ["log"]


@pytest.mark.parametrize("between", [1, 2, 5])
def test_a_reader_follows_one_rotation(directory: str, between: int) -> None:
    """Whatever was there when the file was renamed is read before the new file is."""
    journal = Journal(directory, 400)
    reader = Reader(directory)
    seen: list[str] = []
    for number in range(60):
        journal.append(numbered(number))
        if number % between == 0:
            seen += names(reader)
    seen += names(reader)
    reader.close()
    assert seen == [f"v{number}" for number in range(60)]


def test_a_reader_that_skips_sees_only_what_comes(directory: str) -> None:
    journal = Journal(directory)
    journal.append(numbered(0))
    reader = Reader(directory)
    reader.skip()
    journal.append(numbered(1))
    assert names(reader) == ["v1"]
    reader.close()


def test_a_reader_that_skips_an_empty_journal_sees_its_first_event(directory: str) -> None:
    reader = Reader(directory)
    reader.skip()
    assert names(reader) == []
    Journal(directory).append(numbered(1))
    assert names(reader) == ["v1"]
    reader.close()


def test_many_writers_and_rotations_lose_no_event(directory: str) -> None:
    """The limit is such that a reader which looks now and then finds all of them in two files."""
    writers, each = 6, 150
    os.makedirs(directory)

    def write(writer: int) -> None:
        journal = Journal(directory, 60_000)
        for number in range(each):
            journal.append(numbered(writer * 1000 + number))

    children = [
        processes.fork(lambda writer=writer: write(writer), what="write")  # type: ignore[misc]
        for writer in range(writers)
    ]
    for child in children:
        child.result()
    assert os.path.exists(f"{directory}/log.1")
    reader = Reader(directory)
    seen = names(reader)
    reader.close()
    assert len(seen) == len(set(seen)) == writers * each
    for writer in range(writers):
        own = [name for name in seen if int(name[1:]) // 1000 == writer]
        assert own == [f"v{writer * 1000 + number}" for number in range(each)]


def test_a_killed_writer_spoils_nothing(directory: str) -> None:
    """The writer is killed at some moment of its work, not at a chosen one: writing is one system call."""
    for _ in range(10):
        ready, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            journal = Journal(directory, 2000)
            os.write(told, b"x")
            while True:
                journal.append(numbered(7))
        os.read(ready, 1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(told)
        Journal(directory, 2000).append(numbered(8))
    reader = Reader(directory)
    seen = names(reader)
    reader.close()
    assert set(seen) <= {"v7", "v8"}
    assert seen[-1] == "v8"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        pytest.param(b'{"t":1,"type":"volume","status":"create","name":"v"}', "v", id="whole"),
        pytest.param(
            b'{"t":1,"type":"vol{"t":2,"type":"volume","status":"create","name":"v"}',
            "v",
            id="behind a torn one",
        ),
        pytest.param(
            b'\x00\x00{"t":2,"type":"volume","status":"create","name":"v"}', "v", id="behind zeros"
        ),
        pytest.param(b'{"t":1,"type":"vol', None, id="torn"),
        pytest.param(b'{"t":1}', None, id="too little"),
        pytest.param(b'{"t":"now","type":"volume","status":"create"}', None, id="no time"),
        pytest.param(b'{"t":1,"type":"volume","status":"create","attributes":3}', None, id="kind"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"\xff\xfe{", None, id="no text"),
        pytest.param(b'{"t":' * 5000, None, id="deep"),
    ],
)
def test_lines_that_are_no_events_are_passed_over(line: bytes, name: str | None) -> None:
    event = parse(line)
    assert (event.name if event else None) == name
