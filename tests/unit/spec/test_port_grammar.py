from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.spec.ports import (
    PortConflict,
    PortMapping,
    merge_ports,
    parse_expose,
    parse_port,
    port_bindings,
    publish_all,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("80", PortMapping(80)),
        ("8080:80", PortMapping(80, 8080)),
        ("8080:80/tcp", PortMapping(80, 8080)),
        ("53:53/UDP", PortMapping(53, 53, protocol="udp")),
        ("127.0.0.1:8080:80", PortMapping(80, 8080, "127.0.0.1")),
        ("127.0.0.1::80", PortMapping(80, 0, "127.0.0.1")),
        ("0.0.0.0:8080:80", PortMapping(80, 8080, "0.0.0.0")),
        ("[::1]:8080:80", PortMapping(80, 8080, "::1")),
        ("[0:0::1]::80/udp", PortMapping(80, 0, "::1", protocol="udp")),
        (":80", PortMapping(80)),
        ("0:80", PortMapping(80)),
        ("8000-8010:9000-9010", PortMapping(9000, 8000, count=11)),
        ("9000-9001", PortMapping(9000, count=2)),
        ("127.0.0.1::9000-9001", PortMapping(9000, 0, "127.0.0.1", 2)),
        ("1-65535:1-65535", PortMapping(1, 1, count=65535)),
    ],
)
def test_port_is_read(text: str, mapping: PortMapping) -> None:
    assert parse_port(text) == (mapping,)


def test_two_protocols_make_two_mappings() -> None:
    assert parse_port("53:53/tcp,udp") == (PortMapping(53, 53), PortMapping(53, 53, protocol="udp"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "a port is a number"),
        ("http", "a port is a number"),
        ("0", "a port is a number"),
        ("65536", "a port is a number"),
        ("80:", "a port is a number"),
        ("-1:80", "a port is a number"),
        ("80-79", "a port is a number"),
        ("80-", "a port is a number"),
        ("٨٠", "a port is a number"),
        ("8000-8010:80", "11 ports of the host cannot lead to 1"),
        ("8000:80-90", "1 ports of the host cannot lead to 11"),
        ("0-1:80-81", "a port is a number"),
        ("80/", "tcp or udp"),
        ("80/icmp", "tcp or udp"),
        ("80/tcp,tcp", "tcp or udp"),
        ("localhost:8080:80", "not an IP address"),
        ("127.0.0.256:8080:80", "not an IP address"),
        ("127.0.0.01:8080:80", "not an IP address"),
        ("127.1:8080:80", "not an IP address"),
        ("::80", "not an IP address"),
        ("::1:8080:80", "in brackets"),
        ("fe80::1:8080:80", "in brackets"),
        ("[::1:8080:80", "IPV6"),
        ("[::1]8080:80", "IPV6"),
        ("[::1]:80", "two colons"),
        ("[::g]:8080:80", "not an IPv6 address"),
        ("[127.0.0.1]:8080:80", "not an IPv6 address"),
        ("[fe80::1%eth0]:8080:80", "zone"),
        ("[::1]:1.2.3.4:8080:80", "CONTAINER_PORT"),
    ],
)
def test_port_is_refused(text: str, part: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_port(text)
    assert part in str(caught.value)


def test_sctp_is_refused_with_the_reason() -> None:
    with pytest.raises(Unsupported, match="neither pasta nor slirp4netns") as caught:
        parse_port("80:80/sctp")
    assert caught.value.hint == "use --network=host"


@pytest.mark.parametrize(
    ("text", "exposed"),
    [
        ("80", PortMapping(80)),
        ("53/udp", PortMapping(53, protocol="udp")),
        ("3300-3310", PortMapping(3300, count=11)),
    ],
)
def test_exposed_port_is_read(text: str, exposed: PortMapping) -> None:
    assert parse_expose(text) == exposed


@pytest.mark.parametrize("text", ["", "0", "80:80", "80/tcp,udp", "a", "80/"])
def test_exposed_port_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_expose(text)


@pytest.mark.parametrize(
    ("one", "other", "port"),
    [
        ("8080:80", "8080:81", 8080),
        ("8080:80", "127.0.0.1:8080:81", 8080),
        ("127.0.0.1:8080:80", "0.0.0.0:8080:80", 8080),
        ("127.0.0.1:8080:80", "[::]:8080:80", 8080),
        ("8000-8010:8000-8010", "8005-8006:1-2", 8005),
    ],
)
def test_a_host_port_leads_to_one_place(one: str, other: str, port: int) -> None:
    with pytest.raises(PortConflict) as caught:
        merge_ports([*parse_port(one), *parse_port(other)])
    message = str(caught.value)
    assert f"port {port}/tcp" in message
    assert one in message
    assert other in message


def test_ports_that_do_not_meet_are_kept() -> None:
    texts = [
        "8080:80",
        "8080:80/udp",
        "127.0.0.1:81:80",
        "[::1]:81:80",
        "80",
        "80/udp",
        "9000-9009:1-10",
        "9010:1",
    ]
    mappings = [mapping for text in texts for mapping in parse_port(text)]
    assert merge_ports(mappings) == tuple(mappings)


def test_the_same_port_twice_is_published_once() -> None:
    assert merge_ports([*parse_port("8080:80"), *parse_port("8080:80/tcp")]) == parse_port(
        "8080:80"
    )


def test_publish_all_adds_what_is_not_published() -> None:
    exposed = [parse_expose("80-81"), parse_expose("53/udp"), parse_expose("81")]
    mappings = publish_all(exposed, parse_port("8080:80"))
    assert mappings == (PortMapping(80, 8080), PortMapping(81), PortMapping(53, protocol="udp"))


def test_bindings_have_the_shape_of_docker() -> None:
    mappings = [
        *parse_port("127.0.0.1:8080:80"),
        *parse_port("[::1]:8080:80"),
        *parse_port("90-91:1-2/udp"),
    ]
    assert port_bindings(
        mappings, [parse_expose("443"), parse_expose("80")], any_address="0.0.0.0"
    ) == {
        "443/tcp": None,
        "80/tcp": [
            {"HostIp": "127.0.0.1", "HostPort": "8080"},
            {"HostIp": "::1", "HostPort": "8080"},
        ],
        "1/udp": [{"HostIp": "0.0.0.0", "HostPort": "90"}],
        "2/udp": [{"HostIp": "0.0.0.0", "HostPort": "91"}],
    }
    assert port_bindings(parse_port("80")) == {"80/tcp": [{"HostIp": "", "HostPort": ""}]}


MAPPINGS = st.builds(
    PortMapping,
    container_port=st.integers(1, 60000),
    host_port=st.integers(0, 60000),
    host_ip=st.sampled_from(["", "127.0.0.1", "::1"]),
    count=st.integers(1, 5),
    protocol=st.sampled_from(["tcp", "udp"]),
)


@given(MAPPINGS)
def test_a_mapping_is_written_as_it_is_read(mapping: PortMapping) -> None:
    assert parse_port(str(mapping)) == (mapping,)
    assert PortMapping.from_json(mapping.to_json()) == mapping


@pytest.mark.parametrize("parse", [parse_port, parse_expose])
@given(text=st.text(alphabet="0189:[]-/.,tcpudsf%²") | st.text())
def test_any_text_is_read_or_refused(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except UsageError as error:
        assert error.message
