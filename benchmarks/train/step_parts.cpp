// SPDX-License-Identifier: Apache-2.0
#include "benchmarks/train/step_parts.hpp"

#include <algorithm>

#include "src/optim/clipping.hpp"
#include "src/train/datasets.hpp"
#include "src/train/shard_pass.hpp"

namespace mpdist::benchmarks {

Workbench::Workbench(const std::string& config_path, const std::vector<std::string>& overrides)
    : config(train::parse_config(train::read_config_text(config_path), config_path, overrides)),
      datasets(train::open_datasets(config)),
      plan(train::make_plan(config, datasets.train->size(), 1)),
      communicator(comm::make_self()),
      state(std::make_unique<train::TrainingState>(config, datasets.train->image_shape(), datasets.train->classes(),
                                                   stream)) {
  for (const optim::ScheduleEntry& entry : optim::schedules()) {
    if (entry.name == config.schedule.name) schedule = entry.make(*config.schedule.options, plan.max_steps);
  }
  runner = std::make_unique<train::StepRunner>(config, plan, *state, *communicator, *communicator, *schedule, faults,
                                               stream);
  const auto seed = static_cast<std::uint64_t>(config.run.seed);
  loader_ = std::make_unique<data::Loader>(
      *datasets.train, data::Augmentation(config.data.augmentation, datasets.train->image_shape(), seed),
      data::Sampler(plan.samples, seed, datasets.train->blocks()),
      data::LoaderOptions{.global_batch = plan.global_batch,
                          .rows = plan.local_rows(),
                          .dtype = state->store.compute_type(),
                          .workers = 0});
}

void Workbench::whole_step(const data::Batch& batch) {
  runner->attempt(batch, {}, false);
}

/// Reads the time between two calls as that of one operation: forward before its output is shown, backward after its
/// output's gradient is shown.
class DividedStep::Clockwork : public nn::Observer {
 public:
  explicit Clockwork(DividedStep& step) : step_(step) {}

  void start() { step_.mark_ = cpu_seconds(); }
  void activation(const std::string& layer, const char* operation, const Tensor& value) override {
    const double now = cpu_seconds();
    const std::string name = layer + " forward";
    step_.describe(name, layer, operation, true, value);
    step_.work(name).now += now - step_.mark_;
    shown_ = name;
    start();
  }
  void activation_gradient(const std::string& layer, const char* operation, const Tensor& gradient) override {
    stop();
    shown_ = layer + " backward";
    step_.describe(shown_, layer, operation, false, gradient);
    start();
  }
  /// Gives the time since the last mark to the operation that was shown last.
  void stop() { step_.work(shown_).now += cpu_seconds() - step_.mark_; }

 private:
  DividedStep& step_;
  std::string shown_;
};

DividedStep::DividedStep(Workbench& bench)
    : bench_(bench),
      reducer_(bench.state->store, *bench.communicator, *bench.communicator, bench.stream,
               {.wire = bench.plan.wire, .shards = bench.plan.shards}),
      statistics_(bench.state->store.trainable_parameters().size()) {
  for (const Parameter* p : bench.state->store.trainable_parameters()) segments_.push_back({p->offset, p->elements()});
}

DividedStep::Work& DividedStep::work(const std::string& name) {
  const auto [found, added] = works_.try_emplace(name);
  if (added) order_.push_back(name);
  return found->second;
}

void DividedStep::describe(const std::string& name, const std::string& layer, const std::string& operation,
                           bool forward, const Tensor& value) {
  Work& work = this->work(name);
  work.forward = forward;
  if (operation == "linear" || operation == "conv2d") {
    const train::Config& config = bench_.config;
    const Shape& w = bench_.state->store.find(layer + ".weight")->shape;
    const bool first = layer == (config.model.name == "cnn" ? "conv1" : "fc1");
    const Shape& y = value.shape();
    work.matrix = {y.rank() == 4 ? y[1] : 1, w[-1], w[0], w.rank() == 4 ? w[1] : 0, !first};
    return;
  }
  const auto out = static_cast<double>(value.bytes() * static_cast<std::size_t>(bench_.plan.local_shards));
  if (operation == "max_pool") work.bytes = forward ? 5 * out : 9 * out;  // reads 4 inputs an output; writes them back
  if (operation == "dropout") work.bytes = 2 * out;
}

void DividedStep::run(const data::Batch& batch) {
  for (auto& [name, work] : works_) work.now = 0;
  Clockwork clock(*this);
  const train::Plan& plan = bench_.plan;
  const double scale = bench_.state->scaler.scale();
  const train::ShardPass pass{bench_.config, plan, *bench_.state, bench_.stream};
  const auto elements = static_cast<double>(bench_.state->store.elements() * plan.local_shards);
  const auto wire = static_cast<double>(size_of(plan.wire));
  std::int64_t terms = 0;
  for (std::int64_t local = 0; local < plan.local_shards; ++local) {
    clock.start();
    nn::LossSums sums;
    pass.run(
        batch, local, scale * plan.shards_power / plan.loss_terms_power, &clock,
        [&](const Parameter& parameter, const Tensor& gradient) {
          clock.stop();
          clock.start();
          reducer_.leaf(bench_.stream, parameter, local, gradient);
          Work& leaves = work("leaves and tree");
          leaves.now += cpu_seconds() - mark_;
          leaves.bytes = elements * (4 + 4 * wire) - 3 * wire * elements / static_cast<double>(plan.local_shards);
          clock.start();
        },
        sums);
    clock.stop();
    terms += sums.terms;
  }
  finish(plan.loss_terms_power / (scale * static_cast<double>(terms)));
  for (auto& [name, work] : works_) work.best = work.best == 0 ? work.now : std::min(work.best, work.now);
}

/// Statistics and update, as StepRunner does when nothing overflows.
void DividedStep::finish(double unscale) {
  train::TrainingState& state = *bench_.state;
  const auto elements = static_cast<double>(state.store.elements());
  const auto wire = static_cast<double>(size_of(bench_.plan.wire));
  mark_ = cpu_seconds();
  const Tensor reduced = reducer_.reduce(bench_.stream);
  const double summed = cpu_seconds();
  work("leaves and tree").now += summed - mark_;
  kernels::gradient_statistics(bench_.stream, {.gradient = reduced,
                                               .segments = segments_.data(),
                                               .segment_count = static_cast<std::int64_t>(segments_.size()),
                                               .statistics = statistics_.data()});
  const double counted = cpu_seconds();
  work("statistics").now += counted - summed;
  work("statistics").bytes = elements * wire;
  const double norm = optim::global_norm(statistics_, unscale);
  state.optimizer->update(
      bench_.stream, {.gradient = reduced,
                      .unscale = unscale,
                      .clip = optim::clip_factor(norm, bench_.config.optimizer.common.clip_norm),
                      .lr = static_cast<float>(bench_.config.optimizer.common.lr * bench_.schedule->factor(state.step)),
                      .step = state.step + 1});
  const double compute = state.store.compute_type() == DType::fp32 ? 0 : 2;
  work("optimizer").now += cpu_seconds() - counted;
  work("optimizer").bytes =
      elements * (8.0 * static_cast<double>(1 + state.optimizer->slots().size()) + wire + compute);
  reducer_.release(bench_.stream);
  ++state.step, ++state.attempted;
  state.scaler.update(precision::StepEvent::clean);
}

std::vector<Part> DividedStep::parts() {
  const train::Plan& plan = bench_.plan;
  std::map<std::string, Floor> floors;  // forward and backward of a layer are measured together
  std::vector<Part> result;
  for (const std::string& name : order_) {
    const Work& work = works_[name];
    Part part{.name = name, .seconds = work.best, .matrix = work.matrix.out > 0};
    if (part.matrix) {
      const std::string layer = name.substr(0, name.find(' '));
      if (!floors.contains(layer)) {
        floors[layer] = matrix_floor(bench_.stream, work.matrix, plan.shard_rows, bench_.state->store.compute_type());
      }
      const Floor& floor = floors[layer];
      part.floor = static_cast<double>(plan.local_shards) * (work.forward ? floor.forward : floor.backward);
    } else if (work.bytes > 0) {
      // What a shard touches is what may be in cache.
      const bool once = name == "statistics" || name == "optimizer";
      const double times = once ? 1 : static_cast<double>(plan.local_shards);
      part.floor = times * copy_floor(work.bytes / times);
    }
    result.push_back(part);
  }
  return result;
}

}  // namespace mpdist::benchmarks
