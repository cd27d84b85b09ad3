// SPDX-License-Identifier: Apache-2.0
#include "src/optim/adamw.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/adamw_step.hpp"
#include "src/core/error.hpp"
#include "src/optim/flat_array.hpp"

namespace mpdist::optim {
namespace {

class Adamw : public Optimizer {
 public:
  Adamw(const AdamwOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : options_(options),
        decoupled_(common.decay == "decoupled"),
        store_(store),
        segments_(make_segments(store, common)),
        m_(zeros_like(store.master(), MemoryKind::optimizer)),
        v_(zeros_like(store.master(), MemoryKind::optimizer)) {}

  void update(Stream& stream, const UpdateArguments& arguments) override {
    // The corrections come from the betas as the kernel sees them, in FP32: 1 - 0.999F is 1.3e-5 away from 0.001.
    const auto t = static_cast<double>(arguments.step);
    const auto beta1 = static_cast<float>(options_.betas[0]);
    const auto beta2 = static_cast<float>(options_.betas[1]);
    kernels::adamw_step(stream, {.master = store_.master(),
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
                                 .correction1 = 1 - std::pow(static_cast<double>(beta1), t),
                                 .correction2 = 1 - std::pow(static_cast<double>(beta2), t),
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
  schema.key("betas", betas,
             {.help = "decay of the averages of the gradient and of its square",
              .minimum = 0,
              .maximum = 1,
              .maximum_excluded = true,
              .length = 2});
  schema.key("eps", eps, {.help = "added to the root of the second moment", .minimum = 0, .minimum_excluded = true});
}

std::unique_ptr<Optimizer> make_adamw(const AdamwOptions& options, const OptimizerOptions& common,
                                      ParameterStore& store) {
  const bool valid = options.betas.size() == 2 &&
                     std::all_of(options.betas.begin(), options.betas.end(), [](double b) { return b >= 0 && b < 1; });
  if (!valid) {
    throw UsageError(
        fmt::format("optimizer.betas: expected two numbers in [0, 1), found [{}]", fmt::join(options.betas, ", ")));
  }
  return std::make_unique<Adamw>(options, common, store);
}

}  // namespace mpdist::optim
