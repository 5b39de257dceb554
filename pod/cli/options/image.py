"""Options about the image that a container is made of, and how it is fetched; `pull` has most of them, too."""

from __future__ import annotations

import os

from pod.base.errors import UsageError
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.cli.declare import Arguments
    from pod.engine.configuration import Settings
    from pod.engine.images import PullOptions
    from pod.image.progress import Progress
    from pod.spec.reference import Reference

PLATFORM_OPTIONS = (
    Option(
        ("--arch",),
        "text",
        "Architecture of the image, instead of this machine's",
        metavar="ARCH",
        empty_is_none=True,
    ),
    Option(("--os",), "text", "Operating system of the image", metavar="OS", empty_is_none=True),
    Option(
        ("--platform",),
        "text",
        "All three of them",
        metavar="OS/ARCH[/VARIANT]",
        empty_is_none=True,
    ),
    Option(
        ("--variant",), "text", "Variant of the architecture", metavar="VARIANT", empty_is_none=True
    ),
)
REGISTRY_OPTIONS = (
    Option(
        ("--authfile",),
        "text",
        "File with credentials for registries",
        metavar="FILE",
        completes="file",
    ),
    Option(
        ("--cert-dir",),
        "text",
        "Directory with certificates for registries",
        metavar="DIRECTORY",
        completes="directory",
    ),
    Option(("--creds",), "text", "Credentials for the registry", metavar="USER[:PASSWORD]"),
    Option(
        ("--retry",), "number", "How often a failed transfer is tried again", metavar="N", lowest=0
    ),
    Option(
        ("--retry-delay",),
        "text",
        "How long to wait before that",
        metavar="DURATION",
        empty_is_none=True,
    ),
    Option(
        ("--tls-verify",),
        "flag",
        "Want TLS and a valid certificate of the registry",
        default=True,
    ),
)
QUIET = Option(("-q", "--quiet"), "flag", "Show no progress of the pull")
PULL = Option(
    ("--pull",),
    "text",
    "When to pull the image: missing, always, newer, never",
    metavar="POLICY",
    empty_is_none=True,
)
OPTIONS = (PULL, QUIET, *PLATFORM_OPTIONS, *REGISTRY_OPTIONS)

_POLICIES = {
    "always": "always",
    "missing": "missing",
    "never": "never",
    "newer": "newer",
    "ifnewer": "newer",
    "true": "always",
    "false": "missing",
}


def pull_options(arguments: Arguments, settings: Settings) -> PullOptions:
    """What the options say about fetching the image."""
    return fetch_options(arguments, read_policy(arguments, "pull") or settings.engine.pull_policy)


def read_policy(arguments: Arguments, name: str) -> str:
    """The pull policy that was typed for the option `name`; "" when none was."""
    if not arguments.given(name):
        return ""
    typed = arguments.text(name) or ""
    if typed not in _POLICIES:
        raise UsageError(
            f"invalid argument '{typed}' for '--{name}': expected is one of missing, always, newer, never"
        )
    return _POLICIES[typed]


def fetch_options(arguments: Arguments, policy: str) -> PullOptions:
    """How to fetch an image, by PLATFORM_OPTIONS, REGISTRY_OPTIONS and --quiet."""
    return registry_options(arguments).replace(
        policy=policy, platform=read_platform(arguments), choose=_chooser()
    )


def registry_options(arguments: Arguments) -> PullOptions:
    """How to use a registry, by REGISTRY_OPTIONS and --quiet."""
    return given_options(arguments, quiet=arguments.flag("quiet"))


def given_options(arguments: Arguments, *, quiet: bool) -> PullOptions:
    """The same, for commands without --quiet."""
    from pod.engine.images import PullOptions

    retry_delay = arguments.text("retry_delay")
    options = PullOptions(
        authfile=arguments.text("authfile") or "",
        credentials=read_credentials(arguments),
        certificates=arguments.text("cert_dir") or "",
        tls_verify=arguments.flag("tls_verify") if arguments.given("tls_verify") else None,
        retries=arguments.number("retry"),
        retry_delay_ns=None if retry_delay is None else _duration(retry_delay),
        quiet=quiet,
        progress=lambda: _progress(quiet=quiet),
    )
    if options.authfile or options.certificates:
        from pod.engine.registry_access import check_files

        check_files(options)  # also where the image turns out to be here already
    return options


def loud_progress() -> Progress:
    """For commands without --quiet."""
    return _progress(quiet=False)


def _progress(*, quiet: bool) -> Progress:
    from pod.cli.progress import progress_for

    return progress_for(quiet=quiet)


def _chooser() -> Callable[[tuple[Reference, ...]], Reference] | None:
    """Who chooses among the registries of a short name: the person, when there is a terminal."""
    if not (os.isatty(0) and os.isatty(2)):
        return None

    def choose(references: tuple[Reference, ...]) -> Reference:
        from pod.cli.ask import chosen

        return references[chosen("Which image is meant?", [str(one) for one in references])]

    return choose


def read_credentials(arguments: Arguments) -> str:
    """ "USER:PASSWORD" of --creds; a password that is missing is asked for."""
    typed = arguments.text("creds") or ""
    if not typed or ":" in typed:
        return typed
    from pod.cli.ask import password

    asked = password(f"Password of {typed}: ", "'--creds'", "--creds USER:PASSWORD")
    return f"{typed}:{asked}"


def _duration(text: str) -> int:
    from pod.base.units import parse_duration_ns

    return parse_duration_ns(text, "--retry-delay")


def platform_in_list(arguments: Arguments) -> str:
    """--platform alone, of commands that choose an image of a list; "" when it is not given."""
    text = arguments.text("platform") or ""
    if text:
        from pod.image.platform import parse_platform

        parse_platform(text)
    return text


def read_platform(arguments: Arguments) -> str:
    """ "OS/ARCH[/VARIANT]" of --platform, or of --os, --arch and --variant; "" for this machine's."""
    parts = [arguments.text(name) or "" for name in ("os", "arch", "variant")]
    whole = arguments.text("platform")
    if whole is None and not any(parts):
        whole = os.environ.get("DOCKER_DEFAULT_PLATFORM")
        if not whole:
            return ""
    from pod.image.platform import parse_platform, platform_of

    if whole is None:
        return str(platform_of(*parts))
    for name, part in zip(("os", "arch", "variant"), parts, strict=True):
        if part:
            raise UsageError(f"--platform excludes --{name}")
    return str(parse_platform(whole))
