// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "tests/comm/backends.hpp"
#include "tests/comm/reference_tree.hpp"

namespace mpdist::comm {
namespace {

using AllReduce = test::OverBackends;
MPDIST_OVER_BACKENDS(AllReduce);

constexpr std::int64_t kGuard = 5;  // elements on either side that must stay as they are

/// What rank `rank` holds at element `i`.
template <class T>
T value_at(int rank, std::int64_t i) {
  return from_float<T>(test::shard_value(rank, i));
}

template <class T, class Value>
void fill(Communicator& communicator, SharedBuffer& buffer, std::int64_t count, Value value) {
  std::vector<T> values(count);
  for (std::int64_t i = 0; i < count; ++i) values[i] = value(communicator.rank(), i);
  test::write(communicator, buffer.local(), values);
}

template <class T, class Value>
std::vector<T> tree_of_ranks(int ranks, std::int64_t count, Value value) {
  std::vector<T> expected(count), leaves(ranks);
  for (std::int64_t i = 0; i < count; ++i) {
    for (int r = 0; r < ranks; ++r) leaves[r] = value(r, i);
    expected[i] = test::reference_tree(leaves.data(), ranks);
  }
  return expected;
}

template <class T>
void check_tree(Communicator& communicator, std::int64_t count, Delivery delivery) {
  const std::int64_t held = count + 2 * kGuard;
  const auto buffer = communicator.allocate_shared(held * sizeof(T));
  const auto value = [](int rank, std::int64_t i) { return value_at<T>(rank, i); };
  std::vector<T> expected = tree_of_ranks<T>(communicator.size(), held, value);
  for (int round = 0; round < 3; ++round) {  // the second round would see what the first left behind
    buffer->acquire();
    fill<T>(communicator, *buffer, held, value);
    const std::byte* where = communicator.tree_all_reduce(*buffer, kGuard, count, dtype_of<T>, delivery);
    const std::vector<T> found = test::read<T>(communicator, where, held);
    if (delivery == Delivery::every_rank) {
      EXPECT_EQ(where, buffer->local());
    }
    if (where == buffer->local()) {
      for (std::int64_t i : {std::int64_t{0}, kGuard - 1, kGuard + count, held - 1}) {
        EXPECT_TRUE(test::same_bits(found[i], value(communicator.rank(), i))) << "guard " << i << " was written";
      }
    }
    const std::vector<T> middle(expected.begin() + kGuard, expected.end() - kGuard);
    ASSERT_EQ(test::different(found.data() + kGuard, middle), 0)
        << name_of(dtype_of<T>) << ", " << count << " elements, round " << round;
    if (delivery == Delivery::in_place) buffer->release();
    if (delivery == Delivery::every_rank) communicator.barrier();
  }
}

TEST_P(AllReduce, TreeEqualsTheReferenceBitForBit) {
  for (std::int64_t count : {0, 1, 31, 33, 1000, 20011}) {
    for (Delivery delivery : {Delivery::in_place, Delivery::every_rank}) {
      check_tree<float>(communicator(), count, delivery);
      check_tree<half>(communicator(), count, delivery);
      check_tree<bfloat16>(communicator(), count, delivery);
    }
  }
}

/// Small integers: every partial sum is exact in every wire type, so the library must give them too.
template <class T>
void check_exact(Communicator& communicator, bool tree) {
  constexpr std::int64_t count = 3001;
  const auto buffer = communicator.allocate_shared(count * sizeof(T));
  const auto value = [](int rank, std::int64_t i) {
    return from_float<T>(static_cast<float>((rank * 5 + i) % 16) - 8);
  };
  fill<T>(communicator, *buffer, count, value);
  const std::byte* where = tree ? communicator.tree_all_reduce(*buffer, 0, count, dtype_of<T>, Delivery::every_rank)
                                : communicator.library_all_reduce(*buffer, 0, count, dtype_of<T>);
  const std::vector<T> found = test::read<T>(communicator, where, count);
  EXPECT_EQ(test::different(found.data(), tree_of_ranks<T>(communicator.size(), count, value)), 0);
  if (!tree) {
    EXPECT_EQ(where, buffer->local());
  }
}

TEST_P(AllReduce, ExactSums) {
  for (bool tree : {true, false}) {
    check_exact<float>(communicator(), tree);
    check_exact<half>(communicator(), tree);
    check_exact<bfloat16>(communicator(), tree);
  }
}

TEST_P(AllReduce, LibraryAddsInFp32AndRounds) {
  constexpr std::int64_t count = 777;
  const auto buffer = communicator().allocate_shared(count * sizeof(half));
  fill<half>(communicator(), *buffer, count, [](int r, std::int64_t i) { return value_at<half>(r, i); });
  const std::byte* where = communicator().library_all_reduce(*buffer, 0, count, DType::fp16);
  const std::vector<half> found = test::read<half>(communicator(), where, count);
  for (std::int64_t i = 0; i < count; ++i) {
    double sum = 0, largest = 0;
    for (int r = 0; r < size(); ++r) {
      sum += to_float(value_at<half>(r, i));
      largest += std::fabs(to_float(value_at<half>(r, i)));
    }
    // Each of size()-1 additions errs by at most half a unit in the last place (2^-11) of a partial sum.
    ASSERT_NEAR(to_float(found[i]), sum, size() * largest * 0x1p-11) << i;
  }
}

TEST_P(AllReduce, OverflowInTheSumBecomesInfinity) {
  constexpr std::int64_t count = 64;
  const auto buffer = communicator().allocate_shared(count * sizeof(half));
  fill<half>(communicator(), *buffer, count, [](int, std::int64_t i) { return to_half(i == 7 ? 65504.0f : 1.0f); });
  const std::byte* where = communicator().tree_all_reduce(*buffer, 0, count, DType::fp16, Delivery::every_rank);
  const std::vector<half> found = test::read<half>(communicator(), where, count);
  EXPECT_EQ(to_float(found[7]), size() > 1 ? std::numeric_limits<float>::infinity() : 65504.0f);
  EXPECT_EQ(to_float(found[8]), static_cast<float>(size()));
}

TEST_P(AllReduce, NanSurvives) {
  const auto buffer = communicator().allocate_shared(64 * sizeof(float));
  fill<float>(communicator(), *buffer, 64,
              [&](int r, std::int64_t i) { return i == 3 && r == size() - 1 ? NAN : 1.0f; });
  const std::byte* where = communicator().tree_all_reduce(*buffer, 0, 64, DType::fp32, Delivery::every_rank);
  const std::vector<float> found = test::read<float>(communicator(), where, 64);
  EXPECT_TRUE(std::isnan(found[3]));
  EXPECT_EQ(found[4], static_cast<float>(size()));
}

TEST_P(AllReduce, BytesSentGrowOnlyWhereThereIsAnotherRank) {
  const auto buffer = communicator().allocate_shared(4096 * sizeof(float));
  const std::int64_t before = communicator().bytes_sent();
  communicator().tree_all_reduce(*buffer, 0, 4096, DType::fp32, Delivery::in_place);
  const std::int64_t tree = communicator().bytes_sent() - before;
  communicator().library_all_reduce(*buffer, 0, 4096, DType::fp32);
  const std::int64_t library = communicator().bytes_sent() - before - tree;
  EXPECT_EQ(library, size() > 1 ? 16384 : 0);
  if (size() == 1) {
    EXPECT_EQ(tree, 0);
  } else {
    EXPECT_GE(tree, 16384 / size());
  }
}

TEST_P(AllReduce, Misuse) {
  const auto buffer = communicator().allocate_shared(64 * sizeof(float));
  const auto reduce = [&](std::int64_t begin, std::int64_t count, DType wire) {
    communicator().tree_all_reduce(*buffer, begin, count, wire, Delivery::in_place);
  };
  EXPECT_THROW(reduce(0, 65, DType::fp32), InvalidArgument);
  EXPECT_THROW(reduce(64, 1, DType::fp32), InvalidArgument);
  EXPECT_THROW(reduce(-1, 1, DType::fp32), InvalidArgument);
  EXPECT_THROW(reduce(0, -1, DType::fp32), InvalidArgument);
  EXPECT_THROW(reduce(0, 1, DType::int32), InvalidArgument);
  EXPECT_THROW(communicator().library_all_reduce(*buffer, 0, 65, DType::fp32), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::comm
