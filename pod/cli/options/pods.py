"""Options by which commands choose pods, and the one word that containers need: in which pod they are."""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.state.pods import Pod

LATEST = Option(("-l", "--latest"), "flag", "Take the pod that was created last")
ID_FILES = Option(
    ("--pod-id-file",),
    "list",
    "Read the id of a pod from a file",
    metavar="FILE",
    completes="file",
)
IGNORE = Option(("-i", "--ignore"), "flag", "Say nothing about pods that do not exist")
TIME = Option(
    ("-t", "--time"),
    "number",
    "Seconds until a container that does not stop is killed; -1 to wait for ever",
    metavar="SECONDS",
    lowest=-1,
    aliases=("--timeout",),
)
NOT_THERE = 1


def all_option(help_text: str) -> Option:
    return Option(("-a", "--all"), "flag", help_text)


def chosen(arguments: Arguments, engine: Engine) -> list[str]:
    """Names as they were typed, or ids of what options mean."""
    from pod.state import pods

    is_declared = arguments.option_for
    names = list(arguments.words)
    ways = {
        "names": bool(names),
        "--all": is_declared("--all") is not None and arguments.flag("all"),
        "--latest": is_declared("--latest") is not None and arguments.flag("latest"),
    }
    used = [way for way, is_used in ways.items() if is_used]
    from_files = arguments.texts("pod_id_file") if is_declared("--pod-id-file") else []
    if len(used) > 1 or (from_files and used not in ([], ["names"])):
        raise UsageError(f"{used[0]} and {(*used[1:], '--pod-id-file')[0]} exclude each other")
    if not used and not from_files:
        can = [way for way in ("--all", "--latest", "--pod-id-file") if is_declared(way)]
        raise UsageError(
            f"`{arguments.spelling}` needs the name or id of a pod"
            + (f", or {' or '.join(can)}" if can else ""),
            hint=f"{arguments.spelling} --help",
        )
    if ways["--all"]:
        return [pod.id for pod in pods.all_of(engine.database)]
    if ways["--latest"]:
        return [pods.latest(engine.database).id]
    return names + [_id_in(path) for path in from_files]


def one(arguments: Arguments, engine: Engine) -> Pod:
    """The pod of a command that takes exactly one."""
    from pod.state import pods

    if arguments.flag("latest"):
        if arguments.words:
            raise UsageError(f"--latest excludes a name, '{arguments.words[0]}'")
        return pods.latest(engine.database)
    if not arguments.words:
        raise UsageError(
            f"`{arguments.spelling}` needs the name or id of a pod, or --latest",
            hint=f"{arguments.spelling} --help",
        )
    return pods.find(engine.database, arguments.words[0])


def _id_in(path: str) -> str:
    from pod.base.files import read_text

    try:
        return read_text(path).partition("\n")[0].strip()
    except OSError as error:
        raise PodError(
            f"file '{path}' of --pod-id-file cannot be read: {error.strerror}"
        ) from error


def for_each(
    arguments: Arguments,
    engine: Engine,
    do: Callable[[Pod], Iterable[PodError]],
    *,
    prints_typed: bool = False,
    ignores: bool = False,
) -> int:
    """Call `do` with each pod, tell what went wrong, and print the ids of the others, or the words that were typed."""
    from pod.cli.report import report
    from pod.state import pods

    status = 0
    for name in chosen(arguments, engine):
        try:
            pod = pods.find(engine.database, name)
        except pods.NoSuchPod as error:
            if ignores:
                continue
            status = report(error)
            continue
        try:
            errors = list(do(pod))
        except PodError as error:
            errors = [error]
        for one_error in errors:
            status = report(one_error)
        if not errors:
            print(name if prints_typed else pod.id)
    return status


# `run` and `create`

# Options of which the pod decides where it shares its network.
_OF_NETWORK = ("publish", "publish_all", "expose", "add_host", "hosts_file")
_OWN = {"cgroupns": "cgroup", "ipc": "ipc", "network": "net", "pid": "pid", "uts": "uts"}


def with_pod(arguments: Arguments, engine: Engine, config: ContainerConfig) -> ContainerConfig:
    """The configuration of a container with --pod, --pod-id-file or --init-ctr."""
    from pod.engine import pod_join
    from pod.state import pods

    name = arguments.text("pod") or ""
    if arguments.given("pod_id_file"):
        if name:
            raise UsageError("--pod and --pod-id-file exclude each other")
        name = _id_in(arguments.text("pod_id_file") or "")
    if arguments.given("init_ctr"):
        from pod.spec.pods import parse_init_kind

        config = config.replace(init_kind=parse_init_kind(arguments.text("init_ctr") or ""))
        if not name:
            raise UsageError("--init-ctr needs --pod")
    if not name:
        return config
    if name.startswith("new:"):
        pod, config = pod_join.new(engine, name.removeprefix("new:"), config)
        return pod_join.join(engine, config, pod, {"restart"})
    try:
        pod = pods.find(engine.database, name)
    except pods.NoSuchPod as error:
        raise PodError(
            f"no pod has the name or id '{name}' of --pod", hint="pod pod ps, or --pod new:NAME"
        ) from error
    own = {kind for option, kind in _OWN.items() if arguments.given(option)}
    if pod.config.infra:
        for option in ("userns", "uidmap", "gidmap", "subuidname", "subgidname"):
            if arguments.given(option):
                raise UsageError(
                    f"--pod excludes --{option}: the containers of a pod are in one user namespace"
                )
    if pod_join.shares_network(pod, own):
        for option in _OF_NETWORK:
            if arguments.given(option):
                raise UsageError(
                    f"--pod excludes --{option.replace('_', '-')}: the network is that of the pod",
                    hint=f"pod pod create --{option.replace('_', '-')} ...",
                )
    shares_names = pod.config.infra and "uts" in pod.config.share and "uts" not in own
    if shares_names and arguments.given("hostname"):
        raise UsageError(
            "--pod excludes --hostname: the name is that of the pod",
            hint="pod pod create --hostname NAME",
        )
    if arguments.given("restart"):
        own.add("restart")
    return pod_join.join(engine, config, pod, own)
