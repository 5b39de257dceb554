"""`BuildOptions`: everything that the command line of `pod build` can ask, parsed and valid. It does nothing itself.

What a RUN instruction may do and see (limits, capabilities, mounts, network, namespaces) is in `run`, a ContainerConfig
as `pod run` has it, so that a build container and any other one come about in the same way.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.spec.container import ContainerConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    SecretKind = Literal["file", "env"]
    ContextKind = Literal["directory", "image", "oci-layout", "git", "url"]
    OutputKind = Literal["image", "local", "tar", "oci", "docker", "none"]
    CacheKind = Literal["registry", "local", "inline"]
    OnError = Literal["fail", "shell"]


class SecretSource(Record):
    """One --secret: where the content comes from. It is read when a step wants it, and never written to the store."""

    id: str
    kind: SecretKind
    source: str
    """The absolute path of a file, or the name of a variable of the caller."""


class SshSource(Record):
    """One --ssh: the socket of an agent, or private keys to serve."""

    id: str
    paths: tuple[str, ...]
    """Absolute; one socket, or files of keys."""


class NamedContext(Record):
    """One --build-context: what `FROM NAME`, `COPY --from=NAME` and `--mount=from=NAME` mean."""

    name: str
    kind: ContextKind
    value: str
    """An absolute directory, an image's reference, LAYOUT_DIRECTORY[:TAG|@DIGEST], or an address."""


class Output(Record):
    """One --output. Without any the result is an image in the store, which is kind "image"."""

    kind: OutputKind
    dest: str = ""
    """An absolute path, "-" for standard output, or "" for an image in the store."""
    name: str = ""
    """Name of the image, of kinds image, oci and docker; "" for those of --tag."""
    push: bool = False
    tar: bool = True
    """Whether kind "oci" is an archive and no directory."""


class CacheStore(Record):
    """One --cache-from or --cache-to."""

    kind: CacheKind
    place: str
    """A repository, or an absolute directory; "" for inline."""
    whole: bool = False
    """--cache-to with mode=max: the steps of all stages, not only those that the result is made of."""


class BuildOptions(Record):
    """One `pod build`. Lists are in the order in which they were typed, names are checked, paths are absolute."""

    # What is built
    context: str = ""
    """As typed: a directory, an address (git, http), "-" for standard input, or "" for none (only -f)."""
    files: tuple[str, ...] = ()
    """-f: paths or addresses of Dockerfiles, "-" for standard input; several are read as one after another."""
    cpp_flags: tuple[str, ...] = ()
    """--cpp-flag: for Dockerfiles whose name ends in ".in"."""
    ignore_file: str = ""
    """--ignorefile; "" for the one of the Dockerfile or of the context."""
    contexts: tuple[NamedContext, ...] = ()
    target: str = ""
    """Name or number of the stage that is wanted; "" for the last."""
    base: str = ""
    """--from: the image in the place of that of the first FROM."""
    platforms: tuple[str, ...] = ()
    """OS/ARCH[/VARIANT]; none for this machine's, more than one for a list of images."""
    all_platforms: bool = False
    """Whether `platforms`, which is empty then, are those of the base images."""
    arguments: Mapping[str, str] = {}
    """--build-arg and --build-arg-file; a name alone has been looked up among the caller's variables."""
    check: bool = False
    """--check: parse and warn, build nothing."""

    # What the result is like
    tags: tuple[str, ...] = ()
    """Full references, "localhost/web:latest"."""
    manifest: str = ""
    """--manifest: the list that the images are added to; made when it is not there."""
    format: str = "oci"
    """ "oci" or "docker"."""
    outputs: tuple[Output, ...] = ()
    labels: Mapping[str, str] = {}
    layer_labels: Mapping[str, str] = {}
    """Labels of all images, intermediate ones included (--layer-label)."""
    unset_labels: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}
    """Of the manifest."""
    unset_annotations: tuple[str, ...] = ()
    inherit_annotations: bool = True
    inherit_labels: bool = True
    environment: Mapping[str, str | None] = {}
    """--env: variables of the image; None for those that are left out unless the caller has them."""
    unset_environment: tuple[str, ...] = ()
    identity_label: bool = False
    """Add the label io.pod.version."""
    created_annotation: bool = False
    """Add the annotation org.opencontainers.image.created."""
    omit_history: bool = False
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    squash: Literal["", "new", "all"] = ""
    """ "new" makes one layer of all new ones (--squash), "all" of the base's, too (--squash-all)."""
    timestamp: int | None = None
    """Seconds since 1970 for the image, its history and all files of new layers (--timestamp)."""
    source_date_epoch: int | None = None
    """The same for the image and its history, and the latest time of any file in new layers."""
    compat_volumes: bool = False
    """Throw away what RUN changes below a VOLUME, as docker's old builder did."""
    id_file: str = ""
    metadata_file: str = ""

    # How it is built
    run: ContainerConfig = ContainerConfig()
    """What a RUN gets: networking, mounts (--volume), devices, namespaces, userns, capabilities, security, ulimits,
    resources, cgroup_parent, shm_size, groups, runtime. Its image, command, environment and user stay empty."""
    runtime_flags: tuple[str, ...] = ()
    """Global options of the OCI runtime of `run`, without their "--"."""
    http_proxy: bool = True
    """Whether RUN sees the proxy variables of the caller, which never come into the image."""
    stdin: bool = False
    """Whether RUN reads the caller's standard input."""
    secrets: tuple[SecretSource, ...] = ()
    ssh: tuple[SshSource, ...] = ()
    allowed: tuple[str, ...] = ()
    """--allow: "security.insecure", "network.host", "device"."""
    layers: bool = True
    """Whether each instruction makes a layer; else only the whole of a stage does."""
    use_cache: bool = True
    no_cache_stages: tuple[str, ...] = ()
    """--no-cache-filter: stages for which there is no cache."""
    cache_from: tuple[CacheStore, ...] = ()
    cache_to: tuple[CacheStore, ...] = ()
    cache_ttl_seconds: int | None = None
    """Steps in the cache that are older count as missing; none counts with 0."""
    jobs: int = 0
    """How many stages at once; 0 for as many as there are processors and a few more."""
    skip_unused_stages: bool = True
    on_error: OnError = "fail"
    explain: bool = False
    """Tell for each step whether it was cached, and which input changed."""

    # How images are fetched
    pull: str = "missing"
    """ "missing", "always", "newer", "never"."""
    authfile: str = ""
    credentials: str = ""
    certificates: str = ""
    tls_verify: bool | None = None
    retries: int | None = None
    retry_delay_ns: int | None = None

    # What is said
    quiet: bool = False


class Built(Record):
    """What a build has made."""

    id: str
    """Of the image, or of the list of images: 64 digits; "" where none was to be kept, as with --output type=local."""
    digest: str = ""
    """Of the manifest, or of the index."""
    names: tuple[str, ...] = ()
