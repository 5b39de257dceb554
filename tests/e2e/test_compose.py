"""`pod compose`: projects made from files, changed, looked at and taken down."""

from __future__ import annotations

import http.client
import json
import signal
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.projects import Files
from tests.support.terminal import Terminal
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")

SHOP = """
name: NAME
services:
  web:
    image: busybox
    command: [sh, -c, "echo hello $$GREETING from $$(hostname); exec httpd -f -p 80 -h /site"]
    environment: {GREETING: "${WHO:-world}"}
    ports: ["127.0.0.1::80"]
    volumes: ["data:/site:ro"]
    depends_on: [db]
    stop_signal: SIGKILL
  db:
    image: busybox
    command: sh -c 'echo page > /data/index.html; exec sleep 1000'
    volumes: ["data:/data"]
    stop_signal: SIGKILL
volumes: {data: }
"""


def page(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else b""
    except OSError:
        return b""
    finally:
        connection.close()


def test_up_makes_what_the_file_says_and_down_removes_it(compose: Files, pod: Engine) -> None:
    compose.write(SHOP.replace("NAME", "shop"))
    first = compose("up", "-d")
    assert " Network shop_default  Created" in first.stderr
    assert " Volume shop_data  Created" in first.stderr
    assert " Container shop-web-1  Started" in first.stderr
    port = int(compose("port", "web", "80").out.rpartition(":")[2])
    assert until(lambda: page(port), "an answer") == b"page\n"
    assert compose.state() == {"shop-db-1": "running", "shop-web-1": "running"}
    assert compose("ps", "--services").lines == ["db", "web"]
    until(lambda: "hello" in compose("logs", "web").out, "the greeting")
    assert compose("logs", "web").out.startswith("web-1 | hello world from ")
    assert compose("logs", "--no-log-prefix", "web").out.startswith("hello world")

    labels = json.loads(pod("inspect", "--format", "{{json .Config.Labels}}", "shop-web-1").out)
    prefix = "com.docker.compose"
    assert labels[f"{prefix}.project"] == "shop" and labels[f"{prefix}.service"] == "web"
    assert labels[f"{prefix}.container-number"] == "1" and labels[f"{prefix}.oneoff"] == "False"
    assert labels[f"{prefix}.depends_on"] == "db:service_started:false"
    assert labels[f"{prefix}.project.working_dir"] == str(compose.directory)
    assert labels[f"{prefix}.project.config_files"] == str(compose.directory / "compose.yaml")
    assert len(labels[f"{prefix}.config-hash"]) == 64
    assert labels[f"{prefix}.image"].startswith("sha256:")
    found = pod("exec", "shop-web-1", "wget", "-qO-", "http://web/").out
    assert found == "page"

    down = compose("down")
    assert " Network shop_default  Removed" in down.stderr
    assert compose.state() == {}
    assert pod("volume", "ls", "-q").lines == ["shop_data"]
    compose("down", "--volumes")
    assert pod("volume", "ls", "-q").lines == []


def test_a_last_line_that_does_not_end_is_shown(compose: Files) -> None:
    compose.write('services: {web: {image: busybox, command: [printf, "one\\ntwo"]}}')
    compose("up", "-d")
    until(lambda: "one" in compose("logs").out, "the output")
    for options in ([], ["--timestamps"], ["--follow"]):
        lines = compose("logs", *options).out.splitlines()
        assert [line.split()[-1] for line in lines] == ["one", "two"], options
        assert all(line.startswith("web-1 | ") for line in lines)


def test_up_again_keeps_what_has_not_changed(compose: Files, pod: Engine) -> None:
    text = SHOP.replace("NAME", "again")
    compose.write(text)
    compose("up", "-d")
    before = compose("ps", "-q").lines
    assert "Started" not in compose("up", "-d").stderr
    assert compose("ps", "-q").lines == before
    plan = compose("--dry-run", "up").lines
    assert plan == [
        "db: keep again-db-1: nothing has changed",
        "web: keep again-web-1: nothing has changed",
    ]
    compose.write(text.replace("world", "moon"))
    plan = compose("--dry-run", "up").lines
    assert plan[1] == "web: recreate again-web-1: the configuration of the service has changed"
    assert compose("ps", "-q").lines == before
    compose("up", "-d")
    after = compose("ps", "-q").lines
    assert after[0] == before[0] and after[1] != before[1]
    pod("kill", "again-db-1")
    until(lambda: compose.state()["again-db-1"] == "exited", "the end")
    assert " Container again-db-1  Started" in compose("up", "-d").stderr
    compose("up", "-d", "--force-recreate", "web")
    assert compose("ps", "-q", "db").lines == [after[0]]
    assert compose("ps", "-q", "web").lines != [after[1]]


PAIR = """
name: NAME
services:
  web: {image: busybox, command: [sleep, "1000"], stop_signal: SIGKILL, depends_on: [db]}
  db: {image: busybox, command: [sleep, "1000"], stop_signal: SIGKILL}
"""


def test_services_are_stopped_started_and_paused(compose: Files) -> None:
    compose.write(PAIR.replace("NAME", "pair"))
    compose("create")
    assert compose.state() == {"pair-db-1": "created", "pair-web-1": "created"}
    compose("start")
    assert set(compose.state().values()) == {"running"}
    compose("pause", "web")
    assert compose.state() == {"pair-db-1": "running", "pair-web-1": "paused"}
    compose("unpause")
    stopped = compose("stop").stderr.splitlines()
    assert [line.split()[1] for line in stopped] == ["pair-web-1", "pair-db-1"]
    assert set(compose.state().values()) == {"exited"}
    compose("start", "web")  # and what it depends on is not one of those that were named
    assert compose.state() == {"pair-db-1": "exited", "pair-web-1": "running"}
    compose("restart", "db")
    assert set(compose.state().values()) == {"running"}
    compose("kill", "-s", "KILL", "db")
    until(lambda: compose.state()["pair-db-1"] == "exited", "the end")
    assert compose("ls", "--format", "json").json()[0]["Name"] == "pair"
    compose("rm", "-f", "db")
    assert compose.state() == {"pair-web-1": "running"}
    compose("-p", "pair", "rm", "--stop", "-f")
    assert compose.state() == {}


def test_scale_and_orphans(compose: Files) -> None:
    compose.write(PAIR.replace("NAME", "scaled"))
    compose("up", "-d", "--scale", "web=3")
    assert set(compose.state()) == {"scaled-db-1", *(f"scaled-web-{n}" for n in (1, 2, 3))}
    compose("scale", "web=1")
    assert set(compose.state()) == {"scaled-db-1", "scaled-web-1"}
    compose.write(
        "name: scaled\nservices: {db: {image: busybox, command: [sleep, '1000'], stop_signal: SIGKILL}}\n"
    )
    shown = compose("up", "-d").stderr
    assert "services that the files do not have any more: scaled-web-1" in shown
    compose("up", "-d", "--remove-orphans")
    assert set(compose.state()) == {"scaled-db-1"}


def test_commands_in_services(compose: Files, tmp_path: Path) -> None:
    compose.write(
        """
        name: cmds
        services:
          web:
            image: busybox
            command: [sleep, "1000"]
            environment: {A: one}
            ports: ["127.0.0.1::80"]
            stop_signal: SIGKILL
            depends_on: [db]
          db: {image: busybox, command: [sleep, "1000"], stop_signal: SIGKILL}
        """
    )
    assert (
        compose(
            "run", "--rm", "-T", "-e", "B=two", "web", "sh", "-c", "echo $A $B; exit 3", status=3
        ).out
        == "one two"
    )
    assert compose.state() == {"cmds-db-1": "running"}
    compose("up", "-d")
    assert (
        compose("exec", "-T", "-e", "C=3", "web", "sh", "-c", "echo $A$C; exit 4", status=4).out
        == "one3"
    )
    assert compose("port", "web", "80").out.startswith("127.0.0.1:")
    (tmp_path / "file").write_text("content")
    compose("cp", str(tmp_path / "file"), "web:/root/file")
    assert compose("exec", "-T", "web", "cat", "/root/file").out == "content"
    assert "sleep 1000" in compose("top", "web").out
    assert [it["Container"] for it in compose("images", "--format", "json").json()] == [
        "cmds-db-1",
        "cmds-web-1",
    ]
    events = compose("events", "--since", "1h", "--until", "0s", "--json", "web").lines
    assert "start" in {json.loads(line).get("Status") for line in events}


def test_up_waits_for_health_and_completion(compose: Files) -> None:
    compose.write(
        """
        name: ready
        services:
          web:
            image: busybox
            command: [sh, -c, "test -e /data/made && test -e /data/healthy && exec sleep 1000"]
            volumes: ["data:/data"]
            stop_signal: SIGKILL
            depends_on:
              init: {condition: service_completed_successfully}
              db: {condition: service_healthy}
              gone: {condition: service_started, required: false}
          init: {image: busybox, command: [touch, /data/made], volumes: ["data:/data"]}
          db:
            image: busybox
            command: [sleep, "1000"]
            stop_signal: SIGKILL
            volumes: ["data:/data"]
            healthcheck: {test: [CMD, touch, /data/healthy], interval: 100ms}
          gone: {image: busybox, profiles: [never]}
        volumes: {data: {}}
        """
    )
    compose("up", "--wait")
    assert compose.state() == {
        "ready-db-1": "running",
        "ready-init-1": "exited",
        "ready-web-1": "running",
    }


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        ("command: [sh, -c, 'exit 7']", "it depends on service 'db': container 'bad-db-1' ended with status 7"),
        (
            "command: [sleep, '1000']\n    healthcheck: {test: 'echo broken; false', interval: 50ms, retries: 1}",
            "container 'bad-db-1' is unhealthy; its last check said: broken",
        ),
    ],
    ids=["ends", "unhealthy"],
)  # fmt: skip
def test_up_fails_when_a_dependency_does(compose: Files, service: str, sentence: str) -> None:
    condition = "service_healthy" if "healthcheck" in service else "service_completed_successfully"
    compose.write(
        f"""
name: bad
services:
  web: {{image: busybox, command: [sleep, "1000"], depends_on: {{db: {{condition: {condition}}}}}}}
  db:
    image: busybox
    stop_signal: SIGKILL
    {service}
"""
    )
    failed = compose("up", "-d", status=1)
    assert sentence in failed.stderr
    assert "bad-web-1" not in compose.state()
    waited = compose("up", "--wait", "db", status=1)
    assert "bad-db-1" in waited.stderr


def test_changes_of_images_and_volumes(compose: Files, pod: Engine) -> None:
    (compose.directory / "Dockerfile").write_text(
        "FROM busybox\nARG V=1\nENV V=$V\nVOLUME /data\nSTOPSIGNAL SIGKILL\nCMD sleep 1000\n"
    )
    text = "name: built\nservices: {web: {build: {context: ., args: {V: '1'}}}}\n"
    compose.write(text)
    compose("up", "-d", "--quiet-build")
    compose("exec", "-T", "web", "touch", "/data/kept")
    first = compose("ps", "-q").out
    compose("up", "-d", "--build", "--quiet-build")
    assert compose("ps", "-q").out == first
    compose.write(text.replace("'1'", "'2'"))
    assert "nothing has changed" in compose("--dry-run", "up").out
    compose("build", "-q")
    assert "the image 'built-web' has changed" in compose("--dry-run", "up").out
    compose("up", "-d")
    assert compose("exec", "-T", "web", "sh", "-c", "echo $V; ls /data").lines == ["2", "kept"]
    assert len(pod("volume", "ls", "-q").lines) == 1
    compose("up", "-d", "--force-recreate", "--renew-anon-volumes")
    assert compose("exec", "-T", "web", "ls", "/data").out == ""
    compose("down", "--rmi", "local", "--volumes")
    assert pod("volume", "ls", "-q").lines == []
    assert pod("image", "exists", "built-web", status=None).status == 1


def test_secrets_configs_and_namespaces(compose: Files) -> None:
    (compose.directory / "token").write_text("s3cret")
    compose.write(
        """
        name: keys
        services:
          web:
            image: busybox
            command: [sh, -c, "cat /run/secrets/* /etc/app.conf; stat -c %a:%u /etc/app.conf; exec sleep 1000"]
            stop_signal: SIGKILL
            secrets: [token, var]
            configs: [{source: app, target: /etc/app.conf, mode: 0400, uid: "5"}]
          side: {image: busybox, command: [sleep, "1000"], network_mode: "service:web", stop_signal: SIGKILL}
        secrets:
          token: {file: ./token}
          var: {environment: KEY}
        configs:
          app: {content: "hello $$x\\n"}
        """
    )
    compose("up", "-d", env={"KEY": "-k-"})
    until(lambda: "400:5" in compose("logs", "web", env={"KEY": "-k-"}).out, "the output")
    assert (
        compose("logs", "--no-log-prefix", "web", env={"KEY": "-k-"}).out
        == "s3cret-k-hello $x\n400:5"
    )
    before = set(compose("ps", "-q", env={"KEY": "-k-"}).lines)
    compose("up", "-d", env={"KEY": "other"})
    assert not before & set(compose("ps", "-q", env={"KEY": "other"}).lines)
    assert compose.state() == {"keys-side-1": "running", "keys-web-1": "running"}


def test_hooks_run_after_the_start_and_before_the_stop(compose: Files) -> None:
    compose.write(
        """
        name: hooks
        services:
          web:
            image: busybox
            command: [sleep, "1000"]
            stop_signal: SIGKILL
            volumes: ["data:/data"]
            post_start:
            - {command: [chmod, "777", .], user: root, working_dir: /data, privileged: true}
            - {command: [sh, -c, "echo $$A >/data/started"], environment: {A: now}}
            pre_stop:
            - command: [sh, -c, 'echo "$$(id -u) $$(pwd) $$A" > stopped']
              environment: {A: then}
              user: "5"
              working_dir: /data
              privileged: true
        volumes: {data: {}}
        """
    )
    compose("up", "-d")
    assert compose("exec", "-T", "web", "cat", "/data/started").out == "now"
    compose("stop")
    assert compose("run", "--rm", "-T", "web", "cat", "/data/stopped").out == "5 /data then"


def test_an_interrupt_stops_the_services(compose: Files, pod: Engine) -> None:
    path = compose.write(
        """
        name: stopped
        services:
          web: {image: busybox, command: [sh, -c, "trap 'echo bye; exit 3' TERM; echo up; sleep 1000 & wait"]}
        """
    )
    with pod.spawn("compose", "-f", path, "up") as command:
        assert command.stdout is not None and command.stderr is not None
        assert command.stdout.readline() == b"web-1 | up\n"
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert b" Container stopped-web-1  Stopped" in err, (out, err)
    assert compose.state() == {"stopped-web-1": "exited"}


def test_up_in_front_shows_output_and_ends_with_a_service(compose: Files) -> None:
    compose.write(
        """
        name: front
        services:
          test: {image: busybox, command: [sh, -c, "echo tested; exit 5"], depends_on: [db]}
          db: {image: busybox, command: [sh, -c, "echo up; exec sleep 1000"], stop_signal: SIGKILL}
        """
    )
    shown = compose("up", "--exit-code-from", "test", status=5)
    assert "test-1 | tested\n" in shown.stdout
    assert "front-test-1 exited with code 5" in shown.stderr
    assert set(compose.state().values()) == {"exited"}


def test_networks_and_volumes_as_the_file_has_them(compose: Files, pod: Engine) -> None:
    pod("network", "create", "there")
    pod("volume", "create", "kept")
    compose.write(
        """
        name: places
        services:
          web:
            image: busybox
            command: [sleep, "1000"]
            stop_signal: SIGKILL
            networks:
              front: {ipv4_address: 10.214.9.7, ipv6_address: "fd00:214:9::7", aliases: [shown]}
              closed: {}
              there: {}
            volumes: ["kept:/kept", "named:/named"]
          other:
            image: busybox
            command: [sleep, "1000"]
            stop_signal: SIGKILL
            networks: [front]
          inside: {image: busybox, command: [sleep, "1000"], network_mode: "service:web", stop_signal: SIGKILL}
        networks:
          front:
            labels: {use: front}
            enable_ipv6: true
            ipam:
              config:
                - {subnet: 10.214.9.0/24, ip_range: 10.214.9.2/31, aux_addresses: {printer: 10.214.9.2}}
                - {subnet: "fd00:214:9::/64"}
          closed: {internal: true, name: really-closed}
          there: {external: true}
        volumes:
          kept: {external: true}
          named: {name: its-name, labels: [use=data], driver_opts: {type: tmpfs, device: tmpfs}}
        """
    )
    compose("up", "-d")
    form = "{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}} {{$v.GlobalIPv6Address}}\n{{end}}"
    places = dict(
        line.split(" ", 1) for line in pod("inspect", "-f", form, "places-web-1").lines if line
    )
    assert set(places) == {"places_front", "really-closed", "there"}
    assert places["places_front"] == "10.214.9.7 fd00:214:9::7"
    # Of the range of two addresses one is the printer's.
    assert pod("inspect", "-f", form, "places-other-1").lines[0].split()[1] == "10.214.9.3"
    asked = pod("exec", "places-other-1", "nslookup", "shown").out
    assert "10.214.9.7" in asked
    assert "10.214.9.7" in pod("exec", "places-inside-1", "ip", "addr").out
    assert "tmpfs on /named" in pod("exec", "places-web-1", "mount").out
    shown = pod("network", "inspect", "really-closed", "--format", "{{.Internal}}").out
    assert shown == "true"
    assert pod("volume", "inspect", "its-name", "--format", "{{.Labels.use}}").out == "data"
    compose("down", "--volumes")
    assert "there" in pod("network", "ls", "--format", "{{.Name}}").lines
    assert pod("volume", "ls", "-q").lines == ["kept"]
    pod("network", "rm", "there")


STUBBORN = """
name: NAME
services:
  web:
    image: busybox
    command: [sh, -c, "trap 'echo no' TERM; echo up; while :; do sleep 1000 & wait; done"]
    stop_grace_period: 10m
"""


def test_a_second_interrupt_kills(compose: Files, pod: Engine) -> None:
    path = compose.write(STUBBORN.replace("NAME", "stubborn"))
    with pod.spawn("compose", "-f", path, "up") as command:
        assert command.stdout is not None and command.stderr is not None
        assert command.stdout.readline() == b"web-1 | up\n"
        command.send_signal(signal.SIGINT)
        assert command.stdout.readline() == b"web-1 | no\n"  # so it is being stopped
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert b" Container stubborn-web-1  Killed" in err, (out, err)
    assert compose.state() == {"stubborn-web-1": "exited"}


def test_keys_of_the_menu_detach_and_watch(compose: Files, pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    path = compose.write(
        """
        name: menu
        services:
          web:
            image: busybox
            command: [sh, -c, "echo up; exec sleep 1000"]
            stop_signal: SIGKILL
            develop: {watch: [{path: ./src, action: sync, target: /src}]}
        """
    )
    command = pod.full_command("compose", "-f", path, "up", "--menu")
    with Terminal(command, pod.environment, columns=200) as terminal:
        terminal.expect("Ctrl-C Stop   d Detach   w Enable Watch")
        terminal.type("w")
        terminal.expect_all("Disable Watch", "Watching")
        (tmp_path / "src" / "it").write_text("saved")
        terminal.expect("Synced src/it")
        terminal.type("w")
        terminal.expect("Enable Watch")
        terminal.type("d")
        assert terminal.wait() == 0
    assert pod("exec", "menu-web-1", "cat", "/src/it").out == "saved"
