// SPDX-License-Identifier: Apache-2.0
// One step of the shipped configs on one rank, cut into its parts, each beside what it would take at best: matrix work
// beside oneDNN's primitives alone on hot data, the rest beside a copy of as many bytes. CPU time of one thread, the
// best of many steps. Verified first: steps in parts leave the masters that whole steps leave, bit for bit. Residual
// networks, whose operations are fused, are shown as a whole beside the sum of their convolutions alone.
// Usage: step_benchmark [cnn|mlp|resnet20|resnet50] [compute type] [shards]
#include <algorithm>
#include <cstring>
#include <limits>
#include <map>

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

/// The shipped config of a model under the name that peers know it by.
std::string config_of(const std::string& name) {
  static const std::map<std::string, std::string> files = {{"cnn", "fashion_mnist"},
                                                           {"mlp", "fashion_mnist_mlp"},
                                                           {"resnet20", "fashion_mnist_resnet"},
                                                           {"resnet50", "synthetic_resnet50"}};
  return MPDIST_SOURCE_DIR "/launch/configs/" + files.at(name) + ".toml";
}

std::vector<std::string> overrides_of(const std::string& type, const std::string& shards) {
  std::vector<std::string> result = {"precision.compute=" + type, "run.steps=100000", "batch.shards=" + shards};
  if (type == "fp16") result.emplace_back("precision.loss_scale=1024.0");  // no step is skipped
  return result;
}

/// What the passes of a convolution's norms move at least, of one image: x is made of z and kept, z is kept; backward
/// reads the gradient at z, z, x and the z behind x, and writes the gradient at x.
double norm_elements(const kernels::cpu::onednn::ConvolutionShape& shape) {
  const auto extent = [&](std::int64_t in, std::int64_t kernel) {
    return (in + 2 * shape.padding - kernel) / shape.stride + 1;
  };
  const std::int64_t x = shape.height * shape.width * shape.in;
  const std::int64_t z =
      extent(shape.height, shape.kernel_height) * extent(shape.width, shape.kernel_width) * shape.out;
  return static_cast<double>(5 * x + 3 * z);
}

/// A step of fused blocks beside the sum of its convolutions alone.
void measure_convolutions(const std::string& name, const std::string& type, const std::string& shards) {
  namespace onednn = kernels::cpu::onednn;
  Workbench bench(config_of(name), overrides_of(type, shards));
  double best = std::numeric_limits<double>::infinity(), spent = 0;
  const auto runs = [] {
    std::map<onednn::ConvolutionShape, std::int64_t> result;
    for (const auto& [shape, count] : onednn::convolution_runs()) result[shape] = count;
    return result;
  };
  auto before = runs(), after = before;
  for (int step = 0; step < 4 || spent < 2 * kMeasuredSeconds; ++step) {
    const data::Batch batch = bench.load();
    before = runs();
    const double start = cpu_seconds();
    bench.whole_step(batch);
    const double seconds = cpu_seconds() - start;
    after = runs();
    best = std::min(best, seconds);
    spent += seconds;
  }
  fmt::print("{} {}: {} samples in {} shards\n", name, type, bench.plan.global_batch, bench.plan.shards);
  double sum = 0, norm_bytes = 0;
  for (const auto& [pass, title] : {std::pair{onednn::ConvolutionPass::forward, "forward"},
                                    {onednn::ConvolutionPass::backward_data, "backward data"},
                                    {onednn::ConvolutionPass::backward_weights, "backward weights"}}) {
    double seconds = 0;
    for (const auto& [shape, count] : after) {
      const std::int64_t in_step = count - before[shape];
      if (shape.pass != pass || in_step == 0) continue;
      const double one = convolution_floor(bench.stream, shape, bench.plan.shard_rows);
      const auto images = static_cast<double>(in_step * shape.images);
      seconds += one * images;
      if (pass == onednn::ConvolutionPass::forward) {
        norm_bytes += images * norm_elements(shape) * static_cast<double>(size_of(bench.state->store.compute_type()));
      }
    }
    sum += seconds;
    fmt::print("  {:<18}{:9.0f} us {:5.1f} %\n", title, 1e6 * seconds, 100 * seconds / best);
  }
  const double shard_bytes = norm_bytes / static_cast<double>(bench.plan.shards);
  const double floor = copy_floor(shard_bytes) * static_cast<double>(bench.plan.shards);
  fmt::print("  {:<18}{:9.0f} us {:5.1f} %   copy of what norms move {:8.0f} us ({:.0f} MB)\n", "rest",
             1e6 * (best - sum), 100 * (best - sum) / best, 1e6 * floor, 1e-6 * norm_bytes);
  fmt::print("  {:<18}{:9.0f} us          step / sum of convolutions {:.3f}, / (sum + copy) {:.3f}\n\n", "whole step",
             1e6 * best, best / sum, best / (sum + floor));
}

/// False when steps in parts differ from whole steps.
bool measure(const std::string& name, const std::string& type, const std::string& shards) {
  const std::string path = config_of(name);
  const std::vector<std::string> overrides = overrides_of(type, shards);
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
  for (const std::string& name : chosen(0, {"cnn", "mlp", "resnet20", "resnet50"})) {
    for (const std::string& shards : chosen(2, {"8", "1"})) {
      for (const std::string& type : chosen(1, {"fp32", "bf16", "fp16"})) {
        if (name.starts_with("resnet")) {
          mpdist::benchmarks::measure_convolutions(name, type, shards);
          continue;
        }
        if (measure(name, type, shards)) continue;
        fmt::print("{} {}: steps in parts differ from whole steps\n", name, type);
        return 1;
      }
    }
  }
}
