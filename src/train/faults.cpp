// SPDX-License-Identifier: Apache-2.0
#include "src/train/faults.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <map>
#include <sstream>

#include "src/core/copy.hpp"

namespace mpdist::train {
namespace {

struct Word {
  const char* name;
  Fault::Kind kind;
  const char* target;  ///< key of the target, null when there is none
};
constexpr Word kWords[] = {{"overflow", Fault::Kind::overflow, "tensor"},
                           {"nan-activation", Fault::Kind::nan_activation, "layer"},
                           {"drop-gradient", Fault::Kind::drop_gradient, nullptr},
                           {"flip-weight", Fault::Kind::flip_weight, "tensor"}};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

[[noreturn]] void refuse(const std::string& text, const std::string& problem) {
  throw UsageError(
      fmt::format("MPDIST_FAULT: \"{}\": {}; expected KIND:step=N:rank=N[:shard=N][:tensor=NAME|layer=NAME] with "
                  "KIND overflow, nan-activation, drop-gradient or flip-weight",
                  text, problem));
}

std::int64_t number(const std::string& text, const std::string& key, const std::string& value) {
  std::int64_t result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size() || result < 0) {
    refuse(text, fmt::format("{} must be a number from 0, found \"{}\"", key, value));
  }
  return result;
}

Fault parse_fault(const std::string& text) {
  const std::vector<std::string> parts = split(text, ':');
  const auto word = std::find_if(std::begin(kWords), std::end(kWords),
                                 [&](const Word& w) { return !parts.empty() && parts[0] == w.name; });
  if (word == std::end(kWords)) refuse(text, fmt::format("unknown fault \"{}\"", parts.empty() ? "" : parts[0]));
  std::map<std::string, std::string> keys;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto equals = parts[i].find('=');
    if (equals == std::string::npos) refuse(text, fmt::format("\"{}\" is not KEY=VALUE", parts[i]));
    const std::string key = parts[i].substr(0, equals);
    const bool known = key == "step" || key == "rank" || key == "shard" || (word->target && key == word->target);
    if (!known) refuse(text, fmt::format("unknown key \"{}\" for {}", key, word->name));
    keys[key] = parts[i].substr(equals + 1);
  }
  for (const char* key : {"step", "rank", word->target}) {
    if (key && !keys.count(key)) refuse(text, fmt::format("{} is missing", key));
  }
  return {.kind = word->kind,
          .step = number(text, "step", keys["step"]),
          .rank = number(text, "rank", keys["rank"]),
          .shard = keys.count("shard") ? number(text, "shard", keys["shard"]) : -1,
          .target = word->target ? keys[word->target] : ""};
}

/// Changes the first element of a tensor on the stream's device; it has been changed on return.
template <class T, class F>
void change_first(const Stream& stream, const Tensor& tensor, F change) {
  const Tensor first = tensor.reshaped({tensor.elements()}).rows(0, 1);
  const Tensor host = to_host(stream, first, MemoryKind::workspace);
  *host.data<T>() = change(*host.data<T>());
  copy(stream, host, first);
  stream.synchronize();
}

}  // namespace

std::vector<Fault> parse_faults(const std::string& text) {
  std::vector<Fault> faults;
  for (const std::string& part : split(text, ',')) faults.push_back(parse_fault(part));
  return faults;
}

void check_faults(const std::vector<Fault>& faults, const ParameterStore& store, int ranks) {
  for (const Fault& fault : faults) {
    if (fault.rank >= ranks) throw UsageError(fmt::format("MPDIST_FAULT: rank {} of {} ranks", fault.rank, ranks));
    const auto& all = store.parameters();
    const bool layer = fault.kind == Fault::Kind::nan_activation;
    const bool known = fault.target.empty() || std::any_of(all.begin(), all.end(), [&](const Parameter* p) {
                         return (layer ? p->layer : p->name) == fault.target;
                       });
    const Parameter* tensor = fault.kind == Fault::Kind::overflow ? store.find(fault.target) : nullptr;
    if (tensor && tensor->frozen) {
      throw UsageError(
          fmt::format("MPDIST_FAULT: tensor {} is frozen (model.freeze): it has no gradient", tensor->name));
    }
    if (known) continue;
    std::string names;
    for (const Parameter* p : all) {
      const std::string& name = layer ? p->layer : p->name;
      if (names.find(name) == std::string::npos) names += (names.empty() ? "" : ", ") + name;
    }
    throw UsageError(fmt::format("MPDIST_FAULT: the model has no {} \"{}\"; it has {}", layer ? "layer" : "tensor",
                                 fault.target, names));
  }
}

FaultPlan::FaultPlan(std::vector<Fault> faults, int rank, Stream& stream) : stream_(stream) {
  std::copy_if(faults.begin(), faults.end(), std::back_inserter(faults_),
               [&](const Fault& f) { return f.rank == rank; });
}

bool FaultPlan::strikes(const Fault& fault, Fault::Kind kind) const {
  return fault.kind == kind && fault.step == attempted_ && (fault.shard < 0 || fault.shard == shard_);
}

void FaultPlan::activation(const std::string& layer, const char*, const Tensor& value) {
  for (const Fault& fault : faults_) {
    if (!strikes(fault, Fault::Kind::nan_activation) || fault.target != layer || value.elements() == 0) continue;
    with_compute_type(value.dtype(), [&]<class T>(T) {
      change_first<T>(stream_, value, [](T) { return from_float<T>(std::numeric_limits<float>::quiet_NaN()); });
    });
  }
}

void FaultPlan::parameter_gradient(const Parameter& parameter, const Tensor& gradient) const {
  for (const Fault& fault : faults_) {
    if (strikes(fault, Fault::Kind::drop_gradient)) fill_zero(stream_, gradient);
    if (strikes(fault, Fault::Kind::overflow) && fault.target == parameter.name) {
      change_first<float>(stream_, gradient, [](float) { return std::numeric_limits<float>::infinity(); });
    }
  }
}

void FaultPlan::masters(std::int64_t attempted, ParameterStore& store) const {
  for (const Fault& fault : faults_) {
    if (fault.kind != Fault::Kind::flip_weight || fault.step != attempted) continue;
    change_first<float>(stream_, store.master(*store.find(fault.target)),
                        [](float value) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ 1); });
  }
}

}  // namespace mpdist::train
