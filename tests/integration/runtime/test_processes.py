"""Who a container's processes are and what they have: users, groups, limits, directories, exit statuses.

Bundles that other OCI runtimes understand run on crun and runc too.
"""

from __future__ import annotations

import os
import resource

import pytest

from pod.base.errors import PodError
from pod.spec.resources import Ulimit
from tests.support.bundles import Bench, Exec, unpack_busybox


def test_status_streams_and_what_is_usual(bench: Bench, runtime: str) -> None:
    script = (
        """echo "$$ $(id -u) $(id -g) $(pwd) $(umask) $HOME $(hostname)"; echo err >&2; exit 3"""
    )
    done = bench.run("sh", "-c", script, runtime=runtime)
    assert (done.status, done.out, done.err) == (3, "1 0 0 / 0022 /root cccccccccccc\n", "err\n")


def test_status_of_a_signal(bench: Bench, runtime: str) -> None:
    assert (
        bench.run("sh", "-c", "sleep 100 & kill -9 $!; wait $!; exit $?", runtime=runtime).status
        == 137
    )
    assert bench.run("sleep", "100", runtime=runtime, meanwhile=_kill).status == 128 + 9


def _kill(pid: int) -> None:
    os.kill(pid, 9)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", "0 0 [0,10] /root"),  # wheel lists root
        ("daemon", "1 1 [1] /"),
        ("1", "1 1 [1] /"),
        ("daemon:wheel", "1 10 [10] /"),
        ("daemon:7", "1 7 [7] /"),
        ("1234", "1234 0 [0] /"),
        ("1234:5678", "1234 5678 [5678] /"),
    ],
)
def test_user(bench: Bench, runtime: str, user: str, expected: str) -> None:
    script = "echo $(id -u) $(id -g) [$(id -G | tr ' ' ,)] $HOME"
    assert bench.run("sh", "-c", script, user=user, runtime=runtime).lines == [expected]


def test_unknown_user_has_a_line_in_passwd_that_the_image_does_not_get(bench: Bench) -> None:
    script = "id -un; tail -n 1 /etc/passwd; stat -c %a /etc/passwd; ls -A /dev | grep passwd"
    done = bench.run("sh", "-c", script, user="4321:8")
    assert done.lines == ["4321", "4321:*:4321:8:4321:/:/bin/sh", "644"]
    done = bench.run("tail", "-n", "1", "/etc/passwd", user="4321", passwd_entry="x:y:$UID::::")
    assert done.lines == ["x:y:4321::::"]
    known = "nobody:x:65534:65534::/home:/bin/false"
    assert bench.run("tail", "-n", "1", "/etc/passwd", user="4321", passwd_entry=None).lines == [
        known
    ]


@pytest.mark.parametrize("user", ["nosuchuser", "root:nosuchgroup"])
def test_unknown_name(bench: Bench, runtime: str, user: str) -> None:
    with pytest.raises(PodError, match=f"'{user.rpartition(':')[2]}' is not in the container's"):
        bench.run("true", user=user, runtime=runtime)


def test_added_groups(bench: Bench, runtime: str) -> None:
    done = bench.run("id", "-G", user="daemon", groups=("wheel", "77"), runtime=runtime)
    assert done.lines == ["1 10 77"]


def test_groups_of_the_caller_are_kept_only_on_request(bench: Bench) -> None:
    groups = "sed -n 's/^Groups:[[:space:]]*//p' /proc/self/status"
    given = os.getgroups()
    joined = [Exec(["sh", "-c", groups])]
    for keep in (True, False):
        options = {"groups": ("keep-groups",)} if keep else {"user": "0:0"}
        done = bench.run("sh", "-c", f"{groups}; sleep 100", joins=joined, **options)
        for out in (done.out, done.joined[0].out):
            assert len(out.split()) == (len(given) if keep else 0)


def test_environment(bench: Bench, runtime: str) -> None:
    done = bench.run("env", environment=("A=1", "B=a=b c", "HOME=/x"), runtime=runtime)
    assert sorted(done.lines) == ["A=1", "B=a=b c", "HOME=/x", "PATH=/bin"]


def test_working_directory_is_made_for_the_user(bench: Bench) -> None:
    script = "pwd; stat -c '%a %u %g' . .."
    done = bench.run("sh", "-c", script, working_directory="/new/er", user="1:10", umask=0o077)
    assert done.lines == ["/new/er", "755 1 10", "755 0 0"]


def test_working_directory_that_cannot_be(bench: Bench) -> None:
    with pytest.raises(PodError, match=r"'/etc/passwd'.* cannot be (made|entered)"):
        bench.run("true", working_directory="/etc/passwd")
    with pytest.raises(PodError, match="cannot be made"):
        bench.run("true", working_directory="/etc/passwd/x")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0])
def test_umask(bench: Bench, umask: int) -> None:
    joined = [Exec(["sh", "-c", "umask"])]
    done = bench.run("sh", "-c", "umask; exec sleep 100", umask=umask, joins=joined)
    assert done.out == done.joined[0].out == f"{umask:04o}\n"


def test_limits_are_cut_to_what_the_caller_may_have(bench: Bench, runtime: str) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limits = (
        Ulimit("nofile", 100, hard * 2),
        Ulimit("core", 0, 0),
        Ulimit("stack", 1 << 20, 1 << 21),
    )
    script = "ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -Ss; ulimit -Hs"
    done = bench.run("sh", "-c", script, ulimits=limits, runtime=runtime)
    assert done.lines == ["100", str(hard), "0", "1024", "2048"]


def test_oom_score(bench: Bench, runtime: str) -> None:
    with open("/proc/self/oom_score_adj") as file:
        own = int(file.read())
    command = ("cat", "/proc/self/oom_score_adj")
    assert bench.run(*command, oom_score_adj=own + 7, runtime=runtime).lines == [str(own + 7)]
    if not runtime:
        assert bench.run(*command, oom_score_adj=-1000).lines == [str(own)]  # it cannot go down
        joined = [Exec(command)]
        done = bench.run("sleep", "100", oom_score_adj=own + 7, joins=joined)
        assert done.joined[0].lines == [str(own + 7)]


def test_signals_are_as_a_program_expects_them(bench: Bench) -> None:
    script = "grep -E 'Sig(Ign|Blk|Cgt)' /proc/self/status | cut -f 2"
    joined = [Exec(["sh", "-c", script])]
    done = bench.run("sh", "-c", f"{script}; sleep 100", joins=joined)
    for out in (done.out, done.joined[0].out):
        assert set(out.split()) == {"0" * 16}


# The command that cannot run: 127 for one that is not there, 126 for one that is no program


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        pytest.param("nosuchcommand", 127, "was not found in the container's PATH", id="name"),
        pytest.param("/no/such/file", 127, "was not found in the container", id="path"),
        pytest.param("./busybox", 127, "was not found", id="relative"),
        pytest.param("/etc", 126, "cannot be executed", id="directory"),
        pytest.param("/etc/passwd", 126, "cannot be executed", id="mode"),
        pytest.param("/etc/passwd/x", 127, "was not found", id="not-a-directory"),
        pytest.param("/script", 127, "interpreter", id="interpreter"),
        pytest.param("/garbage", 126, "no format", id="format"),
        pytest.param("/loop", 126, "cannot be executed", id="loop"),
    ],
)
def test_command_that_cannot_run(
    bench: Bench, runtime: str, command: str, status: int, reason: str, odd_root: str
) -> None:
    if command == "/garbage" and runtime:
        return  # they find out too late
    bench.root = odd_root
    with pytest.raises(PodError, match=reason) as caught:
        bench.run(command, runtime=runtime)
    assert caught.value.exit_status == status
    assert f"'{command}'" in caught.value.message
    if not runtime:
        with pytest.raises(PodError, match=reason) as caught:
            bench.run("sleep", "100", joins=[Exec([command])])
        assert caught.value.exit_status == status


@pytest.fixture(scope="session")
def odd_root(busybox_root: str, workspace: str) -> str:
    root = unpack_busybox(os.path.join(workspace, "odd-root"))
    for name, content in (("script", "#!/no/such/program\n"), ("garbage", "\1\2\3\4")):
        path = os.path.join(root, name)
        with open(path, "w") as file:
            file.write(content)
        os.chmod(path, 0o755)
    os.symlink("loop", os.path.join(root, "loop"))
    return root


def test_path_is_searched_past_what_cannot_be_executed(bench: Bench) -> None:
    environment = ("PATH=/odd:/nowhere:/etc/passwd:/bin",)
    done = bench.run(
        "sh",
        "-c",
        "mkdir /odd; touch /odd/true; exec sleep 100",
        environment=environment,
        joins=[Exec(["true"])],
    )
    assert done.joined[0].status == 0


def test_working_directory_cannot_be_one_of_the_host(bench: Bench) -> None:
    uids, gids = bench.maps
    if len(uids) < 2:
        pytest.skip("no subordinate ids")
    nobody = ((0, *uids[1][1:]),), ((0, *gids[1][1:]),)  # as with --userns=nomap
    for number in range(3, 14):
        with pytest.raises(PodError, match="working directory"):
            bench.run(
                "ls",
                "..",
                working_directory=f"/proc/self/fd/{number}",
                maps=nobody,
                changes={"closed_sources": True},
            )
