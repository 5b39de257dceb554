"""Options of `run` and `create` about what the container may do, and how much of the machine it may use."""

from __future__ import annotations

from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.configuration import Settings
    from pod.spec.container import ContainerConfig
    from pod.spec.resources import Resources

_RATE = "DEVICE:RATE"

OPTIONS = (
    Option(("--blkio-weight",), "text", "Share of block device time, 10 to 1000", metavar="WEIGHT"),
    Option(
        ("--blkio-weight-device",),
        "comma",
        "The same for one device",
        metavar="DEVICE:WEIGHT",
    ),
    Option(("--cap-add",), "comma", "Add a capability, or ALL", metavar="CAPABILITY"),
    Option(("--cap-drop",), "comma", "Take a capability away, or ALL", metavar="CAPABILITY"),
    Option(
        ("--cgroup-conf",), "list", "Write a file of the container's cgroup", metavar="FILE=VALUE"
    ),
    Option(
        ("--cgroups",),
        "text",
        "Whether the container gets a cgroup of its own: enabled, no-conmon, split, disabled",
        metavar="MODE",
        empty_is_none=True,
    ),
    Option(("--cgroup-parent",), "text", "Cgroup in which the container's is made", metavar="PATH"),
    Option(
        ("--cpu-period",), "text", "Length of the period of --cpu-quota", metavar="MICROSECONDS"
    ),
    Option(("--cpu-quota",), "text", "Processor time in each period", metavar="MICROSECONDS"),
    Option(
        ("-c", "--cpu-shares"), "text", "Share of processor time, 1024 being usual", metavar="N"
    ),
    Option(("--cpus",), "text", "How many processors, such as 1.5", metavar="NUMBER"),
    Option(("--cpuset-cpus",), "text", "Which processors, such as 0-3,7", metavar="LIST"),
    Option(("--cpuset-mems",), "text", "Which memory nodes, such as 0-1", metavar="LIST"),
    Option(
        ("--device-read-bps",),
        "comma",
        "Limit reading from a device, bytes a second",
        metavar=_RATE,
    ),
    Option(
        ("--device-read-iops",),
        "comma",
        "Limit reading from a device, operations a second",
        metavar=_RATE,
    ),
    Option(
        ("--device-write-bps",), "comma", "Limit writing to a device, bytes a second", metavar=_RATE
    ),
    Option(
        ("--device-write-iops",),
        "comma",
        "Limit writing to a device, operations a second",
        metavar=_RATE,
    ),
    Option(("-m", "--memory"), "text", "Limit memory, such as 512m", metavar="SIZE"),
    Option(("--memory-reservation",), "text", "Memory that is taken away last", metavar="SIZE"),
    Option(
        ("--memory-swap",),
        "text",
        "Limit memory and swap together; -1 for any swap",
        metavar="SIZE",
    ),
    Option(
        ("--oom-score-adj",),
        "text",
        "Who is killed first when memory is out, -1000 to 1000",
        metavar="N",
    ),
    Option(
        ("--personality",),
        "text",
        "Execution domain, personality(2)",
        metavar="LINUX|LINUX32",
    ),
    Option(
        ("--pids-limit",), "text", "Limit the number of processes; -1 for no limit", metavar="N"
    ),
    Option(("--privileged",), "flag", "Give all that you have: capabilities, devices, no filters"),
    Option(
        ("--isolation",),
        "text",
        "How containers are isolated: default, the only way here",
        metavar="WAY",
        choices=("default",),
    ),
    Option(
        ("--seccomp-policy",),
        "text",
        "Where the filter of system calls comes from: default, which is --security-opt or the usual one",
        metavar="POLICY",
        choices=("default",),
    ),
    Option(
        ("--require-limits",),
        "flag",
        "Fail instead of warning when a limit cannot be applied",
    ),
    Option(
        ("--security-opt",),
        "list",
        "Set seccomp=, apparmor=, label=, mask=, unmask=, proc-opts= or no-new-privileges",
        metavar="OPTION",
    ),
    Option(("--sysctl",), "comma", "Set a kernel parameter of the container", metavar="NAME=VALUE"),
    Option(
        ("--ulimit",),
        "comma",
        "Set a resource limit, -1 for none; host for those of the caller",
        metavar="NAME=SOFT[:HARD]",
    ),
)

# Options that pod.spec.resources.parse_resources takes under other names.
_RESOURCE_TEXTS = (
    "memory memory_swap memory_reservation cpus cpu_shares cpu_quota cpu_period cpuset_cpus "
    "cpuset_mems pids_limit blkio_weight"
).split()
_RESOURCE_LISTS = {
    "blkio_weight_device": "blkio_weight_devices",
    "device_read_bps": "read_bps",
    "device_write_bps": "write_bps",
    "device_read_iops": "read_iops",
    "device_write_iops": "write_iops",
    "cgroup_conf": "cgroup_conf",
}


def given_resources(arguments: Arguments) -> dict[str, Any]:
    """The options about the cgroup that were typed, as arguments of pod.spec.resources.parse_resources."""
    given: dict[str, Any] = {
        name: text for name in _RESOURCE_TEXTS if (text := arguments.text(name)) is not None
    }
    for option, name in _RESOURCE_LISTS.items():
        # `update` has no --cgroup-conf.
        if arguments.option_for(f"--{option.replace('_', '-')}") and arguments.given(option):
            given[name] = arguments.texts(option)
    return given


def limit_changes(
    arguments: Arguments, settings: Settings, base: ContainerConfig
) -> dict[str, Any]:
    """Fields of ContainerConfig that the options above set. `base` has what the configuration files say."""
    changes: dict[str, Any] = {}
    given = given_resources(arguments)
    if given:
        from pod.spec.resource_options import parse_resources

        given["cgroup_conf"] = [*settings.containers.cgroup_conf, *given.get("cgroup_conf", ())]
        changes["resources"] = parse_resources(**given)
    if arguments.given("privileged"):
        changes["privileged"] = arguments.flag("privileged")
    if arguments.given("cap_add") or arguments.given("cap_drop"):
        from pod.spec.security_option import parse_capabilities

        changes["add_capabilities"] = parse_capabilities(arguments.texts("cap_add"), "--cap-add")
        changes["drop_capabilities"] = parse_capabilities(arguments.texts("cap_drop"), "--cap-drop")
        _check_capabilities(changes["add_capabilities"], changes["drop_capabilities"])
    if arguments.given("security_opt"):
        from pod.spec.security_option import parse_security_options

        security = parse_security_options(arguments.texts("security_opt"))
        if security.seccomp not in {"", "unconfined"}:
            security = security.replace(seccomp=_profile(security.seccomp))
        changes["security"] = security.replace(apparmor=security.apparmor or base.security.apparmor)
    if arguments.given("ulimit"):
        from pod.spec.kernel_options import parse_ulimits

        changes["ulimits"] = parse_ulimits(arguments.texts("ulimit"))
    if arguments.given("sysctl"):
        from pod.spec.kernel_options import parse_sysctl

        changes["sysctls"] = dict(parse_sysctl(text) for text in arguments.texts("sysctl"))
    if arguments.given("oom_score_adj"):
        from pod.spec.resource_options import parse_oom_score_adj

        changes["oom_score_adj"] = parse_oom_score_adj(arguments.text("oom_score_adj") or "")
    if arguments.given("personality"):
        changes["personality"] = _personality(arguments.text("personality") or "")
    if arguments.given("cgroup_parent"):
        changes["cgroup_parent"] = arguments.text("cgroup_parent") or ""
    if arguments.given("cgroups"):
        from pod.spec.resource_options import parse_cgroups

        changes["cgroups"] = parse_cgroups(arguments.text("cgroups") or "")
    if arguments.given("require_limits"):
        changes["require_limits"] = arguments.flag("require_limits")
    if changes.get("cgroups", base.cgroups) == "split" and changes.get("cgroup_parent"):
        from pod.base.errors import UsageError

        raise UsageError("--cgroups=split excludes --cgroup-parent: the cgroup is that of the unit")
    if changes.get("cgroups", base.cgroups) == "disabled":
        _refuse_limits(given, changes)
    return changes


def changed_resources(arguments: Arguments, base: Resources) -> Resources:
    """`base` with those limits replaced that were typed, for commands that have some of the options above."""
    from pod.spec.resource_options import parse_resources

    names = {option: option for option in _RESOURCE_TEXTS} | _RESOURCE_LISTS
    given = [
        option
        for option in names
        if arguments.option_for(f"--{option.replace('_', '-')}") and arguments.given(option)
    ]
    if not given:
        return base
    typed: dict[str, Any] = {}
    for option in given:
        is_text = option in _RESOURCE_TEXTS
        typed[names[option]] = arguments.text(option) if is_text else arguments.texts(option)
    # What the new values are checked against.
    for name in ("memory", "memory_reservation"):
        if name not in typed and getattr(base, name) > 0:
            typed[name] = str(getattr(base, name))
    parsed = parse_resources(**typed)
    fields = {field for option in given for field in _FIELDS.get(option, (names[option],))}
    return base.replace(**{field: getattr(parsed, field) for field in fields})


_FIELDS = {
    # option: fields of Resources that it sets, where that is not the one of its name
    "cpus": ("cpu_quota", "cpu_period"),
    "memory": ("memory", "memory_swap"),
}


def _check_capabilities(added: tuple[str, ...], dropped: tuple[str, ...]) -> None:
    """Nothing can be given and taken away. ALL is what single ones are excepted from."""
    for name in added:
        if name in dropped:
            word = name.removeprefix("CAP_")
            from pod.base.errors import UsageError

            raise UsageError(f"--cap-add {word} and --cap-drop {word} exclude each other")


def _refuse_limits(given: dict[str, Any], changes: dict[str, Any]) -> None:
    """A container without a cgroup has no limits of one."""
    from pod.base.errors import UsageError

    options = [*given, *(name for name in ("cgroup_parent",) if name in changes)]
    options = [name for name in options if given.get(name, True)]
    if options:
        raise UsageError(f"--cgroups=disabled excludes --{options[0].replace('_', '-')}")


def _profile(text: str) -> str:
    """The path of a seccomp profile, which a start from another directory finds as well."""
    import os  # few name one

    from pod.base.errors import UsageError

    if not os.path.isfile(text):
        raise UsageError(
            f"seccomp profile '{text}' does not exist",
            hint="--security-opt seccomp=FILE, seccomp=unconfined, or seccomp=builtin",
        )
    return os.path.abspath(text)


def _personality(text: str) -> str:
    if text.upper() not in {"LINUX", "LINUX32"}:
        from pod.base.errors import InvalidValue

        raise InvalidValue("--personality", text, "LINUX or LINUX32")
    return text.upper()
