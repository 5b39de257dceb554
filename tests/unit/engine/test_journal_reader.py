"""Reading a container's entries from the journal. A script stands in for journalctl(1), which has no journal here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pod.base.errors import PodError
from pod.engine import journal
from pod.engine.logs import Selection
from pod.linux import sockets
from pod.spec import monitor


def entry(number: int, message: Any, priority: str = "6") -> str:
    return json.dumps({"__CURSOR": f"c{number}", "MESSAGE": message, "PRIORITY": priority,
                       "__REALTIME_TIMESTAMP": str(1_700_000_000_000_000 + number)})  # fmt: skip


class Container:
    id = "ab" * 32


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Make a journalctl that prints `now`, and with --follow `later` as well, and stays; what it was asked."""
    log = tmp_path / "asked"

    def make(now: list[str], later: tuple[str, ...] = (), rest: tuple[str, ...] = ()) -> list[str]:
        for name, lines in (("now", now), ("later", later), ("rest", rest)):
            (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
        (tmp_path / "journalctl").write_text(
            f'#!/bin/sh\ncd {tmp_path}\necho "$@" >> asked\necho $$ >> processes\n'
            'case "$*" in\n*--follow*) cat now; sleep 0.05; cat later; exec sleep 1000 ;;\n'
            "*--after-cursor*) cat rest ;;\n*) cat now ;;\nesac\n"
        )
        (tmp_path / "journalctl").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return log.read_text().splitlines() if log.exists() else []

    return make


def none_is_left(directory: Path) -> bool:
    """Whether each journalctl has ended and was waited for."""
    path = directory / "processes"
    pids = path.read_text().split() if path.exists() else []  # not there when it was killed at once
    return not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def show(
    selection: Selection, channel: sockets.Channel | None = None
) -> list[tuple[bytes, bytes, bytes]]:
    found: list[tuple[bytes, bytes, bytes]] = []
    journal.show(Container(), selection, lambda *line: found.append(line), channel)  # type: ignore[arg-type]
    return found


def test_entries_become_lines(journalctl: Callable[..., list[str]], tmp_path: Path) -> None:
    journalctl([entry(1, "out"), entry(2, "err", "3"), entry(3, [255, 0, 65]), entry(4, None)])
    lines = show(Selection(times=True, tail=7, since_ns=1_500_000_000))
    assert [(stream, text) for stream, _, text in lines] == [
        (b"stdout", b"out\n"), (b"stderr", b"err\n"), (b"stdout", b"\xff\0A\n"), (b"stdout", b"\n"),
    ]  # fmt: skip
    assert lines[0][1] == b"2023-11-14T22:13:20.000001000Z"
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert f"CONTAINER_ID_FULL={Container.id}" in asked
    assert "--lines=7" in asked and "--since=@1.5" in asked and "--follow" not in asked


def test_following_ends_with_the_container(
    journalctl: Callable[..., list[str]], tmp_path: Path
) -> None:
    """What the journal gets after the end was told is read, too."""
    journalctl([entry(1, "now")], later=(entry(2, "later"),), rest=(entry(3, "last"),))
    ours, theirs = sockets.pair()
    found: list[bytes] = []

    def take(stream: bytes, time: bytes, text: bytes) -> None:
        found.append(text)
        if text == b"later\n":
            theirs.send(monitor.EXITED, 0, False, 0)

    journal.show(Container(), Selection(follow=True), take, ours)  # type: ignore[arg-type]
    theirs.close()
    assert found == [b"now\n", b"later\n", b"last\n"]
    assert "--after-cursor=c2" in (tmp_path / "asked").read_text()
    assert none_is_left(tmp_path)


def test_following_ends_with_the_monitor(
    journalctl: Callable[..., list[str]], tmp_path: Path
) -> None:
    journalctl([entry(1, "now")])
    ours, theirs = sockets.pair()
    theirs.close()
    assert [text for _, _, text in show(Selection(follow=True), ours)] == [b"now\n"]
    assert none_is_left(tmp_path)


def test_following_ends_when_nobody_reads(
    journalctl: Callable[..., list[str]], tmp_path: Path
) -> None:
    journalctl([entry(1, "now")])
    ours, theirs = sockets.pair()
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with pytest.raises(BrokenPipeError):
        show(Selection(follow=True, outputs=(write_fd,)), ours)
    os.close(write_fd)
    theirs.close()
    assert none_is_left(tmp_path)


def test_without_journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PodError, match="journalctl is not installed") as caught:
        show(Selection())
    assert caught.value.hint and "k8s-file" in caught.value.hint
