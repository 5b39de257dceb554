"""What containers find in /etc/hosts and /etc/resolv.conf, from text to text."""

from __future__ import annotations

import pytest

from netns import names
from netns.backends import addresses, pasta, slirp4netns

BASE = "127.0.0.1\tlocalhost\n"


def hosts(**given: object) -> list[str]:
    arguments = {"own": [("10.0.2.100", ["web", "c1"])], "added": [], **given}
    return names.hosts_file(BASE, **arguments).splitlines()  # type: ignore[arg-type]


def test_our_own_names_come_last() -> None:
    assert hosts() == ["127.0.0.1\tlocalhost", "10.0.2.100\tweb c1"]


def test_added_names_come_first_and_win() -> None:
    lines = hosts(added=[("db", "192.0.2.1"), ("web", "192.0.2.2")])
    assert lines == ["192.0.2.1\tdb", "192.0.2.2\tweb", "127.0.0.1\tlocalhost", "10.0.2.100\tc1"]


def test_an_address_without_names_left_is_no_line() -> None:
    lines = hosts(added=[("web", "192.0.2.1"), ("c1", "192.0.2.1")])
    assert "10.0.2.100" not in "\n".join(lines)


def test_a_file_without_an_end_of_line() -> None:
    text = names.hosts_file("127.0.0.1 localhost", own=[("10.0.2.100", ["web"])], added=[])
    assert text == "127.0.0.1 localhost\n10.0.2.100\tweb\n"


HOST = """# by a person
domain first.test
search a.test b.test
nameserver 127.0.0.53
nameserver 192.0.2.53
options edns0 trust-ad
; the end
sortlist 192.0.2.0
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            {"forwarder": "10.0.2.3"},
            ["search a.test b.test", "nameserver 10.0.2.3", "options edns0 trust-ad"],
            id="forwarded",
        ),
        pytest.param(
            {"forwarder": "10.89.0.1", "domain": "dns.podman"},
            ["search dns.podman a.test b.test", "nameserver 10.89.0.1", "options edns0 trust-ad"],
            id="a domain of the network",
        ),
        pytest.param(
            {"search": ["c.test"], "forwarder": "10.89.0.1", "domain": "dns.podman"},
            ["search c.test", "nameserver 10.89.0.1", "options edns0 trust-ad"],
            id="a domain that is not wanted",
        ),
        pytest.param(
            {},
            ["search a.test b.test", "nameserver 127.0.0.53", "nameserver 192.0.2.53",
             "options edns0 trust-ad"],
            id="the host's own",
        ),
        pytest.param(
            {"servers": ["192.0.2.1"], "forwarder": "10.0.2.3"},
            ["search a.test b.test", "nameserver 192.0.2.1", "options edns0 trust-ad"],
            id="servers",
        ),
        pytest.param(
            {"search": ["."], "forwarder": "10.0.2.3"},
            ["nameserver 10.0.2.3", "options edns0 trust-ad"],
            id="no search",
        ),
        pytest.param(
            {"search": ["c.test"], "options": ["ndots:1"], "forwarder": "10.0.2.3"},
            ["search c.test", "nameserver 10.0.2.3", "options ndots:1"],
            id="search and options",
        ),
    ],
)  # fmt: skip
def test_resolv_conf(given: dict[str, object], expected: list[str]) -> None:
    arguments = {"servers": [], "search": [], "options": [], "forwarder": "", **given}
    assert names.resolv_conf(HOST, **arguments).splitlines() == expected  # type: ignore[arg-type]


def test_resolv_conf_of_an_empty_host() -> None:
    text = names.resolv_conf("", servers=[], search=[], options=[], forwarder="10.0.2.3")
    assert text == "nameserver 10.0.2.3\n"


# Command lines


def port(host_port: int, container_port: int, **more: object) -> dict[str, object]:
    return {"host_ip": "", "host_port": host_port, "container_port": container_port, "count": 1,
            "protocol": "tcp", **more}  # fmt: skip


def pasta_words(*ports: dict[str, object], options: tuple[str, ...] = ()) -> list[str]:
    settings = {"program": "/usr/bin/pasta", "run_directory": "/run/c", "ports": list(ports)}
    return pasta.arguments({**settings, "options": list(options)}, 42)


def after(words: list[str], option: str) -> list[str]:
    return [words[index + 1] for index, word in enumerate(words) if word == option]


def test_pasta_publishes_what_is_asked_for_and_nothing_else() -> None:
    words = pasta_words(
        port(8080, 80),
        port(90, 91, host_ip="127.0.0.1"),
        port(100, 200, count=3),
        port(53, 53, protocol="udp", host_ip="::1"),
    )
    assert after(words, "-t") == ["8080:80", "127.0.0.1/90:91", "100-102:200-202"]
    assert after(words, "-u") == ["::1/53:53"]
    assert after(words, "-T") == after(words, "-U") == ["none"]
    assert words[-1] == "42"
    nothing = pasta_words()
    assert after(nothing, "-t") == after(nothing, "-u") == ["none"]


def test_the_users_options_for_pasta_take_the_place_of_ours() -> None:
    words = pasta_words(options=("--address", "192.0.2.9", "-T", "auto", "--map-gw"))
    assert after(words, "--address") == ["192.0.2.9"] and after(words, "-T") == ["auto"]
    assert "--no-map-gw" not in words and "--map-gw" not in words
    assert after(words, "--gateway") == []
    assert after(pasta_words(), "--address") == [addresses.CONTAINER]
    assert "--no-map-gw" in pasta_words()


@pytest.mark.parametrize(
    ("options", "present", "absent"),
    [
        ([], "--disable-host-loopback", "--outbound-addr"),
        (["allow_host_loopback=true"], "--mtu=65520", "--disable-host-loopback"),
        (["mtu=9000"], "--mtu=9000", "--mtu=65520"),
        (["cidr=192.0.2.0/24"], "--cidr=192.0.2.0/24", "--cidr=10.0.2.0/24"),
        (["enable_ipv6=false"], "--mtu=65520", "--enable-ipv6"),
        (["outbound_addr=192.0.2.1"], "--outbound-addr=192.0.2.1", "--outbound-addr6"),
        (["outbound_addr6=eth0"], "--outbound-addr6=eth0", "outbound_addr6=eth0"),
        (["port_handler=slirp4netns"], "--mtu=65520", "--port-handler=slirp4netns"),
    ],
)
def test_slirp4netns_options(options: list[str], present: str, absent: str) -> None:
    words = slirp4netns.words_of(options, ipv6=True)
    assert present in words and absent not in words
