#!/bin/sh
# Makes the expected files of the golden tests again, with the real Helm.
#
#   go install helm.sh/helm/v4/cmd/helm@v4.3.1
#   HELM=helm ./make.sh
#
# Each line of cases.txt is a case: its name, then the arguments of `helm template`. Each line of errors/expressions.txt is the
# template of a chart of its own, of which what Helm says is kept.
set -eu
cd "$(dirname "$0")"
helm=${HELM:-helm}
"$helm" version --short | grep -q '^v4\.3' || { echo "these files come from Helm 4.3.1" >&2; exit 1; }
export TZ=UTC LC_ALL=C HELM_DEBUG=false KUBECONFIG=/nonexistent
mkdir -p expected
while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    name=${line%% *}
    # shellcheck disable=SC2086 # the arguments are words
    "$helm" template ${line#* } >"expected/$name.yaml"
done <cases.txt

chart=$(mktemp -d)/errors
trap 'rm -rf "${chart%/errors}"' EXIT
mkdir -p "$chart/templates"
printf 'apiVersion: v2\nname: errors\nversion: 1.0.0\n' >"$chart/Chart.yaml"
cp errors/values.yaml "$chart/values.yaml"
cp errors/helpers.tpl "$chart/templates/_helpers.tpl"
: >errors/expected.txt
while IFS= read -r line; do
    printf '%s\n' "$line" >"$chart/templates/a.yaml"
    {
        printf '>>> %s\n' "$line"
        "$helm" template rel "$chart" -n ns 2>&1 >/dev/null | sed '/^$/d; /^Use --debug flag/d' || true
    } >>errors/expected.txt
done <errors/expressions.txt
