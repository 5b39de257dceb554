"""`pod events`: what commands have recorded, chosen, shown and followed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.engine import Engine

not_podman = pytest.mark.not_podman


class Past:
    """What has been recorded since the test began: the journal is that of the whole session."""

    def __init__(self, pod: Engine) -> None:
        self.pod = pod
        self.begin = f"{time.time():.6f}"

    def __call__(self, *words: str) -> list[str]:
        return self.pod("events", "--stream=false", "--since", self.begin, *words).lines

    def told(self, *words: str) -> list[str]:
        return self("--format", "{{.Status}}", *words)


@pytest.fixture
def past(pod: Engine) -> Past:
    return Past(pod)


def test_the_life_of_a_container(pod: Engine, past: Past) -> None:
    pod("run", "--name", "one", "--label", "a=b", "busybox", "sh", "-c", "exit 3", status=3)
    pod("rm", "one")
    lines = past("--filter", "container=one", "--format", "json")
    events = [json.loads(line) for line in lines]
    statuses = [event["Status"] for event in events]
    assert statuses == ["create", "init", "start", "attach", "died", "cleanup", "remove"]
    assert {event["Type"] for event in events} == {"container"}
    assert all(event["Attributes"]["a"] == "b" for event in events)
    assert {event["Image"] for event in events} == {"docker.io/library/busybox:latest"}
    assert len({event["ID"] for event in events}) == 1


@not_podman("4.3 has times as text and no timeNano")
def test_json_is_podmans(pod: Engine, past: Past) -> None:
    before = time.time_ns()
    pod("run", "--rm", "--name", "one", "busybox", "sh", "-c", "exit 3", status=3)
    event = json.loads(past("--filter", "event=died", "--format", "json")[0])
    assert before < event["timeNano"] < time.time_ns()
    assert event["time"] == event["timeNano"] // 1_000_000_000
    assert event["ContainerExitCode"] == 3


def test_line_for_people(pod: Engine, past: Past) -> None:
    number = pod("create", "--name", "one", "--label", "a=b", "busybox", "true").out
    (line,) = past("--filter", "container=one", "--filter", "event=create")
    date, clock, zone, _, rest = line.split(" ", 4)
    assert (len(date), clock.count(":"), zone[0] in "+-") == (10, 2, True)
    assert rest == (
        f"container create {number} (image=docker.io/library/busybox:latest, name=one, a=b)"
    )
    (short,) = past("--filter", f"container={number}", "--no-trunc=false")
    assert f" {number[:12]} " in short


def test_exec_kill_restart_stop(pod: Engine, past: Past) -> None:
    pod("run", "-d", "--name", "one", "busybox", "sleep", "1000")
    pod("exec", "one", "sh", "-c", "exit 4", status=4)
    pod("kill", "-s", "USR1", "one")
    pod("restart", "-t", "0", "one")
    pod("stop", "-t", "0", "one")
    found = past.told("--filter", "container=one")
    found = [status for status in found if status not in {"cleanup", "stop"}]
    assert found == ("create init start exec exec_died kill restart died init start died".split())


@not_podman("4.3 does not tell of the policy's restarts in this way")
def test_restarts_of_the_policy_are_told(pod: Engine, past: Past) -> None:
    pod("run", "--name", "one", "--restart", "on-failure:1", "busybox", "false", status=1)
    found = past.told("--filter", "container=one")
    assert found == ("create init start attach died restart init start died cleanup".split())


@not_podman("4.3 does not find volumes by their names")
def test_volumes_and_images(pod: Engine, past: Past) -> None:
    pod("volume", "create", "data")
    pod("volume", "rm", "data")
    assert past.told("--filter", "volume=data") == ["create", "remove"]
    pod("tag", "busybox", "other:1")
    pod("rmi", "other:1")
    found = past("--filter", "type=image", "--format", "{{.Status}} {{.Name}}")
    assert [line.split()[0] for line in found][-2:] == ["tag", "untag"]
    assert "other:1" in found[-1]


@not_podman("its filters know no short names and none of docker's words")
def test_filters_know_short_names_and_words_of_docker(pod: Engine, past: Past) -> None:
    pod("run", "--rm", "--name", "one", "--label", "a=b", "busybox", "true")
    assert past.told("--filter", "event=die", "--filter", "container=one") == ["died"]
    assert past.told("--filter", "status=destroy", "--filter", "container=one") == ["remove"]
    assert past.told("--filter", "label=a=c", "--filter", "type=container") == []
    chosen = past.told("--filter", "event=die", "--filter", "event=start", "--filter", "label=a")
    assert chosen == ["start", "died"]
    actions = "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}"
    assert past("--filter", "event=died", "--format", actions)[-1] == "die one 0"


@not_podman("it takes wrong values for an empty journal")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--since", "soon"], "'soon'"),
        (["--until", "1x"], "'1x'"),
        (["--filter", "colour=red"], "'colour=red' for '--filter': the keys are container"),
        (["--filter", "event"], "KEY=VALUE"),
        (["--filter", "event=died_out"], "no such event"),
        (["--filter", "type=ship"], "one of container"),
        (["--format", "{{.Nothing}}"], "there is no field 'Nothing'"),
        (["--format", "{{"], "{{"),
        (["--format", "table {{.ID}}"], "no table"),
        (["--since", "1h", "--until", "2h"], "later than --until"),
        (["extra"], "takes no"),
    ],
    ids=lambda value: value.replace(" ", "-")[:20] if isinstance(value, str) else "-".join(value),
)
def test_wrong_values_are_told_before_anything_is_shown(
    pod: Engine, words: list[str], says: str
) -> None:
    result = pod("events", "--stream=false", *words, status=125)
    assert says in result.stderr
    assert result.stdout == ""


def follow(pod: Engine, past: Past, *words: str) -> subprocess.Popen[bytes]:
    """`pod events` that has begun to listen: it shows that by an event that happened before."""
    process = pod.spawn("events", "--since", past.begin, "--filter", "type=volume", *words)
    assert process.stdout is not None
    assert b" volume create first" in process.stdout.readline()
    return process


@pytest.fixture
def first(pod: Engine, past: Past) -> None:
    """A volume, made after the beginning of `past`."""
    pod("volume", "create", "first")


@not_podman("it may begin to listen after the next event")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 1), (signal.SIGTERM, 0)])
def test_shows_what_happens_until_a_signal(
    pod: Engine, past: Past, first: None, number: signal.Signals, status: int
) -> None:
    with follow(pod, past) as process:
        assert process.stdout is not None
        pod("volume", "create", "second")
        assert process.stdout.readline().endswith(b" volume create second\n")
        process.send_signal(number)
        assert process.wait(30) == status
        assert process.stdout.read() == b""


@not_podman("it does not rotate in this way")
def test_follows_through_rotations(pod: Engine, past: Past, first: None) -> None:
    """At most two of them, so that however late `pod events` comes, nothing has been deleted yet."""
    path = os.path.join(pod.environment["HOME"], "small.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write('[engine]\nevents_logfile_max_size = "2500b"\n')
    small = {"CONTAINERS_CONF_OVERRIDE": path}
    with follow(pod, past) as process:
        assert process.stdout is not None
        before = _inode(f"{pod.root}/events/log.1")
        names = [f"name-{number:03}" + "x" * 60 for number in range(30)]
        for name in names:
            pod("volume", "create", name, env=small)
        assert _inode(f"{pod.root}/events/log.1") != before
        seen = [process.stdout.readline().split()[-1].decode() for _ in names]
        process.terminate()
    assert seen == names


@not_podman("it does not rotate in this way")
def test_a_reader_that_does_not_read_loses_nothing_and_keeps_nobody_waiting(
    pod: Engine, past: Past, tmp_path: Path
) -> None:
    """More than a pipe holds, and one rotation: so nothing has been deleted however late `pod events` comes."""
    (tmp_path / "conf").write_text('[engine]\nevents_logfile_max_size = "150kb"\n')
    small = {"CONTAINERS_CONF_OVERRIDE": str(tmp_path / "conf")}
    form = "{{.Name}} {{json .Attributes}}"
    words = ("--filter", "type=container", "--filter", "event=create", "--format", form)
    names = [f"c{number}" for number in range(20)]
    label = f"a={'x' * 12_000}"
    with pod.spawn("events", "--since", past.begin, *words) as process:
        assert process.stdout is not None
        pod("create", "--name", names[0], "--label", label, "busybox", env=small)
        assert process.stdout.readline().startswith(b"c0 ")
        before = _inode(f"{pod.root}/events/log.1")
        for name in names[1:]:
            pod("create", "--name", name, "--label", label, "busybox", env=small)
        assert _inode(f"{pod.root}/events/log.1") != before
        seen = [process.stdout.readline().split()[0].decode() for _ in names[1:]]
        process.terminate()
    assert seen == names[1:]


def _inode(path: str) -> tuple[int, int]:
    """With the time of its last line, since the file system may give a number again."""
    if not os.path.exists(path):
        return 0, 0
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns


@not_podman("it notices with the next event")
def test_ends_when_nobody_reads_any_more(pod: Engine, past: Past, first: None) -> None:
    with follow(pod, past) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(30) != 0


@not_podman("4.3 takes it for an empty journal")
def test_until_ends_the_stream(pod: Engine, past: Past, first: None) -> None:
    soon = f"{time.time() + 1:.3f}"
    result = pod("events", "--since", past.begin, "--until", soon, "--filter", "volume=first")
    assert "volume create first" in result.stdout
    assert time.time() > float(soon)


@not_podman("it has another journal")
def test_torn_and_foreign_lines_are_passed_over(pod: Engine, past: Past, first: None) -> None:
    path = f"{pod.root}/events/log"
    with open(path, "ab") as file:
        file.write(b'nonsense\n{"t":1}\n\xff\xfe\n{"t":12,"type":"vol')
    pod("volume", "create", "second")
    names = past("--filter", "type=volume", "--format", "{{.Name}}")
    assert names[-2:] == ["first", "second"]


@not_podman("it has another journal")
def test_none_keeps_nothing_and_says_so(pod: Engine, past: Past) -> None:
    pod("--events-backend", "none", "volume", "create", "quiet")
    assert past() == []
    result = pod("--events-backend=none", "events", status=125)
    assert "'none'" in result.stderr
    assert "'--events-backend'" in pod("--events-backend=syslog", "ps", status=125).stderr
    assert "journald" in pod("--events-backend=journald", "ps", status=125).stderr


@not_podman("it has another journal")
def test_control_characters_do_not_reach_the_terminal(pod: Engine, past: Past) -> None:
    pod("create", "--name", "one", "--label", "a=\x1b[2J\nb", "busybox", "true")
    (line,) = past("--filter", "container=one")
    assert "\\x1b[2J\\nb" in line


@not_podman("it has another journal")
def test_a_journal_that_cannot_be_written_stops_nothing(pod: Engine, past: Past) -> None:
    path = f"{pod.root}/events"
    kept = f"{pod.root}.events"
    os.makedirs(path, exist_ok=True)
    os.rename(path, kept)
    try:
        with open(path, "w", encoding="ascii"):
            pass
        assert pod("run", "--rm", "busybox", "echo", "fine").out == "fine"
    finally:
        os.unlink(path)
        os.rename(kept, path)


def test_many_commands_at_once(pod: Engine, past: Past) -> None:
    names = [f"v{number}" for number in range(8)]
    running = [pod.spawn("volume", "create", name) for name in names]
    for process in running:
        process.communicate()
    found = past("--filter", "type=volume", "--format", "{{.Name}}")
    assert sorted(set(found) & set(names)) == sorted(names)


@not_podman("its reset leaves the journal")
def test_follows_a_journal_that_comes_goes_and_comes_again(pod: Engine, tmp_path: Path) -> None:
    place = ("--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"))
    with pod.spawn(*place, "events", "--since", "0", "--format", "{{.Name}}") as process:
        assert process.stdout is not None
        for name in (b"first", b"second"):
            pod(*place, "volume", "create", name.decode())
            assert process.stdout.readline() == name + b"\n"
            pod(*place, "system", "reset", "--force")
        assert not (tmp_path / "root").exists()
        process.terminate()
        assert process.wait(30) == 0
