"""Every key of quadlets: in which section, what becomes of it, and since which podman it exists.

The kinds:
    text        the last value becomes one option
    number      the same, and it must be a number
    list        every value becomes an option of its own
    words       every word of every value does
    pairs       every word NAME=VALUE does
    flag        true or false
    path        as list, a path relative to the file
    own         a function of the section's module does it
Source: podman-systemd.unit(5) of podman 5.8. man/pod-quadlet.5.md has the same table for people.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Row = tuple[str, str, str]

TEXT, NUMBER, LIST, WORDS, PAIRS, FLAG, PATH, OWN = (
    "text",
    "number",
    "list",
    "words",
    "pairs",
    "flag",
    "path",
    "own",
)

_COMMON: dict[str, Row] = {
    "ContainersConfModule": (OWN, "--module", "4.8"),
    "GlobalArgs": (OWN, "", "4.8"),
    "PodmanArgs": (OWN, "", "4.5"),
    "ServiceName": (OWN, "", "5.3"),
}
_RETRY: dict[str, Row] = {
    "Retry": (NUMBER, "--retry", "5.5"),
    "RetryDelay": (TEXT, "--retry-delay", "5.5"),
}
_NAMES: dict[str, Row] = {
    "DNS": (LIST, "--dns", "4.7"),
    "DNSOption": (LIST, "--dns-option", "4.7"),
    "DNSSearch": (LIST, "--dns-search", "4.7"),
}
_MAPS: dict[str, Row] = {
    "GIDMap": (OWN, "--gidmap", "4.8"),
    "RemapGid": (OWN, "", "4.4"),
    "RemapUid": (OWN, "", "4.4"),
    "RemapUidSize": (OWN, "", "4.4"),
    "RemapUsers": (OWN, "", "4.4"),
    "SubGIDMap": (OWN, "--subgidname", "4.8"),
    "SubUIDMap": (OWN, "--subuidname", "4.8"),
    "UIDMap": (OWN, "--uidmap", "4.8"),
    "UserNS": (OWN, "--userns", "4.5"),
}

CONTAINER: dict[str, Row] = {
    **_COMMON,
    **_RETRY,
    **_NAMES,
    **_MAPS,
    "AddCapability": (WORDS, "--cap-add", "4.4"),
    "AddDevice": (OWN, "--device", "4.4"),
    "AddHost": (LIST, "--add-host", "5.3"),
    "Annotation": (PAIRS, "--annotation", "4.4"),
    "AppArmor": (TEXT, "--security-opt apparmor=", "5.8"),
    "AutoUpdate": (OWN, "--label io.containers.autoupdate=", "4.5"),
    "CgroupsMode": (OWN, "--cgroups", "5.3"),
    "ContainerName": (OWN, "--name", "4.4"),
    "DropCapability": (WORDS, "--cap-drop", "4.4"),
    "Entrypoint": (TEXT, "--entrypoint", "5.0"),
    "Environment": (PAIRS, "--env", "4.4"),
    "EnvironmentFile": (PATH, "--env-file", "4.5"),
    "EnvironmentHost": (FLAG, "--env-host", "4.4"),
    "Exec": (OWN, "", "4.4"),
    "ExposeHostPort": (OWN, "--expose", "4.4"),
    "Group": (OWN, "--user", "4.4"),
    "GroupAdd": (LIST, "--group-add", "5.1"),
    "HealthCmd": (TEXT, "--health-cmd", "4.5"),
    "HealthInterval": (TEXT, "--health-interval", "4.5"),
    "HealthLogDestination": (TEXT, "--health-log-destination", "5.3"),
    "HealthMaxLogCount": (NUMBER, "--health-max-log-count", "5.3"),
    "HealthMaxLogSize": (NUMBER, "--health-max-log-size", "5.3"),
    "HealthOnFailure": (TEXT, "--health-on-failure", "4.5"),
    "HealthRetries": (NUMBER, "--health-retries", "4.5"),
    "HealthStartPeriod": (TEXT, "--health-start-period", "4.5"),
    "HealthStartupCmd": (TEXT, "--health-startup-cmd", "4.5"),
    "HealthStartupInterval": (TEXT, "--health-startup-interval", "4.5"),
    "HealthStartupRetries": (NUMBER, "--health-startup-retries", "4.5"),
    "HealthStartupSuccess": (NUMBER, "--health-startup-success", "4.5"),
    "HealthStartupTimeout": (TEXT, "--health-startup-timeout", "4.5"),
    "HealthTimeout": (TEXT, "--health-timeout", "4.5"),
    "HostName": (TEXT, "--hostname", "4.6"),
    "HttpProxy": (FLAG, "--http-proxy", "5.7"),
    "IP": (TEXT, "--ip", "4.5"),
    "IP6": (TEXT, "--ip6", "4.5"),
    "Image": (OWN, "", "4.4"),
    "Label": (PAIRS, "--label", "4.4"),
    "LogDriver": (TEXT, "--log-driver", "4.5"),
    "LogOpt": (LIST, "--log-opt", "5.2"),
    "Mask": (LIST, "--security-opt mask=", "4.6"),
    "Memory": (TEXT, "--memory", "5.5"),
    "Mount": (OWN, "--mount", "4.5"),
    "Network": (OWN, "--network", "4.4"),
    "NetworkAlias": (LIST, "--network-alias", "5.2"),
    "NoNewPrivileges": (OWN, "--security-opt no-new-privileges", "4.4"),
    "Notify": (OWN, "--sdnotify", "4.4"),
    "PidsLimit": (NUMBER, "--pids-limit", "4.7"),
    "Pod": (OWN, "--pod", "5.0"),
    "PublishPort": (LIST, "--publish", "4.4"),
    "Pull": (TEXT, "--pull", "4.6"),
    "ReadOnly": (FLAG, "--read-only", "4.4"),
    "ReadOnlyTmpfs": (FLAG, "--read-only-tmpfs", "4.7"),
    "ReloadCmd": (OWN, "", "5.5"),
    "ReloadSignal": (OWN, "", "5.5"),
    "Rootfs": (OWN, "--rootfs", "4.5"),
    "RunInit": (FLAG, "--init", "4.4"),
    "SeccompProfile": (TEXT, "--security-opt seccomp=", "4.4"),
    "Secret": (LIST, "--secret", "4.5"),
    "SecurityLabelDisable": (OWN, "--security-opt label=disable", "4.5"),
    "SecurityLabelFileType": (TEXT, "--security-opt label=filetype:", "4.5"),
    "SecurityLabelLevel": (TEXT, "--security-opt label=level:", "4.5"),
    "SecurityLabelNested": (OWN, "--security-opt label=nested", "4.6"),
    "SecurityLabelType": (TEXT, "--security-opt label=type:", "4.5"),
    "ShmSize": (TEXT, "--shm-size", "4.7"),
    "StartWithPod": (OWN, "", "5.3"),
    "StopSignal": (TEXT, "--stop-signal", "5.3"),
    "StopTimeout": (NUMBER, "--stop-timeout", "5.0"),
    "Sysctl": (WORDS, "--sysctl", "4.6"),
    "Timezone": (TEXT, "--tz", "4.4"),
    "Tmpfs": (LIST, "--tmpfs", "4.5"),
    "Ulimit": (LIST, "--ulimit", "4.7"),
    "Unmask": (LIST, "--security-opt unmask=", "4.6"),
    "User": (OWN, "--user", "4.4"),
    "VolatileTmp": (OWN, "--tmpfs", "4.4"),
    "Volume": (OWN, "--volume", "4.4"),
    "WorkingDir": (TEXT, "--workdir", "4.6"),
}
POD: dict[str, Row] = {
    **_COMMON,
    **_NAMES,
    **_MAPS,
    "AddHost": (LIST, "--add-host", "5.3"),
    "ExitPolicy": (OWN, "--exit-policy", "5.6"),
    "HostName": (TEXT, "--hostname", "5.5"),
    "IP": (TEXT, "--ip", "5.0"),
    "IP6": (TEXT, "--ip6", "5.0"),
    "Label": (PAIRS, "--label", "5.6"),
    "Network": (OWN, "--network", "5.0"),
    "NetworkAlias": (LIST, "--network-alias", "5.2"),
    "PodName": (OWN, "--name", "5.0"),
    "PublishPort": (LIST, "--publish", "5.0"),
    "ShmSize": (TEXT, "--shm-size", "5.4"),
    "StopTimeout": (OWN, "--time", "5.7"),
    "Volume": (OWN, "--volume", "5.0"),
}
VOLUME: dict[str, Row] = {
    **_COMMON,
    "Copy": (OWN, "--opt", "4.4"),
    "Device": (OWN, "--opt device=", "4.4"),
    "Driver": (TEXT, "--driver", "4.8"),
    "Group": (OWN, "--opt o=gid=", "4.4"),
    "Image": (OWN, "--opt image=", "4.8"),
    "Label": (PAIRS, "--label", "4.4"),
    "Options": (OWN, "--opt o=", "4.4"),
    "Type": (OWN, "--opt type=", "4.4"),
    "User": (OWN, "--opt o=uid=", "4.4"),
    "VolumeName": (OWN, "", "4.6"),
}
NETWORK: dict[str, Row] = {
    **_COMMON,
    "DNS": (LIST, "--dns", "5.1"),
    "DisableDNS": (FLAG, "--disable-dns", "4.4"),
    "Driver": (TEXT, "--driver", "4.4"),
    "Gateway": (OWN, "--gateway", "4.4"),
    "IPAMDriver": (TEXT, "--ipam-driver", "4.4"),
    "IPRange": (OWN, "--ip-range", "4.4"),
    "IPv6": (FLAG, "--ipv6", "4.4"),
    "InterfaceName": (TEXT, "--interface-name", "5.6"),
    "Internal": (FLAG, "--internal", "4.4"),
    "Label": (PAIRS, "--label", "4.4"),
    "NetworkDeleteOnStop": (OWN, "", "5.5"),
    "NetworkName": (OWN, "", "4.7"),
    "Options": (PAIRS, "--opt", "4.4"),
    "Subnet": (OWN, "--subnet", "4.4"),
}
IMAGE: dict[str, Row] = {
    **_COMMON,
    **_RETRY,
    "AllTags": (FLAG, "--all-tags", "4.8"),
    "Arch": (TEXT, "--arch", "4.8"),
    "AuthFile": (TEXT, "--authfile", "4.8"),
    "CertDir": (TEXT, "--cert-dir", "4.8"),
    "Creds": (TEXT, "--creds", "4.8"),
    "DecryptionKey": (TEXT, "--decryption-key", "4.8"),
    "Image": (OWN, "", "4.8"),
    "ImageTag": (OWN, "", "4.8"),
    "OS": (TEXT, "--os", "4.8"),
    "Policy": (TEXT, "--policy", "5.6"),
    "TLSVerify": (FLAG, "--tls-verify", "4.8"),
    "Variant": (TEXT, "--variant", "4.8"),
}
ARTIFACT: dict[str, Row] = {
    **_COMMON,
    **_RETRY,
    "Artifact": (OWN, "", "5.7"),
    "AuthFile": (TEXT, "--authfile", "5.7"),
    "CertDir": (TEXT, "--cert-dir", "5.7"),
    "Creds": (TEXT, "--creds", "5.7"),
    "DecryptionKey": (TEXT, "--decryption-key", "5.7"),
    "Quiet": (FLAG, "--quiet", "5.7"),
    "TLSVerify": (FLAG, "--tls-verify", "5.7"),
}
BUILD: dict[str, Row] = {
    **_COMMON,
    **_RETRY,
    **_NAMES,
    "Annotation": (PAIRS, "--annotation", "5.2"),
    "Arch": (TEXT, "--arch", "5.2"),
    "AuthFile": (TEXT, "--authfile", "5.2"),
    "BuildArg": (PAIRS, "--build-arg", "5.7"),
    "Environment": (PAIRS, "--env", "5.2"),
    "File": (OWN, "--file", "5.2"),
    "ForceRM": (FLAG, "--force-rm", "5.2"),
    "GroupAdd": (LIST, "--group-add", "5.2"),
    "IgnoreFile": (PATH, "--ignorefile", "5.7"),
    "ImageTag": (LIST, "--tag", "5.2"),
    "Label": (PAIRS, "--label", "5.2"),
    "Network": (OWN, "--network", "5.2"),
    "Pull": (TEXT, "--pull", "5.2"),
    "Secret": (LIST, "--secret", "5.2"),
    "SetWorkingDirectory": (OWN, "", "5.2"),
    "TLSVerify": (FLAG, "--tls-verify", "5.2"),
    "Target": (TEXT, "--target", "5.2"),
    "Variant": (TEXT, "--variant", "5.2"),
    "Volume": (OWN, "--volume", "5.2"),
}
KUBE: dict[str, Row] = {
    **_COMMON,
    "AutoUpdate": (OWN, "--annotation io.containers.autoupdate=", "4.7"),
    "ConfigMap": (PATH, "--configmap", "4.4"),
    "ExitCodePropagation": (OWN, "--service-exit-code-propagation", "4.6"),
    "KubeDownForce": (OWN, "--force", "5.0"),
    "LogDriver": (TEXT, "--log-driver", "4.5"),
    "LogOpt": (LIST, "--log-opt", "5.2"),
    "Network": (OWN, "--network", "4.4"),
    "PublishPort": (LIST, "--publish", "4.4"),
    "RemapGid": (OWN, "", "4.4"),
    "RemapUid": (OWN, "", "4.4"),
    "RemapUidSize": (OWN, "", "4.4"),
    "RemapUsers": (OWN, "", "4.4"),
    "SetWorkingDirectory": (OWN, "", "4.7"),
    "UserNS": (OWN, "--userns", "4.5"),
    "Yaml": (OWN, "", "4.4"),
}
# Keys whose options pod refuses, and why, in the words that the options are refused with.
REFUSED = {
    ("artifact", "DecryptionKey"): "pod cannot decrypt artifacts",
    ("image", "DecryptionKey"): "pod cannot decrypt images",
    ("network", "IPAMDriver"): "pod gives out the addresses itself",
    (
        "volume",
        "Image",
    ): "pod mounts images into containers: Mount=type=image,source=...,destination=...",
}
QUADLET: dict[str, Row] = {"DefaultDependencies": (OWN, "", "5.2")}

# suffix: (section, keys, what follows the name in that of the service)
TYPES: dict[str, tuple[str, dict[str, Row], str]] = {
    "artifact": ("Artifact", ARTIFACT, "-artifact"),
    "build": ("Build", BUILD, "-build"),
    "container": ("Container", CONTAINER, ""),
    "image": ("Image", IMAGE, "-image"),
    "kube": ("Kube", KUBE, ""),
    "network": ("Network", NETWORK, "-network"),
    "pod": ("Pod", POD, "-pod"),
    "volume": ("Volume", VOLUME, "-volume"),
}
