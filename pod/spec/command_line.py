"""A command line of pod, taken apart: what made a container or pod, so that it can be typed again, changed."""

from __future__ import annotations

from pod.base.records import Record


class Typed(Record):
    """One option: its long name without dashes, its value ("" for a flag without one), and the words as typed."""

    name: str
    value: str
    words: tuple[str, ...]


class Replay(Record):
    """`command` is its name in the table; `program` are options of pod itself, wherever they stood."""

    command: str
    program: tuple[Typed, ...]
    options: tuple[Typed, ...]
    words: tuple[str, ...]
