"""Wrong command lines, and files that are not what they should be: one sentence that names them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.image.faulty import FaultyRegistry, Reply, small_layer
from tests.support.build import Context
from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine

NONE = "--network=none"
OURS = pytest.mark.not_podman("its own words, or no error at all")


@pytest.fixture
def context(pod: Engine, tmp_path: Path) -> Context:
    return Context(pod, tmp_path / "context").write({"Dockerfile": "FROM scratch\nLABEL a=b\n"})


@OURS
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "missing context: `pod build DIRECTORY`"),
        ("nowhere", "the context 'nowhere' is not there"),
        ("Dockerfile", "the context 'Dockerfile' is no directory"),
        (". more", "accepts at most 1 argument, received 2"),
        ("--iidfile=/nowhere/id .", "'/nowhere/id' of --iidfile cannot be written: No such file"),
        ("--metadata-file=/ .", "'/' of --metadata-file cannot be written: Is a directory"),
        ("--logfile=/nowhere/log .", "'/nowhere/log' of --logfile cannot be written"),
        ("-f nofile .", "the Dockerfile 'nofile' is not there"),
        ("--ignorefile=/nowhere .", "--ignorefile '/nowhere' cannot be read: No such file"),
        ("--target=none .", "'Dockerfile' has no stage 'none'"),
        ("-t UPPER .", "--tag 'UPPER' is not valid: image name 'UPPER'"),
        ("--platform=nonsense .", "--platform 'nonsense' is not valid"),
        ("--output=type=wrong .", "--output 'type=wrong' is not valid"),
        ("--device=/dev/nowhere .", "device '/dev/nowhere' of --device is not there"),
        ("--squash --squash-all .", "--squash and --squash-all exclude each other"),
        ("--secret=id=a,src=/nowhere .", "the file '/nowhere' cannot be read"),
        ("--ssh=default .", "no agent runs: SSH_AUTH_SOCK is not set"),
        ("-f - -", "standard input cannot be both the context and a Dockerfile"),
        ("http://localhost:1/x.tar", "server 'localhost:1' cannot be reached"),
        ("git://localhost:1/x.git", "'git://localhost:1/x.git': git fetch failed"),
    ],
)
def test_command_line_is_wrong(context: Context, pod: Engine, words: str, says: str) -> None:
    result = pod("build", *words.split(), status=125, cwd=str(context.directory))
    assert says in one_error(result, hint=None)
    assert not {"STEP", "COMMIT"} & set(result.stderr.split()), "it is said before anything is done"


@OURS
def test_current_directory_is_gone(context: Context, pod: Engine) -> None:
    script = 'rmdir "$0" && exec "$@"'
    gone = context.directory / "gone"
    gone.mkdir()
    command = ["sh", "-c", script, str(gone), *pod.full_command("build", ".")]
    done = subprocess.run(
        command, cwd=gone, env=pod.environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 125
    assert done.stderr == "Error: the current directory is not there any more\n"


def _closed(path: Path) -> None:
    path.write_text("FROM scratch\n")
    path.chmod(0)


def _closed_directory(path: Path) -> None:
    path.parent.chmod(0)


@OURS
@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda it: it.mkdir(), "Dockerfile' cannot be read: Is a directory", id="dir"),
        pytest.param(_closed, "Dockerfile' cannot be read: Permission denied", id="closed"),
        pytest.param(_closed_directory, "context' cannot be read: Permission denied", id="top"),
        pytest.param(lambda it: it.symlink_to(it), "no file Containerfile", id="circle"),
        pytest.param(lambda it: it.write_bytes(b""), "has no instructions, FROM at", id="empty"),
        pytest.param(lambda it: it.write_bytes(b"\xff\0"), "Dockerfile:1: this is no text", id="b"),
        pytest.param(lambda it: it.write_bytes(b"RUN x\n"), "before the first FROM", id="no FROM"),
    ],
)
def test_dockerfile_is_none(context: Context, pod: Engine, make: object, says: str) -> None:
    path = context.directory / "Dockerfile"
    path.unlink()
    make(path)  # type: ignore[operator]
    try:
        result = pod("build", str(context.directory), status=125)
    finally:
        context.directory.chmod(0o700)
    assert says in result.stderr and result.stderr.count("Error: ") == 1
    assert "Traceback" not in result.stderr and result.stdout == ""


@OURS
def test_stage_that_was_meant_is_suggested(context: Context) -> None:
    text = "FROM scratch AS builder\nFROM scratch\n"
    done = context.build(text, "--target=bulder", status=125)
    assert "'Dockerfile' has no stage 'bulder', did you mean 'builder'?" in done.stderr
    done = context.build(text, "--target=test", status=125)
    assert "'Dockerfile' has no stage 'test'\nHint: its stages are builder, 1\n" in done.stderr


@OURS
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("COPY --chown=nobodyhere Dockerfile /x", "user 'nobodyhere' is not in"),
        ("COPY --chmod=999 Dockerfile /x", "--chmod '999' is not valid"),
        ('RUN ["nothing"]', "command 'nothing' was not found"),
        ("EXPOSE 99999", "EXPOSE '99999' is not valid"),
        ("STOPSIGNAL NOPE", "signal 'NOPE' does not exist"),
        ("COPY --from=nowhere.invalid/x /a /b", "server 'nowhere.invalid' cannot be found"),
    ],
)
def test_errors_of_steps_name_the_line(context: Context, line: str, says: str) -> None:
    """Also when nobody is told of progress, and whatever part of the program has found them."""
    dockerfile = f"FROM busybox\n{line}\n"
    done = context.build(dockerfile, "--quiet", "--retry=0", status=None)
    assert done.status in {125, 127}
    said = done.stderr.replace("registry '", "server '")
    assert said.startswith(f"Error: Dockerfile:2: {says}")
    assert f"\n  2 | {line}\n" in said


@OURS
def test_stage_is_suggested_for_an_image_that_is_not_there(context: Context) -> None:
    text = "FROM busybox AS builder\nFROM busybox\nCOPY --from=localhost:1/bulder /x /x\n"
    done = context.build(text.replace("localhost:1/", ""), "--pull=never", status=125)
    assert "did you mean the stage 'builder'?" in done.stderr
    done = context.build(text, "--pull=never", status=125)
    assert "did you mean" not in done.stderr


@OURS
def test_argument_that_a_base_image_asks_for_is_no_mistake(context: Context, pod: Engine) -> None:
    """What is said of one that nobody asks for comes at once, or when the base image has come."""
    context.build("FROM busybox\nONBUILD ARG MODE=a\nONBUILD ENV MODE=$MODE\n", tag="base")
    given = ("--build-arg=MODE=b", "--build-arg=MORE=c")
    done = context.build("FROM base\n", *given)
    assert "'MODE'" not in done.stderr
    assert "no ARG declares 'MORE', which --build-arg gives" in done.stderr
    layout = f"--build-context=far=oci-layout://{context.directory}/../layout"
    pod("save", "--format=oci-dir", "-o", f"{context.directory}/../layout", "base")
    done = context.build("FROM far\n", *given, layout)
    assert "'MODE'" not in done.stderr
    assert "no ARG declares 'MORE', which --build-arg gives" in done.stderr


@pytest.mark.parametrize("status", [1, 125, 126, 127, 137, 255])
def test_status_is_that_of_the_command(context: Context, pod: Engine, status: int) -> None:
    done = context.build(f"FROM busybox\nRUN exit {status}\n", NONE, status=status)
    assert "Traceback" not in done.stderr
    nothing_wrong(pod)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("COPY missing /x\n", "missing"),
        ("USER nobodyhere\nRUN true\n", "nobodyhere"),
        ("COPY --chown=nobodyhere Dockerfile /x\n", "nobodyhere"),
        ("COPY --from=nosuchstage:1 /x /x\n", "nosuchstage"),
    ],
)
def test_step_cannot_be_done(context: Context, pod: Engine, text: str, says: str) -> None:
    """The step is named, and what it lacks."""
    done = context.build(f"FROM busybox\n{text}", NONE, "--pull=never", status=125)
    assert says in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.count("Error: ") == 1
    if pod.kind == "pod":
        assert "Dockerfile:" in done.stderr.partition("STEP 2")[2]
    nothing_wrong(pod, max_age="24h")


def test_what_containers_have_left_in_a_context_is_read(context: Context, pod: Engine) -> None:
    """Files of users of the id map, which the caller could not open; closed ones of the caller's own, too."""
    context.write({"mine": "mine", "d/theirs": "theirs"})
    (context.directory / "mine").chmod(0)
    change = 'chmod 600 "$0/d/theirs" && chmod 700 "$0/d" && chown -R 5:6 "$0/d"'
    pod("unshare", "sh", "-c", change, str(context.directory))
    try:
        context.build("FROM busybox\nCOPY mine /mine\nCOPY d /d\n", NONE)
        assert context.run("cat", "/mine", "/d/theirs") == "minetheirs"
        assert context.run("stat", "-c", "%u:%g %a", "/d/theirs") == "0:0 600"
        context.build("FROM busybox\nCOPY mine /mine\nCOPY d /d\n", NONE)
    finally:
        pod("unshare", "rm", "-r", f"{context.directory}/d")


@pytest.mark.not_podman("version 4.3 has no --retry")
def test_base_image_is_asked_for_again(
    context: Context, pod: Engine, server: FaultyRegistry
) -> None:
    """As often as asked, after the wait that was asked for."""
    server.add_image("me/busy:latest", [small_layer()])
    text = f"FROM {server.host}/me/busy\nLABEL a=b\n"
    retries = ("--tls-verify=false", "--retry-delay=50ms", "--retry")
    server.fault("/manifests/", Reply(503), Reply(503))
    done = context.build(text, *retries, "2")
    assert "trying again in 0.05 seconds" in done.stderr
    assert len(server.seen("/manifests/")) == 3
    pod("rmi", "made", f"{server.host}/me/busy")
    server.fault("/manifests/", Reply(503), Reply(503))
    context.build(text, *retries, "1", status=125)
    assert len(server.seen("/manifests/")) == 5


def test_four_builds_at_once_make_the_same(context: Context, pod: Engine) -> None:
    """With nothing in the cache, all of them execute, and one of the results is that of all."""
    text = "FROM busybox\nRUN head -c 8 /dev/urandom | md5sum > /n\nCOPY Dockerfile /d\nRUN cat /n /d > /all\n"
    (context.directory / "Dockerfile").write_text(f"{text}# {os.urandom(4).hex()}\n")
    pod.have("busybox")
    words = ("build", "-q", NONE, str(context.directory))
    builds = [pod.spawn(*words, text=True) for _ in range(4)]
    ids = [build.communicate(timeout=80)[0].strip() for build in builds]
    assert [build.returncode for build in builds] == [0, 0, 0, 0]
    if pod.kind == "pod":
        assert len(set(ids)) == 1
        assert pod("build", "-q", NONE, str(context.directory)).out == ids[0]
    for identity in set(ids):
        lines = pod("run", "--rm", NONE, identity, "cat", "/all").lines
        assert lines[1:3] == text.splitlines()[:2]
    nothing_wrong(pod, max_age="24h")
