"""The first program of a virtual machine: an initial RAM disk with nothing but busybox and the driver of its disks.

The distribution's own brings udev and drivers for all machines, and takes longer to unpack and run than what follows.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.support import images

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
)

_INIT = f"""#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for name in {" ".join(_MODULES)}; do insmod /$name.ko 2>/dev/null; done
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do :; done
mount -t ext4 /dev/vda /root
mount -t ext4 /dev/vdb /root/mnt/work
"""
_MOVE = "for name in dev proc sys; do mount -o move /$name /root/$name; done\n"


def make_initrd(path: str, system: str, first: str, *, prepare: str = "") -> None:
    """Write it to `path`, with drivers of the directory `system`.

    It mounts the system at /root and the work disk below that, runs the lines `prepare`, and becomes `first`.
    """
    root = f"{path}.d"
    for name in ("bin", "dev", "proc", "sys", "root"):
        os.makedirs(os.path.join(root, name))
    shutil.copy(images.busybox_program(), os.path.join(root, "bin", "busybox"))
    for name in ("sh", "mount", "insmod", "switch_root", "cat", "mkdir", "ln"):
        os.symlink("busybox", os.path.join(root, "bin", name))
    with open(os.path.join(root, "init"), "w") as file:
        file.write(f"{_INIT}{prepare}\n{_MOVE}exec switch_root /root {first}\n")
    os.chmod(os.path.join(root, "init"), 0o755)
    _copy_modules(f"{system}/disk", root)
    names = "".join(
        os.path.relpath(os.path.join(top, name), root) + "\n"
        for top, directories, files in os.walk(root)
        for name in (*directories, *files)
    )
    with open(path, "wb") as archive:
        subprocess.run(
            [images.busybox_program(), "cpio", "-o", "-H", "newc"],
            input=names.encode(),
            stdout=archive,
            stderr=subprocess.DEVNULL,
            cwd=root,
            check=True,
        )


def _copy_modules(disk: str, root: str) -> None:
    listed = _debugfs(disk, "ls -p /lib/modules").splitlines()
    (kernel,) = [
        line.split("/")[5]
        for line in listed
        if line.count("/") > 5 and "." in line.split("/")[5].strip(".")
    ]
    modules = f"/lib/modules/{kernel}"
    for line in _debugfs(disk, f"cat {modules}/modules.dep").splitlines():
        path = line.partition(":")[0]
        name = os.path.basename(path).removesuffix(".ko")
        if name in _MODULES:
            _debugfs(disk, f"dump {modules}/{path} {root}/{name}.ko")


def _debugfs(disk: str, request: str) -> str:
    done = subprocess.run(
        ["debugfs", "-R", request, disk],
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
