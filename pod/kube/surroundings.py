"""What documents need of this machine: their texts, secrets of the store, the network that pods are on."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.kube import values
from pod.kube.fields import KubeError
from pod.kube.playing import DEFAULT_NETWORK
from pod.spec.namespaces import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.engine.context import Engine
    from pod.kube.values import Source

_MOST_BYTES = 64 << 20
"""Larger than any file of documents; a store or image that was named by mistake is not read whole."""


def read_text(name: str, option: str = "") -> tuple[str, bytes]:
    """What errors call a file or an address, and its content. Raises KubeError."""
    if name.startswith(("http://", "https://")):
        from pod.build.download import downloaded

        data = b""
        for chunk in downloaded(name):
            data += chunk
            if len(data) > _MOST_BYTES:
                raise KubeError(f"what is at '{name}' is too large to be documents in YAML")
        return f"'{name}'", data
    try:
        with open(os.path.expanduser(name), "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        whose = f" of {option}" if option else ""
        raise KubeError(f"file '{name}'{whose} cannot be read: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise KubeError(f"file '{name}' is too large to be documents in YAML")
    return f"file '{name}'", data


def stored_secrets(engine: Engine) -> Callable[[str], Source | None]:
    """Finds secrets that are in the store."""
    from pod.engine import secrets

    def find(name: str) -> Source | None:
        store = secrets.store(engine)
        found = next((one for one in store.all() if one.name == name), None)
        if found is None:
            return None
        try:
            return values.stored_secret(secrets.content(engine, found), name)
        except PodError as error:
            raise KubeError(f"secret '{name}' cannot be read: {error.message}") from error

    return find


def network_for(engine: Engine, configured: Network) -> Network:
    """Where pods are when nothing else was said: one network for all of them, unless none can be had."""
    if configured.mode not in {"", "private"} or os.geteuid() == 0:
        return configured
    return Network("network", DEFAULT_NETWORK)
