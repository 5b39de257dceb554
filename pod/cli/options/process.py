"""Options of `run` and `create` about the process: what is executed, as whom, with which variables and names."""

from __future__ import annotations

import os

from pod.base.errors import UsageError
from pod.cli.declare import Option
from pod.spec import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.configuration import Settings
    from pod.spec.container import ContainerConfig

ENV = Option(
    ("-e", "--env"),
    "list",
    "Set an environment variable; NAME alone takes over its value, NAME* those of all that begin so",
    metavar="NAME[=VALUE]",
)
ENV_FILE = Option(
    ("--env-file",),
    "list",
    "Read environment variables from a file, one a line",
    metavar="FILE",
    completes="file",
)
INTERACTIVE = Option(("-i", "--interactive"), "flag", "Keep standard input open")
TTY = Option(("-t", "--tty"), "flag", "Give the container a terminal")
USER = Option(
    ("-u", "--user"),
    "text",
    "Run as this user and group, names or numbers",
    metavar="USER[:GROUP]",
)
WORKDIR = Option(
    ("-w", "--workdir"),
    "text",
    "Working directory in the container",
    metavar="DIRECTORY",
    empty_is_none=True,
)

OPTIONS = (
    Option(
        ("--annotation",),
        "list",
        "Add an annotation to the OCI configuration",
        metavar="KEY=VALUE",
    ),
    Option(
        ("-a", "--attach"),
        "comma",
        "Connect only these streams: stdin, stdout, stderr",
        metavar="STREAM",
    ),
    Option(
        ("--domainname",),
        "text",
        "NIS domain name, for programs that ask for it",
        metavar="NAME",
        empty_is_none=True,
    ),
    Option(
        ("--entrypoint",),
        "text",
        "Program to run instead of the image's entry point; a JSON list for several words",
        metavar="COMMAND",
    ),
    ENV,
    ENV_FILE,
    Option(("--env-host",), "flag", "Take over all environment variables of the caller"),
    Option(
        ("--env-merge",),
        "list",
        "Set a variable from variables of the image: PATH=${PATH}:/opt/bin",
        metavar="NAME=VALUE",
    ),
    Option(
        ("--group-add",),
        "comma",
        "Add a supplementary group; keep-groups keeps those of the caller",
        metavar="GROUP",
    ),
    Option(
        ("--group-entry",),
        "text",
        "Line for the user's group in /etc/group, if it has none; $GROUPNAME, $GID and $USERLIST are filled in",
        metavar="LINE",
    ),
    Option(
        ("-h", "--hostname"),
        "text",
        "Host name of the container",
        metavar="NAME",
        empty_is_none=True,
    ),
    Option(
        ("--hostuser",),
        "list",
        "Add this user of the host to the container's /etc/passwd",
        metavar="USER",
    ),
    Option(
        ("--http-proxy",),
        "flag",
        "Pass the proxy variables of the caller on",
        default=True,
    ),
    Option(("--init",), "flag", "Run a small init as process 1, which reaps orphans"),
    Option(
        ("--init-path",), "text", "Program for --init", metavar="PATH", completes="file", default=""
    ),
    INTERACTIVE,
    Option(("-l", "--label"), "list", "Add a label", metavar="KEY[=VALUE]"),
    Option(("--label-file",), "list", "Read labels from a file", metavar="FILE", completes="file"),
    Option(("--name",), "text", "Name of the container", metavar="NAME"),
    Option(
        ("--passwd",),
        "flag",
        "Add a line for an unknown user to the container's /etc/passwd",
        default=True,
    ),
    Option(
        ("--passwd-entry",),
        "text",
        "That line; $USERNAME, $UID, $GID, $NAME and $HOME are filled in",
        metavar="LINE",
    ),
    Option(
        ("--systemd",),
        "text",
        "Prepare the container for systemd: true (when that is its command), false, always",
        metavar="MODE",
        empty_is_none=True,
    ),
    TTY,
    Option(
        ("--tz",),
        "text",
        "Time zone, such as Europe/Berlin; local for that of the host",
        metavar="ZONE",
    ),
    Option(
        ("--umask",),
        "text",
        "File mode creation mask, in octal",
        metavar="MASK",
        empty_is_none=True,
    ),
    Option(("--unsetenv",), "list", "Leave out a variable of the image or of pod", metavar="NAME"),
    Option(("--unsetenv-all",), "flag", "Leave out all variables of the image and of pod"),
    USER,
    WORKDIR,
)

_STREAMS = ("stdin", "stdout", "stderr")


def process_changes(
    arguments: Arguments, settings: Settings, base: ContainerConfig
) -> dict[str, Any]:
    """Fields of ContainerConfig that the options above set, but for the command itself.

    `base` has what the configuration files say.
    """
    changes: dict[str, Any] = {
        "environment": read_environment(arguments, settings),
        "terminal": arguments.flag("tty"),
        "interactive": arguments.flag("interactive"),
    }
    given: dict[str, tuple[str, Callable[[Arguments], Any]]] = {
        "annotation": ("annotations", lambda it: {**base.annotations, **_annotations(it)}),
        "attach": ("attach", _attach),
        "entrypoint": ("entrypoint", _entrypoint),
        "env_merge": ("merged_environment", _merges),
        "unsetenv": ("unset_environment", lambda it: tuple(it.texts("unsetenv"))),
        "unsetenv_all": ("unset_all_environment", lambda it: it.flag("unsetenv_all")),
        "group_add": ("groups", _groups),
        "hostname": ("hostname", _hostname),
        "domainname": ("domainname", _domainname),
        "group_entry": ("group_entry", _group_entry),
        "hostuser": ("host_users", _host_users),
        "init": ("init", lambda it: it.flag("init")),
        "init_path": ("init_path", lambda it: _path(it.text("init_path") or "")),
        "passwd_entry": ("passwd_entry", lambda it: it.text("passwd_entry")),
        "systemd": ("systemd", _systemd),
        "tz": ("timezone", lambda it: it.text("tz") or ""),
        "umask": ("umask", _umask),
        "user": ("user", _user),
        "workdir": ("working_directory", read_working_directory),
    }
    for option, (field, read) in given.items():
        if arguments.given(option):
            changes[field] = read(arguments)
    if arguments.given("label") or arguments.given("label_file"):
        changes["labels"] = _labels(arguments)
    if arguments.flag("init") and changes.get("systemd") == "always":
        raise UsageError("--init excludes --systemd=always: systemd is an init of its own")
    if not arguments.flag("passwd"):
        if arguments.given("passwd_entry"):
            raise UsageError("--passwd=false excludes --passwd-entry")
        changes["passwd_entry"] = None
    return changes


def read_environment(arguments: Arguments, settings: Settings | None) -> tuple[str, ...]:
    """The variables that were asked for, "NAME=VALUE" in order; the later of two with one name holds.

    Without `settings` only --env-file and --env, which `exec` has, too.
    """
    caller = os.environ
    asked: dict[str, str] = {}
    if settings is not None:
        proxy = (
            arguments.flag("http_proxy")
            if arguments.given("http_proxy")
            else settings.containers.http_proxy
        )
        if proxy:
            asked |= environment.proxy_environment(caller)
        host = (
            arguments.flag("env_host")
            if arguments.given("env_host")
            else settings.containers.env_host
        )
        if host:
            # What encrypted secrets are read with is nobody else's business.
            asked |= {k: v for k, v in caller.items() if k != "POD_SECRETS_PASSPHRASE"}
    for path in arguments.texts("env_file"):
        asked |= environment.parse_env_file(read_option_file("--env-file", path), path, caller)
    asked |= environment.parse_env(arguments.texts("env"), caller)
    return environment.as_entries(asked)


def read_option_file(option: str, path: str) -> str:
    """The text of a file that an option names. Raises UsageError."""
    from pod.base.files import read_text

    try:
        return read_text("/dev/stdin" if path == "-" else path)
    except OSError as error:
        raise UsageError(f"file '{path}' of {option} cannot be read: {error.strerror}") from error


def read_working_directory(arguments: Arguments) -> str:
    path = arguments.text("workdir") or ""
    if not path.startswith("/"):
        raise UsageError(f"the working directory '{path}' of --workdir is not an absolute path")
    return path


def _annotations(arguments: Arguments) -> dict[str, str]:
    return environment.parse_annotations(arguments.texts("annotation"))


def _attach(arguments: Arguments) -> tuple[str, ...]:
    streams = tuple(dict.fromkeys(text.lower() for text in arguments.texts("attach")))
    for stream in streams:
        if stream not in _STREAMS:
            raise UsageError(
                f"invalid argument '{stream}' for '--attach': expected is one of {', '.join(_STREAMS)}"
            )
    return streams


def _entrypoint(arguments: Arguments) -> tuple[str, ...]:
    """A program, a JSON list of words, or nothing, which takes the image's away."""
    text = arguments.text("entrypoint") or ""
    if text.startswith("["):
        import json

        try:
            words = json.loads(text)
        except ValueError:
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return tuple(words)
    return (text,) if text else ()


def _groups(arguments: Arguments) -> tuple[str, ...]:
    from pod.spec.users import parse_group_add

    return parse_group_add(arguments.texts("group_add"))


def _group_entry(arguments: Arguments) -> str:
    line = arguments.text("group_entry") or ""
    if line.count(":") != 3 or "\n" in line:
        raise UsageError(
            f"invalid argument '{line}' for '--group-entry': a line NAME:PASSWORD:GID:USERS is expected"
        )
    return line


def _host_users(arguments: Arguments) -> tuple[str, ...]:
    """The lines of users of this machine, for whom the shell is one that any image has."""
    import pwd

    lines = []
    for text in arguments.texts("hostuser"):
        try:
            found = pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)
        except (KeyError, OverflowError) as error:
            raise UsageError(
                f"invalid argument '{text}' for '--hostuser': this machine has no such user"
            ) from error
        fields = (
            found.pw_name,
            "*",
            found.pw_uid,
            found.pw_gid,
            found.pw_gecos,
            found.pw_dir,
            "/bin/sh",
        )
        lines.append(":".join(str(field) for field in fields))
    return tuple(lines)


def _hostname(arguments: Arguments) -> str:
    from pod.spec.hosts import parse_hostname

    return parse_hostname(arguments.text("hostname") or "")


def _domainname(arguments: Arguments) -> str:
    from pod.spec.hosts import parse_hostname

    return parse_hostname(arguments.text("domainname") or "", "--domainname")


def _merges(arguments: Arguments) -> tuple[str, ...]:
    texts = tuple(arguments.texts("env_merge"))
    environment.merge_environment({}, (), merges=texts)  # for its checks
    return texts


def _systemd(arguments: Arguments) -> str:
    text = (arguments.text("systemd") or "").lower()
    if text not in {"true", "false", "always"}:
        raise UsageError(
            f"invalid argument '{text}' for '--systemd': expected is one of true, false, always"
        )
    return text


def _path(text: str) -> str:
    return os.path.abspath(text) if text else ""


def _umask(arguments: Arguments) -> int:
    from pod.spec.security_option import parse_umask

    return parse_umask(arguments.text("umask") or "")


def _user(arguments: Arguments) -> str:
    return read_user(arguments.text("user") or "")


def read_user(text: str) -> str:
    """--user, checked."""
    from pod.spec.users import parse_user

    parse_user(text)
    return text


def _labels(arguments: Arguments) -> dict[str, str]:
    labels: dict[str, str] = {}
    for path in arguments.texts("label_file"):
        labels |= environment.parse_label_file(read_option_file("--label-file", path), path)
    return labels | environment.parse_labels(arguments.texts("label"))


DESCRIPTORS = (
    Option(
        ("--preserve-fd",),
        "comma",
        "Pass these descriptors on, too",
        metavar="N[,N...]",
    ),
    Option(
        ("--preserve-fds",),
        "number",
        "Pass that many more descriptors on, from 3 upwards",
        metavar="N",
        lowest=0,
    ),
)
_MOST_DESCRIPTORS = 200  # that fit into one message with others, unix(7)


def read_descriptors(arguments: Arguments) -> tuple[int, ...]:
    """--preserve-fd and --preserve-fds: numbers of open descriptors that we were started with."""
    if not arguments.given("preserve_fd") and not arguments.given("preserve_fds"):
        return ()
    from pod.base.units import parse_integer

    numbers = dict.fromkeys(range(3, 3 + (arguments.number("preserve_fds") or 0)), "--preserve-fds")
    for text in arguments.texts("preserve_fd"):
        numbers[parse_integer(text, "--preserve-fd", 3, 2**31 - 1)] = "--preserve-fd"
    if len(numbers) > _MOST_DESCRIPTORS:
        raise UsageError(f"at most {_MOST_DESCRIPTORS} descriptors can be passed on")
    for fd, option in numbers.items():
        try:
            is_ours = not os.get_inheritable(fd)
        except OSError:
            is_ours = True
        if is_ours:
            raise UsageError(f"descriptor {fd} of {option} is not open")
    return tuple(numbers)
