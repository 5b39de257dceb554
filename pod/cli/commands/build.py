"""`pod build`: make an image of a Dockerfile and a context."""

from __future__ import annotations

import errno
import os

from pod.base.errors import PodError
from pod.cli.declare import Command
from pod.cli.options import build

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.build.options import BuildOptions, Built
    from pod.build.progress import Progress
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_DAY_SECONDS = 24 * 60 * 60


def build_image(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.options.build_values import read_build
    from pod.engine.build import build as build_it

    options = read_build(arguments, engine)
    for option, path in (
        ("--iidfile", options.id_file),
        ("--metadata-file", options.metadata_file),
    ):
        _check_writable(option, path)
    progress = _progress(arguments, options)
    try:
        built = build_it(engine, options, progress)
    finally:
        progress.finish()
    if arguments.flag("prune"):
        from pod.engine.build_cache import prune

        prune(engine, unused_for_seconds=_DAY_SECONDS)
    if not built.id:
        return
    write_results(options, built)
    if any(output.dest == "-" for output in options.outputs):
        return  # standard output is the archive
    print(built.id)


def _progress(arguments: Arguments, options: BuildOptions) -> Progress:
    from pod.cli.build_progress import progress_for

    way = arguments.text("progress") or os.environ.get("BUILDKIT_PROGRESS", "")
    log_file = arguments.text("logfile") or ""
    try:
        return progress_for(
            way,
            quiet=options.quiet,
            explain=options.explain,
            log_file=log_file,
            split=arguments.flag("logsplit"),
        )
    except OSError as error:
        raise PodError(f"'{log_file}' of --logfile cannot be written: {error.strerror}") from error


def write_results(options: BuildOptions, built: Built) -> None:
    """The files of --iidfile and --metadata-file."""
    if options.id_file:
        _write("--iidfile", options.id_file, f"sha256:{built.id}")
    if options.metadata_file:
        import json  # heavy

        document = {
            "containerimage.config.digest": f"sha256:{built.id}",
            "containerimage.digest": built.digest,
            "image.name": ",".join(built.names),
        }
        text = json.dumps({key: value for key, value in document.items() if value}, indent=2)
        _write("--metadata-file", options.metadata_file, f"{text}\n")


def _check_writable(option: str, path: str) -> None:
    """Raises PodError for a file that cannot be written when the build is over, which may take an hour."""
    place = path if os.path.exists(path) else os.path.dirname(path)
    if not path or (
        os.path.exists(place) and os.access(place, os.W_OK) and not os.path.isdir(path)
    ):
        return
    code = errno.EISDIR if os.path.isdir(path) else errno.EACCES
    why = os.strerror(code if os.path.exists(place) else errno.ENOENT)
    raise PodError(f"'{path}' of {option} cannot be written: {why}")


def _write(option: str, path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PodError(f"'{path}' of {option} cannot be written: {error.strerror}") from error


COMMAND = Command(
    build_image,
    "[OPTIONS] [CONTEXT]",
    description=(
        "Builds an image by the instructions of a Dockerfile, and prints its id. CONTEXT has the files for COPY and "
        "ADD: a directory, the address of a git repository or of a tar archive, or - for a Dockerfile or a tar "
        "archive on standard input. Progress is on standard error.\n\n"
        "Steps whose inputs have not changed come from the cache, stages that do not need each other run at the same "
        "time, and those that the target does not need are left out. The exit status is that of the RUN that has "
        "failed, else 125."
    ),
    options=build.OPTIONS,
    maximum=1,
    completes=("directory",),
    examples=(
        "pod build -t web .",
        "pod build -f deploy/Dockerfile --target test --build-arg VERSION=2 .",
        "pod build --secret id=token,env=TOKEN --ssh default -t app https://github.com/me/app.git#main:src",
        "pod build --platform linux/amd64,linux/arm64 --manifest app .",
        "pod build -o out .",
        "pod build --on-error=shell .",
    ),
)
