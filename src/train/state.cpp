// SPDX-License-Identifier: Apache-2.0
#include "src/train/state.hpp"

#include <set>
#include <span>

#include "kernels/cast.hpp"
#include "src/core/copy.hpp"
#include "src/models/registry.hpp"
#include "src/train/name_patterns.hpp"
#include "src/train/registry.hpp"

namespace mpdist::train {
namespace {

/// 64-bit values keep all their bits as signed integers in the file.
std::int64_t as_signed(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

const std::int64_t& integer(const checkpoint::Checkpoint& checkpoint, const std::string& name,
                            const std::string& file) {
  const auto found = checkpoint.integers.find(name);
  if (found == checkpoint.integers.end()) throw FormatError(file, name, "is missing; not a checkpoint of this version");
  return found->second;
}

}  // namespace

std::vector<checkpoint::NamedTensor> parameter_views(const ParameterStore& store, const std::string& folder,
                                                     const Tensor& flat) {
  std::vector<checkpoint::NamedTensor> views;
  for (const Parameter* p : store.parameters()) {
    if (p->offset >= flat.elements()) continue;  // frozen: gradients and slots end before
    views.push_back({folder + "/" + p->name, ParameterStore::slice(flat, *p)});
  }
  return views;
}

std::vector<checkpoint::NamedTensor> state_tensors(const TrainingState& state) {
  std::vector<checkpoint::NamedTensor> all = parameter_views(state.store, "master", state.store.master());
  const auto append = [&](const std::string& folder, const Tensor& flat) {
    for (checkpoint::NamedTensor& view : parameter_views(state.store, folder, flat)) all.push_back(std::move(view));
  };
  for (const optim::Slot& slot : state.optimizer->slots()) append("optimizer/" + slot.name, slot.values);
  if (state.ema) append("ema", state.ema->average());
  for (const Statistic& s : state.store.statistics_layout()) {
    all.push_back({"statistics/" + s.name, ParameterStore::slice(state.store.statistics(), s)});
  }
  return all;
}

TrainingState::TrainingState(const Config& config, Shape image, std::int64_t classes, Stream& stream) {
  model = entry_named(models::models(), config.model.name).make(*config.model.options, store, image, classes);
  freeze(config.freeze, store);
  const DType operands = config.precision.policy().operation_type(precision::OperationClass::matmul);
  // Activations follow this type: nn::Pass::activation.
  store.finalize(operands, static_cast<std::uint64_t>(config.run.seed), stream.pool());
  check_groups(config.optimizer.common, store);
  optimizer = entry_named(optim::optimizers(), config.optimizer.optimizer.name)
                  .make(*config.optimizer.optimizer.options, config.optimizer.common, store);
  if (config.optimizer.common.ema_decay > 0) ema.emplace(store, config.optimizer.common.ema_decay);
  scaler = precision::LossScaler(config.precision.scaler_options());
  refresh_working(stream);
}

void TrainingState::refresh_working(Stream& stream) const {
  if (store.compute_type() == DType::fp32) return;
  kernels::cast(stream, {.source = store.master(), .destination = store.working(), .saturate = true});
}

checkpoint::Checkpoint to_checkpoint(const TrainingState& state, const Config& config, const RunFacts& facts) {
  checkpoint::Checkpoint result{.tensors = state_tensors(state)};
  const precision::LossScalerState& scaler = state.scaler.state();
  const std::int64_t cursor = state.attempted * config.batch.global;
  result.reals = {{"scaler/scale", scaler.scale}};
  result.integers = {{"scaler/tracker", scaler.tracker},
                     {"scaler/allowance", scaler.allowance},
                     {"scaler/hopeless_skips", scaler.hopeless_skips},
                     {"schedule/step", state.step},
                     {"data/epoch", cursor / facts.samples},
                     {"data/cursor", cursor},
                     {"data/permutation_key", config.run.seed},
                     {"data/digest", as_signed(facts.data_digest)},
                     {"random/seed", config.run.seed},
                     {"random/attempted", state.attempted},
                     {"run/step", state.step},
                     {"run/attempted", state.attempted},
                     {"run/skipped", state.skipped},
                     {"run/shards", config.batch.shards},
                     {"run/ranks", facts.ranks},
                     {"run/threads_per_rank", config.run.threads_per_rank}};
  result.texts = {{"run/config", facts.config_text},
                  {"run/versions", facts.versions},
                  {"schedule/name", config.schedule.name},
                  {"random/generator", "philox4x32-10"}};
  return result;
}

void from_checkpoint(TrainingState& state, const checkpoint::Checkpoint& checkpoint, const std::string& file,
                     Stream& stream) {
  std::map<std::string, Tensor> saved;
  for (const checkpoint::NamedTensor& tensor : checkpoint.tensors) saved[tensor.path] = tensor.values;
  for (const checkpoint::NamedTensor& mine : state_tensors(state)) {
    const auto found = saved.find(mine.path);
    if (found == saved.end())
      throw FormatError(file, mine.path, "is missing: the model or optimizer of this run has it");
    if (!(found->second.shape() == mine.values.shape())) {
      throw FormatError(file, mine.path,
                        fmt::format("shape {} expected, found {}", mine.values.shape().to_string(),
                                    found->second.shape().to_string()));
    }
    copy(stream, found->second, mine.values);
    saved.erase(found);
  }
  if (!saved.empty())
    throw FormatError(file, saved.begin()->first, "is not part of the model or optimizer of this run");
  const auto scale = checkpoint.reals.find("scaler/scale");
  if (scale == checkpoint.reals.end()) throw FormatError(file, "scaler/scale", "is missing");
  state.scaler.restore({.scale = scale->second,
                        .tracker = integer(checkpoint, "scaler/tracker", file),
                        .allowance = integer(checkpoint, "scaler/allowance", file),
                        .hopeless_skips = integer(checkpoint, "scaler/hopeless_skips", file)});
  state.step = integer(checkpoint, "run/step", file);
  state.attempted = integer(checkpoint, "run/attempted", file);
  state.skipped = integer(checkpoint, "run/skipped", file);
  state.refresh_working(stream);
  stream.synchronize();  // the checkpoint's tensors have been copied
}

void broadcast_state(TrainingState& state, comm::Communicator& communicator, Stream& stream) {
  precision::LossScalerState scaler = state.scaler.state();
  std::int64_t counters[] = {state.step, state.attempted, state.skipped};
  communicator.broadcast(std::as_writable_bytes(std::span(&scaler, 1)), 0);
  communicator.broadcast(std::as_writable_bytes(std::span(counters)), 0);
  state.scaler.restore(scaler);
  state.step = counters[0], state.attempted = counters[1], state.skipped = counters[2];
  for (const checkpoint::NamedTensor& tensor : state_tensors(state)) {
    const Tensor host = to_host(stream, tensor.values, MemoryKind::workspace);
    communicator.broadcast(std::as_writable_bytes(host.span<float>()), 0);
    copy(stream, host, tensor.values);
    stream.synchronize();
  }
  state.refresh_working(stream);
}

}  // namespace mpdist::train
