"""What is said of this machine's network, in a network namespace that the test makes."""

from __future__ import annotations

import subprocess
import sys

from tests.support.engine import TREE

ROUTES = """
ip link set lo up
ip route add 10.89.0.0/24 dev lo
ip route add 10.89.7.0/30 dev lo
ip route add default dev lo
ip -6 route add fd12:3456::/48 dev lo
ip route add 10.91.0.0/16 via 10.89.7.1
exec "$1" -c 'from pod.linux.interfaces import routed_subnets
print(*routed_subnets())
direct = routed_subnets(without_gateway=True)
print(*direct)
print(direct["10.89.0.0/24"], direct["fd12:3456::/48"])'
"""


def test_routed_subnets_of_both_families_without_the_routes_to_everywhere() -> None:
    command = ["unshare", "-r", "-n", "sh", "-ec", ROUTES, "sh", sys.executable]
    done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    found, direct, names = (set(line.split()) for line in done.stdout.splitlines())
    assert {"10.89.0.0/24", "10.89.7.0/30", "fd12:3456::/48"} <= direct < found
    assert not {"0.0.0.0/0", "::/0"} & found
    assert names == {"lo"}


ONE_FAMILY = """
ip link set lo up
ip -6 route add default dev lo
exec "$1" -c 'from pod.linux.interfaces import reaches_ipv6_alone
import subprocess
print(reaches_ipv6_alone())
subprocess.run(["ip", "address", "add", "10.89.0.2/24", "dev", "lo"], check=True)
subprocess.run(["ip", "route", "add", "default", "dev", "lo"], check=True)
print(reaches_ipv6_alone())'
"""


def test_a_machine_with_ipv6_alone_is_told_from_one_with_both() -> None:
    command = ["unshare", "-r", "-n", "sh", "-ec", ONE_FAMILY, "sh", sys.executable]
    done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["True", "False"], "")
