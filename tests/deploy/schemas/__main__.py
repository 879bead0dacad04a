"""Write the JSON schemas in this folder: those of a Service of Knative and of Cloud Run.

Both come from packages that the tests do not need otherwise: ten come with Google's, and Knative's
changes pytest. Without descriptions, they are small. Fields that a schema lacks are refused.

  pip download --no-deps google-api-python-client==2.202.0
  uv run --no-project --with cloudcoil-models-knative-serving==1.17.0.1 \
    python -m tests.deploy.schemas google_api_python_client-2.202.0-py3-none-any.whl
"""

import json
import sys
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

Schema = dict[str, Any]

_FOLDER: Final = Path(__file__).parent
_CLOUD_RUN: Final = "googleapiclient/discovery_cache/documents/run.v1.json"
_UNSUPPORTED: Final = "not supported"
_KNATIVE: Final = "cloudcoil-models-knative-serving"
_RESTRICTED: Final = ("autoscaling.knative.dev/", "run.googleapis.com/")
"""Cloud Run accepts only the annotations with these prefixes that its description names."""


def knative() -> Schema:
    """From the models that cloudcoil generates from Knative's custom resource definitions."""
    from cloudcoil.models.knative_serving.serving import v1  # type: ignore[import-not-found]

    whole = v1.Service.model_json_schema(by_alias=True)
    types = {"Service": whole, **whole["$defs"]}
    return _schema(
        f"{_KNATIVE} {metadata.version(_KNATIVE)}",
        {name: _simple(definition) for name, definition in types.items()},
    )


def cloud_run(wheel: Path) -> Schema:
    """From the description of the API v1 in Google's client library."""
    with zipfile.ZipFile(wheel) as archive:
        document = json.loads(archive.read(_CLOUD_RUN))
    types = {name: _simple(each) for name, each in document["schemas"].items()}
    text = document["schemas"]["ObjectMeta"]["properties"]["annotations"]["description"]
    names = {word for word in text.split("`") if word.startswith(_RESTRICTED)}
    types["ObjectMeta"]["properties"]["annotations"] = {
        "type": "object",
        "properties": {
            name: {"type": "string"} for name in sorted(names) if not name.endswith("/")
        },
        "patternProperties": {f"^(?!{'|'.join(_RESTRICTED)})": {"type": "string"}},
        "additionalProperties": False,
    }
    return _schema(f"run.v1, revision {document['revision']}, in {wheel.name}", types)


def _simple(definition: Mapping[str, Any]) -> Schema:
    """The definition without descriptions, `null`, and fields that are not supported."""
    if "anyOf" in definition:
        kinds = [each for each in definition["anyOf"] if each.get("type") != "null"]
        return (
            _simple(kinds[0]) if len(kinds) == 1 else {"anyOf": [_simple(each) for each in kinds]}
        )
    if "$ref" in definition:
        return {"$ref": f"#/$defs/{definition['$ref'].rpartition('/')[2]}"}
    result = {name: definition[name] for name in ("type", "const") if name in definition}
    if "properties" in definition:
        result["properties"] = {
            name: _simple(field)
            for name, field in definition["properties"].items()
            if not field.get("description", "").lower().startswith(_UNSUPPORTED)
        }
        result["additionalProperties"] = False
    elif "additionalProperties" in definition:
        values = definition["additionalProperties"]
        result["additionalProperties"] = values if isinstance(values, bool) else _simple(values)
    if "items" in definition:
        result["items"] = _simple(definition["items"])
    if "required" in definition and isinstance(definition["required"], list):
        result["required"] = definition["required"]
    return result


def _schema(source: str, types: Mapping[str, Schema]) -> Schema:
    """The schema of the type `Service` with what it refers to; what a server adds is left out."""
    del types["Service"]["properties"]["status"]
    used: dict[str, Schema] = {}
    missing = ["Service"]
    while missing:
        name = missing.pop()
        used[name] = types[name]
        references = json.dumps(types[name]).split('"#/$defs/')[1:]
        missing += [
            each for each in (part.split('"')[0] for part in references) if each not in used
        ]
    return {"$comment": source, "$ref": "#/$defs/Service", "$defs": dict(sorted(used.items()))}


def _write(name: str, schema: Schema) -> None:
    (_FOLDER / name).write_text(json.dumps(schema, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    _write("cloud-run.json", cloud_run(Path(sys.argv[1])))
    _write("knative.json", knative())
