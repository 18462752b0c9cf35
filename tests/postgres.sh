#!/usr/bin/env bash
# A throw-away PostgreSQL for the store's tests: it listens on a socket only, and keeps nothing.
#
#   eval "$(tests/postgres.sh start)"   starts one and sets TEST_POSTGRES
#   tests/postgres.sh stop              stops the one that TEST_POSTGRES names, and removes it
set -euo pipefail

fail() {
    echo "tests/postgres.sh: $*" >&2
    exit 1
}

# Debian keeps the server's programs out of PATH.
find_programs() {
    local found
    found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
    if [ -n "$found" ]; then
        PATH="$found:$PATH"
    fi
    command -v initdb >/dev/null && command -v pg_ctl >/dev/null
}

install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
        fail "PostgreSQL is missing: install its server (Debian: apt-get install postgresql) and try again"
    {
        # The tests make their own cluster; Debian's would take a port.
        mkdir -p /etc/postgresql-common/createcluster.d
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/landfall.conf
        apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql
    } >&2
}

# PostgreSQL refuses to run as root.
unprivileged() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups env PATH="$PATH" HOME="$directory" "$@"
    else
        "$@"
    fi
}

start() {
    find_programs || { install && find_programs; } || fail "PostgreSQL was installed and is still missing"
    # The socket's path may have 107 bytes, so not below a long TMPDIR.
    directory=$(mktemp -d /tmp/landfall-postgres.XXXXXX)
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$directory"
    fi
    cd "$directory"
    unprivileged initdb -D "$directory/data" -U postgres -A trust --no-sync --no-instructions -E UTF8 --locale=C >"$directory/initdb.log" 2>&1 ||
        fail "initdb failed: $(cat "$directory/initdb.log")"
    unprivileged pg_ctl -D "$directory/data" -s -w -l "$directory/log" -o "-k $directory -h '' -c fsync=off \
        -c synchronous_commit=off -c full_page_writes=off -c max_connections=300" start >&2 ||
        fail "PostgreSQL did not start: $(cat "$directory/log")"
    echo "export TEST_POSTGRES='postgres://postgres@localhost/postgres?host=$directory'"
}

stop() {
    directory=${TEST_POSTGRES##*host=}
    case "$directory" in
        /tmp/landfall-postgres.*) ;;
        *) fail "TEST_POSTGRES names no database that this script started" ;;
    esac
    find_programs || fail "PostgreSQL is gone"
    unprivileged pg_ctl -D "$directory/data" -s -m immediate stop >&2 || true
    rm -rf "$directory"
}

case "${1-}" in
    start) start ;;
    stop) stop ;;
    *) fail "start or stop?" ;;
esac
