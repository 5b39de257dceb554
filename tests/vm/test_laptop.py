"""Pod on a laptop: installed as a user does, used after a login, and there again after a reboot."""

from __future__ import annotations

import pytest

from tests.vm import machine
from tests.vm.conftest import Said

pytestmark = [pytest.mark.timeout(machine.TEST_SECONDS), pytest.mark.installed]

MIB = 1 << 20
scene = pytest.mark.scene


# After a login


@scene(login="command -v pod; pod --version; pod info --format '{{.Host.CgroupManager}}'")
def test_pod_is_installed_as_by_a_user(said: Said) -> None:
    path, version, manager = said.login.splitlines()
    assert path.endswith("/venv/bin/pod") and version.startswith("pod version")
    assert manager == "systemd"


@pytest.mark.lengthy
@scene(
    login="""
export POD=$(command -v pod)
.venv/bin/python -m tests.support.main_job start
pod ps --format '{{.Names}} {{.Ports}}'
pod exec try-nginx nginx -v
pod stop -t 2 try-nginx
pod logs try-nginx
pod rm try-nginx
"""
)
def test_main_job(said: Said) -> None:
    assert "Welcome to nginx" in said.login
    assert "try-nginx 0.0.0.0:8080->80/tcp" in said.login
    assert "nginx version" in said.login
    assert '"GET / HTTP/1.1" 200' in said.login


@scene(
    login="""
limits="--memory 64m --cpus 0.5 --pids-limit 50"
pod run -d --name limited --network none $limits localhost/latest sleep 1000
group=/sys/fs/cgroup$(pod inspect -f '{{.State.CgroupPath}}' limited)
cat $group/memory.max $group/cpu.max $group/pids.max
pod stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDS}}' limited
pod rm -f -t 0 limited
pod run --name oom --network none --memory 32m localhost/latest sh -c 'tail /dev/zero'
pod inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' oom
pod run --rm --network none --pids-limit 5 localhost/latest sh -c 'for n in 1 2 3 4 5 6; do sleep 9 & done; echo all'
"""
)
def test_limits_and_stats(said: Said) -> None:
    lines = said.login.splitlines()
    assert lines[1:4] == [str(64 * MIB), "50000 100000", "50"]
    name, used, _, limit, count = lines[4].split()
    assert (name, limit, count) == ("limited", "67.11MB", "1") and used.endswith("B")
    assert "true 137" in lines
    assert "can't fork" in said.login and lines[-1] != "all"


@scene(
    login="""
pod run -d --name checked --network none --health-cmd 'test -e /ok' --health-interval 1s --health-retries 1 \\
    localhost/latest sleep 1000
pod wait --condition unhealthy checked
pod exec checked touch /ok
pod wait --condition healthy checked
pod inspect -f '{{.State.Health.Status}}' checked
pod rm -f -t 0 checked
"""
)
def test_health_checks(said: Said) -> None:
    assert said.login.splitlines()[-2] == "healthy"


@scene(
    login="""
pod run --rm --network none --security-opt apparmor=pod-test localhost/latest sh -c \\
    'cat /proc/self/attr/current; echo x > /tmp/allowed && echo allowed; echo x > /tmp/forbidden || echo denied'
pod run --rm --network none --security-opt apparmor=pod-none localhost/latest echo ran
"""
)
def test_apparmor(said: Said) -> None:
    lines = said.login.splitlines()
    assert lines[0] == "pod-test (enforce)"
    assert "allowed" in lines and "denied" in lines
    assert "ran" not in lines and "pod-none" in said.login


@scene(
    login="""
mkdir ~/shared
pod run --rm --network none --userns keep-id -v ~/shared:/shared localhost/latest sh -c 'id -u; touch /shared/mine'
stat -c %u ~/shared/mine
id -u
"""
)
def test_keep_id(said: Said) -> None:
    assert said.login.split() == [str(machine.user_number())] * 3


@scene(
    login="""
pod run -d --name written --network none --log-driver journald --log-opt tag=mark localhost/latest sh -c \\
    'echo one; echo two >&2; sleep 1; echo three'
pod logs -f written
pod logs --tail 1 written
journalctl --user --no-pager -q -o json CONTAINER_NAME=written MESSAGE=two | .venv/bin/python -c '
import json, sys
(entry,) = map(json.loads, sys.stdin)
print(*(entry[it] for it in ("CONTAINER_NAME", "CONTAINER_TAG", "IMAGE_NAME", "PRIORITY", "_UID")))
print(entry["CONTAINER_ID_FULL"].startswith(entry["CONTAINER_ID"]))
'
pod rm written
"""
)
def test_journald(said: Said) -> None:
    lines = said.login.splitlines()
    assert sorted(lines[1:4]) == ["one", "three", "two"]
    assert lines[4] == "three"
    number = machine.user_number()
    assert lines[5:7] == [f"written mark localhost/latest:latest 3 {number}", "True"]


@scene(
    login="""
pod create --name generated --network none --stop-signal KILL localhost/latest sleep 1000
mkdir -p ~/.config/systemd/user
cd ~/.config/systemd/user
pod generate systemd --new --files --name generated
pod rm generated
systemctl --user daemon-reload
systemctl --user enable -q --now container-generated
systemctl --user is-active container-generated
systemctl --user restart container-generated
pod ps --format '{{.Names}} {{.Status}}' --filter name=generated
""",
    after="""
timeout 300 sh -c 'until systemctl --user -q is-active container-generated; do sleep 0.2; done'
systemctl --user is-active container-generated
systemctl --user disable -q --now container-generated
pod ps -a --format '{{.Names}}' --filter name=generated
""",
)
def test_generated_unit(said: Said) -> None:
    lines = said.login.splitlines()
    assert "active" in lines and lines[-1].startswith("generated Up")
    assert said.after == "active"


@scene(
    before="""
mkdir -p /tmp/good /tmp/bad ~/.config/containers/systemd
printf 'FROM localhost/latest\\nCMD ["sleep", "1000"]\\n' > /tmp/good/Dockerfile
pod build -q --network none -t localhost/app /tmp/good
printf '[Container]\\nImage=localhost/app\\nNetwork=none\\nStopSignal=KILL\\nAutoUpdate=local\\n' > /tmp/app.container
pod quadlet install /tmp/app.container
systemctl --user start app
echo 'LABEL version=2' >> /tmp/good/Dockerfile
pod build -q --network none -t localhost/app /tmp/good
pod auto-update --format 'first {{.Unit}} {{.Updated}}'
printf 'FROM localhost/latest\\nCMD ["/none"]\\n' > /tmp/bad/Dockerfile
pod build -q --network none -t localhost/app /tmp/bad
pod auto-update --format 'second {{.Unit}} {{.Updated}}'
systemctl --user is-active app
pod inspect -f 'version {{.Config.Labels.version}}' systemd-app
pod quadlet rm -f app.container
"""
)
def test_auto_update_and_roll_back(said: Said) -> None:
    lines = said.before.splitlines()
    assert "first app.service true" in lines
    assert "second app.service rolled back" in lines
    assert "active" in lines and "version 2" in lines


# After a reboot


@scene(
    before="""
mkdir -p /tmp/quadlets/site
cat > /tmp/quadlets/site/site.container <<'END'
[Container]
Image=localhost/latest
Memory=64m
PublishPort=8081:80
StopSignal=KILL
Volume=data.volume:/data
Exec=sh -c 'echo started >> /data/index.html; exec httpd -f -h /data'
[Install]
WantedBy=default.target
END
echo "[Volume]" > /tmp/quadlets/site/data.volume
pod quadlet install /tmp/quadlets/site >/dev/null
systemctl --user start site || journalctl --user --no-pager -q -n 30
systemctl --user is-active site
cat /sys/fs/cgroup$(systemctl --user show --value -p ControlGroup site)/pod-*/memory.max
busybox wget -q -O - http://127.0.0.1:8081/
""",
    after="""
# Nobody has started it, or has logged in but this script: it is wanted by the default target.
timeout 300 sh -c 'until busybox wget -q -O - http://127.0.0.1:8081/; do sleep 0.5; done' 2>/dev/null
systemctl --user is-active site
pod quadlet rm -f site >/dev/null
""",
)
def test_a_web_service_of_a_quadlet_runs_again_after_a_reboot_with_its_volume(said: Said) -> None:
    assert said.before.split() == ["active", str(64 * MIB), "started"]
    assert said.after.split() == ["started", "started", "active"]


@scene(
    before="""
for policy in no always unless-stopped; do
    pod run -d --name policy-$policy --network none --restart $policy localhost/latest sleep 1000
done
for name in stopped killed; do
    pod run -d --name policy-$name --network none --restart unless-stopped localhost/latest sleep 1000
done
pod stop -t 0 policy-stopped
pod kill policy-killed
pod wait policy-killed
echo "== install"
pod startup install
""",
    after="""
# The unit may still be at it; stopping and starting it is another, orderly way down and up again.
systemctl --user start pod-startup.service
running() { pod ps --format '{{.Names}}' --filter name=policy- | sort; }
running
echo "== not again"
pod inspect -f '{{.State.Status}}' policy-no
echo "== exec"
pod exec policy-always echo well
echo "== stopped with the unit"
systemctl --user stop pod-startup.service
running
echo "== started with the unit"
systemctl --user start pod-startup.service
running
echo "== removed"
pod startup remove
systemctl --user is-enabled pod-startup.service
pod rm -f -t 0 --filter name=policy-
""",
)
def test_containers_run_again_after_a_reboot_as_their_policies_say(said: Said) -> None:
    installed = said.before.partition("== install\n")[2]
    assert "systemd user unit" in installed and "the machine starts" in installed
    running, *parts = said.after.split("\n== ")
    found = dict(part.partition("\n")[::2] for part in parts)
    again = ["policy-always", "policy-unless-stopped"]
    assert running.split() == again
    assert found["not again"].strip() == "exited"
    assert found["exec"] == "well"
    assert found["stopped with the unit"] == ""
    assert found["started with the unit"].split() == again
    assert "enabled" not in found["removed"]
