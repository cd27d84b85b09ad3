// SPDX-License-Identifier: Apache-2.0
#include "comm/gradient_reducer.hpp"

#include <bit>
#include <limits>

#include "tests/comm/backends.hpp"
#include "tests/comm/reference_tree.hpp"

namespace mpdist::comm {
namespace {

/// Three parameters of awkward sizes; the last but one in forward order is never touched in some tests.
class Reducer : public test::OverBackends {
 protected:
  void SetUp() override {
    test::OverBackends::SetUp();
    store_.add("a", "weight", Shape{37, 5}, ParameterRole::weight, Initializer::zeros);
    store_.add("b", "weight", Shape{1}, ParameterRole::bias, Initializer::zeros);
    store_.add("c", "weight", Shape{3000}, ParameterRole::weight, Initializer::zeros);
    store_.finalize(DType::fp32, 1);
  }

  /// S of 8, or of 24 where 3 divides the ranks, and K: the largest power of two not above it.
  std::int64_t shards() const { return size() % 3 == 0 ? 24 : 8; }
  float factor() const { return size() % 3 == 0 ? 16 : 8; }

  static float gradient_at(std::int64_t step, std::int64_t shard, const Parameter& parameter, std::int64_t i) {
    return 32 * test::shard_value(static_cast<std::uint64_t>(step * 1000 + shard),
                                  static_cast<std::uint64_t>(parameter.offset + i));
  }

  /// Hands over all local shards as a backward pass does: last layer first.
  void add_leaves(GradientReducer& reducer, std::int64_t step, int skip = -1) {
    const std::int64_t local = shards() / size();
    for (std::int64_t j = 0; j < local; ++j) {
      for (const Parameter* parameter : store_.parameters()) {
        if (parameter->index == skip) continue;
        Tensor gradient(parameter->shape, DType::fp32, MemoryKind::gradients);
        for (std::int64_t i = 0; i < parameter->elements(); ++i) {
          gradient.data<float>()[i] = gradient_at(step, rank() * local + j, *parameter, i);
        }
        reducer.leaf(stream_, *parameter, j, gradient);
      }
    }
  }

  /// The whole sum, serially: leaves rounded from gradient/K, the tree of all shards.
  template <class T>
  std::vector<T> expected(std::int64_t step, const Parameter& parameter) const {
    std::vector<T> sums(parameter.elements()), leaves(shards());
    for (std::int64_t i = 0; i < parameter.elements(); ++i) {
      for (std::int64_t s = 0; s < shards(); ++s)
        leaves[s] = from_float<T>(gradient_at(step, s, parameter, i) / factor());
      sums[i] = test::reference_tree(leaves.data(), static_cast<int>(shards()));
    }
    return sums;
  }

  template <class T>
  void check_steps(GradientReducerOptions options) {
    options.wire = dtype_of<T>;
    options.shards = shards();
    GradientReducer reducer(store_, communicator(), options);
    for (int step = 0; step < 3; ++step) {
      add_leaves(reducer, step);
      const Tensor sum = reducer.reduce(stream_);
      ASSERT_EQ(sum.elements(), store_.elements());
      for (const Parameter* parameter : store_.parameters()) {
        const T* found = sum.data<T>() + parameter->offset;
        EXPECT_EQ(test::different(found, expected<T>(step, *parameter)), 0) << parameter->name << ", step " << step;
      }
      EXPECT_EQ(to_float(sum.data<T>()[store_.parameters()[0]->elements()]), 0) << "padding";
      EXPECT_TRUE(reducer.nonfinite().empty());
      reducer.release();
    }
  }

  ParameterStore store_;
  Stream stream_;
};
MPDIST_OVER_BACKENDS(Reducer);

TEST_P(Reducer, EqualsTheTreeOfAllShardsBitForBit) {
  for (bool overlap : {false, true}) {
    for (std::int64_t bucket : {1, 1 << 20}) {
      const GradientReducerOptions options{.first_bucket_bytes = bucket, .bucket_bytes = bucket, .overlap = overlap};
      check_steps<float>(options);
      check_steps<half>(options);
      check_steps<bfloat16>(options);
    }
  }
}

TEST_P(Reducer, HoldsLogarithmicallyManyArrays) {
  GradientReducer reducer(store_, communicator(), {.wire = DType::fp16, .shards = shards()});
  EXPECT_EQ(1 << reducer.pending_arrays(), shards() / size());
  EXPECT_EQ(reducer.wire_bytes(), 2 * store_.elements());
}

TEST_P(Reducer, ValuesTravelThroughTheTree) {
  GradientReducer reducer(store_, communicator(), {.wire = DType::fp16, .shards = shards()});
  const std::int64_t local = shards() / size();
  for (int step = 0; step < 4; ++step) {
    const std::int64_t count = step == 2 ? 0 : step == 3 ? 500 : 50;  // none in one step, more in the last
    add_leaves(reducer, step);
    for (std::int64_t j = 0; j < local && count > 0; ++j) {
      std::vector<float> values(count);
      for (std::int64_t i = 0; i < count; ++i) values[i] = test::shard_value(rank() * local + j, i + step);
      reducer.values(j, values);
    }
    reducer.reduce(stream_);
    ASSERT_EQ(static_cast<std::int64_t>(reducer.reduced_values().size()), count);
    std::vector<float> sums(count), leaves(shards());
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t s = 0; s < shards(); ++s) leaves[s] = test::shard_value(s, i + step);
      sums[i] = test::reference_tree(leaves.data(), static_cast<int>(shards()));
    }
    EXPECT_EQ(test::different(reducer.reduced_values().data(), sums), 0) << "step " << step;
    reducer.release();
  }
}

TEST_P(Reducer, NonfiniteLeavesAreNamed) {
  GradientReducer reducer(store_, communicator(), {.wire = DType::fp16, .shards = shards()});
  const std::int64_t local = shards() / size();
  const Parameter& parameter = *store_.parameters()[1];
  for (std::int64_t j = 0; j < local; ++j) {
    for (const Parameter* p : store_.parameters()) {
      std::vector<float> values(p->elements(), 1.0f);
      if (p == &parameter && rank() == size() - 1 && j == local - 1)
        values[0] = factor() * 65520.0f;  // inf once rounded
      reducer.leaf(stream_, *p, j, Tensor(values.data(), p->shape, DType::fp32));
    }
  }
  const Tensor sum = reducer.reduce(stream_);
  EXPECT_EQ(to_float(sum.data<half>()[parameter.offset]), std::numeric_limits<float>::infinity());
  std::vector<NonfiniteLeaf> planted;
  if (rank() == size() - 1) planted.push_back({.parameter = 1, .shard = shards() - 1, .count = 1});
  EXPECT_EQ(reducer.nonfinite(), planted);
  reducer.release();
  add_leaves(reducer, 0);
  EXPECT_TRUE(reducer.nonfinite().empty());
  reducer.reduce(stream_);
}

TEST_P(Reducer, UntouchedParametersAreZero) {
  GradientReducer reducer(store_, communicator(), {.wire = DType::fp32, .shards = shards()});
  for (int skip : {-1, 0, 1}) {  // the first step leaves something behind
    add_leaves(reducer, 5, skip);
    const Tensor sum = reducer.reduce(stream_);
    for (const Parameter* parameter : store_.parameters()) {
      const auto wanted =
          parameter->index == skip ? std::vector<float>(parameter->elements()) : expected<float>(5, *parameter);
      EXPECT_EQ(test::different(sum.data<float>() + parameter->offset, wanted), 0) << parameter->name;
    }
    reducer.release();
  }
}

TEST_P(Reducer, LibrarySumsExactValuesAlike) {
  GradientReducer reducer(store_, communicator(), {.wire = DType::fp16, .shards = shards(), .tree = false});
  for (std::int64_t j = 0; j < shards() / size(); ++j) {
    for (const Parameter* p : store_.parameters()) {
      std::vector<float> values(p->elements(), factor());
      reducer.leaf(stream_, *p, j, Tensor(values.data(), p->shape, DType::fp32));
    }
  }
  const Tensor sum = reducer.reduce(stream_);
  for (const Parameter* p : store_.parameters()) {
    EXPECT_EQ(to_float(sum.data<half>()[p->offset]), static_cast<float>(shards()));
  }
}

TEST_P(Reducer, CountsWhatItHandsOver) {
  GradientReducer reducer(store_, communicator(), {.wire = DType::fp32, .shards = shards()});
  add_leaves(reducer, 0);
  reducer.reduce(stream_);
  if (size() == 1) {
    EXPECT_EQ(reducer.bytes_sent(), 0);
  } else {
    EXPECT_GE(reducer.bytes_sent(), reducer.wire_bytes() / size());
  }
  EXPECT_GE(reducer.exchange_s(), 0);
}

TEST_P(Reducer, Misuse) {
  const auto make = [&](std::int64_t s) { GradientReducer(store_, communicator(), {.shards = s}); };
  EXPECT_THROW(make(0), InvalidArgument);
  EXPECT_THROW(make(3 * size()), InvalidArgument);
  if (size() > 1) {
    EXPECT_THROW(make(size() + 1), InvalidArgument);
  }
  GradientReducer reducer(store_, communicator(), {.shards = 2 * size()});
  EXPECT_THROW(reducer.release(), InvalidArgument);
  const Parameter& first = *store_.parameters()[0];
  std::vector<float> values(first.elements());
  const Tensor gradient(values.data(), first.shape, DType::fp32);
  EXPECT_THROW(reducer.leaf(stream_, first, 1, gradient), InvalidArgument);  // out of order
  EXPECT_THROW(reducer.leaf(stream_, first, 0, Tensor(values.data(), Shape{1}, DType::fp32)), InvalidArgument);
  reducer.leaf(stream_, first, 0, gradient);
  EXPECT_THROW(reducer.leaf(stream_, first, 0, gradient), InvalidArgument);  // twice
  EXPECT_THROW(reducer.reduce(stream_), InvalidArgument);                    // the other shards are missing
}

TEST(GradientReducer, FactorIsTheLargestPowerOfTwoNotAboveTheShards) {
  ParameterStore store;
  store.add("a", "weight", Shape{1}, ParameterRole::weight, Initializer::zeros);
  store.finalize(DType::fp32, 1);
  const auto self = make_self();
  Stream stream;
  for (const auto& [shards, factor] : {std::pair{1, 1.0f}, {2, 2.0f}, {8, 8.0f}}) {
    GradientReducer reducer(store, *self, {.wire = DType::fp32, .shards = shards});
    float one = 1;
    for (int j = 0; j < shards; ++j)
      reducer.leaf(stream, *store.parameters()[0], j, Tensor(&one, Shape{1}, DType::fp32));
    EXPECT_EQ(reducer.reduce(stream).data<float>()[0], shards / factor);
  }
}

}  // namespace
}  // namespace mpdist::comm
