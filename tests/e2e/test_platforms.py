"""Images of other platforms: which of a list is chosen, and what becomes of programs for other processors."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support import images
from tests.support.engine import Engine
from tests.support.layout import Entry, Layout, directory, layer_tar
from tests.support.registry import Registry

INSECURE = "--tls-verify=false"
# A program for 64-bit ARM: the whole header of an ELF file, and nothing behind it.
FOREIGN = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00\x01\x00\x00\x00" + bytes(40)
VARIANTS = {
    "linux/amd64": ("amd64", None),
    "linux/arm/v6": ("arm", "v6"),
    "linux/arm/v7": ("arm", "v7"),
    "linux/arm64/v8": ("arm64", "v8"),
}


@pytest.fixture(scope="module")
def several(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A list whose images all run here, and say which platform they claim to be for."""
    layout = Layout(str(tmp_path_factory.mktemp("several")))
    busybox = images.image("busybox")
    made = [
        busybox.copy(
            layout,
            architecture=architecture,
            variant=variant,
            config={"Cmd": ["/bin/echo", name], "Env": ["PATH=/bin"]},
        )
        for name, (architecture, variant) in VARIANTS.items()
    ]
    registry.push_index(made[0], layout.add_index(made), "me/platforms")
    return f"{registry.host}/me/platforms"


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([], "linux/amd64"),
        (["--platform", "linux/arm64"], "linux/arm64/v8"),
        (["--platform", "linux/arm64/v8"], "linux/arm64/v8"),
        (["--platform", "linux/arm/v6"], "linux/arm/v6"),
        (["--arch", "arm64"], "linux/arm64/v8"),
        (["--arch", "arm", "--variant", "v6"], "linux/arm/v6"),
        (["--arch", "arm", "--variant", "v7", "--os", "linux"], "linux/arm/v7"),
        (["--os", "linux"], "linux/amd64"),
    ],
)
def test_chosen_for_run(pod: Engine, several: str, options: list[str], chosen: str) -> None:
    done = pod("run", "--rm", "-q", "--network", "none", INSECURE, *options, several)
    assert done.lines[-1] == chosen


def test_chosen_for_create(pod: Engine, several: str) -> None:
    pod("create", "-q", "--name", "one", INSECURE, "--arch", "arm", "--variant", "v7", several)
    number = pod("inspect", "--format", "{{.Image}}", "one").out
    assert pod("image", "inspect", "--format", "{{.Architecture}}", number).out == "arm"
    assert pod("start", "-a", "one").out == "linux/arm/v7"


def test_none_for_the_platform(pod: Engine, several: str) -> None:
    refused = pod("pull", "-q", INSECURE, "--platform", "linux/s390x", several, status=125)
    if pod.kind == "pod":
        assert "has no image for linux/s390x; it has linux/amd64, linux/arm/v6" in refused.stderr
    pod("run", "--rm", INSECURE, "--os", "windows", several, status=125)
    pod("create", "--platform", "linux/amd64", "--arch", "amd64", several, status=125)


@pytest.mark.not_podman("only docker has --platform here")
def test_one_image_of_a_list(pod: Engine, several: str, registry: Registry, tmp_path: Path) -> None:
    """`--platform` of commands about images that are here."""
    pod("pull", "-q", INSECURE, "--all-platforms", several)
    arm = ("--platform", "linux/arm/v7")
    (found,) = pod("image", "inspect", *arm, several).json()
    assert (found["Architecture"], found["Variant"]) == ("arm", "v7")
    identity = found["Id"]
    assert pod("history", "-q", "--no-trunc", *arm, several).lines[0] == identity
    archive = tmp_path / "one.tar"
    pod("save", "-q", *arm, "-o", str(archive), several)
    name = f"{registry.host}/me/alone:1"
    pod("push", "-q", INSECURE, *arm, several, name)
    pod("rmi", several)
    pod("load", "-q", "-i", str(archive))
    assert pod("image", "inspect", "--format", "{{.Id}}", several).out == identity
    pod("rmi", several)
    pod("pull", "-q", INSECURE, *arm, name)
    assert pod("image", "inspect", "--format", "{{.Id}}", *arm, name).out == identity
    for words in (["history"], ["image", "inspect"], ["save"], ["push"]):
        refused = pod(*words, "--platform", "linux/s390x", name, status=125)
        assert "is here for linux/arm/v7, not for linux/s390x" in refused.stderr
    pod("rmi", name)


@pytest.mark.not_podman("does not read the variable")
def test_platform_of_the_environment(pod: Engine, several: str) -> None:
    done = pod("run", "--rm", "-q", "--network", "none", INSECURE, several,
               env={"DOCKER_DEFAULT_PLATFORM": "linux/arm/v7"})  # fmt: skip
    assert done.out == "linux/arm/v7"


@pytest.fixture
def foreign(pod: Engine, tmp_path: Path) -> str:
    """An image with a shell for this machine and a program for another one."""
    layout = Layout(str(tmp_path / "layout"))
    program = layer_tar([directory("opt"), Entry("opt/program", FOREIGN, mode=0o755)])
    image = layout.add_image(
        [layout.add_layer(images.busybox_layer()), layout.add_layer(program)],
        {"Cmd": ["/opt/program", "a", "b"], "Env": ["PATH=/bin"]},
        architecture="arm64",
    )
    pod(
        "load",
        "-q",
        "-i",
        image.oci_archive(str(tmp_path / "foreign.tar"), "localhost/foreign:latest"),
    )
    return "localhost/foreign"


def test_program_for_another_processor(pod: Engine, foreign: str) -> None:
    """Nothing here can run it, and the message says what can."""
    alone = pod("run", "--rm", "--network", "none", foreign, status=None)
    pod("run", "-d", "--name", "one", "--network", "none", foreign, "sleep", "1000")
    inside = pod("exec", "one", "/opt/program", status=None)
    pod("rm", "-f", "-t", "0", "one")
    if pod.kind != "pod":
        return
    for result in (alone, inside):
        assert result.status == 126
        assert "'/opt/program' is a program for arm64, and this machine" in result.stderr
        assert "install qemu-user-static" in result.stderr


@pytest.mark.not_podman("its unshare keeps a pause process, and its message is the runtime's")
@pytest.mark.parametrize("flags", ["F", ""], ids=["opened-when-registered", "by-path"])
def test_emulator_of_the_host(pod: Engine, foreign: str, tmp_path: Path, flags: str) -> None:
    """An emulator that is registered runs such programs: here busybox' echo, which shows how it is called."""
    emulator = tmp_path / "echo"
    shutil.copy(images.busybox_program(), emulator)
    where = "/proc/sys/fs/binfmt_misc"
    rule = rf":test:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00::{emulator}:{flags}"
    script = f"""
        mount -t binfmt_misc none {where} || exit 99
        echo {shlex.quote(rule)} > {where}/register || exit 98
        exec {shlex.join(pod.full_command("run", "--rm", "--network", "none", foreign))}
    """
    result = pod("unshare", "sh", "-c", script, status=None)
    if result.status == 99:
        release = tuple(int(part) for part in os.uname().release.split(".")[:2])
        assert release < (6, 7), "from 6.7 on, each user namespace can have handlers of its own"
    elif flags:
        assert (result.status, result.out) == (0, "/opt/program a b"), result
    else:
        assert result.status == 126
        assert "the emulator for it is not in the container" in result.stderr
