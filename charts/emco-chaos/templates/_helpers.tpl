{{- define "emco-chaos.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "emco-chaos.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "emco-chaos.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What is not of one namespace, or stands in another one, says whose it is. */}}
{{- define "emco-chaos.clustername" -}}
{{- printf "%s-%s" .Release.Namespace (include "emco-chaos.fullname" .) -}}
{{- end -}}

{{- define "emco-chaos.selector" -}}
app.kubernetes.io/name: {{ include "emco-chaos.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "emco-chaos.labels" -}}
{{ include "emco-chaos.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- define "emco-chaos.image" -}}
{{- $repository := .Values.image.repository | required "image.repository: name the image of emco-chaos: make it with `make image`, push it, and give --set image.repository=REGISTRY/emco-chaos" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "emco-chaos.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "emco-chaos.fullname" . -}}
{{- else -}}
{{- fail "serviceAccount.name: name the service account that the controller runs under, or let it be made with serviceAccount.create=true" -}}
{{- end -}}
{{- end -}}

{{- define "emco-chaos.trigger" -}}
{{- printf "%s-trigger" (include "emco-chaos.fullname" .) -}}
{{- end -}}

{{/* What each container may not do. */}}
{{- define "emco-chaos.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsGroup: 65532
runAsNonRoot: true
runAsUser: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "emco-chaos.podSecurity" -}}
fsGroup: 65532
runAsGroup: 65532
runAsNonRoot: true
runAsUser: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The target's spec. Everything is put together as data, and written as
YAML once: no value can add more than itself. */}}
{{- define "emco-chaos.targetSpec" -}}
{{- if .Values.target -}}
{{- toYaml .Values.target -}}
{{- else -}}
{{- $emco := .Values.emco -}}
{{- $edge := .Values.edge -}}
{{- $address := $edge.address | required "edge.address: give the edge cluster's API server as HOST:PORT: some experiments keep EMCO from it for a while" -}}
{{- $_ := $edge.kubeconfig.secret | required "edge.kubeconfig.secret: name a Secret of this namespace that has the edge cluster's kubeconfig, which runs give to EMCO: kubectl create secret generic edge --from-file=kubeconfig=FILE" -}}
{{- $services := dict "edge" (dict "address" $address) -}}
{{- range $name, $given := $emco.services -}}
{{- if eq $name "edge" -}}
{{- fail "emco.services.edge: say where the edge is under edge" -}}
{{- end -}}
{{- if $given -}}
{{- $namespace := $given.namespace | default $emco.namespace -}}
{{- $service := dict -}}
{{- if $given.url -}}
{{- $_ := set $service "url" $given.url -}}
{{- else if and $given.port (not $emco.ingress) -}}
{{- $_ := set $service "url" (printf "http://%s.%s:%d" $name $namespace (int $given.port)) -}}
{{- end -}}
{{- if $given.address -}}
{{- $_ := set $service "address" $given.address -}}
{{- else if eq $name "rsync" -}}
{{- $_ := set $service "address" (printf "rsync.%s:9031" $namespace) -}}
{{- end -}}
{{- if $given.labels -}}
{{- $_ := set $service "namespace" $namespace -}}
{{- $_ := set $service "labels" $given.labels -}}
{{- end -}}
{{- if $service -}}
{{- $_ := set $services $name $service -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $settings := dict "edge" (dict "kubeconfig" (dict "file" "/etc/emco-chaos/edge/kubeconfig")) "apps" $emco.apps -}}
{{- range $name, $value := $emco.settings -}}
{{- if hasKey $settings $name -}}
{{- fail (printf "emco.settings.%s: it is told by another value: edge or emco.apps" $name) -}}
{{- end -}}
{{- $_ := set $settings $name $value -}}
{{- end -}}
{{- $spec := dict "driver" (dict "kubernetes" dict) "services" $services "settings" $settings -}}
{{- if $emco.ingress -}}
{{- $_ := set $spec "ingress" (dict "url" $emco.ingress) -}}
{{- end -}}
{{- $credentials := dict -}}
{{- if $emco.credentials.token.secret -}}
{{- $_ := set $credentials "token" (dict "file" "/etc/emco-chaos/token/token") -}}
{{- end -}}
{{- if $emco.credentials.ca.secret -}}
{{- $_ := set $credentials "ca" (dict "file" "/etc/emco-chaos/ca/ca.crt") -}}
{{- end -}}
{{- if $credentials -}}
{{- $_ := set $spec "credentials" $credentials -}}
{{- end -}}
{{- toYaml $spec -}}
{{- end -}}
{{- end -}}

{{/* The target file. */}}
{{- define "emco-chaos.target" -}}
{{- $spec := include "emco-chaos.targetSpec" . | fromYaml -}}
{{- toYaml (dict "apiVersion" "emco-chaos/v1" "kind" "Target" "metadata" (dict "name" (include "emco-chaos.fullname" .)) "spec" $spec) -}}
{{- end -}}

{{/* The namespaces that the target has pods in, as a JSON list. */}}
{{- define "emco-chaos.namespaces" -}}
{{- $namespaces := list -}}
{{- range $name, $service := (include "emco-chaos.targetSpec" . | fromYaml).services -}}
{{- if $service.labels -}}
{{- $namespaces = append $namespaces $service.namespace -}}
{{- end -}}
{{- end -}}
{{- $namespaces | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* The arguments that all commands on the target begin with. */}}
{{- define "emco-chaos.arguments" -}}
{{- $arguments := list "--target=/etc/emco-chaos/target/target.yaml" (printf "--plugin=%s" .Values.plugin.name) -}}
{{- if .Values.plugin.sha256 -}}
{{- $arguments = append $arguments (printf "--plugin-sha256=%s" .Values.plugin.sha256) -}}
{{- end -}}
{{- range .Values.plugin.env -}}
{{- $arguments = append $arguments (printf "--plugin-env=%s" .name) -}}
{{- end -}}
{{- toYaml $arguments -}}
{{- end -}}

{{- define "emco-chaos.env" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- with .Values.plugin.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What a container sees of the target, the plugins and the places to write to. */}}
{{- define "emco-chaos.mounts" -}}
- {name: target, mountPath: /etc/emco-chaos/target, readOnly: true}
{{- if not .Values.target }}
- {name: edge, mountPath: /etc/emco-chaos/edge, readOnly: true}
{{- end }}
{{- if .Values.emco.credentials.token.secret }}
- {name: token, mountPath: /etc/emco-chaos/token, readOnly: true}
{{- end }}
{{- if .Values.emco.credentials.ca.secret }}
- {name: ca, mountPath: /etc/emco-chaos/ca, readOnly: true}
{{- end }}
{{- if .Values.plugins }}
- {name: plugins, mountPath: /plugins, readOnly: true}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "emco-chaos.volumes" -}}
- name: target
  configMap:
    name: {{ printf "%s-target" (include "emco-chaos.fullname" .) | quote }}
{{- if not .Values.target }}
- name: edge
  secret:
    secretName: {{ .Values.edge.kubeconfig.secret | quote }}
    defaultMode: 0440
    items:
      - {key: {{ .Values.edge.kubeconfig.key | quote }}, path: kubeconfig}
{{- end }}
{{- with .Values.emco.credentials.token }}
{{- if .secret }}
- name: token
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
    items:
      - {key: {{ .key | quote }}, path: token}
{{- end }}
{{- end }}
{{- with .Values.emco.credentials.ca }}
{{- if .secret }}
- name: ca
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- end }}
{{- end }}
{{- if .Values.plugins }}
- name: plugins
  emptyDir: {}
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- end -}}

{{/* The containers that add plugins. */}}
{{- define "emco-chaos.pluginContainers" -}}
{{- range .Values.plugins }}
- name: {{ printf "plugin-%s" .name | quote }}
  image: {{ .image | quote }}
  imagePullPolicy: {{ .pullPolicy | default "IfNotPresent" | quote }}
  {{- if .command }}
  command:
    {{- toYaml .command | nindent 4 }}
  {{- else }}
  command: [cp, {{ .path | required (printf "plugins: %s: give the path of the plugin's binary in its image, or a command that copies it" .name) | quote }}, {{ printf "/plugins/emco-chaos-plugin-%s" .name | quote }}]
  {{- end }}
  securityContext:
    {{- include "emco-chaos.containerSecurity" $ | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    - {name: plugins, mountPath: /plugins}
{{- end }}
{{- end -}}

{{/* Where the pods run, and what they may pull. */}}
{{- define "emco-chaos.placement" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
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
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The spec of a pod that runs one command on the target, with the
controller's rights. */}}
{{- define "emco-chaos.commandPod" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "emco-chaos.serviceAccount" $root | quote }}
automountServiceAccountToken: true
enableServiceLinks: false
securityContext:
  {{- include "emco-chaos.podSecurity" $root | nindent 2 }}
{{- with include "emco-chaos.placement" $root }}
{{ . | trim }}
{{- end }}
{{- with include "emco-chaos.pluginContainers" $root }}
initContainers:
  {{- . | trim | nindent 2 }}
{{- end }}
containers:
  - name: {{ .command }}
    image: {{ include "emco-chaos.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy | quote }}
    args:
      - {{ .command }}
      {{- include "emco-chaos.arguments" $root | nindent 6 }}
      {{- with .arguments }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    env:
      {{- include "emco-chaos.env" $root | nindent 6 }}
    resources:
      {{- toYaml $root.Values.resources | nindent 6 }}
    securityContext:
      {{- include "emco-chaos.containerSecurity" $root | nindent 6 }}
    volumeMounts:
      {{- include "emco-chaos.mounts" $root | nindent 6 }}
volumes:
  {{- include "emco-chaos.volumes" $root | nindent 2 }}
{{- end -}}
