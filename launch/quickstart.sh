#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 to a trained network: installs the packages, builds, trains on Fashion-MNIST with two ranks in FP16.
# May be run again at any time: what is done is not done twice. OUTPUT=folder keeps the run elsewhere than runs/.
set -euo pipefail
cd "$(dirname "$0")/.."
. launch/packages.sh

begin=$(date +%s)
# shellcheck disable=SC2086
install_packages $MPDIST_PACKAGES

say "building build/cpu/mpdist (Release)"
cmake --preset cpu -DMPDIST_TESTS=OFF -DMPDIST_BENCHMARKS=OFF >/dev/null
cmake --build --preset cpu --target mpdist | tail -n 1

output="${OUTPUT:-runs}/fashion_mnist_$(date +%Y%m%d_%H%M%S)"
say "training: mpirun -np 2 build/cpu/mpdist launch/configs/fashion_mnist.toml (FP16, output in $output)"
mpi_environment
train_begin=$(date +%s)
mpirun -np 2 build/cpu/mpdist launch/configs/fashion_mnist.toml --set "run.output=$output"
train_end=$(date +%s)

accuracy=$(sed -n 's/.*"accuracy":\([0-9.eE+-]*\).*/\1/p' <(grep '"event":"evaluate"' "$output/metrics.jsonl" | tail -n 1))
last=$(ls "$output"/checkpoints/step_*.h5 | tail -n 1)
say "test accuracy $(awk "BEGIN {printf \"%.2f\", 100 * $accuracy}") %, training $((train_end - train_begin)) s, all $(($(date +%s) - begin)) s"
say "output: $output (config.toml, metrics.jsonl, checkpoints/)"
say "next:  mpirun -np 2 build/cpu/mpdist evaluate $last"
say "       build/cpu/mpdist inspect $last"
