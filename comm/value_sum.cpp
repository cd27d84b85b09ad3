// SPDX-License-Identifier: Apache-2.0
#include "comm/value_sum.hpp"

#include <bit>
#include <cstring>

#include "kernels/add.hpp"

namespace mpdist::comm {

ValueSum::ValueSum(Communicator& communicator, std::int64_t local_shards)
    : communicator_(communicator),
      local_shards_(local_shards),
      levels_(static_cast<std::size_t>(std::countr_zero(static_cast<std::uint64_t>(local_shards))) + 1) {}

void ValueSum::add(std::int64_t local_shard, std::span<const float> values) {
  require(local_shard == added_ && added_ < local_shards_, "values: shard {} of {} expected, found {}", added_,
          local_shards_, local_shard);
  require(local_shard == 0 || values.size() == levels_[0].size(), "values: {} of each shard expected, found {}",
          levels_[0].size(), values.size());
  const auto carry = static_cast<std::size_t>(std::countr_one(static_cast<std::uint64_t>(local_shard)));
  std::vector<float>& target = levels_[carry];
  target.assign(values.begin(), values.end());
  const auto view = [](std::vector<float>& all) {
    return Tensor(all.data(), Shape{static_cast<std::int64_t>(all.size())}, DType::fp32);
  };
  for (std::size_t level = 0; level < carry; ++level) {
    kernels::add(stream_, {.left = view(levels_[level]), .right = view(target), .out = view(target)});
  }
  ++added_;
}

void ValueSum::reduce() {
  require(added_ == 0 || added_ == local_shards_, "values: {} of {} local shards came before reduce()", added_,
          local_shards_);
  reduced_.clear();
  if (added_ == 0) return;
  added_ = 0;
  const std::vector<float>& mine = levels_.back();
  const std::size_t bytes = mine.size() * sizeof(float);
  if (bytes == 0) return;
  if (!buffer_ || buffer_->bytes() < bytes) {
    buffer_.reset();
    buffer_ = communicator_.allocate_shared(bytes);
  }
  buffer_->acquire();
  std::memcpy(buffer_->local(), mine.data(), bytes);
  const std::byte* sum = communicator_.tree_all_reduce(*buffer_, 0, static_cast<std::int64_t>(mine.size()), DType::fp32,
                                                       Delivery::in_place);
  reduced_.resize(mine.size());
  std::memcpy(reduced_.data(), sum, bytes);
  buffer_->release();
}

}  // namespace mpdist::comm
