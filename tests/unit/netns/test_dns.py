"""What the server for names answers, from packet to packet."""

from __future__ import annotations

from typing import Any

import dnslib
import pytest
from dnslib import QTYPE, RCODE
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netns.holder.answers import Known, Member, answer_to

MEMBERS = (
    Member(["Shop", "0123456789ab", "store"], ["10.89.0.2", "fd00::2"]),
    Member(["db", "front", "two.labels"], ["10.89.0.3"]),
    Member(["other", "front"], ["10.89.0.4"]),
)


def known(members: Any = MEMBERS, *, internal: bool = False) -> Known:
    subnets = ["10.89.0.0/24", "fd00::/64"]
    return Known(members, ["back", "Upper"], [], internal=internal, subnets=subnets)


def question(name: str, kind: str = "A", edns: int = 0, **header: int) -> bytes:
    record = dnslib.DNSRecord.question(name, kind)
    if edns:
        record.add_ar(dnslib.EDNS0(udp_len=edns))
    for key, value in header.items():
        setattr(record.header, key, value)
    return bytes(record.pack())


def ask(name: str, kind: str = "A", edns: int = 0, *, internal: bool = False) -> Any:
    """The answer, parsed; None for a question that goes on."""
    asked = question(name, kind, edns)
    packet = answer_to(asked, known(internal=internal))
    if packet is None:
        return None
    reply = dnslib.DNSRecord.parse(packet)
    assert packet[:2] == asked[:2]
    assert reply.header.qr == 1
    assert str(reply.q.qname) == str(dnslib.DNSRecord.parse(asked).q.qname)
    assert all(record.ttl == 0 for record in reply.rr)
    return reply


def addresses(name: str, kind: str = "A") -> list[str] | None:
    reply = ask(name, kind)
    if reply is None:
        return None
    assert reply.header.rcode == RCODE.NOERROR
    return [str(record.rdata) for record in reply.rr]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("shop", ["10.89.0.2"]),
        ("sHOp", ["10.89.0.2"]),
        ("shop.", ["10.89.0.2"]),
        ("0123456789ab", ["10.89.0.2"]),
        ("store", ["10.89.0.2"]),
        ("shop.dns.podman", ["10.89.0.2"]),
        ("SHOP.DNS.Podman", ["10.89.0.2"]),
        ("shop.back", ["10.89.0.2"]),
        ("shop.upper", ["10.89.0.2"]),
        ("two.labels", ["10.89.0.3"]),
        ("two.labels.dns.podman", ["10.89.0.3"]),
        ("front", ["10.89.0.3", "10.89.0.4"]),
        ("shop.else", None),
        ("sho", None),
        ("shop.dns.podman.org", None),
        ("example.com", None),
        ("", None),
        ("back", None),
    ],
)
def test_names(name: str, found: list[str] | None) -> None:
    assert addresses(name) == found


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("shop", "AAAA", ["fd00::2"]),
        ("shop", "ANY", ["10.89.0.2", "fd00::2"]),
        ("db", "AAAA", []),  # there is such a name, without such an address
        ("db", "MX", []),
        ("db", "TXT", []),
        ("example.com", "MX", None),
    ],
)
def test_kinds(name: str, kind: str, found: list[str] | None) -> None:
    assert addresses(name, kind) == found


NIBBLES = ".".join(reversed("fd000000000000000000000000000002"))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("2.0.89.10.in-addr.arpa", ["shop.dns.podman."]),
        ("2.0.89.10.IN-ADDR.ARPA", ["shop.dns.podman."]),
        (f"{NIBBLES}.ip6.arpa", ["shop.dns.podman."]),
        ("9.1.89.10.in-addr.arpa", None),
        ("0.89.10.in-addr.arpa", None),
        ("2.0.89.10.10.in-addr.arpa", None),
        ("in-addr.arpa", None),
        ("shop", None),
        ("2.0.0.0.9.5.a.0.ip6.arpa", None),  # as long as an address of IPv4
        ("2.00.89.10.in-addr.arpa", None),
        (f"{NIBBLES[2:]}.ip6.arpa", None),
        (f"x{NIBBLES[1:]}.ip6.arpa", None),
        ("fd00::2.in-addr.arpa", None),
    ],
)
def test_addresses_have_names(name: str, found: list[str] | None) -> None:
    assert addresses(name, "PTR") == found


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["x" * 63, "0123456789ab"], "x" * 63),
        (["x" * 64, "0123456789ab"], "0123456789ab"),
        (["a..b", "b"], "b"),
        (["größe", "0123456789ab"], "0123456789ab"),
        ([".".join(["x" * 60] * 4), "0123456789ab"], "0123456789ab"),
        (["x" * 64], ""),
    ],
)
def test_an_address_has_the_first_name_that_can_be_said(names: list[str], found: str) -> None:
    """Names of containers are longer than labels may be, RFC 1035 2.3.4."""
    members = [Member(names, ["10.89.0.9"])]
    packet = answer_to(question("9.0.89.10.in-addr.arpa", "PTR"), known(members))
    assert packet is not None
    reply = dnslib.DNSRecord.parse(packet)
    assert [str(it.rdata) for it in reply.rr] == ([f"{found}.dns.podman."] if found else [])
    assert reply.header.rcode == (RCODE.NOERROR if found else RCODE.NXDOMAIN)


def test_a_name_of_63_characters_is_found_and_one_of_64_is_no_question() -> None:
    members = [Member(["x" * 63, "x" * 64], ["10.89.0.9"])]
    packet = answer_to(question("x" * 63), known(members))
    assert packet is not None and len(dnslib.DNSRecord.parse(packet).rr) == 1
    longer = question("x" * 63).replace(b"\x3f" + b"x" * 63, b"\x40" + b"x" * 64)
    packet = answer_to(longer, known(members))
    assert packet is not None and packet[3] & 15 == RCODE.FORMERR


UNUSED = ["9.0.89.10.in-addr.arpa", "1.0.89.10.in-addr.arpa", f"9{NIBBLES[1:]}.ip6.arpa"]


@pytest.mark.parametrize("name", UNUSED)
def test_addresses_of_own_networks_are_asked_about_nowhere_else(name: str) -> None:
    reply = ask(name, "PTR")
    assert (reply.header.rcode, reply.rr) == (RCODE.NXDOMAIN, [])


@pytest.mark.parametrize("name", ["nobody.dns.podman", "NOBODY.DNS.PODMAN", "dns.podman"])
def test_nobody_else_knows_our_domain(name: str) -> None:
    assert ask(name).header.rcode == RCODE.NXDOMAIN


@pytest.mark.parametrize(
    ("name", "kind"),
    [("example.com", "A"), ("example.com", "MX"), ("9.0.89.10.in-addr.arpa", "PTR")],
)
def test_an_internal_network_asks_nobody(name: str, kind: str) -> None:
    reply = ask(name, kind, internal=True)
    assert (reply.header.rcode, reply.rr) == (RCODE.NXDOMAIN, [])
    assert ask("shop", internal=True).rr


def test_another_class_is_not_ours() -> None:
    """CHAOS, in which servers tell their version."""
    asked = dnslib.DNSRecord(q=dnslib.DNSQuestion("shop", QTYPE.A, 3)).pack()
    assert answer_to(bytes(asked), known()) is None


@pytest.mark.parametrize("name", ["shop", "nobody.dns.podman"])
def test_edns_is_answered_with_edns(name: str) -> None:
    (option,) = ask(name, edns=4096).ar
    assert (option.rtype, option.edns_len) == (QTYPE.OPT, 1232)
    assert ask(name).ar == []


@pytest.mark.parametrize(
    ("edns", "limit", "longest"),
    [(0, 0, 512), (100, 0, 512), (900, 0, 900), (4096, 0, 1232), (0, 65535, 65535)],
)
def test_long_answers_are_cut(edns: int, limit: int, longest: int) -> None:
    many = [Member(["all"], [f"10.89.1.{number}"]) for number in range(100)]
    packet = answer_to(question("all", "A", edns), known(many), limit)
    assert packet is not None
    assert len(packet) <= longest
    reply = dnslib.DNSRecord.parse(packet)
    if longest == 65535:
        assert (reply.header.tc, len(reply.rr)) == (0, 100)
    else:
        assert reply.header.tc == 1  # ask again by TCP


def test_answers_are_not_answered() -> None:
    assert answer_to(question("shop", qr=1), known()) == b""


@pytest.mark.parametrize("opcode", [1, 2, 4, 5])
def test_other_requests_are_not_served(opcode: int) -> None:
    packet = answer_to(question("shop", opcode=opcode), known())
    assert packet is not None
    assert dnslib.DNSRecord.parse(packet).header.rcode == RCODE.NOTIMP


@pytest.mark.parametrize("count", [0, 2])
def test_a_packet_has_one_question(count: int) -> None:
    record = dnslib.DNSRecord()
    for _ in range(count):
        record.add_question(dnslib.DNSQuestion("shop"))
    packet = answer_to(bytes(record.pack()), known())
    assert packet is not None
    assert dnslib.DNSRecord.parse(packet).header.rcode in (RCODE.NOTIMP, RCODE.FORMERR)


def check(data: bytes) -> None:
    """Whatever comes, the answer is an answer to it, and nobody is sent one for an answer."""
    everything = known()
    for limit in (0, 65535):
        packet = answer_to(data, everything, limit)
        assert everything.answer_to(data, limit) == packet
        again = bytes(2) + data[2:]  # another number
        assert everything.answer_to(again, limit) == answer_to(again, everything, limit)
        if len(data) < 12 or data[2] & 0x80:
            assert packet == b""
        elif packet is not None:
            assert packet[:2] == data[:2]
            assert packet[2] & 0x80
            assert len(packet) <= max(1232, len(data) + 100)


@settings(derandomize=True, max_examples=300)
@given(st.binary(max_size=600))
@example(b"")
@example(bytes(12))
@example(b"\x80" * 12)
@example(b"\0\0\0\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1")  # a name that goes on at itself
@example(b"\0\0\0\0\xff\xff\0\0\0\0\0\0" + b"\0\0\1\0\1" * 100)
def test_any_bytes(data: bytes) -> None:
    check(data)


QUESTIONS = [
    question("shop"),
    question("shop.dns.podman", "AAAA", 4096),
    question("2.0.89.10.in-addr.arpa", "PTR"),
    question(f"{NIBBLES}.ip6.arpa", "PTR", 512),
    question("x" * 63 + ".dns.podman", "ANY"),
]


@settings(derandomize=True, max_examples=300)
@given(
    st.sampled_from(QUESTIONS),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6),
    st.integers(0, 120),
)
def test_damaged_questions(data: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    check(bytes(damaged[: len(damaged) - cut % 7]))
