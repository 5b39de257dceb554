"""What a stage is at one moment: files, configuration and history, as instruction after instruction changes it."""

from __future__ import annotations

from pod.base.records import Record
from pod.build.files import FileSystem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class StageState(Record):
    """A value: what follows an instruction is another one."""

    files: FileSystem
    config: Mapping[str, Any] = {}
    """The "config" object of the image; keys that begin with "_" are ours."""
    history: tuple[Mapping[str, Any], ...] = ()
    """As the image has it, but for times of new entries (history.py)."""
    os: str = "linux"
    architecture: str = ""
    variant: str = ""
    author: str = ""
    created: str = ""
    """Of the base image."""
    annotations: Mapping[str, str] = {}
    """Of the base image's manifest."""
    base_name: str = ""
    base_digest: str = ""
    """Of the base image's manifest; "" for scratch."""
    latest_ns: int = 0
    """When the newest layer was made, since 1970; 0 when there is none but those of the base."""
