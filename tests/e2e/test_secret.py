"""`pod secret`, `pod config`, and `--secret` of run and create."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.terminal import Terminal
from tests.support.waiting import until

not_podman = pytest.mark.not_podman
WORD = "hunter2-and-more-of-it"


@pytest.fixture(autouse=True)
def no_secrets_are_left(pod: Engine) -> Iterator[None]:
    yield
    for name in pod("secret", "ls", "--format", "{{.ID}}").lines:
        pod("secret", "rm", name)


def without_terminal(pod: Engine, *words: str, stdin: bytes = b"") -> str:
    """What a command that fails says when nobody can be asked for a passphrase, also when a person runs the tests."""
    with pod.spawn(*words, start_new_session=True) as process:
        _, said = process.communicate(stdin, timeout=60)
    assert process.returncode == 125
    return said.decode()


def make(pod: Engine, name: str, content: str | bytes = WORD, *words: str) -> str:
    return pod("secret", "create", *words, name, "-", stdin=content).out


def test_create_list_inspect_remove(pod: Engine) -> None:
    number = make(pod, "db", WORD, "--label", "a=b")
    assert len(number) == 25
    assert pod("secret", "ls", "--format", "{{.ID}} {{.Name}} {{.Driver}}").out == (
        f"{number} db file"
    )
    (document,) = pod("secret", "inspect", "db").json()
    assert document["ID"] == number
    assert document["Spec"]["Name"] == "db"
    assert document["Spec"]["Driver"]["Name"] == "file"
    assert pod("secret", "inspect", "--format", "{{.Spec.Name}}", number[:7]).out == "db"
    assert pod("secret", "rm", "db").out == number
    assert pod("secret", "ls", "-q").out == ""
    assert "db" in pod("secret", "inspect", "db", status=125).stderr


@not_podman("4.3 has none of these")
def test_flags_of_create_and_rm(pod: Engine, tmp_path: Path) -> None:
    number = make(pod, "db", WORD, "--label", "a=b")
    assert "in use" in pod("secret", "create", "db", "-", stdin="x", status=125).stderr
    assert make(pod, "db", "other", "--ignore") == number
    newer = make(pod, "db", "other", "--replace")
    assert newer != number
    assert pod("secret", "inspect", "--showsecret", "db").json()[0]["SecretData"] == "other"
    pod("secret", "create", "--env", "var", "SOME", env={"SOME": "from the environment"})
    shown = pod("secret", "inspect", "--showsecret", "--format", "{{.SecretData}}", "var").out
    assert shown == "from the environment"
    assert "SOME" in pod("secret", "create", "--env", "no", "SOME", status=125).stderr
    assert pod("secret", "ls", "--noheading", "--filter", "name=^v").out.split()[1] == "var"
    assert pod("secret", "ls", "-q", "--filter", f"id={newer[:5]}").out == newer
    pretty = pod("secret", "inspect", "--pretty", "var").lines
    assert pretty[1] == "Name:            var"
    assert [pod("secret", "exists", name, status=None).status for name in ("var", "no")] == [0, 1]
    assert "no secret" in pod("secret", "rm", "no", "var", status=125).stderr
    pod("secret", "rm", "--ignore", "no")
    pod("secret", "rm", "--all")
    assert pod("secret", "ls", "-q").out == ""


@not_podman("its words and limits differ")
@pytest.mark.parametrize(
    ("name", "content", "words", "says"),
    [
        ("a/b", "x", [], "'a/b'"),
        ("a=b", "x", [], "'a=b'"),
        ("a,b", "x", [], "'a,b'"),
        ("..", "x", [], "'..'"),
        ("a\nb", "x", [], "secret name"),
        ("", "x", [], "secret name"),
        ("n" * 254, "x", [], "secret name"),
        ("empty", "", [], "at least 1"),
        ("big", b"x" * 512_001, [], "at most 512000 bytes"),
        ("one", "x", ["--driver", "pass"], "--driver=pass"),
        ("one", "x", ["--driver", "shell"], "--driver=shell"),
        ("one", "x", ["--driver", "vault"], "--driver=vault"),
        ("one", "x", ["--driver-opts", "colour=red"], "--driver-opts colour=red"),
        ("one", "x", ["--driver-opts", "encrypt=rot13"], "encrypt=rot13"),
        ("one", "x", ["--label", "=b"], "'=b' for '--label'"),
        ("one", "x", ["--ignore", "--replace"], "exclude each other"),
    ],
    ids=lambda value: str(value)[:20].replace("\n", "") if not isinstance(value, bytes) else "big",
)
def test_wrong_secrets_are_refused(
    pod: Engine, name: str, content: str | bytes, words: list[str], says: str
) -> None:
    result = pod("secret", "create", *words, name, "-", stdin=content, status=125)
    assert says in result.stderr
    assert pod("secret", "ls", "-q").out == ""


def test_a_file_in_the_container(pod: Engine) -> None:
    make(pod, "db")
    show = "cat /run/secrets/db; stat -c ' %a %u %g' /run/secrets/db"
    assert pod("run", "--rm", "--secret", "db", "busybox", "sh", "-c", show).out == (
        f"{WORD} 444 0 0"
    )


@not_podman("4.3 lets root of the container write to it")
def test_nobody_in_the_container_can_change_it(pod: Engine) -> None:
    make(pod, "db")
    words = ["run", "--rm", "--secret", "db", "busybox"]
    assert "Read-only" in pod(*words, "sh", "-c", "echo no > /run/secrets/db", status=1).stderr
    assert pod("secret", "inspect", "--showsecret", "--format", "{{.SecretData}}", "db").out == WORD


def test_owner_mode_and_target(pod: Engine) -> None:
    number = make(pod, "db")
    use = f"{number},target=/etc/my/pass word,uid=12,gid=13,mode=0400"
    show = "cat '/etc/my/pass word'; stat -c ' %a %u %g' '/etc/my/pass word'"
    done = pod("run", "--rm", "--user", "12", "--secret", use, "busybox", "sh", "-c", show)
    assert done.out == f"{WORD} 400 12 13"
    use = "db,target=other"
    assert pod("run", "--rm", "--secret", use, "busybox", "cat", "/run/secrets/other").out == WORD


@not_podman("4.3 has no such owner in these maps")
@pytest.mark.parametrize("userns", ["keep-id:uid=7,gid=9", "nomap", "auto"])
def test_owner_with_other_maps(pod: Engine, userns: str) -> None:
    make(pod, "db")
    show = "cat /run/secrets/db; stat -c ' %a %u %g' /run/secrets/db"
    words = ["--userns", userns, "--user", "7", "--secret", "db,uid=7,gid=8,mode=0400"]
    assert pod("run", "--rm", *words, "busybox", "sh", "-c", show).out == f"{WORD} 400 7 8"


def test_a_variable_also_for_exec(pod: Engine) -> None:
    make(pod, "db", "two\nlines")
    pod(
        "run", "-d", "--name", "one", "-e", "WORD=old", "--secret", "db,type=env,target=WORD",
        "busybox", "sh", "-c", 'echo "$WORD"; exec sleep 1000',
    )  # fmt: skip
    assert pod("exec", "one", "sh", "-c", 'echo "$WORD"').out == "two\nlines"
    until(lambda: pod("logs", "one").out == "two\nlines", "the variable of process 1")


def test_a_removed_secret_stays_with_its_container(pod: Engine) -> None:
    make(pod, "db")
    pod("create", "--name", "one", "--secret", "db", "busybox", "cat", "/run/secrets/db")
    pod("secret", "rm", "db")
    assert [pod("start", "-a", "one").out for _ in range(2)] == [WORD, WORD]
    assert "db" in pod("create", "--secret", "db", "busybox", status=125).stderr


@not_podman("it takes no more than it can hold in a line, and reads --showsecret from 4.7 on")
def test_any_bytes_and_the_largest(pod: Engine) -> None:
    content = bytes(range(256)) * 2000
    assert len(content) == 512_000
    make(pod, "big", content)
    with pod.spawn("run", "--rm", "--secret", "big", "busybox", "cat", "/run/secrets/big") as it:
        assert it.stdout is not None
        assert it.stdout.read() == content
    result = pod("run", "--rm", "--secret", "big,type=env", "busybox", "true", status=125)
    assert "zero byte" in result.stderr
    make(pod, "long", b"x" * 131_070)
    length = ["busybox", "sh", "-c", "echo ${#V}"]
    assert (
        pod("run", "--rm", "--secret", "long,type=env,target=V", *length, status=125).stdout == ""
    )
    make(pod, "fits", b"x" * 131_069)
    assert pod("run", "--rm", "--secret", "fits,type=env,target=V", *length).out == "131069"
    assert "131069 under the name 'V'" in (
        pod("run", "--rm", "--secret", "long,type=env,target=V", *length, status=125).stderr
    )
    assert pod.containers() == []


@not_podman("its words differ")
@pytest.mark.parametrize(
    ("use", "says"),
    [
        ("none", "no secret has the name or id 'none'"),
        ("db,colour=red", "'colour=red' is not understood"),
        ("db,type=file", "type is mount or env"),
        ("db,uid=me", "uid is a number"),
        ("db,mode=9", "octal"),
        ("db,type=env,mode=0400", "a variable has no mode"),
        ("db,target=../../etc/passwd", "cannot be a target"),
        ("db,target=/", "cannot be a target"),
        ("db,type=env,target=A=B", "name of a variable"),
        ("type=env", "name of the secret is missing"),
        ("db,uid=4294967294", "not among those that the container has"),
    ],
)
def test_wrong_uses_are_refused(pod: Engine, use: str, says: str) -> None:
    make(pod, "db")
    result = pod("run", "--rm", "--secret", use, "busybox", "true", status=125)
    assert says in result.stderr
    assert pod.containers() == []


@not_podman("4.3 keeps them as plain text in its own files")
def test_nothing_shows_or_keeps_the_content(pod: Engine, tmp_path: Path) -> None:
    """Everything that pod has written and prints is looked through; only the files of secrets may have it."""
    make(pod, "db")
    make(pod, "plain", WORD + "-variable")
    pod(
        "run", "--name", "one", "--secret", "db", "--secret", "plain,type=env,target=PLAIN",
        "busybox", "true",
    )  # fmt: skip
    told = [
        pod("inspect", "one"), pod("secret", "inspect", "db"), pod("secret", "ls"),
        pod("ps", "-a", "--format", "json"), pod("logs", "one"), pod("info"),
        pod("events", "--stream=false", "--format", "json"), pod("--log-level=debug", "start", "one"),
        pod("wait", "one"), pod("container", "inspect", "--format", "{{json .}}", "one"),
    ]  # fmt: skip
    if pod("commit", "--help", status=None).status == 0:
        told += [pod("commit", "one", "made"), pod("history", "--no-trunc", "made")]
        told += [pod("inspect", "made"), pod("rmi", "made")]
    archive = str(tmp_path / "one.tar")
    if pod("export", "-o", archive, "one", status=None).status == 0:
        assert WORD.encode() not in Path(archive).read_bytes()
    for result in told:
        assert WORD not in result.stdout + result.stderr
    assert {"name": "db", "kind": "mount"}.items() <= {
        "name": pod("inspect", "one").json()[0]["Config"]["Secrets"][0]["Name"],
        "kind": "mount",
    }.items()
    found = []
    for top in (pod.root, pod.runroot):
        for directory, _, names in os.walk(top):
            for name in names:
                path = os.path.join(directory, name)
                try:
                    if os.path.isfile(path) and WORD.encode() in Path(path).read_bytes():
                        found.append(path)
                except (PermissionError, FileNotFoundError):
                    continue
    assert found
    for path in found:
        assert f"{os.sep}secrets{os.sep}" in path
        assert os.stat(path).st_mode & 0o077 == 0


@not_podman("it has no encryption")
def test_encrypted_with_a_passphrase(pod: Engine, tmp_path: Path) -> None:
    make_env = {"POD_SECRETS_PASSPHRASE": "open sesame"}
    pod(
        "secret", "create", "--driver-opts", "encrypt=passphrase", "db", "-",
        stdin=WORD, env=make_env,
    )  # fmt: skip
    words = ["run", "--rm", "--env-host", "--secret", "db", "busybox"]
    show = "cat /run/secrets/db; env | grep -c sesame"
    assert pod(*words, "sh", "-c", show, env=make_env, status=1).lines == [f"{WORD}0"]
    assert "no terminal" in without_terminal(pod, *words, "true")
    create = ["secret", "create", "--driver-opts", "encrypt=passphrase", "other", "-"]
    assert "no terminal" in without_terminal(pod, *create, stdin=b"x")
    wrong = {"POD_SECRETS_PASSPHRASE": "open barley"}
    assert "not the right one" in pod(*words, "true", env=wrong, status=125).stderr
    (number,) = pod("secret", "ls", "-q").lines
    assert WORD.encode() not in Path(f"{pod.root}/secrets/{number}").read_bytes()
    path = tmp_path / "passphrase"
    path.write_text("from a file\n")
    pod(
        "secret", "create", "--driver-opts", f"encrypt=passphrase,passphrase-file={path}",
        "filed", "-", stdin=WORD,
    )  # fmt: skip
    pod("run", "-d", "--name", "one", "--secret", "filed", "busybox", "sleep", "1000")
    assert pod("exec", "one", "cat", "/run/secrets/filed").out == WORD
    (copy,) = Path(f"{pod.root}/containers").glob("*/secrets/*")
    assert WORD.encode() not in copy.read_bytes()


@not_podman("it has no encryption")
def test_a_passphrase_is_asked_for_on_the_terminal(pod: Engine) -> None:
    """Also when the secret itself comes from standard input."""
    create = pod.full_command("secret", "create", "--driver-opts=encrypt=passphrase", "db", "-")
    command = ["/bin/sh", "-c", f'printf %s "$0" | {shlex.join(create)}', WORD]
    with Terminal(command, pod.environment) as terminal:
        terminal.expect("Passphrase for secret 'db': ")
        terminal.type("open sesame\n")
        terminal.expect("The same again: ")
        terminal.type("open sesame\n")
        assert terminal.wait() == 0
    show = pod.full_command("run", "--rm", "--secret", "db", "busybox", "cat", "/run/secrets/db")
    with Terminal(show, pod.environment) as terminal:
        terminal.expect("Passphrase for secret 'db': ")
        terminal.type("open sesame\n")
        terminal.expect(WORD)
        assert terminal.wait() == 0
    assert "sesame" not in terminal.screen


@not_podman("it has no encryption")
def test_encrypted_by_systemd_creds(pod: Engine, tmp_path: Path) -> None:
    """The program is a stand-in with the same arguments: the real one needs systemd 256, or root."""
    program = tmp_path / "bin" / "systemd-creds"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\ncase "$2$3" in --user--name=pod-secret-*) rev;; *) exit 1;; esac\n'
    )
    program.chmod(0o755)
    known = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    words = ["secret", "create", "--driver-opts", "encrypt=systemd-creds", "db", "-"]
    pod(*words, stdin=WORD + "\n", env=known)
    (number,) = pod("secret", "ls", "-q").lines
    assert Path(f"{pod.root}/secrets/{number}").read_text().strip() == WORD[::-1]
    show = ["run", "--rm", "--secret", "db", "busybox", "cat", "/run/secrets/db"]
    assert pod(*show, env=known).out == WORD
    program.write_text("#!/bin/sh\necho no key here >&2\nexit 1\n")
    assert "no key here" in pod(*show, env=known, status=125).stderr


@not_podman("it has no configs")
def test_configs(pod: Engine) -> None:
    number = pod("config", "create", "--label", "a=b", "web", "-", stdin="listen 80").out
    assert pod("config", "ls", "--format", "{{.ID}} {{.Name}}").out == f"{number} web"
    (document,) = pod("config", "inspect", "web").json()
    assert document["Spec"] == {"Name": "web", "Labels": {"a": "b"}, "Data": "bGlzdGVuIDgw"}
    assert pod("config", "inspect", "--pretty", "web").lines[-1] == "listen 80"
    assert pod("secret", "ls", "-q").out == ""
    assert pod("config", "rm", "web").out == number
    assert "no config" in pod("config", "rm", "web", status=125).stderr


@not_podman("4.3 tells of no secrets")
def test_events_of_secrets(pod: Engine) -> None:
    number = make(pod, "db")
    pod("secret", "rm", "db")
    words = ["events", "--stream=false", "--filter", f"secret={number}", "--format", "json"]
    events = [json.loads(line) for line in pod(*words).lines]
    assert [(event["Status"], event["Name"]) for event in events] == [
        ("create", "db"),
        ("remove", "db"),
    ]
    assert WORD not in json.dumps(events)


@not_podman("it has other files")
def test_lost_content_is_told(pod: Engine) -> None:
    number = make(pod, "db")
    os.unlink(f"{pod.root}/secrets/{number}")
    result = pod("create", "--secret", "db", "busybox", status=125)
    assert "damaged" in result.stderr
    checked = pod("system", "check", status=None)
    assert checked.status != 0
    assert "secret 'db'" in checked.stdout + checked.stderr
    pod("system", "check", "--repair", "--force", status=None)
    assert pod("secret", "ls", "-q").out == ""


@not_podman("it has other files")
def test_many_at_once(pod: Engine) -> None:
    running = [pod.spawn("secret", "create", "--env", f"s{number}", "HOME") for number in range(8)]
    for process in running:
        process.communicate()
        assert process.returncode == 0
    assert len(pod("secret", "ls", "-q").lines) == 8


@not_podman("it has another monitor")
def test_a_killed_monitor_leaves_no_content(pod: Engine) -> None:
    """The next command takes away what the container saw; the container's own copy stays for its next start."""
    make(pod, "db")
    pod("run", "-d", "--name", "one", "--secret", "db", "busybox", "sleep", "1000")
    (seen,) = Path(pod.runroot).glob("containers/*/secrets/*")
    assert seen.read_text() == WORD
    monitor = int(pod("inspect", "--format", "{{.State.ConmonPid}}", "one").out)
    os.kill(monitor, signal.SIGKILL)
    until(lambda: pod("inspect", "--format", "{{.State.Status}}", "one").out == "exited", "over")
    assert not seen.exists()
    assert list(Path(f"{pod.root}/containers").glob("*/secrets/*"))
