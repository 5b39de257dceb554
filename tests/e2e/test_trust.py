"""Signatures that policy.json demands, by GPG: what comes in, and that nothing is left of what does not."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import images, signing
from tests.support.engine import Engine
from tests.support.registry import Registry
from tests.support.signing import Gpg, file_signature, payload, signed_by, write_policy

INSECURE = "--tls-verify=false"
REPOSITORY = "library/busybox"


class Scene:
    """An engine that wants signatures, a lookaside, and an image in a registry."""

    def __init__(self, pod: Engine, registry: Registry, gpg: Gpg, directory: Path) -> None:
        self.pod, self.gpg, self.directory = pod, gpg, directory
        self.settings = os.path.dirname(pod.environment["CONTAINERS_REGISTRIES_CONF"])
        self.name = registry.have("busybox")
        answer = registry.request(
            "HEAD",
            f"/v2/{REPOSITORY}/manifests/latest",
            headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
        )
        self.digest = str(answer.headers["Docker-Content-Digest"])
        self.lookaside = str(directory / "lookaside")
        self.key = gpg.export(str(directory / "key.asc"), "good")
        signing.write_places(self.settings, f"file://{self.lookaside}")
        self.demand(signed_by(self.key))

    def demand(self, *requirements: Any, **transports: Any) -> None:
        write_policy(self.settings, list(requirements), **transports)

    def sign(self, *signatures: bytes) -> None:
        file_signature(self.lookaside, REPOSITORY, self.digest, *signatures)

    def good(self, name: str = "") -> bytes:
        return self.gpg.sign(payload(self.digest, name or self.name))

    def pull(self, name: str = "") -> str:
        """The name comes in."""
        return self.pod("pull", "-q", INSECURE, name or self.name).out

    def refused(self, name: str = "") -> str:
        """The name does not come in, and nothing is left of it; what was said."""
        result = self.pod("pull", "-q", INSECURE, name or self.name, status=125)
        if self.pod.kind == "pod":
            blobs = f"{self.pod.root}/images/blobs/sha256"
            assert not os.path.exists(blobs) or not os.listdir(blobs)
        else:
            assert self.pod("images", "-q", "--all").stdout == ""
        return result.stderr


@pytest.fixture
def scene(fresh_pod: Engine, registry: Registry, gpg: Gpg, tmp_path: Path) -> Scene:
    return Scene(fresh_pod, registry, gpg, tmp_path)


def test_a_signed_image_comes_in(scene: Scene) -> None:
    scene.sign(scene.good())
    scene.pull()
    assert scene.pod("run", "--rm", "--network=none", scene.name, "echo", "in").out == "in"


def test_without_a_signature_nothing_is_left(scene: Scene) -> None:
    said = scene.refused()
    if scene.pod.kind == "pod":
        assert f"image '{scene.name}' is refused by the policy for 'docker'" in said
        assert "it has no GPG signature" in said
        assert scene.pod("images", "-q", "--all").stdout == ""
        rows = [line.split() for line in scene.pod("system", "df").lines]
        assert [row[1] for row in rows if row[0] == "Images"] == ["0"]


HOSTILE = {
    "wrong key": "not by a key that the policy names",
    "expired key": "its key has expired",
    "other image": "it is for another image, sha256:0000",
    "other name": "it is for the name 'docker.io/library/evil:latest'",
    "garbage": "no signature that gpg can read",
    "nothing": "no signature that gpg can read",
    "unsigned": "no signature that gpg can read",
    "no JSON": "no JSON document",
    "doubled field": "no JSON document",
    "more in critical": "other fields than a signature",
    "other type": "not of type",
    "changed": "",
    "bomb": "no signature that gpg can read",
}


def hostile(scene: Scene, kind: str) -> bytes:
    gpg, good = scene.gpg, payload(scene.digest, scene.name)
    wrong: dict[str, Any] = {
        "wrong key": lambda: gpg.sign(good, "other"),
        "expired key": lambda: gpg.sign(good, "expired"),
        "other image": lambda: gpg.sign(payload("sha256:" + "0" * 64, scene.name)),
        "other name": lambda: gpg.sign(payload(scene.digest, "docker.io/library/evil:latest")),
        "garbage": lambda: bytes(range(1, 256)) * 16,
        "nothing": lambda: b"",
        "unsigned": lambda: gpg.run("--store", given=good),
        "no JSON": lambda: gpg.sign(b"{" * 2000),
        "doubled field": lambda: gpg.sign(b'{"critical":{},' + good[1:]),
        "more in critical": lambda: gpg.sign(good.replace(b'"type"', b'"more": 1, "type"')),
        "other type": lambda: gpg.sign(payload(scene.digest, scene.name, signing.COSIGN)),
        "changed": lambda: scene.good()[:-8] + bytes(8),
        "bomb": lambda: gpg.sign(bytes(8 << 20)),
    }
    return bytes(wrong[kind]())


def test_hostile_signatures_let_nothing_in(scene: Scene) -> None:
    for kind, why in HOSTILE.items():
        scene.sign(hostile(scene, kind))
        if kind == "expired key":
            scene.demand(signed_by(scene.gpg.export(str(scene.directory / "old.asc"), "expired")))
        said = scene.refused()
        if scene.pod.kind == "pod":
            assert why in said, kind
        scene.demand(signed_by(scene.key))
    scene.sign(scene.good())
    scene.pull()


@pytest.mark.not_podman("version 4.3 gives up at garbage")
def test_one_good_signature_among_bad_ones_is_enough(scene: Scene) -> None:
    scene.sign(hostile(scene, "wrong key"), hostile(scene, "garbage"), scene.good())
    scene.pull()


@pytest.mark.not_podman("version 4.3 reads all of it, and has no memory left")
def test_a_huge_signature_is_not_read(scene: Scene) -> None:
    scene.sign(b"")
    directory = f"{scene.lookaside}/{REPOSITORY}@{scene.digest.replace(':', '=')}"
    os.truncate(f"{directory}/signature-1", 1 << 40)
    said = scene.refused()
    if scene.pod.kind == "pod":
        assert "more than 4194304 bytes" in said


def test_identities(scene: Scene) -> None:
    """By digest the repository is enough, and a mirror's name can stand for the signed one."""
    host, _, _ = scene.name.partition("/")
    scene.sign(scene.good("quay.io/team/busybox:latest"))
    scene.refused()
    remap = {"type": "remapIdentity", "prefix": f"{host}/library", "signedPrefix": "quay.io/team"}
    scene.demand(signed_by(scene.key, signedIdentity=remap))
    scene.pull()
    scene.pod("rmi", "-f", "-a")
    for kind, field in (("exactReference", ":latest"), ("exactRepository", "")):
        name = "dockerReference" if field else "dockerRepository"
        identity = {"type": kind, name: f"quay.io/team/busybox{field}"}
        scene.demand(signed_by(scene.key, signedIdentity=identity))
        scene.pull()
        scene.pod("rmi", "-f", "-a")
    scene.demand(signed_by(scene.key, signedIdentity={"type": "matchExact"}))
    scene.sign(scene.good())
    scene.refused(f"{host}/{REPOSITORY}@{scene.digest}")
    scene.demand(signed_by(scene.key))
    scene.pull(f"{host}/{REPOSITORY}@{scene.digest}")


def test_all_requirements_must_be_met(scene: Scene) -> None:
    other = scene.gpg.export(str(scene.directory / "other.asc"), "other")
    scene.demand(signed_by(scene.key), signed_by(other))
    scene.sign(scene.good())
    scene.refused()
    scene.sign(scene.good(), scene.gpg.sign(payload(scene.digest, scene.name), "other"))
    scene.pull()


@pytest.mark.not_podman("version 4.3 knows no keyPaths")
def test_one_of_several_keys_is_enough(scene: Scene) -> None:
    """Where a policy has its keys: files, one or several, or the document itself."""
    other = scene.gpg.export(str(scene.directory / "other.asc"), "other")
    scene.sign(scene.good())

    def demand(**keys: Any) -> None:
        scene.demand({"type": "signedBy", "keyType": "GPGKeys", **keys})

    def data(path: str) -> str:
        return base64.b64encode(Path(path).read_bytes()).decode()

    for good, bad in (
        ({"keyPaths": [other, scene.key]}, {"keyPaths": [other]}),
        ({"keyData": data(scene.key)}, {"keyData": data(other)}),
    ):
        demand(**bad)
        assert "not by a key that the policy names" in scene.refused()
        demand(**good)
        scene.pull()
        scene.pod("rmi", "-f", "-a")


@pytest.mark.not_podman("it looks after its own directories")
def test_what_a_killed_verification_has_left_goes_with_the_next(
    scene: Scene, tmp_path: Path
) -> None:
    scene.sign(scene.good())
    places = tmp_path / "tmp"
    left, working, young = (places / f"pod-gpg-{name}" for name in ("left", "working", "young"))
    for directory in (left, working, young):
        directory.mkdir(parents=True)
        (directory / "pubring.kbx").write_text("x")
    for directory in (left, working):
        os.utime(directory, (0, 0))
    held = os.open(working, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        scene.pod("pull", "-q", INSECURE, scene.name, env={"TMPDIR": str(places)})
    finally:
        os.close(held)
    assert sorted(os.listdir(places)) == ["pod-gpg-working", "pod-gpg-young"]


@pytest.mark.not_podman("version 4.3 says other words")
def test_keys_that_cannot_be_used_are_named(scene: Scene) -> None:
    scene.sign(scene.good())
    scene.demand(signed_by("/nowhere/key.asc"))
    assert (
        "the key '/nowhere/key.asc' of the policy cannot be used: No such file" in scene.refused()
    )
    (scene.directory / "key.asc").write_text("no key")
    scene.demand(signed_by(scene.key))
    assert "no OpenPGP public key" in scene.refused()
    nothing = {"PATH": "/nowhere"}
    said = scene.pod("pull", INSECURE, scene.name, env=nothing, status=125).stderr
    assert "GPG signatures need the program 'gpg', which is not installed" in said


def test_signatures_in_a_directory(scene: Scene) -> None:
    """What skopeo has signed on its way into a `dir:`; there is no name, so only an exact one can fit."""
    target = scene.directory / "image"
    name = "quay.io/me/exact:1"
    command = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false"]
    command += ["--sign-by", scene.gpg.fingerprints["good"], "--sign-identity", name]
    subprocess.run(
        [*command, f"docker://{scene.name}", f"dir:{target}"],
        check=True,
        env={**scene.pod.environment, **scene.gpg.environment},
    )
    identity = {"type": "exactReference", "dockerReference": name}
    wanted = [signed_by(scene.key, signedIdentity=identity)]
    scene.demand({"type": "reject"}, dir={"": wanted}, oci={"": wanted})
    scene.pull(f"dir:{target}")
    scene.pod("rmi", "-f", "-a")
    scene.demand({"type": "reject"}, dir={"": [signed_by(scene.key)]})
    scene.refused(f"dir:{target}")


def test_what_skopeo_signs_comes_in(scene: Scene, registry: Registry) -> None:
    name = f"{registry.host}/signed/by-skopeo:1"
    command = ["skopeo", "--insecure-policy", "copy", "-q"]
    command += ["--src-tls-verify=false", "--dest-tls-verify=false"]
    subprocess.run(
        [
            *command,
            *("--sign-by", scene.gpg.fingerprints["good"]),
            f"docker://{scene.name}",
            f"docker://{name}",
        ],
        check=True,
        env={**scene.pod.environment, **scene.gpg.environment},
    )
    assert "by-skopeo" in str(os.listdir(f"{scene.lookaside}/signed"))
    scene.pull(name)


@pytest.mark.not_podman("version 4.3 has no registries.d of the user where we look")
def test_an_odd_registries_d_is_told_by_line(scene: Scene) -> None:
    path = f"{scene.settings}/registries.d/default.yaml"
    for text, line in (
        ("docker:\n  a.io:\n    lookaside: [1]\n", "line 3"),
        ("docker:\n  - a\n", "line 1"),
        ("docker: {\n", "line 2"),
        ("docker:\n  a.io:\n    use-sigstore-attachments: 7\n", "line 3"),
    ):
        Path(path).write_text(text)
        said = scene.refused()
        assert path in said
        assert line in said
    Path(path).write_text(json.dumps({"default-docker": {"lookaside": "ftp://x/y"}}))
    assert "it must be a URL" in scene.refused()


def skopeo(scene: Scene, *arguments: str, status: int = 0, policy: bool = False) -> str:
    """Run it with the scene's keys; with `policy`, by the scene's policy.json."""
    options = ["--policy", f"{scene.settings}/policy.json"] if policy else ["--insecure-policy"]
    done = subprocess.run(
        ["skopeo", *options, *arguments],
        env={**scene.pod.environment, **scene.gpg.environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.mark.not_podman("what pod signs is for pod to tell")
def test_what_pod_signs_is_good_for_all(scene: Scene, registry: Registry) -> None:
    """push --sign-by: pod and skopeo accept it by the same policy, and only that name."""
    target = f"{registry.host}/signed/by-pod:1"
    pod, key = scene.pod, scene.gpg.fingerprints["good"]
    scene.sign(scene.good())
    scene.pull()
    environment = scene.gpg.environment
    pod("push", "-q", INSECURE, "--sign-by", key, scene.name, target, env=environment)
    (directory,) = os.listdir(f"{scene.lookaside}/signed")
    assert directory.startswith("by-pod@sha256=")
    assert os.listdir(f"{scene.lookaside}/signed/{directory}") == ["signature-1"]
    pod("push", "-q", INSECURE, "--sign-by", "other@pod.test", scene.name, target, env=environment)
    pod("rmi", "-f", "-a")
    scene.pull(target)
    place = f"dir:{scene.directory}/copied"
    skopeo(scene, "copy", "-q", "--src-tls-verify=false", f"docker://{target}", place, policy=True)
    pod("rmi", "-f", "-a")
    registry.push(images.image("busybox"), "signed/by-pod", "2")
    assert f"it is for the name '{target}'" in scene.refused(f"{registry.host}/signed/by-pod:2")


@pytest.mark.not_podman("version 4.3 says other words")
def test_a_key_with_a_passphrase(scene: Scene, registry: Registry) -> None:
    """The passphrase comes from a file, and what gpg says of a wrong one is told."""
    target, passphrase = f"{registry.host}/signed/locked:1", scene.directory / "passphrase"
    scene.sign(scene.good())
    scene.pull()
    push = ["push", "-q", INSECURE, "--sign-by", "locked@pod.test", "--sign-passphrase-file"]
    words = [*push, str(passphrase), scene.name, target]
    passphrase.write_text("wrong\n")
    said = scene.pod(*words, env=scene.gpg.environment, status=125).stderr
    assert "nothing could be signed with the key 'locked@pod.test'" in said
    assert "passphrase" in said
    assert registry.request("GET", "/v2/signed/locked/tags/list").status == 404
    passphrase.write_text("secret\n")
    scene.pod(*words, env=scene.gpg.environment)
    scene.pod("rmi", "-f", "-a")
    scene.demand(signed_by(scene.gpg.export(str(scene.directory / "locked.asc"), "locked")))
    scene.pull(target)


@pytest.mark.not_podman("version 4.3 says other words")
def test_a_push_that_cannot_be_signed_sends_nothing(scene: Scene, registry: Registry) -> None:
    target = f"{registry.host}/signed/never:1"
    scene.sign(scene.good())
    scene.pull()
    key = str(scene.directory / "no.key")
    for options, said in (
        (["--sign-by", "nobody@pod.test"], "gpg has no such secret key"),
        (["--sign-by-sigstore-private-key", key], "use-sigstore-attachments"),
        (["--sign-passphrase-file", key], "needs exactly one of"),
    ):
        done = scene.pod(
            "push", INSECURE, *options, scene.name, target, env=scene.gpg.environment, status=125
        )
        assert said in done.stderr
    signing.write_places(scene.settings, "https://127.0.0.1:1/x", attachments=True)
    for options, said in (
        (["--sign-by", scene.gpg.fingerprints["good"]], "can only be written to a directory"),
        (["--sign-by-sigstore-private-key", key], "No such file"),
    ):
        done = scene.pod(
            "push", INSECURE, *options, scene.name, target, env=scene.gpg.environment, status=125
        )
        assert said in done.stderr
    assert registry.request("GET", "/v2/signed/never/tags/list").status == 404


@pytest.mark.not_podman("version 4.3 signs the list alone")
def test_a_list_is_signed_with_its_images(scene: Scene, registry: Registry) -> None:
    scene.sign(scene.good())
    scene.pull()
    name = f"{registry.host}/signed/list:1"
    scene.pod("manifest", "create", name, scene.name)
    options = ["-q", INSECURE, "--sign-by", scene.gpg.fingerprints["good"]]
    scene.pod("manifest", "push", *options, name, env=scene.gpg.environment)
    assert len(os.listdir(f"{scene.lookaside}/signed")) == 2
    scene.pod("manifest", "rm", name)
    scene.pod("rmi", "-f", "-a")
    scene.pull(name)


@pytest.mark.not_podman("version 4.3 has no artifacts")
def test_artifacts_are_signed_and_verified(scene: Scene, registry: Registry) -> None:
    pod, name = scene.pod, f"{registry.host}/signed/artifact:1"
    (scene.directory / "file").write_text("content")
    pod("artifact", "add", name, str(scene.directory / "file"))
    pod("artifact", "push", "-q", INSECURE, name)
    pod("artifact", "rm", name)
    said = pod("artifact", "pull", "-q", INSECURE, name, status=125).stderr
    assert "it has no GPG signature" in said
    pod("artifact", "add", name, str(scene.directory / "file"))
    key = ["--sign-by", scene.gpg.fingerprints["good"]]
    pod("artifact", "push", "-q", INSECURE, *key, name, env=scene.gpg.environment)
    pod("artifact", "rm", name)
    pod("artifact", "pull", "-q", INSECURE, name)
    pod("artifact", "rm", name)


def test_a_registry_that_may_not_be_used_is_passed_over(scene: Scene, registry: Registry) -> None:
    """A short name can mean several; the first that the policy lets in is taken."""
    registry.push(images.image("busybox"), "short/name")
    hosts = [f"127.0.0.1:{registry.port}", f"localhost:{registry.port}"]
    path = scene.directory / "registries.conf"
    path.write_text(
        f"unqualified-search-registries = {json.dumps(hosts)}\nshort-name-mode = 'permissive'\n"
    )
    accept = [{"type": "insecureAcceptAnything"}]
    environment = {"CONTAINERS_REGISTRIES_CONF": str(path)}
    for first in ({"type": "reject"}, signed_by(scene.key)):
        rules = {"docker": {hosts[0]: [first], hosts[1]: accept}}
        document = {"default": [{"type": "reject"}], "transports": rules}
        Path(scene.settings, "policy.json").write_text(json.dumps(document))
        scene.pod("pull", "-q", INSECURE, "short/name", env=environment)
        names = scene.pod("images", "--format", "{{.Repository}}").lines
        assert names == [f"{hosts[1]}/short/name"]
        scene.pod("rmi", "-f", "-a")
    Path(scene.settings, "policy.json").write_text('{"default": [{"type": "reject"}]}')
    said = scene.pod("pull", "-q", INSECURE, "short/name", env=environment, status=125).stderr
    if scene.pod.kind == "pod":
        assert said.count("is rejected by the policy for everything") == 2
