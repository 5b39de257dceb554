"""OCI runtimes as programs: ours and crun, with bundles of busybox that tests may change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from pod.linux import idmap
from pod.runtime.command import features
from tests.support.engine import TREE
from tests.support.waiting import PATIENCE, until

TIMEOUT_SECONDS = 30
_OURS = [os.path.join(TREE, ".venv", "bin", "pod-runtime")]


class Runtime:
    """A program with a state directory of its own; `work` is for bundles."""

    def __init__(self, kind: str, root: str, work: str) -> None:
        self.kind = kind
        self.work = work
        self.log = os.path.join(work, "log")
        command = _OURS if kind == "pod-runtime" else [shutil.which(kind) or kind]
        if kind == "crun":
            command = [*command, "--cgroup-manager=disabled"]
        self.command = [*command, "--root", root]
        self.made: set[str] = set()

    def __call__(
        self,
        *words: str,
        status: int | None = 0,
        env: Mapping[str, str] | None = None,
        fd_3: int | None = None,
        stdin: str | None = None,
        options: tuple[str, ...] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; AssertionError unless its exit status is `status` (None: any). `fd_3` is its descriptor 3."""
        out, err = os.path.join(self.work, "out"), os.path.join(self.work, "err")
        # Files, not pipes: a container keeps its streams open when `create` has ended.
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            done = subprocess.run(
                [*self.command, *options, *words],
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **(env or {})},
                pass_fds=() if fd_3 is None else (3,),
                preexec_fn=None if fd_3 is None else lambda: (os.dup2(fd_3, 3), None)[1],
                timeout=TIMEOUT_SECONDS * PATIENCE,
                check=False,
                input=(stdin or "").encode(),
            )
        texts = (_read(out), _read(err))
        result = subprocess.CompletedProcess(done.args, done.returncode, *texts)
        assert status is None or result.returncode == status, result
        return result

    def bundle(self, *arguments: str, root: str, **changes: Any) -> str:
        """A directory with config.json for a command on a copy of the root file system `root`; see `edit`."""
        directory = os.path.join(self.work, f"b{len(os.listdir(self.work))}")
        os.mkdir(directory)
        shutil.copytree(root, os.path.join(directory, "rootfs"), symlinks=True)
        document = features.template(rootless=True)
        document["ociVersion"] = "1.0.2"  # what crun 1.8 and podman 4.3 know
        document["root"]["readonly"] = False
        document["process"] |= {"args": list(arguments), "terminal": False}
        document["process"]["env"] = ["PATH=/bin"]
        uids, gids = idmap.default_maps()
        document["linux"]["uidMappings"] = _mappings(uids)
        document["linux"]["gidMappings"] = _mappings(gids)
        _merge(document, changes)
        with open(os.path.join(directory, "config.json"), "w") as file:
            json.dump(document, file)
        return directory

    def create(self, name: str, bundle: str, *options: str, **given: Any) -> None:
        self.made.add(name)
        self("create", "--bundle", bundle, *options, name, **given)

    def state(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self("state", name).stdout)
        return document

    def until_status(self, name: str, status: str) -> None:
        until(lambda: self.state(name)["status"] == status, f"{name} {status}")

    def clean(self) -> None:
        for name in self.made:
            # Without a cgroup, crun's `delete --force` leaves what runs.
            self("kill", name, "KILL", status=None)
            self("delete", "--force", name, status=None)


def _merge(document: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Objects are merged, everything else is replaced; None removes."""
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(document.get(name), dict):
            _merge(document[name], value)
        elif value is None:
            document.pop(name, None)
        else:
            document[name] = value


def _mappings(extents: Any) -> list[dict[str, int]]:
    return [
        {"containerID": inside, "hostID": outside, "size": count}
        for inside, outside, count in extents
    ]


def _read(path: str) -> str:
    with open(path, errors="replace") as file:
        return file.read()
