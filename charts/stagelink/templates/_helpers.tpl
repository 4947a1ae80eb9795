{{/* Labels of everything that the chart makes. */}}
{{- define "stagelink.labels" -}}
app.kubernetes.io/name: stagelink
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The namespaces, as a map with one list, because a template gives texts. */}}
{{- define "stagelink.namespaces" -}}
{{- $own := list (dict "name" .Release.Namespace) -}}
{{- dict "namespaces" (.Values.namespaces | default $own) | toYaml -}}
{{- end }}

{{/* The name of an Application's ledger, as the plugin forms it; see cmp/src/resources/names.rs. */}}
{{- define "stagelink.ledger" -}}
{{- $plain := regexReplaceAll "[^a-z0-9-]" (lower .) "-" | trimAll "-" -}}
{{- $plain -}}
{{- if ne $plain . }}-{{ sha256sum . | trunc 6 }}{{ end -}}
-stagelink-ledger
{{- end }}

{{/* Reading Keptn's definitions and metrics. */}}
{{- define "stagelink.definitions" -}}
- apiGroups: [lifecycle.keptn.sh]
  resources: [keptntaskdefinitions]
  verbs: [get]
{{- end }}
