"""From words to an exit status."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pod.base import log
from pod.base.errors import PodError
from pod.cli import table
from pod.cli.declare import Arguments, Command, Option
from pod.cli.main import main
from pod.engine.context import Engine

Install = Callable[..., None]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


class NotThere(PodError):
    exit_status = 127


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A command `pod trial` that does what the test says."""
    before = log.level()

    def install(run: Callable[[Arguments, None], int | None], **declared: object) -> None:
        module = types.ModuleType("pod.cli.commands.trial")
        settings = {"needs_engine": False, "maximum": None, **declared}
        module.COMMAND = Command(run, **settings)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "pod.cli.commands.trial", module)
        monkeypatch.setitem(table.COMMANDS, "trial", ("trial", "system", "Try", "monitor"))

    yield install
    log.set_level(before)


def raising(error: BaseException) -> Callable[[Arguments, None], int]:
    def run(arguments: Arguments, engine: None) -> int:
        print("before")
        raise error

    return run


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1), (137, 137)])
def test_what_a_command_returns_is_the_status(
    trial: Install, returned: int | None, status: int
) -> None:
    trial(lambda arguments, engine: returned)
    assert main(["trial"]) == status


def test_command_gets_its_words_and_options(
    trial: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(arguments: Arguments, engine: None) -> None:
        print(arguments.flag("rm"), arguments.words, arguments.spelling)

    trial(run, options=(Option(("--rm",), "flag"),), interspersed=False)
    assert main(["--log-level", "error", "trial", "--rm", "image", "--rm"]) == 0
    assert capfd.readouterr().out == "True ['image', '--rm'] pod trial\n"


@pytest.mark.parametrize(
    ("error", "status", "stderr"),
    [
        pytest.param(
            PodError("image 'x' is not here", hint="pod pull x"),
            125,
            "Error: image 'x' is not here\nHint: pod pull x\n",
            id="with-hint",
        ),
        pytest.param(
            PodError("it has \x1b[31m\ud800\nError: x", hint="\u202eas it says"),
            125,
            "Error: it has \\x1b[31m\\ud800\\nError: x\nHint: \\u202eas it says\n",
            id="words-of-an-image",
        ),
        pytest.param(NotThere("no 'x'"), 127, "Error: no 'x'\n", id="own-status"),
        pytest.param(
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/x"),
            125,
            "Error: '/data/x': no space left on device\nHint: pod system df\n",
            id="full-disk",
        ),
        pytest.param(
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), b"/a\xff", None, "/b"),
            125,
            "Error: '/a\udcff' and '/b': permission denied\n",
            id="two-names",
        ),
        pytest.param(
            OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
            125,
            "Error: too many open files\nHint: ulimit -n shows how many files a process may open\n",
            id="no-name",
        ),
        pytest.param(
            ValueError("not\nthis"),
            125,
            "Error: pod itself is at fault here: ValueError: not this\n"
            "Hint: please report this, with what the same command prints with --log-level=debug\n",
            id="defect",
        ),
        pytest.param(
            OSError(errno.EINVAL, "Invalid argument"),
            125,
            "Error: pod itself is at fault here: OSError: [Errno 22] Invalid argument\n"
            "Hint: please report this, with what the same command prints with --log-level=debug\n",
            id="unexpected-errno",
        ),
        pytest.param(KeyboardInterrupt(), 130, "", id="interrupt"),
        pytest.param(BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, "", id="pipe"),
        pytest.param(SystemExit(3), 3, "", id="exit"),
    ],
)
def test_errors_become_sentences_and_statuses(
    trial: Install,
    capfd: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    stderr: str,
) -> None:
    trial(raising(error))
    assert main(["trial"]) == status
    captured = capfd.readouterr()
    assert captured.out == "before\n"
    assert captured.err.encode("utf-8", "surrogateescape") == stderr.encode(
        "utf-8", "surrogateescape"
    )


def test_traceback_of_a_defect_is_shown_on_request(
    trial: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    trial(raising(ValueError("this")))
    assert main(["trial", "--log-level=debug"]) == 125
    stderr = capfd.readouterr().err
    assert "Traceback (most recent call last)" in stderr
    assert stderr.endswith("Hint: please report this, with the lines above\n")


def test_a_process_can_be_prepared_before_the_command_is_imported(trial: Install) -> None:
    order: list[str] = []

    def run(arguments: Arguments, engine: None) -> None:
        order.append("run")

    trial(run)

    def prefork(helper: table.Helper) -> Callable[[Engine], None]:
        order.append(f"fork a {helper}")
        return lambda engine: None

    assert main(["trial"], prefork) == 0
    assert order == ["fork a monitor", "run"]
    order.clear()
    assert main(["version"], prefork) == 0
    assert order == []


@pytest.mark.parametrize(
    ("words", "helper"),
    [
        (["--rm", "busybox"], "monitor"),
        (["--pod", "shop", "busybox"], "unprepared monitor"),
        (["--pod=shop", "busybox"], "unprepared monitor"),
        (["--network", "container:one", "busybox"], "unprepared monitor"),
        (["--pid=container:one", "busybox"], "unprepared monitor"),
    ],
)
def test_the_monitor_of_a_container_that_joins_others_prepares_nothing(
    words: list[str], helper: str
) -> None:
    assert table.helper_for("monitor", words) == helper
    assert table.helper_for("joiner", words) == "joiner"


def test_engine_is_the_one_that_the_options_describe(trial: Install, tmp_path: object) -> None:
    seen: list[tuple[str, str]] = []

    def run(arguments: Arguments, engine: Any) -> None:
        seen.append((engine.paths.root, engine.paths.runroot))

    trial(run, needs_engine=True)
    assert main(["--root", f"{tmp_path}/a", "trial", "--runroot", f"{tmp_path}/b"]) == 0
    assert seen == [(f"{tmp_path}/a", f"{tmp_path}/b")]
    assert not os.path.exists(f"{tmp_path}/a")


def test_noout_keeps_results_away(trial: Install, capfd: pytest.CaptureFixture[str]) -> None:
    def run(arguments: Arguments, engine: None) -> None:
        print("result")
        os.write(1, b"from the container\n")

    trial(run)
    stdout = sys.stdout
    try:
        assert main(["--noout", "trial"]) == 0
    finally:
        sys.stdout = stdout
    assert capfd.readouterr().out == "from the container\n"


def test_out_writes_results_to_a_file(
    trial: Install, tmp_path: object, capfd: pytest.CaptureFixture[str]
) -> None:
    trial(lambda arguments, engine: print("result"))
    stdout = sys.stdout
    try:
        assert main(["--out", f"{tmp_path}/out", "trial"]) == 0
    finally:
        sys.stdout = stdout
    with open(f"{tmp_path}/out", encoding="utf-8") as file:
        assert file.read() == "result\n"
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "stderr"),
    [
        pytest.param(
            ["volume"],
            "Error: missing command: `pod volume COMMAND`\nHint: pod volume --help\n",
            id="group-alone",
        ),
        pytest.param(
            ["runn"],
            "Error: unknown command 'pod runn', did you mean 'pod run'?\nHint: pod --help\n",
            id="typo",
        ),
        pytest.param(
            ["volume", "creat"],
            "Error: unknown command 'pod volume creat', did you mean 'pod volume create'?\n"
            "Hint: pod volume --help\n",
            id="typo-in-a-group",
        ),
        pytest.param(
            ["xyzzy", "--rm"],
            "Error: unknown command 'pod xyzzy'\nHint: pod --help\n",
            id="nothing-near",
        ),
        pytest.param(
            ["machine", "start"],
            "Error: unknown command 'pod machine': pod runs on this machine only\n",
            id="explained",
        ),
        pytest.param(
            ["system", "connection", "ls"],
            "Error: unknown command 'pod system connection': pod runs on this machine only\n",
            id="explained-in-a-group",
        ),
        pytest.param(
            ["--remote", "ps"],
            "Error: flag '--remote' is not supported: pod runs on this machine only\n",
            id="refused-option",
        ),
        pytest.param(
            ["--log-level=loud", "version"],
            "Error: invalid argument 'loud' for '--log-level': expected is one of trace, debug, info, warn, "
            "error, fatal, panic\nHint: pod --help\n",
            id="log-level",
        ),
        pytest.param(
            ["volume", "-q", "ls"],
            "Error: unknown flag: -q, `pod volume` takes a command first\nHint: pod volume --help\n",
            id="option-before-the-command",
        ),
        pytest.param(
            ["version", "x"],
            "Error: `pod version` takes no arguments, but got 'x'\nHint: pod version --help\n",
            id="too-many",
        ),
    ],
)
def test_wrong_usage_is_125_with_a_sentence(
    words: list[str], stderr: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 125
    captured = capfd.readouterr()
    assert captured.err == stderr
    assert captured.out == ""


def test_nothing_typed_shows_help_and_fails(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 125
    captured = capfd.readouterr()
    assert captured.out.startswith("Usage: pod [OPTIONS] COMMAND")
    assert captured.err == "Error: missing command: `pod COMMAND`\n"


@pytest.mark.parametrize("words", [["--version"], ["-v"], ["--log-level=debug", "-v"]])
def test_version_option(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capfd.readouterr().out.startswith("pod version ")


def test_full_disk_behind_standard_output_fails(program: Run) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = program("version", stdout=full)
    assert result.returncode == 125
    assert result.stderr == "Error: cannot write to standard output: no space left on device\n"


def test_closed_standard_output_fails(program: Run) -> None:
    result = program("version", stdout=None, preexec_fn=lambda: os.close(1))
    assert result.returncode == 125
    assert result.stderr == "Error: cannot write to standard output: bad file descriptor\n"


def test_reader_that_went_away_ends_the_command_quietly(program: Run) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = program("version", stdout=writer)
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")


def test_closed_standard_error_changes_nothing_else(program: Run) -> None:
    result = program("nonsense", stderr=None, preexec_fn=lambda: os.close(2))
    assert result.returncode == 125
    assert result.stdout == ""


def test_descriptors_that_are_closed_are_not_given_to_files(program: Run, tmp_path: object) -> None:
    path = f"{tmp_path}/script"

    def close_all() -> None:
        os.closerange(0, 3)

    result = program(
        "completion", "-f", path, "bash", stdout=None, stderr=None, preexec_fn=close_all
    )
    assert result.returncode == 0
    with open(path, encoding="utf-8") as file:
        assert file.read().startswith("_pod_completion()")
