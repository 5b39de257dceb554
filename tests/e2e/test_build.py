"""`pod build` as a person sees it: what it prints, its exit status, where the result goes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine, Result

OURS = pytest.mark.not_podman("its own option, words or files")
HELLO = "FROM busybox\nRUN echo built > /made\nCOPY file /copied\nCMD cat /made /copied\n"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    top = tmp_path / "context"
    top.mkdir()
    (top / "file").write_text("copied\n")
    return top


def build(pod: Engine, context: Path, text: str, *options: str, status: int | None = 0) -> Result:
    (context / "Dockerfile").write_text(text)
    return pod("build", "--network", "none", *options, str(context), status=status)


def run(pod: Engine, *words: str) -> str:
    return pod("run", "--rm", "--network", "none", *words).out


# What comes of it


def test_image_runs_and_the_id_is_the_last_line(pod: Engine, context: Path) -> None:
    result = build(pod, context, HELLO, "-t", "hello", "-t", "localhost/other:2")
    number = result.lines[-1]
    assert len(number) == 64
    assert run(pod, "hello") == "built\ncopied"
    assert pod("image", "inspect", "--format", "{{.Id}}", "other:2").out == number
    assert build(pod, context, HELLO, "-q", "-t", "hello").out == number
    nothing_wrong(pod)


@OURS
def test_result_is_alone_on_standard_output(pod: Engine, context: Path) -> None:
    result = build(pod, context, HELLO, "--iidfile", str(context / "id"))
    assert len(result.lines) == 1 and (context / "id").read_text() == f"sha256:{result.out}"
    assert "STEP 2/4: RUN echo built > /made" in result.stderr
    assert build(pod, context, HELLO).stderr.count("Using cache") == 2


@OURS
def test_cached_steps_are_there_when_the_image_is_gone(pod: Engine, context: Path) -> None:
    first = build(pod, context, HELLO, "-q", "-t", "hello").out
    pod("rmi", "hello")
    assert build(pod, context, HELLO, "-q", "-t", "hello").out == first
    pod("rmi", "hello")
    pod("image", "prune", "-f")
    build(pod, context, HELLO, "-q", "-t", "hello")
    assert run(pod, "hello") == "built\ncopied"
    nothing_wrong(pod)


def test_status_is_that_of_the_command(pod: Engine, context: Path) -> None:
    result = build(pod, context, "FROM busybox\nRUN echo before && exit 7\n", status=7)
    assert "before" in result.stdout + result.stderr
    assert build(pod, context, "FROM busybox\nRUNN x\n", status=125).out in {
        "",
        "STEP 1/2: FROM busybox\nSTEP 2/2: RUNN x",
    }
    build(pod, context, "FROM busybox\nCOPY nothing /\n", status=125)
    nothing_wrong(pod)


@OURS
def test_failed_step_is_shown_with_its_lines(pod: Engine, context: Path) -> None:
    text = "FROM busybox\nRUN echo out; \\\n  echo err >&2; \\\n  exit 9\n"
    result = build(pod, context, text, status=9)
    lines = result.stderr.splitlines()
    assert {"out", "err", "Dockerfile:2-4:", "  4 |   exit 9", "  exit status 9"} <= set(lines)
    assert lines[-1].startswith("Error: Dockerfile:2-4: the command ")


@OURS
def test_error_of_the_language_shows_the_line(pod: Engine, context: Path) -> None:
    lines = build(pod, context, "FROM busybox\nRUNN x\n", status=125).stderr.splitlines()
    assert lines[0] == "Error: Dockerfile:2: 'RUNN' is no instruction, did you mean 'RUN'?"
    assert lines[1] == "  2 | RUNN x"


def test_context_that_is_not_there(pod: Engine, context: Path) -> None:
    message = one_error(pod("build", str(context / "none"), status=125), hint=None)
    assert str(context / "none") in message


# Where the result goes


def test_files_go_to_a_directory(pod: Engine, context: Path, tmp_path: Path) -> None:
    text = "FROM scratch\nCOPY --chown=5:6 --chmod=750 file /d/f\n"
    build(pod, context, text, "-o", f"type=local,dest={tmp_path}/out")
    path = tmp_path / "out/d/f"
    assert path.read_text() == "copied\n" and path.stat().st_uid == os.getuid()
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


@OURS
def test_output_to_a_directory_follows_no_links(pod: Engine, context: Path, tmp_path: Path) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (outside / "f").write_text("mine")
    (out / "d").symlink_to(outside)
    result = build(pod, context, "FROM scratch\nCOPY file /d/f\n", "-o", str(out), status=None)
    assert (outside / "f").read_text() == "mine" and os.listdir(outside) == ["f"]
    assert result.status in {0, 125}


@OURS
@pytest.mark.parametrize("kind", ["tar", "oci", "docker"])
def test_archives(pod: Engine, context: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out.tar"
    result = build(pod, context, HELLO, "-o", f"type={kind},dest={path}")
    assert result.out == "" and pod("images", "-q", "--filter", "dangling=true").out == ""
    with tarfile.open(path) as archive:
        names = [os.path.normpath(name) for name in archive.getnames()]
    assert {"tar": "made", "oci": "oci-layout", "docker": "manifest.json"}[kind] in names
    if kind != "tar":
        name = pod("load", "-q", "-i", str(path)).out.split()[-1]
        assert run(pod, name.removeprefix("sha256:")) == "built\ncopied"


@OURS
def test_archive_on_standard_output(pod: Engine, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch\nCOPY file /f\n")
    with pod.spawn("build", "-o", "-", str(context)) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            found = {entry.name: archive.extractfile(entry) for entry in archive if entry.isreg()}
        process.communicate()
    assert list(found) == ["f"] and process.returncode == 0


def test_image_is_pushed(pod: Engine, context: Path) -> None:
    assert pod.registry is not None
    name = f"{pod.registry.host}/built/it:1"
    if pod.kind == "pod":
        build(pod, context, HELLO, "-q", "-t", name, "--push")
    else:
        build(pod, context, HELLO, "-q", "-t", name)
        pod("push", "-q", name)
    pod("rmi", name)
    assert run(pod, name) == "built\ncopied"


@OURS
@pytest.mark.parametrize("form", ["oci", "docker"])
def test_other_programs_take_the_image(
    pod: Engine, context: Path, tmp_path: Path, form: str
) -> None:
    """docker's registry and skopeo; podman's turn is in test_build_same.py."""
    assert pod.registry is not None
    name = f"{pod.registry.host}/built/{form}:1"
    text = f"{HELLO}HEALTHCHECK CMD true\n"
    number = build(pod, context, text, "-q", "--format", form, "-t", name, "--push").out
    place = f"oci:{tmp_path}/copy:1"
    copy = ["skopeo", "copy", "--src-tls-verify=false", f"docker://{name}", place]
    subprocess.run(copy, check=True, capture_output=True, timeout=60)
    archive = tmp_path / "it.tar"
    pod("save", "-q", "--format", f"{form}-archive", "-o", str(archive), name)
    shown = subprocess.run(
        ["skopeo", "inspect", "--config", f"{form}-archive:{archive}"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    config = json.loads(shown.stdout)
    assert config["config"]["Cmd"] == ["/bin/sh", "-c", "cat /made /copied"]
    assert [it.get("empty_layer", False) for it in config["history"][-4:]] == [
        *(False, False),
        *(True, True),
    ]
    assert number == pod("image", "inspect", "--format", "{{.Id}}", name).out


@OURS
def test_several_platforms_make_a_list(pod: Engine, context: Path, tmp_path: Path) -> None:
    text = "FROM --platform=$BUILDPLATFORM busybox AS made\nARG TARGETARCH\n"
    text += "RUN echo $TARGETARCH > /arch\nFROM scratch\nCOPY --from=made /arch /arch\n"
    both = "linux/amd64,linux/arm64"
    build(pod, context, text, "--platform", both, "-t", "many", "--manifest", "all")
    for name in ("many", "all"):
        entries = pod("manifest", "inspect", name).json()["manifests"]
        assert [it["platform"]["architecture"] for it in entries] == ["amd64", "arm64"]
    build(pod, context, text, "--platform", both, "--manifest", "all", "--label", "a=b")
    assert len(pod("manifest", "inspect", "all").json()["manifests"]) == 2
    build(pod, context, text, "--platform", both, "-o", str(tmp_path / "out"))
    assert (tmp_path / "out/linux_arm64/arch").read_text() == "arm64\n"


@OURS
def test_archives_of_several_platforms(pod: Engine, context: Path, tmp_path: Path) -> None:
    text = "FROM --platform=$BUILDPLATFORM busybox AS made\nARG TARGETARCH\n"
    text += "RUN echo $TARGETARCH > /arch\nFROM scratch\nCOPY --from=made /arch /arch\n"
    both = ("--platform", "linux/amd64,linux/arm64")
    build(pod, context, text, *both, "-o", f"type=tar,dest={tmp_path}/files.tar")
    with tarfile.open(tmp_path / "files.tar") as archive:
        for platform in ("amd64", "arm64"):
            file = archive.extractfile(f"linux_{platform}/arch")
            assert file is not None and file.read().decode().strip() == platform
    build(pod, context, text, *both, "-o", f"type=oci,dest={tmp_path}/many.tar,name=x/many")
    build(pod, context, text, *both, "-o", f"type=oci,tar=false,dest={tmp_path}/layout")
    words = ["skopeo", "inspect", "--raw", f"oci-archive:{tmp_path}/many.tar"]
    done = subprocess.run(words, capture_output=True, check=True)
    platforms = [it["platform"]["architecture"] for it in json.loads(done.stdout)["manifests"]]
    assert platforms == ["amd64", "arm64"]
    words = ["skopeo", "inspect", "--override-arch=arm64", f"oci:{tmp_path}/layout"]
    done = subprocess.run(words, capture_output=True, check=True)
    assert json.loads(done.stdout)["Architecture"] == "arm64"
    done = pod(
        *("build", *both, "-o", f"type=docker,dest={tmp_path}/d.tar", str(context)), status=125
    )
    assert "holds no list of images" in done.stderr and "STEP" not in done.stderr


@OURS
def test_command_line_says_more_about_the_image(pod: Engine, context: Path) -> None:
    text = "FROM busybox AS base\nENV A=1 B=2\nLABEL one=1 two=2\nFROM base\nRUN echo $C > /c\n"
    options = (
        "--env C=3 --unsetenv B --label three=3 --annotation x=y --os-version 7 --os-feature f"
    )
    more = "--omit-history --identity-label --created-annotation -t it"
    build(pod, context, text, *options.split(), *more.split())
    (found,) = pod("image", "inspect", "it").json()
    assert {"A=1", "C=3"} <= set(found["Config"]["Env"]) and "B=2" not in found["Config"]["Env"]
    labels = found["Config"]["Labels"]
    assert labels.pop("io.pod.version") and labels == {"one": "1", "two": "2", "three": "3"}
    assert found["Annotations"]["x"] == "y"
    assert "org.opencontainers.image.created" in found["Annotations"]
    assert found.get("History") in (None, []) and run(pod, "it", "cat", "/c") == "3"
    build(pod, context, "FROM it\n", "-t", "child", "--unsetlabel", "one", "--label", "four=4")
    (child,) = pod("image", "inspect", "child").json()
    assert set(child["Config"]["Labels"]) == {"io.pod.version", "two", "three", "four"}


@OURS
def test_from_replaces_the_first_base(pod: Engine, context: Path) -> None:
    result = build(pod, context, "FROM none/such:1\nRUN true\n", "-q", "--from", "busybox")
    assert len(result.out) == 64


# What is said


@OURS
def test_progress_as_json_and_in_files(pod: Engine, context: Path) -> None:
    result = build(pod, context, HELLO, "--no-cache", "--progress", "json")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    kinds = [event["event"] for event in events]
    assert {"message", "begin", "start", "done"} <= set(kinds)  # a check of the language warns
    assert kinds.count("working") == 2 and kinds[-1] == "exporting"
    assert all(event["time"] > 1e9 for event in events)
    log = context.parent / "log"
    result = build(pod, context, HELLO, "--logfile", str(log))
    assert result.stderr == "" and "STEP 4/4: CMD cat /made /copied" in log.read_text()


@OURS
def test_drawing_shows_all_of_a_failed_step(pod: Engine, context: Path) -> None:
    """What a command writes does not drive the terminal."""
    text = 'FROM busybox\nRUN for i in 1 2 3 4 5 6 7 8; do echo line $i; done; printf "\\033[2Jx\\n"; exit 4\n'
    result = build(pod, context, text, "--progress", "tty", status=4)
    assert "FAILED [2/2] RUN for i in" in result.stderr and "exit status 4" in result.stderr
    shown = result.stderr.partition("FAILED")[2]
    assert all(f"line {number}\n" in shown for number in range(1, 9))
    assert "\033[2J" not in result.stderr


@OURS
def test_quiet_says_nothing_but_the_id(pod: Engine, context: Path) -> None:
    for options in (["-q"], ["--progress", "quiet"]):
        result = build(pod, context, "FROM busybox\nRUN echo loud\n", "--no-cache", *options)
        assert (len(result.out), result.stderr) == (64, "")


@OURS
def test_reasons_are_explained(pod: Engine, context: Path) -> None:
    def why(text: str, *options: str) -> str:
        return build(pod, context, text, "-q", "--explain", *options).stderr

    assert "executed, " in why(HELLO, "--no-cache")  # there may be nothing to be left out
    assert "executed, --no-cache\n" in why(HELLO, "--no-cache")
    assert why(HELLO).count("cached, all that it depends on is the same") == 2
    (context / "file").write_text("other\n")
    assert "[3/4] COPY file /copied: executed, changed: content\n" in why(HELLO)
    other = HELLO.replace("echo built", "echo changed")
    said = why(other)
    assert "RUN echo changed > /made: executed, changed: command\n" in said
    assert "COPY file /copied: executed, changed: files before it\n" in said


@OURS
def test_shell_opens_where_a_command_failed(pod: Engine, context: Path) -> None:
    (context / "secret").write_text("hidden")
    text = "FROM busybox\nENV A=1\nWORKDIR /work\nUSER 5\n"
    text += "RUN --mount=type=secret,id=s,uid=5 touch /tmp/made; B=2; exit 3\n"
    (context / "Dockerfile").write_text(text)
    script = "pwd; id -u; echo $A; ls /tmp; cat /run/secrets/s; touch /tmp/later; exit 9\n"
    result = pod(
        *("build", "--network", "none", "--on-error=shell"),
        *("--secret", f"id=s,src={context}/secret", str(context)),
        stdin=script,
        status=3,
    )
    assert result.out == "/work\n5\n1\nmade\nhidden"
    nothing_wrong(pod)


@OURS
@pytest.mark.parametrize("name", ["image build", "builder build", "buildx build"])
def test_other_spellings(pod: Engine, context: Path, name: str) -> None:
    (context / "Dockerfile").write_text("FROM busybox\n")
    assert len(pod(*name.split(), "-q", str(context)).out) == 64


def test_dockerfile_on_standard_input(pod: Engine, context: Path) -> None:
    text = "FROM busybox\nCOPY file /f\n"
    pod("build", "-q", "-t", "it", "-f", "-", str(context), stdin=text)
    assert run(pod, "it", "cat", "/f") == "copied"
    pod("build", "-q", "-t", "it", "-", stdin="FROM busybox\nLABEL a=b\n")
    assert pod("image", "inspect", "--format", "{{.Config.Labels.a}}", "it").out == "b"
