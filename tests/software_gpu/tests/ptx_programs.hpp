// SPDX-License-Identifier: Apache-2.0
// Functions compiled twice: by nvcc for the software GPU, by the host's compiler for the values to expect.
#pragma once
#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define SOFTWARE_GPU_BOTH __host__ __device__
#define SOFTWARE_GPU_APART __host__ __device__ __noinline__
#else
#define SOFTWARE_GPU_BOTH
#define SOFTWARE_GPU_APART __attribute__((noinline))
#endif

namespace software_gpu::testing {

constexpr int kFloatFunctions = 24, kDoubleFunctions = 14;

SOFTWARE_GPU_BOTH inline float float_function(int which, float x) {
  switch (which) {
    case 0:
      return sinf(x);
    case 1:
      return cosf(x * 1000);
    case 2:
      return tanf(x);
    case 3:
      return expf(x);
    case 4:
      return logf(fabsf(x));
    case 5:
      return log1pf(fabsf(x));
    case 6:
      return expm1f(x);
    case 7:
      return powf(fabsf(x), 1.7f);
    case 8:
      return tanhf(x);
    case 9:
      return erff(x);
    case 10:
      return erfcf(x);
    case 11:
      return sqrtf(fabsf(x));
    case 12:
      return cbrtf(x);
    case 13:
      return fmodf(x, 0.7f);
    case 14:
      return floorf(x);
    case 15:
      return rintf(x);
    case 16:
      return atan2f(x, 0.3f);
    case 17:
      return asinf(x / 20);
    case 18:
      return ldexpf(x, 5);
    case 19:
      return x / 3.0f;
    case 20:
      return truncf(x) + roundf(x);
    case 21:
      return exp2f(x);
    case 22:
      return lgammaf(fabsf(x) + 1);
    default:
      return fmaxf(fminf(x, 1.0f), -2.0f);
  }
}

SOFTWARE_GPU_BOTH inline double double_function(int which, double x) {
  switch (which) {
    case 0:
      return sin(x);
    case 1:
      return cos(x * 1000);
    case 2:
      return exp(x);
    case 3:
      return log(fabs(x));
    case 4:
      return pow(fabs(x), 1.7);
    case 5:
      return tanh(x);
    case 6:
      return erf(x);
    case 7:
      return sqrt(fabs(x));
    case 8:
      return cbrt(x);
    case 9:
      return fmod(x, 0.7);
    case 10:
      return floor(x) + rint(x);
    case 11:
      return x / 3;
    case 12:
      return log1p(fabs(x));
    default:
      return static_cast<double>(static_cast<float>(x)) + static_cast<double>(static_cast<long long>(x));
  }
}

/// 64- and 32-bit arithmetic, divisions by constants and variables, shifts. Sums wrap around, so they have no sign.
SOFTWARE_GPU_BOTH inline std::int64_t integer_mixture(std::int64_t a, std::int32_t b, std::uint32_t c) {
  using Bits = std::uint64_t;
  const std::int32_t divisor = b == 0 ? 3 : b;
  const int shift = (b & 15) + 1;
  Bits sum = static_cast<Bits>(a / divisor) + static_cast<Bits>(a % divisor) + static_cast<Bits>(b / 7 + b % 13);
  sum += static_cast<Bits>(a) / (c | 1u) + static_cast<Bits>(a) % 10;
  sum ^= (c << shift) | (c >> (32 - shift));
  sum += static_cast<Bits>(static_cast<std::int64_t>(b) * b) + static_cast<Bits>(c) * c;
  sum += static_cast<Bits>(b > 5 ? -b : b / 2) + static_cast<Bits>(static_cast<std::int16_t>(b));
  return static_cast<std::int64_t>(sum + static_cast<std::uint8_t>(c));
}

/// Steps of the Collatz sequence: every lane leaves the loop at another time.
SOFTWARE_GPU_BOTH inline int collatz(std::uint32_t n) {
  int steps = 0;
  while (n != 1) {
    n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    if (++steps > 200) break;
  }
  return steps;
}

struct Record {
  float scale;
  double shift;
  int list[6];
};
SOFTWARE_GPU_APART inline Record changed(Record record, int by) {
  record.scale += static_cast<float>(by);
  record.list[by % 6] = 100 + by;
  return record;
}
SOFTWARE_GPU_APART inline double combined(float a, int b, double c) {
  return a * static_cast<float>(b) + c;
}

SOFTWARE_GPU_BOTH inline double through_calls(int i) {
  Record record{0.5f, 0.25, {1, 2, 3, 4, 5, 6}};
  if (i % 3 != 0) record = changed(record, i);
  double sum = 0;
  for (int k = 0; k < 6; ++k) sum += record.list[(k * i) % 6] * (k + 1);
  return sum + combined(record.scale, i, record.shift);
}

SOFTWARE_GPU_BOTH inline int switched(int which, int x) {
  switch (which) {
    case 0:
      return x + 5;
    case 1:
      return x * x;
    case 2:
      return x - 17;
    case 3:
      return x ^ 0x55;
    case 4:
      return x / 3;
    case 5:
      return -x;
    case 6:
      return x % 11;
    default:
      return 1;
  }
}

struct Tables {
  const float* rows[40];
  int counts[40];
};

}  // namespace software_gpu::testing
