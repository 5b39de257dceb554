"""What pod makes of each key of a compose file: honoured, ignored (why), or refused (why, and what to write instead).

The table is for programs and people: `config --explain` and the table in pod-compose(5) are made of it, a key that is
refused is an error because it stands here, and a test holds it against the published schema, so that no key is missing.
A key without a row has what is said of the key that it is in.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.compose.errors import Refused, dotted
from pod.compose.tree import Items, Table, place_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pod.compose.errors import Place
    from pod.compose.project import Project

HONOURED, IGNORED, REFUSED = "honoured", "ignored", "refused"
_WINDOWS = "it belongs to Windows"
_SWARM = "there is one machine"
_LATER = "this version of pod does not have it yet"


class Row(Record):
    """`note` says why, or what about it is to be known; `instead` what to write in the place of what is refused."""

    verdict: str = HONOURED
    note: str = ""
    instead: str = ""


def _ignored(note: str) -> Row:
    return Row(IGNORED, note)


def _refused(note: str, instead: str = "") -> Row:
    return Row(REFUSED, note, instead)


_YES = Row()
_SERVICE: dict[str, Row] = {
    "annotations": _YES,
    "attach": Row(note="what `up` without -d shows"),
    "blkio_config": _YES,
    "build": _YES,
    "build.entitlements": _refused("builds run without privileges"),
    "build.isolation": _refused(_WINDOWS),
    "build.privileged": _refused("builds run without privileges"),
    "build.provenance": _refused("pod makes no attestations"),
    "build.sbom": _refused("pod makes no attestations"),
    "build.secrets[].gid": _ignored("RUN --mount=type=secret says it"),
    "build.secrets[].mode": _ignored("RUN --mount=type=secret says it"),
    "build.secrets[].uid": _ignored("RUN --mount=type=secret says it"),
    "cap_add": _YES,
    "cap_drop": _YES,
    "cgroup": _YES,
    "cgroup_parent": _YES,
    "command": Row(note="a text is split into words as a shell does, and not given to one"),
    "configs": Row(note="a file is mounted; with uid, gid or mode, or without a file, it is copied"),
    "container_name": _YES,
    "cpu_count": _refused(_WINDOWS, "cpus"),
    "cpu_percent": _refused(_WINDOWS, "cpus"),
    "cpu_period": _YES,
    "cpu_quota": _YES,
    "cpu_rt_period": _refused("the kernel has no real-time limits for groups of version 2"),
    "cpu_rt_runtime": _refused("the kernel has no real-time limits for groups of version 2"),
    "cpu_shares": _YES,
    "cpus": _YES,
    "cpuset": _YES,
    "credential_spec": _refused(_WINDOWS),
    "depends_on": _YES,
    "deploy": _YES,
    "deploy.endpoint_mode": _ignored("a name has the addresses of all containers"),
    "deploy.labels": _ignored("they are for services of a swarm, and `config` shows them; `labels` are for containers"),
    "deploy.mode": Row(note=f"{_SWARM}, so `global` is `replicas: 1`; no jobs"),
    "deploy.placement": Row(note="of this machine: a manager without labels"),
    "deploy.placement.preferences": Row(note="one node is all there is to spread over, whatever its labels"),
    "deploy.resources.limits": _YES,
    "deploy.resources.reservations.cpus": _ignored("nothing is kept free on this machine"),
    "deploy.resources.reservations.devices": Row(note="as CDI devices nvidia.com/gpu"),
    "deploy.resources.reservations.devices[].capabilities": _ignored("the files of the CDI devices say it"),
    "deploy.resources.reservations.devices[].driver": _ignored("the files of the CDI devices say it"),
    "deploy.resources.reservations.devices[].options": _ignored("the files of the CDI devices say it"),
    "deploy.resources.reservations.generic_resources": _refused(_SWARM, "devices"),
    "deploy.resources.reservations.memory": _YES,
    "deploy.restart_policy.condition": _YES,
    "deploy.restart_policy.delay": Row(note="without it 0.1 s, and longer each time up to a minute"),
    "deploy.restart_policy.max_attempts": Row(note="those that follow on one another"),
    "deploy.restart_policy.window": Row(note="who ran longer is counted anew; 10 s without it"),
    "deploy.rollback_config": Row(note="the old containers take their places again"),
    "deploy.update_config": Row(note="without it containers are replaced one after another"),
    "develop": Row(note="with `watch` and `up --watch`"),
    "develop.watch[].exec": Row(note="with sync+exec"),
    "develop.watch[].ignore": Row(note="besides .dockerignore and what editors and git write"),
    "device_cgroup_rules": _refused("only root can allow devices", "devices"),
    "devices": _YES,
    "dns": _YES,
    "dns_opt": _YES,
    "dns_search": _YES,
    "domainname": _YES,
    "entrypoint": _YES,
    "env_file": _YES,
    "environment": _YES,
    "expose": _YES,
    "extends": _YES,
    "external_links": Row(note="containers on the same network"),
    "extra_hosts": _YES,
    "gpus": Row(note="as CDI devices nvidia.com/gpu"),
    "gpus[].capabilities": _ignored("the files of the CDI devices say it"),
    "gpus[].driver": _ignored("the files of the CDI devices say it"),
    "gpus[].options": _ignored("the files of the CDI devices say it"),
    "group_add": _YES,
    "healthcheck": _YES,
    "hostname": _YES,
    "image": _YES,
    "init": _YES,
    "ipc": _YES,
    "isolation": _refused(_WINDOWS),
    "label_file": _YES,
    "labels": _YES,
    "links": Row(note="services on a network find each other without"),
    "logging": Row(note="drivers json-file, local, k8s-file, journald, none, passthrough"),
    "mac_address": _YES,
    "mem_limit": _YES,
    "mem_reservation": _YES,
    "mem_swappiness": _refused("control groups of version 2 do not have it"),
    "memswap_limit": _YES,
    "models": _refused("pod runs no language models", "a service with the program that does"),
    "network_mode": _YES,
    "networks": _YES,
    "networks.*.driver_opts": _refused("connections have none"),
    "networks.*.link_local_ips": _refused("no network of pod has it"),
    "oom_kill_disable": _refused("control groups of version 2 do not have it", "oom_score_adj"),
    "oom_score_adj": _YES,
    "pid": _YES,
    "pids_limit": _YES,
    "platform": _YES,
    "ports": _YES,
    "ports[].app_protocol": _ignored("it is for people"),
    "ports[].mode": Row(note="ingress and host are the same on one machine"),
    "ports[].name": _ignored("it is for people"),
    "ports[].published": Row(note="the containers of a service share it by turns; of a range each has one"),
    "post_start": _YES,
    "pre_start": _refused(_LATER, "a service of its own, with service_completed_successfully"),
    "pre_stop": Row(note="with `stop`, `down` and what stops containers for a moment"),
    "privileged": Row(note="within the rights of the caller"),
    "profiles": _YES,
    "provider": _refused("pod starts no other programs for services"),
    "pull_policy": _YES,
    "pull_refresh_after": _YES,
    "read_only": _YES,
    "restart": _YES,
    "runtime": _YES,
    "scale": _YES,
    "secrets": Row(note="a file is mounted; with uid, gid or mode, or without a file, it is copied"),
    "security_opt": _YES,
    "shm_size": _YES,
    "stdin_open": _YES,
    "stop_grace_period": Row(note="whole seconds, rounded up"),
    "stop_signal": _YES,
    "storage_opt": _refused("a limit of disk space is a quota that only root can set", "tmpfs"),
    "sysctls": _YES,
    "tmpfs": _YES,
    "tty": _YES,
    "ulimits": _YES,
    "umask": _YES,
    "use_api_socket": _refused("pod has no daemon whose socket could be used"),
    "user": _YES,
    "userns_mode": _YES,
    "uts": _YES,
    "volumes": _YES,
    "volumes[].bind.selinux": _YES,
    "volumes[].consistency": _ignored("it is for virtual machines of other systems"),
    "volumes[].volume.labels": _refused("labels of a volume are at the top", "volumes: {NAME: {labels: ...}}"),
    "volumes_from": _YES,
    "working_dir": _YES,
}  # fmt: skip
TABLE: dict[str, Row] = {
    "version": _ignored("nothing depends on it"),
    "name": _YES,
    "include": _YES,
    "services": _YES,
    "models": _refused("pod runs no language models", "a service with the program that does"),
    "jobs": _refused(_LATER, "a timer of systemd that calls `pod compose run`"),
    **{f"services.*.{key}": row for key, row in _SERVICE.items()},
    "networks": _YES,
    "networks.*.attachable": _ignored("every container can be connected"),
    "networks.*.driver": Row(note="bridge"),
    "networks.*.driver_opts": Row(note="mtu, isolate, com.docker.network.bridge.name and .driver.mtu"),
    "networks.*.enable_ipv4": Row(note="false only with an ipam of IPv6"),
    "networks.*.ipam.config[].aux_addresses": Row(note="no container gets them"),
    "networks.*.ipam.driver": Row(note="default"),
    "networks.*.ipam.options": _refused("pod gives the addresses itself"),
    "volumes": _YES,
    "volumes.*.driver": Row(note="local"),
    "volumes.*.driver_opts": Row(note="type, device, o, as of pod volume create --opt"),
    "secrets": _YES,
    "secrets.*.driver": _refused("pod keeps secrets in files of its own"),
    "secrets.*.driver_opts": _refused("pod keeps secrets in files of its own"),
    "secrets.*.template_driver": _refused("it belongs to Swarm", "variables in the compose file"),
    "configs": _YES,
    "configs.*.template_driver": _refused("it belongs to Swarm", "variables in the compose file"),
}  # fmt: skip


def row_of(path: str) -> Row:
    """What is said of a key: "services.*.ports[].mode"."""
    while path:
        found = TABLE.get(path)
        if found is not None:
            return found
        path = path[:-2] if path.endswith("[]") else path.rpartition(".")[0]
    return _YES


class Found(Record):
    """A key that a file has."""

    path: tuple[Any, ...]
    place: Place
    row: Row

    @property
    def text(self) -> str:
        return dotted(self.path)


def of_project(project: Project) -> list[Found]:
    """The keys that a project has, those above which a row stands left out where they have none of their own."""
    found = [Found(path, place, row_of(pattern)) for path, pattern, place in project.above]
    for kind in ("services", "networks", "volumes", "secrets", "configs"):
        tree = getattr(project, kind)
        for name, value in tree.items():
            place = place_in(tree, name)
            for path, pattern, at in _keys(value, (kind, name), f"{kind}.*", place):
                row = row_of(pattern)
                # What a short form means stands there once, unless there is more to say about a part of it.
                is_written = path[-1] in _container(value, path).at
                if len(path) == 3 or (pattern in TABLE and (is_written or row.verdict != HONOURED)):
                    found.append(Found(path, at, row))
    for name in project.extensions:
        place = place_in(project.extensions, name)
        found.append(Found((name,), place, _ignored("extensions are for other programs")))
    return found


def _keys(
    value: Any, path: tuple[Any, ...], pattern: str, place: Place
) -> Iterator[tuple[tuple[Any, ...], str, Place]]:
    if isinstance(value, Table):
        names_are_free = pattern in {"services.*.networks", "services.*.models"}
        for key, inner in value.items():
            if str(key).startswith("x-"):
                continue
            at = value.at.get(key) or (value.place if value.place[0] else place)
            inner_pattern = f"{pattern}.*" if names_are_free else f"{pattern}.{key}"
            yield (*path, key), inner_pattern, at
            yield from _keys(inner, (*path, key), inner_pattern, at)
    elif isinstance(value, Items):
        for index, inner in enumerate(value):
            at = value.place_of(index)
            yield from _keys(inner, (*path, index), f"{pattern}[]", at)


def _container(value: Any, path: tuple[Any, ...]) -> Table:
    """The mapping that the last key of a path is in; the path begins with the kind and name of `value`."""
    for key in path[2:-1]:
        value = value[key]
    found: Table = value
    return found


def check(project: Project) -> list[str]:
    """Raise Refused for the first key that pod does not do; a sentence for each that is ignored."""
    said: dict[str, None] = {}
    for found in of_project(project):
        if found.row.verdict == REFUSED and found.path[:2] not in _inactive(project):
            raise Refused(found.place, found.path, found.row.note, found.row.instead)
        if found.row.verdict == IGNORED and len(found.path) > 1:
            file, line = found.place
            said[f"{file}:{line}: '{found.text}' is ignored: {found.row.note}"] = None
    return list(said)


def _inactive(project: Project) -> set[tuple[str, str]]:
    return {("services", name) for name in project.inactive}


def schema_paths(schema: Any) -> list[str]:
    """Every key that the schema has, as a path of the table; what is in free mappings is left out."""
    from pod.compose.schema_check import Checker

    checker = Checker(schema)
    found: dict[str, None] = {}

    def visit(part: Any, path: str, depth: int) -> None:
        if depth > 12:
            return
        for branch in checker.branches(part):
            if "items" in branch:
                visit(branch["items"], f"{path}[]", depth + 1)
            for key, inner in branch.get("properties", {}).items():
                inner_path = f"{path}.{key}" if path else key
                found[inner_path] = None
                visit(inner, inner_path, depth + 1)
            for pattern, inner in branch.get("patternProperties", {}).items():
                if pattern != "^x-" and inner:
                    visit(inner, f"{path}.*", depth + 1)

    visit(schema, "", 0)
    return list(found)
