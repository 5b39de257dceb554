"""What an id map does to the owners of an image's files."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.linux.idmap import stacked
from pod.spec.userns_maps import effective_maps, relative_map
from pod.spec.userns_option import parse_user_namespace, parse_userns
from storage.mapped import Shift

BASE = stacked(1000, [(100000, 65536)])
CALLER = (1000, 1000)


def shift(userns: str) -> Shift:
    return Shift(effective_maps(parse_userns(userns), (BASE, BASE), CALLER)[0], BASE)


def test_relative_map_has_intermediate_ids_in_the_place_of_the_hosts() -> None:
    ids = ((0, 100000, 500), (500, 1000, 1), (501, 100500, 10))
    assert relative_map(ids, BASE) == ((0, 1, 500), (500, 0, 1), (501, 501, 10))
    assert relative_map(BASE, BASE) == ((0, 0, 65537),)
    assert relative_map(((0, 7, 3),), BASE) == ()


def test_relative_map_crosses_ranges() -> None:
    base = stacked(1000, [(5000, 10), (9000, 10)])
    assert relative_map(((0, 5005, 5), (5, 9000, 2)), base) == ((0, 6, 7),)


@pytest.mark.parametrize(
    ("userns", "by", "moves"),
    [
        ("host", 0, {}),
        ("nomap", 1, {}),
        ("keep-id", 1, {1001: 0}),
        ("keep-id:uid=33,gid=33", 1, {34: 0, 1000: 999, 1001: 1000, 65535: 65534}),
        ("keep-id:uid=0,gid=0", 0, {}),
    ],
)
def test_moves_are_what_the_shift_leaves_wrong(userns: str, by: int, moves: dict[int, int]) -> None:
    found = shift(userns)
    assert found.by == by
    owners = [0, 1, 33, 999, 1000] + ([65534] if userns == "keep-id:uid=33,gid=33" else [])
    assert found.moves(owners) == moves


def test_owner_that_does_not_exist_in_the_container_is_nobody_there() -> None:
    found = Shift(((0, 1000, 1), (1, 100000, 9)), BASE)
    assert found.moves([0, 5, 9]) == {}
    assert found.wanted(500) == 500  # which the container does not have
    other = Shift(((0, 1000, 1), (1, 100100, 9)), BASE)
    used = range(101, 110)
    assert all(other.wanted(number) not in used for number in (10, 105, 109, 5000))


def test_one_id_is_the_owner_of_everything() -> None:
    alone = stacked(1000, [])
    for ids in (alone, ((1000, 1000, 1),)):
        found = Shift(ids, alone)
        assert (found.by, found.moves([0])) == (0, {})


maps = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(1, 40)), min_size=1, max_size=4
)


@given(maps, st.lists(st.integers(0, 300), max_size=20))
@example(
    [(0, 256, 1), (105, 0, 40)], [144, 145]
)  # a shift by so much that it leaves the ids there are
def test_every_owner_that_exists_is_seen_as_itself(
    extents: list[tuple[int, int, int]], owners: list[int]
) -> None:
    base = stacked(1000, [(100000, 400)])
    words = [f"{inside}:{outside}:{count}" for inside, outside, count in extents]
    try:
        ids = effective_maps(parse_user_namespace("", words), (base, base), CALLER)[0]
    except PodError:
        return  # a map that cannot be
    found = Shift(ids, base)
    back = {
        outside + offset: inside + offset
        for inside, outside, count in relative_map(ids, base)
        for offset in range(count)
    }
    moves = found.moves(owners)
    for number in owners:
        plain = found.plain(number)
        on_disk = moves.get(plain, plain)
        if number in back.values():
            assert back[on_disk] == number
        elif len(back) < 401:
            assert on_disk not in back
