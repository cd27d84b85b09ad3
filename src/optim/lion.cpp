// SPDX-License-Identifier: Apache-2.0
#include "src/optim/lion.hpp"

#include "kernels/lion_step.hpp"
#include "src/optim/betas.hpp"
#include "src/optim/flat_array.hpp"

namespace mpdist::optim {
namespace {

class Lion : public Optimizer {
 public:
  Lion(const LionOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : options_(options),
        decoupled_(common.decay == "decoupled"),
        store_(store),
        segments_(make_segments(store, common)),
        m_(new_slot(store)) {}

  void update(Stream& stream, const UpdateArguments& arguments) override {
    kernels::lion_step(stream, {.master = trainable_masters(store_),
                                .m = m_,
                                .gradient = arguments.gradient,
                                .working = working_copy(store_),
                                .unscale = arguments.unscale,
                                .clip = arguments.clip,
                                .lr = arguments.lr,
                                .beta1 = static_cast<float>(options_.betas[0]),
                                .beta2 = static_cast<float>(options_.betas[1]),
                                .decoupled = decoupled_,
                                .segments = segments_.data(),
                                .segment_count = static_cast<std::int64_t>(segments_.size()),
                                .saturated = &saturated_});
  }

  std::vector<Slot> slots() override { return {{"m", m_}}; }

  std::int64_t saturated() const override { return saturated_; }

 private:
  LionOptions options_;
  bool decoupled_;
  ParameterStore& store_;
  std::vector<kernels::OptimizerSegment> segments_;
  Tensor m_;
  std::int64_t saturated_ = 0;
};

}  // namespace

void LionOptions::describe(Schema& schema) {
  schema.key("betas", betas, betas_doc("part of the average in the sign, and the decay of the average"));
}

std::unique_ptr<Optimizer> make_lion(const LionOptions& options, const OptimizerOptions& common,
                                     ParameterStore& store) {
  check_betas(options.betas);
  return std::make_unique<Lion>(options, common, store);
}

}  // namespace mpdist::optim
