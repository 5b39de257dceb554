"""Documents and columns have podman's names, so that scripts find what they know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine import Engine

# Every field that podman 4.3.1 prints and, behind "|", those that came with 5.x.
CONTAINER = """
AppArmorProfile Args BoundingCaps Config.AttachStderr Config.AttachStdin Config.AttachStdout Config.Cmd
Config.CreateCommand Config.Domainname Config.Entrypoint Config.Env Config.Hostname Config.Image Config.Labels
Config.OnBuild Config.OpenStdin Config.Passwd Config.StdinOnce Config.StopSignal Config.StopTimeout Config.Timeout
Config.Tty Config.Umask Config.User Config.Volumes Config.WorkingDir Config.sdNotifyMode ConmonPidFile Created
Dependencies Driver EffectiveCaps ExecIDs GraphDriver.Data GraphDriver.Name HostConfig.AutoRemove HostConfig.Binds
HostConfig.BlkioDeviceReadBps HostConfig.BlkioDeviceReadIOps HostConfig.BlkioDeviceWriteBps
HostConfig.BlkioDeviceWriteIOps HostConfig.BlkioWeight HostConfig.BlkioWeightDevice HostConfig.CapAdd
HostConfig.CapDrop HostConfig.Cgroup HostConfig.CgroupConf HostConfig.CgroupManager HostConfig.CgroupMode
HostConfig.CgroupParent HostConfig.Cgroups HostConfig.ConsoleSize HostConfig.ContainerIDFile HostConfig.CpuCount
HostConfig.CpuPercent HostConfig.CpuPeriod HostConfig.CpuQuota HostConfig.CpuRealtimePeriod
HostConfig.CpuRealtimeRuntime HostConfig.CpuShares HostConfig.CpusetCpus HostConfig.CpusetMems HostConfig.Devices
HostConfig.DiskQuota HostConfig.Dns HostConfig.DnsOptions HostConfig.DnsSearch HostConfig.ExtraHosts
HostConfig.GroupAdd HostConfig.IOMaximumBandwidth HostConfig.IOMaximumIOps HostConfig.IpcMode HostConfig.Isolation
HostConfig.KernelMemory HostConfig.Links HostConfig.LogConfig.Config HostConfig.LogConfig.Path
HostConfig.LogConfig.Size HostConfig.LogConfig.Tag HostConfig.LogConfig.Type HostConfig.Memory
HostConfig.MemoryReservation HostConfig.MemorySwap HostConfig.MemorySwappiness HostConfig.NanoCpus
HostConfig.NetworkMode HostConfig.OomKillDisable HostConfig.OomScoreAdj HostConfig.PidMode HostConfig.PidsLimit
HostConfig.PortBindings HostConfig.Privileged HostConfig.PublishAllPorts HostConfig.ReadonlyRootfs
HostConfig.RestartPolicy.MaximumRetryCount HostConfig.RestartPolicy.Name HostConfig.Runtime HostConfig.SecurityOpt
HostConfig.ShmSize HostConfig.Tmpfs HostConfig.UTSMode HostConfig.Ulimits HostConfig.UsernsMode
HostConfig.VolumeDriver HostConfig.VolumesFrom HostnamePath HostsPath Id Image ImageDigest ImageName IsInfra IsService
MountLabel Mounts Name Namespace NetworkSettings.Bridge NetworkSettings.EndpointID NetworkSettings.Gateway
NetworkSettings.GlobalIPv6Address NetworkSettings.GlobalIPv6PrefixLen NetworkSettings.HairpinMode
NetworkSettings.IPAddress NetworkSettings.IPPrefixLen NetworkSettings.IPv6Gateway
NetworkSettings.LinkLocalIPv6Address NetworkSettings.LinkLocalIPv6PrefixLen NetworkSettings.MacAddress
NetworkSettings.Ports NetworkSettings.SandboxID NetworkSettings.SandboxKey OCIRuntime Path PidFile Pod ProcessLabel
ResolvConfPath RestartCount Rootfs SizeRootFs SizeRw State.CheckpointedAt State.Dead State.Error State.ExitCode
State.FinishedAt State.OOMKilled State.OciVersion State.Paused State.Pid State.Restarting State.RestoredAt
State.Running State.StartedAt State.Status StaticDir
| Config.ExposedPorts Config.HealthcheckOnFailureAction HostConfig.AutoRemoveImage HostConfig.HostsFile
KubeExitCodePropagation NetworkSettings.Networks UseImageHostname UseImageHosts lockNumber
"""
IMAGE = """
Annotations Architecture Author Comment Config Created Digest GraphDriver.Data GraphDriver.Name History Id Labels
ManifestType NamesHistory Os Parent RepoDigests RepoTags RootFS.Layers RootFS.Type Size User Version VirtualSize
"""
VOLUME = """
CreatedAt Driver Labels MountCount Mountpoint Name Options Scope | Anonymous GID LockNumber NeedsChown NeedsCopyUp UID
"""
PS = """
AutoRemove Command Created CreatedAt ExitCode Exited ExitedAt Id Image ImageID IsInfra Labels Mounts Names Namespaces
Networks Pid Pod PodName Ports Size StartedAt State Status | CIDFile ExposedPorts Restarts
"""
IMAGES = """
Containers Created CreatedAt Digest History Id Labels Names ParentId RepoDigests RepoTags SharedSize Size VirtualSize
| Arch Dangling Os
"""
HISTORY = "Created CreatedBy created id size | comment tags"
VERSION = """
Client.APIVersion Client.Built Client.BuiltTime Client.GitCommit Client.GoVersion Client.Os Client.OsArch Client.Version
"""
INFO = """
host.arch host.cgroupControllers host.cgroupManager host.cgroupVersion host.cpuUtilization.idlePercent host.cpus
host.distribution.distribution host.distribution.version host.eventLogger host.hostname host.idMappings.gidmap
host.idMappings.uidmap host.kernel host.linkmode host.logDriver host.memFree host.memTotal host.networkBackend
host.ociRuntime.name host.ociRuntime.package host.ociRuntime.path host.ociRuntime.version host.os
host.security.apparmorEnabled host.security.capabilities host.security.rootless host.security.seccompEnabled
host.security.seccompProfilePath host.security.selinuxEnabled host.serviceIsRemote host.slirp4netns.executable
host.swapFree host.swapTotal host.uptime plugins.authorization plugins.log plugins.network plugins.volume
store.configFile store.containerStore.number store.containerStore.paused store.containerStore.running
store.containerStore.stopped store.graphDriverName store.graphOptions store.graphRoot store.graphRootAllocated
store.graphRootUsed store.graphStatus store.imageCopyTmpDir store.imageStore.number store.runRoot store.volumePath
version.APIVersion version.Built version.BuiltTime version.GitCommit version.GoVersion version.Os version.OsArch
version.Version
"""


def names(pod: Engine, text: str) -> list[str]:
    old, _, new = text.partition("|")
    return old.split() + ([] if pod.kind == "podman" else new.split())


def missing(document: Any, wanted: list[str]) -> list[str]:
    if isinstance(document, list):
        document = document[0]
    found = []
    for path in wanted:
        part = document
        for name in path.split("."):
            if not isinstance(part, dict) or name not in part:
                found.append(path)
                break
            part = part[name]
    return found


@pytest.fixture
def made(pod: Engine) -> Engine:
    pod("volume", "create", "vol")
    pod(
        "create",
        "--name",
        "c",
        "--network",
        "none",
        "--expose",
        "80",
        "-v",
        "vol:/data",
        "-l",
        "a=b",
        "busybox",
        "true",
    )
    return pod


DOCUMENTS = [
    ("container inspect --size c", CONTAINER),
    ("image inspect busybox", IMAGE),
    ("volume inspect vol", VOLUME),
    ("volume ls --format json", VOLUME),
    ("ps -a --format json", PS),
    ("images --format json", IMAGES),
    ("history --format json busybox", HISTORY),
    ("version --format json", VERSION),
    ("info --format json", INFO),
]
TEMPLATES = [
    # What the fields are called in podman's templates, and in docker's.
    ("inspect c", "{{.ID}}={{.Id}}", ""),
    ("inspect c", "{{.State.Status}} {{.State.Running}}", "created false"),
    ("inspect c", "{{json .NetworkSettings.Ports}}", None),
    ("inspect c", "{{.HostConfig.NetworkMode}}", "none"),
    ("inspect c", "{{range .Mounts}}{{.Type}}:{{.Destination}}{{end}}", "volume:/data"),
    ("inspect c", '{{index .Config.Labels "a"}} {{.Config.Labels.a}}', "b b"),
    ("inspect c", "{{len .Mounts}} {{.RestartCount}}", "1 0"),
    ("inspect c", "{{if .Config.Healthcheck}}yes{{else}}no{{end}} {{.Config.Healthcheck}}", "no <nil>"),
    ("ps -a", "{{.CGROUPNS}}{{.IPC}}{{.MNT}}{{.NET}}{{.PIDNS}}{{.USERNS}}{{.UTS}}.", "."),
    ("network ls --filter name=podman", "{{.Name}} {{.IPAMOptions.driver}} {{.Options}}", "podman host-local map[]"),
    ("network ls --filter name=podman", "{{range .Subnets}}{{.Subnet}} {{.Gateway}}{{end}}", "10.88.0.0/16 10.88.0.1"),
    ("volume ls", "{{.Timeout}}", "0"),
    ("inspect c", "{{if .State.Running}}yes{{else}}no{{end}}", "no"),
    ("inspect c", "{{upper .Name}} {{.Name | lower}} {{title .Name}}", "C c C"),
    ("inspect c", '{{join .Config.Cmd ","}} {{json .Config.Cmd}}', 'true ["true"]'),
    ("inspect c", '{{split "a:b" ":"}} {{pad "x" 1 2}}| {{truncate "abc" 2}}', "[a b]  x  | ab"),
    ("inspect c", '{{.State.StartedAt}} {{.State.StartedAt.Year}}', "0001-01-01 00:00:00 +0000 UTC 1"),
    ("inspect c", '{{.State.StartedAt.Format "2006/01/02 Mon"}}', "0001/01/01 Mon"),
    ("image inspect busybox", '{{.ID}}={{.Id}}', ""),
    ("image inspect busybox", '{{.Created.Year}} {{.Created.Unix}}', "2023 1700000000"),
    ("image inspect busybox", '{{.Created.Format "Jan 2, 2006 at 3:04pm (MST)"}}', "Nov 14, 2023 at 10:13pm (UTC)"),
    ("ps -a", "{{.ID}}", None),
    ("ps -a", "{{.Names}} {{.Image}} {{.State}} {{.Command}}", "c docker.io/library/busybox:latest Created true"),
    ("ps -a", '{{.Labels.a}} {{.Label "a"}}', "b b"),
    ("ps -a", "{{.RunningFor}}{{.Ports}}{{.Networks}}{{.Mounts}}{{.Pod}}{{.PodName}}", None),
    ("ps -a", "{{.ImageID}} {{.CreatedAt}} {{.Status}} {{.ExitCode}} {{.Exited}} {{.Restarts}}", None),
    ("images", "{{.ID}} {{.Repository}}:{{.Tag}} {{.Digest}} {{.Size}} {{.CreatedSince}} {{.CreatedAt}}", None),
    ("volume ls", "{{.Name}} {{.Driver}} {{.Scope}} {{.Mountpoint}}", None),
    ("version", "{{.Client.Version}} {{.Client.GitCommit}}", None),
    ("info", "{{.Host.OCIRuntime.Name}} {{.Store.GraphDriverName}} {{.Version.Version}}", None),
    ("system df", "{{.Type}} {{.Total}} {{.Active}} {{.Size}} {{.Reclaimable}}", None),
]  # fmt: skip


def test_documents_have_podmans_fields(made: Engine) -> None:
    """All in one container: making one takes longer than looking at it."""
    for command, wanted in DOCUMENTS:
        lacking = missing(made(*command.split()).json(), names(made, wanted))
        assert lacking == [], command


def test_templates_name_fields_as_podman_and_docker_do(made: Engine) -> None:
    for command, template, expected in TEMPLATES:
        if made.kind == "podman" and ("Restarts" in template or ".Label " in template):
            continue  # not in 4.3
        out = made(*command.split(), "--format", template).stdout.rstrip("\n")
        assert out, template
        if expected == "":
            one, _, other = out.partition("=")
            assert one == other
        elif expected is not None:
            assert out.casefold() == expected.casefold(), template


@pytest.mark.not_podman("it ends with another status")
def test_a_field_that_does_not_exist_is_named(made: Engine) -> None:
    for template in ("{{.Nothing}}", "{{.Config.Nothing}}", "{{.State.Nothing}}"):
        assert "'Nothing'" in made("inspect", "--format", template, "c", status=125).stderr


DOCKERS = {
    "info": "{{.ServerVersion}} {{.NCPU}} {{.MemTotal}} {{.Driver}} {{.OSType}} {{.Architecture}} {{.Containers}}",
    "ps -a --size": '{{.ID}} {{.Label "a"}} {{.Mounts}} {{.Networks}} {{.Size}}',
    "system df": "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}",
    "stats --all --no-stream": "{{.Container}} {{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.NetIO}} {{.MemPerc}}",
    "events --stream=false --since 1h": "{{.Actor.ID}} {{.Actor.Attributes.name}} {{.Action}} {{.Type}} {{.Scope}}",
    "network ls": "{{.ID}} {{.Name}} {{.Driver}} {{.Scope}} {{.IPv6}} {{.Internal}} {{.Labels}} {{.CreatedAt}} "
    '{{.Label "a"}}',
    "volume ls": '{{.Name}} {{.Driver}} {{.Scope}} {{.Mountpoint}} {{.Labels}} {{.Label "a"}}',
    "secret ls": '{{.ID}} {{.Name}} {{.CreatedAt}} {{.UpdatedAt}} {{.Labels}} {{.Label "a"}}',
    "images": "{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}} {{.CreatedSince}} {{.CreatedAt}} {{.Size}}",
    "version": "{{.Client.Version}} {{.Client.APIVersion}} {{.Client.Os}} {{.Client.Arch}} {{.Server.Version}}",
    "history busybox": "{{.ID}} {{.CreatedSince}} {{.CreatedAt}} {{.CreatedBy}} {{.Size}} {{.Comment}}",
}


@pytest.mark.not_podman("these are docker's")
def test_dockers_names_are_known(made: Engine) -> None:
    made("secret", "create", "-l", "a=b", "s", "-", stdin="x")
    try:
        for command, template in DOCKERS.items():
            lines = made(*command.split(), "--format", template).lines
            assert lines and "<no value>" not in lines[-1], command
    finally:
        made("secret", "rm", "s")
