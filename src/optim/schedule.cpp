// SPDX-License-Identifier: Apache-2.0
#include "src/optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "src/core/error.hpp"

namespace mpdist::optim {
namespace {

struct ConstantOptions : Options {
  std::int64_t warmup_steps = 0;
  void describe(Schema& schema) override {
    schema.key("warmup_steps", warmup_steps,
               {.help = "applied updates over which the learning rate rises linearly from 0",
                .unit = "updates",
                .minimum = 0});
  }
};

struct StepOptions : ConstantOptions {
  std::int64_t step_size = 0;
  double gamma = 0.1;
  void describe(Schema& schema) override {
    ConstantOptions::describe(schema);
    schema.key("step_size", step_size,
               {.help = "applied updates between two falls of the learning rate; 0: a third of the run",
                .unit = "updates",
                .minimum = 0});
    schema.key("gamma", gamma, {.help = "factor of each fall", .minimum = 0, .maximum = 1, .minimum_excluded = true});
  }
};

struct CosineOptions : ConstantOptions {
  double minimum = 0;
  void describe(Schema& schema) override {
    ConstantOptions::describe(schema);
    schema.key("minimum", minimum,
               {.help = "learning rate at the end, as a fraction of optimizer.lr", .minimum = 0, .maximum = 1});
  }
};

struct PolynomialOptions : CosineOptions {
  double power = 1;
  void describe(Schema& schema) override {
    CosineOptions::describe(schema);
    schema.key("power", power, {.help = "exponent of the decay; 1: linear", .minimum = 0, .minimum_excluded = true});
  }
};

/// A shape (factor without warm-up) behind a linear warm-up.
class WarmedUp : public Schedule {
 public:
  WarmedUp(std::int64_t warmup_steps, std::function<double(std::int64_t)> shape)
      : warmup_steps_(warmup_steps), shape_(std::move(shape)) {}

  double factor(std::int64_t step) const override {
    if (step >= warmup_steps_) return shape_(step);
    return static_cast<double>(step + 1) / static_cast<double>(warmup_steps_) * shape_(warmup_steps_);
  }

 private:
  std::int64_t warmup_steps_;
  std::function<double(std::int64_t)> shape_;
};

/// Part of the run after warm-up that lies before `step`, in [0, 1].
double progress(std::int64_t step, std::int64_t warmup_steps, std::int64_t total_steps) {
  const auto length = static_cast<double>(std::max<std::int64_t>(1, total_steps - warmup_steps));
  return std::clamp(static_cast<double>(step - warmup_steps) / length, 0.0, 1.0);
}

std::unique_ptr<Schedule> make_constant(const ConstantOptions& options, std::int64_t) {
  return std::make_unique<WarmedUp>(options.warmup_steps, [](std::int64_t) { return 1.0; });
}

std::unique_ptr<Schedule> make_step(const StepOptions& options, std::int64_t total_steps) {
  const std::int64_t size =
      options.step_size > 0 ? options.step_size : std::max<std::int64_t>(1, (total_steps + 2) / 3);
  return std::make_unique<WarmedUp>(options.warmup_steps, [size, gamma = options.gamma](std::int64_t step) {
    return std::pow(gamma, static_cast<double>(step / size));
  });
}

std::unique_ptr<Schedule> make_cosine(const CosineOptions& options, std::int64_t total_steps) {
  return std::make_unique<WarmedUp>(options.warmup_steps,
                                    [=, minimum = options.minimum, warmup = options.warmup_steps](std::int64_t step) {
                                      const double p = progress(step, warmup, total_steps);
                                      return minimum + (1 - minimum) * 0.5 * (1 + std::cos(std::numbers::pi * p));
                                    });
}

std::unique_ptr<Schedule> make_polynomial(const PolynomialOptions& options, std::int64_t total_steps) {
  return std::make_unique<WarmedUp>(options.warmup_steps, [=, minimum = options.minimum, power = options.power,
                                                           warmup = options.warmup_steps](std::int64_t step) {
    return minimum + (1 - minimum) * std::pow(1 - progress(step, warmup, total_steps), power);
  });
}

template <class O>
ScheduleEntry entry(std::string name, std::string help, std::unique_ptr<Schedule> (*make)(const O&, std::int64_t)) {
  return {std::move(name), std::move(help), [] { return std::make_unique<O>(); },
          [make](const Options& options, std::int64_t total_steps) {
            require(total_steps > 0, "schedule: expected a run of at least one update, found {}", total_steps);
            return make(dynamic_cast<const O&>(options), total_steps);
          }};
}

}  // namespace

const std::vector<ScheduleEntry>& schedules() {
  static const std::vector<ScheduleEntry> all{
      entry("constant", "the same learning rate throughout", make_constant),
      entry("step", "times gamma every step_size updates", make_step),
      entry("cosine", "half a cosine from the full learning rate to the minimum", make_cosine),
      entry("polynomial", "(1-progress)^power from the full learning rate to the minimum", make_polynomial),
  };
  return all;
}

}  // namespace mpdist::optim
