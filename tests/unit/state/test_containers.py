from __future__ import annotations

import pytest

from pod.base.errors import PodError
from pod.spec.container import ContainerConfig
from pod.state import containers, summaries, volumes
from pod.state.containers import (
    AmbiguousContainer,
    NameTaken,
    NoSuchContainer,
    StillNeeded,
)
from pod.state.database import Database
from tests.unit.state.conftest import Insert, row


def test_a_row_comes_back_as_it_was(database: Database) -> None:
    config = ContainerConfig(
        image="busybox", command=("sh",), environment=("A=ü\udcff",), labels={"a": "b"}
    )
    container = row("one", config, outcome={"error": "x"}, image_id="sha256:1")
    containers.insert(database, container)
    assert containers.find(database, "one") == container
    assert containers.by_ids(database, [container.id]) == [container]
    assert containers.using_image(database, "sha256:1") == [container]


def test_a_container_is_found_by_name_id_and_beginning(database: Database, insert: Insert) -> None:
    one = insert("one", id="abc" + "0" * 61)
    insert("two", id="abd" + "0" * 61)
    for text in ("one", one.id, "abc", "abc0"):
        assert containers.find(database, text).id == one.id


def test_a_beginning_of_several_ids_names_them(database: Database, insert: Insert) -> None:
    insert("one", id="abc" + "0" * 61)
    insert("two", id="abd" + "0" * 61)
    with pytest.raises(AmbiguousContainer, match="abc000000000, abd000000000"):
        containers.find(database, "ab")


@pytest.mark.parametrize("text", ["", "nothing", "ABC", "%", "_ne", "on", "f", "abc" + "0" * 62])
def test_other_words_find_nothing(database: Database, insert: Insert, text: str) -> None:
    insert("one", id="abc" + "0" * 61)
    with pytest.raises(NoSuchContainer):
        containers.find(database, text)


@pytest.mark.parametrize("order", [0, 1])
def test_names_win_over_ids(database: Database, insert: Insert, order: int) -> None:
    """A container may be called as another's id begins, or even as the whole of it."""
    long, short = "abc" + "0" * 61, "abc"
    pairs = [(long, "f" * 64), (short, "e" * 64), ("plain", long)]
    for name, container_id in pairs if order else reversed(pairs):
        insert(name, id=container_id)
    assert containers.find(database, long).id == "f" * 64
    assert containers.find(database, short).id == "e" * 64


def test_the_name_of_another_is_taken(database: Database, insert: Insert) -> None:
    owner = insert("one")
    with pytest.raises(NameTaken, match=owner.id[:12]):
        insert("one")
    assert len(containers.all_of(database)) == 1


def test_a_volume_that_is_gone_meanwhile_is_named(database: Database, insert: Insert) -> None:
    with pytest.raises(volumes.NoSuchVolume, match="'gone'"):
        insert("one", ContainerConfig(volumes=("gone",)))
    assert containers.all_of(database) == []


def test_a_container_that_is_needed_and_gone_is_named(database: Database, insert: Insert) -> None:
    with pytest.raises(NoSuchContainer, match="f" * 12):
        insert("one", ContainerConfig(needs=("f" * 64,)))
    assert containers.all_of(database) == []


def test_what_others_need_stays(database: Database, insert: Insert) -> None:
    needed = insert("needed")
    user = insert("user", ContainerConfig(needs=(needed.id,)))
    assert containers.needing(database, needed.id) == [user]
    with pytest.raises(StillNeeded, match="is needed by user"):
        containers.remove(database, needed)
    assert containers.remove(database, user)
    assert containers.remove(database, needed)
    assert not containers.remove(database, needed)


def test_a_container_can_be_renamed_but_not_to_a_name_that_is_taken(
    database: Database, insert: Insert
) -> None:
    one, two = insert("one"), insert("two")
    containers.rename(database, one, "three")
    assert containers.find(database, "three").id == one.id
    with pytest.raises(NameTaken, match=two.id[:12]):
        containers.rename(database, one, "two")
    containers.rename(database, two, "two")


def test_the_latest_is_the_one_created_last(database: Database, insert: Insert) -> None:
    with pytest.raises(PodError, match="no container yet"):
        containers.latest(database)
    insert("new", created_ns=5)
    insert("old", created_ns=3)
    assert containers.latest(database).name == "new"
    assert [one.name for one in containers.all_of(database)] == ["old", "new"]


def test_a_life_in_rows(database: Database, insert: Insert) -> None:
    container = insert("one")
    assert containers.set_active(database, container.id, "boot")
    active = containers.find(database, "one")
    assert (active.status, active.boot_id) == ("active", "boot")
    assert active.started_ns > 0

    containers.set_created(database, container.id, {"error": "it failed"})
    assert containers.find(database, "one").status == "created"
    assert containers.find(database, "one").outcome == {"error": "it failed"}

    containers.set_active(database, container.id, "boot")
    containers.set_exited(
        database, container.id, exit_status=4, started_ns=1, finished_ns=2, outcome={}
    )
    ended = containers.find(database, "one")
    assert (ended.status, ended.exit_status, ended.outcome) == ("exited", 4, {})

    containers.set_active(database, container.id, "boot")
    containers.set_created(database, container.id, {})
    assert containers.find(database, "one").status == "exited"


def test_a_row_that_is_gone_cannot_become_active(database: Database) -> None:
    assert not containers.set_active(database, "f" * 64, "boot")


def test_the_configuration_can_be_replaced(database: Database, insert: Insert) -> None:
    container = insert("one")
    containers.set_config(database, container.id, container.config.replace(stop_timeout=3))
    assert containers.find(database, "one").config.stop_timeout == 3


def test_summaries_are_the_same_rows(database: Database, insert: Insert) -> None:
    insert("old", created_ns=1)
    insert("run", created_ns=2, status="active", outcome={"stopped_by_user": True})
    assert [one.name for one in summaries.all_of(database)] == ["old", "run"]
    (active,) = summaries.active(database)
    assert (active.name, active.outcome) == ("run", {"stopped_by_user": True})
    assert active.config == {"image": "busybox"}
    found = summaries.one(database, active.id)
    assert found is not None and found.status == "active"
    assert summaries.one(database, "f" * 64) is None


def test_nothing_is_found_among_no_ids(database: Database) -> None:
    assert containers.by_ids(database, []) == []


def test_thousands_of_ids_can_be_asked_for(database: Database, insert: Insert) -> None:
    wanted = [insert().id for _ in range(5)] + [f"{number:064x}" for number in range(2000)]
    assert len(containers.by_ids(database, wanted)) == 5
