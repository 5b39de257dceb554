"""The addresses that a container on a user-mode network has, the same for pasta and slirp4netns.

They are slirp4netns(1)'s own defaults, so that what people know keeps its meaning. The network exists once per
container and is seen by nobody else.
"""

NETWORK = "10.0.2.0/24"
PREFIX_LENGTH = 24
CONTAINER = "10.0.2.100"
GATEWAY = "10.0.2.2"
RESOLVER = "10.0.2.3"
DOMAIN = "dns.podman"
"""The domain that containers on networks with names are in, as in podman."""


def in_network(cidr: str) -> tuple[str, str]:
    """The container's address and the resolver in another network, where slirp4netns(1) has them: .100 and .3."""
    base = cidr.partition("/")[0].rpartition(".")[0]
    return f"{base}.100", f"{base}.3"
