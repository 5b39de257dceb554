"""A build on a terminal with a screen, in tmux: stages at the same time, a narrow window, a step that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.tmux import Tmux
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("it draws nothing")

WAIT = "until [ -e /go/go ]; do sleep 0.05; done"
TEXT = (
    f"FROM busybox AS one\nRUN echo begun one; {WAIT}\n"
    f"FROM busybox AS two\nRUN echo begun two; {WAIT}\n"
    "FROM busybox\nCOPY --from=one /bin/true /a\nCOPY --from=two /bin/true /b\n"
    "RUN echo a line that is longer than a narrow window is wide; seq 1 20; exit 4\n"
)


def shows_both(screen: list[str]) -> bool:
    starts = ("Building ", " => [one 2/8] RUN echo begun one", " => [two 4/8] RUN echo begun two")
    return all(any(line.startswith(start) for line in screen) for start in starts)


def is_cut(screen: list[str]) -> bool:
    lines = [line.rstrip() for line in screen if line.startswith(" => [two 4/8]")]
    return any(line.endswith("…") and len(line) <= 40 for line in lines)


def test_stages_are_drawn_and_a_failure_is_all_there(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "go").mkdir()
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(TEXT)
    pod.have("busybox")
    words = ("build", "--network=none", "--no-cache", "--jobs=2", f"--volume={tmp_path}/go:/go")
    with Tmux(pod.environment) as tmux:
        ended = tmux.run(*pod.full_command(*words, str(context)))
        tmux.shows("begun one")
        tmux.shows("begun two")
        until(lambda: shows_both(tmux.screen()), "both stages are drawn below the head line")
        tmux.resize(40, 16)
        until(lambda: is_cut(tmux.screen()), "it is drawn anew, each step in one line")
        (tmp_path / "go/go").touch()
        ended(4)
        tmux.resize(100, 60)
        until(lambda: len(tmux.screen()) > 30, "the lines before are back")
        screen = [line.strip() for line in tmux.screen()]
    first = next(number for number, it in enumerate(screen) if it.startswith("FAILED [2 8/8] RUN"))
    shown = "\n".join(screen[first:])
    assert all(f"\n{number}\n" in shown for number in range(1, 21))
    assert "Dockerfile:8:" in shown and "8 | RUN echo a line" in shown and "exit status 4" in shown
    assert not [line for line in screen[first:] if line.startswith(("Building", "=>"))]
