{{- define "plain" -}}plain {{ .Chart.Name }}{{- end -}}
{{- define "missing" }}<{{ .Values.nope }}>{{ end -}}
{{- define "of" }}{{ .x }}-{{ .y | default "none" }}{{ end -}}
