// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "comm/communicator.hpp"

namespace mpdist::comm {
namespace {

class PrivateBuffer final : public SharedBuffer {
 public:
  explicit PrivateBuffer(std::size_t bytes)
      : memory_(Shape{static_cast<std::int64_t>(bytes)}, DType::uint8, MemoryKind::gradients) {
    std::memset(memory_.raw(), 0, bytes);
  }
  std::byte* local() const override { return static_cast<std::byte*>(memory_.raw()); }
  std::size_t bytes() const override { return memory_.bytes(); }
  bool shared() const override { return false; }
  void release() override {}
  void acquire() override {}

 private:
  Tensor memory_;
};

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// One rank: sums are what is there already, everything else is a copy or nothing.
class SelfCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  const std::string& name() const override { return name_; }
  const std::vector<int>& nodes() const override { return nodes_; }
  const std::vector<std::string>& hosts() const override { return hosts_; }

  void barrier() override {}
  void broadcast(std::span<std::byte>, int root) override { require(root == 0, "broadcast: root {} of 1 rank", root); }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    require(mine.size() == all.size(), "all_gather: {} bytes from 1 rank into {}", mine.size(), all.size());
    std::copy(mine.begin(), mine.end(), all.begin());
  }
  std::vector<std::string> all_gather_text(const std::string& mine) override { return {mine}; }
  void merge_lanes(std::span<std::int64_t> lanes, std::size_t minimum_lanes) override {
    require(minimum_lanes <= lanes.size(), "merge_lanes: {} minimum lanes of {}", minimum_lanes, lanes.size());
  }
  Stream& stream() override { return stream_; }
  std::unique_ptr<SharedBuffer> allocate_shared(std::size_t bytes) override {
    return std::make_unique<PrivateBuffer>(bytes);
  }
  const std::byte* tree_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count, DType wire,
                                   Delivery) override {
    require_range(buffer, begin, count, wire);
    return buffer.local();
  }
  const std::byte* library_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count,
                                      DType wire) override {
    require_range(buffer, begin, count, wire);
    return buffer.local();
  }
  std::unique_ptr<Communicator> duplicate() override { return make_self(); }
  std::int64_t bytes_sent() const override { return 0; }

 private:
  std::string name_ = "self";
  std::vector<int> nodes_{0};
  std::vector<std::string> hosts_{host_name()};
  Stream stream_;
};

}  // namespace

std::unique_ptr<Communicator> make_self() {
  return std::make_unique<SelfCommunicator>();
}

}  // namespace mpdist::comm
