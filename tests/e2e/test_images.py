"""`pod images`, `history` and `image inspect`: what is shown of images, by filters and in formats."""

from __future__ import annotations

import json

import pytest

from tests.integration.image.faulty import FaultyRegistry, small_layer
from tests.support.engine import Engine


@pytest.fixture
def names(pod: Engine, server: FaultyRegistry) -> tuple[str, str]:
    """Two images, the second with a label and one layer more."""
    server.add_image("me/one:1", [small_layer("a")])
    layers = [small_layer("a"), small_layer("b", b"x" * 5000)]
    server.add_image("me/two:2", layers)
    manifest = server.manifests["/v2/me/two/manifests/2"][1]
    config = json.loads(server.blobs[json.loads(manifest)["config"]["digest"]])
    config |= {
        "created": "2021-05-06T07:08:09Z",
        "author": "jane",
        "config": {
            "Labels": {"app": "web", "stage": "2"},
            "Cmd": ["serve"],
            "Env": ["A=b"],
            "ExposedPorts": {"80/tcp": {}},
            "WorkingDir": "/srv",
            "User": "7",
        },
        "history": [
            {"created": "2021-05-06T07:08:09Z", "created_by": "COPY a"},
            {"created": "2021-05-06T07:08:09Z", "created_by": "ENV A=b", "empty_layer": True},
            {"created": "2021-05-06T07:08:09Z", "created_by": "COPY b", "comment": "why"},
        ],
    }
    server.add_image("me/two:2", layers, config=config)
    both = f"{server.host}/me/one:1", f"{server.host}/me/two:2"
    for name in both:
        pod("pull", "-q", "--tls-verify=false", name)
    return both


def listed(pod: Engine, *words: str) -> list[str]:
    """The last words of the names, without those that only other tests have asked for."""
    others = {f"{name}:latest" for name in pod.present - {"busybox"}}
    lines = pod("images", "--format", "{{.Repository}}:{{.Tag}}", *words).lines
    return [name for line in lines if (name := line.rpartition("/")[2]) not in others]


def test_table(pod: Engine, names: tuple[str, str]) -> None:
    lines = pod("images").lines
    assert lines[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    (line,) = [line.split() for line in lines if "/me/two" in line]
    assert line[:2] == [names[1].rpartition(":")[0], "2"]
    number = pod("inspect", "--format", "{{.Id}}", names[1]).out
    assert line[2] == number[:12]
    assert f"sha256:{number}" in pod("images", "--no-trunc").stdout
    assert len(pod("images", "--noheading").lines) == len(lines) - 1
    assert number[:12] in pod("images", "-q").lines
    assert pod("images", "-q", names[1]).lines == [number[:12]]
    assert (
        pod("inspect", "--format", "{{.Digest}}", names[1]).out in pod("images", "--digests").stdout
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--filter", "label=app"], {"two:2"}),
        (["--filter", "label=app=web"], {"two:2"}),
        (["--filter", "label=app=web", "--filter", "label=stage=2"], {"two:2"}),
        (["--filter", "label=app=other"], set()),
        (["--filter", "reference=*/me/*"], {"one:1", "two:2"}),
        (["--filter", "reference=*:2"], {"two:2"}),
        (["--filter", "dangling=true"], set()),
        (["--filter", "dangling=false"], {"one:1", "two:2", "busybox:latest"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_filters(pod: Engine, names: tuple[str, str], words: list[str], expected: set[str]) -> None:
    assert set(listed(pod, *words)) == expected


def test_filters_by_age(pod: Engine, names: tuple[str, str]) -> None:
    assert "busybox:latest" in listed(pod, "--filter", f"since={names[1]}")
    assert "two:2" in listed(pod, "--filter", "before=busybox")
    assert "two:2" not in listed(pod, "--filter", f"before={names[1]}")


def test_wrong_filters_and_formats(pod: Engine) -> None:
    for words in (["--filter", "nonsense=1"], ["--filter", "dangling=perhaps"], ["--sort", "colour"],
                  ["--format", "{{.Nonsense}}"], ["--format", "{{"], ["a", "b"]):  # fmt: skip
        result = pod("images", *words, status=125)
        assert result.stdout == "", result
        assert "Error: " in result.stderr


def test_sort(pod: Engine, names: tuple[str, str]) -> None:
    def order(key: str) -> list[str]:
        return listed(pod, "--sort", key)

    assert order("repository")[-1] == "busybox:latest"
    assert order("size")[0] == "one:1" or order("size")[-1] == "one:1"
    assert sorted(order("tag")) == sorted(order("created")) == ["busybox:latest", "one:1", "two:2"]


def test_json(pod: Engine, names: tuple[str, str]) -> None:
    every = {image["Names"][0]: image for image in pod("images", "--format", "json").json()}
    two = every[names[1]]
    assert two["Id"] == pod("inspect", "--format", "{{.Id}}", names[1]).out
    assert two["Labels"] == {"app": "web", "stage": "2"}
    assert two["Created"] == 1620284889
    assert two["Size"] > 5000
    assert two["RepoDigests"][0].partition("@")[2] == two["Digest"]
    assert two["Containers"] == 0


def test_templates(pod: Engine, names: tuple[str, str]) -> None:
    form = "{{.ID}} {{.Repository}} {{.Tag}} {{.Size}} {{.CreatedSince}} {{.Digest}}"
    (line,) = pod("images", "--format", form, names[1]).lines
    assert line.split()[1:3] == [names[1].rpartition(":")[0], "2"]
    assert "years ago" in line
    assert pod("images", "--format", "table {{.Tag}}", names[1]).lines == ["TAG", "2"]


def test_dangling_images(pod: Engine, server: FaultyRegistry, names: tuple[str, str]) -> None:
    old = pod("inspect", "--format", "{{.Id}}", names[0]).out
    server.add_image("me/one:1", [small_layer("new")])
    pod("pull", "-q", "--tls-verify=false", names[0])
    assert pod("images", "-q", "--filter", "dangling=true").lines == [old[:12]]
    assert "<none>" in pod("images").stdout
    assert pod("image", "prune", "-f").lines == [old]
    assert pod("images", "-q", "--filter", "dangling=true").lines == []


def test_history(pod: Engine, names: tuple[str, str]) -> None:
    lines = pod("history", names[1]).lines
    assert lines[0].split() == ["ID", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert ["COPY b" in lines[1], "ENV A=b" in lines[2], "COPY a" in lines[3]] == [True] * 3
    assert "why" in lines[1]
    number = pod("inspect", "--format", "{{.Id}}", names[1]).out
    assert pod("history", "-q", names[1]).lines[0] == number[:12]
    assert pod("history", "-q", "--no-trunc", names[1]).lines[0] == number
    assert pod("history", "--format", "{{.CreatedBy}}", names[1]).lines == [
        "COPY b",
        "ENV A=b",
        "COPY a",
    ]
    document = pod("history", "--format", "json", names[1]).json()
    assert [entry["CreatedBy"] for entry in document] == ["COPY b", "ENV A=b", "COPY a"]
    assert "no-such-image" in pod("history", "no-such-image", status=125).stderr


def test_inspect(pod: Engine, names: tuple[str, str]) -> None:
    (found,) = pod("image", "inspect", names[1]).json()
    assert found["Config"]["Labels"] == {"app": "web", "stage": "2"}
    assert found["Config"]["Cmd"] == ["serve"]
    assert found["Config"]["WorkingDir"] == "/srv"
    assert found["User"] == "7"
    assert found["Author"] == "jane"
    assert found["RepoTags"] == [names[1]]
    assert found["Architecture"] == "amd64"
    assert found["Created"].startswith("2021-05-06T07:08:09")
    assert found["RootFS"]["Type"] == "layers"
    assert len(found["RootFS"]["Layers"]) == 2
    assert [entry["created_by"] for entry in found["History"]] == ["COPY a", "ENV A=b", "COPY b"]
    assert pod("inspect", "--type", "image", names[1]).json() == [found]
    form = "{{.Config.Env}} {{json .Config.ExposedPorts}} {{len .RootFS.Layers}}"
    assert pod("image", "inspect", "--format", form, names[1]).out == '[A=b] {"80/tcp":{}} 2'


def test_inspect_of_several(pod: Engine, names: tuple[str, str]) -> None:
    result = pod("image", "inspect", "busybox", "no-such-image", names[0], status=125)
    assert len(json.loads(result.stdout)) == 2
    assert "no-such-image" in result.stderr


def test_exists(pod: Engine, names: tuple[str, str]) -> None:
    number = pod("images", "-q", names[0]).out
    for name in ("busybox", names[0], number):
        assert pod("image", "exists", name).stdout == ""
    pod("image", "exists", "no-such-image", status=1)


def test_end_of_a_name(pod: Engine, names: tuple[str, str]) -> None:
    """Enough where no other image has it."""
    number = pod("inspect", "--format", "{{.Id}}", names[0]).out
    for name in ("one:1", "me/one:1"):
        pod("image", "exists", name)
        assert pod("image", "inspect", "--format", "{{.Id}}", name).out == number
    pod("image", "exists", "ne:1", status=1)
    pod("image", "exists", "one", status=1)
    pod("rm", pod("create", "--pull", "never", "me/one:1", "x").out)
    pod("tag", "one:1", "localhost/other/one:1", "busy.example.com/other/one:1")
    pod("rmi", "me/one:1")
    assert "other/one" in pod("images", "--format", "{{.Repository}}").stdout


@pytest.mark.not_podman("version 4.3 takes any of them")
def test_end_of_several_names(pod: Engine, names: tuple[str, str]) -> None:
    pod("tag", names[0], "r.example.com/a/same:1")
    pod("tag", names[1], "r.example.com/b/same:1")
    result = pod("image", "inspect", "same:1", status=125)
    assert "r.example.com/a/same:1, r.example.com/b/same:1" in result.stderr
    pod("image", "exists", "a/same:1")
