// SPDX-License-Identifier: Apache-2.0
#include "src/train/initial_weights.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "src/checkpoint/folder.hpp"
#include "src/core/copy.hpp"
#include "src/core/error.hpp"
#include "src/core/log.hpp"
#include "src/core/name_pattern.hpp"
#include "src/train/agreement.hpp"

namespace mpdist::train {
namespace {

const std::string kFolders[] = {"master/", "statistics/"};

/// The name in the store of a tensor that a new run may take; empty for optimizer slots and averages.
std::string name_of(const std::string& path) {
  for (const std::string& folder : kFolders) {
    if (path.starts_with(folder)) return path.substr(folder.size());
  }
  return {};
}

/// The first of `names` and how many more there are.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 4;
  const std::size_t shown = std::min(names.size(), kShown);
  const std::string more = names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "";
  return fmt::format("{}{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "), more);
}

/// Remembers which patterns matched something.
class Skip {
 public:
  explicit Skip(const std::vector<std::string>& patterns) : patterns_(patterns), used_(patterns.size()) {}
  bool matches(const std::string& name) {
    bool any = false;
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      if (matches_pattern(patterns_[i], name)) any = used_[i] = true;
    }
    return any;
  }
  void refuse_unused() const {
    const auto unused = std::find(used_.begin(), used_.end(), false);
    if (unused == used_.end()) return;
    throw UsageError(fmt::format("model.init_skip: '{}' matches no parameter of the model or of the checkpoint",
                                 patterns_[static_cast<std::size_t>(unused - used_.begin())]));
  }

 private:
  const std::vector<std::string>& patterns_;
  std::vector<bool> used_;
};

/// Why the checkpoint does not fit the model; empty when it does.
struct Misfit {
  std::vector<std::string> missing, extra, shapes;
  void refuse(const std::string& path) const {
    std::vector<std::string> parts;
    if (!missing.empty()) parts.push_back("it lacks " + some_of(missing));
    if (!extra.empty()) parts.push_back("the model lacks " + some_of(extra));
    if (!shapes.empty()) parts.push_back("other shapes: " + some_of(shapes));
    if (parts.empty()) return;
    throw UsageError(
        fmt::format("model.init = \"{}\" does not fit the model: {}; patterns in model.init_skip leave "
                    "tensors out, as init_skip = [\"fc*\"]",
                    path, fmt::join(parts, "; ")));
  }
};

}  // namespace

std::string InitialWeights::text() const {
  return fmt::format("{} (step {}): {} tensors{}", path, step, taken,
                     fresh.empty() ? "" : fmt::format(", fresh: {}", some_of(fresh)));
}

bool starts_from_init(const Config& config) {
  const std::string& resume = config.checkpoint.resume;
  if (config.init.checkpoint.empty() || (resume != "auto" && resume != "never")) return false;
  return !checkpoint::latest(config.run.output_directory() + "/checkpoints");
}

InitialWeights read_initial_weights(TrainingState& state, const Config& config, Stream& stream) {
  const std::string& path = config.init.checkpoint;
  if (!std::filesystem::is_regular_file(path))
    throw UsageError(fmt::format("model.init = \"{}\": expected a checkpoint (step_*.h5), found no such file", path));
  const checkpoint::Checkpoint checkpoint = checkpoint::read(path);
  std::map<std::string, Tensor> saved;
  for (const checkpoint::NamedTensor& tensor : checkpoint.tensors) {
    if (!name_of(tensor.path).empty()) saved[tensor.path] = tensor.values;
  }
  InitialWeights result{.path = path};
  Skip skip(config.init.skip);
  Misfit misfit;
  for (const checkpoint::NamedTensor& mine : state_tensors(state)) {
    const std::string name = name_of(mine.path);
    if (name.empty()) continue;
    const auto found = saved.find(mine.path);
    const Tensor values = found == saved.end() ? Tensor() : found->second;
    if (found != saved.end()) saved.erase(found);
    if (skip.matches(name)) {
      result.fresh.push_back(name);
    } else if (!values) {
      misfit.missing.push_back(name);
    } else if (!(values.shape() == mine.values.shape())) {
      misfit.shapes.push_back(
          fmt::format("{} is {}, expected {}", name, values.shape().to_string(), mine.values.shape().to_string()));
    } else {
      copy(stream, values, mine.values);
      ++result.taken;
    }
  }
  for (const auto& [extra, values] : saved) {
    if (!skip.matches(name_of(extra))) misfit.extra.push_back(name_of(extra));
  }
  misfit.refuse(path);
  skip.refuse_unused();
  if (state.ema) {  // it covers all parameters, those that are frozen too
    copy(stream, state.store.master(), state.ema->average());
  }
  state.refresh_working(stream);
  stream.synchronize();  // the checkpoint's tensors have been copied
  const auto step = checkpoint.integers.find("run/step");
  if (step != checkpoint.integers.end()) result.step = step->second;
  return result;
}

void take_initial_weights(TrainingState& state, const Config& config, comm::Communicator& communicator,
                          Stream& stream) {
  if (config.init.checkpoint.empty()) return;
  std::int64_t taken = 0;
  together(communicator, [&] {
    if (communicator.rank() != 0 || !starts_from_init(config)) return;
    const InitialWeights weights = read_initial_weights(state, config, stream);
    log::info("weights from {}", weights.text());
    taken = 1;
  });
  communicator.broadcast(std::as_writable_bytes(std::span(&taken, 1)), 0);
  if (taken != 0) broadcast_state(state, communicator, stream);
}

}  // namespace mpdist::train
