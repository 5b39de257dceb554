"""What is found out of the kernel before a container is put on the default network."""

from __future__ import annotations

import _socket
import errno

from netns.holder import probe
from pod.linux import processes, seccomp, syscalls

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
PROTOCOL = 2  # the argument of socket(2)


def without(protocol: int) -> str:
    """What a process finds that has no netlink sockets of this protocol, as on a kernel without the module."""
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {
                "names": ["socket"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": errno.EPROTONOSUPPORT,
                "args": [
                    {"index": 0, "value": _socket.AF_NETLINK, "op": "SCMP_CMP_EQ"},
                    {"index": PROTOCOL, "value": protocol, "op": "SCMP_CMP_EQ"},
                ],
            }
        ],
    }
    program = seccomp.compile_profile(profile, set(), "test")

    def look() -> str:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.seccomp_set_filter(program, 0)
        return probe.why_not()

    return str(processes.fork(look, what="look").result())


def test_this_kernel_can() -> None:
    assert probe.why_not() == ""


def test_a_kernel_without_rules_cannot() -> None:
    assert "Protocol not supported" in without(NETLINK_NETFILTER)


def test_a_kernel_without_links_cannot() -> None:
    assert "Protocol not supported" in without(NETLINK_ROUTE)
