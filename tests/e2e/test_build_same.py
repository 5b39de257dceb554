"""The same Dockerfiles built by pod and by podman: configuration, history, and what is in each layer."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine, engine_in
from tests.support.fixtures import end_pause_process
from tests.support.registry import Registry

pytestmark = pytest.mark.not_podman("it would be compared with itself")

GOLDEN = Path(__file__).parents[1] / "data" / "build" / "podman.json"
FILES = {
    "a/one": "1",
    "a/two": "2",
    "a/deep/three": "3",
    "script": "#!/bin/sh\necho script\n",
    "b.txt": "b",
    "c.md": "c",
    "left-out": "x",
    ".dockerignore": "left-out\n*.md\n!c.md\n",
}
EXECUTABLE = {"script"}

CASES = {
    "instructions": (
        """\
FROM busybox
ARG VERSION=1
ARG GIVEN
LABEL a=b "c d"="e f"
ENV A=1 B="two words"
ENV C three words
WORKDIR /work
WORKDIR below
USER 7:8
EXPOSE 80 443/tcp 53/udp
VOLUME /data /more
STOPSIGNAL SIGUSR1
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo $A"]
HEALTHCHECK --interval=30s --timeout=5s --retries=2 CMD true
SHELL ["/bin/sh", "-ec"]
ONBUILD RUN echo child
MAINTAINER me <me@example.com>
""",
        ("--build-arg", "GIVEN=yes"),
    ),
    "shell forms": (
        """\
FROM busybox
ENTRYPOINT exec top -b
CMD echo hello
HEALTHCHECK NONE
""",
        (),
    ),
    "run": (
        """\
FROM busybox
RUN echo one > /one && mkdir -p /d/e && chown 3:4 /d/e && chmod 2750 /d/e
RUN ["/bin/sh", "-c", "rm /one; ln -s d /link; ln /d/e/../f /hard 2>/dev/null; true"]
RUN true
ARG WHO=world
RUN echo "hello $WHO" > /hello
ENV WHO=env
RUN echo "hello $WHO" >> /hello
USER 5
WORKDIR /tmp
RUN touch mine
""",
        ("--build-arg", "WHO=you"),
    ),
    "copy": (
        """\
FROM busybox
COPY a /a
COPY a/one a/two /many/
COPY b.txt c.md script /
COPY --chown=3:4 a /owned/
COPY --chmod=600 b.txt /mode
COPY a/* /glob/
WORKDIR /w
COPY b.txt ./renamed
COPY . /all/
""",
        (),
    ),
    "add": (
        """\
FROM busybox
ADD archive.tar.gz /unpacked/
ADD b.txt /plain/
ADD --chown=5 b.txt /owned
""",
        (),
    ),
    "stages": (
        """\
ARG BASE=busybox
FROM $BASE AS first
RUN mkdir /out && echo first > /out/f
FROM first AS second
RUN echo second >> /out/f
FROM busybox AS unused
RUN false
FROM scratch
COPY --from=second /out /out
COPY --from=0 /out/f /from-number
COPY --from=busybox /bin/busybox /bin/busybox
CMD ["/bin/busybox"]
""",
        (),
    ),
    "expansion": (
        """\
FROM busybox
ENV A=a EMPTY=
ARG B=${A}b
ENV C=${A}-${NONE:-default}-${A:+set}-${EMPTY:-x} D=\\$A
LABEL l="$C" m='$C'
WORKDIR /${A}
COPY b.txt ${A}/
EXPOSE ${PORT:-8080}
""",
        (),
    ),
    "base configuration": (
        """\
FROM busybox AS base
ENV A=1
LABEL one=1 two=2
ENTRYPOINT ["/entry"]
CMD ["arg"]
VOLUME /v
EXPOSE 1
FROM base
ENV A=2
LABEL two=3
CMD ["other"]
EXPOSE 2
""",
        (),
    ),
    "entry point resets command": (
        'FROM busybox\nCMD ["a"]\nENTRYPOINT ["b"]\nRUN echo after > /after\n',
        (),
    ),
    "labels of the command line": (
        "FROM busybox\nENV A=1 B=2\nLABEL a=1\n",
        ("--label", "a=2", "--label", "b=3", "--unsetenv", "B", "--annotation", "x=y"),
    ),
    "users and directories": (
        """\
FROM busybox
RUN echo web:x:1234:1235::/home/web:/bin/sh >> /etc/passwd && echo web:x:1235: >> /etc/group
WORKDIR /srv/app
RUN touch made-by-root
COPY --chown=web:web a ./a
COPY --chown=web b.txt deep/er/
RUN chown web /srv/app && rm -r a/deep
USER web
RUN echo "$(id -un) $HOME" > said
ENV HOME=/elsewhere
USER 1234:0
RUN echo "$(id -g) $HOME" >> said && chmod 600 said
""",
        (),
    ),
    "what is there is replaced": (
        """\
FROM busybox
RUN mkdir -p /t/dir /t/full/of && echo 1 > /t/file && ln -s dir /t/link && chmod 711 /t/dir
COPY a /t/dir
COPY b.txt /t/file
COPY a/one /t/link/
COPY a /t/full/
RUN rm -r /t/full && rm /t/file && touch /t/dir/one
RUN mkdir /t/other && mv /t/link /t/moved
""",
        (),
    ),
    "volumes keep what is put there": (
        """\
FROM busybox
RUN mkdir /v && echo before > /v/f
VOLUME ["/v", "/w x"]
LABEL "with space"="a \\"quoted\\" word" multi="line \\
continued"
EXPOSE 1000 2000/udp
STOPSIGNAL 9
CMD ["a", "b c"]
""",
        (),
    ),
    "one layer": (
        "FROM busybox\nRUN echo 1 > /one && echo 2 > /two\nCOPY a /a\nRUN rm /one /a/one\nENV A=1\n",
        ("--squash",),
    ),
    "no layers": (
        "FROM busybox\nRUN echo 1 > /one && echo 2 > /two\nCOPY a /a\nRUN rm /one /a/one\nLABEL a=1\n",
        ("--layers=false",),
    ),
    "target and arguments": (
        """\
ARG TAG=latest
ARG OTHER=x
FROM busybox:${TAG} AS base
ARG TAG
ARG OTHER=y
ARG EMPTY
RUN echo "$TAG $OTHER ${EMPTY:-none}" > /said
FROM base AS wanted
ARG OTHER
RUN echo "$OTHER" >> /said
FROM wanted AS later
RUN false
""",
        ("--target", "wanted", "--build-arg", "OTHER=z"),
    ),
    "shells": (
        """\
FROM busybox
SHELL ["/bin/sh", "-euc"]
RUN echo "$-" > /flags
ENTRYPOINT ["/bin/sh"]
SHELL ["/bin/ash", "-c"]
HEALTHCHECK --start-period=3s --timeout=1m CMD ["true", "x"]
ONBUILD COPY . /app
ONBUILD RUN true
""",
        (),
    ),
    "comments and continuations": (
        """\
# syntax=docker/dockerfile:1

FROM busybox
RUN echo a \\
# comment
  && echo b > \\
 /b

ENV A=b\\
c
""",
        (),
    ),
}

# Each program has its own way to hash what is copied, and pod has no images of steps.
_CONTENT = re.compile("(file|dir|multi):[0-9a-f]{64}")
# What podman mounts on for a RUN stays in the layer when the image does not have it.
_MOUNT_POINTS = frozenset(
    ". dev proc sys etc etc/hosts etc/hostname etc/resolv.conf run run/.containerenv".split()
)
_INTERMEDIATE = re.compile("^FROM [0-9a-f]{12}$")


@pytest.fixture(scope="module")
def podman(workspace: str, runtime_directory: str, registry: Registry) -> Generator[Engine]:
    engine = engine_in(workspace, runtime_directory, "same", registry, ["podman"])
    engine.have("busybox")
    yield engine
    engine("rmi", "-a", "-f", status=None)
    end_pause_process(engine)
    engine("system", "reset", "-f", status=None)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("context")
    for name, content in FILES.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if name in EXECUTABLE else 0o644)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, mode in (("x", 0o640), ("y", 0o755)):
            entry = tarfile.TarInfo(f"inner/{name}")
            entry.size, entry.mode, entry.uid, entry.gid = 1, mode, 6, 7
            archive.addfile(entry, io.BytesIO(b"z"))
    (top / "archive.tar.gz").write_bytes(gzip.compress(out.getvalue(), mtime=0))
    return top


def build(engine: Engine, case: str, context: Path, place: Path) -> dict[str, Any]:
    text, options = CASES[case]
    form = "docker" if "HEALTHCHECK" in text else "oci"  # which has no words for it
    dockerfile = place / "Dockerfile"
    dockerfile.write_text(text)
    engine(
        *("build", "--format", form, "-q", "--identity-label=false", "--network", "none"),
        *("-t", "same", "-f", str(dockerfile), *options, str(context)),
    )
    engine("push", "-q", "same", f"dir:{place}/{engine.kind}")
    return described(place / engine.kind)


@pytest.mark.parametrize("case", CASES)
def test_images_are_as_podman_makes_them(
    case: str, pod: Engine, context: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Podman takes a minute for all of them, so its results are in a file; --update-golden has it build them."""
    if request.config.getoption("--update-golden"):
        podman = request.getfixturevalue("podman")
        known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
        known[case] = build(podman, case, context, tmp_path)
        GOLDEN.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    assert build(pod, case, context, tmp_path) == json.loads(GOLDEN.read_text())[case]


def test_podman_makes_the_same_now(
    pod: Engine, podman: Engine, context: Path, tmp_path: Path
) -> None:
    case = "entry point resets command"
    assert build(pod, case, context, tmp_path) == build(podman, case, context, tmp_path)
    pod("push", "-q", "same", f"oci-archive:{tmp_path}/ours.tar")
    number = podman("pull", "-q", f"oci-archive:{tmp_path}/ours.tar").out
    run = ("run", "--rm", "--network", "none", "--entrypoint", "cat", number, "/after")
    assert podman(*run).out == "after"


def described(place: Path) -> dict[str, Any]:
    """What is compared: all but times, digests, and sizes of compressed layers."""
    manifest = json.loads((place / "manifest.json").read_text())
    config = json.loads(blob(place, manifest["config"]["digest"]))
    annotations = {
        key: value
        for key, value in (manifest.get("annotations") or {}).items()
        # Where podman counts its image of the step before as the base.
        if not key.startswith("org.opencontainers.image.base.")
    }
    return {
        # The host name of a container that podman has made on the way says nothing about the image.
        "config": {k: v for k, v in config["config"].items() if v and k != "Hostname"},
        "os": config["os"],
        "history": [
            [
                _CONTENT.sub("CONTENT", each.get("created_by", "")),
                each.get("empty_layer", False),
                _INTERMEDIATE.sub("", each.get("comment", "")),
            ]
            for each in config["history"]
        ],
        "annotations": annotations,
        "layers": [entries(blob(place, layer["digest"])) for layer in manifest["layers"]],
    }


def blob(place: Path, digest: str) -> bytes:
    data = (place / digest.partition(":")[2]).read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def entries(layer: bytes) -> dict[str, list[object]]:
    """Path -> what the archive says about it, but for times. The root itself says nothing."""
    found: dict[str, list[object]] = {}
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isreg() else None
            content = file.read() if file is not None else b""
            shown = content.decode() if len(content) < 100 else hashlib.sha256(content).hexdigest()
            name = os.path.normpath(entry.name)
            if name not in _MOUNT_POINTS:
                mode = oct(entry.mode & 0o7777)
                kind = entry.type.decode()
                # Podman's whiteouts of hard links may say where those led, which means nothing.
                link = "" if os.path.basename(name).startswith(".wh.") else entry.linkname
                found[name] = [kind, mode, entry.uid, entry.gid, link, shown]
    if len(found) > 50:  # the base image
        text = json.dumps(found, sort_keys=True)
        return {"all": [hashlib.sha256(text.encode()).hexdigest()]}
    return found
