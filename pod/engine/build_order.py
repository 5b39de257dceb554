"""What is to be started for a RUN: a container without a record, with what the engine knows of this machine."""

from __future__ import annotations

import os

from pod.base import files, ids
from pod.base.records import Record
from pod.build.host import Order
from pod.engine import build_leftovers, build_networks, launch, namefiles, network
from pod.engine import facts as host_facts
from pod.linux import idmap
from pod.spec import bundle
from pod.spec.container import ContainerConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pod.build.nest import Nest
    from pod.engine.context import Engine


def order(
    engine: Engine,
    config: ContainerConfig,
    identifier: str,
    directory: str,
    run_directory: str,
    layers: Mapping[str, tuple[str, ...]],
    nest: Nest,
    runtime_flags: Sequence[str],
) -> Order:
    """See pod/build/host.py. `run_directory` is made; `nest` has the user namespace of the build."""
    # Trees of stages are mounted as those of images are, and nobody else knows them.
    others = config.replace(mounts=tuple(it for it in config.mounts if it.source not in layers))
    container: Any = _BuildContainer(identifier, ids.short(identifier), others)
    os.mkdir(run_directory, 0o700)
    hostname = namefiles.hostname_of(config, identifier)
    is_on_networks = bool(config.networking.user_defined)
    if is_on_networks:
        build_networks.admit(engine, identifier, config)
    generated = namefiles.write_in(run_directory, engine, container, hostname)
    facts, placement = host_facts.collect(engine, container, generated, (0, 0))
    image_layers = {**facts.image_layers, **layers}
    facts = facts.replace(directory=directory, image_layers=image_layers)
    document = bundle.runtime_config(config, facts)
    settings = network.settings_for(engine, container)
    settings["run_directory"] = run_directory
    runtime = launch.runtime_command(engine, config.runtime)
    if runtime:
        runtime += [f"--{flag.lstrip('-')}" for flag in runtime_flags]
    path = f"{run_directory}/{build_leftovers.CGROUP_FILE}"
    files.write_atomic(path, placement.path.encode(), sync=False)
    # On networks it has one of its own, nested in that of their holder.
    has_own = is_on_networks or bool(runtime)
    return Order(
        bundle={
            "id": identifier,
            "config": document,
            "rootfs": {},
            "user": config.user or "0",
            "groups": list(config.groups),
            "passwd_entry": None,
            "group_entry": "",
            "host_users": [],
            "caller": None,
            "given_away": [],
            "make_cwd": True,
            "closed_sources": False,
            "keyring": engine.settings.containers.keyring,
            "mounts_of": "",
            "no_pivot": engine.settings.engine.no_pivot_root,
            "reaper": False,
            "seccomp": None if runtime else launch.seccomp_program(engine, config, facts),
            "seccomp_profile": launch.seccomp_document(engine, config, facts) if runtime else None,
            "cgroup": placement.path,
            "scope": {},
            "cgroup_files": placement.files,
            "group": placement.group,
            "required_limits": (),
            "dies_with_parent": True,
        },
        network=settings,
        maps=idmap.default_maps(),
        user_namespace=facts.joined.get("user") or ("" if has_own else nest.path()),
        runtime=tuple(runtime),
    )


class _BuildContainer(Record):
    """As much of a container as a start needs to know."""

    id: str
    name: str
    config: ContainerConfig
