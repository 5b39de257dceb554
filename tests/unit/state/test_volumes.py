from __future__ import annotations

import pytest

from pod.base.errors import PodError
from pod.spec.container import ContainerConfig
from pod.state import volumes
from pod.state.database import Database
from pod.state.volumes import NoSuchVolume, Volume, VolumeInUse, VolumeTaken
from tests.unit.state.conftest import Insert


def test_a_volume_comes_back_as_it_was(database: Database) -> None:
    volume = Volume("data", 5, True, labels={"a": "b"}, options={"o": "x"}, uid=3, gid=4)
    volumes.create(database, volume)
    assert volumes.get(database, "data") == volume
    assert volumes.all_of(database) == [volume]
    volumes.update(database, volume.replace(needs_copy_up=False))
    assert volumes.find_exactly(database, "data").needs_copy_up is False


def test_a_name_is_taken_once(database: Database) -> None:
    volumes.create(database, Volume("data", 5))
    with pytest.raises(VolumeTaken):
        volumes.create(database, Volume("data", 6))


def test_a_volume_is_found_by_a_beginning_that_only_it_has(database: Database) -> None:
    for name in ("data", "database", "logs", "10%_"):
        volumes.create(database, Volume(name, 1))
    assert volumes.find(database, "lo").name == "logs"
    assert volumes.find(database, "data").name == "data"
    assert volumes.find(database, "10%").name == "10%_"
    with pytest.raises(PodError, match="several"):
        volumes.find(database, "dat")
    with pytest.raises(NoSuchVolume):
        volumes.find_exactly(database, "lo")


@pytest.mark.parametrize("text", ["", "x", "%", "_"])
def test_other_words_find_nothing(database: Database, text: str) -> None:
    volumes.create(database, Volume("data", 1))
    with pytest.raises(NoSuchVolume):
        volumes.find(database, text)


def test_no_word_means_no_volume_even_among_several(database: Database) -> None:
    for name in ("a", "b"):
        volumes.create(database, Volume(name, 1))
    with pytest.raises(NoSuchVolume):
        volumes.find(database, "")


def test_a_volume_in_use_names_its_users(database: Database, insert: Insert) -> None:
    volumes.create(database, Volume("data", 1))
    container = insert("web", ContainerConfig(volumes=("data",)))
    assert volumes.users(database) == {"data": [container.id]}
    with pytest.raises(VolumeInUse, match="used by web"):
        volumes.remove(database, "data")
    from pod.state import containers

    containers.remove(database, container)
    volumes.remove(database, "data")
    assert volumes.get(database, "data") is None
