"""`pod completion`: the script that teaches a shell to complete pod's commands."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments


def print_script(arguments: Arguments, engine: None) -> None:
    from pod.base.errors import InvalidValue, Unsupported
    from pod.base.files import write_atomic
    from pod.cli.completion import SHELLS, script
    from pod.cli.output import write

    shell = arguments.words[0]
    if shell == "powershell":
        raise Unsupported("shell 'powershell'", "pod runs on Linux, where bash, zsh and fish are")
    if shell not in SHELLS:
        raise InvalidValue("shell", shell, f"expected is one of {', '.join(SHELLS)}")
    text = script(shell, descriptions=not arguments.flag("no_desc"))
    path = arguments.text("file")
    if path is None:
        write(text)
    else:
        write_atomic(path, text.encode(), mode=0o644, sync=False)


COMMAND = Command(
    print_script,
    "[OPTIONS] bash|zsh|fish",
    description="The script completes commands, options, and the names of containers, images and volumes.",
    options=(
        Option(
            ("-f", "--file"),
            "text",
            "Write the script to a file instead of standard output",
            metavar="FILE",
            completes="file",
        ),
        Option(("--no-desc",), "flag", "Complete without descriptions"),
    ),
    minimum=1,
    maximum=1,
    completes=("bash|zsh|fish",),
    examples=(
        "source <(pod completion bash)",
        "pod completion -f ~/.local/share/bash-completion/completions/pod bash",
        'pod completion -f "${fpath[1]}/_pod" zsh',
        "pod completion -f ~/.config/fish/completions/pod.fish fish",
    ),
    needs_engine=False,
)
