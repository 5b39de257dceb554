"""What a config.json may look like, and which sentence names what is wrong with it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.runtime.command import bundles, features, shape


def document() -> dict[str, Any]:
    return json.loads(json.dumps(features.template(rootless=True)))  # type: ignore[no-any-return]


def read(changed: Any, directory: str) -> dict[str, Any]:
    with open(f"{directory}/config.json", "w") as file:
        json.dump(changed, file)
    return bundles.read_config(directory)


@pytest.fixture
def bundle(tmp_path: Any) -> str:
    (tmp_path / "rootfs").mkdir()
    return str(tmp_path)


def test_template_is_a_valid_configuration(bundle: str) -> None:
    config = read(document(), bundle)
    assert config["root"]["path"] == f"{bundle}/rootfs"


def test_unknown_names_are_left_out(bundle: str) -> None:
    changed = document()
    changed["vm"] = {"hypervisor": 3}
    changed["mounts"][0]["pod_subpath"] = "/etc"
    config = read(changed, bundle)
    assert "vm" not in config
    assert "pod_subpath" not in config["mounts"][0]


def test_null_is_absent(bundle: str) -> None:
    changed = document()
    changed["hooks"] = None
    changed["linux"]["seccomp"] = None
    assert "hooks" not in read(changed, bundle)


@pytest.mark.parametrize(
    "place, value, sentence",
    [
        (("process", "args"), [], "'process.args' is empty"),
        (("process", "args"), "sh", "'process.args' is 'sh', and must be a list"),
        (("process", "args"), ["a\0b"], "'process.args[0]' has a NUL byte in it"),
        (("process", "args"), ["\ud800"], "'process.args[0]' is not text"),
        (("process", "cwd"), "x", "'process.cwd' is 'x', and must be an absolute path"),
        (("process", "cwd"), None, "'process.cwd' is missing"),
        (("process", "env"), ["A"], "'process.env' has 'A', which is not NAME=VALUE"),
        (("process", "terminal"), 1, "'process.terminal' is 1, and must be true or false"),
        (("process", "user", "uid"), True, "'process.user.uid' is True, and must be from 0"),
        (
            ("process", "user", "uid"),
            1e400,
            "'process.user.uid' is inf, and must be a whole number",
        ),
        (("process", "oomScoreAdj"), 5000, "'process.oomScoreAdj' is 5000, and must be from -1000"),
        (("process", "rlimits"), [{"type": "RLIMIT_CPU"}], "'soft' is missing"),
        (
            ("process", "rlimits"),
            [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}],
            "'process.rlimits[0]' has a soft limit above the hard one",
        ),
        (("process", "scheduler"), {"policy": "X"}, "'process.scheduler.policy' is 'X'"),
        (("process", "selinuxLabel"), "a:b", "SELinux label 'a:b' cannot be applied"),
        (("root",), {}, "'root.path' is missing"),
        (("root", "path"), "nowhere", "/nowhere' does not exist or is no directory"),
        (("ociVersion",), "2.0", "version '2.0' of the specification is not known"),
        (("linux",), None, "'linux' is missing"),
        (("linux", "namespaces"), [], "without a mount namespace of its own is not supported"),
        (("linux", "namespaces"), [{"type": "x"}], "'linux.namespaces[0].type' is 'x'"),
        (("linux", "namespaces"), [{"type": "mount"}] * 2, "has a kind twice"),
        (("linux", "uidMappings"), [], "'linux.uidMappings' or 'linux.gidMappings' is missing"),
        (("linux", "seccomp"), {}, "'defaultAction' is missing"),
        (
            ("linux", "seccomp"),
            {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s"},
            "seccomp's notification of another program (listenerPath, SCMP_ACT_NOTIFY) is not",
        ),
        (("linux", "seccomp"), {"defaultAction": "SCMP_ACT_NOTIFY"}, "is not supported"),
        (
            ("linux", "seccomp"),
            {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["X"]},
            "seccomp flag 'X' is not supported",
        ),
        (("linux", "intelRdt"), {"closID": "x"}, "'linux.intelRdt' is not supported"),
        (("linux", "timeOffsets"), {"boottime": {}}, "'linux.timeOffsets' needs a time namespace"),
        (("linux", "sysctl"), {"../x": "1"}, "'linux.sysctl' has '../x'"),
        (("linux", "rootfsPropagation"), "x", "'linux.rootfsPropagation' is 'x'"),
        (("hostname",), "x" * 65, "no more than 64 bytes"),
        (("mounts",), [{"type": "tmpfs"}], "'destination' is missing"),
        (("mounts",), [{"destination": "/a"}], "'mounts[0].type' is missing"),
        (("mounts",), [{"destination": "/a", "type": "bind"}], "'mounts[0].source' is missing"),
        (
            ("mounts",),
            [{"destination": "/a", "source": "/", "options": ["bind", "idmap"]}],
            "the id-mapped mount on '/a' is not supported",
        ),
        (("hooks",), {"poststop": [{}]}, "'hooks.poststop[0].path' is missing"),
        (("hooks",), {"poststop": [{"path": "/a", "timeout": 0}]}, "'hooks.poststop[0].timeout'"),
    ],
)
def test_what_is_wrong_is_named(
    bundle: str, place: tuple[str, ...], value: object, sentence: str
) -> None:
    changed = document()
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(PodError) as caught:
        read(changed, bundle)
    assert sentence in caught.value.message


@pytest.mark.parametrize(
    "text, sentence",
    [
        (b"", "is not JSON"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"\xff", "is not JSON"),
        (b"[]", "the document is [], and must be an object"),
        (b"{}", "'ociVersion' is missing"),
    ],
)
def test_file_that_is_no_configuration(bundle: str, text: bytes, sentence: str) -> None:
    with open(f"{bundle}/config.json", "wb") as file:
        file.write(text)
    with pytest.raises(PodError) as caught:
        bundles.read_config(bundle)
    assert sentence in caught.value.message


def _places(value: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = [()]
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in entries:
        found.append((name,))
        if isinstance(inner, dict | list):
            found += [(name, *rest) for rest in _places(inner) if rest]
    return [place for place in found if place]


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_junk_anywhere_is_refused_or_fine(data: st.DataObject) -> None:
    changed = document()
    changed["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["a"], "action": "b"}],
    }
    changed["linux"]["resources"] = {
        "memory": {"limit": 1},
        "unified": {"a": "b"},
        "rdma": {"c": {}},
    }
    changed["linux"]["devices"] = [{"type": "c", "path": "/dev/null", "major": 1, "minor": 3}]
    changed["hooks"] = {"prestart": [{"path": "/x"}]}
    place = data.draw(st.sampled_from(_places(changed)))
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = data.draw(_JUNK)
    changed["root"] = {"path": "/"}
    checked = copy.deepcopy(changed)
    try:
        config = shape.checked(checked, shape.CONFIG, "")
        shape.require(config, "process.cwd", "process.args", "process.user", "linux")
        bundles.complete(config, "/")
        bundles.runtime_bundle("a", config, directory="/d", cgroup="", keyring=True, keep_fds=[])
    except PodError as error:
        assert error.message
