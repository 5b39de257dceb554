"""Options of `pod build`. What they say is read in `build_values.py`, and what a RUN may do as for `run`."""

from __future__ import annotations

from pod.cli.declare import Option
from pod.cli.options import image, limits, network, places, process

_SBOM = "pod makes no lists of what is in an image"
_IDS = "steps run in your own id map, as the layers that they make are stored"

_SHARED_NAMES = {
    limits.OPTIONS: (
        "--cap-add",
        "--cap-drop",
        "--cgroup-parent",
        "--cpu-period",
        "--cpu-quota",
        "--cpu-shares",
        "--cpus",
        "--cpuset-cpus",
        "--cpuset-mems",
        "--memory",
        "--memory-swap",
        "--security-opt",
        "--ulimit",
    ),
    network.OPTIONS: (
        "--add-host",
        "--dns",
        "--dns-option",
        "--dns-search",
        "--network",
        "--no-hostname",
        "--no-hosts",
    ),
    places.OPTIONS: (
        "--cgroupns",
        "--device",
        "--ipc",
        "--pid",
        "--shm-size",
        "--userns",
        "--uts",
        "--volume",
    ),
    process.OPTIONS: ("--group-add", "--http-proxy"),
}
SHARED = tuple(
    option
    for options, names in _SHARED_NAMES.items()
    for option in options
    if option.flags[-1] in names
)
"""What a RUN may do and see, with the meaning that it has for `run`."""

_SOURCE = (
    Option(
        ("-f", "--file"),
        "list",
        "Dockerfile: a file, an address, or - for standard input; several are one after another",
        metavar="FILE",
        completes="file",
    ),
    Option(
        ("--ignorefile",),
        "text",
        "File with what of the context is left out, instead of .containerignore or .dockerignore",
        metavar="FILE",
        completes="file",
    ),
    Option(
        ("--build-context",),
        "list",
        "What a name in FROM and --from means: a directory, an image, an address",
        metavar="NAME=PLACE",
    ),
    Option(("--target",), "text", "Stage that is wanted, by name or number", metavar="STAGE"),
    Option(
        ("--from",),
        "text",
        "Image in the place of that of the first FROM",
        metavar="IMAGE",
        completes="image",
    ),
    Option(("--build-arg",), "list", "Value of an ARG", metavar="NAME[=VALUE]"),
    Option(
        ("--build-arg-file",),
        "list",
        "File with values of ARGs, one a line",
        metavar="FILE",
        completes="file",
    ),
    Option(
        ("--cpp-flag",),
        "list",
        "Option for the C preprocessor, which reads files whose name ends in .in",
        metavar="FLAG",
    ),
    Option(("--check",), "flag", "Tell what is wrong or doubtful in the Dockerfile; build nothing"),
    Option(
        ("--call",),
        "text",
        "What is done: build, or check as --check",
        metavar="WHAT",
        choices=("build", "check"),
    ),
    Option(
        ("--platform",),
        "comma",
        "Platform of the image; several make a list of images",
        metavar="OS/ARCH[/VARIANT]",
    ),
    *(
        option
        for option in image.PLATFORM_OPTIONS
        if option.flags[-1] in {"--arch", "--os", "--variant"}
    ),
    Option(
        ("--all-platforms",),
        "flag",
        "Build for all platforms for which all base images are",
    ),
)
_RESULT = (
    Option(("-t", "--tag"), "list", "Name of the image", metavar="NAME[:TAG]", completes="image"),
    Option(
        ("--manifest",),
        "text",
        "List of images that the image is added to; made where it is not there",
        metavar="NAME",
        completes="image",
    ),
    Option(
        ("-o", "--output"),
        "list",
        "Where the result goes: a directory, or type=local, tar, oci, docker or image with dest=PATH",
        metavar="OUTPUT",
        completes="directory",
    ),
    Option(
        ("--format",),
        "text",
        "Format of manifest and configuration",
        metavar="FORMAT",
        choices=("oci", "docker"),
    ),
    Option(("--iidfile",), "text", "Write the id to a file", metavar="FILE", completes="file"),
    Option(
        ("--metadata-file",),
        "text",
        "Write id, digest and names to a file, as JSON",
        metavar="FILE",
        completes="file",
    ),
    Option(("--push",), "flag", "Push the image under each of its names"),
    Option(("--load",), "flag", "Have the image among those of pod, as is the rule"),
    Option(("--label",), "list", "Add a label to the image", metavar="KEY=VALUE"),
    Option(
        ("--layer-label",),
        "list",
        "Add a label to the image and to those of its steps",
        metavar="KEY=VALUE",
    ),
    Option(("--unsetlabel",), "list", "Leave out a label of the base image", metavar="KEY"),
    Option(("--annotation",), "list", "Add an annotation to the manifest", metavar="KEY=VALUE"),
    Option(
        ("--unsetannotation",), "list", "Leave out an annotation of the base image", metavar="KEY"
    ),
    Option(("--inherit-labels",), "flag", "Keep the labels of the base image", default=True),
    Option(
        ("--inherit-annotations",), "flag", "Keep the annotations of the base image", default=True
    ),
    Option(("--env",), "list", "Set a variable of the image", metavar="NAME[=VALUE]"),
    Option(("--unsetenv",), "list", "Leave out a variable of the base image", metavar="NAME"),
    Option(
        ("--identity-label",),
        "flag",
        "Say in a label which version of pod has built the image",
    ),
    Option(
        ("--created-annotation",),
        "flag",
        "Say in an annotation when the image was built",
    ),
    Option(("--omit-history",), "flag", "Leave the history out"),
    Option(("--os-version",), "text", "Version of the operating system", metavar="VERSION"),
    Option(("--os-feature",), "list", "Feature of the operating system", metavar="FEATURE"),
    Option(("--squash",), "flag", "Make one layer of all new ones"),
    Option(("--squash-all",), "flag", "Make one layer of all, those of the base image included"),
    Option(
        ("--timestamp",),
        "number",
        "Time of the image and of all its new files",
        metavar="SECONDS",
        lowest=0,
    ),
    Option(
        ("--source-date-epoch",),
        "number",
        "Time of the image; SOURCE_DATE_EPOCH where it is not given",
        metavar="SECONDS",
        lowest=0,
    ),
    Option(("--rewrite-timestamp",), "flag", "No new file is later than --source-date-epoch"),
    Option(("--compat-volumes",), "flag", "Throw away what RUN changes in a directory of VOLUME"),
)
_CACHE = (
    Option(("--no-cache",), "flag", "Execute every step"),
    Option(("--no-cache-filter",), "comma", "Execute every step of this stage", metavar="STAGE"),
    Option(("--layers",), "flag", "Keep a layer for each step", default=True),
    Option(
        ("--cache-from",),
        "list",
        "Look for steps in a repository or directory, too",
        metavar="PLACE",
    ),
    Option(
        ("--cache-to",),
        "list",
        "Put the steps into a repository or directory, too",
        metavar="PLACE",
    ),
    Option(("--cache-ttl",), "text", "Do not use what is older", metavar="DURATION"),
    Option(
        ("--skip-unused-stages",),
        "flag",
        "Leave out stages that the target does not need",
        default=True,
    ),
    Option(
        ("--prune",),
        "flag",
        "Afterwards, remove results of steps that no image has and no build has used for a day",
    ),
    Option(("--jobs",), "number", "How many stages at once; 0 for as many as make sense", lowest=0),
)
_STEPS_OPTIONS = (
    Option(
        ("--secret",),
        "list",
        "Secret for RUN --mount=type=secret, from a file or variable",
        metavar="id=ID[,src=FILE]",
    ),
    Option(
        ("--ssh",),
        "list",
        "Agent or keys for RUN --mount=type=ssh",
        metavar="ID[=SOCKET|KEY]",
    ),
    Option(
        ("--allow",),
        "comma",
        "Let the Dockerfile ask for network.host, security.insecure or device",
        metavar="WHAT",
    ),
    Option(("--stdin",), "flag", "Let RUN read standard input"),
    Option(
        ("--isolation",),
        "text",
        "How steps are isolated: default, oci or rootless, which are the same here",
        metavar="WAY",
    ),
    Option(
        ("--runtime",),
        "text",
        "OCI runtime that executes RUN, instead of pod's own",
        metavar="NAME",
        completes="file",
    ),
    Option(("--runtime-flag",), "list", "Global option of that runtime", metavar="FLAG"),
    Option(("--rm",), "flag", "Leave no containers behind, as is always so", default=True),
    Option(("--force-rm",), "flag", "The same after a failure", default=True),
    Option(
        ("--on-error",),
        "text",
        "When a RUN fails: fail, or shell to look around where it failed",
        metavar="WHAT",
        choices=("fail", "shell"),
    ),
)
_SAID = (
    Option(("-q", "--quiet"), "flag", "Print the id alone"),
    Option(
        ("--progress",),
        "text",
        "How progress is shown: auto, tty, plain, quiet, json",
        metavar="WAY",
        choices=("auto", "tty", "plain", "quiet", "json", "none", "rawjson"),
    ),
    Option(("--explain",), "flag", "Tell for each step whether it was cached, and why not"),
    Option(
        ("--logfile",),
        "text",
        "Write progress to a file, as plain lines",
        metavar="FILE",
        completes="file",
    ),
    Option(("--logsplit",), "flag", "A log file for each platform, --logfile with its name behind"),
)
_NO_EFFECT = (
    Option(("--compress",), "flag", "Without effect: no context is sent anywhere", hidden=True),
    Option(
        ("-D", "--disable-compression"),
        "flag",
        "Store layers as they are, as is always so; they are compressed when they are pushed",
        default=True,
        hidden=True,
    ),
    Option(
        ("--builder",), "text", "The builder: default, the only one", metavar="NAME", hidden=True
    ),
)
_REFUSED = {
    "--cw": "pod makes no images for confidential machines",
    "--decryption-key": "pod does not read encrypted images",
    "--attest": _SBOM,
    "--hooks-dir": "steps run without hooks",
    "--sbom-image-output": _SBOM,
    "--sbom-image-purl-output": _SBOM,
    "--sbom-merge-strategy": _SBOM,
    "--sbom-output": _SBOM,
    "--sbom-purl-output": _SBOM,
    "--sbom-scanner-command": _SBOM,
    "--sbom-scanner-image": _SBOM,
    "--sign-by": "images are signed when they are pushed: pod push --sign-by",
    "--userns-gid-map": _IDS,
    "--userns-gid-map-group": _IDS,
    "--userns-uid-map": _IDS,
    "--userns-uid-map-user": _IDS,
}

OPTIONS = (
    *_SOURCE,
    *_RESULT,
    *_CACHE,
    *SHARED,
    *_STEPS_OPTIONS,
    Option(
        ("--pull",),
        "optional",
        "When to pull base images: missing, always (which it means alone), newer, never",
        metavar="POLICY",
        no_value="always",
    ),
    *image.REGISTRY_OPTIONS,
    *_SAID,
    *_NO_EFFECT,
    Option(("--disable-content-trust",), "flag", refused="pod does not check docker's signatures"),
    # Alone they are switched off by some scripts, which is what pod does.
    Option(("--sbom",), "text", hidden=True),
    Option(("--provenance",), "text", hidden=True),
    *(Option((flag,), "text", refused=why) for flag, why in _REFUSED.items()),
)
