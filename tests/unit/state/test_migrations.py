"""Databases of every earlier version can be opened, and nothing in them is lost.

`tests/data/state/NNNN.sql` is a database as the pod of that version left it. Whoever adds a schema file runs this with
--update-golden once, which adds the data file of the new version and touches no older one.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from pod.spec.container import ContainerConfig
from pod.spec.mounts import Mount
from pod.spec.networks import DEFAULT_NAME, NetworkConfig, Subnet
from pod.spec.pods import PodConfig
from pod.state import containers, networks, pods, volumes
from pod.state.database import SCHEMA_VERSION, Database, migrate
from tests.unit.state.conftest import row

HERE = os.path.dirname(__file__)
SCHEMA = os.path.join(HERE, "../../../pod/state/schema")
DATA = os.path.join(HERE, "../../data/state")

NEEDED, USER, POD = "a" * 64, "b" * 64, "c" * 64
_WITH_PODS = 2  # the first version that has them
_WITH_NETWORKS = 3
NETWORK = NetworkConfig("e" * 64, "back", "podman1", subnets=(Subnet("10.89.0.0/24", "10.89.0.1"),))


def fill(database: Database) -> None:
    """What a user may have: a volume, a container that ended, one that needs both, a pod with a container."""
    volumes.create(database, volumes.Volume("data", 5, labels={"l": "1"}, uid=7))
    config = ContainerConfig(image="busybox", entrypoint=("sh",), command=("-c", "true"))
    containers.insert(
        database,
        row(
            "ended",
            config,
            id=NEEDED,
            status="exited",
            exit_status=3,
            finished_ns=9,
            image_id="sha256:1",
            outcome={"out_of_memory": True},
        ),
    )
    mounts = (Mount("volume", "/data", source="data"),)
    containers.insert(
        database,
        row("user", config.replace(mounts=mounts, volumes=("data",), needs=(NEEDED,)), id=USER),
    )
    pod = pods.Pod(POD, "shop", 11, PodConfig(labels={"l": "1"}, share=("net",)))
    networks.create(database, lambda _: NETWORK)
    infra = row("shop-infra", config.replace(pod=POD, is_infra=True), id="d" * 64)
    containers.insert(database, infra, pod)
    networks.lease(database, USER, "back")


def test_every_schema_file_has_its_number() -> None:
    names = sorted(name for name in os.listdir(SCHEMA) if name.endswith(".sql"))
    assert names == [f"{number:04}.sql" for number in range(1, SCHEMA_VERSION + 1)]


def test_the_present_version_has_a_data_file(tmp_path: Path, update_golden: bool) -> None:
    path = os.path.join(DATA, f"{SCHEMA_VERSION:04}.sql")
    if update_golden and not os.path.exists(path):
        database = Database(str(tmp_path / "pod.db"))
        fill(database)
        database.close()
        with sqlite3.connect(tmp_path / "pod.db") as connection, open(path, "w") as file:
            file.write("\n".join(connection.iterdump()))
            file.write(f"\nPRAGMA user_version = {SCHEMA_VERSION};\n")
    assert os.path.exists(path), "run this test with --update-golden"


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_database_of_version(version: int, tmp_path: Path) -> None:
    with open(os.path.join(DATA, f"{version:04}.sql")) as file:
        script = file.read()
    connection = sqlite3.connect(tmp_path / "pod.db")
    connection.executescript(script)
    connection.close()

    database = Database(str(tmp_path / "pod.db"))
    ended, user = containers.find(database, "ended"), containers.find(database, USER)
    volume = volumes.find_exactly(database, "data")

    assert (ended.id, ended.status, ended.exit_status) == (NEEDED, "exited", 3)
    assert ended.outcome == {"out_of_memory": True}
    assert ended.config.arguments == ("sh", "-c", "true")
    assert [mount.target for mount in user.config.mounts] == ["/data"]
    assert [one.id for one in containers.needing(database, NEEDED)] == [USER]
    assert volumes.users(database) == {"data": [USER]}
    assert (volume.uid, volume.labels) == (7, {"l": "1"})
    if version >= _WITH_PODS:
        pod = pods.find(database, "shop")
        assert (pod.id, pod.config.labels, pod.config.share) == (POD, {"l": "1"}, ("net",))
        assert pods.members(database, POD) == ["d" * 64]
    else:
        assert pods.all_of(database) == []
    if version >= _WITH_NETWORKS:
        assert networks.find(database, "back") == NETWORK
        assert networks.leases_of(database, USER) == {"back": ["10.89.0.2"]}
    else:
        assert [it.name for it in networks.all_of(database)] == [DEFAULT_NAME]
    assert database.query("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert database.query("PRAGMA foreign_key_check") == []
    assert database.query("PRAGMA integrity_check") == [("ok",)]


def test_a_migration_that_breaks_off_changes_nothing(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "pod.db", isolation_level=None)
    with pytest.raises(FileNotFoundError):
        migrate(connection, "pod.db", upto=SCHEMA_VERSION + 1)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    assert connection.execute("PRAGMA user_version").fetchone() == (0,)
    migrate(connection, "pod.db")
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()
