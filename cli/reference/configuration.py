"""The page of every setting: its key, what it may be, what it is when nothing is said, and what it means."""

import json
from collections.abc import Iterator
from typing import Any

from clawstream.cli.reference.markdown import code, page, table
from clawstream.cli.reference.sections import MODELS

_HEAD = """# Configuration

<!-- python -m clawstream.cli.reference -->

Settings come from one TOML file with a section per app (`clawstream.toml` in the current folder, or the file that
`CLAWSTREAM_CONFIG` names), then from variables `CLAWSTREAM_<SECTION>_<KEY>`, then from flags; the later one wins.
An unknown section, key or variable is an error that names it, and so is a value that does not fit.

```toml title="clawstream.toml"
[kafka]
bootstrap_servers = "127.0.0.1:9092"

[gateway]
port = 8100
```

```sh
CLAWSTREAM_GATEWAY_PORT=8200 clawstream gateway               # over the file
CLAWSTREAM_GATEWAY_PORT=8200 clawstream gateway --port 8300   # over both
```"""
_REWARDS = """Each table of `[[processors.rewards]]` is a reward processor of its own; `kind` says which."""
_HEADS = ("key", "is", "unless said", "means")
_SIGNS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "object": "table",
}


def configuration() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, model in MODELS.items():
        schema = model.model_json_schema()
        parts += [f"## [{name}]", schema.get("description", "").strip().split("\n")[0], _table(schema)]
        parts += _kinds(schema)
    return page(*parts)


def _table(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (code(key), kind_of(field), _default(field, key in required), field.get("description", ""))
        for key, field in schema["properties"].items()
    ]
    return table(_HEADS, rows)


def _kinds(schema: dict[str, Any]) -> Iterator[str]:
    """What a list of tables may hold, one after the other."""
    for field in schema["properties"].values():
        for reference in field.get("items", {}).get("oneOf", ()):
            inner = schema["$defs"][reference["$ref"].rsplit("/", 1)[-1]]
            kind = inner["properties"].pop("kind")
            yield "### " + ", ".join(map(code, kind.get("enum") or [kind["const"]]))
            yield inner.get("description", "").strip().split("\n")[0]
            yield _table(inner)


def kind_of(field: dict[str, Any]) -> str:
    """What a value may be, in words.

    Example: ``{"type": "integer", "minimum": 1}`` is ``whole number ≥ 1``.
    """
    choices = [kind_of(each) for each in field.get("anyOf", ()) if each.get("type") != "null"]
    if choices:
        return " or ".join(choices)
    if "enum" in field:
        return ", ".join(map(code, field["enum"]))
    if field.get("type") == "array":
        return "tables, see below"
    kind = {"path": "path", "password": "secret"}.get(field.get("format", ""), _TYPES.get(field.get("type", ""), ""))
    bounds = [sign.format(field[bound]) for bound, sign in _SIGNS.items() if bound in field]
    return " ".join([kind, ", ".join(bounds)]).strip()


def _default(field: dict[str, Any], required: bool) -> str:
    if required:
        return "must be said"
    default = field.get("default")
    return "none" if default is None else code(json.dumps(default, ensure_ascii=False))
