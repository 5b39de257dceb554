"""`pod pod clone`: a new pod with the configuration of another."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.commands.pod_create import LIMITS, PLACES, PROCESS, borrowed
from pod.cli.declare import Command, Option
from pod.cli.options import container, limits, places, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def clone_pod(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.options import image
    from pod.cli.report import report
    from pod.engine import pod_clone
    from pod.engine.images import PullOptions
    from pod.spec.restart import parse_restart
    from pod.state import pods

    source, *more = arguments.words
    if more and arguments.given("name"):
        raise UsageError(f"--name excludes the second argument, '{more[0]}', which is a name, too")
    other = pods.find(engine.database, source)
    typed = arguments.widened(container.OPTIONS)
    before = pod_clone.infra_as_typed(engine, other)
    if before is None:
        from pod.engine.presets import container_preset

        base = container_preset(engine.settings)
    else:
        base = before
    processed = process.process_changes(typed, engine.settings, base)
    limited = limits.limit_changes(typed, engine.settings, base)
    labels = {**other.config.labels, **processed.get("labels", {})}
    hostname = processed.get("hostname", other.config.hostname)
    config = other.config.replace(
        resources=limits.changed_resources(arguments, other.config.resources),
        labels=labels,
        hostname=hostname,
        cgroup_parent=limited.get("cgroup_parent", other.config.cgroup_parent),
    )
    if arguments.given("restart"):
        config = config.replace(restart=parse_restart(arguments.text("restart") or ""))
    changes: dict[str, Any] = {
        **places.place_changes(typed, base),
        **{name: limited[name] for name in ("security", "sysctls") if name in limited},
        "hostname": hostname,
        "labels": labels,
    }
    infra = base.replace(**changes)
    if before is None:
        from pod.engine.pod_create import check_needs_infra

        check_needs_infra(infra, base)
    options = pod_clone.CloneOptions(
        name=more[0] if more else arguments.text("name") or "",
        infra_name=arguments.text("infra_name") or "",
        destroy=arguments.flag("destroy"),
        start=arguments.flag("start"),
    )
    pull = PullOptions(policy=engine.settings.engine.pull_policy, progress=image.loud_progress)
    pod, errors = pod_clone.clone_pod(
        engine, other, config, None if before is None else infra, options, pull
    )
    print(pod.id)
    status = 0
    for error in errors:
        status = report(error)
    return status


COMMAND = Command(
    clone_pod,
    "[OPTIONS] POD [NAME]",
    description=(
        "Makes a pod with the configuration of another one and with clones of its containers, and prints its id. The "
        "files that the containers have written are not taken along."
    ),
    options=(
        *borrowed(limits.OPTIONS, LIMITS),
        *borrowed(places.OPTIONS, PLACES),
        *borrowed(process.OPTIONS, PROCESS),
        Option(("--destroy",), "flag", "Remove the other pod, stopping what runs in it"),
        Option(
            ("--infra-command",),
            "text",
            refused="the infra container of the clone is like that of the other pod",
        ),
        Option(
            ("--infra-conmon-pidfile",),
            "text",
            refused="`pod pod inspect` shows the infra container, and `pod inspect` its monitor",
        ),
        Option(("--infra-name",), "text", "Name of the infra container", metavar="NAME"),
        Option(("-n", "--name"), "text", "Name of the clone, instead of POD-clone", metavar="NAME"),
        Option(
            ("--restart",),
            "text",
            "Restart policy of containers made in the pod: no, always, unless-stopped, on-failure[:RETRIES]",
            metavar="POLICY",
        ),
        Option(("--start",), "flag", "Start the clone"),
    ),
    minimum=1,
    maximum=2,
    completes=("pod", ""),
    examples=("pod pod clone shop shop-two", "pod pod clone --destroy --start --memory 1g shop"),
)
