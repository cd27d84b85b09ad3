// SPDX-License-Identifier: Apache-2.0
#include "src/train/metrics.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "src/checkpoint/temporary_file.hpp"
#include "src/core/error.hpp"

namespace mpdist::train {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}
Json text(const std::string& value) {
  return value.empty() ? Json(nullptr) : Json(value);
}
Json known(std::int64_t value) {
  return value >= 0 ? Json(value) : Json(nullptr);
}

template <class Record>
Json event(const char* name, const Record& record) {
  return {{"event", name}, {"step", record.step}, {"attempted", record.attempted}};
}

/// Names of people's files and hosts may hold bytes that are no UTF-8; they must not end a run.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

[[noreturn]] void fail(const std::string& path) {
  throw Error(ExitCode::retry,
              fmt::format("{}: cannot write: {}; make room or choose another run.output, then start again", path,
                          std::strerror(errno)));
}

/// One tensor's range: shares, limits, and the counts from the lowest to the highest exponent that occurs.
Json range(const precision::TensorRange& tensor, const char* kind, const TelemetryRecord& record) {
  const precision::RangeSummary summary = precision::summarise(tensor.counts, record.loss_scale);
  Json json{{kind, tensor.name}};
  if (!tensor.operation.empty()) json["operation"] = tensor.operation;
  const auto exponent = [](std::optional<int> value, int less) { return value ? Json(*value - less) : Json(nullptr); };
  const auto wanted = precision::recommended_scale(summary, record.loss_scale, record.limits);
  json.update(Json{{"elements", summary.elements},
                   {"zero_percent", summary.zero_percent},
                   {"subnormal_percent", summary.subnormal_percent},
                   {"lost_at_scale_1_percent", summary.lost_at_scale_1_percent},
                   {"nonfinite", summary.nonfinite},
                   {"headroom_doublings", exponent(summary.headroom, 0)},
                   {"recommended_scale", wanted ? Json(*wanted) : Json(nullptr)},
                   {"lowest_exponent", exponent(summary.lowest, 0)},
                   {"lowest_exponent_unscaled", exponent(summary.lowest, std::ilogb(record.loss_scale))}});
  json["counts_per_exponent"] = Json::array();
  if (!summary.lowest) return json;
  for (int e = *summary.lowest; e <= *summary.highest; ++e) {
    json["counts_per_exponent"].push_back(
        tensor.counts.finite[static_cast<std::size_t>(e - kernels::ExponentCounts::kLowest)]);
  }
  return json;
}

bool belongs(const std::string& line, std::int64_t step, std::int64_t attempted) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return false;
  if (const auto found = json.find("attempted"); found != json.end() && found->is_number()) return *found <= attempted;
  const auto found = json.find("step");
  return found != json.end() && found->is_number() && *found <= step;
}

void append(const std::string& path, const std::string& lines) {
  std::ofstream file(path, std::ios::app | std::ios::binary);
  file << lines << std::flush;
  if (!file) fail(path);
}

}  // namespace

MetricsWriter::MetricsWriter(const std::string& directory)
    : path_(directory + "/metrics.jsonl"), lost_path_(directory + "/metrics.lost.jsonl") {
  open();
}

void MetricsWriter::open() {
  file_.open(path_, std::ios::app | std::ios::binary);
  if (!file_) fail(path_);
}

void MetricsWriter::cut_after(std::int64_t step, std::int64_t attempted) {
  file_.close();
  std::string kept, lost;
  std::ifstream in(path_, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    const bool torn = in.eof();  // no newline: the write of this line was cut off
    (!torn && belongs(line, step, attempted) ? kept : lost) += line + "\n";
  }
  in.close();
  if (!lost.empty()) {  // first the copy, then the cut: a kill in between loses nothing
    append(lost_path_, lost);
    checkpoint::replace_file(path_, kept);
  }
  open();
}

void MetricsWriter::write(const std::string& line) {
  file_ << line << '\n' << std::flush;
  if (!file_) fail(path_);
}

void MetricsWriter::start(const StartRecord& record) {
  Json json = event("start", record);
  json.update(Json{{"resumed_from", text(record.resumed_from)},
                   {"name", record.name},
                   {"compute", record.compute},
                   {"ranks", record.ranks},
                   {"nodes", record.nodes},
                   {"threads_per_rank", record.threads_per_rank},
                   {"global_batch", record.global_batch},
                   {"shards", record.shards},
                   {"parameters", record.parameters},
                   {"training_samples", record.training_samples},
                   {"evaluation_samples", record.evaluation_samples}});
  write(dump(json));
}

void MetricsWriter::step(const StepRecord& record) {
  Json json = event("step", record);
  json.update(Json{{"epoch", number(record.epoch)},
                   {"loss", number(record.loss)},
                   {"accuracy", number(record.accuracy)},
                   {"lr", number(record.lr)},
                   {"loss_scale", number(record.loss_scale)},
                   {"skipped", record.skipped},
                   {"saturated", record.saturated},
                   {"grad_norm", number(record.grad_norm)},
                   {"step_ms", number(record.step_ms)},
                   {"samples_per_s", number(record.samples_per_s)},
                   {"data_wait_fraction", number(record.data_wait_fraction)},
                   {"samples_per_rank", record.samples_per_rank},
                   {"bytes_sent_per_rank", record.bytes_sent_per_rank}});
  write(dump(json));
}

void MetricsWriter::overflow(const OverflowRecord& record) {
  Json json = event("overflow", record);
  json.update(Json{{"where", record.where},
                   {"tensor", text(record.tensor)},
                   {"layer", text(record.layer)},
                   {"rank", known(record.rank)},
                   {"host", text(record.host)},
                   {"shard", known(record.shard)},
                   {"loss_scale", number(record.loss_scale)},
                   {"next_loss_scale", number(record.next_loss_scale)},
                   {"diagnosis", record.diagnosis}});
  write(dump(json));
}

void MetricsWriter::telemetry(const TelemetryRecord& record) {
  Json json = event("telemetry", record);
  const kernels::ExponentCounts both =
      precision::total(record.activation_gradients, precision::total(record.gradients));
  const auto wanted =
      precision::recommended_scale(precision::summarise(both, record.loss_scale), record.loss_scale, record.limits);
  json.update(Json{{"loss_scale", number(record.loss_scale)},
                   {"recommended_scale", wanted ? Json(*wanted) : Json(nullptr)},
                   {"activation_gradient_type", record.compute},
                   {"gradient_type", record.wire},
                   {"gradients", Json::array()},
                   {"activation_gradients", Json::array()}});
  for (const auto& tensor : record.gradients) json["gradients"].push_back(range(tensor, "tensor", record));
  for (const auto& tensor : record.activation_gradients) {
    json["activation_gradients"].push_back(range(tensor, "layer", record));
  }
  write(dump(json));
}

void MetricsWriter::evaluate(const EvaluateRecord& record) {
  Json json = event("evaluate", record);
  json.update(Json{{"loss", number(record.loss)}, {"accuracy", number(record.accuracy)}, {"samples", record.samples}});
  write(dump(json));
}

void MetricsWriter::checkpoint(const CheckpointRecord& record) {
  Json json = event("checkpoint", record);
  json["path"] = record.path;
  write(dump(json));
}

void MetricsWriter::end(const EndRecord& record) {
  Json json = event("end", record);
  json.update(Json{{"skipped", record.skipped}, {"reason", record.reason}, {"wall_s", number(record.wall_s)}});
  json["peak_bytes"] = Json::object();
  for (const auto& [kind, bytes] : record.peak_bytes) json["peak_bytes"][std::string(name_of(kind))] = bytes;
  write(dump(json));
}

bool tells_of_end(const std::string& directory, std::int64_t step, std::int64_t attempted) {
  std::ifstream in(directory + "/metrics.jsonl", std::ios::binary);
  const Json wanted{{"event", "end"}, {"step", step}, {"attempted", attempted}, {"reason", "done"}};
  for (std::string line; std::getline(in, line);) {
    const Json json = Json::parse(line, nullptr, false);
    const auto has = [&](const auto& item) {
      return json.is_object() && json.contains(item.key()) && json[item.key()] == item.value();
    };
    const auto items = wanted.items();
    if (std::all_of(items.begin(), items.end(), has)) return true;
  }
  return false;
}

}  // namespace mpdist::train
