"""`pod pod create`: make a pod."""

from __future__ import annotations

import os
import sys

from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import container, limits, network, places, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.spec.container import ContainerConfig
    from pod.spec.pods import PodConfig

# Options of `run` that mean the same here.
LIMITS = (
    "blkio-weight blkio-weight-device cgroup-parent cpu-shares cpus cpuset-cpus cpuset-mems device-read-bps "
    "device-write-bps memory memory-swap security-opt sysctl"
).split()
PLACES = (
    "device gidmap gpus pid shm-size shm-size-systemd subgidname subuidname uidmap userns uts volume volumes-from"
).split()
PROCESS = "hostname label label-file".split()
_NETWORK = (
    "add-host dns dns-option dns-search hosts-file ip ip6 mac-address network network-alias no-hostname "
    "no-hosts publish publish-fallback"
).split()


def create_pod(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import pod_create
    from pod.engine.presets import container_preset

    names = [*arguments.words, *([arguments.text("name")] if arguments.given("name") else [])]
    if len(names) > 1:
        raise UsageError(f"--name excludes a name, '{names[0]}'")
    name = names[0] or "" if names else ""
    if arguments.flag("replace") and not name:
        raise UsageError("--replace needs --name, which says what is replaced")
    id_file = arguments.text("pod_id_file")
    if id_file and os.path.exists(id_file):
        raise PodError(
            f"the file '{id_file}' of --pod-id-file exists already",
            hint=f"is that pod still wanted? If not: rm {id_file}",
        )
    base = container_preset(engine.settings)
    infra = infra_config(arguments, engine, base)
    config = pod_config(arguments, engine, has_infra=arguments.flag("infra"))
    has_infra = arguments.flag("infra") and (bool(config.share) or arguments.given("infra"))
    if not has_infra:
        pod_create.check_needs_infra(infra, base)
        for option in ("infra_name", "infra_image", "infra_command", "infra_conmon_pidfile"):
            if arguments.given(option):
                raise UsageError(f"--infra=false excludes --{option.replace('_', '-')}")
    pod = pod_create.create_pod(
        engine,
        config,
        infra if has_infra else None,
        name=name,
        infra_name=arguments.text("infra_name") or "",
        pull=_pull_options(engine) if infra.image else None,
        replace=arguments.flag("replace"),
    )
    if id_file:
        _write_id(id_file, pod.id)
    print(pod.id)


def _pull_options(engine: Engine) -> PullOptions:
    from pod.cli.options import image
    from pod.engine.images import PullOptions

    return PullOptions(policy=engine.settings.engine.pull_policy, progress=image.loud_progress)


def infra_config(arguments: Arguments, engine: Engine, base: ContainerConfig) -> ContainerConfig:
    """What the infra container has: namespaces, network, mounts, devices."""
    typed = arguments.widened(container.OPTIONS)
    settings = engine.settings
    changes = process.process_changes(typed, settings, base)
    limited = limits.limit_changes(typed, settings, base)
    config = base.replace(
        **places.place_changes(typed, base),
        networking=network.networking_of(typed, base.networking),
        hostname=changes.get("hostname", ""),
        labels=changes.get("labels", {}),
        create_command=("pod", *sys.argv[1:]),
        monitor_pid_file=arguments.text("infra_conmon_pidfile") or "",
        **{name: limited[name] for name in ("security", "sysctls") if name in limited},
    )
    places.check_namespaces(typed, config)
    image_name, command = arguments.text("infra_image"), arguments.text("infra_command")
    if command and not image_name:
        raise UsageError(
            "--infra-command needs --infra-image: pod's own infra container has no other program"
        )
    return config.replace(image=image_name or "", command=tuple((command or "").split()))


def pod_config(arguments: Arguments, engine: Engine, *, has_infra: bool) -> PodConfig:
    """What belongs to the pod as a whole."""
    from pod.spec.pods import PodConfig, parse_exit_policy, parse_share
    from pod.spec.resources import Resources
    from pod.spec.restart import parse_restart

    typed = arguments.widened(container.OPTIONS)
    changes = process.process_changes(typed, engine.settings, container_defaults())
    limited = limits.limit_changes(typed, engine.settings, container_defaults())
    policy = arguments.text("exit_policy") or engine.settings.engine.pod_exit_policy
    share = parse_share(arguments.text("share") or "")
    return PodConfig(
        hostname=changes.get("hostname", ""),
        labels=changes.get("labels", {}),
        share=share if has_infra else (),
        exit_policy=parse_exit_policy(policy),
        restart=parse_restart(arguments.text("restart") or ""),
        resources=limited.get("resources", Resources()),
        cgroup_parent=limited.get("cgroup_parent", ""),
        has_cgroup=arguments.flag("share_parent"),
        create_command=("pod", *sys.argv[1:]),
        create_directory=container.working_directory(),
    )


def container_defaults() -> ContainerConfig:
    from pod.spec.container import ContainerConfig

    return ContainerConfig()


def _write_id(path: str, pod_id: str) -> None:
    from pod.base import files

    try:
        files.write_atomic(path, pod_id.encode(), mode=0o644, sync=False)
    except OSError as error:
        raise PodError(
            f"the file '{path}' of --pod-id-file cannot be written: {error.strerror}"
        ) from error


def borrowed(options: tuple[Option, ...], names: list[str]) -> tuple[Option, ...]:
    """Those of the options of `run` that have these names."""
    return tuple(option for option in options if option.flags[-1][2:] in names)


COMMAND = Command(
    create_pod,
    "[OPTIONS] [NAME]",
    description=(
        "Makes a pod, a group of containers that share namespaces, and prints its id. `pod run --pod NAME` puts "
        "containers into it. A small infra container, which needs no image, holds the namespaces."
    ),
    options=(
        *borrowed(limits.OPTIONS, LIMITS),
        *borrowed(network.OPTIONS, _NETWORK),
        *borrowed(places.OPTIONS, PLACES),
        *borrowed(process.OPTIONS, PROCESS),
        Option(
            ("--exit-policy",),
            "text",
            "What becomes of the pod when its last container has ended: continue, stop",
            metavar="POLICY",
        ),
        Option(("--infra",), "flag", "Make a container that holds the namespaces", default=True),
        Option(
            ("--infra-command",),
            "text",
            "Command of the infra container, with --infra-image",
            metavar="COMMAND",
        ),
        Option(
            ("--infra-conmon-pidfile",),
            "text",
            "Write the process id of the infra container's monitor to a file",
            metavar="FILE",
            completes="file",
        ),
        Option(
            ("--infra-image",),
            "text",
            "Image of the infra container, which needs none",
            metavar="IMAGE",
            completes="image",
        ),
        Option(("--infra-name",), "text", "Name of the infra container", metavar="NAME"),
        Option(("-n", "--name"), "text", "Name of the pod", metavar="NAME"),
        Option(
            ("--pod-id-file",),
            "text",
            "Write the pod's id to a file",
            metavar="FILE",
            completes="file",
        ),
        Option(("--replace",), "flag", "Remove a pod of this name first"),
        Option(
            ("--restart",),
            "text",
            "Restart policy of containers made in the pod: no, always, unless-stopped, on-failure[:RETRIES]",
            metavar="POLICY",
        ),
        Option(
            ("--share",),
            "text",
            "Namespaces that its containers share: ipc, net, uts, pid, cgroup, user; +NAME for more",
            metavar="NAMESPACES",
            default="ipc,net,uts",
        ),
        Option(
            ("--share-parent",),
            "flag",
            "Put the containers into a cgroup of the pod",
            default=True,
        ),
    ),
    maximum=1,
    examples=(
        "pod pod create --name shop -p 8080:80",
        "pod run -d --pod shop --name web nginx",
    ),
)
