"""Power cuts: a virtual machine that only lives to use pod, is killed at any moment, and has to be well afterwards.

It is that of machine.py with a shell as the first process, since a boot by systemd would take most of the time. The
user's home is on a disk of device.py, which loses what was not flushed. What the guest says on its serial line, it has
acknowledged: that is recorded here, outside.

    tests/support/as-user .venv/bin/python -m tests.vm.power CUTS [SEED]
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from tests.support import images
from tests.support.layout import Entry, Layout, layer_tar
from tests.support.places import remove_tree
from tests.support.registry import Registry
from tests.vm import machine, ramdisk
from tests.vm.device import Disk

LIFE_SECONDS = 3600  # from power on to the cut, where much else runs; 25 are usual
_HOME_SIZE = "1G"
_MARK = "pod-vm: "
_ABSENT = "-"
_APPS = 3

# As root: what a system has and pod needs.
START = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw
. /mnt/work/plan
for name in run tmp dev/shm; do mkdir -p /$name; mount -t tmpfs tmpfs /$name; done
chmod 1777 /tmp /dev/shm
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
mount -t cgroup2 cgroup2 /sys/fs/cgroup
modprobe -a overlay fuse tun
chmod 0666 /dev/fuse /dev/net/tun
ip link set lo up
echo "podtest:x:$NUMBER:$NUMBER::/home/podtest:/bin/bash" >> /etc/passwd
echo "podtest:x:$NUMBER:" >> /etc/group
echo podtest:100000:65536 | tee -a /etc/subuid >> /etc/subgid
mkdir -p "$TREE" /home/podtest
mount --bind /mnt/work/tree "$TREE"
mount /dev/vdc /home/podtest || { echo "pod-vm: failed mount"; exec sleep inf; }
install -d -o podtest -g podtest -m 0700 /run/user /run/user/$NUMBER
group=/sys/fs/cgroup/user
mkdir -p $group/main
chown -R podtest $group
echo $$ > $group/main/cgroup.procs
docker-registry serve /mnt/work/registry.yml >/run/registry.log 2>&1 &
mount --make-rshared /
for word in "$@"; do case $word in pod.life=*) life=${word#*=} ;; pod.seed=*) seed=${word#*=} ;; esac; done
cd /home/podtest
setpriv --reuid=podtest --regid=podtest --init-groups --inh-caps=-all env -i HOME=/home/podtest USER=podtest \\
    XDG_RUNTIME_DIR=/run/user/$NUMBER PATH="$TREE/.venv/bin:/usr/bin:/bin:/usr/sbin:/sbin" TERM=dumb \\
    bash /mnt/work/life "$life" "$seed"
exec sleep inf
"""

# As the user: tell what is there, then change it until the end. "begin" and "done" have the kind and the name of what
# is changed, and "done" what it is from then on.
LIFE = """#!/bin/bash
life=$1
RANDOM=$2
say() { printf 'pod-vm: %s\\n' "$*"; }
failed() { sed 's/^/pod-vm: failed /' /tmp/errors; say "failed $*"; exec sleep inf; }
change() {  # KIND NAME COMMAND...: the last line that it prints is what becomes of it
    local kind=$1 name=$2 made
    shift 2
    say "begin $kind $name"
    made=$("$@" 2>/tmp/errors) || failed "$*: $made"
    made=${made##*$'\\n'}
    say "done $kind $name ${made#sha256:}"
}
gone() { "$@" >/dev/null && echo -; }
there() { "$@" >/dev/null && echo there; }

pod system check >/tmp/said 2>&1
status=$?
sed 's/^/pod-vm: found /' /tmp/said
pod images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | sed 's/sha256://; s/^/pod-vm: has image /'
pod ps -a --no-trunc --format '{{.Names}} {{.ID}}' | sed 's/^/pod-vm: has container /'
pod volume ls --format '{{.Name}} {{.Mountpoint}}/log' | while read -r volume file; do
    say "has volume $volume there"
    lines=$(cat "$file" 2>/dev/null | awk '$0 == "line " NR { n = NR } END { print n + 0 }')
    say "has lines $volume $lines"
done
say "check $status"

base=localhost/latest
pod image exists $base ||
    change image $base:latest sh -c "pod load -q -i /mnt/work/busybox && pod inspect -f '{{.Id}}' $base"
run="pod run --network none"
made=
for ((i = 0;; i++)); do
    name=$life-$i
    case $((RANDOM % 7)) in
    0 | 1)
        app=127.0.0.1:5000/app$((RANDOM % 3)):latest
        pod image exists $app && change image $app gone pod rmi $app
        change image $app pod pull -q --tls-verify=false $app ;;
    2)
        mkdir -p /tmp/context
        echo $name > /tmp/context/word
        printf 'FROM %s\\nCOPY word /word\\nRUN cat /word /word > /words\\n' $base > /tmp/context/Dockerfile
        change image localhost/b-$name:latest pod build -q --network none -t localhost/b-$name /tmp/context ;;
    3)
        change container c-$name $run -d --name c-$name $base sh -c "echo $name > /word; exec sleep 1000"
        made=c-$name ;;
    4)
        [ -n "$made" ] || continue
        change image localhost/k-$name:latest pod commit -q $made localhost/k-$name ;;
    5)
        change volume v-$name there pod volume create v-$name
        say "begin lines v-$name"
        $run --rm -v v-$name:/v $base sh -c "
            for n in \\$(seq 20); do
                echo line \\$n | dd of=/v/log oflag=append conv=notrunc,fsync 2>/dev/null || exit
                echo pod-vm: done lines v-$name \\$n
            done" 2>/tmp/errors || failed lines ;;
    6)
        [ -n "$made" ] || continue
        change container $made gone pod rm -f -t 0 $made
        made= ;;
    esac
done
"""


class Broken(AssertionError):
    """What a power cut has broken."""


@dataclass
class Known:
    """What was acknowledged: kind and name to what it is. What is under way may be anything."""

    values: dict[tuple[str, str], str] = field(default_factory=dict)
    under_way: tuple[str, str] | None = None

    def take(self, words: list[str]) -> None:
        """A line of the guest while it works."""
        if words[0] == "begin":
            self.under_way = (words[1], words[2])
        elif words[0] == "done":
            self.values[words[1], words[2]] = words[3]
            if words[1] != "lines":
                self.under_way = None

    def compare(self, found: dict[tuple[str, str], str]) -> list[str]:
        """Sentences on what is not as it was acknowledged; from then on what was found counts."""
        wrong = []
        for key, value in self.values.items():
            there = found.get(key, _ABSENT)
            if key[0] == "lines":
                if int(value) > int(there.replace(_ABSENT, "0")):
                    wrong.append(f"{value} lines of {key[1]} were written, and {there} are there")
            elif there != value and key != self.under_way:
                wrong.append(f"{' '.join(key)} was {value} and is {there}")
        for key in found.keys() - self.values.keys():
            if key != self.under_way and key[0] != "lines":
                wrong.append(f"{' '.join(key)} is there, and nobody has made it")
        self.values, self.under_way = dict(found), None
        return wrong


@dataclass
class Life:
    """What happened between power on and a cut."""

    number: int
    cut_in: str  # the last line before it
    lost_writes: int
    unflushed_writes: int
    seconds: float
    wrong: list[str]


def lives(cuts: int, seed: int) -> Generator[Life]:
    """As many power cuts, and one more boot that looks what the last one did. Raises Broken when a boot fails."""
    chance = random.Random(seed)
    work = tempfile.mkdtemp(prefix="pod-vm.", dir="/var/tmp")
    try:
        system = machine.system()
        parts = _make_parts(work, system)
        home = os.path.join(work, "home")
        number = machine.user_number()
        subprocess.run(
            ["mke2fs", "-q", "-t", "ext4", "-E", f"root_owner={number}:{number}", home, _HOME_SIZE],
            check=True,
            env={"PATH": machine.PATH},
        )
        known = Known()
        with Disk(home, os.path.join(work, "nbd")) as disk:
            for life in range(cuts + 1):
                yield _live(work, system, parts, disk, life, known, chance, is_last=life == cuts)
    finally:
        remove_tree(work)


def _live(
    work: str,
    system: str,
    parts: str,
    disk: Disk,
    number: int,
    known: Known,
    chance: random.Random,
    *,
    is_last: bool,
) -> Life:
    began = time.monotonic()
    output, console = os.path.join(work, f"output-{number}"), os.path.join(work, "console")
    with _power_on(
        work, system, parts, disk, output, console, number, chance.randrange(1, 30000)
    ) as process:
        reader = _Reader(process, output, console)
        found: dict[tuple[str, str], str] = {}
        wrong: list[str] = []
        while True:
            words = reader.next()
            if words[0] == "has":
                found[words[1], words[2]] = words[3]
            elif words[0] == "found" and words[1:]:
                wrong.append(f"system check: {' '.join(words[1:])}")
            elif words[0] == "check":
                if words[1] == "0":
                    wrong.clear()
                break
        wrong += known.compare(found)
        seconds = time.monotonic() - began
        if is_last:
            return Life(number, "", 0, 0, seconds, wrong)
        # Some changes pass, and then a part of the next: as much time as one of them took, or less.
        last = time.monotonic()
        for _ in range(chance.randrange(1, 7)):
            known.take(reader.next())
            step, last = time.monotonic() - last, time.monotonic()
        with contextlib.suppress(TimeoutError):
            while True:
                known.take(reader.next(last + step * chance.random()))
        lost, unflushed = disk.cut(chance)
    for words in reader.rest():
        known.take(words)
    return Life(number, reader.last, lost, unflushed, seconds, wrong)


@contextlib.contextmanager
def _power_on(
    work: str, system: str, parts: str, disk: Disk, output: str, console: str, life: int, seed: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A running machine, which is killed in the end."""
    command = [
        *machine.QEMU,
        *("-m", "1024", "-no-reboot", "-nic", "none"),
        *("-kernel", f"{system}/vmlinuz", "-initrd", f"{work}/initrd"),
        *("-append", f"{machine.KERNEL} pod.life={life} pod.seed={seed}"),
        *("-drive", f"file={system}/disk,format=raw,if=virtio,snapshot=on"),
        *("-drive", f"file={parts},format=raw,if=virtio,readonly=on"),
        *(
            "-drive",
            f"file.driver=nbd,file.server.type=unix,file.server.path={disk.address},format=raw,if=virtio",
        ),
        *("-serial", f"file:{console}", "-serial", f"file:{output}"),
    ]
    process = subprocess.Popen(
        command, env={"PATH": machine.PATH, "TMPDIR": "/var/tmp"}, stdin=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class _Reader:
    """The lines that the guest says for us, as words."""

    def __init__(self, process: subprocess.Popen[bytes], output: str, console: str) -> None:
        self.last = ""
        self._process = process
        self._paths = (console, output)
        self._deadline = time.monotonic() + LIFE_SECONDS
        self._read = 0
        self._lines: list[str] = []

    def next(self, deadline: float | None = None) -> list[str]:
        """Raises TimeoutError at the deadline, and Broken when something has failed, or nothing more comes."""
        while not self._lines:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError
            if self._process.poll() is not None or time.monotonic() > self._deadline:
                raise Broken("the machine is silent", self._said())
            time.sleep(0.02)
            self._fetch()
        self.last = self._lines.pop(0)
        words = self.last.split()
        if words[0] == "failed":
            time.sleep(0.5)  # the rest of what it says
            raise Broken(self._said())
        return words

    def rest(self) -> Iterator[list[str]]:
        self._fetch()
        for line in self._lines:
            self.last = line
            yield line.split()

    def _fetch(self) -> None:
        with contextlib.suppress(FileNotFoundError), open(self._paths[1], "rb") as file:
            file.seek(self._read)
            data, newline, _ = file.read().rpartition(b"\n")
            self._read += len(data) + len(newline)
            lines = data.decode(errors="replace").splitlines()
            self._lines += [line.removeprefix(_MARK) for line in lines if line.startswith(_MARK)]

    def _said(self) -> str:
        texts = []
        for path in self._paths:
            with contextlib.suppress(FileNotFoundError), open(path, errors="replace") as file:
                texts.append(file.read()[-6000:])
        return "\n".join(texts)


def _make_parts(work: str, system: str) -> str:
    """The disk with pod, the scripts, and a registry's content; and the initial RAM disk."""
    staged = os.path.join(work, "staged")
    machine.stage_tree(staged)
    shutil.copytree(images.image("busybox").layout.path, os.path.join(staged, "busybox"))
    for name, text in (("start", START), ("life", LIFE)):
        machine.write(os.path.join(staged, name), text)
    content = _push_apps(os.path.join(work, "pushing"))
    shutil.copytree(content, os.path.join(staged, "registry"))
    machine.write(
        os.path.join(staged, "registry.yml"),
        "version: 0.1\nlog:\n  accesslog:\n    disabled: true\n  level: error\nhttp:\n  addr: 127.0.0.1:5000\n"
        "storage:\n  filesystem:\n    rootdirectory: /mnt/work/registry\n  maintenance:\n    readonly:\n"
        "      enabled: true\n    uploadpurging:\n      enabled: false\n",
    )
    ramdisk.make_initrd(
        os.path.join(work, "initrd"),
        system,
        "/bin/bash /mnt/work/start $(cat /root/proc/cmdline)",
        prepare="until [ -b /dev/vdc ]; do :; done",
    )
    return machine.make_disk(staged, os.path.join(work, "parts"), "work", "1G")


def _push_apps(directory: str) -> str:
    """Images of three layers for the registry, one of which they share; the directory of its content."""
    layout = Layout(os.path.join(directory, "layout"))
    with Registry(os.path.join(directory, "registry")) as registry:
        for number in range(_APPS):
            layers = [
                layout.add_layer(
                    layer_tar([Entry(f"{name}/{n}", os.urandom(2000) * 10) for n in range(50)])
                )
                for name in (f"a{number}", f"b{number}")
            ]
            shared = layout.add_layer(images.busybox_layer())
            image = layout.add_image([shared, *layers], {"Cmd": ["sh"]}, name=str(number))
            registry.push(image, f"app{number}")
        return registry.content


if __name__ == "__main__":
    for life in lives(int(sys.argv[1]), int((sys.argv[2:] or ["0"])[0])):
        print(life, flush=True)
