"""Stop a container and start it again."""

from __future__ import annotations

from pod.engine import start, stop
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container


def restart(
    engine: Engine,
    container: Container,
    timeout_seconds: int | None = None,
    *,
    signal: int = 0,
) -> None:
    """Stop the container, if it runs, and start it. One that was started by another command meanwhile stays so.

    `signal` is as in `stop`.
    """
    engine.events.append(events.of_container(container, "restart"))
    stop.stop(engine, container, timeout_seconds, signal=signal)
    channel = start.start(engine, container)
    if channel is not None:
        channel.close()
