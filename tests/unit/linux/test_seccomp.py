from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pod.base.errors import PodError
from pod.linux import seccomp
from pod.spec import defaults
from tests.unit.linux import bpf
from tests.unit.linux.bpf import ALLOW, decide, errno

OURS = os.path.join(os.path.dirname(__file__), "../../../conf/seccomp.json")
DISTRIBUTION = "/usr/share/containers/seccomp.json"
DEFAULT = set(defaults.CAPABILITIES)
EVERYTHING = DEFAULT | {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_SYS_MODULE"}
EPERM, ENOSYS = 1, 38
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000

pytestmark = pytest.mark.skipif(
    os.uname().machine not in bpf.ARCHITECTURES, reason="allowed: no emulator for this processor"
)


@pytest.fixture(scope="module", params=["ours", "distribution"])
def profile(request: pytest.FixtureRequest) -> dict[str, Any]:
    path = OURS if request.param == "ours" else DISTRIBUTION
    if not os.path.exists(path):
        pytest.skip("allowed: this distribution ships no profile")
    with open(path) as file:
        loaded: dict[str, Any] = json.load(file)
        return loaded


def our_profile() -> dict[str, Any]:
    with open(OURS) as file:
        loaded: dict[str, Any] = json.load(file)
        return loaded


def compiled(rules: list[dict[str, Any]], capabilities: set[str] = DEFAULT, **more: Any) -> bytes:
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules, **more}
    return seccomp.compile_profile(profile, capabilities, "test")


def rule(*names: str, **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", **more}


@pytest.mark.parametrize(
    "call",
    "read write openat execve clone futex mmap socket bind connect accept4 kill setuid setgroups capset chown "
    "prctl seccomp epoll_wait getrandom statx faccessat2 rseq wait4 pipe2 dup3 umask fchmodat".split(),
)
def test_default_profiles_allow_what_programs_need(profile: dict[str, Any], call: str) -> None:
    program = seccomp.compile_profile(profile, DEFAULT, "test")
    assert decide(program, call) == ALLOW


@pytest.mark.parametrize(
    "call",
    "bpf init_module finit_module delete_module kexec_load swapon swapoff settimeofday clock_settime quotactl acct "
    "lookup_dcookie open_by_handle_at perf_event_open userfaultfd nfsservctl vhangup".split(),
)
def test_default_profiles_refuse_what_takes_privileges(profile: dict[str, Any], call: str) -> None:
    program = seccomp.compile_profile(profile, DEFAULT, "test")
    assert decide(program, call) in {errno(EPERM), errno(ENOSYS)}


@pytest.mark.parametrize(
    "call",
    "mount umount2 pivot_root setns unshare reboot fsopen fsmount move_mount open_tree mount_setattr clone3".split(),
)
def test_our_profile_also_refuses_what_containers_in_containers_need(call: str) -> None:
    """The distributions' leave it to the kernel. clone3 gets ENOSYS, so that clone is tried, whose flags are seen."""
    program = seccomp.compile_profile(our_profile(), DEFAULT, "test")
    assert decide(program, call) == errno(ENOSYS if call == "clone3" else EPERM)


@pytest.mark.parametrize("call", ["mount", "umount2", "setns", "unshare", "bpf", "clone3"])
def test_capabilities_open_what_they_are_about(profile: dict[str, Any], call: str) -> None:
    program = seccomp.compile_profile(profile, EVERYTHING, "test")
    assert decide(program, call) == ALLOW


@pytest.mark.parametrize("flags", [CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNS | 0x11])
def test_our_profile_refuses_namespaces_to_clone(flags: int) -> None:
    profile = our_profile()
    program = seccomp.compile_profile(profile, DEFAULT, "test")
    assert decide(program, "clone", [0x11]) == ALLOW
    assert decide(program, "clone", [flags]) != ALLOW
    assert decide(seccomp.compile_profile(profile, EVERYTHING, "test"), "clone", [flags]) == ALLOW


def test_default_profiles_filter_programs_of_32_bits_too(profile: dict[str, Any]) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("allowed: only x86_64 runs programs of another width here")
    program = seccomp.compile_profile(profile, DEFAULT, "test")
    assert decide(program, 3, architecture=bpf.X86) == ALLOW  # read
    assert decide(program, 128, architecture=bpf.X86) != ALLOW  # init_module
    assert decide(program, 0x40000000 | 175) != ALLOW  # init_module of x32


def test_an_unknown_processor_is_refused() -> None:
    program = compiled([rule("read")])
    assert decide(program, 0, architecture=0x12345678) == errno(EPERM)


def test_a_new_call_gets_the_default() -> None:
    assert decide(compiled([rule("read")], defaultErrnoRet=ENOSYS), 9999) == errno(ENOSYS)


def test_unknown_names_are_passed_over() -> None:
    assert decide(compiled([rule("call_of_the_year_2100", "read")]), "read") == ALLOW


def test_the_same_rule_twice_is_one() -> None:
    assert decide(compiled([rule("read"), rule("read", "write")]), "read") == ALLOW


def test_a_rule_that_is_the_default_changes_nothing() -> None:
    program = compiled([rule("read", action="SCMP_ACT_ERRNO", errnoRet=EPERM), rule("write")])
    assert (decide(program, "read"), decide(program, "write")) == (errno(EPERM), ALLOW)


@pytest.mark.parametrize(
    ("number", "expected"), [(None, errno(EPERM)), (38, errno(38)), (0, errno(0))]
)
def test_errors_have_their_number(number: int | None, expected: int) -> None:
    program = compiled(
        [rule("read", action="SCMP_ACT_ERRNO", errnoRet=number)], defaultAction="SCMP_ACT_ALLOW"
    )
    assert decide(program, "read") == expected


@pytest.mark.parametrize(
    ("operator", "value", "two", "yes", "no"),
    [
        ("SCMP_CMP_EQ", 5, None, [5], [4, 6, 5 + 2**32]),
        ("SCMP_CMP_NE", 5, None, [4, 6], [5]),
        ("SCMP_CMP_LT", 5, None, [0, 4], [5, 6]),
        ("SCMP_CMP_LE", 5, None, [4, 5], [6, 2**63]),
        ("SCMP_CMP_GE", 5, None, [5, 2**63], [4]),
        ("SCMP_CMP_GT", 5, None, [6], [5, 0]),
        ("SCMP_CMP_MASKED_EQ", 0xF0, 0x10, [0x10, 0x1F], [0x20, 0x30]),
        ("SCMP_CMP_EQ", 2**64 - 1, None, [-1], [0, 2**32 - 1]),
    ],
)
def test_conditions_compare_the_argument(
    operator: str, value: int, two: int | None, yes: list[int], no: list[int]
) -> None:
    condition = {"index": 1, "value": value, "op": operator}
    if two is not None:
        condition["valueTwo"] = two
    program = compiled([rule("prctl", args=[condition])])
    assert [decide(program, "prctl", [9, value]) for value in yes] == [ALLOW] * len(yes)
    assert [decide(program, "prctl", [9, value]) for value in no] == [errno(EPERM)] * len(no)


def test_conditions_on_several_arguments_must_all_hold() -> None:
    args = [{"index": n, "value": n + 1, "op": "SCMP_CMP_EQ"} for n in (0, 1)]
    program = compiled([rule("prctl", args=args)])
    assert decide(program, "prctl", [1, 2]) == ALLOW
    assert decide(program, "prctl", [1, 3]) == decide(program, "prctl", [0, 2]) == errno(EPERM)


def test_conditions_on_one_argument_are_alternatives() -> None:
    args = [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in (1, 5)]
    program = compiled([rule("prctl", args=args)])
    found = [decide(program, "prctl", [value]) for value in (1, 5, 3)]
    assert found == [ALLOW, ALLOW, errno(EPERM)]


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({"includes": {"caps": ["CAP_CHOWN"]}}, True),
        ({"includes": {"caps": ["CAP_CHOWN", "CAP_SYS_ADMIN"]}}, False),
        ({"excludes": {"caps": ["CAP_SYS_ADMIN"]}}, True),
        ({"excludes": {"caps": ["CAP_CHOWN"]}}, False),
        ({"includes": {"arches": ["amd64", "arm64"]}}, True),
        ({"includes": {"arches": ["s390x"]}}, False),
        ({"excludes": {"arches": ["amd64", "arm64"]}}, False),
        ({"includes": {"minKernel": "4.8"}}, True),
        ({"includes": {"minKernel": "999.0"}}, False),
        ({"excludes": {"minKernel": "4.8"}}, False),
        ({"excludes": {"minKernel": "999.0"}}, True),
        ({"includes": {}, "excludes": {}}, True),
        ({"includes": None}, True),
    ],
)
def test_rules_apply_where_their_conditions_say(condition: dict[str, Any], applies: bool) -> None:
    program = compiled([rule("read", **condition)])
    assert (decide(program, "read") == ALLOW) is applies


@pytest.mark.parametrize(
    ("release", "newer"),
    [
        ("6.1.0-18-amd64", True),
        ("5.10", False),
        ("6.0-rc1", True),
        ("5.4.0", False),
        ("6.18+", True),
        ("5.15.0-91-generic", False),
        ("7", True),
    ],
)
def test_any_kernel_release_can_be_compared(
    monkeypatch: pytest.MonkeyPatch, release: str, newer: bool
) -> None:
    real = os.uname()
    fake = os.uname_result((real.sysname, real.nodename, release, real.version, real.machine))
    monkeypatch.setattr(os, "uname", lambda: fake)
    program = compiled([rule("read", includes={"minKernel": "6.0"})])
    assert (decide(program, 0) == ALLOW) is newer


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({}, "defaultAction"),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "SCMP_ACT_NOTIFY"),
        ({"defaultAction": "ALLOW"}, "'ALLOW' does not exist"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"]}]}, "action"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [[]]}, "not valid"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": 5}, "not valid"),
        ({"defaultAction": 5}, "does not exist"),
        ({"defaultAction": ["x"]}, "not valid"),
        ([], "not valid"),
        (None, "not valid"),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_KILL"}]},
            "not valid",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}],
            },
            "listening agent",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [rule("read", args=[{"index": 0, "op": "EQ", "value": 1}])],
            },
            "operator 'EQ'",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [rule("read", args=[{"index": 0, "op": "SCMP_CMP_EQ", "value": "x"}])],
            },
            "not valid",
        ),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 70_000}, "70000"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": "EPERM"}, "not valid"),
        (
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [rule("read", includes={"minKernel": "new"})],
            },
            "not valid",
        ),
    ],
)
def test_what_is_no_profile_is_an_error_for_people(profile: Any, words: str) -> None:
    for use in (seccomp.compile_profile, seccomp.as_oci):
        if use is seccomp.as_oci and "defaultAction" in (profile or {}):
            continue  # the runtime that gets it checks the words
        with pytest.raises(PodError) as caught:
            use(profile, DEFAULT, "it.json")
        assert words in str(caught.value)


def test_the_profile_for_other_runtimes_has_only_what_applies(profile: dict[str, Any]) -> None:
    document = seccomp.as_oci(profile, DEFAULT, "test")
    names = {
        name
        for one in document["syscalls"]
        if one["action"] == "SCMP_ACT_ALLOW"
        for name in one["names"]
    }
    assert "read" in names and "init_module" not in names
    assert document["defaultErrnoRet"] == 38
    for one in document["syscalls"]:
        assert set(one) <= {"names", "action", "errnoRet", "args"}


def test_the_profile_for_other_runtimes_keeps_zeros_and_old_names() -> None:
    rules = [
        {
            "name": "read",
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 0,
            "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}],
        }
    ]
    document = seccomp.as_oci({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}, DEFAULT, "t")
    (one,) = document["syscalls"]
    assert one["names"] == ["read"]
    assert one["errnoRet"] == 0
    assert one["args"] == [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]


def test_the_cache_is_used_until_the_profile_or_the_capabilities_change(tmp_path: Path) -> None:
    path, cache = tmp_path / "profile.json", str(tmp_path / "cache")
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule("read")]}))
    first = seccomp.compiled(str(path), ["CAP_CHOWN"], cache)
    written = os.stat(first).st_ino
    assert seccomp.compiled(str(path), ["CAP_CHOWN"], cache) == first
    assert os.stat(first).st_ino == written
    assert seccomp.compiled(str(path), ["CAP_CHOWN", "CAP_KILL"], cache) != first
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW"}))
    second = seccomp.compiled(str(path), ["CAP_CHOWN"], cache)
    assert second != first
    assert decide(Path(second).read_bytes(), "mount") == ALLOW


def test_a_profile_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text("{")
    with pytest.raises(PodError, match=r"profile\.json"):
        seccomp.compiled(str(path), [], str(tmp_path))
