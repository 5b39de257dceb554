"""The OCI image and runtime JSON as types, with the specifications' field names. For the type checker only.

At run time this module is empty: import its names under TYPE_CHECKING. Fields that a specification lets be absent are
optional here; documents may have others, which are kept. Sources: OCI image specification 1.1, OCI distribution
specification 1.1, OCI runtime specification 1.2; docker's image manifest, version 2, schema 2, has the same fields.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict

    from typing_extensions import NotRequired, Required

    # --- Images ---------------------------------------------------------------------------------------------------

    Platform = TypedDict(
        "Platform",
        {
            "architecture": str,
            "os": str,
            "os.version": NotRequired[str],
            "os.features": NotRequired[list[str]],
            "variant": NotRequired[str],
        },
    )

    class Descriptor(TypedDict):
        mediaType: str
        digest: str
        size: int
        urls: NotRequired[list[str]]
        annotations: NotRequired[dict[str, str]]
        data: NotRequired[str]
        artifactType: NotRequired[str]
        platform: NotRequired[Platform]

    class Index(TypedDict):
        """An image index, a docker manifest list, and `index.json` of an image layout."""

        schemaVersion: int
        manifests: list[Descriptor]
        mediaType: NotRequired[str]
        artifactType: NotRequired[str]
        subject: NotRequired[Descriptor]
        annotations: NotRequired[dict[str, str]]

    class Manifest(TypedDict):
        schemaVersion: int
        config: Descriptor
        layers: list[Descriptor]
        mediaType: NotRequired[str]
        artifactType: NotRequired[str]
        subject: NotRequired[Descriptor]
        annotations: NotRequired[dict[str, str]]

    class Healthcheck(TypedDict, total=False):
        """Docker's extension of the image config; durations in nanoseconds."""

        Test: list[str]
        Interval: int
        Timeout: int
        StartPeriod: int
        StartInterval: int
        Retries: int

    class ExecutionConfig(TypedDict, total=False):
        """`config` of an image config: what a container of it runs with."""

        User: str
        ExposedPorts: dict[str, dict[str, Any]] | None
        Env: list[str] | None
        Entrypoint: list[str] | None
        Cmd: list[str] | None
        Volumes: dict[str, dict[str, Any]] | None
        WorkingDir: str
        Labels: dict[str, str] | None
        StopSignal: str
        Healthcheck: Healthcheck | None
        Shell: list[str] | None
        OnBuild: list[str] | None
        ArgsEscaped: bool

    class RootFs(TypedDict):
        type: str
        diff_ids: list[str]

    class History(TypedDict, total=False):
        created: str
        created_by: str
        author: str
        comment: str
        empty_layer: bool

    class ImageConfig(TypedDict, total=False):
        architecture: Required[str]
        os: Required[str]
        rootfs: Required[RootFs]
        variant: str
        created: str
        author: str
        config: ExecutionConfig
        history: list[History]

    # --- The runtime's config.json --------------------------------------------------------------------------------

    class ConsoleSize(TypedDict):
        height: int
        width: int

    class RuntimeUser(TypedDict):
        uid: int
        gid: int
        umask: NotRequired[int]
        additionalGids: NotRequired[list[int]]
        username: NotRequired[str]

    class RuntimeCapabilities(TypedDict, total=False):
        bounding: list[str]
        effective: list[str]
        inheritable: list[str]
        permitted: list[str]
        ambient: list[str]

    class Rlimit(TypedDict):
        type: str
        soft: int
        hard: int

    class Process(TypedDict, total=False):
        cwd: Required[str]
        user: Required[RuntimeUser]
        args: list[str]
        env: list[str]
        terminal: bool
        consoleSize: ConsoleSize
        capabilities: RuntimeCapabilities
        rlimits: list[Rlimit]
        noNewPrivileges: bool
        apparmorProfile: str
        oomScoreAdj: int
        selinuxLabel: str

    class Root(TypedDict):
        path: str
        readonly: NotRequired[bool]

    class IdMappingEntry(TypedDict):
        containerID: int
        hostID: int
        size: int

    class RuntimeMount(TypedDict):
        destination: str
        type: NotRequired[str]
        source: NotRequired[str]
        options: NotRequired[list[str]]
        uidMappings: NotRequired[list[IdMappingEntry]]
        gidMappings: NotRequired[list[IdMappingEntry]]

    class Hook(TypedDict):
        path: str
        args: NotRequired[list[str]]
        env: NotRequired[list[str]]
        timeout: NotRequired[int]

    class Hooks(TypedDict, total=False):
        prestart: list[Hook]
        createRuntime: list[Hook]
        createContainer: list[Hook]
        startContainer: list[Hook]
        poststart: list[Hook]
        poststop: list[Hook]

    class LinuxNamespace(TypedDict):
        type: str
        path: NotRequired[str]

    class LinuxDevice(TypedDict):
        type: str
        path: str
        major: NotRequired[int]
        minor: NotRequired[int]
        fileMode: NotRequired[int]
        uid: NotRequired[int]
        gid: NotRequired[int]

    class LinuxDeviceRule(TypedDict):
        allow: bool
        type: NotRequired[str]
        major: NotRequired[int]
        minor: NotRequired[int]
        access: NotRequired[str]

    class LinuxMemory(TypedDict, total=False):
        limit: int
        reservation: int
        swap: int
        swappiness: int
        disableOOMKiller: bool

    class LinuxCpu(TypedDict, total=False):
        shares: int
        quota: int
        period: int
        cpus: str
        mems: str
        idle: int

    class LinuxPids(TypedDict):
        limit: int

    class LinuxWeightDevice(TypedDict):
        major: int
        minor: int
        weight: NotRequired[int]

    class LinuxThrottleDevice(TypedDict):
        major: int
        minor: int
        rate: int

    class LinuxBlockIo(TypedDict, total=False):
        weight: int
        weightDevice: list[LinuxWeightDevice]
        throttleReadBpsDevice: list[LinuxThrottleDevice]
        throttleWriteBpsDevice: list[LinuxThrottleDevice]
        throttleReadIOPSDevice: list[LinuxThrottleDevice]
        throttleWriteIOPSDevice: list[LinuxThrottleDevice]

    class LinuxResources(TypedDict, total=False):
        devices: list[LinuxDeviceRule]
        memory: LinuxMemory
        cpu: LinuxCpu
        pids: LinuxPids
        blockIO: LinuxBlockIo
        unified: dict[str, str]

    class SeccompArg(TypedDict):
        index: int
        value: int
        op: str
        valueTwo: NotRequired[int]

    class SeccompRule(TypedDict):
        names: list[str]
        action: str
        errnoRet: NotRequired[int]
        args: NotRequired[list[SeccompArg]]

    class LinuxSeccomp(TypedDict):
        defaultAction: str
        defaultErrnoRet: NotRequired[int]
        architectures: NotRequired[list[str]]
        flags: NotRequired[list[str]]
        syscalls: NotRequired[list[SeccompRule]]

    class Linux(TypedDict, total=False):
        namespaces: list[LinuxNamespace]
        uidMappings: list[IdMappingEntry]
        gidMappings: list[IdMappingEntry]
        devices: list[LinuxDevice]
        cgroupsPath: str
        resources: LinuxResources
        rootfsPropagation: str
        seccomp: LinuxSeccomp
        sysctl: dict[str, str]
        maskedPaths: list[str]
        readonlyPaths: list[str]
        mountLabel: str
        personality: dict[str, Any]

    class RuntimeConfig(TypedDict, total=False):
        """config.json of a bundle."""

        ociVersion: Required[str]
        root: Root
        mounts: list[RuntimeMount]
        process: Process
        hostname: str
        domainname: str
        hooks: Hooks
        annotations: dict[str, str]
        linux: Linux

    class RuntimeState(TypedDict):
        """What `state` of an OCI runtime prints."""

        ociVersion: str
        id: str
        status: str
        bundle: str
        pid: NotRequired[int]
        annotations: NotRequired[dict[str, str]]
