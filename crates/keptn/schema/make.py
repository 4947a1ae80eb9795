#!/usr/bin/env python3
"""Makes ../src/validate/schema.json from Keptn's CRDs (lifecycle-toolkit, Apache-2.0).

    python3 make.py <folder with the CRDs' YAML files>

Kept is what decides whether a resource is valid, of `spec` alone: descriptions, defaults and status
go. A version with the schema of one before it names that one. Needs PyYAML.
"""

import json
import pathlib
import sys

import yaml

PATTERNS = {
    r"^0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$": "duration",
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$": "quantity",
    "cortex|datadog|dql|dynatrace|prometheus|elastic|thanos": "provider",
    "prometheus|dynatrace|datadog|dql|elastic": "provider",
}


def reduce(schema):
    kept = {key: schema[key] for key in ("required", "enum", "minimum", "maximum") if key in schema}
    if schema.get("x-kubernetes-int-or-string"):
        kept["type"] = "intOrString"
    elif "type" in schema:
        kept["type"] = schema["type"]
    if schema.get("format") in ("int32", "date-time"):
        kept["format"] = schema["format"]
    if "pattern" in schema:
        kept["format"] = PATTERNS[schema["pattern"]]
    if "properties" in schema:
        kept["properties"] = {name: reduce(inner) for name, inner in schema["properties"].items()}
    if "items" in schema:
        kept["items"] = reduce(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = reduce(schema["additionalProperties"])
    return kept


def main(folder):
    kinds = {}
    for path in sorted(pathlib.Path(folder).glob("*.yaml")):
        crd = yaml.safe_load(path.read_text())["spec"]
        versions, seen = {}, {}
        for version in sorted(crd["versions"], key=lambda one: not one["storage"]):
            schema = reduce(version["schema"]["openAPIV3Schema"]["properties"].get("spec", {"type": "object"}))
            text = json.dumps(schema, sort_keys=True)
            versions[version["name"]] = seen.get(text, schema)
            seen.setdefault(text, version["name"])
        kinds[crd["names"]["kind"]] = {"plural": crd["names"]["plural"], "group": crd["group"], "versions": versions}
    lines = [f" {json.dumps(kind)}: {json.dumps(value, separators=(',', ':'), sort_keys=True)}" for kind, value in kinds.items()]
    target = pathlib.Path(__file__).parent.parent / "src/validate/schema.json"
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
