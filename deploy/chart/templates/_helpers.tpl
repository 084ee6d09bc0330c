{{- define "glean.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "glean.image" -}}
{{ .root.Values.image.repository }}-{{ .part }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "glean.selector" -}}
app.kubernetes.io/name: glean
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "glean.labels" -}}
{{ include "glean.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "glean.urlsSecret" -}}
{{ .Values.urls.existingSecret | default (printf "%s-urls" (include "glean.name" .)) }}
{{- end }}

{{- define "glean.urlsRevision" -}}
# Variables are read when a container starts: with other URLs it starts anew.
checksum/urls: {{ include (print .Template.BasePath "/urls.yaml") . | sha256sum }}
{{- end }}

{{- define "glean.public" -}}
{{- $public := .Values.service.public -}}
{{- $public }}{{ if and $public (eq .Values.service.https "ingress") (not (contains ":" $public)) }}:443{{ end }}
{{- end }}

{{- define "glean.publicPort" -}}
{{- $public := include "glean.public" . -}}
{{- if regexMatch "^([^:]+|\\[.+\\]):[0-9]+$" $public }}{{ regexReplaceAll "^.*:" $public "" }}{{ else }}8700{{ end }}
{{- end }}

{{- define "glean.variables" -}}
- name: GLEAN_LOG_FORMAT
  value: {{ .Values.logFormat }}
- name: GLEAN_DATABASE
  valueFrom:
    secretKeyRef: {name: {{ include "glean.urlsSecret" . }}, key: database, optional: true}
- name: GLEAN_BROKER
  valueFrom:
    secretKeyRef: {name: {{ include "glean.urlsSecret" . }}, key: broker, optional: true}
- name: GLEAN_STORAGE
  valueFrom:
    secretKeyRef: {name: {{ include "glean.urlsSecret" . }}, key: storage, optional: true}
- name: MLFLOW_TRACKING_URI
  valueFrom:
    secretKeyRef: {name: {{ include "glean.urlsSecret" . }}, key: mlflow, optional: true}
{{- end }}

{{- define "glean.credentials" -}}
{{- with .Values.urls.credentialsSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end }}

{{- define "glean.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "glean.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "glean.scratch" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .Values.scratch }}}
- name: shared-memory
  emptyDir: {medium: Memory, sizeLimit: {{ .Values.sharedMemory }}}
{{- end }}

{{- define "glean.scratchMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: shared-memory, mountPath: /dev/shm}
{{- end }}

{{- define "glean.results" -}}
- name: results
  persistentVolumeClaim:
    claimName: {{ .Values.results.existingClaim | default (printf "%s-results" (include "glean.name" .)) }}
{{- end }}
