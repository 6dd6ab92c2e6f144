{{/* The image with its digest, else with its tag, else with the chart's version of selcap. */}}
{{- define "selcap.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Helm leaves a definition, and so everybody's captures, when the release goes. */}}
{{- define "selcap.crdAnnotations" -}}
{{- if .Values.crds.keep }}
helm.sh/resource-policy: keep
{{- end }}
{{- end -}}
