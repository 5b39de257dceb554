from __future__ import annotations

import errno
import socket

import pytest

from pod.linux import interfaces
from tests.support.connections import own_descriptors
from tests.support.waiting import free_port


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("address", ["", "127.0.0.1", "::1"])
def test_a_free_port_can_be_listened_on(address: str, protocol: str) -> None:
    port = interfaces.free_port(address, protocol)
    assert 1024 < port < 65536
    assert interfaces.can_listen(address, port, protocol) is None


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_in_use_is_told(protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            taken.listen()
        port = taken.getsockname()[1]
        for address in ("127.0.0.1", ""):
            error = interfaces.can_listen(address, port, protocol)
            assert error is not None and error.errno == errno.EADDRINUSE


def test_the_other_protocol_has_other_ports() -> None:
    port = (
        free_port()
    )  # not of the kernel's choice, since a connection of somebody else may have that number
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        assert interfaces.can_listen("127.0.0.1", port, "tcp") is None


def test_an_address_of_another_machine_is_told() -> None:
    error = interfaces.can_listen("192.0.2.7", 8080, "tcp")
    assert error is not None and error.errno == errno.EADDRNOTAVAIL


def test_looking_leaves_no_descriptor() -> None:
    port = interfaces.free_port("127.0.0.1", "tcp")  # which is kept
    before = own_descriptors()
    assert interfaces.can_listen("127.0.0.1", port, "tcp") is None
    interfaces.free_port("127.0.0.1", "udp")
    interfaces.outgoing_address()
    assert own_descriptors() == before


def test_a_chosen_port_is_chosen_once() -> None:
    """By whoever asks the kernel, as long as the one who asked first lives."""
    ports = {interfaces.free_port("127.0.0.1", "tcp") for _ in range(200)}
    assert len(ports) == 200
    assert interfaces.can_listen("127.0.0.1", ports.pop(), "tcp") is None


def test_the_outgoing_address_is_one() -> None:
    for family in (socket.AF_INET, socket.AF_INET6):
        address = interfaces.outgoing_address(family)
        if address is not None:
            socket.inet_pton(family, address)
