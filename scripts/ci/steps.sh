# shellcheck shell=bash
# Sourced by .ci/run and by the jobs it calls: named steps with their times, and one table of all of them at the end.
# A step is one command; its output goes through untouched. Nothing is ever left out silently: skip says why.
# The table is a file (HOPCHECK_CI_TABLE, one "result<TAB>seconds<TAB>name<TAB>note" per line) so that a job that
# runs steps of its own adds them to the same table.

steps_begin() { # starts the table, unless a caller did
  if [ -z "${HOPCHECK_CI_TABLE:-}" ]; then
    HOPCHECK_CI_TABLE=$(mktemp)
    export HOPCHECK_CI_TABLE
    steps_own_table=1
  fi
  steps_before=$(wc -l <"$HOPCHECK_CI_TABLE")
}

step() { # NAME COMMAND... - runs COMMAND; its exit code is recorded and returned
  local name=$1 began=$SECONDS code=0
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  "$@" </dev/null || code=$?
  if [ "$code" = 0 ]; then
    printf 'PASS\t%d\t%s\t\n' $((SECONDS - began)) "$name" >>"$HOPCHECK_CI_TABLE"
    printf 'PASS %s (%d s)\n' "$name" $((SECONDS - began))
  else
    printf 'FAIL\t%d\t%s\texit %d\n' $((SECONDS - began)) "$name" "$code" >>"$HOPCHECK_CI_TABLE"
    printf 'FAIL %s: exit %d (%d s)\n' "$name" "$code" $((SECONDS - began))
  fi
  return "$code"
}

skip() { # NAME REASON
  printf 'SKIP\t0\t%s\t%s\n' "$1" "$2" >>"$HOPCHECK_CI_TABLE"
  printf '\n== %s: skipped: %s\n' "$1" "$2"
}

steps_end() { # non-zero when a step since steps_begin failed or none ran; prints the table if this process began it
  local passed failed
  passed=$(tail -n "+$((steps_before + 1))" "$HOPCHECK_CI_TABLE" | grep -c '^PASS')
  failed=$(tail -n "+$((steps_before + 1))" "$HOPCHECK_CI_TABLE" | grep -c '^FAIL')
  if [ -n "${steps_own_table:-}" ]; then
    printf '\n%-6s %6s  %s\n' result time step
    awk -F '\t' '{printf "%-6s %4d s  %s%s\n", $1, $2, $3, $4 == "" ? "" : " (" $4 ")"}' "$HOPCHECK_CI_TABLE"
    printf 'steps: %d passed, %d failed, %d s in all\n' "$passed" "$failed" "$SECONDS"
    rm -f "$HOPCHECK_CI_TABLE"
  fi
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
