"""The program under test as a function: `pod("run", "--rm", "busybox", "true")`.

An Engine runs $POD, or .venv/bin/pod, with a root and a run directory of its own. `POD=podman` runs the same tests
against podman: a test that does not hold there tests the wrong thing, or carries the marker `not_podman` with a reason.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from tests.support import images
from tests.support.registry import Registry
from tests.support.waiting import PATIENCE

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIMEOUT_SECONDS = 60


def program(text: str | None = None) -> list[str]:
    """The command line of the program under test, without its options; or of the one that `text` names."""
    words = shlex.split(text or os.environ.get("POD", "")) or [
        os.path.join(TREE, ".venv", "bin", "pod")
    ]
    found = shutil.which(words[0])
    if found is None:
        raise RuntimeError(
            f"'{words[0]}' is not there; tests/support/machine.sh venv installs .venv/bin/pod"
        )
    return [found, *words[1:]]


def chosen_kind() -> str:
    """The kind of the program under test, also when it is not installed."""
    return kind_of(shlex.split(os.environ.get("POD", "")) or ["pod"])


def kind_of(command: list[str]) -> str:
    """ "podman" or "pod"."""
    return "podman" if os.path.basename(command[0]).startswith("podman") else "pod"


@dataclass(frozen=True)
class Result:
    """What a command gave back. Streams are text; bytes that are not UTF-8 are escaped as surrogates."""

    command: list[str]
    status: int
    stdout: str
    stderr: str

    @property
    def out(self) -> str:
        """Standard output without white space around it."""
        return self.stdout.strip()

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()

    def json(self) -> Any:
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"standard output is not JSON: {error}\n{self}") from None

    def __str__(self) -> str:
        parts = [f"$ {shlex.join(self.command)}", f"exit status {self.status}"]
        for name, text in (("standard output", self.stdout), ("standard error", self.stderr)):
            parts.append(f"--- {name}{'' if text else ' is empty'}")
            if text:
                parts.append(
                    text if len(text) < 20_000 else f"{text[:10_000]}\n[...]\n{text[-10_000:]}"
                )
        return "\n".join(parts)


class Spawned(subprocess.Popen[bytes]):
    """A command whose context does not wait for it when the test has failed meanwhile: that could take for ever."""

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *rest)


@dataclass
class Engine:
    """One program with one root. Call it to run a command; see `engine_in` for making one."""

    command: list[str]
    root: str
    runroot: str
    environment: dict[str, str]
    registry: Registry | None = None
    kind: str = "pod"
    options: list[str] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    images_then: bytes = b""

    def __call__(
        self,
        *arguments: str,
        status: int | None = 0,
        stdin: str | bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Result:
        """Run a command to its end. AssertionError unless its exit status is `status`; None allows any.

        `env` is added to the engine's environment.
        """
        try:
            done = subprocess.run(
                self.full_command(*arguments),
                input=stdin.encode() if isinstance(stdin, str) else stdin,
                capture_output=True,
                env={**self.environment, **(env or {})},
                cwd=cwd or self.environment["HOME"],
                timeout=timeout * PATIENCE,
            )
        except subprocess.TimeoutExpired as error:
            out, err = _text(error.stdout), _text(error.stderr)
            result = Result(self.short_command(*arguments), -1, out, err)
            raise AssertionError(f"did not end within {timeout * PATIENCE} s:\n{result}") from None
        result = Result(
            self.short_command(*arguments), done.returncode, _text(done.stdout), _text(done.stderr)
        )
        if status is not None and result.status != status:
            raise AssertionError(f"expected exit status {status}:\n{result}")
        return result

    def spawn(
        self,
        *arguments: str,
        stdin: int | IO[Any] | None = subprocess.PIPE,
        stdout: int | IO[Any] | None = subprocess.PIPE,
        stderr: int | IO[Any] | None = subprocess.PIPE,
        env: Mapping[str, str] | None = None,
        **more: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a command and return at once; the caller waits for it. Use it as a context manager."""
        return Spawned(
            self.full_command(*arguments),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**self.environment, **(env or {})},
            cwd=more.pop("cwd", self.environment["HOME"]),
            **more,
        )

    def full_command(self, *arguments: str) -> list[str]:
        return [*self.command, *self.options, *arguments]

    def short_command(self, *arguments: str) -> list[str]:
        """For messages: without the options that are the same everywhere."""
        return [os.path.basename(self.command[0]), *arguments]

    def have(self, name: str) -> str:
        """Make sure that the image `name` of images.py is in the store; its short name."""
        if name not in self.present:
            assert self.registry is not None, "this engine has no registry"
            self.registry.have(name)
            unchanged = not self._names_changed()
            self("pull", "-q", name, timeout=300)
            self.present.add(name)
            if unchanged:
                self.images_then = self._images_now()
        return name

    def containers(self) -> list[str]:
        """Full ids of all containers."""
        return self("ps", "-a", "-q", "--no-trunc").lines

    def clean(self) -> None:
        """Remove what tests made, but not the images that `have` brought. Quick when there is nothing."""
        if self._may_have("containers"):
            self("rm", "-f", "-a", "-t", "0", status=None)
        if self._may_have("containers"):  # infra containers go with their pods
            self("pod", "rm", "-f", "-a", "-t", "0", status=None)
        if self._may_have("volumes"):
            self("volume", "rm", "-f", "-a", status=None)
        if self._names_changed():
            self._remove_new_images()

    def leftovers(self) -> list[str]:
        """What must not be on disk when no command runs and no container exists, as sentences."""
        if self.kind == "podman":
            return []  # its store is its own business
        found = []
        for name in ("staging", "trash", "images/partial", "containers"):
            found += [
                f"{name}/{entry} in the root directory" for entry in _entries(self.root, name)
            ]
        for name in _entries(self.root, "locks"):
            if name.removesuffix(".lock") not in _STORE_LOCKS:
                found.append(f"lock file {name}")
        for directory, _, files in os.walk(self.runroot):
            shown = os.path.relpath(directory, self.runroot)
            left = set(files) - _KEPT_UNTIL_BOOT
            found += [f"{os.path.join(shown, name)} in the run directory" for name in left]
        for directory, _, files in os.walk(self.root):
            found += [f"temporary file {name}" for name in files if name.endswith(".tmp")]
            if directory == self.root:
                _.clear()
        return found

    def _images_now(self) -> bytes:
        name = "images/index.json" if self.kind == "pod" else "overlay-images/images.json"
        try:
            with open(os.path.join(self.root, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def _names_changed(self) -> bool:
        return self._images_now() != self.images_then

    def _remove_new_images(self) -> None:
        """Bring the images back to what `have` brought, also one that a test has put another in the place of."""
        wanted = {
            (f"docker.io/library/{name}:latest", images.image(name).digest): name
            for name in self.present
        }
        form = "{{.Repository}}:{{.Tag}} {{.Digest}} {{.ID}}"
        listed = [
            line.split() for line in self("images", "-a", "--format", form, status=None).lines
        ]
        for name, digest, number in listed:
            if (name, digest) not in wanted:
                self("rmi", "-f", number if name.startswith("<none>") else name, status=None)
        gone = wanted.keys() - {(name, digest) for name, digest, _ in listed}
        for short in [wanted[key] for key in gone]:
            self.present.discard(short)
            self.have(short)
        self.images_then = self._images_now()

    def _may_have(self, what: str) -> bool:
        """A look at the disk, which is quicker than a command; true when it cannot tell."""
        if what == "volumes":
            return bool(_entries(self.root, "volumes"))
        if self.kind == "pod":
            return bool(_entries(self.root, "containers"))
        try:
            with open(
                os.path.join(self.root, "overlay-containers", "containers.json"), "rb"
            ) as file:
                return bool(json.load(file))
        except (FileNotFoundError, ValueError):
            return bool(_entries(self.root, "overlay-containers"))


def engine_in(
    base: str,
    runtime_directory: str,
    name: str,
    registry: Registry | None,
    command: list[str] | None = None,
) -> Engine:
    """An engine with the root `base`/`name` and a home that has no settings but the registry's.

    `runtime_directory` becomes XDG_RUNTIME_DIR. Both paths should be short: sockets live below them.
    """
    command = command or program()
    home = os.path.join(
        base, f"home-{os.path.basename(name)}"
    )  # nobody else's: it holds the settings
    settings = os.path.join(home, ".config", "containers")
    os.makedirs(settings, exist_ok=True)
    root, runroot = os.path.join(base, name), os.path.join(runtime_directory, name)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
        "HOME": home,
        "USER": os.environ.get("USER", "root"),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "XDG_RUNTIME_DIR": runtime_directory,
        "CONTAINERS_REGISTRIES_CONF": os.path.join(settings, "registries.conf"),
    }
    with open(environment["CONTAINERS_REGISTRIES_CONF"], "w") as file:
        file.write(registries_conf([registry.host] if registry else []))
    engine = Engine(command, root, runroot, environment, registry, kind_of(command))
    engine.options = ["--root", root, "--runroot", runroot]
    if engine.kind == "podman":
        environment["CONTAINERS_CONF"] = os.path.join(settings, "containers.conf")
        with open(environment["CONTAINERS_CONF"], "w") as file:
            file.write(_PODMAN_CONF)
        # Its own defaults want systemd, and a pause process shared by every root of the user.
        engine.options += ["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"]
        engine.options += ["--tmpdir", os.path.join(runtime_directory, f"{name}.libpod")]
    return engine


# Lock files that belong to the store and not to a container or volume, so that they may stay.
_KEPT_UNTIL_BOOT = {"networks.probed"}  # in the run directory
_STORE_LOCKS = (
    "build",
    "images",
    "store",
    "layers",
    "mapped",
    "userns",
    "trash-waiting",
    "trash-working",
)

_PODMAN_CONF = """[containers]
log_driver = "k8s-file"
[engine]
events_logger = "file"
"""


def registries_conf(hosts: Iterable[str]) -> str:
    """A registries.conf in which docker.io is the first of these registries, all of them without TLS."""
    hosts = list(hosts)
    text = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "permissive"\n'
    if hosts:
        text += f'[[registry]]\nprefix = "docker.io"\nlocation = "{hosts[0]}"\ninsecure = true\n'
    for host in hosts:
        text += f'[[registry]]\nlocation = "{host}"\ninsecure = true\n'
    return text


def _entries(root: str, name: str) -> list[str]:
    try:
        return os.listdir(os.path.join(root, name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "surrogateescape")
