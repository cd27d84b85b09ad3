// SPDX-License-Identifier: Apache-2.0
#include "kernels/digest.hpp"

#include "kernels/cuda/segments.cuh"

namespace mpdist::kernels::cuda {

/// of_tile[b] = the digest of tile b. Bits: an unsigned integer of the element's size.
template <class Bits>
__global__ void __launch_bounds__(kThreads) tile_digest_kernel(const Bits* bits, std::int64_t elements, bool aligned,
                                                               std::uint64_t first_index, std::uint64_t* of_tile) {
  constexpr int kN = kVector<Bits>;
  const std::int64_t begin = blockIdx.x * kTile, end = begin + kTile < elements ? begin + kTile : elements;
  std::uint64_t sum = 0;
  walk<kN, kTileRounds<kN>>(
      begin, end, aligned, [&](std::int64_t i, auto lanes) { return Pack<Bits, lanes.count>::read(bits + i); },
      [&](std::int64_t i, const auto& pack, auto lanes) {
#pragma unroll
        for (int k = 0; k < lanes.count; ++k)
          sum += mix(pack.element[k], first_index + static_cast<std::uint64_t>(i + k));
      });
  sum = block_sum(sum);
  if (threadIdx.x == 0) of_tile[blockIdx.x] = sum;
}

void digest(Stream& stream, const Digest& a) {
  const std::int64_t elements = a.tensor.elements(), tiles = tiles_of(elements);
  auto* of_tile =
      static_cast<std::uint64_t*>(stream.workspace(static_cast<std::size_t>(tiles) * sizeof(std::uint64_t)));
  const auto run = [&]<class Bits>(Bits) {
    if (tiles == 0) return;
    const auto* bits = static_cast<const Bits*>(a.tensor.raw());
    tile_digest_kernel<<<static_cast<unsigned>(tiles), kThreads, 0, handle(stream)>>>(
        bits, elements, takes_packs<kVector<Bits>>(bits), a.first_index, of_tile);
    check_launch("digest");
  };
  switch (size_of(a.tensor.dtype())) {
    case 1:
      run(std::uint8_t{});
      break;
    case 2:
      run(std::uint16_t{});
      break;
    case 4:
      run(std::uint32_t{});
      break;
    default:
      run(std::uint64_t{});
      break;
  }
  add_up(stream, "digest", of_tile, tiles, a.digest);
}

}  // namespace mpdist::kernels::cuda
