// SPDX-License-Identifier: Apache-2.0
#include "src/train/step.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <tuple>

#include "comm/factory.hpp"
#include "kernels/ema_update.hpp"
#include "src/core/copy.hpp"
#include "src/core/range.hpp"
#include "src/optim/clipping.hpp"
#include "src/train/diagnosis.hpp"
#include "src/train/disagreement.hpp"
#include "src/train/shard_pass.hpp"

namespace mpdist::train {

using precision::StepEvent;
using precision::Verdict;

namespace {

/// Elements of the running statistics.
std::int64_t statistics_of(const TrainingState& state) {
  const Tensor& statistics = state.store.statistics();
  return statistics ? statistics.elements() : 0;
}

}  // namespace

StepRunner::StepRunner(const Config& config, const Plan& plan, TrainingState& state, comm::Communicator& communicator,
                       comm::Communicator& gradients, const optim::Schedule& schedule, FaultPlan& faults,
                       Stream& stream)
    : config_(config),
      plan_(plan),
      state_(state),
      communicator_(communicator),
      schedule_(schedule),
      faults_(faults),
      stream_(stream),
      reducer_(state.store, communicator, gradients, stream,
               {.wire = plan.wire,
                .shards = plan.shards,
                .tree = config.comm.reduction == "tree",
                .bucket_bytes = static_cast<std::int64_t>(config.comm.bucket_mib * 1048576.0),
                .overlap = comm::has_spare_cpus(communicator, static_cast<int>(config.run.threads_per_rank))}),
      statistics_(stream, static_cast<std::int64_t>(state.store.trainable_parameters().size())),
      telemetry_(state.store, stream),
      sums_(stream, plan.local_shards),
      values_({plan.local_shards, 2 + statistics_of(state)}, DType::fp32, MemoryKind::workspace, stream.host_pool()),
      mean_statistics_({statistics_of(state)}, DType::fp32, MemoryKind::workspace, stream.host_pool()),
      digests_(state, stream) {
  for (const Parameter* p : state.store.trainable_parameters()) segments_.push_back({p->offset, p->elements()});
}

/// While an exception unwinds, kernels of a GPU may be under way that write results here: that memory is kept, or a
/// snapshot that is still being taken could be given it.
StepRunner::~StepRunner() {
  if (stream_.device() == Device::cpu || !unwinding_.unwinding()) return;
  static_cast<void>(new std::tuple(statistics_, sums_, values_, mean_statistics_, digests_));
}

StepReport StepRunner::attempt(const data::Batch& batch, StepRequests requests, bool audit, const StepHooks& hooks) {
  StepReport report{.loss_scale = state_.scaler.scale()};
  const double gradient_scale = report.loss_scale * plan_.shards_power / plan_.loss_terms_power;
  const std::int64_t every = config_.precision.telemetry_every;
  const bool watch = every > 0 && (state_.attempted + 1) % every == 0;
  reducer_.set_step(state_.attempted + 1);  // as told to users, who count from 1
  forward_backward(batch, gradient_scale, watch);
  reduce();
  if (audit) digests_.enqueue();
  hooks.while_waiting();
  reducer_.synchronize(stream_);  // the one wait of a step
  collect_values();
  report.saturated = state_.optimizer->saturated();
  const Verdict verdict = merge(local_verdict(requests, audit), audit);
  const double unscale = plan_.loss_terms_power / (report.loss_scale * static_cast<double>(verdict.loss_terms));
  tell(verdict, unscale, report);
  if (watch) {
    telemetry_.end(communicator_, reduced_);
    report.telemetry = &telemetry_;
  }
  if (report.event == StepEvent::clean) {
    hooks.before_update();
    update(report, unscale);
    faults_.masters(state_.attempted, state_.store);
    ++state_.step;
    if (stream_.device() == Device::cpu) report.saturated = state_.optimizer->saturated();
  } else {
    report.diagnosis = explain(batch, verdict, report);
    ++state_.skipped;
  }
  reducer_.release(stream_);
  report.step = state_.step;
  report.attempted = ++state_.attempted;
  state_.scaler.update(report.event);
  report.new_loss_scale = state_.scaler.scale();
  return report;
}

/// What the verdict and the sums say.
void StepRunner::tell(const Verdict& verdict, double unscale, StepReport& report) const {
  const auto terms = static_cast<double>(verdict.loss_terms);
  report.event = verdict.event();
  report.stop = verdict.stop_requests > 0;
  report.save = verdict.save_requests > 0;
  report.loss = static_cast<double>(reducer_.reduced_values()[0]) / terms;
  report.accuracy = static_cast<double>(reducer_.reduced_values()[1]) / terms;
  report.grad_norm = optim::global_norm({statistics_.data(), segments_.size()}, unscale);
  report.lr = config_.optimizer.common.lr * schedule_.factor(state_.step);
}

void StepRunner::forward_backward(const data::Batch& batch, double gradient_scale, bool watch) {
  const ShardPass pass{config_, plan_, state_, stream_};
  nn::Observer* observer = faults_.empty() ? nullptr : &faults_;
  if (watch) {
    telemetry_.begin(observer);
    observer = &telemetry_;
  }
  for (std::int64_t local = 0; local < plan_.local_shards; ++local) {
    faults_.enter(batch.attempted, communicator_.rank() * plan_.local_shards + local);
    telemetry_.enter_shard();
    const Tensor statistics = pass.run(
        batch, local, gradient_scale, observer,
        [&](const Parameter& parameter, const Tensor& gradient) {
          faults_.parameter_gradient(parameter, gradient);
          reducer_.leaf(stream_, parameter, local, gradient);
        },
        sums_[local]);
    const Tensor values = values_.rows(local, local + 1).reshaped({values_.shape()[1]});
    if (statistics) copy(stream_, statistics, values.rows(2, values.elements()));
  }
}

void StepRunner::reduce() {
  const Range range("reduce");
  reduced_ = reducer_.reduce(stream_);
  kernels::gradient_statistics(stream_, {.gradient = reduced_,
                                         .segments = segments_.data(),
                                         .segment_count = static_cast<std::int64_t>(segments_.size()),
                                         .statistics = statistics_.data()});
}

/// What the forward passes came to, now that it has arrived.
void StepRunner::collect_values() {
  loss_terms_ = forward_nonfinite_ = 0;
  for (std::int64_t local = 0; local < plan_.local_shards; ++local) {
    const std::span<float> values = values_.rows(local, local + 1).span<float>();
    values[0] = sums_[local].loss;
    values[1] = static_cast<float>(sums_[local].correct);
    reducer_.values(local, values);
    loss_terms_ += sums_[local].terms;
    // Infinite statistics would spoil the running ones, even where ReLU hides them from the loss.
    const auto finite = [](float value) { return std::isfinite(value); };
    if (!std::all_of(values.begin(), values.end(), finite)) ++forward_nonfinite_;
  }
  reducer_.reduce_values();
}

Verdict StepRunner::local_verdict(StepRequests requests, bool audit) const {
  Verdict verdict;
  verdict.forward_nonfinite = forward_nonfinite_;
  verdict.loss_terms = loss_terms_;
  verdict.stop_requests = requests.stop ? 1 : 0;
  verdict.save_requests = requests.save ? 1 : 0;
  for (const comm::NonfiniteLeaf& leaf : reducer_.nonfinite()) {
    ++verdict.backward_nonfinite;
    verdict.add_bad({leaf.parameter, leaf.shard, communicator_.rank()});
  }
  std::uint64_t digest = 0, nonfinite = 0;
  for (const kernels::TensorStatistics& tensor : statistics_) {
    digest += tensor.digest;
    nonfinite += static_cast<std::uint64_t>(tensor.nonfinite);
  }
  verdict.equal[Verdict::reduced_digest] = digest;
  verdict.equal[Verdict::sum_nonfinite] = nonfinite;
  verdict.equal[Verdict::attempted] = static_cast<std::uint64_t>(state_.attempted);
  verdict.equal[Verdict::step] = static_cast<std::uint64_t>(state_.step);
  verdict.equal[Verdict::scale_bits] = std::bit_cast<std::uint64_t>(state_.scaler.scale());
  const precision::LossScalerState& scaler = state_.scaler.state();
  verdict.equal[Verdict::tracker] = static_cast<std::uint64_t>(scaler.tracker);
  verdict.equal[Verdict::allowance] = static_cast<std::uint64_t>(scaler.allowance);
  verdict.equal[Verdict::hopeless_skips] = static_cast<std::uint64_t>(scaler.hopeless_skips);
  verdict.equal[Verdict::cursor] = static_cast<std::uint64_t>(state_.attempted * plan_.global_batch);
  if (audit) digests_.fill(verdict);
  return verdict;
}

/// Merges over the ranks; a difference ends the run with its name.
Verdict StepRunner::merge(const Verdict& mine, bool audit) {
  const Range range("verdict");
  auto lanes = mine.to_lanes();
  communicator_.merge_lanes(lanes, Verdict::kMinimumLanes);
  std::vector<Verdict::Equal> different;
  const Verdict merged = Verdict::from_lanes(lanes, different);
  if (different.empty()) return merged;
  SharedState shared;
  for (Verdict::Equal entry : different) {
    if (entry <= Verdict::cursor) shared.scalars.emplace_back(Verdict::name_of(entry), mine.equal[entry]);
  }
  const auto append = [&](const std::vector<checkpoint::NamedTensor>& tensors) {
    shared.tensors.insert(shared.tensors.end(), tensors.begin(), tensors.end());
  };
  if (reduced_) append(parameter_views(state_.store, "reduced gradient", reduced_));
  append(parameter_views(state_.store, "working copy", state_.store.working()));
  append(state_tensors(state_));
  throw_disagreement(communicator_, stream_, shared,
                     fmt::format("{} of attempted step {}", audit ? "audit" : "verdict", state_.attempted));
}

void StepRunner::audit() {
  Verdict verdict;
  digests_.enqueue();
  stream_.synchronize();
  digests_.fill(verdict);
  verdict.equal[Verdict::attempted] = static_cast<std::uint64_t>(state_.attempted);
  verdict.equal[Verdict::step] = static_cast<std::uint64_t>(state_.step);
  reduced_ = Tensor();  // not valid between steps
  merge(verdict, true);
}

void StepRunner::update(const StepReport& report, double unscale) {
  const Range range("update");
  state_.optimizer->update(stream_, {.gradient = reduced_,
                                     .unscale = unscale,
                                     .clip = optim::clip_factor(report.grad_norm, config_.optimizer.common.clip_norm),
                                     .lr = static_cast<float>(report.lr),
                                     .step = state_.step + 1});
  if (state_.ema) state_.ema->update(stream_);
  update_statistics();
}

/// running = (1-momentum)*running + momentum * (tree sum of the shards' statistics) / S.
void StepRunner::update_statistics() {
  const Tensor& running = state_.store.statistics();
  if (!running) return;
  const std::span<const float> sums = reducer_.reduced_values().subspan(2);
  const auto shards = static_cast<float>(plan_.shards);
  std::transform(sums.begin(), sums.end(), mean_statistics_.data<float>(), [&](float sum) { return sum / shards; });
  const Tensor mean(running.shape(), DType::fp32, MemoryKind::activations, stream_.pool());
  copy(stream_, mean_statistics_, mean);
  const std::deque<Statistic>& layout = state_.store.statistics_layout();
  for (auto first = layout.begin(); first != layout.end();) {  // neighbours of one momentum in one call
    const auto end = std::find_if(first, layout.end(), [&](const auto& s) { return s.momentum != first->momentum; });
    const Statistic& last = *std::prev(end);
    kernels::ema_update(stream_, {.average = running.rows(first->offset, last.offset + last.elements),
                                  .value = mean.rows(first->offset, last.offset + last.elements),
                                  .decay = 1 - first->momentum});
    first = end;
  }
}

/// Why the step is skipped. A non-finite loss is replayed; the first bad leaf travelled with the verdict; where every
/// leaf was finite, the sum was not.
Diagnosis StepRunner::explain(const data::Batch& batch, const Verdict& verdict, const StepReport& report) {
  if (report.event == StepEvent::forward_nonfinite) {
    const double gradient_scale = report.loss_scale * plan_.shards_power / plan_.loss_terms_power;
    return replay_diagnosis({config_, plan_, state_, stream_}, batch, gradient_scale, faults_, communicator_);
  }
  const auto parameters = state_.store.trainable_parameters();
  if (const auto& bad = verdict.first_bad) {
    const Parameter& p = *parameters[static_cast<std::size_t>(bad->parameter)];
    const std::string& host = communicator_.hosts()[static_cast<std::size_t>(bad->rank)];
    return {.where = "backward",
            .tensor = p.name,
            .layer = p.layer,
            .host = host,
            .rank = bad->rank,
            .shard = bad->shard,
            .text = fmt::format("overflow in backward: tensor {}, layer {}, rank {} ({}), shard {}", p.name, p.layer,
                                bad->rank, host, bad->shard)};
  }
  for (const Parameter* p : parameters) {
    const std::int64_t count = statistics_[p->index].nonfinite;
    if (count == 0) continue;
    return {.where = "sum",
            .tensor = p->name,
            .layer = p->layer,
            .text = fmt::format(
                "overflow in the sum: tensor {}, layer {}: every leaf was finite, {} elements of their sum are "
                "not",
                p->name, p->layer, count)};
  }
  throw InvalidArgument("a step was skipped for no reason");
}

}  // namespace mpdist::train
