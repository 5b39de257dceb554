"""The options of `pod build` -> BuildOptions. What can be wrong in one is said here, before anything is done."""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.build import option_grammar as grammar
from pod.build.options import BuildOptions
from pod.cli.declare import Arguments, index_options
from pod.cli.options import build, image, limits, network, places, process
from pod.cli.options.process import read_option_file
from pod.engine.presets import container_preset
from pod.spec import environment
from pod.spec.userns import UserNamespace
from pod.spec.userns_option import parse_userns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.build.options import Output
    from pod.cli.declare import Value
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig

_ENTITLEMENTS = ("network.host", "security.insecure", "device")
_NAMESPACES = ("cgroupns", "ipc", "network", "pid", "uts")
_FALSE = ("false", "0", "", "disabled=true")


def read_build(arguments: Arguments, engine: Engine) -> BuildOptions:
    """What `pod build` was asked for. Raises UsageError and its like."""
    _refuse(arguments, engine)
    settings = engine.settings
    tags = tuple(_name(text, "--tag") for text in arguments.texts("tag"))
    outputs = _outputs(arguments, tags)
    fetched = image.registry_options(arguments)
    pull = image.read_policy(arguments, "pull")
    return BuildOptions(
        context=arguments.words[0] if arguments.words else "",
        files=tuple(arguments.texts("file")),
        cpp_flags=tuple(arguments.texts("cpp_flag")),
        ignore_file=_path(arguments, "ignorefile"),
        contexts=tuple(grammar.parse_context(text) for text in arguments.texts("build_context")),
        target=arguments.text("target") or "",
        base=_base(arguments),
        platforms=() if arguments.flag("all_platforms") else _platforms(arguments),
        all_platforms=arguments.flag("all_platforms"),
        arguments=_arguments(arguments),
        check=arguments.flag("check") or arguments.text("call") == "check",
        tags=tags,
        manifest=_name(arguments.text("manifest"), "--manifest"),
        format=arguments.text("format") or _format(),
        outputs=outputs,
        labels=environment.parse_labels(arguments.texts("label")),
        layer_labels=environment.parse_labels(arguments.texts("layer_label"), "--layer-label"),
        unset_labels=tuple(arguments.texts("unsetlabel")),
        annotations=environment.parse_annotations(arguments.texts("annotation")),
        unset_annotations=tuple(arguments.texts("unsetannotation")),
        inherit_annotations=arguments.flag("inherit_annotations"),
        inherit_labels=arguments.flag("inherit_labels"),
        environment=_environment(arguments),
        unset_environment=tuple(arguments.texts("unsetenv")),
        identity_label=arguments.flag("identity_label"),
        created_annotation=arguments.flag("created_annotation"),
        omit_history=arguments.flag("omit_history"),
        os_version=arguments.text("os_version") or "",
        os_features=tuple(arguments.texts("os_feature")),
        squash="all" if arguments.flag("squash_all") else "new" if arguments.flag("squash") else "",
        timestamp=arguments.number("timestamp"),
        source_date_epoch=_epoch(arguments),
        compat_volumes=arguments.flag("compat_volumes"),
        id_file=_path(arguments, "iidfile"),
        metadata_file=_path(arguments, "metadata_file"),
        run=_run(arguments, engine),
        runtime_flags=tuple(arguments.texts("runtime_flag")),
        http_proxy=arguments.flag("http_proxy")
        if arguments.given("http_proxy")
        else settings.containers.http_proxy,
        stdin=arguments.flag("stdin"),
        secrets=tuple(grammar.parse_secret(text, os.environ) for text in arguments.texts("secret")),
        ssh=tuple(grammar.parse_ssh(text, os.environ) for text in arguments.texts("ssh")),
        allowed=_allowed(arguments),
        layers=_layers(arguments),
        use_cache=not arguments.flag("no_cache"),
        no_cache_stages=tuple(arguments.texts("no_cache_filter")),
        cache_from=tuple(grammar.parse_cache_from(it) for it in arguments.texts("cache_from")),
        cache_to=tuple(grammar.parse_cache_to(it) for it in arguments.texts("cache_to")),
        cache_ttl_seconds=_ttl(arguments),
        jobs=arguments.number("jobs") or 0,
        skip_unused_stages=arguments.flag("skip_unused_stages"),
        on_error="shell" if arguments.text("on_error") == "shell" else "fail",
        explain=arguments.flag("explain"),
        pull=pull or "missing",
        authfile=fetched.authfile,
        credentials=fetched.credentials,
        certificates=fetched.certificates,
        tls_verify=fetched.tls_verify,
        retries=fetched.retries,
        retry_delay_ns=fetched.retry_delay_ns,
        quiet=fetched.quiet,
    )


def refuse_makers(arguments: Arguments) -> None:
    """--builder, --sbom and --provenance, but for the values that say what is so here. Raises Unsupported."""
    for name in ("sbom", "provenance"):
        text = arguments.text(name)
        if text is not None and text.lower() not in _FALSE:
            raise Unsupported(f"--{name} '{text}'", "pod makes no lists of what is in an image")
    builder = arguments.text("builder")
    if builder not in {None, "", "default"}:
        raise Unsupported(f"--builder '{builder}'", "pod needs no builders, and has one, 'default'")


def _refuse(arguments: Arguments, engine: Engine) -> None:
    for one, other in (
        ("squash", "squash_all"),
        ("timestamp", "source_date_epoch"),
        ("manifest", "output"),
        ("push", "output"),
        ("all_platforms", "platform"),
        ("all_platforms", "arch"),
    ):
        if _is_on(arguments, one) and _is_on(arguments, other):
            raise UsageError(_exclude(one, other))
    refuse_makers(arguments)
    if not arguments.flag("disable_compression"):
        raise Unsupported(
            "flag '--disable-compression=false'", "layers are compressed when they are pushed"
        )
    way = arguments.text("isolation")
    if way == "chroot":
        raise Unsupported("--isolation 'chroot'", "steps run in namespaces of their own, always")
    if way not in {None, "", "default", "oci", "rootless"}:
        raise InvalidValue("--isolation", way or "", "default, oci or rootless")
    if arguments.flag("logsplit") and not arguments.text("logfile"):
        raise UsageError("--logsplit needs --logfile")
    reads_stdin = "-" in arguments.words or "-" in arguments.texts("file")
    if arguments.text("on_error") == "shell" and (reads_stdin or arguments.flag("stdin")):
        raise UsageError("--on-error=shell needs standard input, which is something else already")
    if arguments.flag("rewrite_timestamp") and _epoch(arguments) is None:
        raise UsageError("--rewrite-timestamp needs --source-date-epoch")


def _is_on(arguments: Arguments, name: str) -> bool:
    option = arguments.option_for(f"--{name.replace('_', '-')}")
    if option is not None and option.kind == "flag":
        return arguments.flag(name)
    return arguments.given(name)


def _exclude(one: str, other: str) -> str:
    return f"--{one.replace('_', '-')} and --{other.replace('_', '-')} exclude each other"


# What is built


def _path(arguments: Arguments, name: str) -> str:
    text = arguments.text(name)
    if text is None:
        return ""
    if not text:
        raise InvalidValue(f"--{name.replace('_', '-')}", text, "the path of a file")
    return os.path.abspath(os.path.expanduser(text))


def _name(text: str | None, option: str) -> str:
    """The full name of an image that is made."""
    if text is None:
        return ""
    from pod.base.errors import PodError
    from pod.image.names import name_for_new_image
    from pod.spec.reference import parse

    try:
        reference = parse(text)
    except PodError as error:
        raise InvalidValue(option, text, error.message) from error
    if reference.digest:
        raise InvalidValue(option, text, "NAME[:TAG], a digest follows from what is built")
    return str(name_for_new_image(reference))


def _base(arguments: Arguments) -> str:
    text = arguments.text("from")
    if text is None:
        return ""
    from pod.base.errors import PodError
    from pod.spec.reference import parse

    if text == "scratch":
        return text
    try:
        parse(text)
    except PodError as error:
        raise InvalidValue("--from", text, error.message) from error
    return text


def _platforms(arguments: Arguments) -> tuple[str, ...]:
    texts = [text for text in arguments.texts("platform") if text]
    parts = [arguments.text(name) or "" for name in ("os", "arch", "variant")]
    from pod.image.platform import parse_platform, platform_of

    if texts and any(parts):
        name = next(it for it, part in zip(("os", "arch", "variant"), parts, strict=True) if part)
        raise UsageError(f"--platform excludes --{name}")
    if any(parts):
        return (str(platform_of(*parts)),)
    if not texts:
        default = os.environ.get("DOCKER_DEFAULT_PLATFORM", "")
        texts = [default] if default else []
    found = (str(platform_of("", "", "") if it == "local" else parse_platform(it)) for it in texts)
    return tuple(dict.fromkeys(found))


def _arguments(arguments: Arguments) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in arguments.texts("build_arg_file"):
        found |= grammar.parse_argument_file(read_option_file("--build-arg-file", path), path)
    return found | grammar.parse_arguments(arguments.texts("build_arg"), "--build-arg", os.environ)


# What the result is like


def _outputs(arguments: Arguments, tags: tuple[str, ...]) -> tuple[Output, ...]:
    from pod.build.options import Output

    outputs = [grammar.parse_output(text) for text in arguments.texts("output")]
    if arguments.flag("push"):
        outputs.append(Output("image", push=True))
    for output in outputs:
        if output.name:
            _name(output.name, "--output name=")
        if output.push and not (tags or output.name):
            raise UsageError("an image that is pushed needs a name", hint="--tag REGISTRY/NAME")
    if sum(output.dest == "-" for output in outputs) > 1:
        raise UsageError("only one --output can be standard output")
    if any(output.dest == "-" for output in outputs) and os.isatty(1):
        raise UsageError(
            "an archive is not written to a terminal",
            hint="redirect the output, or --output type=tar,dest=FILE",
        )
    return tuple(outputs)


def _format() -> str:
    text = os.environ.get("BUILDAH_FORMAT", "")
    return "docker" if text == "docker" else "oci"


def _layers(arguments: Arguments) -> bool:
    if not arguments.given("layers"):
        return os.environ.get("BUILDAH_LAYERS", "").lower() not in {"0", "false"}
    return arguments.flag("layers")


def _environment(arguments: Arguments) -> dict[str, str | None]:
    texts = arguments.texts("env")
    found: dict[str, str | None] = {text.partition("=")[0]: None for text in texts}
    return found | grammar.parse_arguments(texts, "--env", os.environ)


def _epoch(arguments: Arguments) -> int | None:
    if arguments.given("source_date_epoch"):
        return arguments.number("source_date_epoch")
    if arguments.given("timestamp"):
        return None
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not text.isdecimal() or not text.isascii():
        raise InvalidValue("SOURCE_DATE_EPOCH", text, "a number of seconds since 1970")
    return int(text)


def _ttl(arguments: Arguments) -> int | None:
    text = arguments.text("cache_ttl")
    if text is None:
        return None
    from pod.base.units import parse_duration_ns

    return parse_duration_ns(text, "--cache-ttl") // 1_000_000_000


def _allowed(arguments: Arguments) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(arguments.texts("allow")))
    for text in found:
        if text.partition("=")[0] not in _ENTITLEMENTS:
            raise InvalidValue("--allow", text, f"one of {', '.join(_ENTITLEMENTS)}")
    return found


# What a RUN gets


def _run(arguments: Arguments, engine: Engine) -> ContainerConfig:
    """The container of every RUN, as `run` would make it of the same options."""
    settings = engine.settings
    base = container_preset(settings).replace(annotations={}, init=False)
    wide = _as_run(arguments)
    changes: dict[str, Any] = {
        **places.place_changes(wide, base),
        **limits.limit_changes(wide, settings, base),
    }
    if arguments.given("group_add"):
        from pod.spec.users import parse_group_add

        changes["groups"] = parse_group_add(arguments.texts("group_add"))
    changes["networking"] = network.networking_of(wide, base.networking)
    config = base.replace(**changes)
    places.check_namespaces(wide, config)
    runtime = arguments.text("runtime") or engine.given_runtime or settings.engine.runtime
    own = runtime == "pod"
    return config.replace(userns=_userns(arguments), runtime="" if own else runtime)


def _as_run(arguments: Arguments) -> Arguments:
    """What was typed of the options that `run` has as well, in front of all options of `run`."""
    options = (*limits.OPTIONS, *network.OPTIONS, *places.OPTIONS, *process.OPTIONS)
    same = Arguments(arguments.spelling, index_options(options))
    for option in build.SHARED:
        name = option.name
        if not arguments.given(name) or name == "userns":
            continue
        same.set(option, _as_in_run(name, arguments.value(option)))
    return same


def _as_in_run(name: str, value: Value) -> Value:
    """The value of an option that `run` has too. podman's build says "container" for a new one, and paths alone."""
    if name not in _NAMESPACES or value is None or isinstance(value, bool | int):
        return value
    return _in_words_of_run(value) if isinstance(value, str) else [*map(_in_words_of_run, value)]


def _in_words_of_run(text: str) -> str:
    return "private" if text == "container" else f"ns:{text}" if text[:1] == "/" else text


def _userns(arguments: Arguments) -> UserNamespace:
    """`host`, `private` and `container` are what podman calls the id map that steps have anyway."""
    text = arguments.text("userns") or ""
    if text in {"", "host", "private", "container"}:
        return UserNamespace()
    userns = parse_userns(f"ns:{text}" if text[0] == "/" else text)
    if userns.mode in {"container", "ns"}:
        return userns
    raise Unsupported(
        f"--userns '{text}'", "steps run in your own id map, as their layers are stored"
    )
