"""The commands about networks, but for what containers do there (test_network_names.py)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pod.linux.interfaces import routed_subnets
from tests.support.engine import Engine
from tests.support.waiting import until

ONLY_POD = pytest.mark.not_podman("it says it in other words")
PYTHON = ("-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v", "/usr/lib64:/lib64:ro")


@pytest.fixture(autouse=True)
def _networks_go(pod: Engine) -> object:
    yield
    pod("rm", "-f", "-a", "-t", "0")
    pod("network", "prune", "-f")
    pod("network", "ls", "-q")  # a finished list: all is written


def create(pod: Engine, *options: str) -> str:
    return pod("network", "create", *options).out


def inspect(pod: Engine, name: str) -> Any:
    (document,) = json.loads(pod("network", "inspect", name).stdout)
    return document


def names(pod: Engine, *filters: str) -> list[str]:
    options = [word for text in filters for word in ("--filter", text)]
    return [it for it in pod("network", "ls", "-q", *options).lines if it != "podman"]


def test_ls(pod: Engine) -> None:
    for name in ("front", "back"):
        assert create(pod, name) == name
    heading, *rows = pod("network", "ls").lines
    assert heading.split("  ")[0] == "NETWORK ID"
    assert heading.split()[2:] == ["NAME", "DRIVER"]
    assert [row.split()[1:] for row in rows] == [
        ["back", "bridge"],
        ["front", "bridge"],
        ["podman", "bridge"],
    ]
    assert pod("network", "ls", "--noheading").lines == rows
    assert pod("network", "ls", "-q").lines == ["back", "front", "podman"]
    assert len(pod("network", "ls", "--no-trunc", "--format", "{{.ID}}").lines[0]) == 64


@pytest.mark.parametrize("options", [(), ("-f",)], ids=["rm", "rm -f"])
def test_the_default_network_stays(pod: Engine, options: tuple[str, ...]) -> None:
    found = inspect(pod, "podman")
    assert found["id"].startswith("2f259bab93aa")
    assert found["subnets"] == [{"subnet": "10.88.0.0/16", "gateway": "10.88.0.1"}]
    failed = pod("network", "rm", *options, "podman", status=125)
    assert failed.stderr == "Error: default network podman cannot be removed\n"
    pod("network", "prune", "-f")
    assert pod("network", "exists", "podman").out == ""


def test_a_subnet_of_this_machine_is_refused(pod: Engine) -> None:
    """Containers would not reach the machines there; one that a gateway leads to may be chosen, as in podman."""
    direct = routed_subnets(without_gateway=True)
    subnet = next(it for it in direct if "." in it and not it.endswith(("/31", "/32")))
    failed = pod("network", "create", "--subnet", subnet, "back", status=125)
    if pod.kind == "pod":
        said = f"subnet {subnet} overlaps {subnet} of this machine's interface '{direct[subnet]}'"
        assert failed.stderr.startswith(f"Error: {said}\n")
    assert pod("network", "ls", "-q", "--filter", "name=back").out == ""


@ONLY_POD
def test_names_of_the_default_network(pod: Engine) -> None:
    """docker calls it bridge, --network default."""
    for name in ("bridge", "default"):
        assert inspect(pod, name)["name"] == "podman"


def test_ls_in_formats(pod: Engine) -> None:
    create(pod, "--label", "tier=db", "--internal", "back")
    only = ("--filter", "name=back")
    documents = pod("network", "ls", *only, "--format", "json").json()
    assert [it["name"] for it in documents] == ["back"]
    assert documents[0]["labels"] == {"tier": "db"}
    template = "{{.Name}} {{.Driver}} {{.Labels}}"
    assert pod("network", "ls", *only, "--format", template).out == "back bridge tier=db"


def test_ls_with_filters(pod: Engine) -> None:
    create(pod, "--label", "tier=db", "--label", "a", "back")
    create(pod, "--label", "tier=web", "front")
    create(pod, "other")
    pod("create", "--network", "other", "busybox")
    number = inspect(pod, "front")["id"]
    assert names(pod, "name=fro") == ["front"]
    assert names(pod, "name=^b") == ["back"]
    assert names(pod, "name=fro", "name=^b") == ["back", "front"]
    assert names(pod, "label=tier") == ["back", "front"]
    assert names(pod, "label=tier=db") == ["back"]
    assert names(pod, "label=tier", "label=a") == ["back"]
    assert names(pod, f"id={number[:12]}") == ["front"]
    assert names(pod, "driver=bridge") == ["back", "front", "other"]
    assert names(pod, "driver=macvlan") == []
    assert names(pod, "until=1h") == []
    assert names(pod, "dangling=true") == ["back", "front"]
    assert names(pod, "dangling=false") == ["other"]


@ONLY_POD
@pytest.mark.parametrize("text", ["name=(", "colour=red", "name", "dangling=perhaps", "until=x"])
def test_wrong_filters(pod: Engine, text: str) -> None:
    for words in (["ls"], ["prune", "-f"]):
        assert text.partition("=")[2] in pod("network", *words, "--filter", text, status=125).stderr


def test_inspect(pod: Engine) -> None:
    create(
        pod, "--subnet", "10.77.1.0/24", "--gateway", "10.77.1.254", "--ip-range", "10.77.1.64/26",
        "--label", "tier=db", "--opt", "mtu=1400", "--disable-dns", "--internal", "back",
    )  # fmt: skip
    document = inspect(pod, "back")
    assert {key: document[key] for key in ("name", "driver", "internal", "dns_enabled")} == {
        "name": "back", "driver": "bridge", "internal": True, "dns_enabled": False,
    }  # fmt: skip
    (subnet,) = document["subnets"]
    assert (subnet["subnet"], subnet["gateway"]) == ("10.77.1.0/24", "10.77.1.254")
    assert subnet["lease_range"]["end_ip"] == "10.77.1.127"
    assert document["labels"] == {"tier": "db"}
    assert document["options"]["mtu"] == "1400"
    assert len(document["id"]) == 64
    assert pod("network", "inspect", "-f", "{{.Name}}", "back").out == "back"


@pytest.mark.not_podman("4.3.1 does not look for networks, and shows no containers of one")
def test_inspect_finds_networks_too(pod: Engine) -> None:
    create(pod, "--subnet", "10.77.1.0/24", "back")
    number = pod("create", "--name", "user", "--network", "back", "busybox").out
    (document,) = pod("inspect", "back").json()
    assert document == inspect(pod, "back") == inspect(pod, document["id"][:12])
    assert pod("inspect", "--type", "network", "-f", "{{.Name}}", "back").out == "back"
    assert document["containers"][number]["name"] == "user"
    (subnet,) = document["containers"][number]["interfaces"]["eth"]["subnets"]
    assert subnet["ipnet"] == "10.77.1.2/24"


def test_exists(pod: Engine) -> None:
    create(pod, "back")
    pod("network", "exists", "back")
    assert pod("network", "exists", "front", status=1).stderr == ""


@ONLY_POD
@pytest.mark.parametrize(
    ("words", "flag", "value"),
    [
        ("--subnet 10.77.1.0/33", "--subnet", "10.77.1.0/33"),
        ("--subnet 127.0.0.0/8", "--subnet", "127.0.0.0/8"),
        ("--subnet 10.77.1.0/24 --gateway 10.77.2.1", "--gateway", "10.77.2.1"),
        ("--subnet 10.77.1.0/24 --ip-range 10.77.2.0/26", "--ip-range", "10.77.2.0/26"),
        ("--gateway 10.77.1.1", "--gateway", "--subnet"),
        ("--dns none", "--dns", "none"),
        ("--dns 1.2.3", "--dns", "1.2.3"),
        ("--dns 192.0.2.1 --disable-dns", "--dns", "--disable-dns"),
        ("--interface-name a/b", "--interface-name", "a/b"),
        ("--interface-name sixteen-is-a-lot", "--interface-name", "sixteen-is-a-lot"),
        ("--label =x", "--label", "=x"),
        ("--opt mtu=many", "--opt mtu", "many"),
        ("--opt mtu=1", "--opt mtu", "1"),
        ("--opt colour=red", "--opt", "colour=red"),
        ("--opt isolate=perhaps", "--opt isolate", "perhaps"),
        ("--driver macvlan", "driver", "macvlan"),
        ("--driver nonsense", "driver", "nonsense"),
        ("--ipam-driver dhcp", "--ipam-driver", "addresses"),
        ("host", "network name", "host"),
        ("podman", "network name", "podman"),
        ("a/b", "network name", "a/b"),
    ],
)  # fmt: skip
def test_wrong_values(pod: Engine, words: str, flag: str, value: str) -> None:
    said = pod("network", "create", *words.split(), status=125).stderr
    assert said.startswith("Error: ")
    assert flag in said
    assert value in said
    assert names(pod) == []


@pytest.mark.not_podman("CNI makes a network of it, which only root can use")
def test_a_vlan_is_refused_with_the_reason(pod: Engine) -> None:
    said = pod("network", "create", "--opt", "vlan=7", "tagged", status=125).stderr
    assert said.startswith("Error: --opt vlan is not supported: only root can use an interface of")
    assert names(pod) == []


def test_what_is_there_already(pod: Engine) -> None:
    create(pod, "--subnet", "10.77.1.0/24", "back")
    assert "back" in pod("network", "create", "back", status=125).stderr
    said = pod("network", "create", "--subnet", "10.77.0.0/16", "front", status=125).stderr
    assert "10.77.0.0/16" in said
    assert names(pod) == ["back"]


@pytest.mark.not_podman("4.3.1 has neither --ignore nor --interface-name")
def test_what_is_there_already_is_fine(pod: Engine) -> None:
    create(pod, "--interface-name", "br7", "back")
    before = inspect(pod, "back")
    assert create(pod, "--ignore", "back") == "back"
    assert create(pod, "--ignore", "front") == "front"
    assert inspect(pod, "back") == before
    assert "br7" in pod("network", "create", "--interface-name", "br7", status=125).stderr


def test_networks_made_at_once_differ(pod: Engine) -> None:
    made = [pod.spawn("network", "create", stdin=subprocess.DEVNULL) for _ in range(4)]
    found = []
    for process in made:
        with process:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            found.append(out.decode().strip())
    documents = [inspect(pod, name) for name in found]
    for what in ("name", "id", "network_interface"):
        assert len({it[what] for it in documents}) == 4, what
    assert len({it["subnets"][0]["subnet"] for it in documents}) == 4


def test_rm(pod: Engine) -> None:
    for name in ("one", "two", "three"):
        create(pod, name)
    pod("create", "--network", "three", "busybox")
    done = pod("network", "rm", "one", "nobody", "two", status=1)
    assert done.lines == ["one", "two"]
    assert "nobody" in done.stderr
    pod("network", "rm", "three", status=2)
    assert names(pod) == ["three"]


def test_prune(pod: Engine) -> None:
    create(pod, "--label", "keep", "one")
    create(pod, "two")
    create(pod, "three")
    pod("create", "--network", "three", "busybox")
    assert pod("network", "prune", "-f", "--filter", "until=1h").lines == []
    assert pod("network", "prune", "-f", "--filter", "label!=keep").lines == ["two"]
    pod("network", "prune", stdin="n\n")
    assert names(pod) == ["one", "three"]
    assert pod("network", "prune", "-f").lines == ["one"]


def test_system_prune(pod: Engine) -> None:
    create(pod, "--label", "keep", "back")
    create(pod, "front")
    pod("run", "-d", "--network", "none", "busybox", "sleep", "1000")
    pod("system", "prune", "-f", "--filter", "label!=keep")
    assert names(pod) == ["back"]
    assert pod("system", "prune", "-f").lines[:2] == ["Deleted Networks", "back"]
    assert names(pod) == []


def test_system_prune_keeps_what_is_in_use(pod: Engine) -> None:
    create(pod, "back")
    pod("run", "-d", "--network", "back", "busybox", "sleep", "1000")
    pod("system", "prune", "-f")
    assert names(pod) == ["back"]


@pytest.mark.not_podman("it keeps its directories")
def test_system_reset(fresh_pod: Engine) -> None:
    pod = fresh_pod
    create(pod, "back")
    pod("run", "-d", "--network", "back", "busybox", "sleep", "1000")
    pod("system", "reset", "-f")
    assert not Path(pod.root).exists()
    assert not Path(pod.runroot).exists()
    assert names(pod) == []


def test_ps_knows_networks(pod: Engine) -> None:
    create(pod, "back")
    create(pod, "front")
    pod("create", "--name", "one", "--network", "back", "busybox")
    pod("create", "--name", "two", "--network", "front", "busybox")
    pod("create", "--name", "both", "--network", "back,front", "busybox")
    pod("create", "--name", "none", "--network", "none", "busybox")

    def users(name: str) -> list[str]:
        return sorted(
            pod("ps", "-a", "--filter", f"network={name}", "--format", "{{.Names}}").lines
        )

    assert users("back") == ["both", "one"]
    assert users("front") == ["both", "two"]
    template = "{{.Names}}={{.Networks}}"
    shown = dict(line.split("=") for line in pod("ps", "-a", "--format", template).lines)
    assert {name: sorted(text.split(",")) for name, text in shown.items() if name != "none"} == {
        "one": ["back"], "two": ["front"], "both": ["back", "front"],
    }  # fmt: skip


# A server for names that knows one address for all of them.
ONE_ADDRESS = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 53))
while True:
    data, client = server.recvfrom(4096)
    end = data.index(0, 12) + 5
    answer = bytes((192, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 77))
    is_a = data[end - 3] == 1
    head = data[:2] + bytes((0x81, 0x80, 0, 1, 0, is_a, 0, 0, 0, 0))
    server.sendto(head + data[12:end] + answer * is_a, client)
"""


@pytest.fixture
def name_server(pod: Engine) -> str:
    """The address of a server on the network 'back', which the network does not ask."""
    create(pod, "--subnet", "10.77.1.0/24", "--dns", "192.0.2.53", "back")
    pod(
        "run", "-d", "--network", "back", "--ip", "10.77.1.53", *PYTHON,
        "busybox", "/usr/bin/python3", "-c", ONE_ADDRESS,
    )  # fmt: skip
    return "10.77.1.53"


@pytest.mark.not_podman("Debian's podman has no server for names")
def test_name_servers_of_the_configuration(pod: Engine, name_server: str, tmp_path: Path) -> None:
    file = tmp_path / "containers.conf"
    file.write_text(f'[containers]\ndns_servers = ["{name_server}"]\n')
    script = "until nslookup elsewhere.test; do sleep 0.1; done"
    words = ("run", "--rm", "--network", "back", "busybox", "timeout", "50", "sh", "-c", script)
    assert "192.0.2.77" in pod(*words, env={"CONTAINERS_CONF": str(file)}).out


@pytest.mark.not_podman("Debian's podman has no server for names")
def test_a_server_of_the_containers_own(pod: Engine, name_server: str) -> None:
    """--dns says who is asked about other names; those of the network are found all the same."""
    script = (
        "until nslookup elsewhere.test; do sleep 0.1; done; nslookup asker; cat /etc/resolv.conf"
    )
    words = ("--name", "asker", "--network", "back", "--dns", name_server)
    out = pod("run", "--rm", *words, "busybox", "timeout", "50", "sh", "-c", script).out
    assert "192.0.2.77" in out
    assert "nameserver 10.77.1.1" in out and f"nameserver {name_server}" not in out
    assert "asker.dns.podman" in out


@pytest.mark.not_podman("4.3.1 has no network update")
def test_update(pod: Engine, name_server: str) -> None:
    pod("run", "-d", "--name", "asker", "--network", "back", "busybox", "sleep", "1000")
    changes = ("--dns-add", name_server, "--dns-drop", "192.0.2.53,192.0.2.54")
    assert pod("network", "update", *changes, "back").out == "back"
    assert inspect(pod, "back")["network_dns_servers"] == ["10.77.1.53"]

    def found() -> bool:
        done = pod("exec", "asker", "nslookup", "elsewhere.test", status=None)
        return "192.0.2.77" in done.out

    until(found, "answered by the new server")
    pod("network", "update", "--dns-add", "192.0.2.1,192.0.2.2,192.0.2.1", "back")
    servers = ["10.77.1.53", "192.0.2.1", "192.0.2.2"]
    assert inspect(pod, "back")["network_dns_servers"] == servers
    pod("network", "update", "--dns-drop", ",".join(servers), "back")
    assert "network_dns_servers" not in inspect(pod, "back")


@pytest.mark.not_podman("4.3.1 has no network update")
@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("back", "--dns-add"),
        ("--dns-add here back", "--dns-add 'here'"),
        ("--dns-drop none back", "--dns-drop 'none'"),
        ("--dns-add 192.0.2.1 nobody", "'nobody'"),
        ("--dns-add 192.0.2.1 silent", "--disable-dns"),
    ],
)
def test_wrong_updates(pod: Engine, words: str, why: str) -> None:
    create(pod, "back")
    create(pod, "--disable-dns", "silent")
    assert why in pod("network", "update", *words.split(), status=125).stderr
