"""Name files of a container: /etc/hosts, /etc/resolv.conf. Text in, text out. See hosts(5), resolv.conf(5)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HOST_NAMES = ("host.containers.internal", "host.docker.internal")


def hosts_file(
    base: str, *, own: Iterable[tuple[str, Iterable[str]]], added: Iterable[tuple[str, str]]
) -> str:
    """The contents of /etc/hosts: added entries (name, address) first, so that they win, then `base`, then our own.

    `own` is (address, names). A name that is added by the user is not given another address by us.
    """
    taken = {name for name, _ in added}
    lines = [f"{address}\t{name}" for name, address in added]
    if base:
        lines.append(base.rstrip("\n"))
    for address, names in own:
        left = [name for name in names if name not in taken]
        if left:
            lines.append(f"{address}\t{' '.join(left)}")
    return "\n".join(lines) + "\n"


def resolv_conf(
    host: str,
    *,
    servers: Iterable[str],
    search: Iterable[str],
    options: Iterable[str],
    forwarder: str,
    domain: str = "",
) -> str:
    """The contents of /etc/resolv.conf.

    `servers`, `search` and `options` are the user's and replace those of `host`, the host's own file; "." as the only
    search domain means none. Without servers of the user, `forwarder`, an address in the container's network that
    leads to the host's resolver, stands for all of the host's; without either, the host's are kept, as far as they can
    be reached from another network namespace. `domain`, in which the network has its names, comes before the host's
    search domains.
    """
    parsed = _parse(host)
    servers, search, options = list(servers), list(search), list(options)
    if not servers:
        servers = [forwarder] if forwarder else parsed["nameserver"]
    if not search:
        search = [domain, *parsed["search"]] if domain else parsed["search"]
    elif search == ["."]:
        search = []
    lines = [f"search {' '.join(search)}"] if search else []
    lines += [f"nameserver {server}" for server in servers]
    options = options or parsed["options"]
    if options:
        lines.append(f"options {' '.join(options)}")
    return "\n".join(lines) + "\n"


def _parse(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"nameserver": [], "search": [], "options": []}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and len(words) > 1:
            found["nameserver"].append(words[1])
        elif words[0] in {"search", "domain"}:
            found["search"] = words[1:]  # the last one counts, resolv.conf(5)
        elif words[0] == "options":
            found["options"] += words[1:]
    return found
