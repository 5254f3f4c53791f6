#!/bin/sh
# All checks and all tests, each run whatever became of the others; the last lines say which failed. Arguments go to pytest.
set -u
cd "$(dirname "$0")/.."
BIN=.venv/bin
NONE=5 # pytest's status where the arguments choose no test
failed=
chosen=0
log=$(mktemp)
typed=$(mktemp)
TASTELAB_TESTS_SHARED=$(mktemp -d) # clips that all processes of the run hear, made once
export TASTELAB_TESTS_SHARED
desk=
types=
where=
# Several processes at a time: more threads of each would but wait for each other.
export OMP_NUM_THREADS=1
# Hundreds of processes are started, and none shall compile anew what the one before it did.
unset PYTHONDONTWRITEBYTECODE

finish() {
    [ -z "$desk" ] || kill -TERM "-$desk" 2>/dev/null # with its screens and sound cards
    [ -z "$types" ] || kill -TERM "-$types" 2>/dev/null
    rm -rf "$log" "$typed" "$TASTELAB_TESTS_SHARED"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

run() {
    name=$1
    shift
    "$@" || failed="$failed, $name"
}
ended() {
    [ "$2" -eq "$NONE" ] || chosen=1
    [ "$2" -eq 0 ] || [ "$2" -eq "$NONE" ] || failed="$failed, $1"
}

# The sessions on the virtual desk mostly wait, as people do, but must not be kept waiting: everything else gives way to them.
# Looking through the other tests for more of them would take half a minute of a processor.
[ $# -gt 0 ] || where=tests/desk
setsid "$BIN/python" -m pytest -m desk ${where:+"$where"} "$@" >"$log" 2>&1 &
desk=$!
# Where nothing of it is kept mypy takes a processor for a minute, while the tests do not need all of them.
setsid nice "$BIN/mypy" >"$typed" 2>&1 &
types=$!
run ruff nice "$BIN/ruff" check .
run lint-imports nice "$BIN/lint-imports"
# Three at a time: many wait for processes of their own.
status=0
nice "$BIN/python" -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not desk" "$@" || status=$?
ended tests "$status"
wait "$types" || failed="$failed, mypy"
types=
cat "$typed"
status=0
wait "$desk" || status=$?
desk=
echo "sessions on the virtual desk:"
cat "$log"
ended "sessions on the desk" "$status"
if [ "$chosen" -eq 0 ]; then
    failed="$failed, no test was chosen"
fi
if [ -n "$failed" ]; then
    echo "FAILED: ${failed#, }" >&2
    exit 1
fi
echo "all passed"
