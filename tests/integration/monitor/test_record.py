"""The files of a running container, also where no space is left, and a monitor that must stay as it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pod.base import locks
from pod.base.errors import PodError
from pod.linux import idmap, syscalls
from pod.monitor.main import Watch
from pod.monitor.record import Files
from pod.state import reconcile

NO_FILES = {"monitor": "", "container": ""}
STATE = {"pid": 1, "pid_started": 1, "started_ns": 1}
END = {"status": 3, "started_ns": 1, "ended_ns": 2}


def test_the_end_is_written_where_no_space_is_left(tmp_path: Path) -> None:
    """The state makes room for it."""

    def work() -> Any:
        syscalls.mount("tmpfs", str(tmp_path), "tmpfs", 0, "size=64k")
        files = Files(str(tmp_path), NO_FILES)
        files.claim()
        files.write_state(STATE)
        with open(tmp_path / "filling", "wb", buffering=0) as filling:
            try:
                while filling.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        files.write_exit(END)
        return reconcile.read_run(str(tmp_path)).end

    assert idmap.run_inside(work, what="fill a disk") == END


def test_a_claim_lasts_as_long_as_the_process(tmp_path: Path) -> None:
    files = Files(str(tmp_path), NO_FILES)
    files.claim()
    assert (tmp_path / "monitor").read_text() == f"{os.getpid()}\n"
    assert locks.is_held(str(tmp_path / "monitor"))
    with pytest.raises(PodError):
        Files(str(tmp_path), NO_FILES).claim()
    files.write_state(STATE)
    assert reconcile.read_run(str(tmp_path)).condition == "running"
    files.release()
    assert reconcile.read_run(str(tmp_path)).condition == "lost"


def test_a_monitor_whose_container_has_just_ended_stays_what_it_is(tmp_path: Path) -> None:
    """A new program would not know the exit status that has been collected. Were it tried, streams would be missing."""
    order = {"run_directory": str(tmp_path), "pid_files": NO_FILES, "restart": {}}
    for name, value in (("has_ended", True), ("wait_status", 0)):
        watch = Watch(order)
        setattr(watch, name, value)
        watch.shrink()
        assert watch.loop.seconds_left("shrink") is None
        watch.loop.close()
