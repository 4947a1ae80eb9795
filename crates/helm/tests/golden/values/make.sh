#!/usr/bin/env bash
# Writes `expected/NAME.txt` for each `cases/NAME.txt` with the real Helm 4.3: `HELM=/path/to/helm ./make.sh`.
#
# A case is a txtar archive: `-- path --` and the file's text; `args` are flags, one per line. What is expected: the coalesced
# values and the names of the sub-charts as JSON, or `error: ` and what Helm says.
set -euo pipefail
cd "$(dirname "$0")"
helm=${HELM:-helm}
case $("$helm" version --short) in v4.3*) ;; *) echo "Helm 4.3 is wanted" >&2; exit 1 ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p expected
rm -f expected/*
for file in cases/*.txt; do
  name=$(basename "$file" .txt)
  mkdir -p "$work/$name/templates"
  (
    cd "$work/$name"
    awk '/^-- .* --$/ { path = $2; cmd = "mkdir -p \"$(dirname \"" path "\")\""; system(cmd); printf "" > path; next }
         path != "" { print > path }' "$OLDPWD/$file"
    printf '%s\n' 'values: {{ toJson .Values }}' 'charts: {{ $names := list }}{{ range $k, $v := .Subcharts }}{{ $names = append $names $k }}{{ end }}{{ toJson ($names | sortAlpha) }}' > templates/probe.yaml
    args=()
    [ -f args ] && mapfile -t args < args
    # The directory's name must not matter, and Helm's log lines are no part of the result.
    if "$helm" template release . "${args[@]}" > "$work/out" 2> "$work/err"; then
      grep -E '^(values|charts): ' "$work/out"
    else
      sed -n '/^Error: /,$p' "$work/err" | sed -e 's/^Error: /error: /' -e "s|$work/$name|CHART|g"
    fi
  ) > "expected/$name.txt"
done
