"""Which namespaces a container has of its own, and which networks it is on; namespace_option.py reads them."""

from __future__ import annotations

from pod.base.records import Record


class Namespace(Record):
    """What one namespace of a container is. `joined` is a container's name or id, or the path of a namespace."""

    mode: str = ""  # "" for the configured default, "private", "host", "container", "ns"; ipc: "shareable", "none"
    joined: str = ""

    def __str__(self) -> str:
        return f"{self.mode}:{self.joined}" if self.joined else self.mode


class Network(Record):
    """One --network. `joined` is a container, the path of a namespace, or the name of a network, by mode.

    `options` are pasta's arguments, or 'KEY=VALUE' for slirp4netns and networks.
    """

    # "" for the configured default, "none", "host", "private", "bridge", "pasta", "slirp4netns", "container", "ns", or
    # "network": one that somebody made and named, or "" after the last was taken away
    mode: str = ""
    joined: str = ""
    options: tuple[str, ...] = ()

    def values(self, key: str) -> list[str]:
        """What the options say about `key`, in order."""
        pairs = (option.partition("=") for option in self.options)
        return [value for name, _, value in pairs if name == key]

    def __str__(self) -> str:
        name = (self.joined or "none") if self.mode == "network" else self.mode
        joined = f":{self.joined}" if self.joined and self.mode != "network" else ""
        return name + joined + (f":{','.join(self.options)}" if self.options else "")
