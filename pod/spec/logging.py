"""Where a container's output goes. What may be typed is in log_option.py."""

from __future__ import annotations

from pod.base.records import Record

DEFAULT_DRIVER = "k8s-file"
DRIVERS = ("k8s-file", "json-file", "journald", "none", "passthrough")


class LogConfig(Record):
    """How output is logged."""

    driver: str = DEFAULT_DRIVER
    path: str = ""  # "" for the file in the container's own directory
    max_size: int = 0  # bytes; 0 for no limit
    max_files: int = 1
    tag: str = ""  # a template
