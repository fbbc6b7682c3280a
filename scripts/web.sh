#!/usr/bin/env bash
# The web app's work outside cargo. `build` makes web/dist when its sources changed; `check` is types, lint and Vitest; `journeys`
# walks through the app in a browser against the built server; `pictures` writes every page as PNG files into web/pictures.
set -euo pipefail
cd "$(dirname "$0")/../web"

command -v npm >/dev/null || {
    echo "the web app needs Node.js 20.19 or later with npm" >&2
    exit 1
}

# What npm installed for which lock file.
install() {
    local wanted
    wanted=$(cat package.json package-lock.json | sha256sum | cut -d ' ' -f 1)
    [ "$(cat node_modules/.onward 2>/dev/null)" = "$wanted" ] && return
    npm ci --loglevel=error
    echo "$wanted" >node_modules/.onward
}

# One word for all that the build depends on.
sources() {
    {
        find src public scripts -type f ! -name '*.test.*' ! -name schema.d.ts -print0
        printf '%s\0' index.html vite.config.ts tsconfig.json package.json package-lock.json openapi.json
    } | sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

build() {
    local wanted
    wanted=$(sources)
    [ -f dist/index.html ] && [ "$(cat .built 2>/dev/null)" = "$wanted" ] && return
    install
    npm run --silent build
    echo "$wanted" >.built
}

# Debian's Chromium, unless there is one.
browser() {
    [ -n "${ONWARD_CHROMIUM:-}" ] || command -v chromium >/dev/null || command -v google-chrome >/dev/null && return
    echo "installing Chromium" >&2
    local as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    { $as_root apt-get update -q && $as_root apt-get install -q -y --no-install-recommends chromium; } >&2
}

check() {
    install
    npm run --silent check
    npm run --silent test
}

# A debug server reads web/dist when it is asked, so the app may be built after it.
journeys() {
    build
    install
    browser
    (cd .. && ${CARGO:-cargo} build --quiet --bin onward)
    npm run --silent journeys -- "$@"
}

case "${1:-}" in
build) build ;;
check) check ;;
journeys) shift && journeys "$@" ;;
short) check && journeys main-job sizes ;;
test) check && journeys ;;
pictures)
    export ONWARD_PICTURES=1
    journeys pictures
    ;;
*)
    echo "use: scripts/web.sh build|check|short|journeys [NAME]|test|pictures" >&2
    exit 2
    ;;
esac
