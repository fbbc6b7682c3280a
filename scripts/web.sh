#!/usr/bin/env bash
# The web app's work outside cargo: `build` makes web/dist when its sources changed, `check` is the short set of `make test`.
set -euo pipefail
cd "$(dirname "$0")/../web"

# What npm installed for which lock file.
install() {
    local wanted
    wanted=$(sha256sum package.json package-lock.json | sha256sum | cut -d ' ' -f 1)
    [ "$(cat node_modules/.onward 2>/dev/null)" = "$wanted" ] && return
    npm ci --no-audit --no-fund --loglevel=error
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

case "${1:-}" in
build) build ;;
check)
    install
    npm run --silent check
    npm test --silent
    ;;
test)
    "../scripts/web.sh" check
    build
    ;;
*)
    echo "use: scripts/web.sh build|check|test" >&2
    exit 2
    ;;
esac
