// SPDX-License-Identifier: Apache-2.0
#include "src/optim/adamw.hpp"

#include "kernels/adamw_step.hpp"
#include "src/optim/betas.hpp"
#include "src/optim/flat_array.hpp"
#include "src/optim/fp32_range.hpp"

namespace mpdist::optim {
namespace {

class Adamw : public Optimizer {
 public:
  Adamw(const AdamwOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : options_(options),
        decoupled_(common.decay == "decoupled"),
        store_(store),
        segments_(make_segments(store, common)),
        m_(new_slot(store)),
        v_(new_slot(store)) {}

  void update(Stream& stream, const UpdateArguments& arguments) override {
    const auto beta1 = static_cast<float>(options_.betas[0]);
    const auto beta2 = static_cast<float>(options_.betas[1]);
    kernels::adamw_step(stream, {.master = trainable_masters(store_),
                                 .m = m_,
                                 .v = v_,
                                 .gradient = arguments.gradient,
                                 .working = working_copy(store_),
                                 .unscale = arguments.unscale,
                                 .clip = arguments.clip,
                                 .lr = arguments.lr,
                                 .beta1 = beta1,
                                 .beta2 = beta2,
                                 .eps = static_cast<float>(options_.eps),
                                 .correction1 = bias_correction(beta1, arguments.step),
                                 .correction2 = bias_correction(beta2, arguments.step),
                                 .decoupled = decoupled_,
                                 .segments = segments_.data(),
                                 .segment_count = static_cast<std::int64_t>(segments_.size()),
                                 .saturated = &saturated_});
  }

  std::vector<Slot> slots() override { return {{"m", m_}, {"v", v_}}; }
  std::int64_t saturated() const override { return saturated_; }

 private:
  AdamwOptions options_;
  bool decoupled_;
  ParameterStore& store_;
  std::vector<kernels::OptimizerSegment> segments_;
  Tensor m_, v_;
  std::int64_t saturated_ = 0;
};

}  // namespace

void AdamwOptions::describe(Schema& schema) {
  schema.key("betas", betas, betas_doc("decay of the averages of the gradient and of its square"));
  schema.key("eps", eps, {.help = "added to the root of the second moment", .minimum = 0, .minimum_excluded = true});
}

std::unique_ptr<Optimizer> make_adamw(const AdamwOptions& options, const OptimizerOptions& common,
                                      ParameterStore& store) {
  check_betas(options.betas);
  check_eps("optimizer.eps", options.eps);
  return std::make_unique<Adamw>(options, common, store);
}

}  // namespace mpdist::optim
