{{ define "lib.label" }}label-{{ .Chart.Name }}{{ end }}
