"""Connect a container's network namespace to the outside, and let go of it again. The entry of this package.

What a container gets, the *settings*, is plain data:

    backend         "pasta", "slirp4netns", "none", "host" or "joined" (backends/table.py)
    program         absolute path of the backend's program, where it has one
    ports           [{"host_ip", "host_port", "container_port", "count", "protocol"}, ...]
    options         words for the program that the user gave
    ipv6            whether to offer IPv6
    run_directory   where helpers may leave files

The work is begun as soon as the namespace exists and awaited last, since a helper takes tens of milliseconds.
"""

from __future__ import annotations

import sys

from netns.backends.table import MODULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Attachment(Protocol):
        """A connection in progress or in place."""

        def wait(self) -> None:
            """Wait until the network is up. Raises NetworkError with the helper's own words."""

        def plan(self) -> dict[str, Any]:
            """After `wait`: what netns.release needs: {"processes": [(pid, start time)], "fds", "files", ...}."""

        def detach(self) -> None:
            """Instead of `plan`, when the start fails: end the helpers and remove their files."""


def begin(settings: dict[str, Any], pid: int) -> Attachment:
    """Start to connect the network namespace of `pid`; the caller waits for the result and detaches it.

    The process must live, and its /proc files be open to us, until `wait` has returned.
    """
    name = f"netns.backends.{MODULES[settings['backend']]}"
    __import__(name)  # importlib.import_module would import importlib
    attachment: Attachment = sys.modules[name].begin(settings, pid)
    return attachment
