#!/usr/bin/env bash
# Checks deploy/ as far as that goes without an engine for images or a cluster: what the files say of the binary is tried on the binary.
#
#   scripts/check-deploy.sh BINARY
set -euo pipefail
onward=$(realpath "${1:?the built binary}")
cd "$(dirname "$0")/../deploy"
failures=0
wrong() { echo "deploy: $*" >&2; failures=$((failures + 1)); }
# The files without their comments.
lines() { sed -e 's/^[[:space:]]*#.*//' -e 's/[[:space:]]# .*//' "$@"; }
mapfile -t yaml < <(find . -name '*.yaml' | sort)
mapfile -t all < <(find . -type f | sort)

# Variables and flags that the binary knows.
help=$("$onward" serve --help)
while read -r name; do
    grep -q -- "$name\b" <<<"$help" || wrong "\`onward serve --help\` does not know $name"
done < <({ lines "${all[@]}" | grep -oE '\bONWARD_[A-Z_]+'; lines "${all[@]}" | grep -w serve | grep -oE -- '--[a-z-]+'; } | sort -u)
while read -r role; do
    grep -qE -- "^ *- $role:" <<<"$help" || wrong "there is no role \`$role\`"
done < <(lines "${yaml[@]}" | grep -oP -- '--role, \K[a-z]+')

# YAML that can be read: these are no workflows, but of what cannot be read the validator says so.
problems=$("$onward" validate --json "${yaml[@]}" || true)
[ -n "$problems" ] || wrong "\`onward validate\` says nothing"
! grep -q '"bad_yaml"' <<<"$problems" || wrong "no YAML: $(grep -B3 -A4 '"bad_yaml"' <<<"$problems")"

# What must agree.
image() { lines docker/Dockerfile | grep -oP "$1"; }
port=$(image '^EXPOSE \K[0-9]+')
user=$(image '^USER \K.*')
[[ $user =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] || wrong "the image's user $user is no number, or root"
image '/data' >/dev/null || wrong "the image has no folder for the data"
while read -r other; do
    [ "$other" = "$port" ] || wrong "port $other, where the image listens on $port"
done < <(lines "${all[@]}" | grep -oP 'ONWARD_LISTEN(=|: |, value: ")[0-9.]*:\K[0-9]+|containerPort: \K[0-9]+|prometheus.io/port: "\K[0-9]+|onward-[0-9]:\K[0-9]+|[0-9.]+:[0-9]+:\K[0-9]+(?="\])' | sort -u)
while read -r other; do
    [ "$other:$other" = "$user" ] || wrong "user $other, where the image has $user"
done < <(lines "${yaml[@]}" | grep -oP 'runAs(User|Group): \K[0-9]+' | sort -u)
while read -r seconds; do
    [ "$seconds" -ge 45 ] || wrong "a stop of the server may take longer than $seconds s"
done < <(lines "${all[@]}" | grep -oP '(TimeoutStopSec=|stop_grace_period: |terminationGracePeriodSeconds: )\K[0-9]+')
while read -r source; do
    [ -e "../$source" ] || wrong "the image is made of $source, which is not there"
done < <(image '^COPY (?!--from)\K.*(?= )' | tr ' ' '\n')
for file in kubernetes/*.yaml; do
    name=$(basename "$file")
    case $name in
    kustomization.yaml) ;;
    *.example.yaml) ! grep -q -- "- $name" kubernetes/kustomization.yaml || wrong "$name is an example" ;;
    *) grep -q -- "- $name" kubernetes/kustomization.yaml || wrong "kustomization.yaml leaves $name out" ;;
    esac
done
if command -v kubectl >/dev/null; then kubectl kustomize kubernetes >/dev/null || wrong "kubectl cannot build kubernetes/"; fi

# Every path that somebody asks for is answered by a server.
folder=$(mktemp -d)
trap '[ -z "${server:-}" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
if command -v systemd-analyze >/dev/null; then
    sed "s#^ExecStart=[^ ]*#ExecStart=$onward#" systemd/onward.service >"$folder/onward.service"
    said=$(systemd-analyze verify "$folder/onward.service" 2>&1 | grep onward || true)
    [ -z "$said" ] || wrong "systemd-analyze: $said"
fi
for name in $(compgen -v ONWARD_); do unset "$name"; done
mkfifo "$folder/said"
(cd "$folder" && exec "$onward" serve --listen 127.0.0.1:0 --json >"$folder/said" 2>"$folder/log") &
server=$!
# The document comes when requests are taken; the pipe ends early when the server does.
address=$(timeout 60 grep -m 1 -oP '"url": "http://\K[^"]+' "$folder/said") || { cat "$folder/log" >&2; exit 1; }
answers() {
    exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
    # All of it is read: a server that is cut off would say so.
    tr -d '\0' <&3 | head -n 1 | grep -q ' 200 '
}
set +o pipefail
while read -r path; do
    answers "$path" || wrong "nothing answers at $path"
done < <(lines "${all[@]}" | grep -oP '(httpGet: \{ path: |prometheus.io/path: |health_uri )\K/[a-z]+' | sort -u)
set -o pipefail
probe=$(sed -n 's/^ *CMD \["bash", "-c", "\(.*\)"\]$/\1/p' docker/Dockerfile | sed 's/\\\\/\\/g')
[ -n "$probe" ] || wrong "the image has no HEALTHCHECK"
ONWARD_LISTEN=$address bash -c "$probe" || wrong "the image's HEALTHCHECK finds a healthy server ill"
kill "$server"
wait "$server" || wrong "the server did not stop in order"
server=
! ONWARD_LISTEN=$address bash -c "$probe" 2>/dev/null || wrong "the image's HEALTHCHECK finds a server well that is not there"

[ "$failures" = 0 ] || exit 1
echo "deploy: ${#all[@]} files are as the binary is"
