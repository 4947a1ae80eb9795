{{- define "plain" }}plain{{ end -}}
{{- define "broken" }}
  {{ .Values.deep.er }}
{{- end -}}
{{- define "outer" }}{{ include "broken" . | indent 2 }}{{ end -}}
{{- define "fails" }}{{ fail "from a helper" }}{{ end -}}
