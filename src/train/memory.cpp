// SPDX-License-Identifier: Apache-2.0
#include "src/train/memory.hpp"

#include <bit>
#include <numeric>

#include "comm/tree_sum.hpp"
#include "src/train/evaluator.hpp"
#include "src/train/registry.hpp"
#include "src/train/step.hpp"

namespace mpdist::train {
namespace {

/// The first rows of a data set: enough for one block.
class FirstRows : public data::Dataset {
 public:
  FirstRows(const data::Dataset& whole, std::int64_t rows) : whole_(whole), rows_(std::min(rows, whole.size())) {}
  std::int64_t size() const override { return rows_; }
  Shape image_shape() const override { return whole_.image_shape(); }
  std::int64_t classes() const override { return whole_.classes(); }
  void read(std::int64_t index, std::span<float> image) const override { whole_.read(index, image); }
  std::int32_t label(std::int64_t index) const override { return whole_.label(index); }
  std::uint64_t digest() const override { return whole_.digest(); }

 private:
  const data::Dataset& whole_;
  std::int64_t rows_;
};

/// One rank, one shard.
Plan one_shard(const Plan& plan) {
  Plan one = plan;
  one.ranks = 1;
  one.shards = one.local_shards = 1;
  one.global_batch = plan.shard_rows;
  return one;
}

void rehearse(const Config& config, const Plan& plan, TrainingState& state, const data::Batch& batch, Stream& stream) {
  const std::unique_ptr<comm::Communicator> self = comm::make_self();
  const auto schedule = entry_named(optim::schedules(), config.schedule.name).make(*config.schedule.options, 1);
  FaultPlan no_faults({}, 0, stream);
  state.scaler = precision::LossScaler({.dynamic = false, .initial = 1});  // an overflow would leave out the update
  StepRunner(config, plan, state, *self, *self, *schedule, no_faults, stream).attempt(batch, {}, true);
}

std::int64_t bytes_of(const data::Batch& batch) {
  return static_cast<std::int64_t>(batch.images.bytes() + batch.labels.bytes());
}

std::int64_t& of_kind(MemoryForecast& forecast, MemoryKind kind) {
  return forecast.peak[static_cast<std::size_t>(kind)];
}

}  // namespace

std::int64_t MemoryForecast::total() const {
  return std::accumulate(peak.begin(), peak.end(), std::int64_t{0});
}

MemoryForecast forecast_memory(const Config& config, const Plan& plan, TrainingState& state,
                               const data::Datasets& datasets, const data::Augmentation& augmentation, Stream& stream) {
  Pool& pool = Pool::host();
  const auto data_now = [&] { return pool.use().now[static_cast<std::size_t>(MemoryKind::data)]; };
  const DType compute = state.store.compute_type();
  const Plan one = one_shard(plan);
  const std::int64_t loaded = data_now();
  std::int64_t shard_bytes = 0;
  {
    const data::Batch shard = data::evaluation_block(*datasets.train, augmentation, 0, plan.shard_rows, compute);
    shard_bytes = bytes_of(shard);
    rehearse(config, one, state, shard, stream);
  }
  {
    const std::unique_ptr<comm::Communicator> self = comm::make_self();
    evaluate(config, one, state, FirstRows(*datasets.test, plan.shard_rows), augmentation, *self, stream);
  }
  MemoryForecast forecast{.peak = pool.use().peak};
  // The batch at work and those made ahead, beside a block of evaluation.
  const std::int64_t ahead =
      data::LoaderOptions{.workers = config.data.workers, .prefetch = config.data.prefetch}.ahead();
  const std::int64_t at_work = config.evaluate.every > 0 || ahead == 0 ? 1 : 0;
  const std::int64_t batches = std::max((ahead + 1) * plan.local_shards * shard_bytes,
                                        (ahead + at_work) * plan.local_shards * shard_bytes + shard_bytes);
  const std::int64_t caches = datasets.train->cache_bytes() + datasets.test->cache_bytes();
  of_kind(forecast, MemoryKind::data) = std::max(of_kind(forecast, MemoryKind::data), loaded + caches + batches);
  const int pending = std::countr_zero(static_cast<std::uint64_t>(plan.local_shards));
  of_kind(forecast, MemoryKind::gradients) +=
      pending * state.store.trainable_elements() * static_cast<std::int64_t>(size_of(plan.wire));
  // The gradient's sum over the ranks, and that of the values beside it.
  of_kind(forecast, MemoryKind::workspace) += 2 * comm::TreeSum::scratch_bytes(plan.ranks);
  for (const checkpoint::NamedTensor& tensor : state_tensors(state)) {
    of_kind(forecast, MemoryKind::checkpoint) += static_cast<std::int64_t>(tensor.values.bytes());
  }
  return forecast;
}

}  // namespace mpdist::train
