// SPDX-License-Identifier: Apache-2.0
#include "src/train/shard_pass.hpp"

namespace mpdist::train {

ShardResult ShardPass::run(const data::Batch& batch, std::int64_t local_shard, double gradient_scale,
                           nn::Observer* observer, nn::Tape::GradientReady on_gradient_ready) const {
  static const std::string kLoss = "loss";
  ShardResult result;
  if (const Tensor& running = state.store.statistics()) {
    result.statistics = Tensor(running.shape(), DType::fp32, MemoryKind::activations);
  }
  nn::Tape tape(stream, state.store, std::move(on_gradient_ready), observer);
  const std::int64_t begin = local_shard * plan.shard_rows, end = begin + plan.shard_rows;
  const nn::Pass pass{.stream = stream,
                      .parameters = state.store,
                      .tape = &tape,
                      .observer = observer,
                      .seed = static_cast<std::uint64_t>(config.run.seed),
                      .attempted = batch.attempted,
                      .shard_statistics = result.statistics,
                      .first_position = batch.first_position + begin};
  const nn::Variable logits = state.model->forward(pass, batch.images.rows(begin, end));
  result.sums =
      nn::softmax_cross_entropy(pass, kLoss, logits, batch.labels.rows(begin, end),
                                static_cast<float>(config.label_smoothing), static_cast<float>(gradient_scale));
  tape.backward();
  return result;
}

}  // namespace mpdist::train
