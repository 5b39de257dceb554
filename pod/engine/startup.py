"""Have containers start again when the machine, or the user's session, comes up: `pod startup`.

pod has no daemon that could do it, so a part of the host does: the user's systemd, cron, or the desktop; each runs
`pod start --filter should-start-on-boot=true`. The first of them that the host has is taken.
"""

from __future__ import annotations

import os
import subprocess
import sys

from pod.base import files, log, paths
from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import processes
from pod.spec.systemd_text import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine

UNIT = "pod-startup.service"
_START = ("start", "--filter", "should-start-on-boot=true")
_STOP = ("startup", "down")
_MARK = "# pod startup"  # ends the line in the crontab that is ours
_SECONDS = 30
_LINGER = "/var/lib/systemd/linger"  # loginctl(1), enable-linger


class NoStartup(PodError):
    """Nothing on this machine can start containers."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            "nothing here starts programs for you: there is no user's systemd, no crontab, and no desktop session",
            hint=f"have whatever starts your session run: {quoted(command(engine, _START))}",
        )


class Method(Record):
    """A part of the host that starts programs. `what` names it in sentences; `when` is when it does so."""

    name: str
    what: str
    when: str


SYSTEMD = Method("systemd", f"the systemd user unit {UNIT}", "when you log in")
CRON = Method("cron", "a line of your crontab", "when the machine starts")
AUTOSTART = Method("autostart", "a desktop autostart entry", "when your desktop session starts")
METHODS = (SYSTEMD, CRON, AUTOSTART)


class Installed(Record):
    """What is set up: the file that says so ("" for the crontab), and `when` it starts containers."""

    method: Method
    path: str
    when: str

    def __str__(self) -> str:
        where = f" ({self.path})" if self.path else ""
        return f"{self.method.what}{where} starts containers {self.when}"


def install(engine: Engine, name: str = "") -> Installed:
    """Set up the method with this name, or the first that the host has; whatever else was set up is removed.

    Raises NoStartup; PodError for a method that this host does not have.
    """
    usable = [method for method in METHODS if _is_usable(engine, method)]
    if name:
        usable = [method for method in usable if method.name == name]
        if not usable:
            method = next(method for method in METHODS if method.name == name)
            raise PodError(f"{method.what} cannot be set up: {_why_not(engine, method)}")
    if not usable:
        raise NoStartup(engine)
    chosen = usable[0]
    for method in METHODS:
        if method != chosen:
            _remove(method)
    {"systemd": _install_unit, "cron": _install_line, "autostart": _install_entry}[chosen.name](
        engine
    )
    return next(found for found in status() if found.method == chosen)


def remove() -> list[Method]:
    """Undo `install`; what was removed."""
    return [method for method in METHODS if _remove(method)]


def status() -> list[Installed]:
    """What is set up."""
    found = []
    if os.path.exists(_unit_path()) and os.path.lexists(_wanted_path()):
        when = CRON.when if has_linger() else SYSTEMD.when
        found.append(Installed(SYSTEMD, _unit_path(), when))
    if any(line.endswith(_MARK) for line in _crontab()):
        found.append(Installed(CRON, "", CRON.when))
    if os.path.exists(_entry_path()):
        found.append(Installed(AUTOSTART, _entry_path(), AUTOSTART.when))
    return found


def down(engine: Engine) -> list[str]:
    """Stop what runs because the machine goes down: nobody stopped it, so it starts again. What went wrong."""
    from pod.engine.stop import stop
    from pod.state import containers

    failures = []
    for container in containers.all_of(engine.database):
        if container.status == "active":
            try:
                stop(engine, container, by_user=False)
            except PodError as error:
                failures.append(str(error))
    return failures


def has_linger() -> bool:
    """Whether the user's systemd runs from boot on, not only while the user is logged in."""
    return os.path.exists(f"{_LINGER}/{_user_name()}")


def command(engine: Engine, words: tuple[str, ...]) -> list[str]:
    """pod with the same store as now, however it will be called."""
    program = processes.find_program(sys.argv[0]) if "/" not in sys.argv[0] else None
    found = [program or os.path.abspath(sys.argv[0])]
    given = engine.as_arguments()
    if given["root"] or "XDG_DATA_HOME" in os.environ:
        found += ["--root", engine.paths.root]
    if given["runroot"]:
        found += ["--runroot", engine.paths.runroot]
    return [*found, *words]


def quoted(words: list[str]) -> str:
    """As a shell reads it."""
    import shlex

    return shlex.join(words)


def _is_usable(engine: Engine, method: Method) -> bool:
    return not _why_not(engine, method)


def _why_not(engine: Engine, method: Method) -> str:
    """Why the host cannot do it that way; "" when it can."""
    if method == SYSTEMD:
        socket = f"{os.environ.get('XDG_RUNTIME_DIR', '')}/systemd/private"
        if processes.find_program("systemctl") is None or not os.path.exists(socket):
            return "systemd does not run here for you"
    elif method == CRON:
        if processes.find_program("crontab") is None:
            return "crontab is not installed"
        session = os.environ.get("XDG_RUNTIME_DIR")
        if session and engine.paths.runroot.startswith(f"{session}/"):
            return f"'{engine.paths.runroot}' is not there before you log in; see --runroot"
    elif not (
        os.environ.get("XDG_CURRENT_DESKTOP") or os.path.isdir(os.path.dirname(_entry_path()))
    ):
        return "you are not in a desktop session"
    return ""


def _remove(method: Method) -> bool:
    if method == CRON:
        lines = _crontab()
        others = [line for line in lines if not line.endswith(_MARK)]
        if len(others) == len(lines):
            return False
        _write_crontab(others)
        return True
    if method == SYSTEMD:
        if not os.path.exists(_unit_path()):
            return False
        for path in (_wanted_path(), _unit_path()):
            if os.path.lexists(path):
                os.unlink(path)
        _tell_systemd()
        return True
    if not os.path.exists(_entry_path()):
        return False
    os.unlink(_entry_path())
    return True


# The user's systemd


def _install_unit(engine: Engine) -> None:
    """The unit, enabled. Its containers are in its cgroup, and it stops them in order when the machine goes down."""
    lines = (
        "[Unit]",
        "Description=Containers of pod that run again after a reboot",
        "Documentation=man:pod-startup-install(1)",
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "Delegate=yes",
        # One container that cannot start must not end the others: with a failure systemd would end them all.
        f"ExecStart=-{join(command(engine, _START))}",
        f"ExecStop=-{join(command(engine, _STOP))}",
        "TimeoutStartSec=infinity",
        "",
        "[Install]",
        "WantedBy=default.target",
    )
    path = _unit_path()
    os.makedirs(os.path.dirname(_wanted_path()), exist_ok=True)
    files.write_atomic(path, ("\n".join(lines) + "\n").encode(), mode=0o644)
    if not os.path.lexists(_wanted_path()):
        os.symlink(path, _wanted_path())  # what `systemctl enable` does
    _tell_systemd()
    if not has_linger():
        done = run_program(["loginctl", "enable-linger"])
        if done.returncode or not has_linger():
            log.warning(
                "containers start only when you log in, and end when you log out: lingering is not allowed to you; "
                f"as root: loginctl enable-linger {_user_name()}"
            )


def _tell_systemd() -> None:
    done = run_program(["systemctl", "--user", "daemon-reload"])
    if done.returncode:
        log.warning(f"systemctl --user daemon-reload: {complaint_of(done)}")


def _unit_path() -> str:
    return f"{_config()}/systemd/user/{UNIT}"


def _wanted_path() -> str:
    return f"{_config()}/systemd/user/default.target.wants/{UNIT}"


# cron


def _install_line(engine: Engine) -> None:
    line = f"@reboot {quoted(command(engine, _START)).replace('%', chr(92) + '%')} {_MARK}"
    _write_crontab([*(other for other in _crontab() if not other.endswith(_MARK)), line])


def _crontab() -> list[str]:
    if processes.find_program("crontab") is None:
        return []
    done = run_program(["crontab", "-l"])
    return done.stdout.splitlines() if done.returncode == 0 else []  # 1: there is none yet


def _write_crontab(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    done = run_program(["crontab", "-"], text)
    if done.returncode:
        raise PodError(f"the crontab cannot be changed: {complaint_of(done)}")


# The desktop


def _install_entry(engine: Engine) -> None:
    """See the Desktop Application Autostart Specification, and "The Exec key" of the Desktop Entry Specification."""
    words = " ".join(
        '"' + "".join(f"\\{c}" if c in '"`$\\' else c for c in word).replace("%", "%%") + '"'
        for word in command(engine, _START)
    ).replace("\\", "\\\\")
    lines = (
        "[Desktop Entry]",
        "Type=Application",
        "Name=pod",
        "Comment=Start containers that run again after a reboot",
        f"Exec={words}",
        "NoDisplay=true",
    )
    os.makedirs(os.path.dirname(_entry_path()), exist_ok=True)
    files.write_atomic(_entry_path(), ("\n".join(lines) + "\n").encode(), mode=0o644)


def _entry_path() -> str:
    return f"{_config()}/autostart/pod-startup.desktop"


def _config() -> str:
    return os.environ.get("XDG_CONFIG_HOME") or f"{paths.home()}/.config"


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def run_program(
    words: list[str], text: str = "", *, seconds: float | None = _SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a program of the host in a clean environment; status 127 for one that is not there, or takes too long."""
    program = processes.find_program(words[0])
    log.debug(f"runs {quoted(words)}")
    try:
        return subprocess.run(
            [program or words[0], *words[1:]],
            input=text,
            capture_output=True,
            text=True,
            env=processes.clean_environment(),
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 127, "", str(error))


def complaint_of(done: subprocess.CompletedProcess[str]) -> str:
    """What a program has complained of, as a part of a sentence; systemctl's advice where to read on is left out."""
    lines = (line.strip().rstrip(".") for line in done.stderr.splitlines())
    return "; ".join(line for line in lines if line and not line.startswith("See "))
