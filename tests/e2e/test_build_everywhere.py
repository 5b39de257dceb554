"""With SOURCE_DATE_EPOCH a build has the same digest on every machine, whoever calls it and wherever it was done."""

from __future__ import annotations

import dataclasses
import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.support.engine import Engine, program

pytestmark = pytest.mark.not_podman("4.3 knows no SOURCE_DATE_EPOCH")

EPOCH = 1_600_000_000
TEXT = """FROM busybox AS made
COPY --chmod=0640 in/c /srv/data/c
ADD in/archive.tar /srv/unpacked/
COPY in /srv/in
RUN mkdir -p /work/d && for i in 5 3 1 4 2; do echo $i > /work/d/$i; done && ln /work/d/1 /work/d/0 && \\
    rm /bin/vi && date > /dev/null && ln -s d /work/link && mkfifo /work/pipe && \
    chown 5:6 /work/d/2 && umask > /work/umask
FROM busybox
ENV A=b
WORKDIR /somewhere/else
RUN --mount=type=bind,target=/context cat /context/in/a > /tmp/a && touch /tmp/b
USER 7:8
COPY <<end /from/heredoc
text of $A
end
COPY --from=made --chown=3 /work /work
COPY --from=made /srv /srv
LABEL one=1 two=2
VOLUME /data
"""


def write_context(top: Path, names: str, *, seconds: int) -> None:
    """The same files, made in the order of `names`, with that time."""
    (top / "in").mkdir(parents=True)
    (top / "Dockerfile").write_text(TEXT)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("unpacked")
        entry.mtime = EPOCH + 10**8
        tar.addfile(entry)
    (top / "in/archive.tar").write_bytes(archive.getvalue())
    for name in names:
        path = top / "in" / name
        path.write_text(name)
        path.chmod(0o644)
        os.utime(path, (seconds, seconds))
    os.symlink("a", top / "in/link")
    (top / "in/archive.tar").chmod(0o600)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="layers"),
        pytest.param(["--squash-all", "--format=docker"], id="squashed"),
    ],
)
def test_two_machines_agree(
    pod: Engine, fresh_pod: Engine, tmp_path: Path, options: list[str]
) -> None:
    """Other store, home, umask, locale, time zone, id map, age and order of files, cache, number of jobs."""
    here, there = tmp_path / "here/context", tmp_path / "there/named-otherwise"
    write_context(here, "abc", seconds=EPOCH + 10**7)
    write_context(there, "cba", seconds=EPOCH + 10**6)
    there.chmod(0o700)
    other = dataclasses.replace(
        fresh_pod,
        command=[
            *("sh", "-c", 'umask 077; exec "$@"', "sh"),
            *(*program(), *fresh_pod.options, "unshare", *program()),
        ],
        environment={
            **fresh_pod.environment,
            **{"LANG": "C", "LC_ALL": "POSIX", "TZ": "Asia/Tokyo", "USER": "somebody"},
            **{"_POD_ROOT": fresh_pod.root, "_POD_RUNROOT": fresh_pod.runroot},
        },
    )
    words = ("build", "-q", "--no-cache", "--network=none", "-t", "made", *options)
    epoch = {"SOURCE_DATE_EPOCH": str(EPOCH)}
    pod.have("busybox")
    fresh_pod.have("busybox")
    pod(*words, str(here), env=epoch)
    other(*words, "--jobs=1", str(there), env=epoch)
    one, two = (it("image", "inspect", "made").json()[0] for it in (pod, fresh_pod))
    assert one["RootFS"] == two["RootFS"]
    assert (one["Id"], one["Digest"]) == (two["Id"], two["Digest"])
    assert one["Created"].startswith("2020-09-13T12:26:40")
