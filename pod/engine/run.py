"""`pod run`, the story: image, create, start, attach, wait, remove."""

from __future__ import annotations

import os

from pod.base import exits, faults, files
from pod.base.errors import PodError
from pod.base.records import Record
from pod.engine import create, finish, images, launch, remove, start
from pod.spec import monitor
from pod.state import reconcile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.linux.sockets import Channel
    from pod.spec.container import ContainerConfig
    from pod.state.containers import Container
    from storage.images import ImageRecord


class RunOptions(Record):
    """What `run` does with the container besides creating it."""

    name: str = ""
    replaces: bool = False  # remove another container of this name first
    detach: bool = False
    detach_keys: bytes = b""
    sig_proxy: bool = True
    keep_fds: tuple[int, ...] = ()  # descriptors besides the streams that the command gets


_SECONDS_TO_END = 1  # of a container that is removed because nobody reads its output


class GoesOn(PodError):
    """Nobody reads the output of a container any more, which runs all the same."""

    exit_status = exits.PIPE_CLOSED

    def __init__(self, container: Container) -> None:
        super().__init__(
            f"the output was closed, and container '{container.name}' goes on running",
            hint=f"pod attach {container.name}, or pod stop {container.name}",
        )


def run(
    engine: Engine,
    config: ContainerConfig,
    options: RunOptions,
    pull: PullOptions,
    on_created: Callable[[str], None],
) -> int:
    """Run a container; its exit status, or 0 when it is left in the background.

    `on_created` gets the id of a container whose output is not shown, once it runs. A container with --rm that cannot
    be started is removed, another one stays to be looked at.
    """
    config, image = _with_image(engine, config, pull)
    if config.terminal or not options.detach:
        from pod.engine import terminal  # now, while nobody waits for it
    container, lock = create.create(
        engine,
        config,
        image,
        name=options.name,
        replace=options.replaces,
        active=True,
        passing=not options.detach,
        begin=lambda container: launch.begin(engine, container),
    )
    try:
        try:
            _write_cid_file(container)
            start.start_needed(engine, container.config)
        except BaseException as error:
            launch.give_up(engine, container, error)
            raise
        channel = launch.launch(
            engine,
            container,
            attach=not options.detach,
            window=terminal.own_window() if config.terminal else (0, 0),
            keep_fds=options.keep_fds,
        )
    except BaseException:
        launch.cancel(engine, container)
        if config.auto_remove:
            remove.remove_settled(engine, container, lock, with_volumes=True)
        lock.release()
        raise
    lock.release()
    if options.detach:
        channel.close()
        on_created(container.id)
        return 0
    if config.attach == ("stdin",):
        on_created(container.id)  # as podman and docker do for those who will not see the output
    try:
        return see_through(
            engine,
            container,
            channel,
            options.detach_keys,
            read_stdin=config.interactive,
            sig_proxy=options.sig_proxy,
        )
    except GoesOn as error:
        if not config.auto_remove:
            raise
        # Nobody wants to keep it, and it is part of a pipeline that is over: `pod run --rm IMAGE yes | head`.
        remove.remove(
            engine,
            container,
            force=True,
            with_volumes=True,
            with_image=config.remove_image,
            timeout_seconds=_SECONDS_TO_END,
        )
        return error.exit_status


def create_only(
    engine: Engine,
    config: ContainerConfig,
    pull: PullOptions,
    *,
    name: str = "",
    replaces: bool = False,
) -> Container:
    """Create a container that somebody will start later."""
    config, image = _with_image(engine, config, pull)
    container, lock = create.create(engine, config, image, name=name, replace=replaces)
    try:
        _write_cid_file(container)
    except BaseException:
        remove.remove_settled(engine, container, lock, with_volumes=True)
        raise
    lock.release()
    return container


def _with_image(
    engine: Engine, config: ContainerConfig, pull: PullOptions
) -> tuple[ContainerConfig, ImageRecord | None]:
    """The image, pulled if need be, and the configuration with the name that it is meant by."""
    _check_cid_file(config)
    if config.notify == "ignore":
        os.environ.pop("NOTIFY_SOCKET", None)  # not for us, and not for what we start
    if config.rootfs:
        return config, None
    image = images.ensure(engine, config.image, pull)
    return config.replace(image=images.name_of(image, config.image)), image


def see_through(
    engine: Engine,
    container: Container,
    channel: Channel,
    detach_keys: bytes,
    *,
    read_stdin: bool,
    sig_proxy: bool,
) -> int:
    """Stay with a container until it ends or the user detaches; its exit status, or 0. `channel` carries its output.

    Its end is recorded here, so that the monitor need not load what that takes. Closes the channel.
    """
    from pod.engine import terminal

    config = container.config
    streams = config.attach or ("stdin", "stdout", "stderr")
    faults.step("attach: connected")
    try:
        channel.try_send(monitor.FINISHING)
        outcome = terminal.Attachment(
            channel,
            # With "passthrough" the container itself reads it.
            read_stdin=read_stdin and config.log.driver != "passthrough",
            raw=config.terminal,
            detach_keys=detach_keys,
            outputs=("stdout" in streams, "stderr" in streams or config.terminal),
            on_signal=_passing_on(engine, container) if sig_proxy and not config.terminal else None,
        ).run()
        if outcome.detached:
            return 0
        finish.record_end(engine, container.id)
        channel.try_send(monitor.FINISHED)
        return outcome.exit_status
    except terminal.Lost:
        finish.record_end(engine, container.id)
        raise
    except terminal.OutputClosed as error:
        raise GoesOn(container) from error
    finally:
        channel.close()


def _passing_on(engine: Engine, container: Container) -> Callable[[int], None]:
    from pod.engine.client import send

    def pass_on(number: int) -> None:
        run = reconcile.read_run(engine.paths.run(container.id))
        if run.has_processes:
            send(run, number)

    return pass_on


def _check_cid_file(config: ContainerConfig) -> None:
    if config.cid_file and os.path.exists(config.cid_file):
        raise PodError(
            f"the file '{config.cid_file}' of --cidfile exists already",
            hint=f"is that container still wanted? If not: rm {config.cid_file}",
        )


def _write_cid_file(container: Container) -> None:
    path = container.config.cid_file
    if path:
        try:
            files.write_atomic(path, container.id.encode(), mode=0o644, sync=False)
        except OSError as error:
            raise PodError(
                f"the file '{path}' of --cidfile cannot be written: {error.strerror}"
            ) from error
