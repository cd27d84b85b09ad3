// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/nccl/launch.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/nccl/failure.hpp"
#include "tests/software_gpu/nccl/reduce.hpp"

namespace software_gpu::nccl {
namespace {

/// At the head of each piece of shared memory; the data follow.
struct Header {
  int kind, type, op, root;
  std::uint64_t count;
  std::atomic<int> readers;  ///< who have not read it yet; the last one removes it
};
constexpr std::size_t kDataOffset = 64;
static_assert(sizeof(Header) <= kDataOffset);

/// A call with its place in the order of its kind.
struct Placed {
  Call call;
  std::uint64_t number = 0;
};

struct Pending {
  ncclComm& communicator;
  std::vector<Placed> calls;
  bool fails = false;

  void show(Operation& operation) const;
  bool is_ready() const;
  void finish(Operation& operation) const;

 private:
  void publish(Operation& operation, const Placed& placed) const;
  void receive(Operation& operation, const Placed& placed) const;
  void collect(Operation& operation, const Placed& placed) const;
  void leave_undefined(Operation& operation, const Call& call) const;
  std::string part_name(const Placed& placed, int from, int to) const;
};

/// Elements that one rank puts where others read them.
std::size_t elements_shown(const Call& call, int ranks) {
  return call.kind == Kind::reduce_scatter ? call.count * static_cast<std::size_t>(ranks) : call.count;
}

std::string describe(const Header& header) {
  static const char* const kNames[] = {"ncclSend",      "ncclRecv",      "ncclAllReduce",
                                       "ncclAllGather", "ncclBroadcast", "ncclReduceScatter"};
  return std::string(kNames[header.kind]) + " of " + std::to_string(header.count) + " " +
         name_of(static_cast<ncclDataType_t>(header.type)) +
         (header.root >= 0 ? " from " + std::to_string(header.root) : "") +
         (header.op > 0 ? " by operation " + std::to_string(header.op) : "");
}

bool alike(const Header& a, const Header& b) {
  return a.kind == b.kind && a.type == b.type && a.op == b.op && a.root == b.root && a.count == b.count;
}

/// What this rank shows of a collective, or expects of a message; the kind of both ends of a message is `send`.
void fill(Header& header, const Call& call, int readers) {
  header.kind = static_cast<int>(call.is_message() ? Kind::send : call.kind);
  header.type = call.type;
  header.op = call.op;
  header.root = call.kind == Kind::broadcast ? call.peer : -1;
  header.count = call.count;
  header.readers = readers;
}

/// A part that some rank has shown, opened to be read; the last reader removes it.
class Part {
 public:
  explicit Part(std::string name) : name_(std::move(name)), mapping_(Mapping::open(name_)) {}
  ~Part() {
    if (--header().readers == 0) remove(name_);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  Header& header() const { return *reinterpret_cast<Header*>(mapping_.data()); }
  const std::byte* data() const { return mapping_.data() + kDataOffset; }

 private:
  std::string name_;
  Mapping mapping_;
};

/// By a message (from, to) or a collective (to -1).
std::string Pending::part_name(const Placed& placed, int from, int to) const {
  return communicator.name + "." + std::to_string(from) + "." + std::to_string(to) + "." +
         std::to_string(placed.number);
}

void Pending::publish(Operation& operation, const Placed& placed) const {
  const Call& call = placed.call;
  const bool message = call.is_message();
  const bool shows = call.kind != Kind::broadcast || call.peer == communicator.rank;
  const std::size_t bytes = shows ? elements_shown(call, communicator.size) * bytes_of(call.type) : 0;
  const Mapping part =
      Mapping::create(part_name(placed, communicator.rank, message ? call.peer : -1), kDataOffset + bytes);
  fill(*reinterpret_cast<Header*>(part.data()), call, message ? 1 : communicator.size);
  if (bytes > 0) std::memcpy(part.data() + kDataOffset, operation.read(call.from, bytes), bytes);
}

void Pending::show(Operation& operation) const {
  if (fails) communicator.failed = true;
  if (communicator.failed || communicator.aborted) return;
  Meeting& meeting = communicator.meeting();
  for (const Placed& placed : calls) {
    const int rank = communicator.rank, peer = placed.call.peer;
    if (placed.call.kind == Kind::receive) {
      meeting.awaited[peer][rank] = placed.number;
      continue;
    }
    publish(operation, placed);
    (placed.call.kind == Kind::send ? meeting.sent[rank][peer] : meeting.published[rank]) = placed.number;
  }
}

bool Pending::is_ready() const {
  if (communicator.aborted) return true;
  if (communicator.failed) return false;
  const Meeting& meeting = communicator.meeting();
  return std::all_of(calls.begin(), calls.end(), [&](const Placed& placed) {
    const int rank = communicator.rank, peer = placed.call.peer;
    if (placed.call.kind == Kind::send) return meeting.awaited[rank][peer] >= placed.number;
    if (placed.call.kind == Kind::receive) return meeting.sent[peer][rank] >= placed.number;
    return std::all_of(meeting.published, meeting.published + communicator.size,
                       [&](const Counter& published) { return published >= placed.number; });
  });
}

void Pending::receive(Operation& operation, const Placed& placed) const {
  const Call& call = placed.call;
  const Part part(part_name(placed, call.peer, communicator.rank));
  Header expected;
  fill(expected, call, 0);
  if (!alike(part.header(), expected)) {
    report("collective-mismatch", "rank " + std::to_string(call.peer) + " sends " + describe(part.header()) +
                                      ", rank " + std::to_string(communicator.rank) + " receives " +
                                      std::to_string(call.count) + " " + name_of(call.type));
    return;
  }
  const std::size_t bytes = call.count * bytes_of(call.type);
  if (bytes > 0) std::memcpy(operation.write(call.to, bytes), part.data(), bytes);
}

void Pending::collect(Operation& operation, const Placed& placed) const {
  const Call& call = placed.call;
  const auto ranks = static_cast<std::size_t>(communicator.size);
  std::vector<std::unique_ptr<Part>> parts;
  std::vector<const std::byte*> data;
  Header expected;
  fill(expected, call, 0);
  bool same = true;
  for (int rank = 0; rank < communicator.size; ++rank) {
    parts.push_back(std::make_unique<Part>(part_name(placed, rank, -1)));
    data.push_back(parts.back()->data());
    if (!same || alike(parts.back()->header(), expected)) continue;
    same = false;
    report("collective-mismatch", "call " + std::to_string(placed.number) + ": rank " +
                                      std::to_string(communicator.rank) + " calls " + describe(expected) + ", rank " +
                                      std::to_string(rank) + " " + describe(parts.back()->header()));
  }
  const std::size_t bytes = call.count * bytes_of(call.type);
  if (!same || bytes == 0) return;
  std::byte* const to = operation.write(call.to, call.kind == Kind::all_gather ? bytes * ranks : bytes);
  if (call.kind == Kind::broadcast) {
    std::memcpy(to, data[static_cast<std::size_t>(call.peer)], bytes);
  } else if (call.kind == Kind::all_gather) {
    for (std::size_t rank = 0; rank < ranks; ++rank) std::memcpy(to + rank * bytes, data[rank], bytes);
  } else {
    const std::size_t first =
        call.kind == Kind::reduce_scatter ? call.count * static_cast<std::size_t>(communicator.rank) : 0;
    reduce(call.type, call.op, data, first, call.count, to);
  }
}

/// After an abort nobody can say what has arrived, but the buffers count as written.
void Pending::leave_undefined(Operation& operation, const Call& call) const {
  const std::size_t parts = call.kind == Kind::all_gather ? static_cast<std::size_t>(communicator.size) : 1;
  const std::size_t bytes = call.kind == Kind::send ? 0 : parts * call.count * bytes_of(call.type);
  if (bytes > 0) operation.write(call.to, bytes);
}

void Pending::finish(Operation& operation) const {
  for (const Placed& placed : calls) {
    if (communicator.aborted) {
      leave_undefined(operation, placed.call);
      continue;
    }
    if (placed.call.kind == Kind::receive) receive(operation, placed);
    if (!placed.call.is_message()) collect(operation, placed);
  }
}

std::uint64_t next_number(ncclComm& communicator, const Call& call) {
  const auto peer = static_cast<std::size_t>(std::max(call.peer, 0));
  if (call.kind == Kind::send) return ++communicator.sends[peer];
  if (call.kind == Kind::receive) return ++communicator.receives[peer];
  return ++communicator.collectives;
}

}  // namespace

std::string Call::name() const {
  Header header;
  fill(header, *this, 0);
  if (kind == Kind::send) return "ncclSend to " + std::to_string(peer);
  if (kind == Kind::receive) return "ncclRecv from " + std::to_string(peer);
  return describe(header);
}

ncclResult_t enqueue(Launch launch) {
  ncclComm& communicator = *launch.communicator;
  const Failure failure = failure_of(++communicator.launches, communicator.rank);
  if (failure == Failure::direct) return ncclSystemError;
  auto pending = std::make_shared<Pending>(Pending{communicator, {}, failure == Failure::asynchronous});
  std::string name = launch.calls.front().name();
  if (launch.calls.size() > 1) name += " and " + std::to_string(launch.calls.size() - 1) + " more";
  for (Call& call : launch.calls) pending->calls.push_back({call, next_number(communicator, call)});
  const auto now = [] { return true; };
  submit(
      launch.stream, name + " (begin)", [pending](Operation& o) { pending->show(o); }, now);
  communicator.last = submit(
      launch.stream, name, [pending](Operation& o) { pending->finish(o); }, [pending] { return pending->is_ready(); });
  return ncclSuccess;
}

}  // namespace software_gpu::nccl
