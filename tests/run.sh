#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds with warnings as errors, runs every test. May be run again at any time. Where a CUDA
# toolkit is found, the CUDA backend is built too and its tests run on the software GPU: no GPU is needed or used.
# `tests/run.sh all` then does the CPU part once more the other way round: clang, MPICH, oneDNN 3, AVX2.
set -euo pipefail
cd "$(dirname "$0")/.."
. launch/packages.sh

passed=0 failed=0 skipped=0 status=0 left_undone=

# suite PRESET TARGETS [ctest arguments]: builds targets of a preset, runs its tests and adds to the counts.
suite() {
  preset=$1 targets=$2
  shift 2
  say "building build/$preset"
  # shellcheck disable=SC2086
  cmake --build --preset "$preset" --target $targets
  say "testing build/$preset"
  log=build/$preset/tests.log
  ctest --preset "$preset" --no-tests=error -j 2 "$@" 2>&1 | tee "$log" || status=$?
  summary=$(grep -E '[0-9]+ tests failed out of [0-9]+' "$log" | tail -n 1 || true)
  bad=$(printf '%s' "$summary" | sed -n 's/.* \([0-9]*\) tests failed out of .*/\1/p')
  total=$(printf '%s' "$summary" | sed -n 's/.*out of \([0-9]*\).*/\1/p')
  left_out=$(grep -c '\*\*\*Skipped' "$log" || true)
  failed=$((failed + ${bad:-0})) skipped=$((skipped + left_out))
  passed=$((passed + ${total:-0} - ${bad:-0} - left_out))
}

# not_run WHAT: a line at once and another beside the counts, which it joins as one that was skipped.
not_run() {
  say "NOT RUN: $*"
  left_undone="${left_undone}NOT RUN: $*"$'\n'
  skipped=$((skipped + 1))
}

# fetch_onednn3: oneDNN 3 from PyPI into build/onednn3; Debian 12 has 2.6. Fails where PyPI cannot be reached.
fetch_onednn3() {
  if [ -e build/onednn3/include/dnnl.hpp ] && [ -e build/onednn3/lib/libdnnl.so ]; then return 0; fi
  rm -rf build/onednn3 build/wheels
  mkdir -p build/onednn3
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest build/wheels onednn-cpu-gomp==2023.2.0 \
    onednn-devel-cpu-gomp==2023.2.0 || return 1
  for wheel in build/wheels/*.whl; do
    python3 -m zipfile -e "$wheel" build/wheels/open || return 1
  done
  cp -R build/wheels/open/*.data/data/. build/onednn3/ && [ -e build/onednn3/include/dnnl.hpp ]
}

# shellcheck disable=SC2086
install_packages $MPDIST_PACKAGES $MPDIST_TEST_PACKAGES
mpi_environment
mkdir -p build
cmake --preset ci | tee build/configure.log
reason=$(sed -n 's/^-- CUDA backend: left out (\(.*\))$/\1/p' build/configure.log)
if [ -z "$reason" ]; then
  suite ci "all gpu_tests"
  cat build/ci/registers.txt || status=1  # of each GPU kernel, left by the test cuda.registers
else
  not_run "the CUDA backend and its tests on the software GPU: $reason"
  suite ci all
fi

if [ "${1-ci}" = all ]; then
  # shellcheck disable=SC2086
  install_packages $MPDIST_PORTABLE_PACKAGES
  prefix=
  if fetch_onednn3; then prefix=$PWD/build/onednn3; else
    not_run "oneDNN 3, which could not be fetched from PyPI; the second build used the system's"
  fi
  cmake --preset portable -DCMAKE_PREFIX_PATH="$prefix"
  # The tests of kills and stops are about Open MPI's mpirun.
  DNNL_MAX_CPU_ISA=AVX2 suite portable all -E '^launch\.(kill|stop|trouble)$'
fi

printf '%s' "$left_undone"
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
