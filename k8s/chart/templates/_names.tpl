{{- define "umbra.image" -}}
{{ .Values.image.name }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "umbra.httpNames" -}}
{{ .Release.Name }},{{ .Release.Name }}.{{ .Release.Namespace }},{{ .Release.Name }}.{{ .Release.Namespace }}.svc,{{ .Release.Name }}.{{ .Release.Namespace }}.svc.cluster.local
{{- range .Values.httpNames }},{{ . }}{{ end }}
{{- end }}

{{- define "umbra.etcdEndpoints" -}}
{{- if .Values.etcd.enabled -}}
{{- range $member := until (int .Values.etcd.members) -}}
{{- if $member }},{{ end }}http://{{ $.Release.Name }}-etcd-{{ $member }}.{{ $.Release.Name }}-etcd:2379
{{- end -}}
{{- else -}}
{{- range $place, $endpoint := .Values.etcd.endpoints -}}
{{- if $place }},{{ end }}{{ $endpoint }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "umbra.initialCluster" -}}
{{- range $member := until (int .Values.etcd.members) -}}
{{- if $member }},{{ end }}{{ $.Release.Name }}-etcd-{{ $member }}=http://{{ $.Release.Name }}-etcd-{{ $member }}.{{ $.Release.Name }}-etcd:2380
{{- end -}}
{{- end }}

{{- define "umbra.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "umbra.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "umbra.dns" -}}
# DNS at any address: a node-local cache is no pod, so no selector can name it.
- ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
    - { protocol: UDP, port: 5353 }
    - { protocol: TCP, port: 5353 }
    - { protocol: UDP, port: 8053 }
    - { protocol: TCP, port: 8053 }
{{- end }}
