#!/bin/sh
# All checks and all tests, each run whatever became of the one before; the last lines say which failed. Arguments go to pytest.
set -u
cd "$(dirname "$0")/.."
BIN=.venv/bin
NONE=5 # pytest's status where the arguments choose no test
failed=
run() {
    name=$1
    shift
    "$@" || failed="$failed, $name"
}
chosen=0
tests() {
    name=$1
    shift
    status=0
    "$BIN/python" -m pytest "$@" || status=$?
    [ "$status" -eq "$NONE" ] || chosen=1
    [ "$status" -eq 0 ] || [ "$status" -eq "$NONE" ] || failed="$failed, $name"
}

run ruff "$BIN/ruff" check .
run mypy "$BIN/mypy"
run lint-imports "$BIN/lint-imports"
# Three at a time (many wait for processes of their own), but for the sessions on the virtual desk: those have the machine to themselves.
tests tests -n 3 --dist loadfile -m "not desk" "$@"
tests "sessions on the desk" -m desk "$@"
if [ "$chosen" -eq 0 ]; then
    failed="$failed, no test was chosen"
fi
if [ -n "$failed" ]; then
    echo "FAILED: ${failed#, }" >&2
    exit 1
fi
echo "all passed"
