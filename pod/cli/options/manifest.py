"""Options of the commands about lists of images."""

from __future__ import annotations

from pod.cli.declare import Option
from pod.cli.options import image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.images import PullOptions
    from pod.image.lists import Changes

INSECURE = Option(("--insecure",), "flag", "The same as --tls-verify=false")
REGISTRY_OPTIONS = (INSECURE, *image.REGISTRY_OPTIONS)
ANNOTATION = Option(
    ("--annotation",), "list", "Give the entry this annotation", metavar="KEY=VALUE"
)
ENTRY_OPTIONS = (
    ANNOTATION,
    Option(("--arch",), "text", "Architecture that the list tells", metavar="ARCH"),
    Option(("--features",), "comma", "Features of the processor", metavar="FEATURE"),
    Option(("--os",), "text", "Operating system that the list tells", metavar="OS"),
    Option(("--os-features",), "comma", "Features of the operating system", metavar="FEATURE"),
    Option(("--os-version",), "text", "Version of the operating system", metavar="VERSION"),
    Option(("--variant",), "text", "Variant of the architecture", metavar="VARIANT"),
)


def registry_options(arguments: Arguments, *, quiet: bool = True) -> PullOptions:
    """How to use registries, by REGISTRY_OPTIONS; silent, unless it takes long."""
    from pod.engine.images import PullOptions

    insecure = arguments.flag("insecure")
    tls_verify = arguments.flag("tls_verify") if arguments.given("tls_verify") else None
    options = image.given_options(arguments, quiet=quiet)
    assert isinstance(options, PullOptions)
    return options.replace(tls_verify=False if insecure else tls_verify)


def changes(arguments: Arguments, *, annotations: bool = True) -> Changes:
    """What ENTRY_OPTIONS say about an entry. Raises UsageError."""
    from pod.image.lists import Changes, parse_annotations

    given = arguments.texts("annotation") if annotations else []
    return Changes(
        os=arguments.text("os") or "",
        architecture=arguments.text("arch") or "",
        variant=arguments.text("variant") or "",
        os_version=arguments.text("os_version") or "",
        os_features=tuple(arguments.texts("os_features")),
        features=tuple(arguments.texts("features")),
        annotations=parse_annotations(given, "--annotation"),
    )
