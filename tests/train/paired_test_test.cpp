// SPDX-License-Identifier: Apache-2.0
#include "src/train/paired_test.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist::train {
namespace {

TEST(StudentT, QuantilesAreThoseOfTheTables) {
  struct Row {
    double probability, degrees, t;
  };
  // Tables of the t distribution, to the digits they print.
  constexpr Row rows[] = {{0.975, 1, 12.7062}, {0.975, 2, 4.30265},  {0.975, 3, 3.18245},   {0.975, 4, 2.77645},
                          {0.975, 9, 2.26216}, {0.95, 4, 2.13185},   {0.995, 4, 4.60409},   {0.9995, 5, 6.86883},
                          {0.9, 10, 1.37218},  {0.975, 30, 2.04227}, {0.975, 120, 1.97993}, {0.75, 1, 1.0}};
  for (const Row& row : rows) {
    EXPECT_NEAR(student_t_quantile(row.probability, row.degrees), row.t, 6e-5 * (row.t > 10 ? 10 : 1))
        << row.probability << " at " << row.degrees;
  }
}

TEST(StudentT, MatchesItsClosedForms) {
  for (double t : {-40.0, -3.0, -0.5, 0.0, 0.1, 1.0, 2.5, 100.0}) {
    EXPECT_NEAR(student_t_cdf(t, 1), 0.5 + std::atan(t) / std::acos(-1.0), 1e-12) << t;
    EXPECT_NEAR(student_t_cdf(t, 2), 0.5 + t / (2 * std::sqrt(2 + t * t)), 1e-12) << t;
    const double u = 1 / (1 + t * t / 4);
    EXPECT_NEAR(student_t_cdf(t, 4), 0.5 + 0.375 * t * std::sqrt(u) * (1 - t * t * u / 12), 1e-12) << t;
  }
}

TEST(StudentT, QuantileInvertsTheDistribution) {
  for (double degrees : {1.0, 4.0, 19.0}) {
    for (double p : {0.001, 0.3, 0.5, 0.8, 0.9999}) {
      EXPECT_NEAR(student_t_cdf(student_t_quantile(p, degrees), degrees), p, 1e-12);
    }
  }
  EXPECT_THROW(student_t_quantile(1, 4), InvalidArgument);
}

/// The sleep data of Student 1908 (R's `sleep`): t = -4.0621, 9 degrees, p = 0.002833, interval [-2.4599, -0.7001].
TEST(PairedTest, StudentsOwnExample) {
  const std::vector<double> differences = {-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4};
  const PairedTest test = paired_test(differences);
  EXPECT_EQ(test.pairs, 10);
  EXPECT_NEAR(test.differences.mean, -1.58, 1e-12);
  EXPECT_NEAR(test.t, -4.0621, 5e-5);
  EXPECT_NEAR(test.p_t, 0.002833, 5e-7);
  EXPECT_NEAR(test.low, -2.4598858, 1e-6);
  EXPECT_NEAR(test.high, -0.7001142, 1e-6);
  EXPECT_EQ(test.p_sign_flip, 4.0 / 1024) << "all alike but the zero, whose sign does not matter";
}

TEST(PairedTest, SignFlipsCountedByHand) {
  // The sums of 3 +- 2 +- 1 and their negatives: 6, 4, 2, 0, 0, -2, -4, -6; the observed 3 + 2 - 1 = 4.
  const std::vector<double> differences = {3, 2, -1};
  EXPECT_EQ(paired_test(differences).p_sign_flip, 0.5);
}

TEST(PairedTest, DifferencesThatAreAllAlike) {
  const std::vector<double> none = {0, 0, 0, 0}, same = {0.5, 0.5, 0.5, 0.5};
  EXPECT_EQ(paired_test(none).p_t, 1);
  EXPECT_EQ(paired_test(none).p_sign_flip, 1);
  EXPECT_EQ(paired_test(same).p_t, 0);
  EXPECT_EQ(paired_test(same).p_sign_flip, 0.125);
  EXPECT_EQ(paired_test(same).low, 0.5);
}

TEST(PairedTest, RefusesTooFewAndTooMany) {
  EXPECT_THROW(paired_test(std::vector<double>(1)), InvalidArgument);
  EXPECT_THROW(paired_test(std::vector<double>(21)), InvalidArgument);
}

TEST(Spread, OfNoneAndOne) {
  EXPECT_TRUE(std::isnan(spread_of({}).mean));
  const std::vector<double> one = {3};
  EXPECT_EQ(spread_of(one).mean, 3);
  EXPECT_TRUE(std::isnan(spread_of(one).deviation));
}

}  // namespace
}  // namespace mpdist::train
