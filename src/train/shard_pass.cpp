// SPDX-License-Identifier: Apache-2.0
#include "src/train/shard_pass.hpp"

#include "src/core/range.hpp"

namespace mpdist::train {

Tensor ShardPass::run(const data::Batch& batch, std::int64_t local_shard, double gradient_scale, nn::Observer* observer,
                      nn::Tape::GradientReady on_gradient_ready, nn::LossSums& sums) const {
  static const std::string kLoss = "loss";
  Tensor statistics;
  if (const Tensor& running = state.store.statistics()) {
    statistics = Tensor(running.shape(), DType::fp32, MemoryKind::activations, stream.pool());
  }
  nn::Tape tape(stream, state.store, std::move(on_gradient_ready), observer);
  const std::int64_t begin = local_shard * plan.shard_rows, end = begin + plan.shard_rows;
  const nn::Pass pass{.stream = stream,
                      .parameters = state.store,
                      .tape = &tape,
                      .observer = observer,
                      .seed = static_cast<std::uint64_t>(config.run.seed),
                      .attempted = batch.attempted,
                      .shard_statistics = statistics,
                      .first_position = batch.first_position + begin};
  {
    const Range forward("forward");
    const nn::Variable logits = state.model->forward(pass, batch.images.rows(begin, end));
    nn::softmax_cross_entropy(pass, kLoss, logits, batch.labels.rows(begin, end),
                              static_cast<float>(config.label_smoothing), static_cast<float>(gradient_scale), sums);
  }
  const Range backward("backward");
  tape.backward();
  return statistics;
}

}  // namespace mpdist::train
