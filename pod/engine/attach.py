"""`pod attach` and `pod start --attach`: see a container's output from now on, and type into it."""

from __future__ import annotations

from pod.engine import finish, run, start, terminal
from pod.engine.lookup import NotRunning, Paused
from pod.linux import sockets
from pod.spec import monitor
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container


def attach(
    engine: Engine,
    container: Container,
    *,
    detach_keys: bytes,
    read_stdin: bool,
    sig_proxy: bool,
) -> int:
    """Stay with a running container until it ends or the user detaches; its exit status, or 0. Raises NotRunning."""
    container, active = finish.refresh(engine, container)
    if active is None or not active.has_processes:
        raise NotRunning(container, active)
    if active.condition == "paused":
        raise Paused(container)
    try:
        channel = sockets.connect(engine.paths.run(container.id), monitor.SOCKET)
    except OSError as error:
        raise NotRunning(container.replace(status="exited")) from error
    channel.try_send(monitor.ATTACH)
    engine.events.append(events.of_container(container, "attach"))
    try:
        return run.see_through(
            engine,
            container,
            channel,
            detach_keys,
            read_stdin=read_stdin,
            sig_proxy=sig_proxy,
        )
    except terminal.Lost:
        # It may have ended after we had looked, and nobody have taken our connection; then it is known how.
        ended, active = finish.refresh(engine, container)
        if active is not None or ended.outcome.get("error"):
            raise
        return ended.exit_status


def start_attached(
    engine: Engine,
    container: Container,
    *,
    detach_keys: bytes,
    read_stdin: bool,
    sig_proxy: bool,
) -> int:
    """Start the container and stay with it; one that runs already is attached to."""
    window = terminal.own_window() if container.config.terminal else (0, 0)
    channel = start.start(engine, container, attach=True, window=window)
    if channel is None:
        return attach(
            engine,
            container,
            detach_keys=detach_keys,
            read_stdin=read_stdin,
            sig_proxy=sig_proxy,
        )
    return run.see_through(
        engine, container, channel, detach_keys, read_stdin=read_stdin, sig_proxy=sig_proxy
    )
