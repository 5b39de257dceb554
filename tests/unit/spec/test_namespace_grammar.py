from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.spec.namespace_option import (
    NetworksExclude,
    parse_cgroupns,
    parse_ipc,
    parse_network,
    parse_networks,
    parse_pid,
    parse_uts,
)
from pod.spec.namespaces import Namespace, Network

if TYPE_CHECKING:
    from collections.abc import Callable

PARSERS = [parse_pid, parse_ipc, parse_uts, parse_cgroupns]


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    ("text", "namespace"),
    [
        ("", Namespace()),
        ("host", Namespace("host")),
        ("private", Namespace("private")),
        ("container:web", Namespace("container", "web")),
        ("ns:/proc/1/ns/pid", Namespace("ns", "/proc/1/ns/pid")),
    ],
)
def test_namespace_is_read_and_written_back(
    parse: Callable[[str], Namespace], text: str, namespace: Namespace
) -> None:
    assert parse(text) == namespace
    assert str(namespace) == text


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "text", ["hosts", "HOST", "container", "container:", "ns:", "ns:relative", "host:x", ":"]
)
def test_namespace_is_refused(parse: Callable[[str], Namespace], text: str) -> None:
    with pytest.raises(InvalidValue):
        parse(text)


def test_only_ipc_can_be_shareable_or_none() -> None:
    assert [parse_ipc(text).mode for text in ("shareable", "none")] == ["shareable", "none"]
    for parse in (parse_pid, parse_uts, parse_cgroupns):
        with pytest.raises(InvalidValue):
            parse("shareable")


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("", Network()),
        ("default", Network()),
        ("none", Network("none")),
        ("host", Network("host")),
        ("private", Network("private")),
        ("bridge", Network("bridge")),
        ("pasta", Network("pasta")),
        ("slirp4netns", Network("slirp4netns")),
        ("container:web", Network("container", "web")),
        ("ns:/run/netns/x", Network("ns", "/run/netns/x")),
        ("mynet", Network("network", "mynet")),
        ("pasta:--mtu,1500", Network("pasta", options=("--mtu", "1500"))),
        ("pasta:-t,auto,-T,5201", Network("pasta", options=("-t", "auto", "-T", "5201"))),
        (
            "bridge:ip=10.88.0.10,mac=44:33:22:11:00:99",
            Network("bridge", options=("ip=10.88.0.10", "mac=44:33:22:11:00:99")),
        ),
        (
            "net1:ip6=fd00::0:1,alias=a,alias=b,interface_name=web0",
            Network(
                "network", "net1", ("ip6=fd00::1", "alias=a", "alias=b", "interface_name=web0")
            ),
        ),
        ("net1:mac=44-33-22-11-00-AA", Network("network", "net1", ("mac=44:33:22:11:00:aa",))),
        (
            "slirp4netns:port_handler=slirp4netns,mtu=1500,cidr=10.1.0.0/24,allow_host_loopback=T",
            Network(
                "slirp4netns",
                options=(
                    "port_handler=slirp4netns",
                    "mtu=1500",
                    "cidr=10.1.0.0/24",
                    "allow_host_loopback=true",
                ),
            ),
        ),
        (
            "slirp4netns:outbound_addr=eth0,outbound_addr6=fe80::1",
            Network("slirp4netns", options=("outbound_addr=eth0", "outbound_addr6=fe80::1")),
        ),
        (
            "name=net1,alias=web,mac-address=44:33:22:11:00:99",
            Network("network", "net1", ("alias=web", "mac=44:33:22:11:00:99")),
        ),
    ],
)
def test_network_is_read(text: str, network: Network) -> None:
    assert parse_network(text) == network


@pytest.mark.parametrize(
    "text",
    [
        "none:x",
        "host:",
        "container:",
        "ns:relative",
        "my net",
        "-net",
        "bridge:",
        "bridge:colour=blue",
        "bridge:ip=10.88.0",
        "bridge:ip",
        "bridge:ip=",
        "bridge:mac=44:33:22",
        "bridge:mac=01:33:22:11:00:99",
        "bridge:interface_name=far_too_long_a_name",
        "bridge:alias=a b",
        "slirp4netns:mtu=10",
        "slirp4netns:cidr=10.1.0.0",
        "slirp4netns:port_handler=conmon",
        "slirp4netns:enable_ipv6=perhaps",
        "name=,alias=x",
        "name=net1,colour=blue",
    ],
)
def test_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_network(text)


def test_options_of_docker_that_pod_has_not_are_named() -> None:
    with pytest.raises(Unsupported, match="'driver-opt'"):
        parse_network("name=net1,driver-opt=x=y")


def test_values_of_a_repeated_option_stay_in_order() -> None:
    assert parse_network("net1:alias=a,ip=1.2.3.4,alias=b").values("alias") == ["a", "b"]


@pytest.mark.parametrize(
    "text", ["host", "container:web", "net1:alias=a,ip=1.2.3.4", "pasta:-t,auto", "bridge"]
)
def test_network_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_network(text)) == text


def test_several_networks_keep_their_order() -> None:
    networks = parse_networks(["net2:alias=x", "net1", "bridge"])
    assert [str(network) for network in networks] == ["net2:alias=x", "net1", "bridge"]
    assert parse_networks(["net1,net2"]) == parse_networks(["net1", "net2"])
    assert parse_networks([]) == (Network(),)


@pytest.mark.parametrize(
    "texts",
    [
        ["host", "none"],
        ["net1", "host"],
        ["net1", "net1:alias=x"],
        ["pasta", "net1"],
        ["net1,host"],
    ],
)
def test_networks_that_exclude_each_other_are_named(texts: list[str]) -> None:
    with pytest.raises(NetworksExclude):
        parse_networks(texts)


@pytest.mark.parametrize("parse", [*PARSERS, parse_network])
@given(
    text=st.lists(
        st.sampled_from(
            ["container:", "ns:", "name=", "ip=", "bridge", ":", ",", "=", "a", "/", "é"]
        )
    ).map("".join)
    | st.text()
)
def test_any_text_is_read_or_refused(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except UsageError as error:
        assert error.message
