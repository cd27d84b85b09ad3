#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One command for a machine with NVIDIA GPUs: builds the CUDA backend, runs all tests and benchmarks on the hardware, trains
# on 1, 2, 4 ... GPUs, and writes one report. Exit code 0 only if everything passed, 1 if something failed, 2 if it cannot run.
#   launch/gpu_check.sh [--all] [--report FILE] [--dry-run]
#     --all       machine code for every architecture, not only that of this machine's GPUs
#     --report    where the report goes (build/gpu_report.txt)
#     --dry-run   prints what it would run, and runs nothing
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. launch/packages.sh

all='' dry='' report=build/gpu_report.txt
while [ $# -gt 0 ]; do
  case $1 in
    --all) all=1 ;;
    --dry-run) dry=1 ;;
    --report)
      if [ $# -lt 2 ]; then echo "gpu_check: --report needs a file" >&2; exit 2; fi
      report=$2
      shift ;;
    *) sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift
done

refuse() {
  echo "gpu_check: $*" >&2
  exit 2
}

# check_machine: driver, GPUs and toolkit, one line for what is missing; sets gpus and memory_mib (of the smallest).
check_machine() {
  command -v nvidia-smi >/dev/null || refuse "no NVIDIA driver found (nvidia-smi is missing): install one, or try --dry-run"
  gpus=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | grep -c .)
  if [ "$gpus" = 0 ]; then refuse "the NVIDIA driver shows no GPU: what does nvidia-smi say?"; fi
  memory_mib=$(nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits | sort -n | head -n 1)
  PATH=$PATH:/usr/local/cuda/bin
  nvcc --version >/dev/null 2>&1 || refuse "no CUDA toolkit found (nvcc is not on PATH): install 12.4 or later with cuDNN 9 and NCCL"
  for tool in cmake ninja ctest mpirun python3; do
    command -v "$tool" >/dev/null || refuse "$tool is missing: launch/packages.sh lists the packages"
  done
}

# samples: images of a shard of ResNet-50 that fit the memory of a GPU, as far as the driver says how much that is.
samples() {
  case $memory_mib in *[!0-9]* | '') memory_mib=16000 ;; esac
  if [ "$memory_mib" -ge 40000 ]; then echo 256; elif [ "$memory_mib" -ge 20000 ]; then echo 128; else echo 32; fi
}

facts() {
  echo "mpdist GPU report, $(date -u '+%F %T') UTC, $(git describe --always --dirty 2>/dev/null || echo 'no revision')"
  echo "host $(hostname), $(nproc) CPUs: $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
  nvidia-smi --query-gpu=index,name,driver_version,memory.total,power.limit,clocks.max.sm,clocks.max.memory,pci.bus_id --format=csv
  nvidia-smi topo -m
  nvcc --version | tail -n 2
  c++ --version | head -n 1
  cmake --version | head -n 1
  mpirun --version | head -n 1
}

# write_report: after every step, so that what came before a hang is kept.
write_report() {
  { cat "$work/facts" && printf '\n%d failed\n' "$failures" && cat "$work/summary" "$work/details"; } >"$report"
}

# step NAME COMMAND...: runs the command; what it says goes to the report, and to the terminal where it fails.
step() {
  name=$1
  shift
  if [ -n "$dry" ]; then
    printf '%-22s %s\n' "$name:" "$*"
    return 0
  fi
  say "$name: $*"
  code=0 begin=$(date +%s)
  timeout 3600 "$@" >"$work/said" 2>&1 || code=$?
  verdict=passed
  if [ "$code" != 0 ]; then
    verdict="FAILED with exit code $code"
    failures=$((failures + 1))
    tail -n 40 "$work/said"
  fi
  printf '%-22s %s, %d s\n' "$name" "$verdict" $(($(date +%s) - begin)) | tee -a "$work/summary"
  { printf '\n==== %s: %s\n$ %s\n' "$name" "$verdict" "$*" && cat "$work/said"; } >>"$work/details"
  write_report
  return "$code"
}

build() {
  architectures=-DMPDIST_CUDA_ARCHITECTURES=native
  if [ -n "$all" ]; then architectures=-UMPDIST_CUDA_ARCHITECTURES; fi
  step configure cmake --preset cuda "$architectures" && step build cmake --build --preset cuda
}

# too_large: the ctest argument that leaves out tests which need more GPUs than there are, by their labels.
too_large() {
  numbers=none
  for n in 2 3 4 8; do
    if [ "$n" -gt "$gpus" ]; then numbers="$numbers|$n"; fi
  done
  echo "^gpus_($numbers)\$"
}

run_all() {
  visible=$([ -n "$dry" ] || build/cuda/mpdist doctor | grep -c '^GPU [0-9]')  # not those that CUDA_VISIBLE_DEVICES hides
  if [ "${visible:-0}" -gt 0 ]; then gpus=$visible; fi
  step "tests on GPUs" ctest --preset cuda --no-tests=error -R '^cuda\.' -LE "$(too_large)"
  step "tests on CPUs" ctest --preset cuda --no-tests=error -E '^cuda\.' -j "$(($(nproc) < 8 ? $(nproc) : 8))"
  step "program" build/cuda/mpdist doctor
  step "kernels" build/cuda/benchmarks/kernels/kernels_benchmark --device cuda
  for ((ranks = 2; ranks <= gpus && ranks <= 8; ranks *= 2)); do
    step "all-reduce, $ranks GPUs" mpirun -np "$ranks" --bind-to none build/cuda/benchmarks/comm/all_reduce_benchmark --device cuda
  done
  step "training" python3 -B benchmarks/train/gpu_scaling.py --gpus "$gpus" --samples "$(samples)"
}

failures=0 gpus=1 memory_mib=80000
if [ -n "$dry" ]; then
  if command -v nvidia-smi >/dev/null; then gpus=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | grep -c .); fi
  build
  run_all
  exit 0
fi
check_machine
mpi_environment
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$report")"
touch "$work/summary" "$work/details"
facts >"$work/facts" 2>&1
cat "$work/facts"
if build; then run_all; fi
if [ "$gpus" -lt 8 ]; then echo "NOT RUN: tests that need more than $gpus GPUs" | tee -a "$work/summary"; fi
write_report
say "$failures failed; the report is $report"
[ "$failures" = 0 ]
