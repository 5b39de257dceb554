"""`pod login`: log in to a registry."""

from __future__ import annotations

import sys

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.login import LoginOptions
    from pod.image.auth import Credentials
    from pod.image.auth_file import Account

AUTHFILE = Option(
    ("--authfile",), "text", "File with credentials", metavar="FILE", completes="file"
)
COMPAT_AUTH_FILE = Option(
    ("--compat-auth-file",),
    "text",
    "File with credentials, in the form of docker's config.json",
    metavar="FILE",
    completes="file",
)


def log_in(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import login
    from pod.engine.login import LoginOptions, NotLoggedIn

    options = LoginOptions(
        arguments.text("authfile") or "",
        arguments.text("compat_auth_file") or "",
        arguments.text("cert_dir") or "",
        arguments.flag("tls_verify") if arguments.given("tls_verify") else None,
    )
    account = login.account_of(engine, next(iter(arguments.words), None))
    username, password = _typed(arguments, engine)
    if arguments.flag("get_login"):
        known = login.known_credentials(engine, account, options)
        if known is None:
            raise NotLoggedIn(account)
        print(known.username)
        return
    # A broken entry stays unread, so that it can be replaced.
    known = None if password else login.known_credentials(engine, account, options)
    untyped = not username and not password
    if known is not None and untyped and _still_valid(engine, account, known, options):
        return
    username = username or _ask_username(known.username if known else "")
    if not password:
        password = _ask_password(username)
    from pod.image.auth import Credentials

    used = login.log_in(engine, account, Credentials(username, password), options)
    if arguments.flag("verbose"):
        print(f"Used: {used}")
    print("Login Succeeded!")


def _typed(arguments: Arguments, engine: Engine) -> tuple[str, str]:
    """User name and password, as far as the options say them."""
    username, password = arguments.text("username") or "", arguments.text("password") or ""
    secret, from_stdin = arguments.text("secret"), arguments.flag("password_stdin")
    given = [
        name
        for name, is_given in (
            ("--password", bool(password)),
            ("--password-stdin", from_stdin),
            ("--secret", secret is not None),
        )
        if is_given
    ]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other")
    if ":" in username:
        raise UsageError(f"the user name '{username}' has a colon, which no registry can take")
    if from_stdin:
        if not username:
            raise UsageError("--password-stdin needs --username")
        return username, _password_from_stdin()
    if secret is not None:
        from pod.engine import secrets

        data = secrets.content(engine, secrets.store(engine).find(secret))
        return username or secret, _one_line(data, f"secret '{secret}'")
    return username, password


def _password_from_stdin() -> str:
    data = sys.stdin.buffer.read() if sys.stdin is not None else b""
    password = _one_line(data, "standard input")
    if not password:
        raise UsageError("standard input is empty, and the password was expected there")
    return password


def _one_line(data: bytes, source: str) -> str:
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError(f"the password in {source} is not UTF-8 text") from None


def _still_valid(
    engine: Engine, account: Account, known: Credentials, options: LoginOptions
) -> bool:
    from pod.engine import login
    from pod.image.failures import LoginRefused

    print(f"Authenticating with existing credentials for {account}")
    try:
        login.check(engine, account, known, options)
    except LoginRefused:
        print("Existing credentials are invalid, please enter valid username and password")
        return False
    print(f"Existing credentials are valid. Already logged in to {account}")
    return True


def _ask_username(known: str) -> str:
    from pod.cli.ask import line

    asked = line(f"Username ({known}): " if known else "Username: ", "--username")
    username = asked.strip() or known
    if not username:
        raise UsageError("a login needs a user name")
    return username


def _ask_password(username: str) -> str:
    from pod.cli.ask import password

    typed = password("Password: ", f"the login of '{username}'", "--password-stdin")
    if not typed:
        raise UsageError("a login needs a password")
    return typed


COMMAND = Command(
    log_in,
    "[OPTIONS] [REGISTRY]",
    description=(
        "Logs in to a registry, or to a namespace in one, and keeps the credentials for pull, push, search and others. "
        "They are tried at the registry first. User name and password are asked for when they are not given.\n\n"
        "Without REGISTRY it is the first of the registries that are searched for short names."
    ),
    options=(
        AUTHFILE,
        Option(
            ("--cert-dir",),
            "text",
            "Directory with certificates for the registry",
            metavar="DIRECTORY",
            completes="directory",
        ),
        COMPAT_AUTH_FILE,
        Option(("--get-login",), "flag", "Print who is logged in, and do no more"),
        Option(("-p", "--password"), "text", "Password, for all to see", metavar="PASSWORD"),
        Option(("--password-stdin",), "flag", "Read the password from standard input"),
        Option(
            ("--secret",),
            "text",
            "Take the password from this secret",
            metavar="NAME",
            completes="secret",
        ),
        Option(
            ("--tls-verify",),
            "flag",
            "Want TLS and a valid certificate of the registry",
            default=True,
        ),
        Option(("-u", "--username"), "text", "User name", metavar="NAME"),
        Option(("-v", "--verbose"), "flag", "Tell where the credentials are kept"),
    ),
    maximum=1,
    completes=("registry",),
    examples=(
        "pod login registry.example.com",
        "pod login --username alice --password-stdin registry.example.com < password.txt",
        "pod login registry.example.com/team",
    ),
)
