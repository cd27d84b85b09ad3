// SPDX-License-Identifier: Apache-2.0
#include "comm/gradient_reducer.hpp"

#include <limits>

#include "src/core/copy.hpp"
#include "tests/comm/backends.hpp"
#include "tests/comm/reference_tree.hpp"

namespace mpdist::comm {
namespace {

/// Three parameters of awkward sizes; the last but one in forward order is never touched in some tests.
class Reducer : public test::OverBackends {
 protected:
  void SetUp() override {
    test::OverBackends::SetUp();
    stream_ = std::make_unique<Stream>(communicator().stream().pool());
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

  GradientReducer make(GradientReducerOptions options) {
    return GradientReducer(store_, host(), communicator(), stream(), options);
  }

  void add_leaf(GradientReducer& reducer, const Parameter& parameter, std::int64_t local_shard,
                std::vector<float> values) {
    const Tensor host(values.data(), Shape{static_cast<std::int64_t>(values.size())}, DType::fp32);
    const Tensor gradient(host.shape(), DType::fp32, MemoryKind::gradients, stream().pool());
    copy(stream(), host, gradient);
    stream().synchronize();
    reducer.leaf(stream(), parameter, local_shard, gradient);
  }

  /// reduce(), and what it gave on the host.
  template <class T>
  std::vector<T> reduce(GradientReducer& reducer) {
    const Tensor sum = reducer.reduce(stream());
    EXPECT_EQ(sum.elements(), store_.elements());
    reducer.synchronize(stream());
    nonfinite_ = reducer.nonfinite();  // before the copy below waits once more
    const Tensor host = to_host(stream(), sum, MemoryKind::gradients);
    return {host.data<T>(), host.data<T>() + host.elements()};
  }

  /// Hands over all local shards as a backward pass does: last layer first.
  void add_leaves(GradientReducer& reducer, std::int64_t step, int skip = -1) {
    const std::int64_t local = shards() / size();
    for (std::int64_t j = 0; j < local; ++j) {
      for (const Parameter* parameter : store_.parameters()) {
        if (parameter->index == skip) continue;
        std::vector<float> values(parameter->elements());
        for (std::int64_t i = 0; i < parameter->elements(); ++i) {
          values[i] = gradient_at(step, rank() * local + j, *parameter, i);
        }
        add_leaf(reducer, *parameter, j, values);
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
    GradientReducer reducer = make(options);
    for (int step = 0; step < 3; ++step) {
      add_leaves(reducer, step);
      const std::vector<T> sum = reduce<T>(reducer);
      for (const Parameter* parameter : store_.parameters()) {
        const T* found = sum.data() + parameter->offset;
        EXPECT_EQ(test::different(found, expected<T>(step, *parameter)), 0) << parameter->name << ", step " << step;
      }
      EXPECT_EQ(to_float(sum[store_.parameters()[0]->elements()]), 0) << "padding";
      EXPECT_TRUE(nonfinite_.empty());
      reducer.release(stream());
    }
  }

  Stream& stream() { return *stream_; }

  ParameterStore store_;
  std::vector<NonfiniteLeaf> nonfinite_;  ///< of the last reduce()

 private:
  std::unique_ptr<Stream> stream_;
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
  GradientReducer reducer = make({.wire = DType::fp16, .shards = shards()});
  EXPECT_EQ(1 << reducer.pending_arrays(), shards() / size());
  EXPECT_EQ(reducer.wire_bytes(), 2 * store_.elements());
}

TEST_P(Reducer, ValuesTravelThroughTheTree) {
  GradientReducer reducer = make({.wire = DType::fp16, .shards = shards()});
  const std::int64_t local = shards() / size();
  for (int step = 0; step < 4; ++step) {
    const std::int64_t count = step == 2 ? 0 : step == 3 ? 500 : 50;  // none in one step, more in the last
    add_leaves(reducer, step);
    for (std::int64_t j = 0; j < local && count > 0; ++j) {
      std::vector<float> values(count);
      for (std::int64_t i = 0; i < count; ++i) values[i] = test::shard_value(rank() * local + j, i + step);
      reducer.values(j, values);
    }
    reducer.reduce(stream());
    reducer.reduce_values();
    ASSERT_EQ(static_cast<std::int64_t>(reducer.reduced_values().size()), count);
    std::vector<float> sums(count), leaves(shards());
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t s = 0; s < shards(); ++s) leaves[s] = test::shard_value(s, i + step);
      sums[i] = test::reference_tree(leaves.data(), static_cast<int>(shards()));
    }
    EXPECT_EQ(test::different(reducer.reduced_values().data(), sums), 0) << "step " << step;
    reducer.release(stream());
  }
}

TEST_P(Reducer, NonfiniteLeavesAreNamed) {
  GradientReducer reducer = make({.wire = DType::fp16, .shards = shards()});
  const std::int64_t local = shards() / size();
  const Parameter& parameter = *store_.parameters().back();  // nothing waits after its leaf but synchronize()
  for (std::int64_t j = 0; j < local; ++j) {
    for (const Parameter* p : store_.parameters()) {
      std::vector<float> values(p->elements(), 1.0f);
      if (p == &parameter && rank() == size() - 1 && j == local - 1)
        values[0] = factor() * 65520.0f;  // inf once rounded
      add_leaf(reducer, *p, j, values);
    }
  }
  const std::vector<half> sum = reduce<half>(reducer);
  EXPECT_EQ(to_float(sum[parameter.offset]), std::numeric_limits<float>::infinity());
  std::vector<NonfiniteLeaf> planted;
  if (rank() == size() - 1) planted.push_back({.parameter = parameter.index, .shard = shards() - 1, .count = 1});
  EXPECT_EQ(nonfinite_, planted);
  reducer.release(stream());
  add_leaves(reducer, 0);
  reduce<half>(reducer);
  EXPECT_TRUE(nonfinite_.empty());
}

TEST_P(Reducer, UntouchedParametersAreZero) {
  GradientReducer reducer = make({.wire = DType::fp32, .shards = shards()});
  for (int skip : {-1, 0, 1}) {  // the first step leaves something behind
    add_leaves(reducer, 5, skip);
    const std::vector<float> sum = reduce<float>(reducer);
    for (const Parameter* parameter : store_.parameters()) {
      const auto wanted =
          parameter->index == skip ? std::vector<float>(parameter->elements()) : expected<float>(5, *parameter);
      EXPECT_EQ(test::different(sum.data() + parameter->offset, wanted), 0) << parameter->name;
    }
    reducer.release(stream());
  }
}

TEST_P(Reducer, LibrarySumsExactValuesAlike) {
  GradientReducer reducer = make({.wire = DType::fp16, .shards = shards(), .tree = false});
  for (std::int64_t j = 0; j < shards() / size(); ++j) {
    for (const Parameter* p : store_.parameters()) {
      add_leaf(reducer, *p, j, std::vector<float>(p->elements(), factor()));
    }
  }
  const std::vector<half> sum = reduce<half>(reducer);
  for (const Parameter* p : store_.parameters()) {
    EXPECT_EQ(to_float(sum[p->offset]), static_cast<float>(shards()));
  }
}

TEST_P(Reducer, CountsWhatItHandsOver) {
  GradientReducer reducer = make({.wire = DType::fp32, .shards = shards()});
  add_leaves(reducer, 0);
  reducer.reduce(stream());  // the next test gets memory that is in use, unless the reducer's end waits
  if (size() == 1) {
    EXPECT_EQ(reducer.bytes_sent(), 0);
  } else {
    EXPECT_GE(reducer.bytes_sent(), reducer.wire_bytes() / size());
  }
  EXPECT_GE(reducer.exchange_s(), 0);
}

TEST_P(Reducer, Misuse) {
  EXPECT_THROW(make({.shards = 0}), InvalidArgument);
  EXPECT_THROW(make({.shards = 3 * size()}), InvalidArgument);
  if (size() > 1) {
    EXPECT_THROW(make({.shards = size() + 1}), InvalidArgument);
  }
  GradientReducer reducer = make({.shards = 2 * size()});
  EXPECT_THROW(reducer.release(stream()), InvalidArgument);
  const Parameter& first = *store_.parameters()[0];
  const std::vector<float> values(first.elements());
  EXPECT_THROW(add_leaf(reducer, first, 1, values), InvalidArgument);  // out of order
  EXPECT_THROW(add_leaf(reducer, first, 0, {1.0f}), InvalidArgument);
  add_leaf(reducer, first, 0, values);
  EXPECT_THROW(add_leaf(reducer, first, 0, values), InvalidArgument);  // twice
  EXPECT_THROW(reducer.reduce(stream()), InvalidArgument);             // the other shards are missing
}

TEST(GradientReducer, FactorIsTheLargestPowerOfTwoNotAboveTheShards) {
  ParameterStore store;
  store.add("a", "weight", Shape{1}, ParameterRole::weight, Initializer::zeros);
  store.finalize(DType::fp32, 1);
  const auto self = make_self();
  Stream stream;
  for (const auto& [shards, factor] : {std::pair{1, 1.0f}, {2, 2.0f}, {8, 8.0f}}) {
    GradientReducer reducer(store, *self, *self, stream, {.wire = DType::fp32, .shards = shards});
    float one = 1;
    for (int j = 0; j < shards; ++j)
      reducer.leaf(stream, *store.parameters()[0], j, Tensor(&one, Shape{1}, DType::fp32));
    EXPECT_EQ(reducer.reduce(stream).data<float>()[0], shards / factor);
  }
}

}  // namespace
}  // namespace mpdist::comm
