from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from pod.base import ids
from pod.base.errors import PodError
from pod.linux import processes
from pod.spec.networks import DEFAULT_NAME, AddressUnusable, NetworkConfig, NoAddressLeft, Subnet
from pod.state import containers, networks
from pod.state.database import Database
from pod.state.networks import NetworkExists, NetworkInUse, NoSuchNetwork, User
from tests.unit.state.conftest import Insert

FOUR = Subnet("10.50.0.0/29", "10.50.0.1")
SIX = Subnet("fd00::/64", "fd00::1")


def add(database: Database, name: str, *subnets: Subnet, **more: str) -> NetworkConfig:
    config = NetworkConfig(
        id=more.get("id", ids.new_id()),
        name=name,
        interface=f"podman-{name}",
        subnets=subnets or (FOUR,),
    )
    return networks.create(database, lambda _: config)


def made_ones(database: Database) -> list[NetworkConfig]:
    return [it for it in networks.all_of(database) if it.name != DEFAULT_NAME]


def test_a_network_comes_back_as_it_was(database: Database) -> None:
    config = add(database, "back", FOUR, SIX)
    assert networks.find(database, "back") == config


def test_a_change_is_kept(database: Database) -> None:
    config = add(database, "back")
    servers = ("192.0.2.1",)
    changed = networks.change(database, "back", lambda it: it.replace(dns_servers=servers))
    assert changed == config.replace(dns_servers=servers)
    assert made_ones(database) == [changed]
    with pytest.raises(NoSuchNetwork):
        networks.change(database, "front", lambda it: it)


def test_a_name_is_taken_once(database: Database) -> None:
    first = add(database, "back")
    with pytest.raises(NetworkExists, match="'back'"):
        add(database, "back")
    assert made_ones(database) == [first]


def test_who_makes_one_sees_the_others(database: Database) -> None:
    seen: list[str] = []

    def make(existing: Sequence[NetworkConfig]) -> NetworkConfig:
        seen.extend(it.name for it in existing if it.name != DEFAULT_NAME)
        return NetworkConfig(id=ids.new_id(), name="third", interface="x")

    add(database, "second")
    add(database, "first")
    networks.create(database, make)
    assert seen == ["first", "second"]


def test_nothing_is_left_of_one_that_could_not_be_made(database: Database) -> None:
    def make(_: Sequence[NetworkConfig]) -> NetworkConfig:
        raise PodError("no subnet")

    with pytest.raises(PodError, match="no subnet"):
        networks.create(database, make)
    assert made_ones(database) == []


def test_a_network_is_found_by_what_only_it_has(database: Database) -> None:
    one = add(database, "back", id="ab1" + "0" * 61)
    two = add(database, "ab1", id="ab2" + "0" * 61)
    assert networks.find(database, one.id) == one
    assert networks.find(database, "ab2") == two
    assert networks.find(database, "ab1") == two  # a name comes before the beginning of an id
    with pytest.raises(PodError, match="several"):
        networks.find(database, "ab")


@pytest.mark.parametrize("text", ["", "bac", "ff", "%", "_", "BACK"])
def test_other_words_find_nothing(database: Database, text: str) -> None:
    add(database, "back", id="0" * 64)
    with pytest.raises(NoSuchNetwork):
        networks.find(database, text)


def test_a_lease_is_kept(database: Database, insert: Insert) -> None:
    add(database, "back", FOUR, SIX)
    one, two = insert("one"), insert("two")
    assert networks.lease(database, one.id, "back") == ["10.50.0.2", "fd00::2"]
    assert networks.lease(database, two.id, "back") == ["10.50.0.3", "fd00::3"]
    assert networks.lease(database, one.id, "back") == ["10.50.0.2", "fd00::2"]
    assert networks.users(database, "back") == [
        User(one.id, "one", ("10.50.0.2/29", "fd00::2/64")),
        User(two.id, "two", ("10.50.0.3/29", "fd00::3/64")),
    ]


def test_an_address_that_is_asked_for(database: Database, insert: Insert) -> None:
    add(database, "back", FOUR, SIX)
    one = insert("one").id
    networks.lease(database, one, "back")
    assert networks.lease(database, one, "back", ["10.50.0.6"]) == ["10.50.0.6", "fd00::2"]
    assert networks.lease(database, one, "back") == ["10.50.0.6", "fd00::2"]
    assert networks.lease(database, one, "back", ["FD00::0:9"]) == ["10.50.0.6", "fd00::9"]


def test_an_address_of_somebody_else(database: Database, insert: Insert) -> None:
    add(database, "back")
    one, two = insert("one").id, insert("two").id
    networks.lease(database, one, "back")
    with pytest.raises(AddressUnusable, match=r"10\.50\.0\.2 of network 'back'.*'one'"):
        networks.lease(database, two, "back", ["10.50.0.2"])
    assert networks.leases_of(database, two) == {}


def test_addresses_run_out_and_come_back(database: Database, insert: Insert) -> None:
    add(database, "back")
    first, *others = [insert(f"c{number}").id for number in range(6)]
    for container in (first, *others[:-1]):
        networks.lease(database, container, "back")
    with pytest.raises(NoAddressLeft):
        networks.lease(database, others[-1], "back")
    networks.give_back(database, first, "back")
    assert networks.lease(database, others[-1], "back") == ["10.50.0.2"]


def test_a_second_subnet_is_used_when_the_first_is_full(database: Database, insert: Insert) -> None:
    add(database, "back", Subnet("10.50.0.0/30", "10.50.0.1"), Subnet("10.60.0.0/30", "10.60.0.1"))
    given = [networks.lease(database, insert(f"c{it}").id, "back") for it in range(2)]
    assert given == [["10.50.0.2"], ["10.60.0.2"]]


def test_the_same_address_on_two_networks(database: Database, insert: Insert) -> None:
    add(database, "back")
    add(database, "front", Subnet("10.60.0.0/29", "10.60.0.1"))
    one = insert("one").id
    networks.lease(database, one, "back")
    networks.lease(database, one, "front")
    assert networks.leases_of(database, one) == {"back": ["10.50.0.2"], "front": ["10.60.0.2"]}
    networks.give_back(database, one, "back")
    assert networks.leases_of(database, one) == {"front": ["10.60.0.2"]}


def test_a_network_in_use_stays(database: Database, insert: Insert) -> None:
    add(database, "back")
    one = insert("one").id
    networks.lease(database, one, "back")
    with pytest.raises(NetworkInUse, match="used by container 'one'"):
        networks.remove(database, "back")
    networks.give_back(database, one, "back")
    assert networks.remove(database, "back") is True
    assert networks.remove(database, "back") is False


def test_a_removed_container_is_on_no_network(database: Database, insert: Insert) -> None:
    add(database, "back")
    one = insert("one")
    networks.lease(database, one.id, "back")
    assert containers.remove(database, one)
    assert networks.users(database, "back") == []
    assert networks.remove(database, "back") is True


def test_a_network_that_has_gone_meanwhile_has_no_users(database: Database) -> None:
    """A list is made while somebody else removes networks."""
    assert networks.users(database, "back") == []


def test_no_address_on_a_network_that_has_gone(database: Database, insert: Insert) -> None:
    with pytest.raises(NoSuchNetwork):
        networks.lease(database, insert("one").id, "back")


def test_a_guest_has_an_address_until_it_goes(database: Database, insert: Insert) -> None:
    """A command of a build is on a network without being a container."""
    add(database, "back")
    assert networks.admit(database, "guest", "back") == ["10.50.0.2"]
    assert networks.leases_of(database, "guest") == {"back": ["10.50.0.2"]}
    with pytest.raises(AddressUnusable, match="a command of a build"):
        networks.lease(database, insert("one").id, "back", ["10.50.0.2"])
    assert networks.lease(database, insert("two").id, "back") == ["10.50.0.3"]
    assert networks.admit(database, "other", "back") == ["10.50.0.4"]
    networks.dismiss(database, "guest")
    assert networks.lease(database, insert("three").id, "back") == ["10.50.0.2"]


def test_a_guest_keeps_the_network_while_its_process_lives(database: Database) -> None:
    add(database, "back")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    started = processes.start_time(pid)
    with database.transaction() as transaction:
        transaction.execute(
            "INSERT INTO guests (network, address, guest, pid, started) VALUES (?, ?, ?, ?, ?)",
            *("back", "10.50.0.2", "guest", pid, started),
        )
    with pytest.raises(NetworkInUse, match="a command of a build"):
        networks.remove(database, "back")
    os.close(reader)
    os.close(writer)
    os.waitpid(pid, 0)
    assert networks.remove(database, "back") is True
