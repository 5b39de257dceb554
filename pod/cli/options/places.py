"""Options of `run` and `create` about what the container sees: mounts, devices, and the namespaces it has."""

from __future__ import annotations

import os

from pod.base.errors import UsageError
from pod.cli.declare import Option
from pod.spec import mount_words, mounts, namespace_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.spec.container import ContainerConfig
    from pod.spec.mounts import Mount
    from pod.spec.userns import UserNamespace

OPTIONS = (
    Option(
        ("--chrootdirs",),
        "comma",
        "Directory that a program inside makes its root: /etc/hosts and the like are there, too",
        metavar="DIRECTORY",
    ),
    Option(
        ("--cgroupns",),
        "text",
        "Control group namespace: private, host, container:NAME or ns:PATH",
        metavar="MODE",
    ),
    Option(
        ("--device",),
        "comma",
        "Add a device of the host",
        metavar="DEVICE[:TARGET][:PERMISSIONS]",
        completes="file",
    ),
    Option(
        ("--gpus",),
        "list",
        "Add GPUs, by their CDI files",
        metavar="all|NUMBER[,NUMBER...]",
    ),
    Option(
        ("--gidmap",),
        "comma",
        "Map group ids into the user namespace",
        metavar="CONTAINER_ID:FROM_ID[:COUNT]",
    ),
    Option(
        ("--image-volume",),
        "text",
        "What the volumes of the image become: anonymous (or bind), tmpfs, ignore",
        metavar="MODE",
    ),
    Option(
        ("--ipc",),
        "text",
        "IPC namespace: private, shareable, none, host, container:NAME or ns:PATH",
        metavar="MODE",
    ),
    Option(
        ("--mount",),
        "list",
        "Mount something: type=bind, volume, tmpfs, image, ramfs, devpts or glob, and more keys",
        metavar="type=TYPE,KEY=VALUE,...",
    ),
    Option(
        ("--pid",),
        "text",
        "PID namespace: private, host, container:NAME or ns:PATH",
        metavar="MODE",
    ),
    Option(("--read-only",), "flag", "Make the container's root file system read-only"),
    Option(
        ("--read-only-tmpfs",),
        "flag",
        "With --read-only, keep /run, /tmp and /var/tmp writable",
        default=True,
    ),
    Option(
        ("--rootfs",),
        "flag",
        "The first word is a directory with a root file system, instead of an image",
    ),
    Option(
        ("--secret",),
        "list",
        "Give the container a secret, as a file or a variable",
        metavar="NAME[,OPTIONS]",
        completes="secret",
    ),
    Option(
        ("--shm-size",),
        "text",
        "Size of /dev/shm; 0 for no limit",
        metavar="SIZE",
        empty_is_none=True,
    ),
    Option(
        ("--shm-size-systemd",),
        "text",
        "Size of each file system in memory that --systemd mounts; 0 for no limit",
        metavar="SIZE",
    ),
    Option(
        ("--tmpfs",),
        "list",
        "Mount a file system in memory",
        metavar="DIRECTORY[:OPTIONS]",
    ),
    Option(
        ("--subgidname",),
        "text",
        "Your name in /etc/subgid: your subordinate ids are all that there are",
        metavar="NAME",
        empty_is_none=True,
    ),
    Option(
        ("--subuidname",),
        "text",
        "Your name in /etc/subuid: your subordinate ids are all that there are",
        metavar="NAME",
        empty_is_none=True,
    ),
    Option(
        ("--uidmap",),
        "comma",
        "Map user ids into the user namespace",
        metavar="CONTAINER_ID:FROM_ID[:COUNT]",
    ),
    Option(
        ("--userns",),
        "text",
        "Who you are in the container: host (root), user, keep-id, nomap, auto, container:NAME or ns:PATH",
        metavar="MODE",
    ),
    Option(
        ("--uts",),
        "text",
        "Host name namespace: private, host, container:NAME or ns:PATH",
        metavar="MODE",
    ),
    Option(
        ("-v", "--volume"),
        "list",
        "Mount a directory of the host or a volume",
        metavar="[SOURCE:]TARGET[:OPTIONS]",
        completes="volume",
    ),
    Option(
        ("--volume-driver",),
        "text",
        "Driver of volumes that are made: local, the only one",
        metavar="DRIVER",
    ),
    Option(
        ("--volumes-from",),
        "list",
        "Mount the volumes of another container",
        metavar="CONTAINER[:OPTIONS]",
        completes="container",
    ),
)


def place_changes(arguments: Arguments, base: ContainerConfig) -> dict[str, Any]:
    """Fields of ContainerConfig that the options above set. `base` has what the configuration files say."""
    changes: dict[str, Any] = {}
    for name, parse in (
        ("cgroupns", namespace_option.parse_cgroupns),
        ("ipc", namespace_option.parse_ipc),
        ("pid", namespace_option.parse_pid),
        ("uts", namespace_option.parse_uts),
    ):
        text = arguments.text(name)
        if text:
            changes[name] = parse(text)
    named = [name for name in ("subuidname", "subgidname") if arguments.given(name)]
    asked_maps = [name for name in ("userns", "uidmap", "gidmap") if arguments.given(name)]
    if named and asked_maps:
        raise UsageError(f"--{named[0]} and --{asked_maps[0]} exclude each other")
    if asked_maps:
        from pod.spec.userns_option import parse_user_namespace

        changes["userns"] = parse_user_namespace(
            arguments.text("userns") or "", arguments.texts("uidmap"), arguments.texts("gidmap")
        )
    elif named:
        changes["userns"] = _named_ranges(arguments)
    elif os.environ.get("PODMAN_USERNS"):
        from pod.spec.userns_option import parse_userns

        changes["userns"] = parse_userns(os.environ["PODMAN_USERNS"], "PODMAN_USERNS")
    if arguments.given("device"):
        from pod.spec.devices import parse_device

        devices = (parse_device(text) for text in arguments.texts("device"))
        changes["devices"] = (*base.devices, *devices)
    if arguments.given("gpus"):
        from pod.spec.devices import parse_gpus

        wanted = (device for text in arguments.texts("gpus") for device in parse_gpus(text))
        changes["devices"] = (*changes.get("devices", base.devices), *wanted)
    asked = _mounts(arguments)
    if asked:
        mounts.check_conflicts(asked)
        taken = {mount.target for mount in asked}
        changes["mounts"] = (*asked, *(it for it in base.mounts if it.target not in taken))
    if arguments.given("secret"):
        from pod.spec.secrets import parse_secret

        changes["secrets"] = tuple(parse_secret(text) for text in arguments.texts("secret"))
    if arguments.given("volumes_from"):
        changes["volumes_from"] = tuple(
            mounts.parse_volumes_from(text) for text in arguments.texts("volumes_from")
        )
    mode = arguments.text("image_volume")
    if mode is not None:
        changes["image_volumes"] = mounts.parse_image_volume_mode(mode)
    size = arguments.text("shm_size")
    if size is not None:
        from pod.spec.resource_options import parse_shm_size

        changes["shm_size"] = parse_shm_size(size)
    size = arguments.text("shm_size_systemd")
    if size is not None:
        from pod.spec.resource_options import parse_shm_size

        changes["systemd_shm_size"] = parse_shm_size(size, "--shm-size-systemd")
    if arguments.given("chrootdirs"):
        changes["roots"] = tuple(
            mount_words.clean_target("--chrootdirs", text, text)
            for text in arguments.texts("chrootdirs")
        )
    driver = arguments.text("volume_driver")
    if driver not in {None, "", "local"}:
        raise UsageError(
            f"invalid argument '{driver}' for '--volume-driver': pod has the driver local only"
        )
    if arguments.given("read_only"):
        changes["read_only"] = arguments.flag("read_only")
    if arguments.given("read_only_tmpfs"):
        changes["read_only_tmpfs"] = arguments.flag("read_only_tmpfs")
    return changes


def _mounts(arguments: Arguments) -> list[Mount]:
    found = [mounts.parse_volume(text) for text in arguments.texts("volume")]
    found += [mounts.parse_tmpfs(text) for text in arguments.texts("tmpfs")]
    if arguments.given("mount"):
        from pod.spec.mount_option import parse_mount

        found += [parse_mount(text) for text in arguments.texts("mount")]
    return found


def check_namespaces(arguments: Arguments, config: ContainerConfig) -> None:
    """Refuse what the chosen namespaces make impossible."""
    for option in ("hostname", "domainname"):
        if config.uts.mode in {"host", "container", "ns"} and arguments.given(option):
            owner = "the host" if config.uts.mode == "host" else "the namespace's owner"
            raise UsageError(
                f"--{option} excludes --uts={config.uts}: the name would be that of {owner}"
            )
    if config.ipc.mode in {"host", "none", "container", "ns"} and arguments.given("shm_size"):
        raise UsageError(
            f"--shm-size excludes --ipc={config.ipc.mode}: the container has no /dev/shm of its own"
        )


def _named_ranges(arguments: Arguments) -> UserNamespace:
    """--subuidname and --subgidname: the ranges of the caller, since newuidmap(1) gives nobody those of another."""
    import pwd

    from pod.base.errors import PodError
    from pod.spec.userns import UserNamespace

    own = os.getuid()
    names = {str(own)}
    try:
        names.add(pwd.getpwuid(own).pw_name)
    except KeyError:
        pass
    for option in ("subuidname", "subgidname"):
        name = arguments.text(option)
        if name is not None and name not in names:
            raise PodError(
                f"--{option} '{name}' is not you, and only your own ranges can be used",
                hint=f"your name is {' or '.join(sorted(names, reverse=True))}",
            )
    return UserNamespace("nomap")
