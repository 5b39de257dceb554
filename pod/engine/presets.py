"""What containers.conf says about every container, as the configuration that options then change."""

from __future__ import annotations

from pod.spec import namespace_option
from pod.spec.container import ContainerConfig, Networking
from pod.spec.log_option import parse_log_driver
from pod.spec.logging import LogConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.configuration import ContainerDefaults, Settings
    from pod.spec.mounts import Mount


def container_preset(settings: Settings) -> ContainerConfig:
    """A configuration without image and command that has what the configuration files say.

    Values of which the files are the weaker source are not in it, but looked up where the stronger one is known:
    limits, capabilities, sysctls, name servers, variables (engine/facts.py, engine/namefiles.py, engine/create.py).
    """
    given = settings.containers
    changes: dict[str, Any] = {}
    if given.annotations:
        from pod.spec.environment import parse_annotations

        changes["annotations"] = parse_annotations(given.annotations)
    if given.devices:
        from pod.spec.devices import parse_device

        changes["devices"] = tuple(parse_device(text) for text in given.devices)
    if given.mounts or given.volumes:
        changes["mounts"] = _mounts(given)
    if given.apparmor_profile:
        from pod.spec.security import SecurityOptions

        changes["security"] = SecurityOptions(apparmor=given.apparmor_profile)
    if given.cgroup_conf:
        from pod.spec.resource_options import parse_resources

        changes["resources"] = parse_resources(cgroup_conf=given.cgroup_conf)
    if given.userns != "host":
        from pod.spec.userns_option import parse_userns

        changes["userns"] = parse_userns(given.userns)
    return ContainerConfig(
        **changes,
        cgroupns=namespace_option.parse_cgroupns(given.cgroupns),
        cgroups=given.cgroups,
        ipc=namespace_option.parse_ipc(given.ipcns),
        pid=namespace_option.parse_pid(given.pidns),
        uts=namespace_option.parse_uts(given.utsns),
        networking=Networking(
            network=namespace_option.parse_network("" if given.netns == "auto" else given.netns),
            manage_hosts=not given.no_hosts,
            publish_fallback=given.publish_fallback,
        ),
        image_volumes=settings.engine.image_volume_mode,
        init=given.init,
        log=LogConfig(
            parse_log_driver(given.log_driver),
            max_size=max(0, given.log_size_max),
            tag=given.log_tag,
        ),
        oom_score_adj=given.oom_score_adj,
        privileged=given.privileged,
        read_only=given.read_only,
        require_limits=given.require_limits,
        shm_size=given.shm_size,
        stop_timeout=settings.engine.stop_timeout,
        timezone=given.tz,
        umask=given.umask,
    )


def _mounts(given: ContainerDefaults) -> tuple[Mount, ...]:
    from pod.spec.mount_option import parse_mount
    from pod.spec.mounts import parse_volume

    found = [parse_volume(text) for text in given.volumes]
    return (*found, *(parse_mount(text) for text in given.mounts))
