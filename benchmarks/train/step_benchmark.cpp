// SPDX-License-Identifier: Apache-2.0
// One step of the shipped configs on one rank, cut into its parts, each beside what it would take at best: matrix work
// beside oneDNN's primitives alone on hot data, the rest beside a copy of as many bytes. CPU time of one thread, the
// best of many steps. Verified first: steps in parts leave the masters that whole steps leave, bit for bit.
// Usage: step_benchmark [cnn|mlp] [compute type] [shards]
#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "benchmarks/train/step_parts.hpp"
#include "kernels/threads.hpp"

namespace mpdist::benchmarks {
namespace {

constexpr double kMeasuredSeconds = 2;  // of whole steps, and as many in parts

bool same_masters(const Workbench& a, const Workbench& b) {
  const Tensor &left = a.state->store.master(), &right = b.state->store.master();
  return a.state->step == b.state->step && std::memcmp(left.raw(), right.raw(), left.bytes()) == 0;
}

void print(const std::vector<Part>& parts, double whole) {
  double matrix = 0, matrix_floor = 0, all = 0;
  for (const Part& part : parts) {
    all += part.seconds;
    if (part.matrix) matrix += part.seconds, matrix_floor += part.floor;
    fmt::print("  {:<18}{:9.0f} us {:5.1f} %", part.name, 1e6 * part.seconds, 100 * part.seconds / whole);
    if (part.floor > 0) {
      fmt::print("   {} {:8.0f} us   floor/ours {:.2f}", part.matrix ? "oneDNN" : "copy  ", 1e6 * part.floor,
                 part.floor / part.seconds);
    }
    fmt::print("\n");
  }
  fmt::print("  {:<18}{:9.0f} us {:5.1f} %\n", "rest", 1e6 * (whole - all), 100 * (whole - all) / whole);
  fmt::print("  {:<18}{:9.0f} us          step/floor {:.3f}, matrix work/floor {:.3f}\n\n", "whole step", 1e6 * whole,
             whole / matrix_floor, matrix / matrix_floor);
}

/// False when steps in parts differ from whole steps.
bool measure(const std::string& name, const std::string& type, const std::vector<std::string>& more) {
  const std::string file = name == "cnn" ? "fashion_mnist" : "fashion_mnist_mlp";
  std::vector<std::string> overrides = {"precision.compute=" + type, "run.steps=100000"};
  if (type == "fp16") overrides.emplace_back("precision.loss_scale=1024.0");  // no step is skipped
  overrides.insert(overrides.end(), more.begin(), more.end());
  const std::string path = std::string(MPDIST_SOURCE_DIR "/launch/configs/") + file + ".toml";
  Workbench whole(path, overrides), parts(path, overrides);
  DividedStep divided(parts);
  double best = std::numeric_limits<double>::infinity(), loading = best, spent = 0;
  for (int step = 0; step < 5 || spent < kMeasuredSeconds; ++step) {
    const double start = cpu_seconds();
    const data::Batch batch = whole.load();
    const double loaded = cpu_seconds();
    whole.whole_step(batch);
    const double end = cpu_seconds();
    best = std::min(best, end - start);
    loading = std::min(loading, loaded - start);
    spent += end - start;
    divided.run(batch);
    if (step == 2 && !same_masters(whole, parts)) return false;
  }
  std::vector<Part> all = divided.parts();
  all.insert(all.begin(), Part{.name = "data", .seconds = loading});
  fmt::print("{} {}: {} samples in {} shards\n", name, type, whole.plan.global_batch, whole.plan.shards);
  print(all, best);
  return true;
}

}  // namespace
}  // namespace mpdist::benchmarks

int main(int count, char** arguments) {
  using mpdist::benchmarks::measure;
  const std::vector<std::string> given(arguments + 1, arguments + count);
  const auto chosen = [&](std::size_t place, std::vector<std::string> all) {
    return given.size() > place ? std::vector<std::string>{given[place]} : all;
  };
  mpdist::kernels::cpu::set_threads(1);
  for (const std::string& name : chosen(0, {"cnn", "mlp"})) {
    for (const std::string& shards : chosen(2, {"8", "1"})) {
      for (const std::string& type : chosen(1, {"fp32", "bf16", "fp16"})) {
        if (measure(name, type, {"batch.shards=" + shards})) continue;
        fmt::print("{} {}: steps in parts differ from whole steps\n", name, type);
        return 1;
      }
    }
  }
}
