"""`pod system df` accounts for every byte: its sum is what du(1) says of the root, and what it says can go, goes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration.image.faulty import FaultyRegistry
from tests.support.engine import Engine
from tests.support.layout import Entry, directory, hardlink, layer_tar
from tests.support.leaks import WAIT_SECONDS
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("its numbers are other ones")

MEGABYTE = 1 << 20


def rows(pod: Engine) -> dict[str, Any]:
    return {row["Type"]: row for row in pod("system", "df", "--format", "json").json()}


def disk_usage(pod: Engine) -> int:
    return int(pod("unshare", "du", "-s", "-B1", pod.root).out.split()[0])


def agrees_with_du(pod: Engine, found: dict[str, Any]) -> int:
    """Assert that the sum of all rows is what du(1) says, within 1 % or a few blocks of journals; what du says."""
    total, real = sum(row["RawSize"] for row in found.values()), disk_usage(pod)
    assert abs(total - real) <= max(real // 100, 24 << 10), (total, real, found)
    return real


def is_quiet(pod: Engine) -> bool:
    """Whether nothing works behind a command any more."""
    pod("images", "-q")
    return not any(os.path.exists(f"{pod.root}/{name}") and os.listdir(f"{pod.root}/{name}")
                   for name in ("trash", "staging"))  # fmt: skip


def bring(pod: Engine, server: FaultyRegistry, name: str, *layers: bytes) -> str:
    server.add_image(f"me/{name}:latest", list(layers))
    pod("pull", "-q", "--tls-verify=false", f"{server.host}/me/{name}")
    return f"{server.host}/me/{name}"


def random_layer(name: str, megabytes: int) -> bytes:
    return layer_tar([Entry(name, os.urandom(megabytes * MEGABYTE))])


@pytest.mark.timeout(300)  # all images come back afterwards
def test_every_byte(pod: Engine, server: FaultyRegistry) -> None:
    """Layers that images share, hard links, sparse files, an interrupted download, copies for another id map."""
    shared = random_layer("shared", 2)
    links = [Entry("a", os.urandom(MEGABYTE)), *(hardlink(f"link{n}", "a") for n in range(5))]
    files = [directory("d", uid=7), *(Entry(f"d/{n}", b"x", uid=7, mode=0o600) for n in range(300))]
    used = bring(pod, server, "used", shared, layer_tar(links))
    unused = bring(pod, server, "unused", shared, random_layer("own", 1), layer_tar(files))
    for words in (["-d", "--name", "runs", "-v", "data:/v"], ["--name", "ended"],
                  ["--name", "mapped", "--userns", "keep-id"]):  # fmt: skip
        script = "dd if=/dev/urandom of=/tmp/f bs=1M count=1; truncate -s 1G /tmp/sparse"
        if "-d" in words:
            script = f"{script}; cp /tmp/f /v; cp /tmp/f /v/g; touch /v/done; sleep 1000"
        pod("run", *words, "--network", "none", "busybox", "sh", "-c", script)
    until(lambda: os.path.exists(f"{pod.root}/volumes/data/_data/done"), "written")
    os.makedirs(f"{pod.root}/images/partial", exist_ok=True)
    for path in (f"images/partial/{'1' * 64}", f"images/blobs/sha256/{'0' * 64}"):
        with open(
            f"{pod.root}/{path}", "wb"
        ) as file:  # an interrupted download, and a blob of no image
            file.write(bytes(MEGABYTE))
    until(lambda: is_quiet(pod), "quiet", WAIT_SECONDS)

    found = rows(pod)
    real = agrees_with_du(pod, found)
    assert found["Partial Downloads"]["Total"] == 1
    assert found["Partial Downloads"]["RawSize"] >= MEGABYTE
    assert found["Garbage"]["RawReclaimable"] == found["Garbage"]["RawSize"] >= MEGABYTE
    assert found["Containers"]["Active"] == 1 and found["Containers"]["Total"] == 3
    assert 2 * MEGABYTE <= found["Local Volumes"]["RawSize"] < 3 * MEGABYTE
    assert found["Local Volumes"]["RawReclaimable"] == 0, "a container uses it"
    details = pod("system", "df", "-v", "--format", "json").json()
    assert details["Garbage"][0]["Why"] == "a blob that no image needs"
    assert details["PartialDownloads"][0]["Path"].startswith(f"{pod.root}/images/partial/")
    by_name = {row["Repository"]: row for row in details["Images"]}
    assert by_name[used]["SharedSize"] == by_name[unused]["SharedSize"] != "0B"
    shown = pod("system", "df", "-v").stdout
    assert all(text in shown for text in (used, "data", "ended", "no image needs"))

    # What other tests have built is in the cache still, which goes with --build alone.
    expected = sum(row["RawReclaimable"] for name, row in found.items() if name != "Build Cache")
    out = pod("system", "prune", "-a", "-f", "--volumes").lines
    freed = real - disk_usage(pod)
    assert abs(freed - expected) <= real // 100, (freed, expected)
    assert out[-1].startswith("Total reclaimed space: ")
    assert {"runs"} == set(pod("ps", "-a", "--format", "{{.Names}}").lines)
    found = rows(pod)
    assert found["Garbage"]["Total"] == found["Partial Downloads"]["Total"] == 0
    agrees_with_du(pod, found)


def test_an_empty_store(fresh_pod: Engine) -> None:
    found = rows(fresh_pod)
    assert "Build Cache" in found
    assert all(row["RawReclaimable"] == 0 for row in found.values())
    assert fresh_pod("system", "prune", "-a", "-f").lines == ["Total reclaimed space: 0B"]


def test_what_builds_networks_pods_and_secrets_take(fresh_pod: Engine, tmp_path: Path) -> None:
    pod = fresh_pod
    pod.have("busybox")
    (tmp_path / "file").write_bytes(os.urandom(MEGABYTE))
    run = "dd if=/dev/urandom bs=1M count=2"
    (tmp_path / "Dockerfile").write_text(
        f"FROM busybox\nRUN {run} of=/one\nCOPY file /\nRUN --mount=type=cache,target=/c {run} of=/c/f\n"
    )
    pod("build", "-q", "-t", "built", str(tmp_path))
    pod("network", "create", "some")
    pod("pod", "create", "--name", "several", "--network", "some")
    pod("secret", "create", "word", "-", stdin="secret")
    until(lambda: is_quiet(pod), "quiet", WAIT_SECONDS)
    both = rows(pod)
    agrees_with_du(pod, both)
    assert 2 * MEGABYTE <= both["Build Cache"]["RawSize"] < 3 * MEGABYTE, "the rest is the image's"
    shown = pod("system", "df", "-v").stdout
    assert "Build Cache space usage" in shown and "RUN" in shown and "/c" in shown

    pod("rmi", "built")
    until(lambda: is_quiet(pod), "quiet", WAIT_SECONDS)
    alone = rows(pod)
    agrees_with_du(pod, alone)
    assert 5 * MEGABYTE <= alone["Build Cache"]["RawReclaimable"] < 6 * MEGABYTE
    entries = pod("system", "df", "-v", "--format", "json").json()["BuildCache"]
    assert [it["CacheType"] for it in entries].count("mount") == 1
    assert any(it["Why"].startswith("COPY") for it in entries)
    pod("system", "prune", "-a", "-f", "--build", "--volumes")
    pod("rmi", "-a", "-f")
    until(lambda: is_quiet(pod), "quiet", WAIT_SECONDS)
    agrees_with_du(pod, rows(pod))
    assert pod("system", "df", "-v", "--format", "json").json()["BuildCache"] == []
