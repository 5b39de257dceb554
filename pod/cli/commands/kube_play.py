"""`pod kube play`: make and start what Kubernetes documents describe."""

from __future__ import annotations

import os
import sys

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import image, lifetime, network, places, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.kube.fields import Notes
    from pod.kube.playing import Result
    from pod.kube.pods import PlannedPod, PlayOptions
    from pod.spec.ports import PortMapping

_NOTHING_STARTED = 125


def play(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import service
    from pod.engine.images import PullOptions
    from pod.kube import plan, playing, surroundings
    from pod.kube.fields import Notes
    from pod.spec.ports import parse_port

    notes = Notes()
    options = _options(arguments, engine)
    pull: PullOptions = image.given_options(arguments, quiet=arguments.flag("quiet"))
    ports = [port for text in arguments.texts("publish") for port in parse_port(text)]
    for option in ("--ip", "--ip6", "--mac-address"):
        _addresses(arguments, option)
    for option in ("--context-dir", "--seccomp-profile-root"):
        _check_directory(arguments, option)
    waits = arguments.flag("wait")
    if waits and not arguments.flag("start"):
        raise UsageError("--wait and --start=false exclude each other")
    propagation = arguments.text("service_exit_code_propagation") or "any"
    if propagation not in playing.PROPAGATIONS:
        raise UsageError(
            f"invalid argument '{propagation}' for '--service-exit-code-propagation': expected is one of "
            f"{', '.join(playing.PROPAGATIONS)}"
        )
    if arguments.given("service_exit_code_propagation") and not waits:
        raise UsageError("--service-exit-code-propagation needs --wait")
    config_maps = read_texts(arguments.texts("configmap"), "--configmap")
    texts = read_texts(arguments.words)
    if arguments.flag("down"):
        return take_down(engine, texts, force=arguments.flag("force"))
    if arguments.flag("force"):
        raise UsageError("--force needs --down")
    made = plan.make(
        texts,
        config_maps,
        options,
        surroundings.stored_secrets(engine),
        notes,
    )
    made = made.replace(pods=_addressed(arguments, _published(made.pods, ports)))
    _tell(notes, quiet=arguments.flag("quiet"))
    notify = os.environ.get("NOTIFY_SOCKET", "")
    result = playing.play(
        engine,
        made,
        pull,
        start=arguments.flag("start"),
        replace=arguments.flag("replace"),
        build=_builder(arguments, engine),
    )
    status = _show(result)
    if waits and not status:
        service.tell_ready(notify)
        return playing.wait_and_remove(engine, made, result, propagation)
    return status


def read_texts(names: Sequence[str], option: str = "") -> list[tuple[str, bytes]]:
    """The content of files, addresses and - for standard input, each with the words by which errors name it.

    `option` is the one that they were given with.
    """
    from pod.kube import surroundings

    found = []
    for name in names:
        if name == "-":
            from pod.cli.streams import check_input

            check_input("documents in YAML")
            found.append(("standard input", sys.stdin.buffer.read()))
        else:
            found.append(surroundings.read_text(name, option))
    return found


def take_down(engine: Engine, texts: Sequence[tuple[str, bytes]], *, force: bool) -> int:
    """Remove what the documents describe, and tell what there was of it."""
    from pod.kube import plan, playing
    from pod.kube.fields import Notes

    pods, volumes, secrets = plan.names_of(texts, Notes())
    removed = [pod.id for pod in playing.remove_pods(engine, pods)]
    gone_secrets = playing.remove_secrets(engine, secrets)
    gone_volumes = playing.remove_volumes(engine, volumes) if force else []
    for title, names in (
        ("Pods removed:", removed),
        ("Secrets removed:", gone_secrets),
        ("Volumes removed:", gone_volumes),
    ):
        print("\n".join([title, *names]))
    return 0


def _options(arguments: Arguments, engine: Engine) -> PlayOptions:
    """The configurations that pods and containers begin with."""
    from pod.engine.presets import container_preset
    from pod.kube.pods import PlayOptions
    from pod.kube.surroundings import network_for
    from pod.spec.environment import as_entries, parse_annotations, proxy_environment
    from pod.spec.namespace_option import parse_networks
    from pod.spec.service import IGNORED
    from pod.spec.userns_option import parse_userns

    proxies = proxy_environment(os.environ) if engine.settings.containers.http_proxy else {}
    base = container_preset(engine.settings).replace(
        environment=as_entries(proxies), create_command=("pod", *sys.argv[1:]), notify=IGNORED
    )
    if unit := os.environ.get("PODMAN_SYSTEMD_UNIT"):
        base = base.replace(labels={**base.labels, "PODMAN_SYSTEMD_UNIT": unit})  # for auto-update
    if arguments.given("log_driver") or arguments.given("log_opt"):
        base = base.replace(log=lifetime.read_log(arguments, base.log))
    first, *more = (
        parse_networks(arguments.texts("network"))
        if arguments.given("network")
        else (network_for(engine, base.networking.network),)
    )
    infra = base.replace(
        networking=base.networking.replace(
            network=first,
            more_networks=tuple(more),
            manage_hosts=base.networking.manage_hosts and not arguments.flag("no_hosts"),
            manage_hostname=not arguments.flag("no_hostname"),
        )
    )
    if arguments.given("userns"):
        infra = infra.replace(userns=parse_userns(arguments.text("userns") or ""))
    return PlayOptions(
        base=base,
        infra=infra,
        publish_all=arguments.flag("publish_all"),
        name_prefix=not arguments.flag("no_pod_prefix"),
        annotations=tuple(parse_annotations(arguments.texts("annotation")).items()),
        profiles=arguments.text("seccomp_profile_root") or "/var/lib/kubelet/seccomp",
    )


def _builder(arguments: Arguments, engine: Engine) -> Callable[[str], bool] | None:
    """Builds an image where there is a directory of its name with a Dockerfile; None with --build=false.

    With --build it does so always, else when the image is not here. It tells whether the image is built by now.
    """
    always = arguments.flag("build")
    if arguments.given("build") and not always:
        return None
    top = os.path.abspath(arguments.text("context_dir") or ".")

    def build(name: str) -> bool:
        from pod.build.options import BuildOptions
        from pod.cli.build_progress import progress_for
        from pod.engine import build as engine_build
        from pod.engine import images
        from pod.image.names import name_for_new_image
        from pod.spec.reference import parse

        reference = parse(name)
        directory = os.path.join(top, reference.repository.rpartition("/")[2])
        files = (f"{directory}/{file}" for file in ("Containerfile", "Dockerfile"))
        if reference.digest or not any(os.path.isfile(file) for file in files):
            return False
        if not always and images.find_if_here(engine, name) is not None:
            return True
        tag = str(name_for_new_image(reference))
        progress = progress_for("", quiet=arguments.flag("quiet"))
        try:
            engine_build.build(engine, BuildOptions(context=directory, tags=(tag,)), progress)
        finally:
            progress.finish()
        return True

    return build


def _published(pods: tuple[PlannedPod, ...], ports: list[PortMapping]) -> tuple[PlannedPod, ...]:
    """--publish: in the place of what the documents publish of the same port, else of the first pod."""
    if not ports or not pods:
        return pods
    found = []
    for number, pod in enumerate(pods):
        mine = {(port.container_port, port.protocol): port for port in pod.infra.networking.ports}
        declared = {key for one in pod.containers for key in one.declared}
        for port in ports:
            key = (port.container_port, port.protocol)
            elsewhere = any(key in one.declared for other in pods for one in other.containers)
            if key in mine or key in declared or (number == 0 and not elsewhere):
                mine[key] = port
        networking = pod.infra.networking.replace(ports=tuple(mine.values()))
        found.append(pod.replace(infra=pod.infra.replace(networking=networking)))
    return tuple(found)


def _addressed(arguments: Arguments, pods: tuple[PlannedPod, ...]) -> tuple[PlannedPod, ...]:
    """--ip, --ip6 and --mac-address: each can be given once for each pod, in order."""
    for option in ("--ip", "--ip6", "--mac-address"):
        texts = _addresses(arguments, option)
        if len(texts) > len(pods):
            raise UsageError(f"{option} is given {len(texts)} times; there are {len(pods)} pods")
        for number, text in enumerate(texts):
            networking = pods[number].infra.networking
            network = networking.network
            if network.mode != "network" or networking.more_networks:
                raise UsageError(f"{option} needs pods on one network made by 'pod network create'")
            network = network.replace(options=(*network.options, text))
            infra = pods[number].infra.replace(networking=networking.replace(network=network))
            pods = (*pods[:number], pods[number].replace(infra=infra), *pods[number + 1 :])
    return pods


def _addresses(arguments: Arguments, option: str) -> list[str]:
    """The values of --ip, --ip6 or --mac-address as options of a network. Raises InvalidValue."""
    from pod.spec.namespace_option import check_place

    key = {"--ip": "ip", "--ip6": "ip6", "--mac-address": "mac"}[option]
    return [
        check_place(option, key, text)
        for text in arguments.texts(option.removeprefix("--").replace("-", "_"))
    ]


def _check_directory(arguments: Arguments, option: str) -> None:
    path = arguments.text(option.removeprefix("--").replace("-", "_"))
    if path is not None and not os.path.isdir(path):
        raise UsageError(f"'{path}' of {option} is not a directory")


def _show(result: Result) -> int:
    """As podman shows it; 125 when something could not be started."""
    from pod.cli.report import report

    status = 0
    for played in result.pods:
        containers = [container.id for container in played.containers]
        title = "Container:" if len(containers) == 1 else "Containers:"
        print("\n".join(["Pod:", played.pod.id, title, *containers, ""]))
        for error in played.errors:
            report(error)
            status = _NOTHING_STARTED
    for title, names in (("Volumes:", result.volumes), ("Secrets:", result.secrets)):
        if names:
            print("\n".join([title, *names, ""]))
    sys.stdout.flush()
    return status


def _tell(notes: Notes, *, quiet: bool) -> None:
    from pod.base import log

    for note in () if quiet else notes.said:
        log.warning(note)


_OF_RUN = [
    option
    for option in (*network.OPTIONS, *lifetime.OPTIONS, *image.OPTIONS, *places.OPTIONS, *process.OPTIONS)
    if option.flags[-1]
    in {
        "--annotation", "--authfile", "--cert-dir", "--creds", "--log-driver", "--log-opt", "--network",
        "--no-hostname", "--no-hosts", "--publish", "--quiet", "--retry", "--retry-delay", "--tls-verify", "--userns",
    }
]  # fmt: skip
COMMAND = Command(
    play,
    "[OPTIONS] FILE|ADDRESS|- [FILE|ADDRESS|-...]",
    description=(
        "Makes the pods, volumes and secrets that Kubernetes documents describe, and starts the pods. Kinds: Pod, "
        "Deployment, DaemonSet, Job, ConfigMap, Secret, PersistentVolumeClaim. What of a document has no effect on one "
        "machine is said."
    ),
    options=(
        *_OF_RUN,
        Option(
            ("--build",), "flag", "Build all images of which there is a directory with a Dockerfile"
        ),
        Option(
            ("--configmap",),
            "list",
            "More ConfigMaps that the documents refer to",
            metavar="FILE",
            completes="file",
        ),
        Option(
            ("--context-dir",),
            "text",
            "Where the directories of images are",
            metavar="DIRECTORY",
            completes="directory",
        ),
        Option(
            ("--down",), "flag", "Remove what the documents describe; the same as pod kube down"
        ),
        Option(("--force",), "flag", "With --down: remove the volumes, too"),
        Option(
            ("--ip",),
            "list",
            "Address of a pod on its network; once for each pod",
            metavar="ADDRESS",
        ),
        Option(("--ip6",), "list", "Address of IPv6 of a pod", metavar="ADDRESS"),
        Option(("--mac-address",), "list", "Hardware address of a pod", metavar="ADDRESS"),
        Option(
            ("--no-pod-prefix",),
            "flag",
            "Call containers as the documents do, without the pod's name before",
        ),
        Option(
            ("--publish-all",), "flag", "Publish all containerPorts, also those without hostPort"
        ),
        Option(("--replace",), "flag", "Remove pods of the same names first"),
        Option(
            ("--seccomp-profile-root",),
            "text",
            "Directory of seccomp profiles that documents name",
            metavar="DIRECTORY",
            completes="directory",
        ),
        Option(
            ("--service-exit-code-propagation",),
            "text",
            "With --wait: whose failure is that of the command: any, all or none",
            metavar="WHOSE",
        ),
        Option(("--start",), "flag", "Start the pods", default=True),
        Option(
            ("-w", "--wait"),
            "flag",
            "Wait until the pods have ended or pod is interrupted, then remove them",
        ),
    ),
    minimum=1,
    maximum=None,
    completes=("file",),
    examples=(
        "pod kube play shop.yaml",
        "pod kube play --replace --publish 8080:80 shop.yaml",
        "pod kube down shop.yaml",
    ),
)
