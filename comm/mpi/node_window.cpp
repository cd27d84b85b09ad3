// SPDX-License-Identifier: Apache-2.0
#include "comm/mpi/node_window.hpp"

#include <immintrin.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>
#include <limits>

#include "src/core/log.hpp"

namespace mpdist::comm {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uintptr_t kAlignment = 128;
constexpr std::int64_t kSlack = 1 << 20;  // MPI keeps its own state beside each window

#ifdef MADV_POPULATE_WRITE
constexpr int kPopulateWrite = MADV_POPULATE_WRITE;
#else
constexpr int kPopulateWrite = 23;  // since Linux 5.14; older kernels answer EINVAL
#endif

std::int64_t free_shared_memory() {
  struct statvfs status {};
  if (statvfs("/dev/shm", &status) != 0) return std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(status.f_bavail) * static_cast<std::int64_t>(status.f_frsize);
}

/// Takes the pages now, zeroed. Touching a page of a full tmpfs kills the process by SIGBUS; the kernel call says no
/// instead.
bool populate(std::byte* begin, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t first = address / kPage * kPage;
  if (madvise(reinterpret_cast<void*>(first), address + bytes - first, kPopulateWrite) != 0 && errno != EINVAL)
    return false;
  std::memset(begin, 0, bytes);
  return true;
}

bool on_all(MPI_Comm comm, bool mine) {
  int yes = mine ? 1 : 0;
  MPDIST_MPI(MPI_Allreduce(MPI_IN_PLACE, &yes, 1, MPI_INT, MPI_MIN, comm));
  return yes != 0;
}

std::byte* aligned(std::byte* pointer) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  return pointer + ((address + kAlignment - 1) / kAlignment * kAlignment - address);
}

}  // namespace

NodeWindow::NodeWindow(const MpiGroup& world, const Topology& topology, std::size_t bytes,
                       std::int64_t shared_memory_limit)
    : topology_(topology), bytes_(bytes), crosses_nodes_(topology.node.size() < world.size()) {
  reserve(world, shared_memory_limit);
  if (in_window()) {
    Pool::host().count_external(static_cast<std::int64_t>(bytes_), MemoryKind::gradients);
    return;
  }
  private_memory_ = Tensor(Shape{static_cast<std::int64_t>(bytes)}, DType::uint8, MemoryKind::gradients);
  std::memset(private_memory_.raw(), 0, bytes);
  parts_ = {static_cast<std::byte*>(private_memory_.raw())};
}

NodeWindow::~NodeWindow() {
  if (in_window()) Pool::host().count_external(-static_cast<std::int64_t>(bytes_), MemoryKind::gradients);
  if (!unwinding_.unwinding()) free_window();
}

/// All ranks decide alike: one machine without room means private memory everywhere, since a rank's node must mean the
/// same to all.
void NodeWindow::reserve(const MpiGroup& world, std::int64_t shared_memory_limit) {
  const std::size_t part_bytes = (sizeof(NodeFlags) + bytes_ + kAlignment + kPage - 1) / kPage * kPage;
  std::int64_t needed = static_cast<std::int64_t>(part_bytes);
  MPDIST_MPI(MPI_Allreduce(MPI_IN_PLACE, &needed, 1, MPI_INT64_T, MPI_SUM, topology_.host.get()));
  const std::int64_t room = shared_memory_limit >= 0 ? shared_memory_limit : free_shared_memory() - kSlack;
  bool fits = on_all(world.get(), needed <= room);
  fits = fits && on_all(world.get(), map_window(part_bytes));
  if (!fits) free_window();
}

bool NodeWindow::map_window(std::size_t part_bytes) {
  std::byte* base = nullptr;
  const MpiGroup& node = topology_.node;
  if (MPI_Win_allocate_shared(static_cast<MPI_Aint>(part_bytes), 1, MPI_INFO_NULL, node.get(), &base, &window_) !=
      MPI_SUCCESS) {
    window_ = MPI_WIN_NULL;
    return false;
  }
  rank_ = node.rank();
  for (int rank = 0; rank < node.size(); ++rank) {
    MPI_Aint size = 0;
    int unit = 0;
    MPDIST_MPI(MPI_Win_shared_query(window_, rank, &size, &unit, &base));
    std::byte* start = aligned(base);
    flags_.push_back(reinterpret_cast<NodeFlags*>(start));
    parts_.push_back(start + sizeof(NodeFlags));
  }
  return populate(reinterpret_cast<std::byte*>(flags_[rank_]), sizeof(NodeFlags) + bytes_);
}

void NodeWindow::free_window() {
  if (window_ != MPI_WIN_NULL && MPI_Win_free(&window_) != MPI_SUCCESS) log::warn("MPI_Win_free failed");
  window_ = MPI_WIN_NULL;
  parts_.clear();
  flags_.clear();
  rank_ = 0;
}

void NodeWindow::barrier() {
  if (!shared()) return;
  ++barriers_;
  flags_[rank_]->arrived.store(barriers_, std::memory_order_release);
  for (const NodeFlags* flags : flags_) wait(flags->arrived, barriers_);
}

void NodeWindow::publish() {
  if (shared() && rank_ == 0) flags_[0]->results.store(++results_, std::memory_order_release);
}

void NodeWindow::release() {
  if (shared()) {
    flags_[rank_]->released.store(flags_[0]->results.load(std::memory_order_acquire), std::memory_order_release);
  }
}

void NodeWindow::acquire() {
  if (!shared() || rank_ != 0) return;
  for (const NodeFlags* flags : flags_) wait(flags->released, results_);
}

/// Measured on two cores: a short spin beats yielding at once where every rank has a CPU; where ranks share CPUs every
/// spin is taken from the rank that is waited for.
void NodeWindow::wait(const std::atomic<std::uint32_t>& flag, std::uint32_t value) const {
  const int spins = topology_.crowded ? 20 : 2000;
  for (int turn = 0; static_cast<std::int32_t>(flag.load(std::memory_order_acquire) - value) < 0; ++turn) {
    if (turn < spins) {
      _mm_pause();
      continue;
    }
    // MPI moves messages only while it is called, and the rank waited for may be waiting for ours.
    int ready = 0;
    if (crosses_nodes_ && turn % 64 == 0) {
      MPDIST_MPI(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, topology_.node.get(), &ready, MPI_STATUS_IGNORE));
    }
    sched_yield();
  }
}

}  // namespace mpdist::comm
