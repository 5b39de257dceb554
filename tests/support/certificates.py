"""Certificates for servers of tests, also those that are over, or for another name."""

from __future__ import annotations

import ssl
import subprocess

_CA = """
[ca]
default_ca = here
[here]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def certificate(
    directory: str, name: str, end: str = "20990101000000Z", subject: str = "t"
) -> ssl.SSLContext:
    """A server's context with a self-signed certificate for `name` in DIRECTORY/cert.pem.

    Of two with the same subject, whoever trusts both may compare with the wrong one.
    """
    for file, text in (("ca", _CA), ("index", ""), ("names", f"subjectAltName = {name}")):
        with open(f"{directory}/{file}", "w") as out:
            out.write(text)
    # Only `ca` makes certificates that are over already.
    for command in (
        f"req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={subject}"
        " -keyout key.pem -out request.pem",
        "ca -batch -config ca -selfsign -keyfile key.pem -in request.pem -extfile names -notext"
        f" -startdate 20200101000000Z -enddate {end} -out cert.pem",
    ):
        subprocess.run(
            ["openssl", *command.split()], cwd=directory, check=True, capture_output=True
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/cert.pem", f"{directory}/key.pem")
    return context
