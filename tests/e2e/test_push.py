"""`pod push` to real registries: what arrives there, and what is sent. Other places are in test_push_places.py,
faults in test_push_faults.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.image.faulty import small_layer
from tests.support.engine import Engine, engine_in
from tests.support.layout import Image, Layout
from tests.support.registry import Registry
from tests.support.tokens import TokenServer
from tests.support.waiting import until

INSECURE = "--tls-verify=false"
OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
CREDENTIALS = ("--creds", "jane:secret")
AS_THEY_CAME = pytest.mark.not_podman("it compresses layers again, so that the digest changes")


def manifest_at(registry: Registry, repository: str, tag: str = "latest") -> tuple[str, Any]:
    """Digest and document."""
    answer = registry.request(
        "GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": f"{OCI}, {DOCKER}"}
    )
    assert answer.status == 200, answer.body
    return str(answer.headers["Docker-Content-Digest"]), json.loads(answer.body)


def layer_types(document: Any) -> list[str]:
    return [layer["mediaType"].rpartition("tar")[2] for layer in document["layers"]]


def small_image(tmp_path: Path, content: str, *, docker: bool = False) -> Image:
    """Of two layers that no other test has."""
    layout = Layout(str(tmp_path / f"image-{content}"))
    layers = [layout.add_layer(small_layer(f"{content}-{n}", bytes(9000))) for n in range(2)]
    return layout.add_image(layers, {"Cmd": ["x"]}, docker=docker)


def sent(registry: Registry, repository: str, since: int) -> list[str]:
    """The requests of a push to `repository` that have brought something, but for manifests."""
    return [
        line.partition("?")[2] if "mount=" in line else line.partition(" ")[0]
        for line in registry.requests_seen()[since:]
        if f"/v2/{repository}/blobs/uploads/" in line
    ]


@AS_THEY_CAME
@pytest.mark.parametrize("docker", [False, True], ids=["oci", "v2s2"])
def test_digest_of_a_pulled_image_stays(
    pod: Engine, registry: Registry, tmp_path: Path, docker: bool
) -> None:
    kind = "docker" if docker else "oci"
    digest = registry.push(small_image(tmp_path, "same", docker=docker), f"from/{kind}")
    pod("pull", "-q", INSECURE, f"{registry.host}/from/{kind}")
    file = tmp_path / "digest"
    words = (INSECURE, "--digestfile", str(file), f"{registry.host}/from/{kind}")
    pushed = pod("push", *words, f"docker://{registry.host}/to/{kind}:1")
    assert manifest_at(registry, f"to/{kind}", "1")[0] == digest
    assert file.read_text() == digest
    assert pushed.stdout == ""
    assert "Copying blob" in pushed.stderr
    assert "Writing manifest" in pushed.stderr
    assert pod("push", "-q", *words, f"{registry.host}/to/{kind}:2").stderr == ""
    pod("push", "-q", "--remove-signatures", *words, f"{registry.host}/to/{kind}:3")
    assert manifest_at(registry, f"to/{kind}", "3")[0] == digest


@AS_THEY_CAME
def test_what_is_there_is_not_sent(
    pod: Engine, fresh_pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    """Neither into the same repository nor into another one of the same registry."""
    image = small_image(tmp_path, "once")
    registry.push(image, "once/here")
    pod("pull", "-q", INSECURE, f"{registry.host}/once/here")
    name, before = f"{registry.host}/once/here", len(registry.requests_seen())
    pod("push", "-q", INSECURE, name)
    assert sent(registry, "once/here", before) == []
    pod("push", "-q", INSECURE, name, f"{registry.host}/once/there")
    mounts = [
        f"mount={blob['digest']}&from=once/here"
        for blob in (image.manifest()["config"], *image.manifest()["layers"])
    ]
    until(
        lambda: sorted(sent(registry, "once/there", before)) == sorted(mounts),
        "the registry's log has the mounts, and nothing else",
    )
    before = len(registry.requests_seen())
    pod("push", "-q", INSECURE, name, f"{registry.host}/once/there:again")
    assert sent(registry, "once/there", before) == []
    # What a repository has lost, though it should have it, is sent again.
    for layer in image.manifest()["layers"]:
        registry.request("DELETE", f"/v2/once/there/blobs/{layer['digest']}")
    pod("push", "-q", INSECURE, name, f"{registry.host}/once/there")
    fresh_pod("pull", "-q", INSECURE, f"{registry.host}/once/there")


def test_layers_that_are_not_compressed_become_so(
    pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    """As they are after commit and load; the next push of them finds what they have become."""
    pod("create", "--name", "changed", "busybox", "x")
    (tmp_path / "file").write_text("content" * 1000)
    pod("cp", str(tmp_path / "file"), "changed:/file")
    pod("commit", "-q", "changed", "localhost/committed")
    name = f"{registry.host}/made/here"
    pod("push", "-q", INSECURE, "localhost/committed", name)
    digest, document = manifest_at(registry, "made/here")
    assert all(kind.endswith("gzip") for kind in layer_types(document))
    before = len(registry.requests_seen())
    pod("push", "-q", INSECURE, "localhost/committed", name)
    assert manifest_at(registry, "made/here")[0] == digest
    assert sent(registry, "made/here", before) == []
    number = pod("image", "inspect", "--format", "{{.Id}}", "localhost/committed").out
    assert document["config"]["digest"].rpartition(":")[2] == number.rpartition(":")[2]


@pytest.mark.parametrize(
    ("words", "kinds", "media_type"),
    [
        pytest.param(
            ["--compression-format", "zstd"], "+zstd", OCI,
            id="zstd", marks=pytest.mark.not_podman("it finds the layer with gzip good enough"),
        ),
        pytest.param(
            ["--compression-format", "zstd:chunked"], "+zstd", OCI,
            id="chunked", marks=pytest.mark.not_podman("version 4.3 lacks the annotations"),
        ),
        pytest.param(
            ["--compression-format", "none"], "", OCI,
            id="none", marks=pytest.mark.not_podman("it has no such format"),
        ),
        pytest.param(["--format", "v2s2"], ".gzip", DOCKER, id="v2s2"),
        pytest.param(["--format", "oci"], "+gzip", OCI, id="oci"),
    ],
)  # fmt: skip
def test_forms(
    pod: Engine, fresh_pod: Engine, registry: Registry, words: list[str], kinds: str, media_type: str
) -> None:  # fmt: skip
    """The configuration, and so the id, stays; what arrives runs."""
    repository = f"forms/{words[-1].replace(':', '-')}"
    name = f"{registry.host}/{repository}"
    pod("push", "-q", INSECURE, *words, "busybox", name)
    digest, document = manifest_at(registry, repository)
    assert document["mediaType"] == media_type
    assert set(layer_types(document)) == {kinds}
    chunked = [layer for layer in document["layers"] if "annotations" in layer]
    assert bool(chunked) == ("zstd:chunked" in words)
    before = len(registry.requests_seen())
    pod("push", "-q", INSECURE, *words, "busybox", name)
    assert sent(registry, repository, before) == []
    assert manifest_at(registry, repository)[0] == digest
    fresh_pod("pull", "-q", INSECURE, name)
    assert fresh_pod("run", "--rm", "--network", "none", name, "echo", "in").out == "in"
    if pod.kind == "pod":
        form = ("image", "inspect", "--format", "{{.Id}}")
        assert fresh_pod(*form, name).out == pod(*form, "busybox").out


@pytest.mark.not_podman("version 4.3 has no --force-compression")
def test_other_compressions_are_good_enough_without_force(
    pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    digest = registry.push(small_image(tmp_path, "enough"), "enough/a")
    name = f"{registry.host}/enough/a"
    pod("pull", "-q", INSECURE, name)
    zstd = ("--compression-format", "zstd")
    pod("push", "-q", INSECURE, *zstd, "--force-compression=false", name)
    assert set(layer_types(manifest_at(registry, "enough/a")[1])) == {"+gzip"}
    pod("push", "-q", INSECURE, *zstd, name)
    assert set(layer_types(manifest_at(registry, "enough/a")[1])) == {"+zstd"}
    pod("push", "-q", INSECURE, "--compression-format", "gzip", name)
    assert manifest_at(registry, "enough/a")[0] == digest


@pytest.mark.parametrize("tls", [False, True], ids=["http", "tls"])
def test_login(pod: Engine, registry_with: Any, tmp_path: Path, tls: bool) -> None:
    private = registry_with(users={"jane": "secret"}, tls=tls)
    name = f"{private.host}/me/private"
    allowed = [INSECURE]
    if tls:
        unknown = pod("push", "-q", "busybox", name, status=125)
        assert "unknown authority" in unknown.stderr
        (tmp_path / "ca.crt").write_bytes(Path(private.certificate).read_bytes())
        allowed = ["--cert-dir", str(tmp_path)]
    nobody = pod("push", "-q", *allowed, "busybox", name, status=125)
    wrong = pod("push", "-q", *allowed, "--creds", "jane:wrong", "busybox", name, status=125)
    if pod.kind == "pod":
        assert f"pod login {private.host}" in nobody.stderr
        assert "needs a login" in nobody.stderr
        assert "refused user 'jane': wrong name or password" in wrong.stderr
    pod("push", "-q", *allowed, *CREDENTIALS, "busybox", name)
    auth = tmp_path / "auth.json"
    auth.write_text(json.dumps({"auths": {private.host: {"auth": "amFuZTpzZWNyZXQ="}}}))
    pod("push", "-q", *allowed, "--authfile", str(auth), "busybox", f"{name}:2")
    assert manifest_at(private, "me/private")[0] == manifest_at(private, "me/private", "2")[0]


def test_token_server(pod: Engine, tmp_path: Path) -> None:
    """One token is for what the push needs; a mount asks for the other repository, too."""
    with (
        TokenServer(str(tmp_path / "tokens"), {"jane": "secret"}) as tokens,
        Registry(str(tmp_path / "registry"), tokens=tokens) as registry,
    ):
        refused = pod("push", "-q", INSECURE, "busybox", f"{registry.host}/a/b", status=125)
        if pod.kind == "pod":
            assert f"pod login {registry.host}" in refused.stderr
        for repository in ("team/one", "team/two"):
            name = f"{registry.host}/{repository}"
            pod("push", "-q", INSECURE, *CREDENTIALS, "busybox", name)
            assert manifest_at(registry, repository)[1]["layers"]
        scopes = {scope for query in tokens.requests for scope in query.get("scope", [])}
        first = [q for q in tokens.requests if "repository:team/one:pull,push" in q["scope"]]
        assert len(first) == 1 or pod.kind != "pod"
        assert "repository:team/one:pull" in scopes or pod.kind != "pod"
        uploads = [line for line in registry.requests_seen() if line.startswith("PUT")]
        if pod.kind == "pod":
            assert not [line for line in uploads if "/team/two/blobs/" in line]


def test_other_engine_runs_it(
    pod: Engine, workspace: str, runtime_directory: str, registry: Registry, is_podman: bool
) -> None:
    """What pod pushes, podman pulls and runs, and the other way round."""
    kind = None if is_podman else ["podman"]
    other = engine_in(workspace, runtime_directory, "o", registry, kind)
    there, back = f"{registry.host}/cross/there", f"{registry.host}/cross/back"
    pod("push", "-q", INSECURE, "busybox", there)
    run = ("run", "--rm", "--network", "none")
    try:
        other("pull", "-q", INSECURE, there)
        assert other(*run, there, "echo", "in").out == "in"
        other("push", "-q", INSECURE, there, back)
    finally:
        other("rmi", "-a", "-f", status=None)
        other("system", "reset", "-f", status=None)
    pod("pull", "-q", INSECURE, back)
    assert pod(*run, back, "echo", "in").out == "in"


@pytest.mark.not_podman("its sentences are its own")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such-image"], "no-such-image"),
        (["busybox", "docker-daemon:x:1"], "docker-daemon"),
        (["busybox", "REG/Upper"], "lower-case"),
        (["busybox", "REG/a@sha256:" + "0" * 64], "digest"),
        (["--compression-format", "lzma", "busybox"], "gzip"),
        (["--compression-level", "12", "busybox", "REG/a"], "from 1 to 9"),
        (["--format", "v2s2", "--compression-format", "zstd", "busybox", "REG/a"], "--format oci"),
        (["--force-compression", "busybox", "REG/a"], "--compression-format"),
        (["--compress", "busybox", "REG/a"], "dir"),
        (["--encryption-key", "x", "busybox", "REG/a"], "encrypt"),
        (["localhost/only-here"], "pod push"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(pod: Engine, registry: Registry, words: list[str], said: str) -> None:
    pod("tag", "busybox", "localhost/only-here")
    words = [word.replace("REG", registry.host) for word in words]
    result = pod("push", INSECURE, *words, status=125)
    assert result.stdout == ""
    assert said in result.stderr


@pytest.mark.not_podman("4.3 sends the blobs before it says that the digest is another one")
def test_digests_as_destinations(fresh_pod: Engine, registry: Registry, tmp_path: Path) -> None:
    """The image's own is one; another one is refused before anything is sent, for a list, too."""
    pod, name = fresh_pod, f"{registry.host}/by/digest"
    image = small_image(tmp_path, "by digest")
    registry.push(image, "by/digest")
    pod("pull", "-q", INSECURE, f"{name}@{image.digest}")
    before = len(registry.requests_seen())
    pod("push", "-q", INSECURE, f"{name}@{image.digest}")
    seen = f"PUT /v2/by/digest/manifests/{image.digest}"
    until(lambda: seen in registry.requests_seen()[before:], "the registry's log has the push")
    pod("manifest", "create", "several", f"{name}@{image.digest}")
    before = len(registry.requests_seen())
    for what in (f"{name}@{image.digest}", "several"):
        other = f"{registry.host}/by/other@sha256:{'1' * 64}"
        refused = pod("push", "-q", INSECURE, what, other, status=125).stderr
        assert "what is pushed has the digest 'sha256:" in refused
        assert f"Hint: push it under a tag: {registry.host}/by/other:TAG" in refused
    assert sent(registry, "by/other", before) == []


@pytest.mark.not_podman("its flags for lists are others")
def test_a_list_goes_with_its_images(pod: Engine, registry: Registry) -> None:
    pod("manifest", "create", "localhost/several", "containers-storage:docker.io/library/busybox")
    name = f"{registry.host}/lists/several"
    pod("push", "-q", INSECURE, "--format", "v2s2", "localhost/several", name)
    kind = "application/vnd.docker.distribution.manifest.list.v2+json"
    answer = registry.request("GET", "/v2/lists/several/manifests/latest", headers={"Accept": kind})
    assert answer.headers["Content-Type"] == kind


@pytest.mark.not_podman("it reads the file of the machine, too")
def test_blocked_registry(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{registry.host}"\nblocked = true\n')
    before = len(registry.requests_seen())
    env = {"CONTAINERS_REGISTRIES_CONF": str(conf)}
    name = f"{registry.host}/never/here"
    result = pod("push", INSECURE, "busybox", name, env=env, status=125)
    assert "may not be pushed to: registries.conf blocks" in result.stderr
    assert len(registry.requests_seen()) == before


@pytest.mark.not_podman("it has no such flag")
def test_all_tags(pod: Engine, registry: Registry) -> None:
    """Each is tried, whatever happens to the others."""
    name = f"{registry.host}/many/tags"
    pod("tag", "busybox", f"{name}:1", f"{name}:2", f"{name}2:3", "localhost/many/tags:4")
    pod("push", "-q", INSECURE, "--all-tags", name)
    listed = registry.request("GET", "/v2/many/tags/tags/list")
    assert sorted(json.loads(listed.body)["tags"]) == ["1", "2"]
    for words in ([f"{name}:1"], [name, f"{name}:5"], ["no/such"]):
        assert pod("push", "-a", *words, status=125).stdout == ""
