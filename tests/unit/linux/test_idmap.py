from __future__ import annotations

import builtins
import os
import pwd
from collections.abc import Callable
from typing import Any

import pytest

from pod.linux import idmap

Files = Callable[[dict[str, str]], None]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    """Replace files of /etc by texts; those that are not given do not exist."""
    import io

    real = builtins.open

    def replace(contents: dict[str, str]) -> None:
        def fake(path: Any, *arguments: Any, **options: Any) -> Any:
            if str(path).startswith("/etc/"):
                if path not in contents:
                    raise FileNotFoundError(2, "No such file or directory", path)
                return io.StringIO(contents[path])
            return real(path, *arguments, **options)

        monkeypatch.setattr(builtins, "open", fake)

    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(
        pwd, "getpwuid", lambda uid: pwd.struct_passwd(("me", "", uid, 100, "", "/home/me", ""))
    )
    return replace


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        pytest.param("me:100000:65536\n", [(100000, 65536)], id="by-name"),
        pytest.param("1000:100000:65536\n", [(100000, 65536)], id="by-number"),
        pytest.param(
            "you:1:1\nme:100000:10\nme:300000:20\n", [(100000, 10), (300000, 20)], id="two"
        ),
        pytest.param("# me:1:1\n\nme:1\nme:100000:10\n", [(100000, 10)], id="odd-lines"),
        pytest.param("me:x:10\nme:200000:10\n", [(200000, 10)], id="a-line-that-is-no-range"),
        pytest.param("me:100000:0\n", [], id="an-empty-range"),
        pytest.param("me:-5:10\n", [], id="a-negative-one"),
        pytest.param("me :100000:10\nmeme:100000:10\n", [], id="others"),
        pytest.param(None, [], id="no-file"),
    ],
)
def test_ranges_are_those_of_the_caller(
    files: Files, text: str | None, ranges: list[tuple[int, int]]
) -> None:
    files({} if text is None else {"/etc/subuid": text})
    assert idmap.subordinate_ranges("uid") == ranges


def test_group_ranges_name_users_too(files: Files) -> None:
    files({"/etc/subuid": "me:1:1\n", "/etc/subgid": "me:200000:5\n"})
    assert idmap.subordinate_ranges("gid") == [(200000, 5)]


def test_a_user_without_a_name_is_found_by_number(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    files({"/etc/subuid": "1000:100000:10\n"})
    assert idmap.subordinate_ranges("uid") == [(100000, 10)]


def test_the_caller_is_root_and_its_ranges_follow() -> None:
    assert idmap.stacked(1000, [(100000, 10), (300000, 20)]) == (
        (0, 1000, 1),
        (1, 100000, 10),
        (11, 300000, 20),
    )


def test_without_ranges_there_is_one_id() -> None:
    assert idmap.stacked(1000, []) == ((0, 1000, 1),)


OUTER = ((0, 1000, 1), (1, 100000, 65536), (65537, 300000, 10))


@pytest.mark.parametrize(
    ("wanted", "nested"),
    [
        pytest.param(OUTER, ((0, 0, 1), (1, 1, 65536), (65537, 65537, 10)), id="the-same"),
        pytest.param(((0, 100000, 10),), ((0, 1, 10),), id="a-part"),
        pytest.param(((0, 100005, 1), (7, 1000, 1)), ((0, 6, 1), (7, 0, 1)), id="another-order"),
        pytest.param((), (), id="none"),
    ],
)
def test_maps_inside_of_others(wanted: idmap.IdMap, nested: idmap.IdMap) -> None:
    assert idmap.inside(wanted, OUTER) == nested


def test_an_extent_is_split_where_one_of_the_outer_map_ends() -> None:
    outer = ((0, 100, 10), (50, 110, 5), (90, 115, 100))
    assert idmap.inside(((3, 108, 10),), outer) == ((3, 8, 2), (5, 50, 5), (10, 90, 3))


@pytest.mark.parametrize(
    ("extent", "missing"), [((0, 5, 1), 5), ((0, 300005, 6), 300010), ((0, 999, 2), 999)]
)
def test_ids_that_the_outer_map_has_not(extent: idmap.Extent, missing: int) -> None:
    with pytest.raises(idmap.IdMapError, match=f"id {missing} of the host"):
        idmap.inside((extent,), OUTER)
