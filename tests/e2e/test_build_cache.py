"""The cache of builds: what is taken from it, what is not, and that it survives whatever happens to a build."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pod.linux.boot import boot_id
from tests.e2e.test_killed import killed, steps_of
from tests.support import keeper
from tests.support.build import Context
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine, Result
from tests.support.registry import Registry
from tests.support.waiting import until

NONE = "--network=none"
pytestmark = pytest.mark.not_podman("its cache has other rules, and its steps have no names")

# Each RUN leaves a number that is another one whenever it is executed.
NUMBER = "head -c 8 /dev/urandom | md5sum"
TEXT = (
    "FROM busybox\n"
    "COPY a /a\n"
    f"RUN {NUMBER} > /first\n"
    "ARG WHO=nobody\n"
    f'RUN echo "$WHO" > /who; {NUMBER} > /second\n'
    "LABEL kind=plain\n"
    "COPY b /b\n"
    f"RUN {NUMBER} > /third\n"
    'CMD ["cat", "/first", "/second", "/third"]\n'
)


@pytest.fixture
def context(pod: Engine, tmp_path: Path) -> Context:
    found = Context(pod, tmp_path / "context").write({"a": "1", "b": "1"})
    for name in ("a", "b"):
        os.utime(found.directory / name, (1e9, 1e9))
    return found


def numbers(context: Context) -> list[str]:
    return context.run().split("\n")


def test_the_same_again_is_the_same_image(context: Context, pod: Engine) -> None:
    first = context.build(TEXT, NONE).out
    os.utime(context.directory / "a")  # times are not content
    again = context.build(TEXT, NONE, tag="other")
    assert again.out == first
    assert again.stderr.count("Using cache") == 5
    names = pod("images", "--format", "{{.Repository}}", "--filter", f"id={first}").lines
    assert set(names) == {"localhost/made", "localhost/other"}


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        pytest.param("a", 0, id="a file that the first COPY has"),
        pytest.param("mode", 0, id="its mode"),
        pytest.param("argument", 1, id="an argument, for the commands after ARG"),
        pytest.param("b", 2, id="a file that the second COPY has"),
        pytest.param("label", 3, id="a label, for no command"),
        pytest.param("unused", 3, id="a file that nothing copies"),
    ],
)
def test_what_changes_and_what_stays(context: Context, change: str, kept: int) -> None:
    context.build(TEXT, NONE)
    before = numbers(context)
    options: list[str] = []
    text = TEXT
    if change == "mode":
        os.chmod(context.directory / "a", 0o600)
    elif change == "argument":
        options = ["--build-arg", "WHO=you"]
    elif change == "label":
        text = text.replace("kind=plain", "kind=fancy")
    else:
        context.write({change: "2"})
    context.build(text, NONE, *options)
    after = numbers(context)
    assert [one == other for one, other in zip(before, after, strict=True)] == [
        index < kept for index in range(3)
    ]


def test_no_cache_executes_everything(context: Context) -> None:
    context.build(TEXT, NONE)
    before = numbers(context)
    context.build(TEXT, NONE, "--no-cache")
    assert not set(before) & set(numbers(context))


@pytest.mark.parametrize(
    ("option", "first", "second"),
    [
        pytest.param("--no-cache-filter=one", True, False, id="a stage by its name"),
        pytest.param("--no-cache-filter=ONE,1", True, True, id="by name and number"),
        pytest.param("--cache-ttl=0", True, True, id="age"),
        pytest.param("--cache-ttl=1h", False, False, id="young enough"),
    ],
)
def test_parts_of_the_cache_are_not_used(
    context: Context, option: str, *, first: bool, second: bool
) -> None:
    """What is executed instead is what the cache has from then on."""
    text = (
        f"FROM busybox AS one\nRUN {NUMBER} > /first\nFROM busybox\nRUN {NUMBER} > /second\n"
        "COPY --from=one /first /first\n"
    )
    context.build(text, NONE)
    before = context.run("cat", "/first", "/second").split("\n")
    context.build(text, NONE, option)
    after = context.run("cat", "/first", "/second").split("\n")
    assert [old != new for old, new in zip(before, after, strict=True)] == [first, second]
    context.build(text, NONE)
    assert context.run("cat", "/first", "/second").split("\n") == after


def test_only_stage_is_one_that_the_cache_can_be_left_out_for(context: Context) -> None:
    text = f"FROM busybox AS one\nRUN {NUMBER} > /first\n"
    context.build(text, NONE)
    assert "Using cache" not in context.build(text, NONE, "--no-cache-filter=one").stderr
    wrong = context.build(text, NONE, "--no-cache-filter=on", status=125)
    assert "has no stage 'on', did you mean 'one'?" in wrong.stderr


def test_the_cache_outlives_the_image(context: Context, pod: Engine) -> None:
    context.build(TEXT, NONE)
    before = numbers(context)
    pod("rmi", "-f", "made")
    pod("image", "prune", "-f")
    context.build(TEXT, NONE)
    assert numbers(context) == before


def test_a_fixed_time_gives_the_same_digest(context: Context, pod: Engine) -> None:
    """Also where nothing of the first build is left."""
    text = "FROM busybox\nCOPY a /a\nRUN mkdir /d && echo x > /d/f && rm /bin/vi\nENV A=b\n"
    environment = {"SOURCE_DATE_EPOCH": "1000000000"}
    context.build(text, NONE, "--no-cache", env=environment, tag="one")
    context.write({"a": "1"})  # with another time
    context.build(text, NONE, "--no-cache", env=environment, tag="two")
    one, two = (pod("image", "inspect", name).json()[0] for name in ("one", "two"))
    assert one["Digest"] == two["Digest"]
    assert one["Created"].startswith("2001-09-09T01:46:40")
    newest = context.run("sh", "-c", "stat -c %Y /a /d /d/f /bin", image="one").split()
    assert max(map(int, newest)) <= 1000000000


def test_two_builds_at_once(context: Context, pod: Engine) -> None:
    (context.directory / "Dockerfile").write_text(TEXT)
    with pod.spawn("build", "-q", "-t", "one", NONE, str(context.directory)) as one:
        context.build(TEXT, NONE, tag="two")
        assert one.wait(60) == 0
    for name in ("one", "two"):
        assert len(context.run(image=name).split("\n")) == 3
    nothing_wrong(pod, max_age="24h")


def test_a_result_that_another_build_stands_on_stays(
    context: Context, pod: Engine, tmp_path: Path
) -> None:
    """With --no-cache the second one makes its own, and each has in its image what it has seen."""
    gate = tmp_path / "gate"
    gate.mkdir()
    script = "cp /first /seen; mktemp /gate/XXXXXX; until [ -e /gate/go ]; do sleep 0.05; done"
    (context.directory / "Dockerfile").write_text(
        f"FROM busybox\nRUN {NUMBER} > /first\nRUN {script}\nCMD cat /first /seen\n"
    )
    words = ("build", "-q", "--no-cache", NONE, "-v", f"{gate}:/gate", str(context.directory))
    with pod.spawn(*words, "-t", "one") as one:
        until(lambda: len(os.listdir(gate)) == 1, "the first one waits")
        with pod.spawn(*words, "-t", "two") as two:
            until(lambda: len(os.listdir(gate)) == 2, "both wait")
            (gate / "go").touch()
            assert (two.wait(60), one.wait(60)) == (0, 0)
    found = [context.run(image=name).split("\n") for name in ("one", "two")]
    assert all(first == seen for first, seen in found)
    assert found[0] != found[1]
    nothing_wrong(pod, max_age="24h")


def test_builds_beside_those_who_clear_up(context: Context, pod: Engine) -> None:
    """What is collected is never what one of them is about to name."""
    (context.directory / "Dockerfile").write_text(
        f"FROM busybox\nRUN {NUMBER} > /first\nRUN {NUMBER} > /second\nCMD cat /first /second\n"
    )
    words = ("build", "-q", NONE, str(context.directory), "-t")
    builds = [(*words, name, *(("--no-cache",) if name < "c" else ())) for name in "abcd"]
    clearing = [
        ("image", "prune", "-f"), ("builder", "prune", "-f"), ("rmi", "-f", "d"),
        ("builder", "prune", "-a", "-f"),
    ]  # fmt: skip

    def repeat(command: tuple[str, ...]) -> list[Result]:
        return [pod(*command, status=None, timeout=120) for _ in range(4)]

    with ThreadPoolExecutor(len(builds) + len(clearing)) as pool:
        results = list(pool.map(repeat, [*builds, *clearing]))
    for result in (it for several in results[: len(builds)] for it in several):
        assert result.status == 0, result
    for result in (it for several in results[len(builds) :] for it in several):
        assert result.status == 0 or "image" in result.stderr, result
    for name in "abc":
        assert len(context.run(image=name).split("\n")) == 2
    nothing_wrong(pod, max_age="24h")


STEPS = [
    "build: copied",
    "build: executed",
    "step: placed",
    "step: recorded",
    "blob: named",
    "layer: linked",
    "layer: placed",
    "image: index",
]


def test_kill_at_every_step(context: Context, pod: Engine) -> None:
    """After each kill the next build goes on with what was finished, and everything is well."""
    text = f"FROM busybox\nCOPY a /a\nRUN {NUMBER} > /first\nRUN {NUMBER} > /second\n"
    arguments = ("build", "-t", "made", NONE, str(context.directory))
    (context.directory / "Dockerfile").write_text(text)
    context.write({"a": f"first of {os.getpid()}"})
    assert set(STEPS) <= steps_of(pod, *arguments)
    for number, step in enumerate(STEPS):
        context.write({"a": f"{number} of {os.getpid()}"})
        killed(pod, step, *arguments)
        nothing_wrong(pod, max_age="24h", after=step)
        done = context.build(text, NONE)
        if step == "image: index":
            assert done.stderr.count("Using cache") == 3
        assert context.run("cat", "/a") == f"{number} of {os.getpid()}"
        nothing_wrong(pod, max_age="24h", after=step)


@pytest.mark.parametrize("step", ["layer: linked", "layer: placed"])
def test_build_right_after_a_kill(context: Context, pod: Engine, step: str) -> None:
    """Before any other command could clear up: the tree of a step is in the place of a layer, which has no record."""
    text = f"FROM busybox\nCOPY a /a\nRUN {NUMBER} > /first\n"
    context.write({"a": f"{step} of {os.getpid()}"})
    (context.directory / "Dockerfile").write_text(text)
    killed(pod, step, "build", "-t", "made", NONE, str(context.directory))
    assert "Using cache" in context.build(text, NONE).stderr
    assert context.run("cat", "/a") == f"{step} of {os.getpid()}"
    nothing_wrong(pod, max_age="24h")


def test_finished_steps_are_kept_when_the_build_is_killed(context: Context, pod: Engine) -> None:
    """kill -9 while a command runs: that is ended, too, and the next build begins with it."""
    text = f"FROM busybox\nCOPY a /a\nRUN {NUMBER} > /first\nRUN echo begun; [ -e /go ] || sleep 1000\n"
    (context.directory / "Dockerfile").write_text(text)
    log = context.directory.parent / "log"
    with (
        log.open("wb") as file,
        pod.spawn("build", NONE, str(context.directory), stdout=file, stderr=file) as build,
    ):
        until(lambda: b"\nbegun" in log.read_bytes(), "the command runs")
        build.send_signal(signal.SIGKILL)
    until(lambda: not sleepers(), "the command is ended")
    done = context.build(text.replace("sleep 1000", "true"), NONE)
    assert done.stderr.count("Using cache") == 2
    nothing_wrong(pod, max_age="24h")


def sleepers() -> list[keeper.Process]:
    """Of this process's tests: those that run beside them have such containers all the time."""
    return [it for it in keeper.descendants() if it.command() == ["sleep", "1000"]]


def test_interrupted_build_leaves_nothing(context: Context, pod: Engine) -> None:
    text = "FROM busybox\nRUN echo begun; sleep 1000\n"
    (context.directory / "Dockerfile").write_text(text)
    log = context.directory.parent / "log"
    with (
        log.open("wb") as file,
        pod.spawn("build", NONE, str(context.directory), stdout=file, stderr=file) as build,
    ):
        until(lambda: b"\nbegun" in log.read_bytes(), "the command runs")
        build.send_signal(signal.SIGINT)
        assert build.wait(30) != 0
    until(lambda: not sleepers(), "the command is ended")
    nothing_wrong(pod)


def test_records_have_no_arguments_in_plain(context: Context, pod: Engine) -> None:
    context.build(TEXT, NONE, "--build-arg", "WHO=somebody-to-hide")
    folder = f"{pod.root}/build"
    names = [name for name in os.listdir(folder) if name.endswith(".json")]
    records = "".join(Path(f"{folder}/{name}").read_text() for name in names)
    assert records
    assert "somebody-to-hide" not in records


def test_pruned_steps_are_executed_again_and_images_stay(context: Context, pod: Engine) -> None:
    context.write({"a": f"for prune of {os.getpid()}"})
    context.build(TEXT, NONE)
    before = numbers(context)
    pod("builder", "prune", "--all", "-f")
    assert numbers(context) == before
    context.build(TEXT, NONE)
    assert not set(before) & set(numbers(context))
    nothing_wrong(pod, max_age="24h")


@pytest.mark.parametrize("kind", ["local", "registry"])
def test_a_cache_elsewhere(context: Context, pod: Engine, registry: Registry, kind: str) -> None:
    """What was sent there is taken from there, when nothing is left here."""
    context.write({"a": f"for a cache of {kind} {os.getpid()}"})
    place = f"{registry.host}/cached" if kind == "registry" else f"{context.directory}/../cache"
    word = "ref" if kind == "registry" else "dest"
    context.build(TEXT, NONE, "--cache-to", f"type={kind},{word}={place}")
    before = numbers(context)
    pod("rmi", "made")
    pod("builder", "prune", "--all", "-f")
    word = "ref" if kind == "registry" else "src"
    done = context.build(TEXT, NONE, "--cache-from", f"type={kind},{word}={place}")
    assert done.stderr.count("Using cache") == 5
    assert numbers(context) == before
    assert pod("images", "-q", "--filter", "dangling=true").out == ""
    context.build(TEXT, NONE, "--cache-from", f"type={kind},{word}={place}-missing")
    nothing_wrong(pod, max_age="24h")


def test_an_image_that_is_its_own_cache(context: Context, pod: Engine, registry: Registry) -> None:
    """A local image of the same name stays what it is."""
    context.write({"a": f"for an image {os.getpid()}"})
    name = f"{registry.host}/own-cache"
    options = ("--cache-to=type=inline", f"--output=type=image,name={name},push=true")
    context.build(TEXT, NONE, *options)
    before = numbers(context)
    pod("rmi", "made", name)
    pod("builder", "prune", "--all", "-f")
    pod("tag", "busybox", name)
    done = context.build(TEXT, NONE, "--cache-from", name, "--build-arg=BUILDKIT_INLINE_CACHE=1")
    assert done.stderr.count("Using cache") == 5
    assert numbers(context) == before
    numbers_of = ("inspect", "--format", "{{.Id}}")
    assert pod(*numbers_of, name).out == pod(*numbers_of, "busybox").out
    pod("rmi", name)


def test_explain_names_what_has_changed(context: Context) -> None:
    context.build(TEXT, NONE)
    context.write({"b": f"changed by {os.getpid()}"})
    done = context.build(TEXT, NONE, "--explain")
    assert "changed: content" in done.stderr
    assert "changed: files before it" in done.stderr
    assert "--no-cache" in context.build(TEXT, NONE, "--explain", "--no-cache").stderr


def _forget_boot(pod: Engine) -> list[Path]:
    """Make the results of steps what a power cut leaves of them before they are on the disk; the records' files."""
    records = [it for it in Path(pod.root, "build").iterdir() if it.suffix == ".json"]
    for number, path in enumerate(records):
        text = path.read_text()
        assert boot_id() in text  # nothing has settled it
        path.write_text(text.replace(boot_id(), "an earlier one") if number else "")
    return records


def test_what_a_power_cut_has_left_of_it_goes(fresh_pod: Engine, tmp_path: Path) -> None:
    pod = fresh_pod
    pod.have("busybox")
    context = Context(pod, tmp_path / "context")
    text = f"FROM busybox\nRUN {NUMBER} > /first\nRUN {NUMBER} > /second\n"
    context.build(f"{text}RUN false\n", NONE, status=None)
    assert len(_forget_boot(pod)) == 2
    nothing_wrong(pod)
    assert os.listdir(f"{pod.root}/build") == []

    context.build(f"{text}RUN false\n", NONE, status=None)
    lost = _forget_boot(pod)
    context.build("FROM busybox\nLABEL a=b\n", NONE)
    until(lambda: not any(it.exists() for it in lost), "cleared up behind the next build")
