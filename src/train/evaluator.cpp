// SPDX-License-Identifier: Apache-2.0
#include "src/train/evaluator.hpp"

#include <span>
#include <vector>

#include "data/loader.hpp"
#include "kernels/cast.hpp"
#include "src/core/host_array.hpp"
#include "src/core/range.hpp"
#include "src/nn/loss.hpp"
#include "src/train/batch_upload.hpp"

namespace mpdist::train {
namespace {

struct BlockSums {
  double loss = 0;
  std::int64_t correct = 0, samples = 0;
};

/// Puts the average into the working copy (and, with FP32 compute, into the master, which is the working copy) for as
/// long as it lives.
class AveragedWeights {
 public:
  AveragedWeights(const TrainingState& state, Stream& stream) : state_(state), stream_(stream) {
    if (!state.ema) return;
    const Tensor& working = state.store.working();
    saved_ = Tensor(working.shape(), working.dtype(), MemoryKind::workspace, stream.pool());
    kernels::cast(stream, {.source = working, .destination = saved_});
    kernels::cast(stream, {.source = state.ema->average(), .destination = working, .saturate = true});
  }
  // NOLINTNEXTLINE(bugprone-exception-escape): the constructor made the same cast the other way
  ~AveragedWeights() {
    if (!saved_) return;
    kernels::cast(stream_, {.source = saved_, .destination = state_.store.working()});
  }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  const TrainingState& state_;
  Stream& stream_;
  Tensor saved_;
};

void evaluate_block(const Config& config, const TrainingState& state, const data::Batch& block, Stream& stream,
                    nn::LossSums& sums) {
  static const std::string kLoss = "loss";
  const nn::Pass pass{.stream = stream, .parameters = state.store, .seed = static_cast<std::uint64_t>(config.run.seed)};
  const nn::Variable logits = state.model->forward(pass, block.images);
  nn::softmax_cross_entropy(pass, kLoss, logits, block.labels, static_cast<float>(config.label_smoothing), 1, sums);
}

}  // namespace

Evaluation evaluate(const Config& config, const Plan& plan, const TrainingState& state, const data::Dataset& dataset,
                    const data::Augmentation& augmentation, comm::Communicator& communicator, Stream& stream) {
  const Range range("evaluate");
  const AveragedWeights averaged(state, stream);
  const std::int64_t rows = plan.shard_rows, blocks = (dataset.size() + rows - 1) / rows;
  const std::int64_t rounds = (blocks + plan.ranks - 1) / plan.ranks;
  const HostArray<nn::LossSums> arriving(stream, rounds);
  BatchUpload upload(stream);
  for (std::int64_t round = 0; round < rounds; ++round) {
    const std::int64_t block = round * plan.ranks + communicator.rank();
    if (block >= blocks) continue;
    upload.begin(data::evaluation_block(dataset, augmentation, block * rows, rows, state.store.compute_type(),
                                        stream.host_pool()));
    evaluate_block(config, state, upload.take(), stream, arriving[round]);
  }
  stream.synchronize();
  std::vector<BlockSums> mine;
  for (const nn::LossSums& block : arriving) mine.push_back({block.loss, block.correct, block.terms});
  std::vector<BlockSums> all(rounds * plan.ranks);
  communicator.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
  BlockSums total;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const BlockSums& sums = all[block % plan.ranks * rounds + block / plan.ranks];
    total.loss += sums.loss;
    total.correct += sums.correct;
    total.samples += sums.samples;
  }
  const auto samples = static_cast<double>(total.samples);
  return {
      .loss = total.loss / samples, .accuracy = static_cast<double>(total.correct) / samples, .samples = total.samples};
}

}  // namespace mpdist::train
