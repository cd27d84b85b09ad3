// SPDX-License-Identifier: Apache-2.0
#include "comm/mpi/mpi_communicator.hpp"

#include <algorithm>
#include <numeric>

#include "comm/mpi/environment.hpp"
#include "comm/mpi/reduction_ops.hpp"
#include "comm/mpi/tree_exchange.hpp"
#include "src/core/log.hpp"

namespace mpdist::comm {
namespace {

MpiGroup duplicate_of(MPI_Comm comm) {
  MPI_Comm copy = MPI_COMM_NULL;
  MPDIST_MPI(MPI_Comm_dup(comm, &copy));
  return MpiGroup(copy);
}

std::vector<int> one_rank_a_node(int ranks) {
  std::vector<int> nodes(ranks);
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(MPI_Comm comm, const MpiOptions& options)
      : options_(options),
        world_(duplicate_of(comm)),
        topology_(world_, options),
        window_exchange_(world_, topology_.nodes),
        message_exchange_(world_, one_rank_a_node(world_.size())) {}

  int rank() const override { return world_.rank(); }
  int size() const override { return world_.size(); }
  const std::string& name() const override { return name_; }
  const std::vector<int>& nodes() const override { return topology_.nodes; }
  const std::vector<std::string>& hosts() const override { return topology_.hosts; }

  void barrier() override { MPDIST_MPI(MPI_Barrier(world_.get())); }
  void broadcast(std::span<std::byte> bytes, int root) override;
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  std::vector<std::string> all_gather_text(const std::string& mine) override;
  void merge_lanes(std::span<std::int64_t> lanes, std::size_t minimum_lanes) override {
    ops_.merge_lanes(world_.get(), lanes, minimum_lanes);
    count_sent(lanes.size_bytes());
  }

  Stream& stream() override { return stream_; }
  std::unique_ptr<SharedBuffer> allocate_shared(std::size_t bytes) override;
  const std::byte* tree_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count, DType wire,
                                   Delivery delivery) override;
  const std::byte* library_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count,
                                      DType wire) override;
  std::unique_ptr<Communicator> duplicate() override {
    if (!Environment::threads()) return nullptr;
    return std::make_unique<MpiCommunicator>(world_.get(), options_);
  }
  std::int64_t bytes_sent() const override { return bytes_sent_; }

 private:
  void count_sent(std::size_t bytes) { bytes_sent_ += size() > 1 ? static_cast<std::int64_t>(bytes) : 0; }
  /// Whole cache lines of elements that make one piece.
  std::int64_t piece_elements(DType wire) const {
    return std::max<std::int64_t>(1, options_.piece_bytes / static_cast<std::int64_t>(64 * size_of(wire))) * 64;
  }

  MpiOptions options_;
  std::string name_ = "mpi";
  MpiGroup world_;
  Topology topology_;
  ReductionOps ops_;
  TreeExchange window_exchange_, message_exchange_;
  Stream stream_;
  std::int64_t bytes_sent_ = 0;
  bool fallback_announced_ = false;
};

void MpiCommunicator::broadcast(std::span<std::byte> bytes, int root) {
  require(root >= 0 && root < size(), "broadcast: root {} of {} ranks", root, size());
  const auto piece = static_cast<std::size_t>(options_.piece_bytes);
  for (std::size_t begin = 0; begin < bytes.size(); begin += piece) {
    const auto count = static_cast<int>(std::min(piece, bytes.size() - begin));
    MPDIST_MPI(MPI_Bcast(bytes.data() + begin, count, MPI_BYTE, root, world_.get()));
  }
  if (rank() == root) count_sent(bytes.size());
}

/// In pieces of a type that is as long as a piece and lies as far apart as the parts do: no count and no displacement
/// depends on the length.
void MpiCommunicator::all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
  require(all.size() == mine.size() * static_cast<std::size_t>(size()), "all_gather: {} bytes from {} ranks into {}",
          mine.size(), size(), all.size());
  const auto piece = static_cast<std::size_t>(options_.piece_bytes);
  for (std::size_t begin = 0; begin < mine.size(); begin += piece) {
    const auto count = static_cast<int>(std::min(piece, mine.size() - begin));
    MPI_Datatype run = MPI_DATATYPE_NULL, spaced = MPI_DATATYPE_NULL;
    MPDIST_MPI(MPI_Type_contiguous(count, MPI_BYTE, &run));
    MPDIST_MPI(MPI_Type_create_resized(run, 0, static_cast<MPI_Aint>(mine.size()), &spaced));
    MPDIST_MPI(MPI_Type_commit(&spaced));
    MPDIST_MPI(MPI_Allgather(mine.data() + begin, count, MPI_BYTE, all.data() + begin, 1, spaced, world_.get()));
    MPDIST_MPI(MPI_Type_free(&spaced));
    MPDIST_MPI(MPI_Type_free(&run));
  }
  count_sent(mine.size());
}

/// Lengths first, then every text filled up to the longest.
std::vector<std::string> MpiCommunicator::all_gather_text(const std::string& mine) {
  std::vector<std::int64_t> lengths(size());
  const auto length = static_cast<std::int64_t>(mine.size());
  all_gather(std::as_bytes(std::span(&length, 1)), std::as_writable_bytes(std::span(lengths)));
  const auto longest = static_cast<std::size_t>(*std::max_element(lengths.begin(), lengths.end()));
  std::string padded = mine;
  padded.resize(longest);
  std::string all(longest * size(), '\0');
  all_gather(std::as_bytes(std::span(padded)), std::as_writable_bytes(std::span(all)));
  std::vector<std::string> texts;
  for (int i = 0; i < size(); ++i) texts.push_back(all.substr(i * longest, static_cast<std::size_t>(lengths[i])));
  return texts;
}

std::unique_ptr<SharedBuffer> MpiCommunicator::allocate_shared(std::size_t bytes) {
  auto window = std::make_unique<NodeWindow>(world_, topology_, bytes, options_.shared_memory_limit);
  if (!window->in_window() && !fallback_announced_) {
    log::info("/dev/shm has no room for {} bytes a rank: gradients are exchanged by messages, which is slower", bytes);
    fallback_announced_ = true;
  }
  return window;
}

const std::byte* MpiCommunicator::tree_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count,
                                                  DType wire, Delivery delivery) {
  require_range(buffer, begin, count, wire);
  auto& window = dynamic_cast<NodeWindow&>(buffer);
  TreeExchange& exchange = window.in_window() ? window_exchange_ : message_exchange_;
  const std::int64_t piece = piece_elements(wire);
  for (std::int64_t done = 0; done < count; done += piece) {
    bytes_sent_ += exchange.run(window, {begin + done, std::min(piece, count - done), wire}, delivery);
  }
  return delivery == Delivery::in_place ? window.result() : window.local();
}

const std::byte* MpiCommunicator::library_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count,
                                                     DType wire) {
  require_range(buffer, begin, count, wire);
  const std::int64_t piece = piece_elements(wire);
  for (std::int64_t done = 0; done < count; done += piece) {
    std::byte* data = buffer.local() + (begin + done) * static_cast<std::int64_t>(size_of(wire));
    MPDIST_MPI(MPI_Allreduce(MPI_IN_PLACE, data, static_cast<int>(std::min(piece, count - done)), ops_.type(wire),
                             ops_.sum(wire), world_.get()));
  }
  count_sent(static_cast<std::size_t>(count) * size_of(wire));
  return buffer.local();
}

}  // namespace

std::unique_ptr<Communicator> make_mpi(const MpiOptions& options) {
  require(Environment::active(), "make_mpi: no Environment lives");
  return std::make_unique<MpiCommunicator>(MPI_COMM_WORLD, options);
}

}  // namespace mpdist::comm
