"""`pod compose watch`: act upon changes of files as `develop.watch` of services says."""

from __future__ import annotations

from pod.cli.commands.compose_up import show_plan
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def watch(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import images, up
    from pod.compose.lock import ProjectLock
    from pod.compose.project import with_named
    from pod.compose.watch import Watcher
    from pod.engine.presets import container_preset

    project = with_named(compose.load(arguments, engine), arguments.words)
    for word in arguments.words:
        project.service(word)
    options = up.UpOptions(services=tuple(arguments.words), at_once=compose.at_once(arguments))
    services, asked = up.chosen(project, options)
    base = container_preset(engine.settings)
    quiet = arguments.flag("quiet")
    tell = compose.teller(arguments, quiet=quiet)
    how = compose.image_options(arguments, quiet=quiet, quiet_build=quiet)
    watcher = Watcher(
        engine, project, asked, base, how, tell, prune=arguments.flag("prune")
    )  # fmt: skip
    if compose.is_dry_run(arguments):
        if not arguments.flag("no_up"):
            show_plan(engine, project, options, base, how)
        lines = []
        for rule in watcher.rules:
            what = f"{rule.action} to {rule.target}" if rule.syncs else rule.action
            lines.append(f"{rule.service}: watch {rule.path}: {what}")
        return compose.show_lines(lines)
    if not arguments.flag("no_up"):
        with ProjectLock(engine, project.name) as lock:
            ids = images.provide(engine, project, services, how)
            status = compose.report_all(
                up.up(engine, project, options.replace(keep_fds=(lock.fd,)), ids, base, tell)
            )
        if status:
            return status
    watcher.watch()
    return 0


COMMAND = Command(
    watch,
    "[OPTIONS] [SERVICE...]",
    description=(
        "Brings the services up, and then acts upon changes of files that `develop: {watch: ...}` of a service names: "
        "they are brought into its containers, which are restarted or run a command where that is said, or its "
        "image is built again. Ends on Ctrl-C; the containers go on."
    ),
    options=(
        Option(("--no-up",), "flag", "Do not bring the services up before"),
        Option(("--prune",), "flag", "Remove images that rebuilds have replaced", default=True),
        Option(("--quiet",), "flag", "Do not tell what is done"),
        compose.DRY_RUN,
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose watch", "pod compose watch --no-up web"),
)  # fmt: skip
