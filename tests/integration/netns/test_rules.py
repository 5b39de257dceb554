"""Rules as the kernel has them, in the words of nft(8), and in the place of those before."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from netns.holder import bridges, rules
from pod.base.errors import PodError
from pod.linux import idmap
from pod.linux.namespaces import CLONE_NEWNET

NEITHER = {"internal": False, "isolate": False}
PLAIN = {**NEITHER, "bridge": "one", "subnets": ["10.1.0.0/16", "fd00:1::/64"]}
INTERNAL = {**NEITHER, "bridge": "two", "internal": True, "subnets": ["10.2.0.0/24"]}
ISOLATED = {
    **NEITHER,
    "bridge": "three",
    "isolate": True,
    "subnets": ["10.3.1.128/25", "10.128.0.0/9"],
}

ALL = """
table inet pod {
 chain ours {
  type filter hook prerouting priority mangle; policy accept;
  socket transparent 1 meta mark set 0x00000001
 }
 chain between {
  type filter hook forward priority filter; policy accept;
  ct state established,related accept
  iifname "one" oifname "one" accept
  iifname "two" oifname "two" accept
  iifname "two" drop
  oifname "two" drop
  iifname "three" oifname "three" accept
  iifname "three" oifname != "out0" drop
  iifname != "out0" oifname "three" drop
 }
 chain outward {
  type nat hook postrouting priority srcnat; policy accept;
  ip saddr 10.1.0.0/16 oifname "out0" masquerade
  ip6 saddr fd00:1::/64 oifname "out0" masquerade
  ip saddr 10.3.1.128/25 oifname "out0" masquerade
  ip saddr 10.128.0.0/9 oifname "out0" masquerade
 }
}
"""


def listed() -> list[list[str]]:
    done = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True)
    return words(done.stdout)


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def in_a_namespace(function: Callable[[], Any]) -> Any:
    """The result of a function in a network namespace of its own."""
    return idmap.run_inside(function, namespaces=CLONE_NEWNET, what="load rules")


def test_nft_sees_the_rules() -> None:
    def load() -> list[list[str]]:
        bridges.load_rules(rules.Table(), [PLAIN, INTERNAL, ISOLATED])
        return listed()

    assert in_a_namespace(load) == words(ALL)


def test_rules_replace_those_before() -> None:
    def load() -> list[list[list[str]]]:
        table, found = rules.Table(), []
        for networks in ([PLAIN, INTERNAL, ISOLATED], [INTERNAL], []):
            bridges.load_rules(table, networks)
            found.append(listed())
        return found

    whole, one, none = in_a_namespace(load)
    assert whole == words(ALL)
    assert ["iifname", '"two"', "drop"] in one
    assert not any('"one"' in line or "masquerade" in line for line in one)
    assert ["ct", "state", "established,related", "accept"] in none
    assert not any("iifname" in line for line in none)


def test_what_the_kernel_refuses_changes_nothing() -> None:
    wrong = [rules.Chain("wrong", "filter", 99, 0, [])]

    def load() -> tuple[str, bool]:
        table = rules.Table()
        bridges.load_rules(table, [PLAIN])
        before = listed()
        try:
            table.load(wrong)
        except OSError as error:
            return os.strerror(error.errno), listed() == before
        return "", False

    why, is_same = in_a_namespace(load)
    assert why
    assert is_same


def test_it_is_told_that_the_kernel_refuses() -> None:
    def load() -> None:
        bridges.load_rules(rules.Table(), [{**PLAIN, "bridge": "x" * 99}])

    with pytest.raises(PodError, match="the kernel could not set up the network: rules: "):
        in_a_namespace(load)
