#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds with warnings as errors, runs every test. May be run again at any time.
set -euo pipefail
cd "$(dirname "$0")/.."
. launch/packages.sh

# shellcheck disable=SC2086
install_packages $MPDIST_PACKAGES $MPDIST_TEST_PACKAGES

say "building build/ci"
cmake --preset ci
cmake --build --preset ci

say "running every test"
mpi_environment
log=build/ci/tests.log
status=0
ctest --preset ci --no-tests=error -j 2 2>&1 | tee "$log" || status=$?

# ctest's own summary stands above; the last line counts in plain words.
summary=$(grep -E '[0-9]+ tests failed out of [0-9]+' "$log" | tail -n 1 || true)
failed=$(printf '%s' "$summary" | sed -n 's/.* \([0-9]*\) tests failed out of .*/\1/p')
total=$(printf '%s' "$summary" | sed -n 's/.*out of \([0-9]*\).*/\1/p')
skipped=$(grep -c '\*\*\*Skipped' "$log" || true)
echo "$((${total:-0} - ${failed:-0} - skipped)) passed, ${failed:-0} failed, $skipped skipped"
exit "$status"
