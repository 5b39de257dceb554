"""`pod compose watch` and `up --watch`: what is saved here is in the containers, or has them restarted or rebuilt."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.projects import Files
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")


class Watching:
    """A command that watches; `lines` are what it has told so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def told(self) -> str:
        return self._log.read_text()

    def await_told(self, text: str, count: int = 1) -> None:
        def check() -> bool:
            assert self.process.poll() is None, self.told
            return self.told.count(text) >= count

        until(check, f"told: {text}", 40)


@contextmanager
def watching(compose: Files, *words: str) -> Generator[Watching]:
    """A watching command, which has begun to; it is ended by Ctrl-C."""
    log = compose.directory / "watch.log"
    with log.open("wb") as file:
        directory = ("--project-directory", str(compose.directory))
        with compose.pod.spawn("compose", *directory, *words, stderr=file) as process:
            it = Watching(process, log)
            it.await_told(" Watching ")
            yield it
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            assert process.returncode == 130, it.told


def test_saved_files_are_in_the_container_and_belong_to_its_user(
    compose: Files, pod: Engine, tmp_path: Path
) -> None:
    source = tmp_path / "src"
    (source / "kept").mkdir(parents=True)
    (source / "first").write_text("before")
    compose.write(
        """
        name: synced
        services:
          web:
            image: busybox
            command: sh -c 'mkdir -p /site && echo old > /site/roots && chmod 600 /site/roots && exec sleep 1000'
            stop_signal: SIGKILL
            develop:
              watch:
                - {path: ./src, action: sync, target: /site, ignore: [cache/, "*.tmp"], initial_sync: true}
                - {path: ./one.conf, action: sync, target: /etc/one.conf}
          late:
            image: busybox
            user: "1000:1001"
            command: [sleep, "1000"]
            stop_signal: SIGKILL
            develop: {watch: [{path: ./src, action: sync, target: /late, include: "*.py"}]}
        """
    )
    (tmp_path / "one.conf").write_text("a")

    def inside(service: str, *words: str) -> str:
        return pod("exec", f"synced-{service}-1", *words, status=None).out

    with watching(compose, "watch") as it:
        it.await_told(" Watching ", 3)
        assert inside("web", "cat", "/site/first") == "before"
        until(lambda: inside("web", "stat", "-c", "%a", "/site/roots") == "600", "its own file")
        (source / "roots").write_text("new")
        (source / "cache").mkdir()
        (source / "cache" / "unseen").write_text("x")
        (source / "a.tmp").write_text("x")
        (source / "deep" / "er").mkdir(parents=True)
        (source / "deep" / "er" / "app.py").write_text("print()")
        os.symlink("roots", source / "link")
        (tmp_path / "one.conf.new").write_text("b")
        (tmp_path / "one.conf.new").rename(tmp_path / "one.conf")  # as editors save
        until(lambda: inside("web", "cat", "/etc/one.conf") == "b", "the saved configuration")
        until(lambda: inside("web", "readlink", "/site/link") == "roots", "the link")
        until(lambda: inside("web", "cat", "/site/deep/er/app.py") == "print()", "a new directory")
        until(lambda: inside("web", "cat", "/site/roots") == "new", "what was written")
        until(lambda: inside("late", "cat", "/late/deep/er/app.py") == "print()", "the other one")
        owners = inside("late", "stat", "-c", "%u:%g", "/late/deep", "/late/deep/er/app.py")
        assert owners.split() == ["1000:1001", "1000:1001"]

        compose("exec", "-T", "late", "ls", "/late/link", status=1)
        (source / "deep" / "er" / "app.py").unlink()
        (source / "link").unlink()
        (source / "last").write_text("x")
        until(lambda: inside("web", "ls", "/site/last"), "what was written last")
        until(lambda: "link" not in inside("web", "ls", "/site"), "the removal")
        assert inside("web", "find", "/site", "-name", "cache", "-o", "-name", "*.tmp") == ""
        until(lambda: inside("late", "ls", "/late/deep/er") == "", "the removal")

        # Who owned a file in the container owns it afterwards.
        compose("exec", "-T", "-u", "0", "late", "chown", "7:8", "/late/deep/er")
        compose(
            "exec", "-T", "-u", "0", "late", "sh", "-c", "echo x > /late/x.py; chown 7:8 /late/x.py"
        )
        (source / "x.py").write_text("changed")
        until(lambda: inside("late", "cat", "/late/x.py") == "changed", "the change")
        assert inside("late", "stat", "-c", "%u:%g", "/late/x.py") == "7:8"


def test_a_change_restarts_runs_or_rebuilds(compose: Files, pod: Engine, tmp_path: Path) -> None:
    for name in ("conf", "app", "src"):
        (tmp_path / name).mkdir()
    (tmp_path / "src" / "page").write_text("one\n")
    compose.write("FROM busybox\nCOPY page /page\n", "src/Dockerfile")
    compose.write(
        """
        name: acting
        services:
          web:
            image: busybox
            command: [sh, -c, "cat /conf/it 2>/dev/null || echo none; exec sleep 1000"]
            stop_signal: SIGKILL
            develop:
              watch:
                - {path: ./conf, action: sync+restart, target: /conf}
                - path: ./app
                  action: sync+exec
                  target: /app
                  exec:
                    command: sh -c 'echo $$(id -u) $$(pwd) $$A $$(cat it) > /proc/1/fd/1'
                    user: root
                    working_dir: /app
                    environment: {A: hook}
                    privileged: true
          made:
            build: ./src
            command: [sh, -c, "cat /page; exec sleep 1000"]
            stop_signal: SIGKILL
            develop: {watch: [{path: ./src, action: rebuild}, {path: ./again, action: restart}]}
        """
    )
    (tmp_path / "again").write_text("")
    with watching(compose, "watch") as it:
        it.await_told(" Watching ", 4)
        (tmp_path / "conf" / "it").write_text("configured\n")
        until(lambda: "configured" in compose("logs", "web").out, "a start with the file")
        (tmp_path / "app" / "it").write_text("executed\n")
        until(lambda: "0 /app hook executed" in compose("logs", "web").out, "the command")
        image = pod("images", "-q", "--no-trunc", "acting-made").out
        container = compose("ps", "-q", "made").out
        (tmp_path / "src" / "page").write_text("two\n")
        until(lambda: "two" in compose("logs", "made").out, "a container of the new image")
        assert compose("ps", "-q", "made").out != container
        until(lambda: image not in pod("images", "-aq", "--no-trunc").lines, "removal of the old")
        (tmp_path / "again").touch()
        it.await_told(" Container acting-made-1  Stopped")
        it.await_told(" Container acting-made-1  Started", 3)
    assert compose.state() == {"acting-made-1": "running", "acting-web-1": "running"}


def test_up_watches_and_shows_the_output_of_what_it_restarts(
    compose: Files, tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "page").write_text("one\n")
    compose.write("FROM busybox\nCOPY page /page\n", "src/Dockerfile")
    compose.write(
        """
        name: both
        services:
          web:
            build: ./src
            command: [sh, -c, "cat /page; exec sleep 1000"]
            stop_signal: SIGKILL
            develop: {watch: [{path: ./src, action: rebuild}]}
        """
    )
    with watching(compose, "up", "--watch") as it:
        assert it.process.stdout is not None
        assert it.process.stdout.readline() == b"web-1 | one\n"
        (tmp_path / "src" / "page").write_text("two\n")
        assert it.process.stdout.readline() == b"web-1 | two\n"
    assert compose.state() == {"both-web-1": "exited"}


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        pytest.param(
            "{path: ., action: sync}", "sync needs to know where the files go", id="target"
        ),
        pytest.param("{path: ., action: rebuild}", "the service has no 'build'", id="build"),
        pytest.param("{path: ./no, action: restart}", "/no' to watch", id="path"),
        pytest.param("{path: ., action: sync+exec, target: /a}", "needs a command", id="exec"),
        pytest.param("{path: ., action: sync, target: a}", "not an absolute path", id="relative"),
        pytest.param("{path: ., action: restart, ignore: '[a'}", "is no pattern", id="pattern"),
    ],
)
def test_rules_that_cannot_be(compose: Files, rule: str, sentence: str) -> None:
    compose.write(
        f"name: bad\nservices:\n  web:\n    image: busybox\n    develop:\n      watch:\n      - {rule}\n"
    )
    error = compose("watch", status=125).stderr
    assert "compose.yaml:7: 'services.web.develop.watch[0]." in error and sentence in error
    assert compose.state() == {}


def test_what_is_mounted_is_not_synced_again(compose: Files, tmp_path: Path) -> None:
    """A rule whose files the container has by a bind mount already: copying them would write them onto themselves."""
    for name in ("src/deep", "other", "beside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "src" / "deep" / "kept").write_text("kept")
    compose.write(
        """
        name: bound
        services:
          web:
            image: busybox
            command: [sleep, "1000"]
            stop_signal: SIGKILL
            volumes: ["./src:/src", "./other:/other"]
            develop:
              watch:
                - {path: ./src, action: sync, target: /src, initial_sync: true}
                - {path: ./src/deep, action: sync+restart, target: /src/deep}
                - {path: ./src/deep, action: sync, target: /elsewhere}
                - {path: ./beside, action: sync, target: /other/beside}
        """
    )
    compose("up", "-d")
    web = ("exec", "-T", "web")
    with watching(compose, "watch") as it:
        it.await_told(" Watching ", 2)
        for path in ("src", "src/deep"):
            assert (
                f"service 'web': '{tmp_path}/{path}' is not watched, since it is mounted" in it.told
            )
        (tmp_path / "src" / "deep" / "new").write_text("new")
        (tmp_path / "beside" / "more").write_text("more")
        until(lambda: compose(*web, "cat", "/elsewhere/new", status=None).out == "new", "the copy")
        until((tmp_path / "other" / "beside" / "more").exists, "a copy into the mount")
        (tmp_path / "src" / "deep" / "kept").unlink()
        until(
            lambda: not compose(*web, "ls", "/elsewhere", status=None).out.count("kept"), "removal"
        )
        assert "Restarted" not in it.told and "Stopped" not in it.told
    assert (tmp_path / "src" / "deep" / "new").read_text() == "new"
    facts = (tmp_path / "other" / "beside" / "more").stat()
    assert (facts.st_uid, facts.st_gid) == (os.getuid(), os.getgid())


def test_nothing_to_watch(compose: Files) -> None:
    compose.write("name: none\nservices: {web: {image: busybox}}\n")
    assert "there is nothing to watch" in compose("watch", status=125).stderr
