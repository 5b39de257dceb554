"""`pod cp`: into containers, out of them, between them; paths, owners, and what a hostile container may try."""

from __future__ import annotations

import io
import os
import socket
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine
from tests.support.waiting import until

# net_bind_service+ep, revision 2, as getfattr(1) shows it; all of its bytes are ASCII
CAPABILITY = b"\1\0\0\2\0\4\0\0" + bytes(12)
STATES = ["created", "running"]


def make(pod: Engine, state: str = "created", *options: str, name: str = "c") -> str:
    """A container that sleeps, or one that was never started."""
    verb = ("run", "-d") if state == "running" else ("create",)
    pod(*verb, "--name", name, "--network", "none", *options, "busybox", "sleep", "1000")
    return name


def seen(pod: Engine, script: str, name: str = "c", *options: str) -> str:
    """What a shell in the container prints; it is started when it does not run."""
    if pod("inspect", "--format", "{{.State.Running}}", name).out == "false":
        pod("start", name)
    return pod("exec", *options, name, "sh", "-c", script).out


def tree(path: Path, *, hard_link: bool = True) -> Path:
    """A directory with a bit of everything that can be copied."""
    (path / "sub").mkdir(parents=True)
    (path / "a").write_text("a\n")
    (path / "sub" / "b").write_text("b\n")
    (path / "link").symlink_to("a")
    if hard_link:
        os.link(path / "a", path / "hard")
    (path / "a").chmod(0o741)
    os.utime(path / "a", (1_000_000_000, 1_000_000_000))
    return path


def archive(**files: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as opened:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.uid, info.gid = len(text), 7, 8
            opened.addfile(info, io.BytesIO(text.encode()))
    return data.getvalue()


@pytest.mark.parametrize("state", STATES)
def test_tree_in_and_out(pod: Engine, tmp_path: Path, state: str) -> None:
    source = tree(tmp_path / "d")
    make(pod, state)
    pod("cp", str(source), "c:/tmp")
    pod("cp", "c:/tmp/d", str(tmp_path / "back"))
    back = tmp_path / "back"
    assert sorted(os.listdir(back)) == ["a", "hard", "link", "sub"]
    assert (back / "sub" / "b").read_text() == "b\n"
    assert os.readlink(back / "link") == "a"
    status = (back / "a").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o741, 1_000_000_000)
    assert status.st_uid == os.getuid()
    assert seen(pod, "stat -c '%u %a %h' /tmp/d/a /tmp/d/hard") in {
        "0 741 2\n0 741 2",
        "0 741 1\n0 741 1",
    }
    if pod.kind == "pod":
        assert os.path.samefile(back / "a", back / "hard")
        nothing_wrong(pod)


PLACES = [
    # source, target, what then has the content; each in a directory of its own, which has "dir" and "file"
    ("f", "dir", "dir/f"),
    ("f", "dir/", "dir/f"),
    ("f", "new", "new"),
    ("f", "file", "file"),
    ("d", "dir", "dir/d/a"),
    ("d/", "dir", "dir/d/a"),
    ("d", "new", "new/a"),
    ("d", "new/", "new/a"),  # as docker; podman wants it to be there
    ("d/.", "dir", "dir/a"),
    ("d/.", "new", "new/a"),
    ("l", "dir", "dir/l"),  # a link is followed
]


@pytest.mark.parametrize("state", STATES)
def test_places(pod: Engine, tmp_path: Path, state: str) -> None:
    tree(tmp_path / "d", hard_link=False)  # podman 4.3 cannot give them a new directory
    (tmp_path / "f").write_text("a\n")
    (tmp_path / "l").symlink_to("f")
    for number in range(len(PLACES)):
        (tmp_path / "w" / str(number) / "dir").mkdir(parents=True)
        (tmp_path / "w" / str(number) / "file").write_text("old")
    make(pod, state, "-v", "vol:/v")
    pod("cp", str(tmp_path / "w"), "c:/w")
    places = [place for place in PLACES if pod.kind == "pod" or place[1] != "new/"]
    for number, (source, target, _) in enumerate(places):
        # Paths in containers begin at the root, with or without a slash.
        pod("cp", source, f"c:{'/' * (number % 2)}w/{number}/{target}", cwd=str(tmp_path))
    pod("cp", "d", "c:/v", cwd=str(tmp_path))
    made = [f"/w/{number}/{path}" for number, (_, _, path) in enumerate(places)] + ["/v/d/a"]
    script = f'for f in {" ".join(made)}; do [ -L $f ] || [ "$(cat $f)" = a ] || echo $f; done'
    assert seen(pod, script) == ""


REFUSED = [
    # source, target, a word of the sentence
    ("f", "c:/tmp/new/", "new"),
    ("f", "c:/new/f", "new"),
    ("d", "c:/new/d", "new"),
    ("d", "c:/etc/passwd", "passwd"),
    ("nothing", "c:/tmp", "nothing"),
    ("c:/nothing", ".", "nothing"),
    ("f", "x:/tmp", "x"),
    ("f", "f2", ""),  # no container at all
    ("-", "-", "-"),
]


@pytest.mark.parametrize("state", STATES)
def test_refused(pod: Engine, tmp_path: Path, state: str) -> None:
    tree(tmp_path / "d")
    (tmp_path / "f").write_text("f")
    make(pod, state)
    for source, target, word in REFUSED:
        result = pod("cp", source, target, cwd=str(tmp_path), status=None)
        message = one_error(result, hint=None)
        assert word in message or pod.kind == "podman"
    assert sorted(os.listdir(tmp_path)) == ["d", "f"]


@pytest.mark.not_podman("version 4.3 waits for somebody to write into it")
def test_named_pipe_is_refused(pod: Engine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    make(pod)
    result = pod("cp", str(tmp_path / "pipe"), "c:/tmp", status=125)
    assert "a named pipe" in one_error(result, hint=None)


@pytest.mark.parametrize("state", STATES)
def test_streams(pod: Engine, tmp_path: Path, state: str) -> None:
    make(pod, state)
    pod("cp", "-", "c:/tmp", stdin=archive(**{"x/y": "deep", "z": "flat"}))
    for path, names in (("/tmp/x", ["x", "x/y"]), ("/tmp/z", ["z"])):
        with pod.spawn("cp", f"c:{path}", "-", stdout=subprocess.PIPE) as process:
            data, _ = process.communicate()
        with tarfile.open(fileobj=io.BytesIO(data)) as opened:
            assert opened.getnames() == names
            assert opened.getmembers()[-1].uid == 0
    assert seen(pod, "cat /tmp/x/y; stat -c ' %u' /tmp/x/y") == "deep 0"
    result = pod("cp", "-", "c:/etc/passwd", stdin=archive(f="f"), status=125)
    assert "directory" in one_error(result, hint=None)


@pytest.mark.not_podman("it takes that for an empty archive")
def test_stream_that_is_no_archive(pod: Engine) -> None:
    make(pod)
    assert "archive" in one_error(pod("cp", "-", "c:/tmp", stdin="x" * 2000, status=125), hint=None)


@pytest.mark.not_podman("it waits for ever for the container's lock")
def test_stream_into_the_container_that_it_comes_from(pod: Engine) -> None:
    make(pod)
    pod("cp", "/bin/sh", "c:/tmp/big")
    with (
        pod.spawn("cp", "c:/tmp/big", "-", stdout=subprocess.PIPE) as out,
        pod.spawn("cp", "-", "c:/var/tmp", stdin=out.stdout) as back,
    ):
        assert back.wait(60) == 0
    assert seen(pod, "cmp /tmp/big /var/tmp/big && echo same") == "same"


@pytest.mark.parametrize("state", STATES)
def test_owner_is_the_containers_user(pod: Engine, tmp_path: Path, state: str) -> None:
    (tmp_path / "f").write_text("f")
    make(pod, state, "--user", "1234:5678")
    pod("cp", str(tmp_path / "f"), "c:/tmp/f")
    assert seen(pod, "stat -c '%u:%g' /tmp/f", "c", "--user", "0") == "1234:5678"


@pytest.mark.not_podman("its option has another default")
@pytest.mark.parametrize(
    ("userns", "state"),
    [(it, "running") for it in ("host", "keep-id", "nomap", "auto")] + [("nomap", "created")],
)
def test_owners_are_kept(pod: Engine, tmp_path: Path, state: str, userns: str) -> None:
    """In, out and in again, in every id map."""
    make(pod, state, "--userns", userns, "--user", "0", "--cap-add", "SETFCAP")
    pod("cp", "-a", "-", "c:/tmp", stdin=archive(f="f"))
    pod("cp", "-a", "c:/tmp/f", str(tmp_path / "f"))
    assert (tmp_path / "f").stat().st_uid not in {0, os.getuid()}
    pod("cp", "-a", str(tmp_path / "f"), "c:/tmp/again")
    pod("cp", str(tmp_path / "f"), "c:/tmp/roots")
    assert seen(pod, "stat -c '%u:%g' /tmp/f /tmp/again /tmp/roots") == "7:8\n7:8\n0:0"
    make(pod, "created", name="other")
    pod("cp", "-a", "c:/tmp/f", "other:/tmp/f")
    assert seen(pod, "stat -c '%u:%g' /tmp/f", "other") == "7:8"
    pod("unshare", "rm", str(tmp_path / "f"))


@pytest.mark.not_podman("version 4.3 keeps them")
def test_copy_on_the_host_cannot_act_for_the_caller(pod: Engine, tmp_path: Path) -> None:
    make(pod, "running")
    seen(pod, "cp /bin/busybox /tmp/p; chmod 6755 /tmp/p")
    pod("cp", "c:/tmp/p", str(tmp_path / "p"))
    assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o755


def test_between_two_containers(pod: Engine) -> None:
    make(pod, "running", name="one")
    make(pod, name="two")
    seen(pod, "mkdir /tmp/d; echo x > /tmp/d/f", "one")
    pod("cp", "one:/tmp/d", "two:/tmp/d")
    pod("cp", "two:/tmp/d/.", "one:/var/tmp")
    assert seen(pod, "cat /var/tmp/f", "one") == "x"


@pytest.mark.not_podman("version 4.3 copies the holes as zeros")
@pytest.mark.parametrize("state", STATES)
def test_holes_stay_holes(pod: Engine, tmp_path: Path, state: str) -> None:
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"middle")
    make(pod, state)
    pod("cp", str(path), "c:/tmp/sparse")
    pod("cp", "c:/tmp/sparse", str(tmp_path / "back"))
    status = (tmp_path / "back").stat()
    assert (status.st_size, status.st_blocks < 1000) == (1 << 30, True)
    with open(tmp_path / "back", "rb") as file:
        file.seek(1 << 29)
        assert file.read(6) == b"middle"


@pytest.mark.not_podman("version 4.3 hangs when it copies within one container")
@pytest.mark.parametrize("userns", ["host", "keep-id", "nomap"])
def test_attributes_and_capabilities(pod: Engine, tmp_path: Path, userns: str) -> None:
    """A program with a capability has it in the container, whoever is root there; its copy out here has none."""
    path = tmp_path / "p"
    path.write_bytes(b"x")
    os.setxattr(path, "user.color", b"red")
    make(pod, "running", "--userns", userns, "--user", "0", "--cap-add", "SETFCAP")
    archive_ = io.BytesIO()
    with tarfile.open(fileobj=archive_, mode="w", format=tarfile.PAX_FORMAT) as opened:
        info = tarfile.TarInfo("capable")
        info.size = 1
        info.pax_headers = {"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}
        opened.addfile(info, io.BytesIO(b"x"))
    pod("cp", str(path), "c:/tmp/p")
    pod("cp", "c:/tmp/p", str(tmp_path / "q"))
    assert os.getxattr(tmp_path / "q", "user.color") == b"red"
    pod("cp", "-", "c:/tmp", stdin=archive_.getvalue())
    pod("cp", "c:/tmp/capable", "c:/tmp/again")
    with pod.spawn("cp", "c:/tmp/again", "-", stdout=subprocess.PIPE) as process:
        data, _ = process.communicate()
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        found = opened.getmembers()[0].pax_headers["SCHILY.xattr.security.capability"]
    assert found.encode("utf-8", "surrogateescape") == CAPABILITY
    pod("cp", "c:/tmp/again", str(tmp_path / "again"))
    assert os.listxattr(tmp_path / "again") == []


def test_links_in_the_container_stay_inside(pod: Engine, tmp_path: Path) -> None:
    secret, victim = tmp_path / "secret", tmp_path / "victim"
    secret.write_text("of the host")
    victim.mkdir()
    make(pod, "running")
    seen(
        pod, f"ln -s {secret} /tmp/out; ln -s {victim} /tmp/dir; ln -s ../../../../{victim} /tmp/up"
    )
    pod("cp", "c:/tmp/out", str(tmp_path / "got"), status=125)
    (tmp_path / "f").write_text("f")
    for name in ("dir", "up"):
        pod("cp", str(tmp_path / "f"), f"c:/tmp/{name}/", status=125)
    assert os.listdir(victim) == []
    assert not (tmp_path / "got").exists()


def test_swapped_links_lead_nowhere(pod: Engine, tmp_path: Path) -> None:
    """A container that keeps swapping a directory for a link to the host's gets nothing written or read there."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "a").write_text("of the host")
    source = tree(tmp_path / "d")
    make(pod, "running")
    swap = (
        f"mkdir -p /tmp/d/sub /tmp/keep; ln -s {victim} /tmp/evil; cd /tmp; "
        "while :; do mv d keep/d; mv evil d; mv d evil; mv keep/d d; done"
    )
    pod("exec", "-d", "c", "sh", "-c", swap)
    for number in range(6):
        pod("cp", str(source), "c:/tmp", status=None)
        pod("cp", "-", "c:/tmp", stdin=archive(**{"d/new": "x", "d/sub/new": "y"}), status=None)
        pod("cp", "c:/tmp/d/.", str(tmp_path / f"got{number}"), status=None)
    assert os.listdir(victim) == ["a"]
    assert (victim / "a").read_text() == "of the host"
    for found in tmp_path.glob("got*/**/*"):
        assert found.is_symlink() or found.is_dir() or found.read_text() != "of the host"


@pytest.mark.not_podman("version 4.3 says it in other words")
def test_overwrite(pod: Engine, tmp_path: Path) -> None:
    tree(tmp_path / "d")
    (tmp_path / "f").write_text("f")
    make(pod, "running")
    seen(pod, "mkdir -p /tmp/f/x; echo x > /tmp/d")
    for name in ("d", "f"):
        assert "take the place" in one_error(pod("cp", str(tmp_path / name), "c:/tmp/", status=125))
        pod("cp", "--overwrite", str(tmp_path / name), "c:/tmp/")
    assert seen(pod, "cat /tmp/f /tmp/d/a") == "fa"
    seen(pod, "echo x > /tmp/file")
    pod("cp", "--overwrite", str(tmp_path / "d"), "c:/tmp/file")
    assert seen(pod, "cat /tmp/file/a") == "a"


@pytest.mark.not_podman("version 4.3 says that it is busy")
def test_mounted_file_gets_the_content(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 me\n")
    make(pod, "running")
    pod("cp", str(tmp_path / "hosts"), "c:/etc/hosts")
    assert seen(pod, "cat /etc/hosts") == "127.0.0.1 me"


@pytest.mark.not_podman("version 4.3 says that there is nothing")
def test_file_of_proc_is_read_to_its_end(pod: Engine, tmp_path: Path) -> None:
    make(pod, "running")
    pod("cp", "c:/proc/version", str(tmp_path / "version"))
    assert (tmp_path / "version").read_text().startswith("Linux version")


@pytest.mark.not_podman("version 4.3 does not come to an end")
def test_into_itself(pod: Engine) -> None:
    make(pod, "running")
    seen(pod, "mkdir -p /tmp/a/b; echo x > /tmp/a/f")
    pod("cp", "c:/tmp/a", "c:/tmp/a/b")
    assert seen(pod, "cd /tmp/a/b; find . | sort") == ".\n./a\n./a/b\n./a/f"
    assert "itself" in one_error(pod("cp", "c:/tmp/a/f", "c:/tmp/a/f", status=125), hint=None)


@pytest.mark.not_podman("another sentence")
def test_sockets_and_devices_are_said(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "d" / "s"))
        make(pod, "running")
        result = pod("cp", str(tmp_path / "d"), "c:/tmp/d")
        assert "'" + str(tmp_path / "d" / "s") + "' is a socket" in result.stderr
    assert "a device" in one_error(pod("cp", "c:/dev/null", str(tmp_path), status=125), hint=None)


@pytest.mark.not_podman("version 4.3 says two errors")
def test_read_only_root_is_said(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("f")
    make(pod, "running", "--read-only")
    message = one_error(pod("cp", str(tmp_path / "f"), "c:/bin/f", status=125), hint=None)
    assert "read-only" in message
    pod("cp", str(tmp_path / "f"), "c:/tmp/f")
    assert seen(pod, "cat /tmp/f") == "f"


@pytest.mark.not_podman("it has other sentences")
@pytest.mark.parametrize("command", ["cp", "commit", "export"])
@pytest.mark.parametrize("state", STATES)
def test_container_that_is_removed_meanwhile(
    pod: Engine, tmp_path: Path, state: str, command: str
) -> None:
    """It comes before or after the removal, or says that the container is gone; nothing of either is left."""
    for number in range(256):
        (tmp_path / "d" / str(number)).mkdir(parents=True)
        (tmp_path / "d" / str(number) / "f").write_text("f" * 1000)
    make(pod, state)
    pod("cp", str(tmp_path / "d"), "c:/d")
    words = {
        "cp": ("cp", "c:/d", str(tmp_path / "back")),
        "commit": ("commit", "c", "made"),
        "export": ("export", "-o", str(tmp_path / "out.tar"), "c"),
    }
    with pod.spawn(*words[command]) as busy:
        pod("rm", "-f", "-t", "0", "c")
        _, errors = busy.communicate()
    assert busy.returncode in {0, 125}
    assert b"Traceback" not in errors
    assert errors.count(b"Error: ") == (1 if busy.returncode else 0)
    assert not busy.returncode or b"'c" in errors
    assert pod("ps", "-a", "-q").out == ""
    assert sorted(name for name in os.listdir(tmp_path) if name not in {"d", "back"}) in (
        [],
        ["out.tar"],
    )
    nothing_wrong(pod, max_age="24h")


@pytest.mark.not_podman("its words differ")
def test_symbolic_links_that_never_end_are_said_to_be(pod: Engine, tmp_path: Path) -> None:
    run_sleeping = ("run", "-d", "--network", "none", "--name", "loops", "busybox", "sh", "-c")
    pod(*run_sleeping, "ln -s a /b; ln -s b /a; touch /ready; exec sleep 1000")
    until(lambda: pod("exec", "loops", "test", "-e", "/ready", status=None).status == 0, "links")
    (tmp_path / "file").write_text("x")
    for words in (("loops:/a", str(tmp_path / "out")), (str(tmp_path / "file"), "loops:/a/")):
        error = pod("cp", *words, status=125).stderr
        assert "never end" in error and "loops:/a" in error
