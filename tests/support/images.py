"""Real images from the distribution's own packages, built once and kept outside the repository.

    python -m tests.support.images NAME...      build what is missing and print where it is

`busybox` is the static binary with its applets. `debian` is the distribution's smallest system (Ubuntu's or Fedora's
on those); `nginx`, `redis` and `postgres` are that plus a package and what their Docker Hub namesakes set, `tools`
has Python, a C compiler and ssh, `node` has Node.js, `systemd` boots with /sbin/init. `big` has 8 layers, 20,000 small
files and one of 300 MB. Nothing needs root: mmdebstrap works in a user namespace.

The cache is `${XDG_CACHE_HOME:-~/.cache}/pod-tests`, one OCI image layout for each name and version of its recipe.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from tests.support.layout import EPOCH, Entry, Image, Layout, directory, layer_tar, symlink

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BIG_FILE_BYTES = 300_000_000
SMALL_FILES = 20_000

# Counted up when a recipe changes, so that caches are built again.
_VERSION = 1


def cache_directory() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "pod-tests")
    os.makedirs(path, exist_ok=True)
    return path


def image(name: str) -> Image:
    """The image of that name; built when it is not in the cache, which takes up to a minute."""
    recipe = _RECIPES[name]
    path = os.path.join(cache_directory(), f"{name}-{_VERSION}")
    if not os.path.exists(path):
        with Lock(f"{name}.lock"):
            if not os.path.exists(path):
                _build(name, recipe, path)
    return Layout(path).image()


def docker_archive(name: str) -> str:
    """The path of a docker-archive of that image, tagged docker.io/library/NAME:latest; kept in the cache."""
    return _kept(
        name,
        "docker.tar",
        lambda it, path: it.docker_archive(path, [f"docker.io/library/{name}:latest"]),
    )


def oci_archive(name: str) -> str:
    """The path of an oci-archive of that image; kept in the cache."""
    return _kept(name, "oci.tar", lambda it, path: it.oci_archive(path))


def _kept(name: str, suffix: str, write: Callable[[Image, str], str]) -> str:
    made = image(name)
    path = f"{made.layout.path}.{suffix}"
    with Lock(f"{name}.{suffix}.lock"):
        if not os.path.exists(path):
            write(made, path + ".new")
            os.rename(path + ".new", path)
    return path


def _build(name: str, recipe: Callable[[Layout], None], path: str) -> None:
    print(f"images: building {name}", file=sys.stderr, flush=True)
    building = f"{path}.building"
    shutil.rmtree(building, ignore_errors=True)
    recipe(Layout(building))
    os.rename(building, path)


class Lock:
    """Hold a lock file of the cache, so that two runs do not build the same thing."""

    def __init__(self, name: str) -> None:
        self._path = os.path.join(cache_directory(), name)

    def __enter__(self) -> None:
        self._file = open(self._path, "w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


# ------------------------------------------------------------------------------------------------------------ busybox


def _busybox(layout: Layout) -> None:
    layout.add_image([layout.add_layer(busybox_layer())], {"Cmd": ["sh"], "Env": [PATH]})


def busybox_layer() -> bytes:
    """A root file system that can run a shell: busybox, its applets, users, /tmp."""
    program = busybox_program()
    with open(program, "rb") as file:
        content = file.read()
    applets = subprocess.run(
        [program, "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    entries = [
        directory(name) for name in ("bin", "etc", "home", "usr", "usr/bin", "var", "var/log")
    ]
    entries += [directory("root", 0o700), directory("tmp", 0o1777), directory("var/tmp", 0o1777)]
    entries.append(Entry("bin/busybox", content, mode=0o755))
    entries += [symlink(f"bin/{name}", "busybox") for name in sorted(applets) if name != "busybox"]
    users = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nnobody:x:65534:65534::/home:/bin/false\n"
    groups = "root:x:0:\ndaemon:x:1:\nwheel:x:10:root\nnobody:x:65534:\n"
    entries += [Entry("etc/passwd", users.encode()), Entry("etc/group", groups.encode())]
    return layer_tar(entries)


def busybox_program() -> str:
    """The host's static busybox. Raises RuntimeError when there is none, or it needs shared libraries."""
    program = shutil.which("busybox", path="/bin:/usr/bin:/sbin:/usr/sbin")
    if program is None:
        raise RuntimeError("busybox is not installed: tests/support/machine.sh run")
    with open(program, "rb") as file:
        content = file.read()
    if b"/ld-linux" in content or b"/ld-musl" in content:
        raise RuntimeError(f"{program} is not static: install busybox-static")
    return program


# ------------------------------------------------------------------------------------------- the distribution's systems

_PROGRAMS: dict[str, tuple[str, str, list[Entry], dict[str, Any]]] = {
    # package for apt, package for dnf, files on top, image settings
    "nginx": (
        "nginx",
        "nginx",
        [
            symlink("var/log/nginx/access.log", "/dev/stdout"),
            symlink("var/log/nginx/error.log", "/dev/stderr"),
        ],
        {
            "Cmd": ["nginx", "-g", "daemon off;"],
            "ExposedPorts": {"80/tcp": {}},
            "StopSignal": "SIGQUIT",
            "Env": [PATH],
        },
    ),
    "redis": (
        "redis-server",
        "redis",
        [directory("data", 0o755)],
        {
            "Cmd": ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"],
            "ExposedPorts": {"6379/tcp": {}},
            "Volumes": {"/data": {}},
            "WorkingDir": "/data",
            "Env": [PATH],
        },
    ),
    "tools": (  # a compiler, an interpreter, a client: what buildfiles in the wild run
        "python3,tcc,libc6-dev,openssh-client",
        "python3,tcc,glibc-devel,openssh-clients",
        [],
        {"Cmd": ["bash"], "Env": [PATH]},
    ),
    "node": (  # what front ends are built with
        "nodejs",
        "nodejs",
        [],
        {"Cmd": ["node"], "Env": [PATH]},
    ),
    "stack": (  # what sample projects of compose are of: PHP, MariaDB, etcd, a registry, Python's libraries for the web
        "php-fpm,php-mysql,mariadb-server,etcd-server,etcd-client,docker-registry,"
        "python3-flask,python3-redis,python3-psycopg2",
        "php-fpm,php-mysqlnd,mariadb-server,etcd,docker-distribution,"
        "python3-flask,python3-redis,python3-psycopg2",
        [
            Entry(
                "usr/local/bin/mariadb.sh",
                mode=0o755,
                content=b"""#!/bin/sh
# What the image of that name on Docker Hub does, in short: a first start makes the database and its user.
set -e
data=/var/lib/mysql
mkdir -p /run/mysqld
chown mysql:mysql $data /run/mysqld
if ! [ -e $data/made ]; then
    find $data -mindepth 1 -delete
    mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=socket >/dev/null
    mariadbd --user=mysql --bootstrap --skip-networking <<END
FLUSH PRIVILEGES;
CREATE DATABASE $MARIADB_DATABASE;
CREATE USER '$MARIADB_USER'@'%' IDENTIFIED BY '$MARIADB_PASSWORD';
GRANT ALL ON $MARIADB_DATABASE.* TO '$MARIADB_USER'@'%';
END
    touch $data/made
fi
exec mariadbd --user=mysql --bind-address=0.0.0.0 "$@"
""",
            ),
        ],
        {"Cmd": ["bash"], "Env": [PATH]},
    ),
    "systemd": (  # a machine in a container
        "systemd-sysv",
        "systemd",
        [],
        {"Cmd": ["/sbin/init"], "Env": [PATH]},
    ),
    "postgres": (
        "postgresql",
        "postgresql-server",
        [
            Entry(
                "usr/local/bin/docker-entrypoint.sh",
                mode=0o755,
                content=b"""#!/bin/sh
# What the image of that name on Docker Hub does, in short: a first start makes the cluster.
set -e
PATH="$PATH:$(echo /usr/lib/postgresql/*/bin)"
mkdir -p "$PGDATA" && chmod 0700 "$PGDATA"
if [ "$(id -u)" = 0 ]; then
    chown -R postgres "$PGDATA" /var/run/postgresql
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if ! [ -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    initdb -U "${POSTGRES_USER:-postgres}" --pwfile=/tmp/password --auth-host=scram-sha-256 >/dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
fi
exec "$@"
""",
            ),
            directory("var/run/postgresql", 0o2777),
        ],
        {
            "Entrypoint": ["docker-entrypoint.sh"],
            "Cmd": ["postgres"],
            "ExposedPorts": {"5432/tcp": {}},
            "Volumes": {"/var/lib/postgresql/data": {}},
            "StopSignal": "SIGINT",
            "Env": [PATH, "PGDATA=/var/lib/postgresql/data"],
        },
    ),
}


def _debian(layout: Layout) -> None:
    with tempfile.TemporaryDirectory(prefix="pod-images.", dir="/var/tmp") as work:
        path = _system(work, "")
        with open(path, "rb") as tree:
            layer = layout.add_layer(tree)
    layout.add_image([layer], {"Cmd": ["bash"], "Env": [PATH]})


def _program(name: str, layout: Layout) -> None:
    """debian's layer, what the package adds to it, our own files."""
    apt_package, dnf_package, extra, settings = _PROGRAMS[name]
    base = image("debian")
    with tempfile.TemporaryDirectory(prefix="pod-images.", dir="/var/tmp") as work:
        package = dnf_package if _is_fedora() else apt_package
        whole = _system(work, package)
        difference = os.path.join(work, "difference.tar")
        with base.open_layer(0) as below:
            write_difference(below, whole, difference)
        with open(difference, "rb") as stream:
            added = layout.add_layer(stream)
    base.copy(Layout(layout.path), name="debian")
    layers = [base.layers()[0], added, layout.add_layer(layer_tar(extra))]
    layout.add_image(layers, settings)


def _system(work: str, package: str) -> str:
    """A tar of a minimal system with one package more; the path."""
    path = os.path.join(work, "system.tar")
    if _is_fedora():
        _fedora_system(path, package)
    else:
        debian_system(work, path, package)
    return path


def debian_system(work: str, path: str, package: str) -> None:
    release = _os_release()
    parts = "main,universe" if release.get("ID") == "ubuntu" else "main"
    os.chmod(work, 0o755)  # the namespace's root is another user and must pass through
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--components={parts}",
        # As the official images do: no manual pages and translations.
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        *([f"--include={package}"] if package else []),
        release["VERSION_CODENAME"],
        path,
    ]
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": os.path.expanduser("~"),
        "TMPDIR": work,
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": str(EPOCH),
    }
    environment |= {
        name: os.environ[name] for name in ("http_proxy", "https_proxy") if name in os.environ
    }
    _run(command, environment)


def _fedora_system(path: str, package: str) -> None:
    """dnf as root of a user namespace. Written from dnf's manual; no Fedora was at hand to try it."""
    from pod.linux import idmap

    def build() -> None:
        with tempfile.TemporaryDirectory(prefix="pod-fedora.", dir="/var/tmp") as root:
            version = _os_release()["VERSION_ID"]
            packages = [
                "bash",
                "coreutils-single",
                "glibc-minimal-langpack",
                *(package.split(",") if package else []),
            ]
            options = [f"--installroot={root}", f"--releasever={version}", "--use-host-config"]
            small = ["--setopt=install_weak_deps=False", "--setopt=tsflags=nodocs"]
            _run(["dnf", "-y", "-q", *options, *small, "install", *packages], dict(os.environ))
            shutil.rmtree(f"{root}/var/cache", ignore_errors=True)
            with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
                archive.add(root, ".")

    idmap.run_inside(build, what="building a Fedora image")


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")


@functools.cache
def _os_release() -> dict[str, str]:
    with open("/etc/os-release") as file:
        pairs = (line.rstrip("\n").partition("=")[::2] for line in file if "=" in line)
        return {name: value.strip('"') for name, value in pairs}


def _is_fedora() -> bool:
    return shutil.which("mmdebstrap") is None


def write_difference(below: IO[bytes], whole_path: str, path: str) -> None:
    """Write to `path` the layer that turns the tree of one tar into that of another, whiteouts included."""
    known = dict(_facts(below))
    kept: dict[str, bool] = {}
    with (
        tarfile.open(whole_path) as whole,
        tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as out,
    ):
        linked: set[str] = set()
        for member in whole:
            name = _normal(member.name)
            fact = _fact(whole, member)
            kept[name] = True
            if known.get(name) == fact and not (
                member.islnk() and _normal(member.linkname) in linked
            ):
                continue
            if not member.isdir():
                linked.add(name)
            member.pax_headers = {
                key: value for key, value in member.pax_headers.items() if key.startswith("SCHILY")
            }
            out.addfile(member, whole.extractfile(member) if member.isreg() else None)
        gone = sorted(name for name in known if name not in kept)
        for name in gone:
            head, tail = os.path.split(name)
            if head not in known or head in kept or not head:
                out.addfile(Entry(os.path.join(head, f".wh.{tail}")).header())


def _facts(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            yield _normal(member.name), _fact(archive, member)


def _fact(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[object, ...]:
    """What makes two entries the same; times of unpacking do not count."""
    content = b""
    if member.isreg():
        file = archive.extractfile(member)
        assert file is not None
        content = _sum(file)
    mode = (member.type, member.mode, member.uid, member.gid)
    return (*mode, member.linkname, member.devmajor, member.devminor, content)


def _sum(file: IO[bytes]) -> bytes:
    total = hashlib.sha256()
    while chunk := file.read(1 << 20):
        total.update(chunk)
    return total.digest()


def _normal(name: str) -> str:
    return os.path.normpath(name).lstrip("/")


# ---------------------------------------------------------------------------------------------------------------- big


def _big(layout: Layout) -> None:
    noise = random.Random(8)
    layers = [layout.add_layer(busybox_layer())]
    with tempfile.TemporaryFile() as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(directory("data").header())
            header = Entry("data/large").header()
            header.size = BIG_FILE_BYTES
            archive.addfile(header, _HalfNoise(noise))  # type: ignore[arg-type]  # needs read() alone
        stream.seek(0)
        layers.append(layout.add_layer(stream))
    for number in range(6):
        entries = [directory(f"data/{number}")]
        for index in range(number, SMALL_FILES, 6):
            if index // 6 % 100 == 0:
                entries.append(directory(f"data/{number}/{index // 600}"))
            content = noise.randbytes(noise.randrange(4096))
            entries.append(Entry(f"data/{number}/{index // 600}/{index}", content))
        layers.append(layout.add_layer(layer_tar(entries)))
    layout.add_image(layers, {"Cmd": ["sh"], "Env": [PATH]})


class _HalfNoise:
    """As compressible as programs are: every second block of 64 KiB repeats."""

    def __init__(self, noise: random.Random) -> None:
        self._noise = noise
        self._flip = False

    def read(self, size: int) -> bytes:
        out = bytearray()
        while len(out) < size:
            self._flip = not self._flip
            out += self._noise.randbytes(65536) if self._flip else b"pod " * 16384
        return bytes(out[:size])


_RECIPES: dict[str, Callable[[Layout], None]] = {
    "busybox": _busybox,
    "debian": _debian,
    "big": _big,
    **{name: functools.partial(_program, name) for name in _PROGRAMS},
}
NAMES = tuple(_RECIPES)


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in _RECIPES]:
        print(
            f"images: no recipe for {', '.join(unknown)}; there are {', '.join(_RECIPES)}",
            file=sys.stderr,
        )
        return 1
    for name in names or NAMES:
        print(image(name).layout.path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
