// SPDX-License-Identifier: Apache-2.0
#include "comm/nccl/nccl_communicator.hpp"

#include <array>
#include <map>
#include <thread>

#include "comm/nccl/check.hpp"
#include "comm/tree_schedule.hpp"
#include "kernels/add.hpp"
#include "src/core/copy.hpp"
#include "src/core/cuda.hpp"
#include "src/core/log.hpp"
#include "src/core/unwinding.hpp"

namespace mpdist::comm {
namespace {

constexpr std::array kNcclTypes{std::pair{DType::fp32, ncclFloat32}, std::pair{DType::fp16, ncclFloat16},
                                std::pair{DType::bf16, ncclBfloat16}};

ncclDataType_t nccl_type(DType wire) {
  for (const auto& [type, nccl] : kNcclTypes) {
    if (type == wire) return nccl;
  }
  throw InvalidArgument(fmt::format("NCCL: no wire type {}", name_of(wire)));
}

/// A group of calls that is ended even where one of them throws: NCCL is not to be left in the middle of one.
class Group {
 public:
  explicit Group(ncclComm_t comm) : comm_(comm) { MPDIST_NCCL(ncclGroupStart()); }
  ~Group() {
    if (!ended_ && ncclGroupEnd() != ncclSuccess) log::warn("ncclGroupEnd failed");
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  void end() {
    ended_ = true;
    check_nccl(ncclGroupEnd(), "ncclGroupEnd", comm_);
  }

 private:
  ncclComm_t comm_;
  bool ended_ = false;
};

/// Private to the rank: a result lies in its own part, and the streams order who writes when.
class DeviceBuffer final : public SharedBuffer {
 public:
  DeviceBuffer(std::size_t bytes, Stream& stream)
      : memory_(Shape{static_cast<std::int64_t>(bytes)}, DType::uint8, MemoryKind::gradients, stream.pool()) {
    fill_zero(stream, memory_);
    stream.synchronize();
  }
  std::byte* local() const override { return static_cast<std::byte*>(memory_.raw()); }
  std::size_t bytes() const override { return memory_.bytes(); }
  bool shared() const override { return false; }
  void release() override {}
  void acquire() override {}

 private:
  Tensor memory_;
};

/// NCCL would hang or fail with a text of its own.
void refuse_shared_gpus(Communicator& host) {
  const std::vector<std::string> buses = host.all_gather_text(cuda::bus_id(cuda::device_in_use()));
  for (int second = 1; second < host.size(); ++second) {
    for (int first = 0; first < second; ++first) {
      const auto a = static_cast<std::size_t>(first), b = static_cast<std::size_t>(second);
      if (host.hosts()[a] != host.hosts()[b] || buses[a] != buses[b]) continue;
      throw collective(
          UsageError(fmt::format("ranks {} and {} share GPU {} of {}: expected a GPU for each rank; start no more "
                                 "ranks there than it has GPUs",
                                 first, second, buses[a], host.hosts()[a])));
    }
  }
}

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(Communicator& host, const NcclOptions& options);
  ~NcclCommunicator() override;

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  const std::string& name() const override { return name_; }
  const std::vector<int>& nodes() const override { return host_.nodes(); }
  const std::vector<std::string>& hosts() const override { return host_.hosts(); }

  void barrier() override { host_.barrier(); }
  void broadcast(std::span<std::byte> bytes, int root) override { host_.broadcast(bytes, root); }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override { host_.all_gather(mine, all); }
  std::vector<std::string> all_gather_text(const std::string& mine) override { return host_.all_gather_text(mine); }
  void merge_lanes(std::span<std::int64_t> lanes, std::size_t minimum_lanes) override {
    host_.merge_lanes(lanes, minimum_lanes);
  }

  Stream& stream() override { return stream_; }
  void wait(const Event& event) override;
  std::unique_ptr<SharedBuffer> allocate_shared(std::size_t bytes) override {
    return std::make_unique<DeviceBuffer>(bytes, stream_);
  }
  const std::byte* tree_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count, DType wire,
                                   Delivery delivery) override;
  const std::byte* library_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count,
                                      DType wire) override;
  std::unique_ptr<Communicator> duplicate() override { return nullptr; }
  std::int64_t bytes_sent() const override { return bytes_sent_; }

 private:
  cudaStream_t handle() const { return static_cast<cudaStream_t>(stream_.handle()); }
  const TreeSchedule& schedule_of(std::int64_t count);
  std::byte* scratch(std::size_t bytes);
  void exchange(const Round& round, std::byte* array, std::byte* scratch, DType wire);
  void throw_if_failed() const;

  Communicator& host_;
  NcclOptions options_;
  std::string name_ = "nccl";
  Stream stream_{Pool::cuda()};
  Tensor scratch_;
  std::map<std::int64_t, TreeSchedule> schedules_;  ///< by count: that of each bucket
  std::int64_t bytes_sent_ = 0;
  ncclComm_t comm_ = nullptr;  ///< null with one rank
  UnwindingCheck unwinding_;
};

NcclCommunicator::NcclCommunicator(Communicator& host, const NcclOptions& options) : host_(host), options_(options) {
  refuse_shared_gpus(host);
  if (size() == 1) return;
  ncclUniqueId id{};
  if (rank() == 0) MPDIST_NCCL(ncclGetUniqueId(&id));
  host_.broadcast(std::as_writable_bytes(std::span(&id, 1)), 0);
  MPDIST_NCCL(ncclCommInitRank(&comm_, size(), id, rank()));
}

/// While an exception unwinds the other ranks are elsewhere: what is under way is stopped, so that nothing waits for
/// it.
NcclCommunicator::~NcclCommunicator() {
  if (comm_ == nullptr) return;
  if (unwinding_.unwinding()) {
    if (ncclCommAbort(comm_) != ncclSuccess) log::warn("ncclCommAbort failed");
    return;
  }
  try {
    stream_.synchronize();
  } catch (const Error& error) {
    log::warn("{}", error.what());
  }
  if (ncclCommDestroy(comm_) != ncclSuccess) log::warn("ncclCommDestroy failed");
}

void NcclCommunicator::throw_if_failed() const {
  if (comm_ == nullptr) return;
  ncclResult_t state = ncclSuccess;
  MPDIST_NCCL(ncclCommGetAsyncError(comm_, &state));
  if (state != ncclInProgress) check_nccl(state, "an exchange under way", comm_);
}

/// A kernel of NCCL whose peer is gone never ends, so its error is asked for as well.
void NcclCommunicator::wait(const Event& event) {
  while (!event.happened()) {
    throw_if_failed();
    std::this_thread::yield();
  }
  throw_if_failed();
}

const TreeSchedule& NcclCommunicator::schedule_of(std::int64_t count) {
  const auto [found, added] = schedules_.try_emplace(count);
  if (added) {
    const bool direct = size() <= options_.most_direct_ranks;
    found->second = (direct ? direct_schedule : halving_schedule)(size(), rank(), count);
  }
  return found->second;
}

/// Grows in the first step only.
std::byte* NcclCommunicator::scratch(std::size_t bytes) {
  if (bytes > 0 && (!scratch_ || scratch_.bytes() < bytes)) {
    Event used(stream_.device());
    used.record(stream_);
    wait(used);
    scratch_ = Tensor();
    scratch_ = Tensor(Shape{static_cast<std::int64_t>(bytes)}, DType::uint8, MemoryKind::workspace, stream_.pool());
  }
  return static_cast<std::byte*>(scratch_.raw());
}

const std::byte* NcclCommunicator::tree_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count,
                                                   DType wire, Delivery) {
  require_range(buffer, begin, count, wire);
  const TreeSchedule& schedule = schedule_of(count);
  std::byte* array = buffer.local() + begin * static_cast<std::int64_t>(size_of(wire));
  std::byte* held = scratch(static_cast<std::size_t>(schedule.scratch) * size_of(wire));
  for (const Round& round : schedule.rounds) exchange(round, array, held, wire);
  return buffer.local();
}

void NcclCommunicator::exchange(const Round& round, std::byte* array, std::byte* scratch, DType wire) {
  const auto at = [&](Place place) {
    return (place.scratch ? scratch : array) + place.offset * static_cast<std::int64_t>(size_of(wire));
  };
  const auto view = [&](Place place, std::int64_t count) {
    return Tensor(at(place), Shape{count}, wire, stream_.device());
  };
  const ncclDataType_t type = nccl_type(wire);
  Group group(comm_);
  for (const Message& m : round.sends) {
    MPDIST_NCCL(ncclSend(at(m.place), static_cast<std::size_t>(m.count), type, m.peer, comm_, handle()));
    bytes_sent_ += m.count * static_cast<std::int64_t>(size_of(wire));
  }
  for (const Message& m : round.receives) {
    MPDIST_NCCL(ncclRecv(at(m.place), static_cast<std::size_t>(m.count), type, m.peer, comm_, handle()));
  }
  group.end();
  for (const PlacedSum& sum : round.sums) {
    kernels::add(
        stream_,
        {.left = view(sum.left, sum.count), .right = view(sum.right, sum.count), .out = view(sum.out, sum.count)});
  }
}

const std::byte* NcclCommunicator::library_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count,
                                                      DType wire) {
  require_range(buffer, begin, count, wire);
  if (comm_ == nullptr || count == 0) return buffer.local();
  std::byte* data = buffer.local() + begin * static_cast<std::int64_t>(size_of(wire));
  MPDIST_NCCL(ncclAllReduce(data, data, static_cast<std::size_t>(count), nccl_type(wire), ncclSum, comm_, handle()));
  bytes_sent_ += count * static_cast<std::int64_t>(size_of(wire));
  return buffer.local();
}

}  // namespace

std::unique_ptr<Communicator> make_nccl(Communicator& host, const NcclOptions& options) {
  return std::make_unique<NcclCommunicator>(host, options);
}

}  // namespace mpdist::comm
