"""`pod logout`: forget credentials."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.commands.login import AUTHFILE, COMPAT_AUTH_FILE
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def log_out(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import login
    from pod.engine.login import LoginOptions

    options = LoginOptions(
        arguments.text("authfile") or "", arguments.text("compat_auth_file") or ""
    )
    if arguments.flag("all"):
        if arguments.words:
            raise UsageError("--all takes no registry")
        login.log_out_everywhere(engine, options)
        print("Removed login credentials for all registries")
        return
    account = login.account_of(engine, next(iter(arguments.words), None))
    login.log_out(engine, account, options)
    print(f"Removed login credentials for {account}")


COMMAND = Command(
    log_out,
    "[OPTIONS] [REGISTRY]",
    description=(
        "Forgets the credentials of a registry, or of a namespace in one, that `pod login` has kept; credential "
        "helpers forget them too. Without REGISTRY it is the first of the registries that are searched for short names."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Forget the credentials of all registries"),
        AUTHFILE,
        COMPAT_AUTH_FILE,
    ),
    maximum=1,
    completes=("login",),
    examples=("pod logout registry.example.com", "pod logout --all"),
)
