// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>

#include "comm/mpi/mpi_communicator.hpp"
#include "tests/comm/backends.hpp"

namespace mpdist::comm {
namespace {

using Buffers = test::OverBackends;
MPDIST_OVER_BACKENDS(Buffers);

TEST_P(Buffers, StartZeroAlignedAndPrivateToTheRank) {
  for (std::size_t bytes : {0u, 1u, 4096u, 100001u}) {
    const auto buffer = communicator().allocate_shared(bytes);
    EXPECT_EQ(buffer->bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->local()) % 64, 0u);
    const auto holds = [&](int value) {
      const auto found = test::read<std::uint8_t>(communicator(), buffer->local(), static_cast<std::int64_t>(bytes));
      return std::all_of(found.begin(), found.end(), [&](std::uint8_t byte) { return byte == value; });
    };
    EXPECT_TRUE(holds(0));
    communicator().barrier();
    test::write(communicator(), buffer->local(), std::vector(bytes, static_cast<std::uint8_t>(rank() + 1)));
    communicator().barrier();
    EXPECT_TRUE(holds(rank() + 1));
  }
}

TEST_P(Buffers, ResultReadInPlaceSurvivesAFastRank) {
  // Rank 0 of a node holds the result and is back at once; the others read late. Without acquire() waiting for
  // release(), rank 0's next values would show up in what they read.
  constexpr std::int64_t count = 4096;
  const auto buffer = communicator().allocate_shared(count * sizeof(float));
  for (int step = 1; step <= 5; ++step) {
    buffer->acquire();
    test::write(communicator(), buffer->local(), std::vector(count, static_cast<float>(step)));
    const std::byte* where = communicator().tree_all_reduce(*buffer, 0, count, DType::fp32, Delivery::in_place);
    if (where != buffer->local()) usleep(10000);
    const std::vector<float> result = test::read<float>(communicator(), where, count);
    const auto expected = static_cast<float>(step * size());
    ASSERT_EQ(std::count(result.begin(), result.end(), expected), count) << "step " << step;
    buffer->release();
  }
}

TEST(SharedMemory, IsSharedWithinANode) {
  const auto all = make_mpi();
  EXPECT_EQ(all->allocate_shared(1000)->shared(), all->size() > 1);
}

TEST(SharedMemory, TooLittleMeansMessagesAndOneLine) {
  const auto all = make_mpi({.shared_memory_limit = 1 << 20});
  ::testing::internal::CaptureStderr();
  const auto large = all->allocate_shared(2 << 20);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_FALSE(large->shared());
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), all->rank() == 0 ? 1 : 0) << log;
  const auto small = all->allocate_shared(1000);
  EXPECT_EQ(small->shared(), all->size() > 1);
  for (SharedBuffer* buffer : {large.get(), small.get()}) {
    *reinterpret_cast<float*>(buffer->local()) = 1;
    const auto* sum =
        reinterpret_cast<const float*>(all->tree_all_reduce(*buffer, 0, 1, DType::fp32, Delivery::every_rank));
    EXPECT_EQ(*sum, static_cast<float>(all->size()));
  }
}

}  // namespace
}  // namespace mpdist::comm
