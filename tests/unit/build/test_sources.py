"""Which files COPY takes, what it never takes, and what makes it take another result from the cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pod.base.errors import PodError
from pod.build.dockerfile.ignore import IgnoreRules
from pod.build.dockerfile.instructions import Place
from pod.build.sources import Origin, Selection, Wanted, content_hash, select

PLACE = Place(file="Dockerfile", first=2, last=2, lines=("COPY",))

Take = Callable[..., Selection]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    context = tmp_path / "context"
    context.mkdir()
    (tmp_path / "outside").write_text("no")
    return context


def fill(root: Path, *paths: str) -> None:
    """`a/b` is a file, `a/` a directory, `a -> b` a link."""
    for path in paths:
        name, arrow, link = path.partition(" -> ")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if arrow:
            (root / name).symlink_to(link)
        elif path.endswith("/"):
            (root / name).mkdir(exist_ok=True)
        else:
            (root / name).write_bytes(os.fsencode(name))


@pytest.fixture
def origin(root: Path) -> Iterator[Callable[[str], Origin]]:
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    yield lambda ignore: Origin(
        root_fd=fd,
        name="the build context",
        rules=IgnoreRules.parse(ignore.encode(), ".dockerignore"),
    )
    os.close(fd)


@pytest.fixture
def take(origin: Callable[[str], Origin]) -> Take:
    def run(
        *sources: str,
        ignore: str = "",
        target: str = "/x/",
        parents: bool = False,
        exclude: tuple[str, ...] = (),
    ) -> Selection:
        wanted = Wanted(
            sources=sources, target=target, place=PLACE, parents=parents, exclude=exclude
        )
        return select(origin(ignore), wanted)

    return run


def targets(selection: Selection) -> list[str]:
    return [entry.target for entry in selection.entries]


def test_of_a_directory_the_content_is_taken(root: Path, take: Take) -> None:
    fill(root, "d/b/c", "d/a", "d/l -> /nowhere", "other")
    assert targets(take("d")) == ["", "a", "b", "b/c", "l"]
    assert targets(take("/d/")) == ["", "a", "b", "b/c", "l"]


def test_a_file_may_get_a_new_name_and_a_wildcard_not(root: Path, take: Take) -> None:
    fill(root, "a.txt")
    assert take("a.txt", target="/b").is_file
    assert not take("*.txt", target="/b").is_file
    assert targets(take("a.txt", target="/b")) == ["a.txt"]


@pytest.mark.parametrize("path", ["../outside", "/../../outside", "d/../../outside"])
def test_nothing_above_the_root_is_there(root: Path, take: Take, path: str) -> None:
    fill(root, "d/x")
    with pytest.raises(PodError, match=f"Dockerfile:2: '{path}' is not in the build context"):
        take(path)


@pytest.mark.parametrize("link", ["../outside", "../../../../../outside", "/outside"])
def test_links_lead_nowhere_else(root: Path, take: Take, link: str) -> None:
    fill(root, f"d/link -> {link}", f"up -> {os.path.dirname(link)}")
    for path in ("d/link", "up/outside"):
        with pytest.raises(PodError, match="is not in the build context"):
            take(path)
    fill(root, "outside")
    assert take("d/link").entries[0].source == "outside"


def test_a_link_that_is_named_is_followed_and_keeps_its_name(root: Path, take: Take) -> None:
    fill(root, "v1/file", "now -> v1", "f -> now/file")
    assert [(each.source, each.target) for each in take("f").entries] == [("v1/file", "f")]
    assert targets(take("now")) == ["", "file"]
    assert targets(take("n*")) == ["", "file"]


def test_links_in_a_circle_are_an_error(root: Path, take: Take) -> None:
    fill(root, "a -> b", "b -> a")
    with pytest.raises(PodError, match="'a' in the build context cannot be read: Too many levels"):
        take("a")


def test_what_is_ignored_is_not_there(root: Path, take: Take) -> None:
    fill(root, "src/a", "src/secret", "node/x", "link -> src/secret")
    ignore = "**/secret\nnode"
    assert targets(take(".", ignore=ignore)) == ["", "link", "src", "src/a"]
    assert targets(take("*", ignore=ignore)) == ["", "a"]
    for path in ("src/secret", "node", "node/x", "link"):
        with pytest.raises(PodError, match="is not in the build context") as caught:
            take(path, ignore=ignore)
        assert path == "link" or caught.value.hint == ".dockerignore hides it"


def test_a_directory_comes_with_what_is_taken_back(root: Path, take: Take) -> None:
    fill(root, "a/b/keep", "a/b/not", "a/c/not", "d/not", "e/")
    selection = take(".", ignore="*\n!a/b/keep")
    assert targets(selection) == ["", "a", "a/b", "a/b/keep"]
    assert targets(take("a", ignore="*\n!a/b/keep")) == ["", "b", "b/keep"]


def test_ignored_directories_are_not_read(root: Path, take: Take) -> None:
    fill(root, "big/x", "a")
    os.chmod(root / "big", 0)
    try:
        assert targets(take(".", ignore="big")) == ["", "a"]
    finally:
        os.chmod(root / "big", 0o700)


def test_wildcards(root: Path, take: Take) -> None:
    fill(root, "a/1.c", "a/2.c", "b/3.c", "b/x.h", ".hidden")
    assert targets(take("*/*.c")) == ["1.c", "2.c", "3.c"]
    assert targets(take("*.none", "a/1.c")) == ["1.c"]
    assert targets(take("*.none")) == []
    assert ".hidden" in targets(take("*"))


@pytest.mark.parametrize("sources", [("a", "b"), ("*",)])
def test_several_sources_need_a_directory(root: Path, take: Take, sources: tuple[str, ...]) -> None:
    fill(root, "a", "b")
    with pytest.raises(PodError, match="several sources need a directory as target, and '/x'"):
        take(*sources, target="/x")
    assert targets(take(*sources, target=".")) == ["a", "b"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x/a.txt", ["x", "x/a.txt"]),
        ("./x/./y/*.txt", ["y", "y/b.txt"]),
        ("**/*.txt", ["x", "x/a.txt", "x/y", "x/y/b.txt"]),
        ("./x/**/b*", ["x", "x/y", "x/y/b.c", "x/y/b.txt"]),
        ("x/y", ["x", "x/y", "x/y/b.c", "x/y/b.txt"]),
        ("x/./y/b.c", ["y", "y/b.c"]),
        ("*/y", ["x", "x/y", "x/y/b.c", "x/y/b.txt"]),
    ],
)
def test_parents(root: Path, take: Take, source: str, expected: list[str]) -> None:
    fill(root, "x/a.txt", "x/y/b.txt", "x/y/b.c", "z/c")
    assert targets(take(source, parents=True)) == expected


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        (("*.txt",), ["", "b.c", "y", "y/d.txt"]),
        (("**/*.txt",), ["", "b.c", "y"]),
        (("y",), ["", "a.txt", "b.c"]),
        (("x/y/d.txt", "b.?"), ["", "a.txt", "y"]),
    ],
)
def test_exclude(root: Path, take: Take, exclude: tuple[str, ...], expected: list[str]) -> None:
    fill(root, "x/a.txt", "x/b.c", "x/y/d.txt")
    assert targets(take("x", exclude=exclude)) == expected


def test_exclude_of_files_that_are_named(root: Path, take: Take) -> None:
    fill(root, "home.txt", "home.md")
    assert targets(take("hom*", exclude=("*.txt",))) == ["home.md"]


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        pytest.param(lambda root: os.utime(root / "d/f", (1, 1)), False, id="time"),
        pytest.param(lambda root: (root / "d/f").write_text("other"), True, id="content"),
        pytest.param(lambda root: (root / "d/f").chmod(0o751), True, id="mode"),
        pytest.param(lambda root: (root / "d/f").rename(root / "d/g"), True, id="name"),
        pytest.param(lambda root: (root / "d/new").mkdir(), True, id="empty-directory"),
        pytest.param(lambda root: (root / "other").write_text("x"), False, id="not-chosen"),
        pytest.param(lambda root: (root / "d/ignored").write_text("x"), False, id="ignored"),
    ],
)
def test_what_the_hash_depends_on(
    root: Path,
    take: Take,
    origin: Callable[[str], Origin],
    change: Callable[[Path], object],
    differs: bool,
) -> None:
    fill(root, "d/f", "d/l -> f")

    def hashed() -> str:
        return content_hash(
            origin(""), take("d", ignore="d/ignored"), with_owners=os.geteuid() == 0
        )

    before = hashed()
    change(root)
    assert (hashed() != before) is differs


def test_names_are_bytes_and_directories_deep(root: Path, take: Take) -> None:
    name = os.fsdecode(b"d/\xff\n")
    fill(root, name, "d/" + "x/" * 200 + "end")
    assert os.fsdecode(b"\xff\n") in targets(take("d"))
    assert len(take("d").entries) == 203
