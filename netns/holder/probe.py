"""Whether this kernel lets an ordinary user hold networks: bridges and rules in a network namespace of one's own."""

from __future__ import annotations

from netns.holder import rules
from netns.holder.links import Links
from pod.linux import processes, syscalls
from pod.linux.namespaces import CLONE_NEWNET, CLONE_NEWUSER


def why_not() -> str:
    """What the kernel refuses, in its words; "" when it has all that holder/bridges.py asks for.

    Tried in a child, of which nothing stays. A kernel without user namespaces is not meant: it runs no containers.
    """
    return str(processes.fork(_try, what="try to make a bridge").result())


def _try() -> str:
    try:
        syscalls.unshare(CLONE_NEWUSER)
        syscalls.unshare(CLONE_NEWNET)
    except OSError:
        return ""
    try:
        Links().add_bridge("probe")
        masked = rules.Rule().comes_from("10.88.0.0/16").leaves_by("probe").masquerade()
        outward = rules.Chain("outward", "nat", rules.POSTROUTING, rules.SOURCE_NAT, [masked])
        known = rules.Rule().is_answer().accept()
        between = rules.Chain("between", "filter", rules.FORWARD, rules.FILTER, [known])
        marked = rules.Rule().is_ours().mark(1)
        ours = rules.Chain("ours", "filter", rules.PREROUTING, rules.MANGLE, [marked])
        rules.Table().load([ours, between, outward])
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return ""
