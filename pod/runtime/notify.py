"""Where a container finds the socket of sd_notify(3) that is made for it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLACE = "/run/notify"  # in the container, as with crun
NAME = "notify"


def offer(config: dict[str, Any], directory: str) -> None:
    """Mount a directory of the host, in which there is or will be a socket NAME, and say in the environment where."""
    config["mounts"].append(
        {
            "destination": PLACE,
            "type": "bind",
            "source": directory,
            "options": ["bind", "rprivate", "nosuid", "nodev", "noexec"],
        }
    )
    environment = [
        entry for entry in config["process"]["env"] if not entry.startswith("NOTIFY_SOCKET=")
    ]
    config["process"]["env"] = [*environment, f"NOTIFY_SOCKET={PLACE}/{NAME}"]
