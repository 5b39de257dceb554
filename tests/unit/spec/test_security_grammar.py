from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.linux.capabilities import NAMES, mask
from pod.spec import defaults
from pod.spec.security import (
    Capabilities,
    CapabilityConflict,
    SecurityOptions,
    effective_capabilities,
    masked_paths,
    read_only_paths,
)
from pod.spec.security_option import parse_capabilities, parse_security_options, parse_umask

DEFAULTS = ("CAP_CHOWN", "CAP_KILL", "CAP_SETUID")
MASKED = ("/proc/acpi", "/proc/kcore", "/sys/firmware", "/sys/fs/selinux")


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        ([], SecurityOptions()),
        (["seccomp=unconfined"], SecurityOptions(seccomp="unconfined")),
        (["seccomp=/etc/p=q.json"], SecurityOptions(seccomp="/etc/p=q.json")),
        (["seccomp=builtin"], SecurityOptions()),
        (["seccomp:unconfined"], SecurityOptions(seccomp="unconfined")),
        (["apparmor=unconfined"], SecurityOptions(apparmor="unconfined")),
        (["apparmor:my-profile"], SecurityOptions(apparmor="my-profile")),
        (["label=disable"], SecurityOptions(labels=("disable",))),
        (
            ["label=level:s0:c100,c200", "label:type:svirt_t"],
            SecurityOptions(labels=("level:s0:c100,c200", "type:svirt_t")),
        ),
        (["no-new-privileges"], SecurityOptions(no_new_privileges=True)),
        (["no-new-privileges=true"], SecurityOptions(no_new_privileges=True)),
        (["no-new-privileges:true"], SecurityOptions(no_new_privileges=True)),
        (["no-new-privileges", "no-new-privileges=false"], SecurityOptions()),
        (["mask=/foo/bar:/second/path/"], SecurityOptions(mask=("/foo/bar", "/second/path"))),
        (["unmask=ALL"], SecurityOptions(unmask=("ALL",))),
        (["unmask=all"], SecurityOptions(unmask=("ALL",))),
        (
            ["unmask=/proc/*", "unmask=/sys/firmware"],
            SecurityOptions(unmask=("/proc/*", "/sys/firmware")),
        ),
        (["systempaths=unconfined"], SecurityOptions(unmask=("ALL",))),
        (
            ["proc-opts=hidepid=2,subset=pid"],
            SecurityOptions(proc_options=("hidepid=2", "subset=pid")),
        ),
    ],
)
def test_security_options_are_read(texts: list[str], options: SecurityOptions) -> None:
    assert parse_security_options(texts) == options


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seccomp",
        "seccomp=",
        "colour=blue",
        "label=",
        "label=blue",
        "proc-opts=hidepid=9",
        "proc-opts=hidepid",
        "proc-opts=gid=x",
        "proc-opts=subset=pid,ro",
        "label=type:",
        "mask=relative",
        "mask=/a:b",
        "mask=:",
        "unmask=proc",
        "no-new-privileges=maybe",
        "no-new-privileges=",
        "systempaths=confined",
        "=x",
    ],
)
def test_security_option_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_security_options([text])


@pytest.mark.parametrize("text", ["credentialspec=file://x", "writable-cgroups=true"])
def test_security_options_of_others_are_refused_with_the_reason(text: str) -> None:
    with pytest.raises(Unsupported):
        parse_security_options([text])


@pytest.mark.parametrize(
    ("texts", "paths"),
    [
        ([], MASKED),
        (["mask=/foo:/proc/acpi"], (*MASKED, "/foo")),
        (["unmask=/sys/firmware"], ("/proc/acpi", "/proc/kcore", "/sys/fs/selinux")),
        (["unmask=/proc/*"], ("/sys/firmware", "/sys/fs/selinux")),
        (["unmask=/sys/*"], ("/proc/acpi", "/proc/kcore", "/sys/fs/selinux")),
        (["unmask=/*"], MASKED),
        (["unmask=/proc"], MASKED),
        (["unmask=ALL", "mask=/foo"], ("/foo",)),
    ],
)
def test_masked_paths_follow_mask_and_unmask(texts: list[str], paths: tuple[str, ...]) -> None:
    options = parse_security_options(texts)
    assert masked_paths(MASKED, options) == paths
    assert read_only_paths(MASKED, options) == tuple(path for path in paths if path != "/foo")


def test_nothing_is_masked_in_a_privileged_container() -> None:
    options = parse_security_options(["mask=/foo"])
    assert masked_paths(MASKED, options, privileged=True) == ()
    assert read_only_paths(MASKED, options, privileged=True) == ()


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["NET_ADMIN"], ("CAP_NET_ADMIN",)),
        (["cap_net_admin", "NET_ADMIN"], ("CAP_NET_ADMIN",)),
        (["net_raw,Sys_Ptrace"], ("CAP_NET_RAW", "CAP_SYS_PTRACE")),
        (["all"], ("ALL",)),
        (["CAP_ALL"], ("ALL",)),
        ([], ()),
    ],
)
def test_capabilities_are_read(texts: list[str], names: tuple[str, ...]) -> None:
    assert parse_capabilities(texts) == names


def test_an_unknown_capability_brings_a_suggestion() -> None:
    with pytest.raises(InvalidValue, match=r"--cap-drop 'NET_ADMN' .* did you mean 'NET_ADMIN'"):
        parse_capabilities(["NET_ADMN"], "--cap-drop")
    with pytest.raises(InvalidValue, match=r"no such capability$"):
        parse_capabilities(["xyzzy"])
    with pytest.raises(InvalidValue):
        parse_capabilities(["NET_ADMIN,"])


def sets(add: str = "", drop: str = "", **given: bool) -> Capabilities:
    return effective_capabilities(
        DEFAULTS,
        parse_capabilities(add.split()),
        parse_capabilities(drop.split()),
        privileged=given.get("privileged", False),
        is_root=given.get("is_root", True),
    )


@pytest.mark.parametrize(
    ("add", "drop", "names"),
    [
        ("", "", DEFAULTS),
        ("NET_ADMIN", "", ("CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NET_ADMIN")),
        ("", "KILL", ("CAP_CHOWN", "CAP_SETUID")),
        ("NET_RAW", "KILL", ("CAP_CHOWN", "CAP_SETUID", "CAP_NET_RAW")),
        ("", "ALL", ()),
        ("KILL", "ALL", ("CAP_KILL",)),
        ("ALL", "", NAMES),
        ("ALL", "SYS_ADMIN", tuple(name for name in NAMES if name != "CAP_SYS_ADMIN")),
    ],
)
def test_capabilities_of_root(add: str, drop: str, names: tuple[str, ...]) -> None:
    assert sets(add, drop) == Capabilities(bounding=names, effective=names, permitted=names)


def test_another_user_has_only_what_was_added() -> None:
    assert sets(is_root=False) == Capabilities(bounding=DEFAULTS)
    own = ("CAP_NET_RAW",)
    assert sets("NET_RAW", is_root=False) == Capabilities((*DEFAULTS, *own), own, own, own, own)


def test_another_user_has_all_when_all_are_added() -> None:
    assert sets("ALL", is_root=False).ambient == NAMES


@pytest.mark.parametrize(
    ("add", "drop", "missing"),
    [("", "", set()), ("", "NET_RAW", {"CAP_NET_RAW"}), ("KILL", "ALL", {*NAMES} - {"CAP_KILL"})],
)
def test_privileged_has_everything_but_what_is_dropped(
    add: str, drop: str, missing: set[str]
) -> None:
    assert set(sets(add, drop, privileged=True).effective) == {*NAMES} - missing


@pytest.mark.parametrize(
    ("add", "drop"), [("KILL", "KILL"), ("ALL", "ALL"), ("KILL NET_RAW", "CHOWN NET_RAW")]
)
def test_a_capability_cannot_be_added_and_dropped(add: str, drop: str) -> None:
    with pytest.raises(CapabilityConflict):
        sets(add, drop)


def test_no_set_exceeds_what_the_host_has() -> None:
    result = effective_capabilities(
        DEFAULTS, ("ALL",), (), privileged=False, is_root=False, available=("CAP_KILL", "CAP_CHOWN")
    )
    assert set(result.to_json()) == {"bounding", "effective", "permitted", "inheritable", "ambient"}
    assert {names for names in result.to_json().values() for names in names} == {
        "CAP_CHOWN",
        "CAP_KILL",
    }


@pytest.mark.parametrize(
    ("add", "drop", "privileged", "is_root", "own", "bounding"),
    [
        ("", "", False, True, 0x800405FB, 0x800405FB),
        ("", "", False, False, 0, 0x800405FB),
        ("net_raw", "", False, False, 0x2000, 0x800425FB),
        ("", "", True, True, 0x1FFFFFFFFFF, 0x1FFFFFFFFFF),
        ("", "", True, False, 0, 0x1FFFFFFFFFF),
        ("kill", "all", False, True, 0x20, 0x20),
    ],
)
def test_sets_are_those_that_podman_gave(
    add: str, drop: str, privileged: bool, is_root: bool, own: int, bounding: int
) -> None:
    """CapEff and CapBnd of /proc/self/status in containers of podman 4.3.1 with the same options."""
    result = effective_capabilities(
        defaults.CAPABILITIES,
        parse_capabilities(add.split()),
        parse_capabilities(drop.split()),
        privileged=privileged,
        is_root=is_root,
    )
    assert (mask(result.effective), mask(result.bounding)) == (own, bounding)
    assert mask(result.ambient) == (0 if is_root else own)
    assert mask(result.inheritable) == (0 if is_root else own)


def test_umask_is_octal() -> None:
    assert parse_umask("0022") == 0o022
    for text in ("1777", "9", ""):
        with pytest.raises(InvalidValue, match="--umask"):
            parse_umask(text)


@given(
    st.text()
    | st.lists(st.sampled_from(["label", "mask", "unmask", "=", ":", "/", "*", ","])).map("".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_security_options, parse_capabilities):
        try:
            parse([text])
        except UsageError as error:
            assert error.message
