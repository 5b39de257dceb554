"""Build files as people write them: several stages, package managers with caches, compilers, scripts, secrets.

Package managers and their packages are real; what they would fetch from the Internet lies in the context.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_build_language import build, config, shown, write
from tests.support.engine import Engine
from tests.support.waiting import free_port, until_http


@pytest.fixture
def tools(pod: Engine) -> Engine:
    pod.have("tools")
    return pod


FOUR_STAGES = """# syntax=docker/dockerfile:1
ARG TOOLS=tools

FROM node AS frontend
WORKDIR /app
COPY package*.json build.mjs ./
RUN --mount=type=cache,target=/root/.npm \\
    node -e 'require("./package.json").entries.length' && echo seen >> /root/.npm/log
COPY resources/ resources/
RUN <<EOF
set -e
node --check resources/a.js
node --test resources/
NODE_ENV=production node build.mjs
EOF

FROM ${TOOLS} AS vendor
WORKDIR /app
COPY composer.json .
RUN mkdir -p vendor && python3 -c "import json; print(*json.load(open('composer.json'))['require'])" > vendor/installed

FROM ${TOOLS} AS app
WORKDIR /var/www
COPY --chown=www-data:www-data . .
COPY --chown=www-data --from=vendor /app/vendor vendor
COPY --chown=www-data --from=frontend /app/public/build public/build
USER www-data
RUN touch storage/writable && ! touch /etc/not

FROM nginx AS production
ARG PORT=8080
LABEL org.opencontainers.image.title="shop"
COPY --from=app /var/www/public /usr/share/nginx/html
COPY <<EOF /etc/nginx/conf.d/shop.conf
server {
    listen ${PORT};
    root /usr/share/nginx/html;
    location / { try_files \\$uri /index.html; }
}
EOF
RUN nginx -t
EXPOSE ${PORT}/tcp
HEALTHCHECK --interval=10s --retries=2 CMD ["nginx", "-t"]
"""
SHOP = {
    "package.json": '{"entries": ["a", "b"]}',
    "build.mjs": """import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const { entries } = JSON.parse(readFileSync('package.json'));
const code = entries.map(name => readFileSync(`resources/${name}.js`, 'utf8').trim()).join('');
if (new Function(`${code} return a`)() !== 2) throw new Error('it does not work');
mkdirSync('public/build', { recursive: true });
writeFileSync('public/build/app.js', code);
""",
    "package-lock.json": "{}",
    "resources/a.test.mjs": """import { equal } from 'node:assert';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
test('it is a declaration', () => equal(readFileSync('resources/a.js', 'utf8'), 'let a = 1;\\n'));
""",
    "resources/a.js": "let a = 1;\n",
    "resources/b.js": "a++;\n",
    "composer.json": '{"require": {"one": "*", "two": "*"}}',
    "public/index.html": "<h1>shop</h1>",
    "storage/.keep": "",
    "node_modules/huge": "x" * 100_000,
    ".env": "PASSWORD=1",
    ".dockerignore": "node_modules\n.env*\n!.env.example\n",
}


@pytest.mark.not_podman("4.3 has no heredocs")
def test_front_end_dependencies_application_and_server(tools: Engine, tmp_path: Path) -> None:
    tools.have("nginx")
    tools.have("node")
    build(tools, tmp_path, FOUR_STAGES, "--target", "app", files=SHOP)
    script = "cat vendor/installed; ls -A; stat -c %U public/build/app.js storage/writable; id -un"
    lines = shown(tools, script).split("\n")
    assert lines[0] == "one two"
    assert {"node_modules", ".env"}.isdisjoint(lines)
    assert lines[-3:] == ["www-data"] * 3
    build(tools, tmp_path, FOUR_STAGES)
    assert shown(tools, "cat /usr/share/nginx/html/build/app.js") == "let a = 1;a++;"
    assert "listen 8080;" in shown(tools, "cat /etc/nginx/conf.d/shop.conf")
    assert "try_files $uri" in shown(tools, "cat /etc/nginx/conf.d/shop.conf")
    port = free_port()
    tools("run", "-d", "--name", "shop", "-p", f"127.0.0.1:{port}:8080", "made")
    assert until_http(f"http://127.0.0.1:{port}/build/app.js") == "let a = 1;a++;"
    tools("rm", "-f", "-t0", "shop")
    found = config(tools)
    assert set(found["ExposedPorts"]) == {"80/tcp", "8080/tcp"}
    assert found["Cmd"] == ["nginx", "-g", "daemon off;"]
    assert found["Labels"]["org.opencontainers.image.title"] == "shop"


def wheel(directory: Path, name: str, source: str) -> None:
    """A wheel of one module, with all that pip wants of it."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest())
            record += f"{path},sha256={digest.decode().rstrip('=')},{len(content)}\n"
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")


def with_pip(directory: Path) -> None:
    """pip itself, which runs from its wheel."""
    (pip,) = glob.glob("/usr/share/python-wheels/pip-*.whl")
    (directory / "pip.whl").write_bytes(Path(pip).read_bytes())


PYTHON = """FROM tools AS base
ENV PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
FROM base AS packages
RUN --mount=type=cache,target=/root/.cache \\
    --mount=type=bind,source=requirements.txt,target=requirements.txt \\
    --mount=type=bind,source=wheels,target=/wheels \\
    python3 /wheels/pip.whl/pip install -q --no-index --find-links /wheels --target /packages -r requirements.txt
RUN --mount=type=cache,target=/root/.cache --mount=type=bind,source=extra.txt,target=extra.txt \\
    cat extra.txt >> /root/.cache/count && wc -l < /root/.cache/count > /packages/count
FROM base
COPY --from=packages /packages /packages
ENV PYTHONPATH=/packages
COPY app.py .
CMD ["python3", "app.py"]
"""


ON_BUILD = """FROM tools
WORKDIR /app
ENV PYTHONPATH=/packages PYTHONDONTWRITEBYTECODE=1
ONBUILD COPY requirements.txt wheels/ /wheels/
ONBUILD RUN python3 /wheels/pip.whl/pip install -q --no-index --find-links /wheels --target /packages \\
    -r /wheels/requirements.txt && rm -r /wheels
ONBUILD COPY . .
ONBUILD RUN python3 -c 'import ast; ast.parse(open("app.py").read())'
CMD ["python3", "app.py"]
"""


def test_a_base_that_says_how_applications_are_installed(tools: Engine, tmp_path: Path) -> None:
    """As the images that end in "-onbuild": the file of an application has one line."""
    base, app = tmp_path / "base", tmp_path / "app"
    build(tools, base, ON_BUILD, "--format", "docker", files={"none": ""})
    tools("tag", "made", "localhost/company-python")
    wheels = app / "wheels"
    wheels.mkdir(parents=True)
    with_pip(wheels)
    wheel(wheels, "greeting", "def greet(name): return f'hello {name}'\n")
    program = "import greeting; print(greeting.greet('you'))"
    files = {"requirements.txt": "greeting==1.0\n", "app.py": program, ".dockerignore": "none"}
    line = "FROM localhost/company-python\n"
    build(tools, app, line, files=files)
    assert tools("run", "--rm", "--network=none", "made").out == "hello you"
    assert shown(tools, "ls /wheels 2>&1 || true").endswith("No such file or directory")
    assert not config(tools).get("OnBuild")
    failed = build(tools, app, line, files={"app.py": "this is no program"}, status=None)
    assert failed.status != 0 and "SyntaxError" in failed.stderr
    tools("rmi", "localhost/company-python")


@pytest.mark.not_podman("4.3 wants targets of mounts that are absolute")
def test_python_packages_with_a_cache(tools: Engine, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with_pip(wheels)
    wheel(wheels, "greeting", "def greet(name): return f'hello {name}'\n")
    app = (
        "import greeting, os; print(greeting.greet('you'), open('/packages/count').read().strip())"
    )
    files = {"requirements.txt": "greeting==1.0\n", "extra.txt": "one\n", "app.py": app}
    build(tools, tmp_path, PYTHON, "--no-cache", files=files)
    first = tools("run", "--rm", "--network=none", "made").out
    assert first.startswith("hello you ")
    # Another program leaves the packages alone, and what has to be done again finds the cache.
    build(tools, tmp_path, PYTHON, files={"app.py": app.replace("'you'", "'me'")})
    assert tools("run", "--rm", "--network=none", "made").out == first.replace("you", "me")
    build(tools, tmp_path, PYTHON, files={"extra.txt": "two\n"})
    count = int(first.split()[-1])
    assert tools("run", "--rm", "--network=none", "made").out == f"hello me {count + 1}"
    assert shown(tools, "ls -A /root/.cache /wheels 2>/dev/null || true") == ""


C = r"""FROM tools AS build
WORKDIR /src
COPY *.h *.c ./
RUN tcc -o hello hello.c && ./hello build
# The program with the libraries that it needs, as ldd(1) tells.
RUN mkdir -p /out && cp hello /out/ \
    && ldd hello | grep -o '/[^ ]*' | xargs -I{} cp -L --parents {} /out/
FROM scratch
COPY --from=build /out /
ENTRYPOINT ["/hello"]
CMD ["world"]
"""
HELLO = {
    "hello.h": '#define GREETING "hello"\n',
    "hello.c": '#include <stdio.h>\n#include "hello.h"\n'
    'int main(int c, char **v) { printf("%s %s\\n", GREETING, v[c - 1]); return 0; }\n',
}


def test_a_program_in_c_alone_in_its_image(tools: Engine, tmp_path: Path) -> None:
    said = build(tools, tmp_path, C, files=HELLO)
    assert "hello build" in said.stdout + said.stderr
    assert tools("run", "--rm", "--network=none", "made").out == "hello world"
    assert tools("run", "--rm", "--network=none", "made", "you").out == "hello you"
    assert len(tools("image", "inspect", "made").json()[0]["RootFS"]["Layers"]) == 1
    assert not [word for word in config(tools).get("Env") or [] if not word.startswith("PATH=")]


SCRIPTS = """FROM tools
ARG GREETING=hello
RUN <<'EOT' bash
set -euo pipefail
words=(one two)
echo "${words[@]}" > /words
EOT
RUN python3 <<EOT
with open("/python", "w") as file:
    print("$GREETING", 6 * 7, file=file)
EOT
RUN <<'EOT'
#!/usr/bin/env python3
import os
with open("/interpreted", "w") as file:
    print(os.environ["GREETING"], "$GREETING", file=file)
EOT
RUN cat <<ONE - <<TWO > /both
1 $GREETING
ONE
2
TWO
COPY --chmod=755 <<EOT /usr/local/bin/entry
#!/bin/sh
echo "${GREETING} \\$1"
EOT
ENTRYPOINT ["entry"]
"""


@pytest.mark.not_podman("4.3 has no heredocs")
def test_scripts_inside_of_the_file(tools: Engine, tmp_path: Path) -> None:
    build(tools, tmp_path, SCRIPTS)
    script = "cat /words /python /interpreted /both"
    out = tools("run", "--rm", "--network=none", "--entrypoint", "sh", "made", "-c", script).out
    assert out == "one two\nhello 42\nhello $GREETING\n2"
    assert tools("run", "--rm", "--network=none", "made", "you").out == "hello you"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """(socket of an ssh agent, fingerprint of its key)."""
    key = str(tmp_path / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    socket = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # it listens when it has said where
    environment = {**os.environ, "SSH_AUTH_SOCK": socket}
    subprocess.run(["ssh-add", "-q", key], check=True, env=environment)
    yield socket, fingerprint
    process.terminate()
    process.communicate()


SECRETS = """FROM tools
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc,required sed s/token=// /root/.npmrc | tr a-z b-za > /used
RUN --mount=type=secret,id=missing test ! -e /run/secrets/missing
RUN --mount=type=ssh ssh-add -l > /keys
"""


@pytest.mark.not_podman("4.3 breaks down at 'required' without a value")
def test_secrets_and_an_agent_leave_nothing(
    tools: Engine, tmp_path: Path, agent: tuple[str, str]
) -> None:
    secret = (
        hashlib.sha256(os.urandom(16))
        .hexdigest()
        .translate(str.maketrans("0123456789", "ghijklmnop"))
    )
    (tmp_path / "npmrc").write_text(f"token={secret}\n")
    context = tmp_path / "context"
    context.mkdir()
    options = ("--secret", f"id=npmrc,src={tmp_path}/npmrc", "--ssh", f"default={agent[0]}")
    said = build(tools, context, SECRETS, *options)
    assert secret not in said.stdout + said.stderr
    shifted = "".join(chr((ord(letter) - 96) % 26 + 97) for letter in secret)
    lines = shown(
        tools, "cat /used /keys; ls -A /root/.npmrc /run/secrets /run/buildkit 2>/dev/null; true"
    ).split("\n")
    assert lines[0] == shifted
    assert agent[1] in lines[1]
    assert lines[2:] in ([], ["/root/.npmrc"])
    assert shown(tools, "cat /root/.npmrc 2>/dev/null || true") == ""
    # In the id map, so that files of all users of images are read.
    found = tools("unshare", "grep", "-rlF", "-e", secret, tools.root, status=None)
    assert (found.stdout, found.status) == ("", 1), found


@pytest.mark.not_podman("a variable with a secret is newer")
def test_secrets_as_variables_are_gone_after_their_command(tools: Engine, tmp_path: Path) -> None:
    dockerfile = """FROM busybox
RUN --mount=type=secret,id=token,env=TOKEN test "${TOKEN%secret}" = "very "
RUN test -z "$TOKEN"
RUN --mount=type=secret,id=none,required true
"""
    write(tmp_path, {"Dockerfile": dockerfile})
    said = tools(
        "build",
        "--secret",
        "id=token,env=MY_TOKEN",
        str(tmp_path),
        env={"MY_TOKEN": "very secret"},
        status=125,
    )
    assert "Dockerfile:4: " in said.stderr
    assert "none" in said.stderr
    assert "very secret" not in said.stderr


CROSS = """FROM --platform=$BUILDPLATFORM busybox AS build
ARG TARGETOS TARGETARCH BUILDARCH
RUN echo "$TARGETOS $TARGETARCH" > /out
FROM scratch
ARG TARGETARCH
LABEL arch=$TARGETARCH
COPY --from=build /out /arch-$TARGETARCH
"""


def test_images_for_other_platforms_without_their_programs(tools: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": CROSS})
    platforms = ("amd64", "arm64", "riscv64")
    tools(
        "build",
        "--platform",
        ",".join(f"linux/{each}" for each in platforms),
        "--manifest",
        "cross",
        str(tmp_path),
    )
    listed = tools("manifest", "inspect", "cross").json()["manifests"]
    assert sorted(each["platform"]["architecture"] for each in listed) == list(platforms)
    out = tmp_path / "out"
    tools(
        "build", "--platform", "linux/riscv64", "--output", f"type=local,dest={out}", str(tmp_path)
    )
    assert [path.name for path in out.iterdir()] == ["arch-riscv64"]
    assert (out / "arch-riscv64").read_text() == "linux riscv64\n"
