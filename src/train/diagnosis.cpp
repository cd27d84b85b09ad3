// SPDX-License-Identifier: Apache-2.0
#include "src/train/diagnosis.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/gradient_statistics.hpp"

namespace mpdist::train {
namespace {

/// Finds the first non-finite tensor of one shard; lets planted faults strike first, as in the step.
class Probe : public nn::Observer {
 public:
  Probe(Stream& stream, FaultPlan& faults) : stream_(stream), faults_(faults) {}

  void activation(const std::string& layer, const char* operation, const Tensor& value) override {
    faults_.activation(layer, operation, value);
    look("forward", layer, operation, value);
  }
  void activation_gradient(const std::string& layer, const char* operation, const Tensor& gradient) override {
    look("backward", layer, operation, gradient);
  }
  bool found() const { return !text_.empty(); }
  const std::string& text() const { return text_; }
  int place() const { return place_; }  ///< operations seen before it

 private:
  void look(const char* direction, const std::string& layer, const char* operation, const Tensor& value) {
    if (found()) return;
    const kernels::SegmentSpan all{.offset = 0, .elements = value.elements()};
    kernels::TensorStatistics statistics;
    kernels::gradient_statistics(stream_, {.gradient = value.reshaped({value.elements()}),
                                           .segments = &all,
                                           .segment_count = 1,
                                           .statistics = &statistics});
    if (statistics.nonfinite == 0) {
      ++place_;
    } else {
      text_ = fmt::format("{}: layer {} ({}), {} of {} values", direction, layer, operation, statistics.nonfinite,
                          value.elements());
    }
  }

  Stream& stream_;
  FaultPlan& faults_;
  std::string text_;
  int place_ = 0;
};

}  // namespace

std::string replay_diagnosis(const ShardPass& pass, const data::Batch& batch, double gradient_scale, FaultPlan& faults,
                             comm::Communicator& communicator) {
  const int rank = communicator.rank();
  std::string first;
  for (std::int64_t local = 0; local < pass.plan.local_shards; ++local) {
    const std::int64_t shard = rank * pass.plan.local_shards + local;
    faults.enter(batch.attempted, shard);
    Probe probe(pass.stream, faults);
    pass.run(batch, local, gradient_scale, &probe, [](const Parameter&, const Tensor&) {});
    if (!probe.found()) continue;
    const std::string line = fmt::format("{:06}.{:06} {}, rank {} ({}), shard {}", probe.place(), shard, probe.text(),
                                         rank, communicator.hosts()[rank], shard);
    if (first.empty() || line < first) first = line;
  }
  std::string overall;
  for (const std::string& line : communicator.all_gather_text(first)) {
    if (!line.empty() && (overall.empty() || line < overall)) overall = line;
  }
  return overall.empty() ? overall : overall.substr(overall.find(' ') + 1);
}

}  // namespace mpdist::train
