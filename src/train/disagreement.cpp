// SPDX-License-Identifier: Apache-2.0
#include "src/train/disagreement.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

#include "kernels/digest.hpp"
#include "src/core/copy.hpp"
#include "src/core/host_array.hpp"

namespace mpdist::train {
namespace {

/// Values of all ranks, in rank order.
template <class T>
std::vector<T> gather(comm::Communicator& communicator, const std::vector<T>& mine) {
  std::vector<T> all(mine.size() * communicator.size());
  communicator.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
  return all;
}

struct Parties {
  std::vector<int> minority;  ///< or, with a tie, every rank
  bool tie = false;
  int witness = 0;  ///< a rank of the majority (the first rank, with a tie)
};

Parties split(const std::vector<std::uint64_t>& values) {
  std::map<std::uint64_t, int> votes;
  for (std::uint64_t value : values) ++votes[value];
  const auto most = std::max_element(votes.begin(), votes.end(), [](auto& a, auto& b) { return a.second < b.second; });
  const auto with_most = std::count_if(votes.begin(), votes.end(), [&](auto& v) { return v.second == most->second; });
  Parties parties{.tie = with_most > 1};
  for (int rank = static_cast<int>(values.size()) - 1; rank >= 0; --rank) {
    if (parties.tie || values[rank] != most->first) parties.minority.insert(parties.minority.begin(), rank);
    if (parties.tie || values[rank] == most->first) parties.witness = rank;
  }
  return parties;
}

std::string describe(const comm::Communicator& communicator, const Parties& parties) {
  std::string text;
  for (int rank : parties.minority) {
    text += fmt::format("{}rank {} ({})", text.empty() ? "" : ", ", rank, communicator.hosts()[rank]);
  }
  return text + (parties.tie ? " (a tie: any of them may be wrong)" : "");
}

std::string value_text(const std::byte* data, DType type) {
  double value = 0;
  with_compute_type(type, [&]<class T>(T) {
    T element;
    std::memcpy(&element, data, sizeof element);
    value = static_cast<double>(to_float(element));
  });
  return fmt::format("{:.9g}", value);
}

/// "first differing element 17: rank 1 has 0.5, rank 0 has 0.25"
std::string first_difference(comm::Communicator& communicator, const Stream& stream, const Tensor& tensor,
                             const Parties& parties) {
  const Tensor mine = to_host(stream, tensor, MemoryKind::workspace);
  const std::size_t bytes = mine.bytes(), size = size_of(mine.dtype());
  std::vector<std::byte> all(bytes * communicator.size());
  communicator.all_gather({static_cast<const std::byte*>(mine.raw()), bytes}, all);
  const std::byte* reference = all.data() + bytes * parties.witness;
  for (std::size_t place = 0; place < bytes; place += size) {
    for (int rank : parties.minority) {
      const std::byte* other = all.data() + bytes * rank;
      if (std::memcmp(reference + place, other + place, size) == 0) continue;
      return fmt::format("first differing element {}: rank {} has {}, rank {} has {}", place / size, rank,
                         value_text(other + place, mine.dtype()), parties.witness,
                         value_text(reference + place, mine.dtype()));
    }
  }
  return "the elements agree again";
}

}  // namespace

std::uint64_t digest_of(Stream& stream, const Tensor& flat) {
  const HostValue<std::uint64_t> digest(stream);
  if (flat) kernels::digest(stream, {.tensor = flat, .digest = digest.data()});
  stream.synchronize();
  return *digest;
}

void throw_disagreement(comm::Communicator& communicator, Stream& stream, const SharedState& mine,
                        const std::string& found_by) {
  const std::string advice =
      "; the run ends here: restart from the last checkpoint, without that host if it happens again";
  for (const auto& [name, value] : mine.scalars) {
    const std::vector<std::uint64_t> values = gather<std::uint64_t>(communicator, {value});
    if (std::all_of(values.begin(), values.end(), [&](std::uint64_t v) { return v == values[0]; })) continue;
    const Parties parties = split(values);
    throw collective(Disagreement(fmt::format("ranks disagree ({}): {}: {} has {}, rank {} has {}{}", found_by, name,
                                              describe(communicator, parties), values[parties.minority.back()],
                                              parties.witness, values[parties.witness], advice)));
  }
  std::vector<std::uint64_t> digests;
  digests.reserve(mine.tensors.size());
  for (const checkpoint::NamedTensor& tensor : mine.tensors) digests.push_back(digest_of(stream, tensor.values));
  const std::vector<std::uint64_t> all = gather(communicator, digests);
  for (std::size_t i = 0; i < mine.tensors.size(); ++i) {
    std::vector<std::uint64_t> values;
    for (int rank = 0; rank < communicator.size(); ++rank) values.push_back(all[rank * digests.size() + i]);
    if (std::all_of(values.begin(), values.end(), [&](std::uint64_t v) { return v == values[0]; })) continue;
    const Parties parties = split(values);
    throw collective(Disagreement(fmt::format(
        "ranks disagree ({}): {} differs on {}; {}{}", found_by, mine.tensors[i].path, describe(communicator, parties),
        first_difference(communicator, stream, mine.tensors[i].values, parties), advice)));
  }
  throw collective(
      Disagreement(fmt::format("ranks disagreed ({}), but agree when asked again: memory or network corrupts "
                               "data{}",
                               found_by, advice)));
}

}  // namespace mpdist::train
