"""The rows of user-defined networks, and the addresses that containers have on them."""

from __future__ import annotations

import os

from pod.base import plainjson
from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec import networks
from pod.spec.networks import NetworkConfig
from pod.state.database import Database, IntegrityError, Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class NoSuchNetwork(PodError):
    """Nothing has this name or id."""

    def __init__(self, text: str) -> None:
        super().__init__(f"no network has the name or id '{text}'", hint="pod network ls")


class NetworkExists(PodError):
    """A network has the name already."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is a network '{name}' already", hint=f"pod network inspect {name}, or --ignore"
        )


class NetworkInUse(PodError):
    """Containers are on it."""

    def __init__(self, name: str, users: list[str]) -> None:
        super().__init__(
            f"network '{name}' is used by {', '.join(users)}",
            hint=f"remove them too: pod network rm -f {name}",
        )


def create(
    database: Database, make: Callable[[Sequence[NetworkConfig]], NetworkConfig]
) -> NetworkConfig:
    """Add the network that `make` gives for those that exist; one command at a time gets to choose a subnet.

    `make` is short and asks nobody. Raises NetworkExists.
    """
    with database.transaction() as transaction:
        config = make(all_of(database))
        try:
            transaction.execute(
                "INSERT INTO networks (name, id, interface, document) VALUES (?, ?, ?, ?)",
                config.name,
                config.id,
                config.interface,
                plainjson.dumps(config.to_json()),
            )
        except IntegrityError as error:
            raise NetworkExists(config.name) from error
    return config


def all_of(database: Database) -> list[NetworkConfig]:
    """Every network, by name."""
    rows = database.query("SELECT document FROM networks ORDER BY name")
    return [_from_row(row) for row in rows]


def find(database: Database, text: str) -> NetworkConfig:
    """The network with this name, id, or unique beginning of an id. Raises NoSuchNetwork, PodError for several."""
    if text in ("bridge", "default"):
        text = networks.DEFAULT_NAME  # what docker and --network call it
    rows = database.query("SELECT document FROM networks WHERE name = ? OR id = ?", text, text)
    if not rows and text and set(text) <= set("0123456789abcdef"):
        rows = database.query(
            "SELECT document FROM networks WHERE id >= ? AND id < ?", text, text + "g"
        )
        if len(rows) > 1:
            raise PodError(
                f"'{text}' is the beginning of several network ids", hint="pod network ls"
            )
    if not rows:
        raise NoSuchNetwork(text)
    return _from_row(rows[0])


def change(
    database: Database, name: str, make: Callable[[NetworkConfig], NetworkConfig]
) -> NetworkConfig:
    """Change what is known of a network, but for its name, id and interface. Raises NoSuchNetwork."""
    with database.transaction() as transaction:
        config = make(find(database, name))
        transaction.execute(
            "UPDATE networks SET document = ? WHERE name = ?",
            plainjson.dumps(config.to_json()),
            config.name,
        )
    return config


def remove(database: Database, name: str) -> bool:
    """Remove a network; False when it is gone already. Raises NetworkInUse."""
    with database.transaction(essential=True) as transaction:
        rows = database.query(
            "SELECT DISTINCT containers.name FROM leases "
            "JOIN containers ON containers.id = leases.container WHERE leases.network = ? ORDER BY 1",
            name,
        )
        users = [f"container '{user}'" for (user,) in rows]
        if users or _guests(transaction, database, name):
            raise NetworkInUse(name, users or ["a command of a build"])
        return bool(transaction.execute("DELETE FROM networks WHERE name = ?", name))


class User(Record):
    """A container that has a place on a network, and its addresses there with prefix length."""

    id: str
    name: str
    addresses: tuple[str, ...]


def users(database: Database, name: str) -> list[User]:
    """The containers that are on a network, running or not, by name; none for one that has gone meanwhile."""
    rows = database.query(
        "SELECT containers.id, containers.name, leases.address, networks.document FROM leases "
        "JOIN containers ON containers.id = leases.container JOIN networks ON networks.name = leases.network "
        "WHERE leases.network = ? ORDER BY containers.name, leases.address LIKE '%:%', leases.address",
        name,
    )
    if not rows:
        return []
    config = _from_row((rows[0][3],))
    found: dict[tuple[str, str], list[str]] = {}
    for container_id, container, address, _ in rows:
        places = found.setdefault((container_id, container), [])
        places.append(networks.with_prefix(address, config))
    return [User(*key, tuple(places)) for key, places in found.items()]


def leases_of(database: Database, container_id: str) -> dict[str, list[str]]:
    """The addresses of a container, or of a guest, by network."""
    rows = database.query(
        "SELECT network, address, address LIKE '%:%' FROM leases WHERE container = ? "
        "UNION ALL SELECT network, address, address LIKE '%:%' FROM guests WHERE guest = ? "
        "ORDER BY 1, 3, 2",
        container_id,
        container_id,
    )
    found: dict[str, list[str]] = {}
    for network, address, _ in rows:
        found.setdefault(network, []).append(address)
    return found


def lease(
    database: Database, container_id: str, name: str, wanted: Sequence[str] = ()
) -> list[str]:
    """The addresses of a container on a network, one of each family: those it has, those `wanted`, or free ones.

    They are the container's until it is removed or leaves the network. Raises NoSuchNetwork, AddressUnusable,
    NoAddressLeft.
    """
    with database.transaction() as transaction:
        return lease_in(transaction, database, container_id, name, wanted)


def lease_in(
    transaction: Transaction,
    database: Database,
    container_id: str,
    name: str,
    wanted: Sequence[str],
) -> list[str]:
    """As `lease`, in a transaction that is open."""
    config = find(database, name)
    has = leases_of(database, container_id).get(config.name, [])
    rows = database.query(
        "SELECT address, containers.name FROM leases JOIN containers ON containers.id = leases.container "
        "WHERE network = ? AND container != ?",
        config.name,
        container_id,
    )
    owners: dict[str, str] = dict(rows)
    asked = [networks.check_address(address, config) for address in wanted]
    guests = _guests(transaction, database, config.name)
    for address in asked:
        if address in guests:
            raise networks.AddressUnusable(
                f"address {address} of network '{config.name}' is in use by a command of a build",
                hint="leave it out to get a free one",
            )
        if address in owners:
            raise networks.AddressUnusable(
                f"address {address} of network '{config.name}' is in use by container '{owners[address]}'",
                hint="leave it out to get a free one",
            )
    chosen = _choose(config, asked, has, frozenset((*owners, *guests)))
    if set(chosen) != set(has):
        transaction.execute(
            "DELETE FROM leases WHERE container = ? AND network = ?", container_id, config.name
        )
        for address in chosen:
            transaction.execute(
                "INSERT INTO leases (network, address, container) VALUES (?, ?, ?)",
                config.name,
                address,
                container_id,
            )
    return chosen


def _choose(
    config: NetworkConfig, asked: list[str], has: list[str], taken: frozenset[str]
) -> list[str]:
    chosen: list[str] = []
    for wanted_family in (False, True):
        subnets = [it for it in config.subnets if networks.is_ipv6(it.subnet) == wanted_family]
        known = [it for it in (*asked, *has) if networks.is_ipv6(it) == wanted_family]
        if known:
            chosen.append(known[0])
            continue
        for number, subnet in enumerate(subnets, 1):
            try:
                chosen.append(networks.choose_address(subnet, taken, config.name))
                break
            except networks.NoAddressLeft:
                if number == len(subnets):
                    raise
    return chosen


def give_back(database: Database, container_id: str, name: str) -> None:
    """A container is no longer on a network."""
    with database.transaction() as transaction:
        transaction.execute(
            "DELETE FROM leases WHERE container = ? AND network = ?", container_id, name
        )


# Guests: what is on a network without being a container


def admit(database: Database, guest_id: str, name: str) -> list[str]:
    """Addresses for a guest of a network, one of each family: until `dismiss`, or the end of this process.

    Raises NoSuchNetwork, NoAddressLeft.
    """
    from pod.linux import processes  # containers are no guests

    pid = os.getpid()
    with database.transaction() as transaction:
        config = find(database, name)
        rows = database.query("SELECT address FROM leases WHERE network = ?", config.name)
        guests = _guests(transaction, database, config.name)
        chosen = _choose(config, [], [], frozenset((*(it for (it,) in rows), *guests)))
        for address in chosen:
            transaction.execute(
                "INSERT INTO guests (network, address, guest, pid, started) VALUES (?, ?, ?, ?, ?)",
                config.name,
                address,
                guest_id,
                pid,
                processes.start_time(pid) or 0,
            )
    return chosen


def dismiss(database: Database, guest_id: str) -> None:
    """A guest has gone."""
    with database.transaction() as transaction:
        transaction.execute("DELETE FROM guests WHERE guest = ?", guest_id)


def _guests(transaction: Transaction, database: Database, name: str) -> set[str]:
    """The addresses of guests of a network; those of processes that were killed are forgotten."""
    found = set()
    rows = database.query("SELECT address, pid, started FROM guests WHERE network = ?", name)
    for address, pid, started in rows:
        from pod.linux import processes

        if processes.start_time(pid) == started:
            found.add(address)
        else:
            transaction.execute(
                "DELETE FROM guests WHERE network = ? AND address = ?", name, address
            )
    return found


def _from_row(row: tuple[str, ...]) -> NetworkConfig:
    return NetworkConfig.from_json(plainjson.loads(row[0]))
