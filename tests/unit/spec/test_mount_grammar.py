from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.spec.mount_option import parse_mount
from pod.spec.mounts import (
    Mount,
    MountConflict,
    VolumesFrom,
    bind_text,
    check_conflicts,
    image_volumes,
    merge,
    parse_image_volume_mode,
    parse_tmpfs,
    parse_volume,
    parse_volumes_from,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT = {"options": ("nosuid", "nodev")}


def expect(kind: str, target: str, source: str = "", **fields: Any) -> Mount:
    return Mount(kind, target, source, **{**DEFAULT, **fields})


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/data", expect("volume", "/data")),
        ("db:/data", expect("volume", "/data", "db")),
        ("/srv:/data", expect("bind", "/data", "/srv")),
        ("/srv/:/data/", expect("bind", "/data", "/srv")),
        ("//srv//a/../b:/data/./x", expect("bind", "/data/x", "/srv/b")),
        (".:/app", expect("bind", "/app", ".")),
        ("./src:/app", expect("bind", "/app", "./src")),
        ("../src:/app", expect("bind", "/app", "../src")),
        (".config:/app", expect("bind", "/app", "./.config")),
        ("./a/../..:/app", expect("bind", "/app", "..")),
        ("/srv:/data:ro", expect("bind", "/data", "/srv", read_only=True)),
        ("/srv:/data:rro", expect("bind", "/data", "/srv", read_only=True)),
        ("/srv:/data:rw,z", expect("bind", "/data", "/srv", relabel="shared")),
        ("/srv:/data:Z,U", expect("bind", "/data", "/srv", relabel="private", chown=True)),
        ("/srv:/data:exec,suid,dev", expect("bind", "/data", "/srv", options=())),
        ("/srv:/d:noexec", expect("bind", "/d", "/srv", options=("nosuid", "nodev", "noexec"))),
        ("/srv:/data:rslave", expect("bind", "/data", "/srv", propagation="rslave")),
        (
            "/srv:/data:bind,shared",
            expect("bind", "/data", "/srv", propagation="shared", recursive=False),
        ),
        ("/srv:/data:rbind,cached", expect("bind", "/data", "/srv")),
        ("/srv:/data:delegated,ro", expect("bind", "/data", "/srv", read_only=True)),
        ("db:/data:nocopy", expect("volume", "/data", "db", copy=False)),
        ("db:/data:copy", expect("volume", "/data", "db")),
        ("/srv:/data:O", expect("bind", "/data", "/srv", overlay=True)),
        (
            "/srv:/data:O,U,z",
            expect("bind", "/data", "/srv", overlay=True, chown=True, relabel="shared"),
        ),
        (
            "/srv:/data:O,upperdir=/u,workdir=/w/",
            expect("bind", "/data", "/srv", overlay=True, overlay_upper="/u", overlay_work="/w"),
        ),
        ("/päth:/dätä", expect("bind", "/dätä", "/päth")),
    ],
)
def test_volume_is_read(text: str, mount: Mount) -> None:
    assert parse_volume(text) == mount.replace(origin=f"--volume {text}")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "not an absolute path"),
        (":", "not an absolute path"),
        ("data", "not an absolute path"),
        ("/srv:data", "not an absolute path"),
        ("/srv:", "not an absolute path"),
        (":/data", "source before the colon is empty"),
        ("/srv:/", "cannot be the root"),
        ("/srv:/a/..", "cannot be the root"),
        ("/srv:/data:", "'' is not an option"),
        ("/srv:/data:ro:rw", "--mount"),
        ("/srv:/data:quick", "'quick' is not an option"),
        ("/srv:/data:ro,rw", "exclude each other"),
        ("/srv:/data:z,Z", "exclude each other"),
        ("/srv:/data:exec,noexec", "exclude each other"),
        ("/srv:/data:shared,slave", "exclude each other"),
        ("db:/data:rshared", "propagation"),
        ("~/x:/data", "neither a path"),
        ("my volume:/data", "neither a path"),
        ("-v:/data", "neither a path"),
        ("/srv:/data:O,ro", "O goes with"),
        ("/srv:/data:O,rslave", "O goes with"),
        ("/srv:/data:O,upperdir=/u", "given together"),
        ("/srv:/data:upperdir=/u,workdir=/w", "given together"),
        ("/srv:/data:O,upperdir=u,workdir=/w", "absolute"),
        ("/srv:/da\0ta", "not an absolute path"),
        ("/s\0rv:/data", "NUL"),
    ],
)
def test_volume_is_refused(text: str, part: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_volume(text)
    assert part in str(caught.value)


@pytest.mark.parametrize("words", ["idmap", "ro,idmap=uids=0-1-10#10-11-10;gids=0-100-10"])
def test_id_mapped_volume_is_refused_with_the_reason(words: str) -> None:
    with pytest.raises(Unsupported, match="only the real root") as caught:
        parse_volume(f"/srv:/data:{words}")
    assert "keep-id" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        # The examples of podman-run(1)
        (
            "type=bind,source=/path/on/host,destination=/path/in/container",
            expect("bind", "/path/in/container", "/path/on/host"),
        ),
        ("type=bind,src=/h,dst=/c,relabel=shared", expect("bind", "/c", "/h", relabel="shared")),
        (
            "type=bind,src=/h,dst=/c,relabel=shared,U=true",
            expect("bind", "/c", "/h", relabel="shared", chown=True),
        ),
        (
            "type=devpts,destination=/dev/pts",
            Mount("devpts", "/dev/pts", options=("nosuid", "noexec")),
        ),
        (
            "type=glob,src=/usr/lib/libfoo*,destination=/usr/lib,ro=true",
            expect("glob", "/usr/lib", "/usr/lib/libfoo*", read_only=True),
        ),
        (
            "type=image,source=fedora,destination=/fedora-image,rw=true",
            expect("image", "/fedora-image", "fedora"),
        ),
        (
            "type=ramfs,tmpfs-size=512M,destination=/c",
            Mount("ramfs", "/c", options=("nosuid", "nodev", "noexec", "size=536870912")),
        ),
        (
            "type=tmpfs,tmpfs-size=512M,destination=/c",
            Mount("tmpfs", "/c", options=("nosuid", "nodev", "noexec", "size=536870912")),
        ),
        (
            "type=tmpfs,destination=/c,noswap",
            Mount("tmpfs", "/c", options=("nosuid", "nodev", "noexec", "noswap")),
        ),
        (
            "type=volume,source=vol1,destination=/c,ro=true",
            expect("volume", "/c", "vol1", read_only=True),
        ),
        # docker's
        ("source=v,target=/c", expect("volume", "/c", "v")),
        ("type=volume,target=/c", expect("volume", "/c")),
        ("type=bind,source=/h,target=/c,readonly", expect("bind", "/c", "/h", read_only=True)),
        (
            "type=bind,source=/h,target=/c,readonly,bind-propagation=rslave,consistency=cached",
            expect("bind", "/c", "/h", read_only=True, propagation="rslave"),
        ),
        (
            "type=bind,source=/h,target=/c,readonly,bind-recursive=writable",
            expect("bind", "/c", "/h", read_only=True, recursive_read_only=False),
        ),
        (
            "type=bind,source=/h,target=/c,bind-recursive=disabled",
            expect("bind", "/c", "/h", recursive=False),
        ),
        (
            "type=volume,src=v,dst=/c,volume-nocopy=true,volume-subpath=a/b",
            expect("volume", "/c", "v", copy=False, subpath="a/b"),
        ),
        ("type=volume,src=v,dst=/c,volume-driver=local", expect("volume", "/c", "v")),
        (
            "type=tmpfs,dst=/c,tmpfs-mode=1770,tmpfs-size=64m",
            Mount(
                "tmpfs", "/c", options=("nosuid", "nodev", "noexec", "mode=1770", "size=67108864")
            ),
        ),
        (
            "type=tmpfs,dst=/c,tmpfs-options=exec;size=50%",
            Mount("tmpfs", "/c", options=("nosuid", "nodev", "size=50%")),
        ),
        # the rest
        ("type=bind,src=.,dst=/c", expect("bind", "/c", ".")),
        ("type=bind,src=sub/dir,dst=/c", expect("bind", "/c", "./sub/dir")),
        ("type=bind,src=/h,dst=/c,rro", expect("bind", "/c", "/h", read_only=True)),
        ("type=bind,src=/h,dst=/c,rw=false", expect("bind", "/c", "/h", read_only=True)),
        ("type=bind,src=/h,dst=/c,ro=false,rw", expect("bind", "/c", "/h")),
        ("type=bind,src=/h,dst=/c,bind-nonrecursive", expect("bind", "/c", "/h", recursive=False)),
        (
            "type=bind,src=/h,dst=/c,rshared,Z",
            expect("bind", "/c", "/h", propagation="rshared", relabel="private"),
        ),
        (
            "type=bind,src=/h,dst=/c,exec=true,nodev=0",
            expect("bind", "/c", "/h", options=("nosuid",)),
        ),
        ("type=bind,src=/h,dst=/c,exec,suid", expect("bind", "/c", "/h", options=("nodev",))),
        ("type=bind,src=/h,dst=/c,idmap=false", expect("bind", "/c", "/h")),
        ("type=bind,src=/h,dst=/c,no-dereference", expect("bind", "/c", "/h", dereference=False)),
        ('type=bind,"src=/a,b",dst=/c', expect("bind", "/c", "/a,b")),
        ('type=bind,"src=/a""b",dst=/c', expect("bind", "/c", '/a"b')),
        ("type=bind,src=/a=b,dst=/c:d", expect("bind", "/c:d", "/a=b")),
        ("type=glob,src=/h/*.so", expect("glob", "", "/h/*.so")),
        (
            "type=image,src=i,dst=/c,subpath=/usr/",
            expect("image", "/c", "i", read_only=True, subpath="usr"),
        ),
        ("type=image,src=i,dst=/c,ro", expect("image", "/c", "i", read_only=True)),
        (
            "type=tmpfs,dst=/c,U,ro,notmpcopyup",
            Mount(
                "tmpfs",
                "/c",
                options=("nosuid", "nodev", "noexec"),
                read_only=True,
                chown=True,
                copy=False,
            ),
        ),
        (
            "type=devpts,dst=/dev/pts,uid=1,gid=5,mode=620,max=10",
            Mount(
                "devpts",
                "/dev/pts",
                options=("nosuid", "noexec", "uid=1", "gid=5", "mode=620", "max=10"),
            ),
        ),
    ],
)
def test_mount_is_read(text: str, mount: Mount) -> None:
    assert parse_mount(text) == mount.replace(origin=f"--mount {text}")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "'destination' is missing"),
        ("type=bind,src=/h", "'destination' is missing"),
        ("type=nfs,src=/h,dst=/c", "the type is one of bind"),
        ("type,dst=/c", "the type is one of bind"),
        ("type=bind,dst=/c", "needs the key 'source'"),
        ("type=glob,dst=/c", "needs the key 'source'"),
        ("type=image,dst=/c", "needs the key 'source'"),
        ("type=bind,src=/h,dst=c", "not an absolute path"),
        ("type=bind,src=/h,dst=/", "root directory"),
        ("type=bind,src=/h,dst=/c,target=/d", "'target' is given twice"),
        ("type=bind,src=/h,dst", "'target' needs a value"),
        ("type=bind,src=/h,dst=/c,colour=blue", "'colour' is not a key of type=bind"),
        ("type=bind,src=/h,dst=/c,subpath=x", "'subpath' is not a key of type=bind"),
        ("type=bind,src=/h,dst=/c,tmpfs-size=1", "'tmpfs-size' is not a key of type=bind"),
        ("type=bind,src=/h,dst=/c,ro,rw", "exclude each other"),
        ("type=bind,src=/h,dst=/c,ro=maybe", "true or false"),
        ("type=bind,src=/h,dst=/c,bind-propagation=up", "bind-propagation is one of"),
        ("type=bind,src=/h,dst=/c,shared,bind-propagation=slave", "exclude each other"),
        ("type=bind,src=/h,dst=/c,bind-recursive=some", "bind-recursive is one of"),
        ("type=bind,src=/h,dst=/c,bind-recursive=readonly", "needs readonly"),
        ("type=bind,src=/h,dst=/c,relabel=public", "relabel is shared or private"),
        ("type=bind,src=/h,dst=/c,consistency=eventual", "does not exist"),
        ("type=bind,src=~/h,dst=/c", "$HOME"),
        ("type=volume,src=/h,dst=/c", "nor a volume's name"),
        ("type=volume,src=v,dst=/c,subpath=../x", "'..'"),
        ("type=volume,src=v,dst=/c,rshared", "'rshared' is not a key"),
        ("type=tmpfs,src=/h,dst=/c", "has no source"),
        ("type=tmpfs,dst=/c,tmpfs-size=big", "unit"),
        ("type=tmpfs,dst=/c,tmpfs-mode=9", "octal"),
        ("type=tmpfs,dst=/c,tmpfs-options=loud", "not an option of tmpfs"),
        ("type=tmpfs,dst=/c,tmpfs-size", "is not a key of type=tmpfs"),
        ("type=devpts,dst=/dev/pts,max=0", "between 1 and"),
        ("type=devpts,dst=/dev/pts,noexec", "'noexec' is not a key"),
        ("type=devpts,dst=/dev/pts,U", "'U' is not a key"),
        ('type=bind,"src=/h,dst=/c', "closing quote"),
        ('type=bind,src="/h",dst=/c', "quoted as a whole"),
        ('type=bind,"src=/h"x,dst=/c', "comma follows"),
    ],
)
def test_mount_is_refused(text: str, part: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_mount(text)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "type=npipe,src=x,dst=/c",
        "type=volume,src=v,dst=/c,volume-opt=type=nfs",
        "type=volume,src=v,dst=/c,volume-driver=nfs",
        "type=bind,src=/h,dst=/c,idmap",
        "type=volume,src=v,dst=/c,idmap=uids=0-1-10",
    ],
)
def test_mount_names_what_is_not_supported(text: str) -> None:
    with pytest.raises(Unsupported, match="is not supported: "):
        parse_mount(text)


TMPFS = ("nosuid", "nodev", "noexec")


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/tmp", Mount("tmpfs", "/tmp", options=TMPFS)),
        (
            "/tmp:rw,size=787448k,mode=1777",
            Mount("tmpfs", "/tmp", options=(*TMPFS, "size=806346752", "mode=1777")),
        ),
        ("/tmp:exec,ro", Mount("tmpfs", "/tmp", options=TMPFS[:2], read_only=True)),
        (
            "/tmp:uid=1000,gid=1000",
            Mount("tmpfs", "/tmp", options=(*TMPFS, "uid=1000", "gid=1000")),
        ),
        (
            "/tmp:nr_inodes=1k,huge=never",
            Mount("tmpfs", "/tmp", options=(*TMPFS, "nr_inodes=1024", "huge=never")),
        ),
        (
            "/tmp:size=10%,notmpcopyup",
            Mount("tmpfs", "/tmp", options=(*TMPFS, "size=10%"), copy=False),
        ),
        ("/tmp:U", Mount("tmpfs", "/tmp", options=TMPFS, chown=True)),
        ("/tmp:", Mount("tmpfs", "/tmp", options=TMPFS)),
    ],
)
def test_tmpfs_is_read(text: str, mount: Mount) -> None:
    assert parse_tmpfs(text) == mount.replace(origin=f"--tmpfs {text}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tmp",
        "/",
        "/tmp:quick",
        "/tmp:size=",
        "/tmp:size=200%",
        "/tmp:mode=999",
        "/tmp:uid=-1",
        "/tmp:ro,rw",
    ],
)
def test_tmpfs_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_tmpfs(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", VolumesFrom("web")),
        ("web:ro", VolumesFrom("web", read_only=True)),
        ("web:rw,z", VolumesFrom("web", read_only=False, relabel="shared")),
        ("web:z", VolumesFrom("web", relabel="shared")),
    ],
)
def test_volumes_from_is_read(text: str, expected: VolumesFrom) -> None:
    assert parse_volumes_from(text) == expected


@pytest.mark.parametrize("text", ["", ":ro", "web:", "web:Z", "web:nocopy", "web:ro,rw"])
def test_volumes_from_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_volumes_from(text)


def test_two_mounts_on_one_place_are_both_named() -> None:
    mounts = [
        parse_volume("/a:/data"),
        parse_volume("/b:/other"),
        parse_mount("type=tmpfs,dst=/data/"),
    ]
    with pytest.raises(MountConflict) as caught:
        check_conflicts(mounts)
    assert "--volume /a:/data" in str(caught.value)
    assert "--mount type=tmpfs,dst=/data/" in str(caught.value)


def test_globs_do_not_conflict_before_they_are_expanded() -> None:
    check_conflicts(
        [parse_mount("type=glob,src=/a/*,dst=/d"), parse_mount("type=glob,src=/b/*,dst=/d")]
    )


def test_stronger_mounts_hide_weaker_ones_and_parents_come_first() -> None:
    asked = [parse_volume("/h:/data/sub"), parse_volume("/h:/z")]
    image = image_volumes(["/z", "/data", "/data-2"], "bind")
    merged = merge(asked, image)
    assert [(mount.target, mount.kind) for mount in merged] == [
        ("/data", "volume"),
        ("/data/sub", "bind"),
        ("/data-2", "volume"),
        ("/z", "bind"),
    ]


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [("", ["volume"]), ("anonymous", ["volume"]), ("tmpfs", ["tmpfs"]), ("ignore", [])],
)
def test_image_volumes_follow_the_mode(mode: str, kinds: list[str]) -> None:
    mounts = image_volumes(["/var/lib/x"], parse_image_volume_mode(mode))
    assert [mount.kind for mount in mounts] == kinds


def test_unknown_image_volume_mode_is_refused() -> None:
    with pytest.raises(InvalidValue):
        parse_image_volume_mode("copy")


def test_bind_is_shown_as_docker_does() -> None:
    assert bind_text(parse_volume("/h:/c:ro")) == "/h:/c:ro,rprivate,rbind,nosuid,nodev"
    assert bind_text(parse_volume("v:/c:exec")) == "v:/c:rw,nosuid,nodev"


def test_mount_survives_json() -> None:
    mount = parse_volume("/srv:/data:O,upperdir=/u,workdir=/w,z")
    assert Mount.from_json(mount.to_json()) == mount


PIECES = st.sampled_from(
    [*'ab/.:,=~" \0é', "type=bind,", "type=tmpfs,", "src=", "dst=/", "ro", "O", "size="]
)


@pytest.mark.parametrize("parse", [parse_volume, parse_mount, parse_tmpfs, parse_volumes_from])
@given(text=st.lists(PIECES).map("".join) | st.text())
def test_any_text_is_read_or_refused(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except UsageError as error:
        assert error.message
