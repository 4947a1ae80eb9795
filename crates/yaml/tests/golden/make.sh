#!/usr/bin/env bash
# Writes what the real Helm makes of `cases/NAME.yaml` as values: `HELM=/path/to/helm ./make.sh`.
#
# `expected/NAME.json` is `toJson .Values`, `expected/NAME.yaml` is `toYaml .Values`; `expected/NAME.error` is its YAML parser's
# complaint instead.
set -euo pipefail
cd "$(dirname "$0")"
helm=${HELM:-helm}
case $("$helm" version --short) in v4.3*) ;; *) echo "Helm 4.3 is wanted" >&2; exit 1 ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf expected
mkdir -p expected "$work/templates"
printf 'name: app\nversion: 1.0.0\napiVersion: v2\n' > "$work/Chart.yaml"
printf '%s\n' 'json: {{ toJson .Values | b64enc }}' 'yaml: {{ toYaml .Values | b64enc }}' > "$work/templates/probe.yaml"
for file in cases/*.yaml; do
  name=$(basename "$file" .yaml)
  # As a user's values, because of a chart's own ones Helm drops the nulls.
  if "$helm" template release "$work" --values "$file" > "$work/out" 2> "$work/err"; then
    for kind in json yaml; do
      sed -n "s/^$kind: //p" "$work/out" | base64 -d > "expected/$name.$kind"
    done
  else
    sed -n 's/^Error: .*error converting YAML to JSON: //p' "$work/err" > "expected/$name.error"
  fi
done
