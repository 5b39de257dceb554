"""A virtual machine like a laptop: systemd, a user session with delegated controllers, AppArmor, its own kernel.

    tests/support/as-user .venv/bin/python -m tests.vm.machine 'COMMAND...'

boots it, runs the command as the session's user with this checkout and its .venv at their usual path, prints what it
said and exits with its status. Everything is emulated (no /dev/kvm needed) and nothing needs root. The system is built
from packages once and kept in the cache of images.py; each run works on a copy that is thrown away.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from tests.support import images
from tests.support.engine import TREE
from tests.support.places import remove_tree
from tests.vm import ramdisk

PATH = ramdisk.PATH
BOOT_SECONDS = 5400  # of emulation, on a machine that does other things too; 500 are usual
BUILD_SECONDS = 900
TEST_SECONDS = BOOT_SECONDS + BUILD_SECONDS  # a test may be the first, and wait for all that
DISK = "4G"
_VERSION = 1
_MARK = "pod-vm: exit status "

PACKAGES = (
    "systemd,systemd-sysv,libpam-systemd,dbus-user-session,udev,linux-image-cloud-amd64,initramfs-tools,apparmor,"
    "uidmap,passt,slirp4netns,libseccomp2,python3,iproute2,procps,busybox-static,docker-registry,crun"
)

# Runs as the system's root at every boot, from the work disk; ends with the machine switched off, or rebooted when
# there is a script for after a reboot. What the first boot makes is there at the second, mounts included.
BOOT = """#!/bin/bash
exec >/dev/ttyS1 2>&1
. /mnt/work/plan
script=script
if [ -e /mnt/work/rebooted ]; then
    script=after-reboot
else
    useradd --create-home --uid "$NUMBER" --shell /bin/bash podtest
    mkdir -p "$TREE" /home/podtest/.cache/pod-tests
    chown podtest /home/podtest/.cache /home/podtest/.cache/pod-tests
    mount --bind /mnt/work/tree "$TREE"
    mount --bind /mnt/work/cache /home/podtest/.cache/pod-tests
    cat >> /etc/fstab <<END
/mnt/work/tree $TREE none bind 0 0
/mnt/work/cache /home/podtest/.cache/pod-tests none bind 0 0
END
    mkdir -p /etc/systemd/user.conf.d
    printf '[Manager]\\nDefaultTimeoutStartSec=900\\n' > /etc/systemd/user.conf.d/slow.conf
    [ -e /etc/hosts ] || echo "127.0.0.1 localhost laptop" > /etc/hosts
    mkdir -p "${STAGED%/*}" && ln -s /mnt/work "$STAGED"
fi
echo 'profile pod-test flags=(attach_disconnected) { file, capability, signal, deny /tmp/forbidden w, }' |
    apparmor_parser --replace
modprobe -a virtio_net overlay fuse tun
card=$(ls /sys/class/net | grep -v lo | head -n 1)
ip link set "$card" up && ip address add 10.0.2.15/24 dev "$card" && ip route add default via 10.0.2.2
# What only root may do, and tests need: swap space, and a clock that they set by "@SECONDS" (tests/e2e/test_clock.py).
if ! [ -e /swap ]; then
    fallocate -l 256M /swap && chmod 0600 /swap && mkswap -q /swap
fi
swapon /swap
mkfifo -m 0622 /run/pod-test-clock
while read -r when; do date --set "$when"; done <>/run/pod-test-clock >/dev/null &
loginctl enable-linger podtest
until [ -S "/run/user/$NUMBER/systemd/private" ]; do sleep 0.1; done
if [ -s /mnt/work/login ] && [ $script = script ]; then
    echo "pod-vm: login"
    runuser --login podtest -c "cd '$TREE' && bash /mnt/work/login"
    echo "pod-vm: logout $?"
fi
systemd-run --quiet --wait --pipe --user --machine podtest@.host --property Delegate=yes --property KillMode=process \\
    --working-directory "$TREE" bash /mnt/work/$script
status=$?
if [ $status$script = 0script ] && [ -s /mnt/work/after-reboot ]; then
    touch /mnt/work/rebooted
    systemctl reboot --no-block
    exit
fi
echo "pod-vm: exit status $status"
sync
poweroff -f
"""

# From the initial RAM disk, before systemd: the work disk, BOOT as a service, and none of what has no use in a machine
# that nobody sees and that lives for minutes. Each of these costs an emulated boot a tenth of a second to ten seconds,
# most of all the search for hardware, which is the virtual card alone.
_UNUSED_UNITS = (
    "systemd-udev-trigger.service serial-getty@ttyS0.service getty@tty1.service e2scrub_reap.service "
    "e2scrub_all.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer "
    "systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-random-seed.service "
    "systemd-pstore.service modprobe@.service dev-hugepages.mount sys-kernel-debug.mount "
    "sys-kernel-tracing.mount sys-kernel-config.mount proc-sys-fs-binfmt_misc.automount "
    "docker-registry.service"  # tests start their own
)
_UNUSED_GENERATORS = (
    "systemd-bless-boot systemd-cryptsetup systemd-debug systemd-getty systemd-gpt-auto "
    "systemd-hibernate-resume systemd-integritysetup systemd-rc-local systemd-run "
    "systemd-system-update systemd-sysv systemd-veritysetup"
)
_UNUSED_PROFILES = "lsb_release nvidia_modprobe"  # of AppArmor; that of passt is in force
PREPARE = f"""
cd /root/etc/systemd
mkdir -p system-generators system/multi-user.target.wants
for name in {_UNUSED_UNITS}; do ln -sf /dev/null system/$name; done
for name in {_UNUSED_GENERATORS}; do ln -sf /dev/null system-generators/$name-generator; done
for name in {_UNUSED_PROFILES}; do ln -sf ../$name /root/etc/apparmor.d/disable/; done
cat > system/pod-vm.service <<'END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=journal+console
ExecStart=/bin/bash /mnt/work/boot
END
ln -sf ../pod-vm.service system/multi-user.target.wants/
"""

DELEGATE = "[Service]\nDelegate=cpu cpuset io memory pids\n"


@dataclass(frozen=True)
class Outcome:
    status: int
    output: str


class Missing(Exception):
    """What keeps this host from running the machine, as a sentence."""


def check_host() -> None:
    """Raises Missing where the machine cannot be built or run."""
    if platform.machine() != "x86_64":
        raise Missing("the virtual machine is for x86_64 alone")
    for name in ("qemu-system-x86_64", "mmdebstrap", "mke2fs"):
        if shutil.which(name, path=PATH) is None:
            raise Missing(f"{name} is not installed: tests/support/machine.sh test")
    if not os.path.realpath(os.path.join(TREE, ".venv", "bin", "python")).startswith(
        "/usr/bin/python3"
    ):
        raise Missing(".venv was not made with the distribution's Python, which the machine has")


def run(
    script: str,
    *,
    copies: tuple[str, ...] = ("busybox",),
    seconds: float = BOOT_SECONDS,
    login: str = "",
    after_reboot: str = "",
    installed: bool = False,
) -> Outcome:
    """Run `script` with bash in the machine; `copies` are the images of images.py to bring along.

    With `installed`, pod is also installed by pip into an environment of the user's; its programs are in $PROGRAMS of
    /mnt/work/plan. `login` is a script that is run before it, after a login of the user, in a session that has no
    delegated cgroup. If `script` succeeds, the machine is then shut down and booted again to run `after_reboot`; the
    output has all of them, and the status is that of the last one.

    Raises RuntimeError when the machine ends without a status, with all that it printed.
    """
    system_directory = system()
    work = tempfile.mkdtemp(prefix="pod-vm.", dir="/var/tmp")
    try:
        scripts = {"script": script, "login": login, "after-reboot": after_reboot}
        disk = _work_disk(work, scripts, copies, installed=installed)
        console, output = os.path.join(work, "console"), os.path.join(work, "output")
        initrd = os.path.join(work, "initrd")
        ramdisk.make_initrd(initrd, system_directory, "/sbin/init", prepare=PREPARE)
        _boot(system_directory, initrd, disk, console, output, seconds, reboots=bool(after_reboot))
        with open(output, errors="replace", newline="") as file:
            text = file.read().replace("\r\n", "\n")
        before, mark, status = text.rpartition(_MARK)
        if not mark:
            with open(console, errors="replace") as file:
                raise RuntimeError(f"the machine ended early:\n{file.read()[-4000:]}\n{text}")
        return Outcome(int(status.split()[0]), before)
    finally:
        remove_tree(work)


# One processor: the run's machines share those of the host, and a second one costs an emulated system a fifth more time
# for nothing, and its steady clock. Page tables of five levels are one more level to walk.
QEMU = (
    *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,la57=off", "-smp", "1"),
    *("-nodefaults", "-display", "none"),
)
# A busy host lets the kernel wait long for its timer and its processors. It gives up then, or sends itself interrupts
# that cannot be masked to tell where it waits, which has kept it from going on at all; unless told not to look.
# Its defences against other processors' faults, its pages filled with zeroes ahead of time and its own tests of ciphers
# would only take time.
KERNEL = (
    "console=ttyS0 quiet panic=-1 no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1 "
    "mitigations=off init_on_alloc=0 cryptomgr.notests"
)


def _boot(
    system: str,
    initrd: str,
    disk: str,
    console: str,
    output: str,
    seconds: float,
    *,
    reboots: bool,
) -> None:
    command = [*QEMU, "-m", "2048"]
    if not reboots:
        command.append("-no-reboot")
    # A card with a default route, which pasta looks for; restricted, so that nothing gets out.
    command += ["-nic", "user,model=virtio-net-pci,restrict=on"]
    command += ["-kernel", f"{system}/vmlinuz", "-initrd", initrd]
    # The card keeps its name, which BOOT looks for while udev would change it.
    command += ["-append", f"{KERNEL} net.ifnames=0"]
    # snapshot: writes go to a temporary file, so that the system stays as it was built.
    command += ["-drive", f"file={system}/disk,format=raw,if=virtio,snapshot=on"]
    command += ["-drive", f"file={disk},format=raw,if=virtio"]
    command += ["-serial", f"file:{console}", "-serial", f"file:{output}"]
    environment = {"PATH": PATH, "TMPDIR": "/var/tmp"}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return  # run() shows what the machine said until then
    finally:
        process.kill()
        process.communicate()
    if process.returncode:
        raise RuntimeError(f"qemu ended with {process.returncode}:\n{errors}")


def _work_disk(
    work: str, scripts: dict[str, str], copies: tuple[str, ...], *, installed: bool
) -> str:
    """A disk with the checkout, .venv, images and what to run."""
    staged = os.path.join(work, "staged")
    stage_tree(staged, _BROUGHT)
    if installed:
        _install(os.path.join(staged, "tree"), os.path.join(staged, "venv"))
    else:
        _compile_tests(os.path.join(staged, "tree"))
    os.mkdir(os.path.join(staged, "cache"))
    for name in copies:
        path = images.image(name).layout.path
        subprocess.run(["cp", "-R", path, os.path.join(staged, "cache")], check=True)
    write(os.path.join(staged, "boot"), BOOT)
    for name, script in scripts.items():
        write(os.path.join(staged, name), script and script + "\n")
    return make_disk(staged, os.path.join(work, "disk"), "work")


def user_number() -> int:
    """The id of the machine's user: ours, so that files on its disks are theirs."""
    return os.getuid() or 1000


_BROUGHT = tuple("pod storage netns conf man tests pyproject.toml README.md .venv".split())
# What tests/vm does not run in the machine, and what takes long to import there.
_NOT_BROUGHT = shutil.ignore_patterns(
    *("mypy*", "*__mypyc*", "ruff*", "kubernetes_validate*", "virtualenv*", "tools"),
    *("hypothesis*", "_hypothesis*", "xdist", "pytest_xdist*"),
)


def stage_tree(staged: str, names: tuple[str, ...] = (".venv",)) -> None:
    """Make the directory `staged` with these parts of this checkout, and what the machine's scripts must know."""
    tree = os.path.join(staged, "tree")
    os.makedirs(tree)
    for name in names:
        path, copy = os.path.join(TREE, name), os.path.join(tree, name)
        if os.path.isdir(path):
            shutil.copytree(path, copy, symlinks=True, ignore=_NOT_BROUGHT)
        elif os.path.exists(path):
            shutil.copy2(path, copy)
    plan = {
        "TREE": TREE,
        "NUMBER": user_number(),
        "STAGED": staged,
        "PROGRAMS": f"{staged}/venv/bin",
    }
    write(os.path.join(staged, "plan"), "".join(f"{key}='{it}'\n" for key, it in plan.items()))


def _compile_tests(tree: str) -> None:
    """Leave bytecode of the tests that the machine collects, as pytest writes it, which takes long there."""
    command = [os.path.join(TREE, ".venv", "bin", "python"), "-m", "pytest", "-q", "--collect-only"]
    command += ["-p", "no:cacheprovider", *tests_with("needs_kernel|needs_login", tree)]
    environment = {"PATH": PATH, "HOME": os.path.expanduser("~"), "LANG": "C.UTF-8"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the tests for the machine cannot be collected:\n{done.stdout}")


def tests_with(marker: str, tree: str = TREE) -> list[str]:
    """The files of tests with one of these markers, below `tree`; to collect all takes minutes in the machine."""
    found = subprocess.run(
        [
            "grep",
            "-lrE",
            "--include=test_*.py",
            f"mark\\.({marker})",
            "tests/e2e",
            "tests/integration",
        ],
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(found.stdout.split())


def _install(tree: str, venv: str) -> None:
    """Do what the README says: an environment, and pip. It works where it was made: the machine has a link there."""
    subprocess.run(["/usr/bin/python3", "-m", "venv", venv], check=True)
    wheels = f"{venv}.wheels"
    pip = ("-m", "pip", "-q", "--disable-pip-version-check")
    # Built with what .venv has, so that no compiler of wheels has to be fetched.
    build = ("wheel", "--no-deps", "--no-build-isolation", "-w", wheels, tree)
    subprocess.run([os.path.join(TREE, ".venv", "bin", "python"), *pip, *build], check=True)
    (wheel,) = os.listdir(wheels)
    subprocess.run([f"{venv}/bin/python", *pip, "install", f"{wheels}/{wheel}"], check=True)
    shutil.rmtree(wheels)


def system() -> str:
    """The directory with disk and kernel; built when it is not in the cache."""
    path = os.path.join(images.cache_directory(), f"vm-{_VERSION}")
    with images.Lock("vm.lock"):
        if not os.path.exists(path):
            check_host()
            _build_system(path)
    return path


def _build_system(path: str) -> None:
    print("vm: building the system, which takes two minutes", file=sys.stderr, flush=True)
    work = tempfile.mkdtemp(prefix="pod-vm.", dir="/var/tmp")
    try:
        building = os.path.join(work, "built")
        os.mkdir(building)
        tar = os.path.join(work, "system.tar")
        images.debian_system(work, tar, PACKAGES)
        from pod.linux import idmap

        idmap.run_inside(lambda: _unpack_system(work, tar, building), what="making the disk")
        moved = f"{path}.{os.getpid()}"
        shutil.move(building, moved)  # copies, where the cache is on another file system
        os.rename(moved, path)
    finally:
        remove_tree(work)


def _unpack_system(work: str, tar: str, building: str) -> None:
    """As root of a user namespace: owners come out right, and mke2fs reads them."""
    root = os.path.join(work, "root")
    os.mkdir(root)
    subprocess.run(
        ["tar", "-x", "-p", "--numeric-owner", "--exclude=./dev/*", "-f", tar, "-C", root],
        check=True,
    )
    for name, text in (
        ("etc/systemd/system/user@.service.d/delegate.conf", DELEGATE),
        ("etc/fstab", ""),
        ("etc/hostname", "laptop\n"),
    ):
        os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
        write(os.path.join(root, name), text)
    os.makedirs(os.path.join(root, "mnt/work"))
    boot = os.path.join(root, "boot")
    (kernel,) = [entry for entry in os.listdir(boot) if entry.startswith("vmlinuz-")]
    shutil.copyfile(os.path.join(boot, kernel), os.path.join(building, "vmlinuz"))
    make_disk(root, os.path.join(building, "disk"), "system")
    shutil.rmtree(root)


def make_disk(directory: str, path: str, label: str, size: str = DISK) -> str:
    """A file system with the content of a directory, in a new file; its path."""
    command = ["mke2fs", "-q", "-t", "ext4", "-L", label, "-d", directory, path, size]
    subprocess.run(command, check=True, env={"PATH": PATH})
    return path


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    outcome = run(" ".join(sys.argv[1:]))
    print(outcome.output, end="")
    sys.exit(outcome.status)
