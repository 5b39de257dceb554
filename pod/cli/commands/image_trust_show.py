"""`pod image trust show`: the rules of policy.json."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.image_trust import Rule

_COLUMNS = ("TRANSPORT", "NAME", "TYPE", "ID", "STORE")


def show_trust(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import image_trust

    if arguments.flag("raw"):
        if arguments.flag("json") or arguments.words:
            raise UsageError("--raw shows the whole file; it excludes --json and a registry")
        print(image_trust.raw(engine), end="")
        return
    rules = image_trust.rules(engine, *arguments.words)
    if arguments.flag("json"):
        import json

        print(json.dumps([_document(rule) for rule in rules], indent=2))
        return
    rows = [
        (rule.transport, rule.name, rule.kind, ", ".join(rule.signers) or _id(rule), rule.store)
        for rule in rules
    ]
    if not arguments.flag("noheading"):
        rows.insert(0, _COLUMNS)
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _id(rule: Rule) -> str:
    return "N/A" if rule.kind == "sigstoreSigned" else ""


def _document(rule: Rule) -> dict[str, Any]:
    """With the fields that podman has."""
    is_default = rule.transport == "all"
    found = {
        "transport": rule.transport,
        "name": "* (default)" if is_default else rule.name,
        "repo_name": rule.name,
        "keys": list(rule.keys),
        "sigstore": rule.store,
        "type": rule.kind,
        "gpg_id": ", ".join(rule.signers) or _id(rule),
    }
    return {key: value for key, value in found.items() if value}


COMMAND = Command(
    show_trust,
    "[OPTIONS] [REGISTRY]",
    description=(
        "Shows the rules of policy.json: which images may come in, and who must have signed them. With REGISTRY, a "
        "registry, namespace or repository, only the rule that counts for it."
    ),
    options=(
        Option(("-j", "--json"), "flag", "Show the rules as JSON"),
        Option(("-n", "--noheading"), "flag", "Show no headings"),
        Option(("--raw",), "flag", "Show the file as it is"),
    ),
    maximum=1,
    examples=("pod image trust show", "pod image trust show quay.io/team"),
)
