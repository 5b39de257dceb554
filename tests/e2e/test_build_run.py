"""RUN: as whom, where and with what a command runs, what it leaves, and how it fails."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.build import Context, text_of_all_files
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine

NONE = "--network=none"


@pytest.fixture
def context(pod: Engine, tmp_path: Path) -> Context:
    return Context(pod, tmp_path / "context")


def test_runs_as_the_user_of_the_image_in_its_directory(context: Context) -> None:
    context.build(
        "FROM busybox\n"
        "RUN echo web:x:1234:1235:Web:/home/web:/bin/sh >> /etc/passwd\n"
        "RUN echo web:x:1235: >> /etc/group && mkdir -m 777 /open\n"
        "ENV GREETING=hello\n"
        "ARG NAME=world\n"
        "WORKDIR /srv/web\n"
        "USER web\n"
        'RUN echo "$GREETING $NAME $(id -u):$(id -g) $(pwd) $HOME" > /open/said\n'
        'CMD ["cat", "/open/said"]\n',
        NONE,
    )
    assert context.run() == "hello world 1234:1235 /srv/web /home/web"
    assert context.run("stat", "-c", "%u", "/srv/web") == "1234"


def test_leaves_nothing_of_what_was_mounted(context: Context, pod: Engine) -> None:
    """Neither places to mount on nor what was on them, although this image has none of them."""
    context.build("FROM scratch\nCOPY --from=busybox /bin /bin\nRUN echo x > /x\n", NONE)
    archive = str(context.directory / "made.tar")
    pod("create", "--name", "c", "made", "true")
    pod("export", "-o", archive, "c")
    with tarfile.open(archive) as found:
        top = {name.partition("/")[0] for name in found.getnames()}
    assert top == {"bin", "x"}


def test_two_equal_layers_are_no_obstacle(context: Context) -> None:
    context.build("FROM busybox\nRUN true\nRUN true\nRUN echo x > /x\n", NONE)
    assert context.run("cat", "/x") == "x"


@pytest.mark.not_podman("its cache mounts are elsewhere, and old")
def test_mounts_of_every_kind(context: Context, pod: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("very-secret-1")
    context.write({"seen": "from the context", "ignored": "no", ".dockerignore": "ignored\n"})
    text = (
        "FROM busybox AS other\n"
        "RUN mkdir /out && echo from a stage > /out/file\n"
        "FROM busybox\n"
        "RUN --mount=type=bind,target=/c --mount=from=other,source=/out,target=/o,rw "
        "cat /c/seen /o/file > /said && touch /o/new && ! touch /c/new && ls /c >> /said\n"
        "RUN --mount=type=bind,from=other,source=/out/file,target=/file cat /file >> /said\n"
        "RUN --mount=type=tmpfs,target=/t touch /t/x\n"
        "RUN --mount=type=secret,id=s,mode=0440,uid=7 --mount=type=secret,id=s,env=S "
        '[ "$(stat -c %a:%u /run/secrets/s) $(cat /run/secrets/s) $S" = '
        '"440:7 $(cat /run/secrets/s) $S" ] && echo "${#S}" >> /said\n'
        "RUN --mount=type=cache,target=/cache,id=k echo more >> /cache/f; wc -l < /cache/f >> /said\n"
        "RUN ls -d /c /o /t /cache /run/secrets 2>/dev/null >> /said; true\n"
    )
    options = (NONE, "--secret", f"id=s,src={secret}")
    context.build(text, *options)
    said = context.run("cat", "/said").split("\n")
    assert said[0] == "from the contextfrom a stage"
    assert "seen" in said
    assert "ignored" not in said
    assert said[-3:] == ["from a stage", "13", "1"]
    context.build(text, *options, "--no-cache")
    assert context.run("cat", "/said").endswith("13\n2")
    # Neither in layers, history, keys and records of the cache, nor anywhere else.
    assert b"very-secret-1" not in text_of_all_files(pod.root)
    assert b"very-secret-1" not in text_of_all_files(pod.runroot)


@pytest.mark.not_podman("its statuses are others")
@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_another_runtime_executes_commands(context: Context, pod: Engine, runtime: str) -> None:
    context.write({"d/f": "x"})
    text = (
        "FROM busybox AS one\nRUN mkdir -p /d/e && echo deep > /d/e/f\n"
        "FROM busybox\nUSER 7\nWORKDIR /tmp\n"
        "RUN --mount=from=one,source=/d,target=/m --mount=type=cache,target=/c,uid=7 "
        "id -u > said && pwd >> said && cat /m/e/f >> said && touch /c/x && echo shown\n"
    )
    done = context.build(text, NONE, f"--runtime={runtime}", "--no-cache")
    assert "shown" in done.stderr
    assert context.run("cat", "said").split() == ["7", "/tmp", "deep"]
    done = context.build("FROM busybox\nRUN exit 3\n", NONE, f"--runtime={runtime}", status=3)
    assert "ended with status 3" in done.stderr
    options = (NONE, "--no-cache", "--runtime=none-such")  # a cached step needs none
    done = context.build("FROM busybox\nRUN true\n", *options, status=125)
    assert "OCI runtime 'none-such' is not installed" in done.stderr
    nothing_wrong(pod, max_age="24h")


def test_secret_that_is_required_and_not_given(context: Context) -> None:
    done = context.build(
        "FROM busybox\nRUN --mount=type=secret,id=s,required true\n", NONE, status=None
    )
    assert done.status != 0
    assert "s" in done.stderr


def test_agent_is_passed_on(context: Context, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    context.build(
        'FROM busybox\nRUN --mount=type=ssh [ -S "$SSH_AUTH_SOCK" ] && echo agent > /said\n',
        NONE,
        "--ssh",
        f"default={key}",
    )
    assert context.run("cat", "/said") == "agent"


def test_network_of_one_command(context: Context) -> None:
    done = context.build(
        "FROM busybox\nRUN --network=none ls /sys/class/net > /said\n", "--network=none"
    )
    assert done.status == 0
    assert context.run("cat", "/said") == "lo"


@pytest.mark.not_podman("it needs no permission")
def test_insecure_needs_permission(context: Context) -> None:
    text = "FROM busybox\nRUN --security=insecure true\n"
    done = context.build(text, NONE, status=125)
    assert "--allow security.insecure" in done.stderr
    context.build(text, NONE, "--allow", "security.insecure")


@pytest.mark.not_podman("its words are others")
def test_what_a_child_process_finds_wrong_is_said_once(context: Context) -> None:
    """The place and the lines stand above the sentence, and nothing is quoted twice in the progress."""
    text = "FROM busybox AS other\nFROM busybox\nRUN --mount=type=bind,from=other,source=/no,target=/m true\n"
    done = context.build(text, NONE, status=125)
    steps, _, error = done.stderr.partition("Error:")
    assert steps.endswith("\n  '/no' is not in the stage 'other'\n"), steps
    assert error.startswith(" Dockerfile:3: '/no' is not in the stage 'other'\n  3 | RUN"), error


@pytest.mark.not_podman("its words are others")
@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        pytest.param("exit 3", 3, "ended with status 3", id="status"),
        pytest.param("sh -c 'kill -9 $$'; exit $?", 137, "signal 9", id="killed"),
        pytest.param("/nowhere", 127, "127", id="not found"),
    ],
)
def test_failing_command(
    context: Context, pod: Engine, command: str, status: int, words: str
) -> None:
    done = context.build(
        f"FROM busybox\nRUN true\n# a comment\nRUN echo before; {command}\nRUN never\n",
        NONE,
        status=status,
    )
    assert words in done.stderr
    assert "Dockerfile:4" in done.stderr
    assert "before" in done.stderr
    assert pod("images", "-q", "made").out == ""
    nothing_wrong(pod, max_age="24h")


def test_a_daemon_that_is_left_does_not_keep_the_build(context: Context) -> None:
    context.build("FROM busybox\nRUN (sleep 1000 &) ; echo x > /x\n", NONE, timeout=30)
    assert context.run("cat", "/x") == "x"


def test_binary_output_is_no_obstacle(context: Context) -> None:
    context.build(
        "FROM busybox\nRUN head -c 100000 /dev/urandom; head -c 300000 /dev/zero; echo x > /x\n",
        NONE,
    )
    assert context.run("cat", "/x") == "x"


@pytest.mark.not_podman("its mounts have no size")
def test_full_disk_is_an_error(context: Context, pod: Engine) -> None:
    done = context.build(
        "FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=65536 dd if=/dev/zero of=/t/x bs=1000000 count=1\n",
        NONE,
        status=None,
    )
    assert done.status != 0
    assert "No space left" in done.stderr
    nothing_wrong(pod, max_age="24h")


@pytest.mark.not_podman("it takes half a minute")
def test_more_steps_than_one_page_of_mount_options_takes(context: Context) -> None:
    steps = "".join(f"COPY f /f{number}\n" for number in range(300))
    context.write({"f": "x"})
    context.build(f"FROM busybox\n{steps}RUN ls / | grep -c ^f > /count\n", NONE, timeout=85)
    assert context.run("cat", "/count") == "300"


def test_parallel_stages_run_at_the_same_time(context: Context) -> None:
    """Each waits for a file of the other, in a cache that they share."""
    text = "FROM busybox AS base\n"
    for own, other in (("a", "b"), ("b", "a")):
        text += (
            f"FROM base AS {own}\n"
            f"RUN --mount=type=cache,target=/meet touch /meet/{own}; n=0; "
            f"while [ ! -e /meet/{other} ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n+1)); done; "
            f"[ -e /meet/{other} ] && touch /{own}\n"
        )
    text += "FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
    context.build(text, NONE, "--jobs=4")
    assert context.run("ls", "/a", "/b") == "/a\n/b"


@pytest.mark.not_podman("it builds them")
def test_stages_that_are_not_needed_are_not_built(context: Context) -> None:
    context.build("FROM busybox AS bad\nRUN false\nFROM busybox\nRUN true\n", NONE)


def test_triggers_of_the_base_are_executed(context: Context) -> None:
    context.write({"f": "x"})
    base = "FROM busybox\nONBUILD COPY f /from-trigger\nONBUILD RUN echo y >> /from-trigger\n"
    context.build(base, NONE, "--format=docker", tag="base")
    context.build("FROM base\nRUN cat /from-trigger > /said\n", NONE)
    assert context.run("cat", "/said") == "xy"


def test_root_of_the_host_is_not_in_reach(context: Context) -> None:
    """A command that outlives its build would be a process of the caller's; none is."""
    mark = f"sleep {os.getpid()}.5"
    context.build(f"FROM busybox\nRUN ({mark} &); true\n", NONE)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        assert mark.split()[1].encode() not in words


def meeting(mount: str, then: str) -> str:
    """Two stages that wait for each other, in a cache that they share, while they have the same cache `mount`."""
    text = "FROM busybox AS base\n"
    for own, other in (("a", "b"), ("b", "a")):
        text += (
            f"FROM base AS {own}\n"
            f"RUN --mount=type=cache,target=/meet,id=meet-{os.getpid()} --mount=type=cache,{mount},target=/c "
            f"{then.format(own=own, other=other)}\n"
        )
    return f"{text}FROM base\nCOPY --from=a /seen /a\nCOPY --from=b /seen /b\n"


@pytest.mark.not_podman("its cache mounts are elsewhere, and old")
def test_a_private_cache_is_had_by_one_at_a_time(context: Context) -> None:
    """Who comes second gets one of their own; a later build finds what is there."""
    wait = (
        "touch /c/{own} /meet/{own}; n=0; while [ ! -e /meet/{other} ] && [ $n -lt 300 ]; do sleep 0.1; "
        "n=$((n+1)); done; [ -e /meet/{other} ] && ls /c > /seen"
    )
    mount = f"id=private-{os.getpid()},sharing=private"
    context.build(meeting(mount, wait), NONE, "--jobs=4")
    assert context.run("cat", "/a", "/b") == "a\nb"
    again = f"FROM busybox\nRUN --mount=type=cache,{mount},target=/c ls /c > /seen\n"
    context.build(again, NONE)
    assert context.run("cat", "/seen") in {"a", "b"}


@pytest.mark.not_podman("its cache mounts are elsewhere, and old")
def test_a_locked_cache_is_waited_for(context: Context) -> None:
    """A directory that both make and remove again is never there when one comes."""
    use = "mkdir /c/busy && for n in 1 2 3 4 5; do ls /c; sleep 0.05; done && rmdir /c/busy && touch /seen"
    mount = f"id=locked-{os.getpid()},sharing=locked"
    context.build(meeting(mount, use), NONE, "--jobs=4")
    assert context.run("ls", "/a", "/b") == "/a\n/b"
