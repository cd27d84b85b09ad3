// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/stream.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::comm {

/// Ranks can no longer exchange: a link, another rank or the library below gave up. Trying again may help: exit 75.
struct ExchangeError : Error {
  explicit ExchangeError(const std::string& message) : Error(ExitCode::retry, message) {}
};

/// Memory that the ranks of one node may read and write in place, or private memory where they cannot share. Zero at
/// first.
///
/// A result that is read in place lies in one rank's part, which that rank will write again: so whoever has read the
/// result says release(), and whoever is about to write its own part again says acquire() first. Neither is a barrier:
/// release() never waits, and acquire() waits only on the rank whose part was read, until the others of its node have
/// released. Destroyed collectively (while an exception unwinds it is left to the end of the process, since the others
/// will not come).
class SharedBuffer {
 public:
  virtual ~SharedBuffer() = default;
  virtual std::byte* local() const = 0;  ///< this rank's part, 64-byte aligned
  virtual std::size_t bytes() const = 0;
  virtual bool shared() const = 0;  ///< whether other ranks of the node see it
  virtual void release() = 0;       ///< this rank has read the last result; once per result
  virtual void acquire() = 0;       ///< returns when this rank may write its part again
};

/// Where a reduced array is to be read.
enum class Delivery : unsigned char {
  in_place,    ///< wherever it lies in the node's window: nothing is copied
  every_rank,  ///< in each rank's own part
};

/// What every backend can do: one process group and its collectives. Every call is collective over all ranks, in the
/// same order on each, and blocks until this rank's part is complete; but the all-reduces on a GPU are enqueued on
/// stream(). Errors throw LibraryError, or ExchangeError where trying again may help.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual const std::string& name() const = 0;        ///< "self", "mpi", "nccl"
  virtual const std::vector<int>& nodes() const = 0;  ///< [size] node number of each rank, numbered by first rank
  virtual const std::vector<std::string>& hosts() const = 0;  ///< [size] host name of each rank

  virtual void barrier() = 0;
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  /// `all` holds size() parts of `mine.size()` bytes in rank order; every rank passes the same size.
  virtual void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  /// Strings of any length, in rank order, on every rank.
  virtual std::vector<std::string> all_gather_text(const std::string& mine) = 0;
  /// One collective for the verdict: the first `minimum_lanes` lanes become their minimum over ranks, the rest their
  /// sum.
  virtual void merge_lanes(std::span<std::int64_t> lanes, std::size_t minimum_lanes) = 0;

  /// What the all-reduces are ordered on; its device is where their memory lies. On the CPU they have finished when
  /// they return. On a GPU this stream waits for the event of whoever wrote the buffer, and whoever reads the result
  /// waits for an event recorded on this stream.
  virtual Stream& stream() = 0;
  /// Returns when `event` has happened. Throws ExchangeError as soon as an exchange is known to have failed: what comes
  /// after it never happens.
  virtual void wait(const Event& event) { event.synchronize(); }

  /// Collective. Memory for gradients: on the CPU in a node-wide shared window where it fits, else private (one line in
  /// the log).
  virtual std::unique_ptr<SharedBuffer> allocate_shared(std::size_t bytes) = 0;

  /// Sum over ranks of elements [begin, begin+count) of the array (element type `wire`) at the start of each rank's
  /// part, on the reduction tree: rank values are the leaves in rank order, a node of n leaves splits into the largest
  /// power of two below n and the rest, each node is left + right in FP32 rounded to `wire`. The bits do not depend on
  /// where ranks run. Returns the array (its element 0) in which this rank reads the result: its own part, or with
  /// Delivery::in_place perhaps another rank's, then valid until this rank's release(). The same array for all calls on
  /// one buffer.
  virtual const std::byte* tree_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count, DType wire,
                                           Delivery delivery) = 0;
  /// The library's own sum (MPI_Allreduce, ncclAllReduce): reproducible only at equal size(). In place in this rank's
  /// part.
  virtual const std::byte* library_all_reduce(SharedBuffer& buffer, std::int64_t begin, std::int64_t count,
                                              DType wire) = 0;

  /// Collective. The same ranks and nodes once more, for the use of one other thread; null where the backend may not be
  /// called by two threads.
  virtual std::unique_ptr<Communicator> duplicate() = 0;

  /// Bytes this rank has handed to other ranks since the start: messages, and what others read in its part of a window.
  virtual std::int64_t bytes_sent() const = 0;
};

/// Throws InvalidArgument unless [begin, begin+count) of a compute type lies in the buffer: what every backend asks
/// first.
void require_range(const SharedBuffer& buffer, std::int64_t begin, std::int64_t count, DType wire);

/// The one-rank group.
std::unique_ptr<Communicator> make_self();

}  // namespace mpdist::comm
