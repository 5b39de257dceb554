"""Rows of pods: names, containers in them, removal."""

from __future__ import annotations

import pytest

from pod.spec.container import ContainerConfig
from pod.spec.pods import PodConfig
from pod.state import containers, pods
from pod.state.database import Database
from tests.unit.state.conftest import row

POD, OTHER = "a" * 64, "b" * 64


def make(database: Database, name: str = "shop", number: str = POD) -> pods.Pod:
    pod = pods.Pod(number, name, 5, PodConfig())
    pods.insert(database, pod)
    return pod


def test_a_pod_is_found_by_name_id_and_its_beginning(database: Database) -> None:
    make(database)
    make(database, "other", "a" * 63 + "b")
    assert pods.find(database, "shop").id == POD
    assert pods.find(database, POD).name == "shop"
    assert pods.find(database, "a" * 63 + "b").name == "other"
    with pytest.raises(pods.AmbiguousPod):
        pods.find(database, "aaaa")
    with pytest.raises(pods.NoSuchPod):
        pods.find(database, "nothing")


def test_a_container_cannot_have_the_name_of_a_pod(database: Database) -> None:
    make(database)
    with pytest.raises(containers.NameTaken, match="in use by pod aaaaaaaaaaaa"):
        containers.insert(database, row("shop"))
    one = row("one")
    containers.insert(database, one)
    with pytest.raises(containers.NameTaken, match="in use by pod aaaaaaaaaaaa"):
        containers.rename(database, one, "shop")
    assert containers.find(database, "one").id == one.id


def test_a_pod_cannot_have_the_name_of_a_container_or_another_pod(database: Database) -> None:
    containers.insert(database, row("shop"))
    with pytest.raises(pods.PodNameTaken, match="by a container"):
        make(database)
    make(database, "other")
    with pytest.raises(pods.PodNameTaken, match="by a pod"):
        make(database, "other", OTHER)


def test_a_container_of_a_pod_that_is_gone_is_refused(database: Database) -> None:
    with pytest.raises(pods.NoSuchPod):
        containers.insert(database, row("one", ContainerConfig(pod=POD)))


def test_a_pod_with_containers_stays(database: Database) -> None:
    make(database)
    one = row("one", ContainerConfig(pod=POD))
    containers.insert(database, one)
    assert pods.members(database, POD) == [one.id]
    with pytest.raises(pods.PodInUse):
        pods.remove(database, POD)
    containers.remove(database, one)
    assert pods.remove(database, POD)
    assert not pods.remove(database, POD)


def test_infra_container_and_pod_come_and_go_together(database: Database) -> None:
    pod = pods.Pod(POD, "shop", 5, PodConfig(infra="c" * 64))
    infra = row("shop-infra", ContainerConfig(pod=POD, is_infra=True), id="c" * 64)
    taken = infra.replace(name="taken")
    containers.insert(database, row("taken"))
    with pytest.raises(containers.NameTaken):
        containers.insert(database, taken, pod)
    assert pods.all_of(database) == []
    containers.insert(database, infra, pod)
    one = row("one", ContainerConfig(pod=POD))
    containers.insert(database, one)
    with pytest.raises(containers.StillNeeded):
        containers.remove(database, infra)
    containers.remove(database, one)
    assert containers.remove(database, infra)
    assert pods.all_of(database) == []
