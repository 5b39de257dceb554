"""When a container that ended is started again: the grammar of --restart, and how long to wait before.

Source: podman-run(1), "--restart"; docker's "Start containers automatically".
"""

from __future__ import annotations

from pod.base.errors import InvalidValue
from pod.base.records import Record

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 60.0
STEADY_AFTER_SECONDS = 10.0  # who ran so long begins again with the first delay
GROWING = -1


class RestartPolicy(Record):
    """`max_retries` counts those that follow on one another; 0 is no limit. --restart has it for on-failure alone.

    The other fields are for compose files. Negative, they mean what --restart does: a delay that grows, and
    STEADY_AFTER_SECONDS.
    """

    name: str = "no"  # "no", "always", "unless-stopped", "on-failure"
    max_retries: int = 0
    delay_ns: int = GROWING  # between the end and the next start
    window_ns: int = GROWING  # who ran longer has been restarted well, and is counted anew

    def delay_seconds(self, attempt: int) -> float:
        """How long to wait before restart number `attempt`, counted from 0."""
        return delay_seconds(attempt) if self.delay_ns < 0 else self.delay_ns / 1e9

    def is_steady(self, lasted_seconds: float) -> bool:
        """Whether a container that ran so long has not failed at once."""
        least = STEADY_AFTER_SECONDS if self.window_ns < 0 else self.window_ns / 1e9
        return lasted_seconds > least

    def __str__(self) -> str:
        return f"{self.name}:{self.max_retries}" if self.max_retries else self.name


def parse_restart(text: str) -> RestartPolicy:
    """`--restart no|never|always|unless-stopped|on-failure[:RETRIES]`; "" is no."""
    option = "--restart"
    name, colon, retries = text.partition(":")
    if name in {"", "no", "never"} and not colon:
        return RestartPolicy()
    if name in {"always", "unless-stopped"} and not colon:
        return RestartPolicy(name)
    if name == "on-failure":
        if not colon:
            return RestartPolicy(name)
        if retries.isascii() and retries.isdigit() and len(retries) < 10:
            return RestartPolicy(name, int(retries))
    raise InvalidValue(option, text, "no, always, unless-stopped or on-failure[:RETRIES]")


def should_restart(
    policy: RestartPolicy, *, exit_status: int, restarts: int, stopped_by_user: bool
) -> bool:
    """Whether a container that has ended is to be started again.

    `restarts` counts those that already followed on one another; `stopped_by_user` is after stop and kill, which no
    policy undoes.
    """
    if stopped_by_user or policy.name == "no" or 0 < policy.max_retries <= restarts:
        return False
    return policy.name != "on-failure" or exit_status != 0


def starts_at_boot(policy: str, *, stopped_by_user: bool) -> bool:
    """Whether a container comes back when the machine, or the user's session, comes up again, as podman has it."""
    return policy == "always" or (policy == "unless-stopped" and not stopped_by_user)


def delay_seconds(attempt: int) -> float:
    """How long to wait before restart number `attempt`, counted from 0: 0.1 s, doubled each time, up to a minute."""
    return min(FIRST_DELAY_SECONDS * float(1 << min(attempt, 16)), LONGEST_DELAY_SECONDS)
