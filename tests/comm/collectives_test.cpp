// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "comm/factory.hpp"
#include "comm/mpi/mpi_communicator.hpp"
#include "tests/comm/backends.hpp"

namespace mpdist::comm {
namespace {

using Collectives = test::OverBackends;
MPDIST_OVER_BACKENDS(Collectives);

TEST_P(Collectives, RanksNodesAndHosts) {
  ASSERT_EQ(size(), test::ranks());
  ASSERT_GE(rank(), 0);
  ASSERT_LT(rank(), size());
  const std::vector<int>& nodes = communicator().nodes();
  ASSERT_EQ(static_cast<int>(nodes.size()), size());
  EXPECT_EQ(nodes[0], 0);
  for (int i = 1; i < size(); ++i) EXPECT_LE(nodes[i], *std::max_element(nodes.begin(), nodes.begin() + i) + 1);
  ASSERT_EQ(static_cast<int>(communicator().hosts().size()), size());
  EXPECT_FALSE(communicator().hosts()[0].empty());
}

TEST(Nodes, PretendedOnesArePlacedAsAsked) {
  for (int per_node : {1, 2, 3}) {
    const int groups = (test::ranks() + per_node - 1) / per_node;
    std::vector<int> runs, dealt;
    for (int rank = 0; rank < test::ranks(); ++rank) {
      runs.push_back(rank / per_node);
      dealt.push_back(rank % groups);
    }
    EXPECT_EQ(make_mpi({.ranks_per_node = per_node})->nodes(), runs);
    EXPECT_EQ(make_mpi({.ranks_per_node = per_node, .round_robin = true})->nodes(), dealt);
  }
}

TEST_P(Collectives, Broadcast) {
  for (int root = 0; root < size(); ++root) {
    std::vector<std::byte> bytes(1001);
    if (rank() == root) {
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + root);
    }
    communicator().broadcast(bytes, root);
    for (std::size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], static_cast<std::byte>(i * 7 + root)) << i;
  }
  EXPECT_THROW(communicator().broadcast({}, size()), InvalidArgument);
}

TEST_P(Collectives, AllGather) {
  for (std::size_t length : {0u, 1u, 299u, 1000u}) {
    std::vector<std::byte> mine(length, static_cast<std::byte>(rank() + 1));
    std::vector<std::byte> all(length * size());
    if (length > 0) mine[length - 1] = static_cast<std::byte>(100 + rank());
    communicator().all_gather(mine, all);
    for (int part = 0; part < size(); ++part) {
      for (std::size_t i = 0; i < length; ++i) {
        ASSERT_EQ(static_cast<int>(all[part * length + i]), i + 1 == length ? 100 + part : part + 1);
      }
    }
  }
  std::vector<std::byte> one(1), wrong(size() + 1);
  EXPECT_THROW(communicator().all_gather(one, wrong), InvalidArgument);
}

TEST_P(Collectives, AllGatherTextOfUnequalLengths) {
  const auto text_of = [](int i) {
    return i == 1 ? std::string() : std::string(400 * i + 1, static_cast<char>('a' + i));
  };
  const std::vector<std::string> all = communicator().all_gather_text(text_of(rank()));
  ASSERT_EQ(static_cast<int>(all.size()), size());
  for (int i = 0; i < size(); ++i) EXPECT_EQ(all[i], text_of(i));
}

TEST_P(Collectives, MergeLanesTakesMinimumThenSum) {
  for (std::size_t lanes : {1u, 4u, 30u, 4u}) {
    for (std::size_t minimum_lanes : {std::size_t{0}, lanes / 2, lanes}) {
      std::vector<std::int64_t> values(lanes);
      for (std::size_t i = 0; i < lanes; ++i)
        values[i] = (rank() % 2 ? -1 : 1) * static_cast<std::int64_t>(rank() * 10 + i);
      std::vector<std::int64_t> expected(lanes);
      for (std::size_t i = 0; i < lanes; ++i) {
        for (int r = 0; r < size(); ++r) {
          const std::int64_t value = (r % 2 ? -1 : 1) * static_cast<std::int64_t>(r * 10 + i);
          expected[i] = r == 0 ? value : i < minimum_lanes ? std::min(expected[i], value) : expected[i] + value;
        }
      }
      communicator().merge_lanes(values, minimum_lanes);
      EXPECT_EQ(values, expected) << lanes << " lanes, " << minimum_lanes << " minimum";
    }
  }
  std::vector<std::int64_t> one(1);
  EXPECT_THROW(communicator().merge_lanes(one, 2), InvalidArgument);
}

TEST_P(Collectives, DuplicateHasItsOwnMessages) {
  const auto copy = communicator().duplicate();
  ASSERT_EQ(copy == nullptr, GetParam().on_gpu);  // a GPU has streams instead of threads
  if (copy == nullptr) return;
  EXPECT_EQ(copy->rank(), rank());
  EXPECT_EQ(copy->nodes(), communicator().nodes());
  EXPECT_EQ(copy->all_gather_text("x").size(), static_cast<std::size_t>(size()));
}

TEST_P(Collectives, BarrierHoldsBackTheFast) {
  // One monotonic clock for the whole machine: nobody may leave before the last one has come.
  const auto now = [] { return std::chrono::steady_clock::now().time_since_epoch().count(); };
  if (rank() == size() - 1) usleep(20000);
  std::int64_t last_arrival = -now();
  communicator().barrier();
  const std::int64_t left = now();
  communicator().merge_lanes(std::span(&last_arrival, 1), 1);
  EXPECT_GE(left, -last_arrival);
}

TEST(Factory, MakesEveryBackendByName) {
  for (const std::string& name : backends()) EXPECT_EQ(make_communicator(name)->name(), name);
  EXPECT_EQ(make_communicator()->name(), "mpi");
  EXPECT_EQ(make_communicator("self")->size(), 1);
  EXPECT_THROW(make_communicator("tcp"), UsageError);
}

TEST(Factory, LocalRanksCountTheRanksOfOneHost) {
  const auto all = make_communicator("mpi");  // the tests run on one machine
  EXPECT_EQ(local_rank(*all), all->rank());
  EXPECT_EQ(local_rank(*make_communicator("self")), 0);
}

TEST(Factory, SpareCpusAreTheSameOnAllRanks) {
  const auto all = make_communicator("mpi");
  EXPECT_FALSE(has_spare_cpus(*all, 1 << 20));
  std::int64_t lanes[] = {has_spare_cpus(*all, 0), -static_cast<std::int64_t>(has_spare_cpus(*all, 0))};
  const std::int64_t mine = lanes[0];
  all->merge_lanes(lanes, 2);
  EXPECT_EQ(lanes[0], mine);
  EXPECT_EQ(lanes[1], -mine);
}

}  // namespace
}  // namespace mpdist::comm
