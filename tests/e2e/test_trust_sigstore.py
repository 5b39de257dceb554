"""Signatures in the form of sigstore: what is signed by the right key comes in, and nothing else.

Debian's skopeo and podman are built without them, so the peer here is `cryptography`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import images, signing
from tests.support.engine import Engine
from tests.support.registry import Registry
from tests.support.signing import payload, write_policy

INSECURE = "--tls-verify=false"
PASSPHRASE = b"pass phrase"
PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
BUNDLE = "dev.sigstore.cosign/bundle"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Scene:
    """An engine that wants signatures by a key of sigstore, and a repository of its own."""

    def __init__(self, pod: Engine, registry: Registry, directory: Path) -> None:
        self.pod, self.registry, self.directory = pod, registry, directory
        self.settings = os.path.dirname(pod.environment["CONTAINERS_REGISTRIES_CONF"])
        self.repository = f"sigstore/{directory.name.replace('_', '-').lower()}"
        self.name = f"{registry.host}/{self.repository}:1"
        self.key, self.public = signing.sigstore_pair(str(directory), PASSPHRASE)
        self.passphrase = str(directory / "passphrase")
        Path(self.passphrase).write_bytes(PASSPHRASE + b"\n")
        signing.write_places(self.settings, f"file://{directory}/lookaside", attachments=True)
        self.demand()

    def demand(self, **fields: Any) -> None:
        wanted = {"type": "sigstoreSigned", "keyPath": self.public, **fields}
        write_policy(self.settings, [wanted])

    def push(self) -> str:
        """Put the image there, unsigned; its digest."""
        return self.registry.push(images.image("busybox"), self.repository, "1")

    def attach(self, digest: str, content: bytes, annotations: dict[str, str]) -> None:
        """Put a signature beside the manifest."""
        blobs = [content, b"{}"]
        digests = ["sha256:" + hashlib.sha256(blob).hexdigest() for blob in blobs]
        for name, blob in zip(digests, blobs, strict=True):
            path = self.directory / "blob"
            path.write_bytes(blob)
            self.registry.push_blob(self.repository, name, str(path))
        layer = {"mediaType": PAYLOAD, "digest": digests[0], "size": len(content)}
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digests[1]}
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {**config, "size": 2},
            "layers": [{**layer, "annotations": annotations}],
        }
        tag = f"{digest.replace(':', '-')}.sig"
        self.registry.push_manifest(self.repository, tag, json.dumps(document).encode(), MANIFEST)

    def pull(self) -> None:
        self.pod("pull", "-q", INSECURE, self.name)

    def refused(self) -> str:
        result = self.pod("pull", "-q", INSECURE, self.name, status=125)
        assert self.pod("images", "-q", "--all").stdout == ""
        return result.stderr


@pytest.fixture
def scene(fresh_pod: Engine, registry: Registry, tmp_path: Path) -> Scene:
    return Scene(fresh_pod, registry, tmp_path)


@pytest.mark.not_podman("Debian's is built without sigstore")
def test_what_is_signed_on_its_way_comes_in(scene: Scene) -> None:
    """Twice, with two keys: both signatures are there then."""
    pod = scene.pod
    source = scene.registry.have("busybox")
    write_policy(scene.settings, [{"type": "insecureAcceptAnything"}])
    pod("pull", "-q", INSECURE, source)
    other = scene.directory / "other"
    other.mkdir()
    key, public = signing.sigstore_pair(str(other), PASSPHRASE)
    parameters = scene.directory / "parameters.yaml"
    parameters.write_text(f"privateKeyFile: {key}\nprivateKeyPassphraseFile: {scene.passphrase}\n")
    options = ["--sign-passphrase-file", scene.passphrase]
    for by in (
        [*options, "--sign-by-sigstore-private-key", scene.key],
        ["--sign-by-sigstore", str(parameters)],
    ):
        pod("push", "-q", INSECURE, *by, source, scene.name)
    pod("rmi", "-f", "-a")
    for path in (scene.public, public):
        scene.demand(keyPath=path)
        scene.pull()
        pod("rmi", "-f", "-a")
    data, stranger = (
        base64.b64encode(Path(path).read_bytes()).decode()
        for path in (scene.public, signing.sigstore_pair(str(other), PASSPHRASE)[1])
    )
    for keys in ({"keyPaths": [str(other / "cosign.pub")]}, {"keyDatas": [stranger]}):
        write_policy(scene.settings, [{"type": "sigstoreSigned", **keys}])
        assert "not by a key that the policy names" in scene.refused()
    for keys in ({"keyPaths": [str(other / "cosign.pub"), scene.public]},
                 {"keyDatas": [stranger, data]}, {"keyData": data}):  # fmt: skip
        write_policy(scene.settings, [{"type": "sigstoreSigned", **keys}])
        scene.pull()
        pod("rmi", "-f", "-a")
    scene.pull()
    assert pod("run", "--rm", "--network=none", scene.name, "echo", "in").out == "in"


@pytest.mark.not_podman("Debian's is built without sigstore")
def test_hostile_attachments_let_nothing_in(scene: Scene) -> None:
    digest = scene.push()
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    Path(scene.public).write_bytes(public)

    def sign(content: bytes, by: Any = key) -> dict[str, str]:
        made = by.sign(content, ec.ECDSA(hashes.SHA256()))
        return {SIGNATURE: base64.b64encode(made).decode()}

    good = payload(digest, scene.name, signing.COSIGN)
    other_image = payload("sha256:" + "0" * 64, scene.name, signing.COSIGN)
    other_name = payload(digest, "docker.io/library/evil:1", signing.COSIGN)
    gpg_type = payload(digest, scene.name)
    other_key = ec.generate_private_key(ec.SECP256R1())
    for content, beside, said in (
        (good, {}, "not by a key that the policy names"),
        (good, {SIGNATURE: "***"}, "not in base64"),
        (good, {SIGNATURE: base64.b64encode(b"x" * 70).decode()}, "not by a key"),
        (good, sign(good, other_key), "not by a key"),
        (good, sign(other_image), "not by a key"),
        (other_image, sign(other_image), "for another image"),
        (other_name, sign(other_name), "for the name 'docker.io/library/evil:1'"),
        (gpg_type, sign(gpg_type), "not of type"),
        (b"[]", sign(b"[]"), "other fields than a signature"),
    ):
        scene.attach(digest, content, beside)
        assert said in scene.refused()
    scene.attach(digest, good, sign(good))
    log = ec.generate_private_key(ec.SECP256R1())
    log_path = scene.directory / "rekor.pub"
    log_path.write_bytes(
        log.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    scene.demand(rekorPublicKeyPath=str(log_path))
    assert "no transparency log has noted it" in scene.refused()
    fulcio = {"caPath": "/ca", "oidcIssuer": "i", "subjectEmail": "e"}
    write_policy(scene.settings, [{"type": "sigstoreSigned", "fulcio": fulcio}])
    assert "not by certificates" in scene.refused()
    scene.demand()
    signing.write_places(scene.settings, f"file://{scene.directory}/none")
    assert "it has no signature by a sigstore key" in scene.refused()
    signing.write_places(scene.settings, f"file://{scene.directory}/none", attachments=True)
    scene.pull()
