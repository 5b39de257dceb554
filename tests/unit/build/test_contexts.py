"""Contexts of builds: where they come from, and that nothing in them reaches outside."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pod.base.errors import InvalidValue, PodError, UsageError
from pod.build import git
from pod.build.context_archives import CannotReadContext
from pod.build.contexts import BuildContext, Contexts
from pod.build.options import BuildOptions
from storage.staging import Staging
from tests.support.repositories import git as git_in


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where temporary files go, which must be empty again afterwards."""
    path = tmp_path / "work"
    path.mkdir()
    return path


def opened(work: Path, **options: object) -> BuildContext:
    contexts = Contexts(BuildOptions(**options), Staging(str(work)))  # type: ignore[arg-type]
    return contexts.main()


def archive(*members: tuple[str, bytes | None, dict[str, object]], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content, attributes in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content or b"")
            for key, value in attributes.items():
                setattr(entry, key, value)
            tar.addfile(entry, io.BytesIO(content or b""))
    return out.getvalue()


@pytest.fixture
def standard_input(tmp_path: Path) -> Iterator[object]:
    """A function that makes bytes our standard input."""
    before = os.dup(0)

    def put(content: bytes) -> None:
        path = tmp_path / "stdin"
        path.write_bytes(content)
        fd = os.open(path, os.O_RDONLY)
        os.dup2(fd, 0)
        os.close(fd)

    yield put
    os.dup2(before, 0)
    os.close(before)


# Directories


def test_containerfile_comes_before_dockerfile(tmp_path: Path, work: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM two\n")
    assert opened(work, context=str(tmp_path)).dockerfile == b"FROM two\n"
    (tmp_path / "Containerfile").write_text("FROM one\n")
    assert opened(work, context=str(tmp_path)).dockerfile_name == "Containerfile"


def test_file_is_looked_for_where_we_are_and_then_in_the_context(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, context = tmp_path / "here", tmp_path / "context"
    here.mkdir()
    context.mkdir()
    monkeypatch.chdir(here)
    (context / "Other").write_text("FROM context\n")
    assert opened(work, context="../context", files=("Other",)).dockerfile == b"FROM context\n"
    (here / "Other").write_text("FROM here\n")
    assert opened(work, context="../context", files=("Other",)).dockerfile == b"FROM here\n"
    assert opened(work, files=("Other",)).directory == str(here)


def test_several_files_are_one_dockerfile(tmp_path: Path, work: Path) -> None:
    (tmp_path / "a").write_text("FROM a\n")
    (tmp_path / "b").write_text("RUN b")
    found = opened(work, context=str(tmp_path), files=("a", "b"))
    assert found.dockerfile == b"FROM a\nRUN b\n"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param([".dockerignore"], ".dockerignore", id="docker"),
        pytest.param([".dockerignore", ".containerignore"], ".containerignore", id="container"),
        pytest.param(
            [".dockerignore", "Dockerfile.dockerignore"], "Dockerfile.dockerignore", id="own"
        ),
    ],
)
def test_ignore_files_by_precedence(
    tmp_path: Path, work: Path, names: list[str], expected: str
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    for name in names:
        (tmp_path / name).write_text(f"{name}\n")
    found = opened(work, context=str(tmp_path))
    assert (found.ignore_name, found.ignored[0]) == (expected, expected)


def test_missing_things_are_named(tmp_path: Path, work: Path) -> None:
    with pytest.raises(CannotReadContext, match="context '/none' is not there"):
        opened(work, context="/none")
    with pytest.raises(CannotReadContext, match="has no file Containerfile or Dockerfile"):
        opened(work, context=str(tmp_path))
    with pytest.raises(CannotReadContext, match="Dockerfile 'x' is not there"):
        opened(work, context=str(tmp_path), files=("x",))
    with pytest.raises(UsageError, match="missing context"):
        opened(work)


# Standard input


def test_standard_input_is_a_dockerfile_or_an_archive(work: Path, standard_input: object) -> None:
    put = standard_input
    put(b"FROM scratch\n")  # type: ignore[operator]
    found = opened(work, context="-")
    assert found.dockerfile == b"FROM scratch\n" and os.listdir(found.directory) == []
    for mode in ("w", "w:gz", "w:xz", "w:bz2"):
        put(archive(("Dockerfile", b"FROM it\n", {}), ("d/f", b"f", {}), mode=mode))  # type: ignore[operator]
        found = opened(work, context="-")
        assert found.dockerfile == b"FROM it\n"
        assert Path(found.directory, "d/f").read_text() == "f"


def test_dockerfile_from_standard_input(tmp_path: Path, work: Path, standard_input: object) -> None:
    standard_input(b"FROM stdin\n")  # type: ignore[operator]
    found = opened(work, context=str(tmp_path), files=("-",))
    assert (found.dockerfile, found.dockerfile_name) == (b"FROM stdin\n", "standard input")
    with pytest.raises(UsageError, match="cannot be both"):
        opened(work, context="-", files=("-",))


# Hostile archives


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([("../../escaped", b"x", {})], id="dots"),
        pytest.param([("{out}/escaped", b"x", {})], id="absolute"),
        pytest.param(
            [
                ("link", None, {"type": tarfile.SYMTYPE, "linkname": "{out}"}),
                ("link/escaped", b"x", {}),
            ],
            id="through a symbolic link",
        ),
        pytest.param(
            [
                ("escaped", None, {"type": tarfile.LNKTYPE, "linkname": "../../victim"}),
                ("escaped", b"x", {}),
            ],
            id="through a hard link",
        ),
        pytest.param(
            [
                ("victim", None, {"type": tarfile.SYMTYPE, "linkname": "{out}/victim"}),
                ("victim", b"x", {}),
            ],
            id="file over a symbolic link",
        ),
    ],
)
def test_archives_stay_in_their_directory(
    tmp_path: Path,
    work: Path,
    standard_input: object,
    members: list[tuple[str, bytes | None, dict[str, object]]],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "victim").write_text("mine")
    (tmp_path / "victim").write_text("mine")
    filled = [
        (
            name.format(out=out),
            content,
            {k: v.format(out=out) if isinstance(v, str) else v for k, v in more.items()},
        )
        for name, content, more in members
    ]
    standard_input(archive(("Dockerfile", b"FROM scratch\n", {}), *filled))  # type: ignore[operator]
    try:
        opened(work, context="-")
    except CannotReadContext:
        pass  # refused, which is as good
    assert os.listdir(out) == ["victim"]
    assert (out / "victim").read_text() == (tmp_path / "victim").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["out", "stdin", "victim", "work"]


def test_links_in_an_archive_show_nothing_of_the_host(
    tmp_path: Path, work: Path, standard_input: object
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("FROM secret\n")
    link = ("Dockerfile", None, {"type": tarfile.SYMTYPE, "linkname": str(secret)})
    standard_input(archive(link))  # type: ignore[operator]
    with pytest.raises(CannotReadContext, match="has no file"):
        opened(work, context="-")


def test_device_files_are_left_out(work: Path, standard_input: object) -> None:
    device = {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}
    put = standard_input
    put(archive(("Dockerfile", b"FROM scratch\n", {}), ("null", None, device)))  # type: ignore[operator]
    assert os.listdir(opened(work, context="-").directory) == ["Dockerfile"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(archive(("Dockerfile", b"x" * 4096, {}))[:2048], id="cut"),
        pytest.param(archive(("a", b"a", {}), mode="w:gz")[:-20], id="cut while compressed"),
    ],
)
def test_broken_archives_are_refused(work: Path, standard_input: object, content: bytes) -> None:
    standard_input(content)  # type: ignore[operator]
    with pytest.raises(CannotReadContext, match="standard input cannot be unpacked"):
        opened(work, context="-")


def test_nothing_is_left_behind(work: Path, standard_input: object) -> None:
    locked = ("locked", None, {"type": tarfile.DIRTYPE, "mode": 0o000})
    standard_input(archive(("Dockerfile", b"FROM x\n", {}), locked, ("locked/f", b"f", {})))  # type: ignore[operator]
    with Contexts(BuildOptions(context="-"), Staging(str(work))) as contexts:
        contexts.main()
    assert os.listdir(work / "staging") == []


# Addresses


def test_archive_and_dockerfile_from_an_address(work: Path, site: tuple[str, Path]) -> None:
    address, root = site
    (root / "it.tar.gz").write_bytes(archive(("Dockerfile", b"FROM tar\n", {}), mode="w:gz"))
    (root / "Plain").write_text("FROM plain\n")
    assert opened(work, context=f"{address}/it.tar.gz").dockerfile == b"FROM tar\n"
    assert opened(work, context=f"{address}/Plain").dockerfile == b"FROM plain\n"
    assert opened(work, files=(f"{address}/Plain",)).dockerfile == b"FROM plain\n"
    with pytest.raises(CannotReadContext, match="there is nothing at"):
        opened(work, context=f"{address}/none.tar")


def test_git_repository_by_branch_tag_commit_and_directory(
    work: Path, repository: tuple[str, Path]
) -> None:
    address, source = repository
    found = opened(work, context=address)
    assert found.dockerfile == b"FROM scratch\n"
    assert not os.path.exists(os.path.join(found.directory, ".git"))
    assert opened(work, context=f"{address}#side:app").dockerfile == b"FROM side\n"
    assert opened(work, context=f"{address}?ref=side&subdir=app").dockerfile == b"FROM side\n"
    commit = git_in(source, "rev-parse", "HEAD")
    assert opened(work, context=f"{address}#{commit}:app").dockerfile == b"FROM one\n"
    assert commit in opened(work, context=f"{address}#{commit[:10]}").origin


def test_files_of_a_repository_have_the_same_modes_everywhere(
    work: Path, repository: tuple[str, Path]
) -> None:
    """git leaves them to the umask, and they are part of what COPY copies."""
    before = os.umask(0o077)
    try:
        top = Path(opened(work, context=repository[0]).directory)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in top.rglob("*") if not path.is_symlink()}
    assert modes <= {0o644, 0o755} and top.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "fragment",
    ["#:out", "#:out/ssl", "#:none", "#:Dockerfile", "#nosuchbranch"],
)
def test_git_directories_stay_in_the_repository(
    work: Path, repository: tuple[str, Path], fragment: str
) -> None:
    with pytest.raises(git.CannotFetch):
        opened(work, context=repository[0] + fragment)


@pytest.mark.parametrize(
    "text",
    [
        "https://--upload-pack=touch/x.git",
        "ssh://-oProxyCommand=touch/x.git",
        "git@-oProxyCommand=touch:x.git",
        "git://host",
        "https://host/x.git#--upload-pack=touch",
        "https://host/x.git#main:../..",
        "https://host/x.git?subdir=../..",
        "https://host/x.git?upload-pack=touch",
        "https://host/x y.git",
    ],
)
def test_git_addresses_are_no_options(text: str) -> None:
    assert git.is_git(text)
    with pytest.raises(InvalidValue):
        git.parse_git(text)


@pytest.mark.parametrize(
    "text",
    ["ext::sh -c touch% x.git", "file:///x.git", "fd::3", "--upload-pack=x", "/x/y.git", "."],
)
def test_other_transports_are_no_repositories(text: str, work: Path) -> None:
    assert not git.is_git(text)
    with pytest.raises(PodError):
        opened(work, context=text)


def test_submodules_may_not_come_from_this_machine(
    work: Path, tmp_path: Path, repository: tuple[str, Path], site: tuple[str, Path]
) -> None:
    _, source = repository
    (source / ".gitmodules").write_text(
        f'[submodule "s"]\n\tpath = s\n\turl = file://{tmp_path}/site/it.git\n'
    )
    commit = git_in(source, "rev-parse", "HEAD")
    git_in(source, "update-index", "--add", "--cacheinfo", f"160000,{commit},s")
    git_in(source, "add", ".gitmodules")
    git_in(source, "commit", "-q", "-m", "three")
    git_in(tmp_path, "clone", "-q", "--bare", str(source), str(site[1] / "evil.git"))
    git_in(site[1] / "evil.git", "update-server-info")
    with pytest.raises(git.CannotFetch, match="transport 'file' not allowed"):
        opened(work, context=f"{site[0]}/evil.git")
