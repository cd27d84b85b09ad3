// SPDX-License-Identifier: Apache-2.0
#include "src/core/pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cstring>
#include <thread>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/stream.hpp"

namespace mpdist {
namespace {

std::int64_t now(const Pool& pool, MemoryKind kind) {
  return pool.use().now[static_cast<std::size_t>(kind)];
}
std::int64_t peak(const Pool& pool, MemoryKind kind) {
  return pool.use().peak[static_cast<std::size_t>(kind)];
}

TEST(Pool, CountsBytesAndPeaksByKind) {
  Pool pool;
  const BlockRef kept = pool.allocate(1000, MemoryKind::gradients);
  {
    const BlockRef first = pool.allocate(3000, MemoryKind::activations);
    const BlockRef second = pool.allocate(5000, MemoryKind::activations);
    EXPECT_EQ(now(pool, MemoryKind::activations), 8000);
  }
  { const BlockRef third = pool.allocate(6000, MemoryKind::activations); }
  EXPECT_EQ(now(pool, MemoryKind::activations), 0);
  EXPECT_EQ(peak(pool, MemoryKind::activations), 8000) << "as asked for, not as rounded";
  EXPECT_EQ(peak(pool, MemoryKind::gradients), 1000);
  pool.reset_peaks();
  EXPECT_EQ(peak(pool, MemoryKind::activations), 0);
  EXPECT_EQ(peak(pool, MemoryKind::gradients), 1000) << "still held";
}

TEST(Pool, ReusesABlockOfTheSameSizeClassForAnyKind) {
  Pool pool;
  void* data = pool.allocate(100000, MemoryKind::activations).get()->data;
  const BlockRef again = pool.allocate(99990, MemoryKind::workspace);
  EXPECT_EQ(again.get()->data, data);
  EXPECT_EQ(pool.use().system_allocations, 1);
  EXPECT_GE(pool.use().reserved, 100000);
  EXPECT_LE(pool.use().reserved, 112500) << "a class is at most an eighth larger";
}

TEST(Pool, TrimGivesBackWhatNobodyUses) {
  Pool pool;
  const BlockRef kept = pool.allocate(1 << 20, MemoryKind::parameters);
  { const BlockRef gone = pool.allocate(2 << 20, MemoryKind::activations); }
  EXPECT_EQ(pool.use().reserved, 3 << 20);
  pool.trim();
  EXPECT_EQ(pool.use().reserved, 1 << 20);
  EXPECT_EQ(now(pool, MemoryKind::parameters), 1 << 20);
  std::memset(kept.get()->data, 1, kept.get()->bytes);
  const BlockRef again = pool.allocate(2 << 20, MemoryKind::activations);
  EXPECT_EQ(pool.use().system_allocations, 3);
}

TEST(Pool, NeverHandsOutABlockInUse) {
  Pool pool;
  const BlockRef first = pool.allocate(4096, MemoryKind::data);
  BlockRef copy = first;
  { const BlockRef gone = std::move(copy); }
  const BlockRef second = pool.allocate(4096, MemoryKind::data);
  EXPECT_NE(first.get()->data, second.get()->data);
}

TEST(Pool, AlignsEverySize) {
  Pool pool;
  std::vector<BlockRef> held;
  for (std::size_t bytes : {0, 1, 511, 513, 1000, 4097, 1000003}) {
    held.push_back(pool.allocate(bytes, MemoryKind::data));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(held.back().get()->data) % 64, 0u) << bytes;
    EXPECT_GE(held.back().get()->size, bytes);
    std::memset(held.back().get()->data, 1, bytes);
  }
}

TEST(Pool, ASteadyLoopAsksTheSystemForNothing) {
  Pool pool;
  const auto step = [&pool] {
    std::vector<BlockRef> held;
    for (std::size_t i = 1; i <= 20; ++i) held.push_back(pool.allocate(i * 7777, MemoryKind::activations));
  };
  step();
  const std::int64_t before = pool.use().system_allocations;
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(pool.use().system_allocations, before);
}

/// Runs work(thread) in four threads that begin together.
template <class Work>
void in_four_threads(Work work) {
  std::barrier begin(4);
  std::vector<std::thread> threads;
  for (unsigned char thread = 1; thread <= 4; ++thread) {
    threads.emplace_back([&, thread] {
      begin.arrive_and_wait();
      work(thread);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Pool, ServesManyThreadsAtOnce) {
  Pool pool;
  std::atomic<int> overwritten = 0;
  in_four_threads([&](unsigned char mark) {
    for (std::size_t i = 0; i < 50000; ++i) {
      const std::size_t bytes = i % 2 == 0 ? 16 : 600;
      const BlockRef block = pool.allocate(bytes, MemoryKind::data);
      auto* data = static_cast<unsigned char*>(block.get()->data);
      std::memset(data, mark, 16);
      if (i % 64 == 0) std::this_thread::yield();
      for (std::size_t j = 0; j < 16; ++j) overwritten += data[j] != mark;
    }
  });
  EXPECT_EQ(overwritten, 0) << "two threads held the same block";
  EXPECT_EQ(now(pool, MemoryKind::data), 0);
  EXPECT_LE(peak(pool, MemoryKind::data), 4 * 600);
  EXPECT_LE(pool.use().system_allocations, 4 * 2);
}

TEST(Pool, ABlockMayBeSharedByManyThreads) {
  Pool pool;
  BlockRef shared = pool.allocate(100, MemoryKind::data);
  in_four_threads([&](unsigned char) {
    for (int i = 0; i < 1000000; ++i) const BlockRef copy = shared;
  });
  EXPECT_EQ(shared.get()->users, 1);
  EXPECT_EQ(now(pool, MemoryKind::data), 100);
  shared = BlockRef();
  EXPECT_EQ(now(pool, MemoryKind::data), 0);
}

#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // they end the program where the system would refuse
TEST(Pool, SaysWhatIsHeldWhenTheSystemHasNoMore) {
  Pool pool;
  const BlockRef held = pool.allocate(3 << 20, MemoryKind::optimizer);
  try {
    pool.allocate(std::size_t{1} << 60, MemoryKind::activations);
    FAIL() << "2^60 bytes were granted";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("activations"), std::string::npos) << text;
    EXPECT_NE(text.find("optimizer 3 MiB"), std::string::npos) << text;
    EXPECT_EQ(error.exit_code(), ExitCode::internal);
  }
}
#endif

TEST(Stream, WorkspaceGrowsAndIsKept) {
  Pool pool;
  Stream stream(pool);
  void* small = stream.workspace(100);
  EXPECT_EQ(stream.workspace(50), small);
  stream.workspace(100000);
  EXPECT_EQ(now(pool, MemoryKind::workspace), 100000) << "the smaller one was given back";
}

}  // namespace
}  // namespace mpdist
