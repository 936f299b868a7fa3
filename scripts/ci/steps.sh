# shellcheck shell=bash
# Sourced by .ci/run and by the jobs it calls: named steps with their times, and one table of all of them at the end.
# A step is one command. What it prints is kept in a file of its own below HOPCHECK_CI_LOGS (reports/runs/ci). Shown are
# the last lines of a step that passes and more of one that fails; the end of each failed one stands once more below the
# table, where whoever sees only the end of a log finds it. Nothing is ever left out silently: skip says why.
# The table is a file (HOPCHECK_CI_TABLE, one "result<TAB>seconds<TAB>name<TAB>note<TAB>log" per line) so that a job
# that runs steps of its own adds them to the same table.

steps_begin() { # starts the table, unless a caller did
  if [ -z "${HOPCHECK_CI_TABLE:-}" ]; then
    HOPCHECK_CI_TABLE=$(mktemp)
    HOPCHECK_CI_LOGS=${HOPCHECK_CI_LOGS:-$PWD/reports/runs/ci}
    export HOPCHECK_CI_TABLE HOPCHECK_CI_LOGS
    steps_own_table=1
  fi
  steps_before=$(wc -l <"$HOPCHECK_CI_TABLE")
}

step() { # NAME COMMAND... - runs COMMAND; its exit code is recorded and returned
  local name=$1 began=$SECONDS code=0 log
  log=$HOPCHECK_CI_LOGS/${1//[^a-zA-Z0-9.]/-}.log
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  mkdir -p "$HOPCHECK_CI_LOGS"
  "$@" </dev/null >"$log" 2>&1 || code=$?
  if [ "$code" = 0 ]; then
    tail -n 6 "$log"
    printf 'PASS\t%d\t%s\t\t%s\n' $((SECONDS - began)) "$name" "$log" >>"$HOPCHECK_CI_TABLE"
    printf 'PASS %s (%d s)\n' "$name" $((SECONDS - began))
  else
    tail -n 100 "$log"
    printf 'FAIL\t%d\t%s\texit %d\t%s\n' $((SECONDS - began)) "$name" "$code" "$log" >>"$HOPCHECK_CI_TABLE"
    printf 'FAIL %s: exit %d (%d s)\n' "$name" "$code" $((SECONDS - began))
  fi
  return "$code"
}

skip() { # NAME REASON
  printf 'SKIP\t0\t%s\t%s\t\n' "$1" "$2" >>"$HOPCHECK_CI_TABLE"
  printf '\n== %s: skipped: %s\n' "$1" "$2"
}

steps_end() { # non-zero when a step since steps_begin failed or none ran; prints the table if this process began it
  local passed failed
  passed=$(tail -n "+$((steps_before + 1))" "$HOPCHECK_CI_TABLE" | grep -c '^PASS')
  failed=$(tail -n "+$((steps_before + 1))" "$HOPCHECK_CI_TABLE" | grep -c '^FAIL')
  if [ -n "${steps_own_table:-}" ]; then
    printf '\n%-6s %6s  %s\n' result time step
    awk -F '\t' '{printf "%-6s %4d s  %s%s\n", $1, $2, $3, $4 == "" ? "" : " (" $4 ")"}' "$HOPCHECK_CI_TABLE"
    awk -F '\t' '$1 == "FAIL" {print $3 "\t" $5}' "$HOPCHECK_CI_TABLE" | while IFS=$'\t' read -r name log; do
      printf '\n-- the end of %s (%s)\n' "$name" "$log"
      tail -n 25 "$log"
    done
    printf 'steps: %d passed, %d failed, %d s in all\n' "$passed" "$failed" "$SECONDS"
    rm -f "$HOPCHECK_CI_TABLE"
  fi
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
