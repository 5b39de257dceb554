"""A root directory on a disk of a few megabytes that gets full: clear sentences, nothing half there, a way out.

The disk is a tmpfs in a mount namespace of its own, which `pod unshare` makes and the commands of the test enter.
"""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.image.faulty import FaultyRegistry
from tests.integration.image.taking import TakingRegistry
from tests.support import images
from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine, engine_in, program
from tests.support.layout import Entry, layer_tar

pytestmark = pytest.mark.not_podman("its pause process would have to be in the namespace, too")

MEGABYTE = 1 << 20


class Disk:
    """The small disk: `pod` has its root there."""

    def __init__(
        self, pod: Engine, place: str, holder: subprocess.Popen[str], enter: list[str]
    ) -> None:
        self.pod = pod
        self._holder = holder
        self._enter = enter
        self._filling = f"{place}/filling"

    def fill(self) -> None:
        """Use up all of it."""
        self.run(f"cat /dev/zero >{self._filling} 2>/dev/null || true")

    def free(self) -> None:
        self.run(f"rm -f {self._filling}")

    def run(self, script: str) -> None:
        """A shell script for which the disk is there."""
        subprocess.run([*self._enter, "sh", "-c", script], check=True)

    def close(self) -> None:
        self.pod("rm", "-f", "-a", "-t", "0")
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        self._holder.wait(timeout=20)


@pytest.fixture
def disk(fresh_pod: Engine, server: FaultyRegistry) -> Generator[Disk]:
    """Twelve megabytes, with busybox as me/busybox."""
    base, runtime = os.path.dirname(fresh_pod.root), fresh_pod.environment["XDG_RUNTIME_DIR"]
    name = f"{os.path.basename(fresh_pod.root)}-small"
    place = f"{base}/{name}"
    os.mkdir(place)
    script = f"mount -t tmpfs -o size=12m,mode=0700 none {place} && echo $$ && exec cat"
    with fresh_pod.spawn("unshare", "sh", "-c", script, text=True) as holder:
        assert holder.stdout is not None
        pid = holder.stdout.readline().strip()
        assert pid, holder.communicate()
        enter = ["nsenter", "-t", pid, "-U", "-m", "--preserve-credentials", "--"]
        pod = engine_in(base, runtime, f"{name}/root", None, [*enter, *program()])
        # As in `pod unshare`: the caller's settings, not those of the machine's root.
        pod.environment |= {"_POD_ROOT": pod.root, "_POD_RUNROOT": pod.runroot}
        with images.image("busybox").open_layer(0) as stream:
            server.add_image("me/busybox:latest", [stream.read()])
        pod("pull", "-q", f"{server.host}/me/busybox")
        disk = Disk(pod, place, holder, enter)
        try:
            yield disk
        finally:
            disk.close()
            os.rmdir(place)


def works(disk: Disk, server: FaultyRegistry) -> None:
    run = ("run", "--rm", "--network", "none", f"{server.host}/me/busybox", "echo", "well")
    assert disk.pod(*run).out == "well"
    nothing_wrong(disk.pod)


def test_pull(disk: Disk, server: FaultyRegistry) -> None:
    """What has come of the layer stays for the next attempt, unless it is pruned."""
    server.add_image("me/large:latest", [layer_tar([Entry("large", os.urandom(13 * MEGABYTE))])])
    server.add_image("me/half:latest", [layer_tar([Entry("half", os.urandom(3 * MEGABYTE))])])
    result = disk.pod("pull", "-q", f"{server.host}/me/large", status=125)
    assert "No space left" in one_error(result)
    assert "pod system prune" in result.stderr
    assert disk.pod("images", "-q").out.count("\n") == 0
    works(disk, server)
    disk.pod("system", "prune", "--external", "-f")
    disk.pod("pull", "-q", f"{server.host}/me/half")
    works(disk, server)


def test_load_and_import(disk: Disk, server: FaultyRegistry, tmp_path: Path) -> None:
    """Also of an archive that is small until it is unpacked; nothing of it stays."""
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(gzip.compress(layer_tar([Entry("zeros", bytes(40 * MEGABYTE))])))
    result = disk.pod("import", "-q", str(bomb), "localhost/bomb", status=125)
    assert "would fill the disk" in one_error(result)
    large = tmp_path / "large.tar"
    large.write_bytes(layer_tar([Entry("large", os.urandom(13 * MEGABYTE))]))
    one_error(disk.pod("import", "-q", str(large), "localhost/large", status=125))
    nothing_wrong(disk.pod)
    image = images.image("debian").docker_archive(str(tmp_path / "debian.tar"), ["localhost/d:1"])
    one_error(disk.pod("load", "-q", "-i", image, status=125))
    assert len(disk.pod("images", "-q").lines) == 1
    disk.pod("system", "prune", "--external", "-f")
    works(disk, server)


def test_everything_else(disk: Disk, server: FaultyRegistry) -> None:
    """On a full disk one can look and make space; what needs space says so, and changes nothing."""
    image = f"{server.host}/me/busybox"
    disk.pod("create", "--name", "before", image, "echo", "in")
    disk.pod("volume", "create", "kept")
    disk.fill()
    for words in (["create", "--name", "after", image, "true"], ["run", "--rm", image, "true"],
                  ["run", "-d", "--name", "after", image, "sleep", "9"], ["volume", "create", "new"],
                  ["tag", image, "localhost/new"], ["pull", "-q", image]):  # fmt: skip
        result = disk.pod(*words, status=None)
        if result.status:  # a file system may have had some bytes left
            message = one_error(result).lower()
            assert "no space left" in message or "full" in message, result
    assert "before" in disk.pod("ps", "-a", "--format", "{{.Names}}").lines
    assert len(disk.pod("images", "-q").lines) == 1
    disk.pod("inspect", "before")
    disk.pod("volume", "inspect", "kept")
    disk.pod("system", "df")
    disk.pod("create", "--name", "x", image, "true", status=None)
    disk.pod("rm", "before")
    nothing_wrong(disk.pod, max_age="24h")
    disk.free()
    assert disk.pod("volume", "ls", "-q").lines[0] == "kept"
    works(disk, server)


def test_removal_of_many(disk: Disk, server: FaultyRegistry) -> None:
    """Each removal needs space in the database's log: what the log has no use for any more is given back."""
    image = f"{server.host}/me/busybox"
    ids = [disk.pod("create", "-v", "/own", image, "true").out for _ in range(24)]
    disk.fill()
    for container_id in ids[::2]:
        disk.pod("rm", "-v", container_id)
    disk.fill()
    disk.pod("rm", "-v", *ids[1::2])
    disk.free()
    assert disk.pod("ps", "-a", "-q").lines == disk.pod("volume", "ls", "-q").lines == []
    works(disk, server)


def test_compose(disk: Disk, server: FaultyRegistry, tmp_path: Path) -> None:
    """`up` says what is missing, `ps` and `down` need no space, and `up` goes on where there is some again."""
    image = f"{server.host}/me/busybox"
    service = f"{{image: {image}, command: [sleep, '1000'], network_mode: none, stop_signal: SIGKILL, volumes: [V]}}"
    file = tmp_path / "compose.yaml"
    file.write_text(
        f"name: tight\nservices:\n  one: {service.replace('V', 'data:/data')}\n"
        f"  two: {service.replace('V', '/own')}\nvolumes: {{data: }}\n"
    )
    words = ("compose", "-f", str(file))
    disk.pod(*words, "up", "-d", "one")
    disk.fill()
    failed = disk.pod(*words, "up", "-d", "--force-recreate", status=None)
    if failed.status:
        assert "no space left" in failed.stderr.lower() or "full" in failed.stderr.lower(), failed
    disk.pod(*words, "ps", "--all")
    disk.free()
    disk.pod(*words, "up", "-d")
    shown = disk.pod(*words, "ps", "--format", "{{.Name}} {{.State}}").lines
    assert shown == ["tight-one-1 running", "tight-two-1 running"]
    disk.fill()
    disk.pod(*words, "down", "--volumes")
    disk.free()
    assert disk.pod("ps", "-a", "-q").lines == disk.pod("volume", "ls", "-q").lines == []
    works(disk, server)


def test_what_goes_to_registries(disk: Disk, server: FaultyRegistry, tmp_path: Path) -> None:
    """Lists, artifacts, and a push that has to write its layers anew: what needs space says so, and leaves nothing."""
    image = f"{server.host}/me/busybox"
    (tmp_path / "large").write_bytes(os.urandom(13 * MEGABYTE))
    (tmp_path / "small").write_bytes(b"small")
    with TakingRegistry() as taking:
        there = f"{taking.host}/me"
        disk.pod("manifest", "create", "before", image)
        disk.pod("artifact", "add", f"{there}/thing:1", str(tmp_path / "small"))
        too_much = disk.pod("artifact", "add", "localhost/x:1", str(tmp_path / "large"), status=125)
        assert "no space left" in one_error(too_much).lower()
        nothing_wrong(disk.pod, max_age="24h")
        disk.fill()
        packing = ("--compression-format", "zstd", "--force-compression")
        for words in (["manifest", "create", "after", image], ["manifest", "add", "before", image],
                      ["manifest", "annotate", "--index", "--annotation", "a=b", "before"],
                      ["artifact", "add", f"{there}/thing:2", str(tmp_path / "small")],
                      ["push", "-q", *packing, image, f"{there}/packed"],
                      ["push", "-q", image, f"{there}/plain"],
                      ["manifest", "push", "before", f"docker://{there}/list"],
                      ["artifact", "push", "-q", f"{there}/thing:1"]):  # fmt: skip
            result = disk.pod(*words, status=None)
            if result.status:  # what is sent as it is needs no space
                message = one_error(result, hint=None).lower()
                assert "no space left" in message or "full" in message, result
        disk.free()
        nothing_wrong(disk.pod, max_age="24h")
        disk.pod("push", "-q", *packing, image, f"{there}/packed")
        disk.pod("manifest", "push", "before", f"docker://{there}/list")
        disk.pod("artifact", "push", "-q", f"{there}/thing:1")
        disk.pod("artifact", "rm", "-a")
        disk.pod("rmi", "-i", "before", "after")
    disk.pod("system", "prune", "--external", "-f")
    works(disk, server)


def test_files_and_images_of_containers(disk: Disk, server: FaultyRegistry, tmp_path: Path) -> None:
    """What does not fit is said, and there is no half of it."""
    image = f"{server.host}/me/busybox"
    (tmp_path / "large").write_bytes(os.urandom(13 * MEGABYTE))
    (tmp_path / "half").write_bytes(os.urandom(4 * MEGABYTE))
    disk.pod("create", "--name", "c", image, "true")
    for name in ("/large", "/tmp"):
        result = disk.pod("cp", str(tmp_path / "large"), f"c:{name}", status=125)
        assert "the disk is full" in one_error(result, hint=None)
    assert disk.pod("diff", "c").lines in ([], ["C /tmp"])
    disk.pod("cp", str(tmp_path / "half"), "c:/half")
    message = one_error(disk.pod("commit", "c", "made", status=125), hint=None).lower()
    assert "no space left" in message or "full" in message
    assert len(disk.pod("images", "-q").lines) == 1
    disk.pod("rm", "c")
    disk.pod("system", "prune", "--external", "-f")
    works(disk, server)


def test_container_that_fills_the_disk(disk: Disk, server: FaultyRegistry) -> None:
    """It gets ENOSPC, its log is cut, and it can be looked at, stopped and removed."""
    script = "cat /dev/zero >/file; yes | head -c 200000; echo end; exit 7"
    result = disk.pod("run", "--name", "filler", "--network", "none", f"{server.host}/me/busybox",
                      "sh", "-c", script, status=7)  # fmt: skip
    assert "No space left" in result.stderr
    assert result.stdout.endswith("y\nend\n")
    assert disk.pod("inspect", "--format", "{{.State.ExitCode}}", "filler").out == "7"
    disk.pod("logs", "filler")
    disk.pod("rm", "filler")
    works(disk, server)


def test_build(disk: Disk, server: FaultyRegistry, tmp_path: Path) -> None:
    """Wherever it gets full: in a command, in a copy, in the image's layer, in a context from standard input."""
    base = f"FROM {server.host}/me/busybox\n"
    context = tmp_path / "context"
    context.mkdir()
    (context / "large").write_bytes(os.urandom(13 * MEGABYTE))
    (context / "half").write_bytes(os.urandom(5 * MEGABYTE))
    (context / "small").write_bytes(b"small")
    build = ("build", "--network", "none", "-t", "made")

    def fails(text: str, *options: str, stdin: bytes = b"") -> str:
        (context / "Dockerfile").write_text(base + text)
        place = "-" if stdin else str(context)
        result = disk.pod(*build, *options, place, stdin=stdin, status=None)
        assert result.status and "Traceback" not in result.stderr, result
        assert result.stderr.count("Error: ") == 1, result
        assert result.stdout == "" and len(disk.pod("images", "-q").lines) == 1
        nothing_wrong(disk.pod, max_age="24h")
        return result.stderr.lower()

    assert "no space left" in fails("RUN cat /dev/zero > /filling\n")
    assert "error: dockerfile:2: no space left on device" in fails("COPY large /large\n")
    said = fails("RUN echo x > /x\nCOPY half /half\n")  # it fits once, and the layer of it does not
    assert "no space left" in said or "full" in said
    archive = layer_tar([Entry("Dockerfile", base.encode()), Entry("l", os.urandom(13 * MEGABYTE))])
    assert "fill the disk" in fails("", stdin=archive)
    disk.fill()
    for text in ("RUN echo y > /y\n", "COPY small /small\n", "LABEL a=b\n"):
        (context / "Dockerfile").write_text(base + text)
        result = disk.pod(*build, str(context), status=None)
        if result.status:
            assert "no space left" in result.stderr.lower() or "full" in result.stderr.lower()
    disk.pod("builder", "du")
    disk.pod("builder", "prune", "-a", "-f")
    disk.free()
    (context / "Dockerfile").write_text(f"{base}RUN echo x > /x\nCOPY small /small\n")
    disk.pod(*build, str(context))
    run = ("run", "--rm", "--network", "none", "made", "cat", "/x", "/small")
    assert disk.pod(*run).out == "x\nsmall"
    disk.pod("rmi", "made", "-i")
    works(disk, server)


def bring(disk: Disk, server: FaultyRegistry, name: str) -> str:
    """An image that takes two megabytes: a blob, and a file in a tree."""
    server.add_image(f"me/{name}:latest", [layer_tar([Entry(name, os.urandom(MEGABYTE))])])
    disk.pod("pull", "-q", f"{server.host}/me/{name}")
    return f"{server.host}/me/{name}"


def names(disk: Disk) -> set[str]:
    return {
        line.rpartition("/")[2] for line in disk.pod("images", "--format", "{{.Repository}}").lines
    }


def test_prune_until_free(disk: Disk, server: FaultyRegistry) -> None:
    """Images that were not used for the longest time go first, and no more of them than necessary."""
    first, second, third = (bring(disk, server, name) for name in ("one", "two", "three"))
    disk.pod("rm", disk.pod("create", first, "x").out)
    disk.pod("create", "--name", "user", second, "x")
    disk.pod("rm", disk.pod("create", f"{server.host}/me/busybox", "x").out)
    disk.fill()
    result = disk.pod(
        "image", "prune", "-f", "--until-free", "1m", "--filter", "reference=none", status=125
    )
    assert "nothing more can go" in one_error(result)
    assert names(disk) == {"one", "two", "three", "busybox"}
    out = disk.pod("image", "prune", "-f", "--until-free", "1m")
    assert names(disk) == {"one", "two", "busybox"}, "what is in use or was used stays"
    assert len(out.lines) == 1
    assert disk.pod("image", "prune", "-f", "--until-free", "1m").out == "", "there is enough"
    result = disk.pod("image", "prune", "-f", "--until-free", "1t", status=125)
    assert names(disk) == {"two"}
    assert "nothing more can go" in result.stderr
    assert len(result.lines) == 2
    disk.free()
    disk.pod("pull", "-q", third)
    nothing_wrong(disk.pod)


def test_system_prune_until_free(disk: Disk, server: FaultyRegistry) -> None:
    """With no byte free: leftovers, then containers, then images, and it stops when there is enough."""
    image = bring(disk, server, "one")
    older, younger = (disk.pod("create", image, "x").out for _ in range(2))
    interrupted = f"{disk.pod.root}/images/partial/{'0' * 64}"
    disk.run(f"head -c {2 * MEGABYTE} /dev/zero >{interrupted}")
    disk.fill()
    out = disk.pod("system", "prune", "-f", "--until-free", "1m").stdout
    assert interrupted in out, "it was enough"
    assert younger not in out and names(disk) == {"one", "busybox"}
    disk.fill()
    asked = disk.pod("system", "prune", "--until-free", "1m", stdin="n\n")
    assert "least recently used" in asked.stdout
    out = disk.pod("system", "prune", "-f", "--until-free", "1m").stdout
    assert older in out and younger in out
    assert names(disk) < {"one", "busybox"} and "reclaimed space: 0B" not in out
    disk.pod("system", "prune", "-f", "--until-free", "1t", status=125)
    disk.free()
    disk.pod("pull", "-q", image)
    nothing_wrong(disk.pod)
