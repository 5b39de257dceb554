"""What a build file says, as it turns out in the image: the same for pod and podman."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine, Result
from tests.support.registry import Registry
from tests.support.repositories import repository, site  # noqa: F401  # fixtures


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return directory


def build(
    pod: Engine,
    directory: Path,
    dockerfile: str,
    *options: str,
    files: dict[str, str] | None = None,
    status: int | None = 0,
) -> Result:
    write(directory, {"Dockerfile": dockerfile, **(files or {})})
    return pod("build", "-t", "made", *options, str(directory), status=status)


def shown(pod: Engine, script: str, *options: str) -> str:
    return pod("run", "--rm", "--network", "none", *options, "made", "sh", "-c", script).out


def config(pod: Engine) -> dict[str, Any]:
    found: dict[str, Any] = pod("image", "inspect", "made").json()[0]["Config"]
    return found


def test_every_setting(pod: Engine, tmp_path: Path) -> None:
    dockerfile = r"""
ARG BASE=busybox
FROM ${BASE}
ARG VERSION=1.2.3 UNSET
ENV A=one B="two words" C=three\ words D=$VERSION
ENV A=changed E=$A PATH=/opt/bin:$PATH
LABEL default=${UNSET:-none} set=${VERSION:+yes} quoted='$VERSION' "two words"=$VERSION\
-x
WORKDIR /a
WORKDIR b/../c
EXPOSE 80 53/udp
VOLUME /data ["/x"]
VOLUME ["/two words"]
USER daemon:0
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=1m30s --timeout=3s --start-period=10s --retries=5 CMD wget localhost || exit 1
MAINTAINER Some Body <some@example.com>
SHELL ["/bin/sh", "-ec"]
CMD echo $A
ENTRYPOINT ["/bin/env", "--"]
"""
    build(pod, tmp_path, dockerfile, "--format", "docker")  # podman has no SHELL in the other
    found = config(pod)
    environment = dict(entry.split("=", 1) for entry in found["Env"])
    assert environment["PATH"].startswith("/opt/bin:/")
    del environment["PATH"]
    assert environment == {
        "A": "changed",
        "B": "two words",
        "C": "three words",
        "D": "1.2.3",
        "E": "one",
    }
    labels = {name: value for name, value in found["Labels"].items() if "." not in name}
    assert labels == {
        "default": "none",
        "set": "yes",
        "quoted": "$VERSION",
        "two words": "1.2.3-x",
    }
    assert found["WorkingDir"] == "/a/c"
    assert set(found["ExposedPorts"]) == {"80/tcp", "53/udp"}
    assert {"/data", "/two words"} <= set(found["Volumes"])
    assert found["User"] == "daemon:0"
    image = pod("image", "inspect", "made").json()[0]
    assert image["Author"] == "Some Body <some@example.com>"
    assert image["Healthcheck"] == {
        "Test": ["CMD-SHELL", "wget localhost || exit 1"],
        "Interval": 90_000_000_000,
        "Timeout": 3_000_000_000,
        "StartPeriod": 10_000_000_000,
        "Retries": 5,
    }
    assert found["StopSignal"] in ("SIGQUIT", "3")
    shell = "-ec" if pod.kind == "pod" else "-c"  # podman 4.3 asks SHELL for RUN alone
    assert found["Cmd"] == ["/bin/sh", shell, "echo $A"]
    assert found["Entrypoint"] == ["/bin/env", "--"]


@pytest.mark.not_podman("4.3 does not know these operators")
def test_operators(pod: Engine, tmp_path: Path) -> None:
    dockerfile = """FROM scratch
ARG V=1.2.3 P=/usr/lib/x.so
LABEL a=${V%.*} b=${V%%.*} c=${V#*.} d=${V##*.} e=${P/lib/LIB} f=${P//\\//-}
"""
    build(pod, tmp_path, dockerfile)
    labels = config(pod)["Labels"]
    assert [labels[name] for name in "abcdef"] == [
        "1.2",
        "1",
        "2.3",
        "3",
        "/usr/LIB/x.so",
        "-usr-lib-x.so",
    ]


COPIES = """FROM busybox
COPY --chown=7:8 --chmod=640 one /one
COPY a.txt d/*.txt ./d/sub /files/
COPY d /all
COPY ["two words", "/two words"]
COPY one /new/name
COPY one /tmp
WORKDIR /work
COPY one rel
COPY . .
"""
TREE = {
    "one": "1",
    "two words": "2",
    "a.txt": "a",
    "d/b.txt": "b",
    "d/sub/c": "c",
    "d/sub/ignored": "no",
    "node_modules/x/y": "no",
    "keep/secret/key": "no",
    "keep/secret/public": "yes",
    ".dockerignore": "**/ignored\nnode_modules\n# comment\nkeep/secret\n!keep/secret/public\nDockerfile\n",
}


def test_copy(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("d/sub/c")
    build(pod, tmp_path, COPIES, files=TREE)
    script = "stat -c '%n %u:%g %a' /one; cd /; find files all new tmp/one work -not -type d | sort; cat '/two words'"
    assert shown(pod, script).split("\n") == [
        "/one 7:8 640",
        "all/b.txt",
        "all/sub/c",
        "files/a.txt",
        "files/b.txt",
        "files/c",
        "new/name",
        "tmp/one",
        "work/.dockerignore",
        "work/a.txt",
        "work/d/b.txt",
        "work/d/sub/c",
        "work/keep/secret/public",
        "work/link",
        "work/one",
        "work/rel",
        "work/two words",
        "2",
    ]


@pytest.mark.not_podman("4.3 knows none of this")
def test_copy_with_new_options(pod: Engine, tmp_path: Path) -> None:
    dockerfile = """FROM busybox
COPY --parents ./a/./b/*.txt c/d.txt /parents/
COPY --exclude=**/*.md --exclude=**/x a /some/
COPY --link --chmod=u=rwX,go=rX a /linked/
ADD --unpack=false x.tar /kept/
ADD x.tar /unpacked/
ENV WHO=me
COPY <<one <<-'two' /docs/
  $WHO
one
	$WHO
two
RUN <<EOF
echo "$0" > /shell
echo second > /second
EOF
RUN <<EOF
#!/bin/awk -f
BEGIN { print "awk" > "/awk" }
EOF
"""
    files = dict.fromkeys(("a/b/1.txt", "a/b/2.md", "a/b/x", "c/d.txt"), "")
    write(tmp_path, files)
    os.chmod(tmp_path / "a/b/x", 0o700)
    os.chmod(tmp_path / "a/b/1.txt", 0o600)
    subprocess.run(["tar", "cf", "x.tar", "c"], cwd=tmp_path, check=True)
    build(pod, tmp_path, dockerfile)
    script = (
        "cd /; find parents some kept unpacked docs -type f | sort; stat -c '%n %a' linked/b linked/b/*;"
        " cat docs/one docs/two shell second awk"
    )
    assert shown(pod, script).split("\n") == [
        "docs/one",
        "docs/two",
        "kept/x.tar",
        "parents/b/1.txt",
        "parents/c/d.txt",
        "some/b/1.txt",
        "unpacked/c/d.txt",
        "linked/b 755",
        "linked/b/1.txt 644",
        "linked/b/2.md 644",
        "linked/b/x 755",
        "  me",
        "$WHO",
        "/bin/sh",
        "second",
        "awk",
    ]


def test_add_of_archives_and_addresses(pod: Engine, tmp_path: Path, registry: Registry) -> None:
    write(tmp_path, dict.fromkeys(("one/in", "two/in", "plain.txt"), "x"))
    for name, letter in (("one", "z"), ("two", "J"), ("one", "")):
        archive = f"{name}.tar" + {"z": ".gz", "J": ".xz", "": ""}[letter]
        subprocess.run(["tar", f"c{letter}f", archive, name], cwd=tmp_path, check=True)
    (tmp_path / "not.tar.gz").write_text("")
    dockerfile = f"""FROM busybox
ADD *.tar.gz plain.txt /wild/
ADD two.tar.xz /two
ADD http://{registry.host}/v2/ /file
ADD http://{registry.host}/v2/_catalog /named/
"""
    build(pod, tmp_path, dockerfile)
    script = "cd /; find wild two file named -type f | sort; stat -c %a file"
    assert shown(pod, script).split("\n") == [
        "file",
        "named/_catalog",
        "two/two/in",
        "wild/not.tar.gz",
        "wild/one/in",
        "wild/plain.txt",
        "600",
    ]


@pytest.mark.not_podman("4.3 has no repositories in ADD")
def test_add_of_a_repository(
    pod: Engine,
    tmp_path: Path,
    repository: tuple[str, Path],  # noqa: F811
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    url = repository[0]
    build(pod, context, f"FROM busybox\nADD {url}#side:app /app\nADD --keep-git-dir {url} /all\n")
    script = "cat /app/Dockerfile /all/app/Dockerfile; ls -A /all; stat -c '%a %u' /all/app/Dockerfile /all"
    assert shown(pod, script).split("\n") == [
        "FROM side",
        "FROM one",
        ".git",
        "Dockerfile",
        "app",
        "out",
        "644 0",
        "755 0",
    ]
    wrong = f"FROM busybox\nADD --checksum=0123456 {url} /x\n"
    assert "0123456 was asked for" in build(pod, context, wrong, status=125).stderr


def test_stages_names_and_numbers(pod: Engine, tmp_path: Path) -> None:
    dockerfile = """FROM busybox AS first
RUN echo 1 > /one
FROM first AS second
RUN echo 2 > /two
FROM busybox AS broken
RUN exit 3
FROM busybox
COPY --from=0 /one /
COPY --from=second /two /
COPY --from=busybox /bin/busybox /box
"""
    build(pod, tmp_path, dockerfile)
    assert shown(pod, "cat /one /two; test -x /box") == "1\n2"
    build(pod, tmp_path, dockerfile, "--target", "second")
    assert shown(pod, "cat /one /two") == "1\n2"


def test_triggers_run_in_the_child(pod: Engine, tmp_path: Path) -> None:
    base = """FROM busybox
ONBUILD ARG WHO=nobody
ONBUILD COPY who /
ONBUILD RUN echo "hello $WHO from $(cat /who)" > /hello
"""
    build(pod, tmp_path, base, "--format", "docker")  # podman has no ONBUILD in the other
    if pod.kind == "pod":  # podman does not show them
        assert [each.split()[0] for each in config(pod)["OnBuild"]] == ["ARG", "COPY", "RUN"]
    pod("tag", "made", "base")
    build(pod, tmp_path, "FROM base\n", "--build-arg", "WHO=me", files={"who": "here"})
    assert shown(pod, "cat /hello") == "hello me from here"
    assert not config(pod).get("OnBuild")


BROKEN = [
    pytest.param(
        "FROM busybox\nRUNN true\n", "'RUNN' is no instruction, did you mean 'RUN'?", id="misspelt"
    ),
    pytest.param("FROM busybox\nCOPY none /\n", "'none' is not in the build context", id="missing"),
    pytest.param(
        "FROM busybox\nCOPY ../out /\n", "'../out' is not in the build context", id="above"
    ),
    pytest.param(
        "FROM busybox\nCOPY link /\n", "'link' is not in the build context", id="link-to-outside"
    ),
    pytest.param("FROM busybox\nCOPY no /\n", "'no' is not in the build context", id="ignored"),
    pytest.param("FROM busybox\nCOPY --from=nobody:9 / /\n", "nobody:9", id="image"),
    pytest.param("FROM busybox\nUSER ${A:?who}\n", "the variable 'A' is not set: who", id="unset"),
]


@pytest.mark.not_podman("the sentences are ours")
@pytest.mark.parametrize(("dockerfile", "says"), BROKEN)
def test_errors_name_the_line(pod: Engine, tmp_path: Path, dockerfile: str, says: str) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "out").write_text("x")
    (tmp_path / "context/link").symlink_to("../out")
    files = {"no": "", ".dockerignore": "no"}
    said = build(pod, tmp_path / "context", dockerfile, "--pull=never", files=files, status=125)
    assert says in said.stderr
    if "nobody" not in says:
        assert "Dockerfile:2: " in said.stderr
        assert f"2 | {dockerfile.splitlines()[1]}" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.not_podman("4.3 has no checks")
def test_checks_warn_and_may_be_errors(pod: Engine, tmp_path: Path) -> None:
    doubtful = "FROM busybox as Base\nENV TOKEN=$HOM\n"
    said = build(pod, tmp_path, doubtful).stderr
    for rule in ("FromAsCasing", "StageNameCasing", "SecretsUsedInArgOrEnv", "UndefinedVar"):
        assert f"({rule})" in said
    said = build(pod, tmp_path, f"# check=skip=all\n{doubtful}").stderr
    assert "Casing" not in said
    said = build(pod, tmp_path, f"# check=error=true\n{doubtful}", status=1).stderr
    assert "'Dockerfile' has 4 warnings" in said
    assert build(pod, tmp_path, doubtful, "--check", status=1).stdout == ""
    assert build(pod, tmp_path, "FROM busybox AS base\n", "--check").stdout == ""
