"""HEALTHCHECK: its options and its command."""

from __future__ import annotations

from pod.base import units
from pod.base.errors import UsageError
from pod.base.suggest import did_you_mean
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.instructions import Command, Healthcheck
from pod.build.dockerfile.words import first_word, json_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.build.dockerfile.flags import Flags
    from pod.build.dockerfile.instructions import Place

_SHORTEST_NS = 1_000_000


def parse_healthcheck(rest: str, flags: Flags, common: dict[str, Any], place: Place) -> Healthcheck:
    """`HEALTHCHECK [OPTIONS] CMD COMMAND`, or `HEALTHCHECK NONE`. Raises DockerfileError."""
    times: dict[str, Any] = {
        f"{name.replace('-', '_')}_ns": _duration(flags.text(name), name, place)
        for name in ("interval", "timeout", "start-period", "start-interval")
    }
    retries = _retries(flags.text("retries"), place)
    flags.finish()
    kind, command = first_word(rest)
    kind = kind.upper()
    if kind == "NONE":
        if command or retries is not None or any(value is not None for value in times.values()):
            raise DockerfileError(place, "HEALTHCHECK NONE takes no options and no command")
        return Healthcheck(**common, command=None)
    if kind != "CMD":
        ending = did_you_mean(kind, ("CMD", "NONE")) if kind else ""
        raise DockerfileError(
            place,
            f"HEALTHCHECK needs CMD and a command, or NONE, after its options{ending}",
            hint="HEALTHCHECK [--interval=30s] CMD COMMAND",
        )
    found = json_words(command, "HEALTHCHECK CMD", place)
    if not command or found == ():
        raise DockerfileError(place, "HEALTHCHECK CMD needs a command")
    return Healthcheck(
        **common,
        command=Command(shell=found is None, words=(command,) if found is None else found),
        retries=retries,
        **times,
    )


def _duration(text: str, name: str, place: Place) -> int | None:
    if not text:
        return None
    try:
        value = units.parse_duration_ns(text, f"--{name}")
    except UsageError as error:
        raise DockerfileError(place, error.message) from error
    if 0 < value < _SHORTEST_NS:
        raise DockerfileError(place, f"--{name} '{text}' is too short: a millisecond at least")
    return value


def _retries(text: str, place: Place) -> int | None:
    if not text:
        return None
    try:
        return units.parse_integer(text, "--retries", 0, 1 << 31)
    except UsageError as error:
        raise DockerfileError(place, error.message) from error
