from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.linux.idmap import stacked
from pod.spec.userns import IdMapping, UserNamespace
from pod.spec.userns_maps import IdsNotAvailable, effective_maps
from pod.spec.userns_option import parse_id_mapping, parse_user_namespace, parse_userns

CALLER = (1000, 100)
UIDS = stacked(1000, [(100000, 65536)])
GIDS = stacked(100, [(200000, 65536)])
BASES = (UIDS, GIDS)
SINGLE = (stacked(1000, []), stacked(100, []))
ROOT = (((0, 0, 4294967295),), ((0, 0, 4294967295),))


@pytest.mark.parametrize(
    ("text", "userns"),
    [
        ("", UserNamespace()),
        ("host", UserNamespace("host")),
        ("private", UserNamespace("private")),
        ("nomap", UserNamespace("nomap")),
        ("keep-id", UserNamespace("keep-id")),
        ("keep-id:uid=200,gid=210", UserNamespace("keep-id", uid=200, gid=210)),
        ("keep-id:uid=0,size=10", UserNamespace("keep-id", uid=0, size=10)),
        ("auto", UserNamespace("auto")),
        ("auto:size=8192", UserNamespace("auto", size=8192)),
        (
            "auto:uidmapping=5:0:1,gidmapping=6:1:2",
            UserNamespace(
                "auto",
                uid_maps=(IdMapping(5, 0, 1, extends=True),),
                gid_maps=(IdMapping(6, 1, 2, extends=True),),
            ),
        ),
        ("container:web", UserNamespace("container", "web")),
        ("ns:/proc/1/ns/user", UserNamespace("ns", "/proc/1/ns/user")),
    ],
)
def test_userns_is_read(text: str, userns: UserNamespace) -> None:
    assert parse_userns(text) == userns


@pytest.mark.parametrize(
    "text",
    [
        "hosts",
        "host:uid=1",
        "nomap:",
        "keep-id:",
        "keep-id:uid",
        "keep-id:uid=",
        "keep-id:uid=-1",
        "keep-id:uid=4294967295",
        "keep-id:uid=1,uid=2",
        "keep-id:name=me",
        "keep-id:size=0",
        "auto:size=0",
        "auto:size=1,size=2",
        "auto:uidmapping=1",
        "auto:colour=blue",
        "container:",
        "ns:x",
    ],
)
def test_userns_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_userns(text)


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("0:1:65536", IdMapping(0, 1, 65536)),
        ("1000:0", IdMapping(1000, 0, 1)),
        ("+10000:@1002:1", IdMapping(10000, 1002, 1, extends=True, on_host=True)),
        ("+g10000:@1002", IdMapping(10000, 1002, 1, extends=True, on_host=True, only="g")),
        ("u+5:6:7", IdMapping(5, 6, 7, extends=True, only="u")),
        ("ug5:6:7", IdMapping(5, 6, 7)),
    ],
)
def test_id_mapping_is_read(text: str, mapping: IdMapping) -> None:
    assert parse_id_mapping(text, "--uidmap") == mapping
    assert parse_id_mapping(str(mapping), "--uidmap") == mapping


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0:1:2:3",
        "a:1:2",
        "0:b:2",
        "0:1:0",
        "0:1:-1",
        "++0:1:2",
        "0:@@1:2",
        "@0:1:2",
        "4294967290:1:9",
    ],
)
def test_id_mapping_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--gidmap"):
        parse_id_mapping(text, "--gidmap")


def test_maps_of_one_kind_hold_for_the_other() -> None:
    both = parse_user_namespace("", ["0:1:10"])
    assert both.uid_maps == both.gid_maps == (IdMapping(0, 1, 10),)
    assert parse_user_namespace("", [], ["0:1:10"]) == both


def test_a_mark_limits_a_map_to_its_kind() -> None:
    userns = parse_user_namespace("", ["u0:1:10", "g5:1:10", "20:20:1"])
    assert [mapping.inside for mapping in userns.uid_maps] == [0, 20]
    assert [mapping.inside for mapping in userns.gid_maps] == [5, 20]


def test_maps_exclude_a_mode() -> None:
    with pytest.raises(UsageError, match="exclude"):
        parse_user_namespace("keep-id", ["0:1:10"])
    with pytest.raises(InvalidValue, match="'g' has its own option"):
        parse_user_namespace("", ["g0:1:10"], ["0:1:10"])


@pytest.mark.parametrize("mode", ["", "host", "private"])
def test_the_caller_is_root_by_default(mode: str) -> None:
    assert effective_maps(UserNamespace(mode), BASES, CALLER) == BASES


def uid_map(text: str, **others: object) -> object:
    return effective_maps(parse_userns(text), BASES, CALLER, **others)[0]  # type: ignore[arg-type]


def test_keep_id_maps_the_caller_to_itself() -> None:
    uids, gids = effective_maps(parse_userns("keep-id"), BASES, CALLER)
    assert uids == ((0, 100000, 1000), (1000, 1000, 1), (1001, 101000, 64536))
    assert gids == ((0, 200000, 100), (100, 100, 1), (101, 200100, 65436))


def test_keep_id_takes_another_id() -> None:
    # The numbers of podman's own example, "keep-id: add uid and gid options": 0 1 11, 11 0 1, 12 12 65525.
    assert uid_map("keep-id:uid=11") == ((0, 100000, 11), (11, 1000, 1), (12, 100011, 65525))
    assert uid_map("keep-id:uid=0") == ((0, 1000, 1), (1, 100000, 65536))


def test_keep_id_above_the_subordinate_ids_leaves_a_hole() -> None:
    assert uid_map("keep-id:uid=70000") == ((0, 100000, 65536), (70000, 1000, 1))


def test_keep_id_can_be_smaller() -> None:
    assert uid_map("keep-id:uid=2,size=6") == ((0, 100000, 2), (2, 1000, 1), (3, 100002, 3))


def test_keep_id_without_subordinate_ids_has_one_id() -> None:
    uids, gids = effective_maps(parse_userns("keep-id"), SINGLE, CALLER)
    assert (uids, gids) == (((1000, 1000, 1),), ((100, 100, 1),))


def test_nomap_leaves_the_caller_out() -> None:
    assert uid_map("nomap") == ((0, 100000, 65536),)
    with pytest.raises(IdsNotAvailable, match="needs 1 subordinate ids, and there are 0"):
        effective_maps(parse_userns("nomap"), SINGLE, CALLER)


def test_auto_takes_the_first_free_range() -> None:
    assert uid_map("auto:size=100") == ((0, 100000, 100),)
    assert uid_map("auto:size=100", used=[(1, 100), (201, 50)]) == ((0, 100100, 100),)
    assert uid_map("auto:size=101", used=[(201, 50), (1, 100)]) == ((0, 100250, 101),)
    assert uid_map("auto", auto_size=2000) == ((0, 100000, 2000),)


def test_auto_maps_what_it_is_told_to() -> None:
    assert uid_map("auto:size=10,uidmapping=5:0:1") == (
        (0, 100000, 5),
        (5, 1000, 1),
        (6, 100006, 4),
    )


def test_auto_says_when_nothing_is_free() -> None:
    with pytest.raises(IdsNotAvailable, match="no 10 of the 65536"):
        uid_map("auto:size=10", used=[(1, 65530)])


@pytest.mark.parametrize("mode", ["keep-id", "nomap", "auto"])
def test_root_has_no_subordinate_ids_to_arrange(mode: str) -> None:
    with pytest.raises(Unsupported):
        effective_maps(parse_userns(mode), ROOT, (0, 0))


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (["0:1:65536"], ((0, 100000, 65536),)),
        (["0:0:1", "1:1:10"], ((0, 1000, 1), (1, 100000, 10))),
        (["0:0:11"], ((0, 1000, 1), (1, 100000, 10))),
        (["1000:0:1"], ((1000, 1000, 1),)),
        (["5:1:2", "0:3:5"], ((0, 100002, 5), (5, 100000, 2))),
        (["0:@1000:1", "1:@100000:5"], ((0, 1000, 1), (1, 100000, 5))),
        (["+10:0:1"], ((1, 100000, 9), (10, 1000, 1), (11, 100010, 65526))),
        (
            ["+70000:@100005:1"],
            ((0, 1000, 1), (1, 100000, 5), (7, 100006, 65530), (70000, 100005, 1)),
        ),
    ],
)
def test_explicit_maps_go_through_the_intermediate_ids(
    maps: list[str], expected: tuple[tuple[int, int, int], ...]
) -> None:
    assert effective_maps(parse_user_namespace("", maps, ["+0:0:1"]), BASES, CALLER) == (
        expected,
        GIDS,
    )


def test_root_maps_the_ids_of_the_machine() -> None:
    userns = parse_user_namespace("", ["0:30000:7000"])
    assert effective_maps(userns, ROOT, (0, 0)) == (((0, 30000, 7000),), ((0, 30000, 7000),))


def test_a_map_spans_several_subordinate_ranges() -> None:
    bases = (stacked(1000, [(5000, 10), (9000, 10)]), stacked(100, [(5000, 20)]))
    uids, gids = effective_maps(parse_user_namespace("", ["0:1:20"]), bases, CALLER)
    assert uids == ((0, 5000, 10), (10, 9000, 10))
    assert gids == ((0, 5000, 20),)


@pytest.mark.parametrize(
    ("maps", "part"),
    [
        (["0:65537:1"], "is not among yours"),
        (["0:1:65537"], "is not among yours"),
        (["0:@1001:1"], "is not among yours"),
        (["0:1:5", "3:10:5"], "in the container is mapped twice"),
        (["0:1:5", "10:3:5"], "of the host is mapped twice"),
        ([f"{2 * number}:{number + 1}:1" for number in range(341)], "the kernel allows 340"),
    ],
)
def test_maps_that_cannot_be_are_refused(maps: list[str], part: str) -> None:
    with pytest.raises(IdsNotAvailable, match=part):
        effective_maps(parse_user_namespace("", maps), BASES, CALLER)


@given(
    uid=st.integers(0, 70000),
    size=st.integers(0, 70000),
    ranges=st.lists(st.integers(1, 2000), max_size=4),
)
def test_keep_id_maps_every_id_once_and_the_caller_always(
    uid: int, size: int, ranges: list[int]
) -> None:
    starts = [100000 + 5000 * number for number in range(len(ranges))]
    base = stacked(1000, list(zip(starts, ranges, strict=True)))
    uids, _ = effective_maps(UserNamespace("keep-id", uid=uid, size=size), (base, GIDS), CALLER)
    inside = [first + offset for first, _, count in uids for offset in range(count)]
    outside = [host + offset for _, host, count in uids for offset in range(count)]
    assert (
        len(set(inside)) == len(inside) == len(set(outside)) == min(size or 10**6, 1 + sum(ranges))
    )
    assert (uid, 1000) in list(zip(inside, outside, strict=True))


@given(
    st.lists(
        st.sampled_from(["keep-id", "auto", ":", "uid=", "size=", "uidmapping=", ",", "1", "0"])
    ).map("".join)
    | st.text()
)
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_userns, lambda value: parse_id_mapping(value, "--uidmap")):
        try:
            parse(text)
        except UsageError as error:
            assert error.message
