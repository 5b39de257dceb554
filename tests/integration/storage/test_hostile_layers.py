"""Layers that try what no layer may do. Whatever becomes of them, nothing outside of the layer is touched."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pod.base.errors import PodError
from storage.directories import names
from storage.layers import InvalidLayer, LayerError
from storage.store import Store
from tests.integration.storage.conftest import inside, kinds, tree_of, unpack
from tests.support.layout import Entry, directory, hardlink, layer_tar, symlink


@pytest.fixture(autouse=True)
def canary(store: Store) -> Generator[None]:
    """Files beside and above the layer, where an escape would end."""
    places = [f"{store.root}/canary", f"{store.root}/staging/canary", f"{store.root}/layers/canary"]
    for place in places:
        os.makedirs(place)
        with open(f"{place}/file", "w") as file:
            file.write("untouched")
    above = set(os.listdir(store.root)) | {"locks", "images"}
    yield
    for place in places:
        assert os.listdir(place) == ["file"]
        status = os.stat(f"{place}/file")
        assert (status.st_mode & 0o7777, status.st_nlink) == (0o644, 1)
        with open(f"{place}/file") as file:
            assert file.read() == "untouched"
    assert set(os.listdir(store.root)) <= above | {"trash"}
    assert names(f"{store.root}/staging") == ["canary"]


def refused(store: Store, *entries: Entry) -> LayerError:
    with pytest.raises(InvalidLayer) as caught:
        unpack(store, layer_tar(entries))
    return caught.value


def accepted(store: Store, *entries: Entry) -> str:
    return store.layers.path(unpack(store, layer_tar(entries)).diff_id)


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../canary/file",
        "a/../../canary/file",
        "/../canary/file",
        "./../canary/file",
        "a/b/../../../x",
    ],
)
@pytest.mark.parametrize("kind", ["file", "directory", "symlink", "hardlink", "fifo"])
def test_names_that_lead_out_are_refused(store: Store, name: str, kind: str) -> None:
    error = refused(store, Entry("a"), Entry(name, kind=kind, target="a"))
    assert "outside of the layer" in error.message
    assert f"'{name}" in error.message


def test_absolute_names_are_inside(store: Store) -> None:
    path = accepted(
        store, Entry("/etc/passwd", b"x"), directory("//usr//bin/"), Entry("/a/./b/../c", b"x")
    )
    assert sorted(kinds(path)) == ["a", "a/c", "etc", "etc/passwd", "usr", "usr/bin"]


@pytest.mark.parametrize(
    "target", ["../canary", "/", "../../../../../../../..", "/etc", "a/../../.."]
)
def test_writing_through_a_link_stays_inside(store: Store, target: str) -> None:
    try:
        path = accepted(store, symlink("link", target), Entry("link/file", b"overwritten"))
    except InvalidLayer:
        return
    assert all(not name.startswith("..") for name in kinds(path))


def test_writing_through_an_absolute_link_ends_in_the_layer(store: Store) -> None:
    path = accepted(store, symlink("link", "/etc"), directory("etc"), Entry("link/file", b"x"))
    assert kinds(path) == {"link": "symlink", "etc": "directory", "etc/file": "file"}


def test_a_file_replaces_a_link_and_does_not_follow_it(store: Store) -> None:
    target = f"{store.root}/canary/file"
    for kind in ("file", "directory", "fifo"):
        path = accepted(
            store, symlink("x", target), Entry("x", b"new" if kind == "file" else b"", kind=kind)
        )
        assert kinds(path) == {"x": kind}


def test_attributes_are_not_set_through_a_link(store: Store) -> None:
    accepted(
        store,
        symlink("d", f"{store.root}/canary"),
        Entry("l", kind="symlink", target=f"{store.root}/canary/file", uid=5, gid=5, mode=0o777),
        directory("d", mode=0o4777, uid=5),
    )


@pytest.mark.parametrize(
    ("link", "target"),
    [
        pytest.param("h", "../canary/file", id="parent"),
        pytest.param("h", "/../canary/file", id="absolute parent"),
        pytest.param("h", "up/canary/file", id="through a link"),
        pytest.param("h", "abs/file", id="through an absolute link"),
        pytest.param("h", "missing", id="nothing"),
        pytest.param("h", "", id="the root"),
        pytest.param("h", "d", id="a directory"),
        pytest.param("up/h", "../../x", id="both"),
    ],
)
def test_hard_links_to_the_outside_are_refused(store: Store, link: str, target: str) -> None:
    refused(
        store,
        directory("d"),
        symlink("up", "../../.."),
        symlink("abs", f"{store.root}/canary"),
        hardlink(link, target),
    )


def test_a_hard_link_to_a_link_is_no_way_out(store: Store) -> None:
    """The classic: a hard link to a symbolic link, then a file of the same name."""
    path = accepted(
        store,
        symlink("sym", f"{store.root}/canary/file"),
        hardlink("hard", "sym"),
        Entry("hard", b"overwritten"),
    )
    assert kinds(path) == {"sym": "symlink", "hard": "file"}


def test_a_hard_link_to_itself_changes_nothing(store: Store) -> None:
    path = accepted(
        store,
        Entry("a", b"x"),
        hardlink("a", "a"),
        hardlink("./a", "/a"),
        symlink("s", "."),
        hardlink("s/a", "a"),
    )
    assert tree_of(path)["a"]["content"] == b"x"
    refused(store, hardlink("loop", "loop"))
    refused(store, hardlink("one", "two"), hardlink("two", "one"))


def test_links_in_a_circle_are_refused(store: Store) -> None:
    assert (
        "never end" in refused(store, symlink("a", "b"), symlink("b", "a"), Entry("a/file")).message
    )


def test_what_changes_its_kind_is_what_it_was_last(store: Store) -> None:
    path = accepted(
        store,
        symlink("a", f"{store.root}/canary"),
        directory("a"),
        Entry("a/in-dir", b"x"),
        symlink("a", f"{store.root}/canary"),
        directory("a"),
        Entry("a/file", b"last"),
        directory("b"),
        Entry("b/deep/er/file", b"x"),
        Entry("b", b"now a file"),
        Entry("c", b"1"),
        Entry("c", b"2", mode=0o600),
    )
    tree = tree_of(path)
    assert sorted(tree) == ["a", "a/file", "b", "c"]
    assert (tree["b"]["content"], tree["c"]["content"], tree["c"]["mode"]) == (
        b"now a file",
        b"2",
        0o600,
    )


def test_a_directory_that_is_open_may_turn_into_a_link(store: Store) -> None:
    """The unpacker keeps directories open; what replaces one must not be reached through the old descriptor."""
    path = accepted(
        store,
        Entry("d/sub/one", b"x"),
        Entry("d", b"a file now"),
        directory("d"),
        symlink("d/sub", "/elsewhere"),
        Entry("d/sub/two", b"x"),
        symlink("l", "first"),
        Entry("l/one", b"x"),
        symlink("l", "second"),
        Entry("l/two", b"x"),
    )
    assert sorted(name for name, kind in kinds(path).items() if kind == "file") == [
        *("elsewhere/two", "first/one", "second/two")
    ]


def test_more_directories_than_stay_open(store: Store) -> None:
    entries = [Entry(f"d{number}/file", b"x") for number in range(700)]
    links = [hardlink(f"d{number}/link", f"d{number + 350}/file") for number in range(350)]
    path = accepted(store, *entries, *links, *entries[:5])
    assert len(kinds(path)) == 700 * 2 + 350


def test_nothing_can_be_inside_of_a_file(store: Store) -> None:
    assert "no directory" in refused(store, Entry("a", b"x"), Entry("a/b", b"x")).message


@pytest.mark.parametrize("name", ["/", ".", "./", "a/.."])
@pytest.mark.parametrize("kind", ["file", "symlink", "fifo", "hardlink", "char"])
def test_the_root_is_a_directory(store: Store, name: str, kind: str) -> None:
    refused(store, Entry("t"), Entry(name, kind=kind, target="t"))


@pytest.mark.parametrize("name", [".wh.", "a/.wh.", ".wh...", ".wh..", "a/.wh...", "/.wh.."])
def test_whiteouts_of_the_directory_itself_are_refused(store: Store, name: str) -> None:
    assert "remove its own directory" in refused(store, directory("a"), Entry(name)).message


def test_whiteouts_do_not_lead_out(store: Store) -> None:
    refused(store, Entry("../canary/.wh.file"))
    try:
        accepted(
            store, symlink("up", "../../canary"), Entry("up/.wh.file"), Entry("up/.wh..wh..opq")
        )
    except InvalidLayer:
        pass


@pytest.mark.parametrize("name", ["x" * 256, "x/" * 2100 + "y", "a/" + "y" * 300 + "/b"])
def test_names_that_are_too_long_are_refused(store: Store, name: str) -> None:
    error = refused(store, Entry(name, b"x"))
    assert "too long" in error.message
    assert len(error.message) < 500


def test_a_deep_tree_can_be_made_and_removed(store: Store) -> None:
    deep = "/".join("d" * 900)
    diff_id = unpack(store, layer_tar([Entry(f"{deep}/file", b"x"), directory(deep)])).diff_id
    store.layers.remove(diff_id)
    store.staging.empty_trash()
    assert store.staging.trash() == []


def test_file_types_of_the_future_are_refused(store: Store) -> None:
    data = bytearray(layer_tar([Entry("a")]))
    info = tarfile.TarInfo("a")
    info.type = b"Z"
    data[:512] = info.tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(InvalidLayer, match="not known"):
        unpack(store, bytes(data))


def test_a_link_without_a_target_is_refused(store: Store) -> None:
    refused(store, symlink("empty", ""))


def test_ids_that_nobody_has_are_named(store: Store) -> None:
    if os.geteuid() == 0:
        pytest.skip("root has all ids")
    error = refused(store, Entry("file", b"x", uid=3_000_000_000))
    assert "'file'" in error.message
    assert "3000000000" in (error.hint or "")


def test_an_error_shows_no_control_characters(store: Store) -> None:
    message = refused(store, Entry("../\x1b[31mred\n\u202e")).message
    assert "\x1b" not in message
    assert "\n" not in message
    assert "\u202e" not in message


NAMES = st.lists(
    st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq", "c" * 40]),
    min_size=1,
    max_size=4,
).map("/".join)
KINDS = st.sampled_from(["file", "directory", "symlink", "hardlink", "fifo", "char"])
ENTRIES = st.lists(
    st.builds(
        Entry,
        NAMES.filter(bool),
        content=st.sampled_from([b"", b"x"]),
        kind=KINDS,
        mode=st.sampled_from([0, 0o644, 0o7777]),
        uid=st.sampled_from([0, 33]),
        target=st.one_of(NAMES, st.sampled_from(["/", "../../canary", "/a", "."])),
    ),
    max_size=12,
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ENTRIES)
def test_any_sequence_of_entries_stays_inside(store: Store, entries: list[Entry]) -> None:
    try:
        record = unpack(store, layer_tar(entries))
    except PodError:
        return
    top = store.layers.path(record.diff_id)
    assert inside(lambda: os.path.realpath(top)) == os.path.realpath(top)
    store.layers.remove(record.diff_id)
    store.staging.empty_trash()
