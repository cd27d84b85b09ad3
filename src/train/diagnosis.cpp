// SPDX-License-Identifier: Apache-2.0
#include "src/train/diagnosis.hpp"

#include <sstream>
#include <vector>

#include "kernels/gradient_statistics.hpp"
#include "src/core/host_array.hpp"

namespace mpdist::train {
namespace {

/// Finds the first non-finite tensor of one shard; lets planted faults strike first, as in the step.
class Probe : public nn::Observer {
 public:
  Probe(Stream& stream, FaultPlan& faults) : stream_(stream), faults_(faults), statistics_(stream) {}

  void activation(const std::string& layer, const char* operation, const Tensor& value) override {
    faults_.activation(layer, operation, value);
    look("forward", layer, operation, value);
  }
  void activation_gradient(const std::string& layer, const char* operation, const Tensor& gradient) override {
    look("backward", layer, operation, gradient);
  }
  bool found() const { return !found_.text.empty(); }
  const Diagnosis& diagnosis() const { return found_; }
  int place() const { return place_; }  ///< operations seen before it

 private:
  void look(const char* direction, const std::string& layer, const char* operation, const Tensor& value) {
    if (found()) return;
    const kernels::SegmentSpan all{.offset = 0, .elements = value.elements()};
    kernels::gradient_statistics(stream_, {.gradient = value.reshaped({value.elements()}),
                                           .segments = &all,
                                           .segment_count = 1,
                                           .statistics = statistics_.data()});
    stream_.synchronize();
    ++place_;
    if (statistics_->nonfinite == 0) return;
    found_.where = direction;
    found_.layer = layer;
    found_.text = fmt::format("{} of {} values of {}", statistics_->nonfinite, value.elements(), operation);
  }

  Stream& stream_;
  FaultPlan& faults_;
  HostValue<kernels::TensorStatistics> statistics_;
  Diagnosis found_;
  int place_ = 0;
};

/// One line that sorts by (place, shard) and carries the rest; fields are divided by tabs.
std::string to_line(const Diagnosis& d, int place, std::int64_t shard, int rank) {
  return fmt::format("{:09}\t{:09}\t{}\t{}\t{}\t{}", place, shard, rank, d.where, d.layer, d.text);
}

Diagnosis from_line(const std::string& line, const comm::Communicator& communicator) {
  std::vector<std::string> fields;
  std::stringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  Diagnosis d{.where = fields[3], .layer = fields[4], .rank = std::stoll(fields[2]), .shard = std::stoll(fields[1])};
  d.host = communicator.hosts()[static_cast<std::size_t>(d.rank)];
  d.text = fmt::format("the loss is not finite; first non-finite value in {}: layer {}, rank {} ({}), shard {}: {}",
                       d.where, d.layer, d.rank, d.host, d.shard, fields[5]);
  return d;
}

}  // namespace

Diagnosis replay_diagnosis(const ShardPass& pass, const data::Batch& batch, double gradient_scale, FaultPlan& faults,
                           comm::Communicator& communicator) {
  const int rank = communicator.rank();
  const HostValue<nn::LossSums> sums(pass.stream);
  std::string first;
  for (std::int64_t local = 0; local < pass.plan.local_shards; ++local) {
    const std::int64_t shard = rank * pass.plan.local_shards + local;
    faults.enter(batch.attempted, shard);
    Probe probe(pass.stream, faults);
    pass.run(
        batch, local, gradient_scale, &probe, [](const Parameter&, const Tensor&) {}, *sums);
    if (!probe.found()) continue;
    const std::string line = to_line(probe.diagnosis(), probe.place(), shard, rank);
    if (first.empty() || line < first) first = line;
  }
  pass.stream.synchronize();  // after the first find nothing has been waited for, and `sums` goes
  std::string overall;
  for (const std::string& line : communicator.all_gather_text(first)) {
    if (!line.empty() && (overall.empty() || line < overall)) overall = line;
  }
  if (!overall.empty()) return from_line(overall, communicator);
  return {.where = "forward", .text = "the loss is not finite, but every value of a replay is: memory corrupts data"};
}

}  // namespace mpdist::train
