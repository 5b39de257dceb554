"""`image trust` and `image sign`: the policy shown and changed, and signatures that it then accepts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support import images, signing
from tests.support.engine import Engine
from tests.support.layout import Layout
from tests.support.registry import Registry
from tests.support.signing import Gpg

INSECURE = "--tls-verify=false"
pytestmark = pytest.mark.not_podman("version 4.3 writes the policy of the machine, and wants gpg2")


@pytest.fixture
def settings(fresh_pod: Engine) -> str:
    return os.path.dirname(fresh_pod.environment["CONTAINERS_REGISTRIES_CONF"])


def test_the_way_from_nothing_to_a_signed_image(
    fresh_pod: Engine, settings: str, registry: Registry, gpg: Gpg, tmp_path: Path
) -> None:
    pod, name = fresh_pod, registry.have("busybox")
    lookaside = tmp_path / "lookaside"
    signing.write_places(settings, f"file://{lookaside}")
    key = gpg.export(str(tmp_path / "key.asc"), "good")
    pod("image", "trust", "set", "-t", "reject", "default")
    rejected = pod("pull", INSECURE, name, status=125).stderr
    assert "rejected by the policy for everything" in rejected
    assert pod.kind != "pod" or "Hint: pod image trust show" in rejected
    archive = Path(images.docker_archive("busybox")).read_bytes()
    unnamed = pod("load", "-q", stdin=archive, status=125).stderr
    assert pod.kind != "pod" or "an image from standard input is rejected" in unnamed
    pod("image", "trust", "set", "-f", key, registry.host)
    lines = pod("image", "trust", "show").lines
    assert lines[0].split() == ["TRANSPORT", "NAME", "TYPE", "ID", "STORE"]
    assert lines[1].split() == ["all", "default", "reject"]
    shown = ["repository", registry.host, "signed", "good@pod.test", f"file://{lookaside}"]
    assert lines[2].split() == shown
    assert "no GPG signature" in pod("pull", INSECURE, name, status=125).stderr
    sign = ["image", "sign", INSECURE, "--sign-by", "good@pod.test"]
    pod(*sign, f"docker://{name}", env=gpg.environment)
    pod("pull", "-q", INSECURE, name)
    (signed,) = os.listdir(lookaside / "library")
    pod(*sign, "--directory", str(tmp_path), name, env=gpg.environment)
    assert os.listdir(tmp_path / "library" / signed) == ["signature-1"]


def test_a_list_is_signed_with_all_its_images(
    fresh_pod: Engine, settings: str, registry: Registry, gpg: Gpg, tmp_path: Path
) -> None:
    layout = Layout(str(tmp_path / "layout"))
    ours = images.image("busybox").copy(layout)
    theirs = images.image("busybox").copy(layout, architecture="arm64", variant="v8")
    registry.push_index(ours, layout.add_index([theirs, ours]), "trust/several")
    name = f"{registry.host}/trust/several:latest"
    lookaside = tmp_path / "lookaside"
    lookaside.mkdir()
    signing.write_places(settings, f"file://{lookaside}")
    key = gpg.export(str(tmp_path / "key.asc"), "good")
    fresh_pod("image", "trust", "set", "-f", key, registry.host)
    sign = ["image", "sign", INSECURE, "--sign-by", gpg.fingerprints["good"]]
    fresh_pod(*sign, name, env=gpg.environment)
    assert "no GPG signature" in fresh_pod("pull", INSECURE, name, status=125).stderr
    fresh_pod(*sign, "--all", name, env=gpg.environment)
    assert len(os.listdir(lookaside / "trust")) == 3
    fresh_pod("pull", "-q", INSECURE, name)
    plain = registry.have("busybox")
    said = fresh_pod(*sign, "--all", plain, env=gpg.environment, status=125).stderr
    assert f"'{plain}' is one image" in said


def test_what_cannot_be_signed(fresh_pod: Engine, registry: Registry, gpg: Gpg) -> None:
    name = registry.have("busybox")
    for words, said in (
        ([name], "--sign-by says with which key"),
        (["--sign-by", "nobody@pod.test", name], "gpg has no such secret key"),
        (["--sign-by", "good@pod.test", "-d", "/nowhere", name], "is not a directory"),
        (["--sign-by", "good@pod.test", "oci:/nowhere"], "it is no registry"),
        (["--sign-by", "good@pod.test", f"{registry.host}/no/such"], "no/such"),
    ):
        done = fresh_pod("image", "sign", INSECURE, *words, env=gpg.environment, status=125)
        assert said in done.stderr


def test_rules_are_added_to_what_is_there(fresh_pod: Engine, settings: str, tmp_path: Path) -> None:
    """The file is written whole; what it said of others stays; a key's path becomes absolute."""
    pod = fresh_pod
    assert json.loads(pod("image", "trust", "show", "--raw").stdout)["default"]
    accept = [{"type": "insecureAcceptAnything"}]
    before = {"default": accept, "transports": {"dir": {"/x": accept}, "docker": {"a.io": accept}}}
    path = Path(settings, "policy.json")
    path.write_text(json.dumps(before))
    (tmp_path / "a.pem").write_text("-")
    (tmp_path / "b.pem").write_text("-")
    set_rule = ["image", "trust", "set"]
    pod(*set_rule, "-t", "sigstoreSigned", "-f", "a.pem,b.pem", "*.b.io", cwd=str(tmp_path))
    pod(*set_rule, "-t", "reject", "a.io/team")
    document = json.loads(path.read_text())
    paths = [f"{tmp_path}/a.pem", f"{tmp_path}/b.pem"]
    wanted = [{"type": "sigstoreSigned", "keyPath": one} for one in paths]
    assert document["transports"] == {
        "dir": {"/x": accept},
        "docker": {"a.io": accept, "*.b.io": wanted, "a.io/team": [{"type": "reject"}]},
    }
    shown = pod("image", "trust", "show", "--json").json()
    assert shown[0] == {
        "transport": "all",
        "name": "* (default)",
        "repo_name": "default",
        "type": "accept",
    }
    assert shown[2] == {
        "transport": "repository",
        "name": "*.b.io",
        "repo_name": "*.b.io",
        "keys": [f"{tmp_path}/a.pem"],
        "type": "sigstoreSigned",
        "gpg_id": "N/A",
    }
    assert pod("image", "trust", "show", "-n", "a.io/team/x").out.split() == [
        "repository",
        "a.io/team",
        "reject",
    ]
    assert pod("image", "trust", "show", "-n", "c.io").out.split() == ["all", "default", "accept"]


def test_wrong_rules_change_nothing(fresh_pod: Engine, settings: str) -> None:
    path = Path(settings, "policy.json")
    for words, said in (
        (["a.io"], "needs at least one public key"),
        (
            ["-f", "/nowhere/key", "a.io"],
            "the public key '/nowhere/key' of --pubkeysfile is no file",
        ),
        (["-t", "accept", "-f", "/etc/passwd", "a.io"], "does not go with"),
        (["-t", "maybe", "a.io"], "maybe"),
        (["-t", "accept", "https://a.io"], "is no registry"),
    ):
        assert said in fresh_pod("image", "trust", "set", *words, status=125).stderr
    assert not path.exists()
    for text in ("{", '{"default": []}', '{"default": 1, "default": 2}'):
        path.write_text(text)
        said = fresh_pod("image", "trust", "set", "-t", "accept", "a.io", status=125).stderr
        assert str(path) in said
        assert path.read_text() == text


def test_the_group_tells_of_itself(fresh_pod: Engine) -> None:
    assert "Show who is trusted" in fresh_pod("image", "trust", "--help").stdout
    assert "trust" in fresh_pod("image", "--help").stdout
    assert "'pod image trust show'" in fresh_pod("image", "trust", "shwo", status=125).stderr
    assert "missing command" in fresh_pod("image", "trust", status=125).stderr
