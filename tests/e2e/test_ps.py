"""`pod ps`: rows, columns, formats, filters, orders."""

from __future__ import annotations

import json
import re
from collections.abc import Generator

import pytest

from tests.support.engine import Engine
from tests.support.terminal import Terminal
from tests.support.waiting import free_port, until


@pytest.fixture
def three(pod: Engine) -> Generator[Engine]:
    """A running container, one that has ended, one that was never started, in this order of creation."""
    pod(
        "run", "-d", "--network", "none", "--name", "runs", "-l", "app=shop", "-l", "tier=web", "-v", "data:/data",
        "busybox", "sleep", "1000",
    )  # fmt: skip
    pod(
        "run",
        "--network",
        "none",
        "--name",
        "ended",
        "-l",
        "app=shop",
        "busybox",
        "sh",
        "-c",
        "exit 3",
        status=3,
    )
    pod(
        "create",
        "--name",
        "fresh",
        "--restart",
        "always",
        "busybox",
        "echo",
        "a rather long command",
    )
    yield pod
    pod("rm", "-f", "-t", "0", "runs")


def names(pod: Engine, *words: str) -> list[str]:
    return pod("ps", "--format", "{{.Names}}", *words).lines


def test_table(three: Engine) -> None:
    heading, *rows = three("ps", "-a").lines
    assert re.split(r"\s{2,}", heading) == [
        "CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES",
    ]  # fmt: skip
    cells = [re.split(r"\s{2,}", row) for row in rows]
    assert [row[-1] for row in cells] == ["runs", "ended", "fresh"]
    assert all(re.fullmatch("[0-9a-f]{12}", row[0]) for row in cells)
    assert {row[1] for row in cells} == {"docker.io/library/busybox:latest"}
    assert [row[2] for row in cells] == ["sleep 1000", "sh -c exit 3", "echo a rather lon..."]
    assert cells[0][4].startswith("Up ")
    assert cells[1][4].startswith("Exited (3) ") and cells[1][4].endswith(" ago")
    assert cells[2][4] == "Created"


def test_only_running_ones_are_shown_unless_asked(three: Engine) -> None:
    assert names(three) == ["runs"]
    assert names(three, "-a") == ["runs", "ended", "fresh"]
    assert names(three, "--last", "2") == ["ended", "fresh"]
    assert names(three, "--latest") == ["fresh"]


def test_quiet_and_no_trunc(three: Engine) -> None:
    short, long = three("ps", "-q").out, three("ps", "-q", "--no-trunc").out
    assert len(short) == 12 and len(long) == 64 and long.startswith(short)
    assert "echo a rather long command" in three("ps", "-a", "--no-trunc").stdout
    assert three("ps", "-a", "--noheading").lines[0].startswith(short)


def test_json(three: Engine) -> None:
    runs, ended, fresh = three("ps", "-a", "--format", "json").json()
    assert runs["Names"] == ["runs"]
    assert runs["State"] == "running" and runs["Exited"] is False and runs["Pid"] > 0
    assert runs["Labels"] == {"app": "shop", "tier": "web"}
    assert runs["Mounts"] == ["/data"]
    assert runs["Command"] == ["sleep", "1000"]
    assert len(runs["Id"]) == 64 and len(runs["ImageID"]) == 64
    assert runs["StartedAt"] >= runs["Created"] > 1_600_000_000
    assert (ended["State"], ended["ExitCode"], ended["Exited"]) == ("exited", 3, True)
    assert ended["ExitedAt"] >= ended["StartedAt"]
    assert (fresh["State"], fresh["Pid"], fresh["Status"]) == ("created", 0, "Created")
    assert three("ps", "--format", "{{json .}}").stdout.strip()


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("{{.ID}}", "[0-9a-f]{12}"),
        ("{{.Image}}", "docker.io/library/busybox:latest"),
        ("{{.ImageID}}", "[0-9a-f]{12}"),
        ("{{.Command}}", "sleep 1000"),
        ("{{.CreatedAt}}", r"\d{4}-\d\d-\d\d \d\d:.*"),
        ("{{.CreatedHuman}}", ".* ago"),
        ("{{.RunningFor}}", ".* ago"),
        ("{{.Names}}", "runs"),
        ("{{.Labels}}", r"map\[app:shop tier:web\]"),
        ('{{.Label "tier"}}', "web"),
        ("{{.Mounts}}", r"\[/data\]"),
        ("{{.Pid}}", r"\d+"),
        ("{{.ExitCode}}", "0"),
        ("{{.Exited}}", "false"),
        ("{{.ExitedAt}}", "-62135596800"),
        ("{{.StartedAt}}", r"\d+"),
        ("{{.AutoRemove}}", "false"),
        ("{{.IsInfra}}", "false"),
        ("{{.Pod}}{{.PodName}}{{.Networks}}", ""),
        ("{{.Ports}}", ""),
    ],
)
def test_template_fields(three: Engine, field: str, expected: str) -> None:
    if "Label " in field and three.kind == "podman":
        pytest.skip("allowed: podman 4.3 has no such method")
    assert re.fullmatch(expected, three("ps", "--format", field).out)


def test_table_with_chosen_columns(three: Engine) -> None:
    heading, row = three("ps", "--format", "table {{.Names}} {{.ImageID}}").lines
    assert heading.split("  ")[0] == "NAMES" and heading.endswith("IMAGE ID")
    assert row.startswith("runs ")


@pytest.mark.not_podman("it names the field in Go's words")
def test_unknown_field_is_an_error_that_names_it(three: Engine) -> None:
    result = three("ps", "--format", "{{.Nmaes}}", status=125)
    assert "Nmaes" in result.stderr and "Names" in result.stderr


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["name=run"], ["runs"]),
        (["name=^ended$"], ["ended"]),
        (["name=runs", "name=fresh"], ["runs", "fresh"]),
        (["status=exited"], ["ended"]),
        (["status=running", "status=created"], ["runs", "fresh"]),
        (["exited=3"], ["ended"]),
        (["exited=4"], []),
        (["label=app"], ["runs", "ended"]),
        (["label=app=shop", "label=tier=web"], ["runs"]),
        (["label=app=other"], []),
        (["ancestor=docker.io/library/busybox:latest"], ["runs", "ended", "fresh"]),
        (["ancestor=nosuchimage"], []),
        (["before=ended"], ["runs"]),
        (["since=ended"], ["fresh"]),
        (["volume=data"], ["runs"]),
        (["until=1h"], []),
        (["label=app", "status=exited"], ["ended"]),
    ],
)
def test_filters(three: Engine, filters: list[str], expected: list[str]) -> None:
    words = [word for text in filters for word in ("--filter", text)]
    assert names(three, "-a", *words) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label!=tier", ["ended", "fresh"]),
        ("ancestor=busybox", ["runs", "ended", "fresh"]),
        ("volume=/data", ["runs"]),
        ("restart-policy=always", ["fresh"]),
        ("command=sleep", ["runs"]),
        ("should-start-on-boot=true", ["fresh"]),
        ("network=none", ["runs", "ended"]),
    ],
)
@pytest.mark.not_podman("4.3 has not all of them")
def test_newer_filters(three: Engine, text: str, expected: list[str]) -> None:
    assert names(three, "-a", "--filter", text) == expected


def test_filter_by_state_looks_at_all(three: Engine) -> None:
    assert names(three, "--filter", "status=exited") == ["ended"]


def test_filter_by_id(three: Engine) -> None:
    number = three("inspect", "-f", "{{.Id}}", "ended").out
    assert names(three, "-a", "--filter", f"id={number[:8]}") == ["ended"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nonsense", "nonsense"),
        ("nonsense=1", "nonsense"),
        ("status=nonsense", "nonsense"),
        pytest.param(
            "name=[", "name '['", marks=pytest.mark.not_podman("it takes it for nobody's name")
        ),
    ],
)
def test_wrong_filter_is_named(three: Engine, text: str, named: str) -> None:
    result = three("ps", "-a", "--filter", text, status=125)
    assert named in result.stderr and result.stdout == ""


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("names", ["ended", "fresh", "runs"]),
        ("created", ["runs", "ended", "fresh"]),
        ("command", ["fresh", "ended", "runs"]),
        ("status", ["fresh", "ended", "runs"]),
    ],
)
def test_sort(three: Engine, key: str, expected: list[str]) -> None:
    assert names(three, "-a", "--sort", key) == expected


def test_size(three: Engine) -> None:
    three("exec", "runs", "sh", "-c", "head -c 100000 /dev/zero > /big")
    (row,) = three("ps", "--size", "--format", "json").json()
    assert row["Size"]["rwSize"] >= 100_000
    assert row["Size"]["rootFsSize"] > row["Size"]["rwSize"]
    assert "(virtual " in three("ps", "-s").lines[1]


def test_namespaces(three: Engine) -> None:
    heading, row = three("ps", "--ns").lines
    assert "PIDNS" in heading
    assert len(row.split()) == 10


def test_ports(pod: Engine) -> None:
    port = free_port()
    pod(
        "create", "--name", "p", "-p", f"127.0.0.1:{port}:80", "-p", f"{port + 1}:90/udp", "busybox",
    )  # fmt: skip
    shown = pod("ps", "-a", "--format", "{{.Ports}}").out
    assert f"127.0.0.1:{port}->80/tcp" in shown
    assert f"0.0.0.0:{port + 1}->90/udp" in shown


@pytest.mark.not_podman("4.3 does not show exposed ports")
def test_exposed_ports_are_joined_to_ranges(pod: Engine) -> None:
    pod(
        "create",
        "--expose",
        "80",
        "--expose",
        "8001",
        "--expose",
        "8000",
        "--expose",
        "53/udp",
        "busybox",
    )
    assert pod("ps", "-a", "--format", "{{.Ports}}").out == "80/tcp, 8000-8001/tcp, 53/udp"


@pytest.mark.parametrize(
    "words",
    [
        ["--last", "1", "--latest"],
        ["--quiet", "--size"],
        ["--size", "--ns"],
        ["--watch", "1", "--latest"],
        ["--sort", "nonsense"],
        ["word"],
    ],
)
def test_what_excludes_each_other(pod: Engine, words: list[str]) -> None:
    assert pod("ps", *words, status=125).stdout == ""


def test_watch_shows_the_list_again(pod: Engine) -> None:
    command = pod.full_command("ps", "-a", "--watch", "1", "--format", "{{.Names}}")
    if pod.kind == "podman":
        command = pod.full_command("ps", "-a", "--watch", "1")
    with Terminal(command, pod.environment) as terminal:
        pod("create", "--name", "appears", "busybox")
        terminal.expect("appears")
        terminal.expect("appears")
        terminal.type("\x03")
        terminal.wait()


def test_container_that_ended_behind_our_back_is_shown_as_it_is(pod: Engine) -> None:
    pod("run", "-d", "--network", "none", "--name", "b", "busybox", "sh", "-c", "sleep 0.2; exit 7")
    until(
        lambda: pod("ps", "-a", "--format", "{{.Exited}} {{.ExitCode}}").out == "true 7",
        "seeing its end",
    )


def test_empty_list(pod: Engine) -> None:
    assert len(pod("ps").lines) == 1
    assert pod("ps", "-q").stdout == ""
    assert json.loads(pod("ps", "--format", "json").stdout) == []
