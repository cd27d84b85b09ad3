// SPDX-License-Identifier: Apache-2.0
// ld, ldu, st. The lanes are cut into runs of adjoining addresses (or of one address), and each run is checked as one.
#include <algorithm>
#include <type_traits>

#include "tests/software_gpu/ptx/block.hpp"
#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {
namespace {

/// The addresses of all lanes.
void read_addresses(const Warp& warp, const Instruction& x, std::uint64_t* address) {
  const auto offset = static_cast<std::uint64_t>(x.offset);
  if (x.address_width == 8) {
    const std::uint64_t* base = warp.lanes<std::uint64_t>(x.source[0]);
    for (int lane = 0; lane < kLanes; ++lane) address[lane] = base[lane] + offset;
  } else {
    const std::uint32_t* base = warp.lanes<std::uint32_t>(x.source[0]);
    for (int lane = 0; lane < kLanes; ++lane) {
      address[lane] = static_cast<std::uint32_t>(base[lane] + static_cast<std::uint32_t>(offset));
    }
  }
}

/// How many lanes from `lane` on are in the mask and `step` bytes apart.
int run_length(const std::uint64_t* address, Mask mask, int lane, std::uint64_t step) {
  int count = 1;
  while (lane + count < kLanes && (mask >> (lane + count) & 1) != 0 &&
         address[lane + count] == address[lane + count - 1] + step) {
    ++count;
  }
  return count;
}

struct Run {
  int lane, lanes;
  std::uint64_t address;
  bool shared_address;
};

/// Calls use(run) for each run of the mask. Stores and local memory have no shared addresses; local memory is each
/// thread's own, so that its lanes are never adjoining.
template <class Use>
void for_each_run(const std::uint64_t* address, Mask mask, std::uint64_t size, bool reading, bool local, Use&& use) {
  for (int lane = 0; lane < kLanes;) {
    if ((mask >> lane & 1) == 0) {
      ++lane;
      continue;
    }
    Run run{lane, 1, address[lane], false};
    const bool window = local || (address[lane] & kWindowMask) == kLocalWindow;
    if (!window) {
      run.lanes = run_length(address, mask, lane, size);
      if (run.lanes == 1 && reading) {
        run.lanes = run_length(address, mask, lane, 0);
        run.shared_address = run.lanes > 1;
      }
    }
    use(run);
    lane += run.lanes;
  }
}

/// M: the type in memory, R: an unsigned type as wide as the register.
template <class M, class R>
R extend(const std::byte* from) {
  M value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::is_signed_v<M>) return static_cast<R>(static_cast<std::make_signed_t<R>>(value));
  return static_cast<R>(value);
}

template <class M, class R>
void read_run(Warp& warp, const Instruction& x, const Run& run, const std::byte* from) {
  const std::size_t size = x.elements * sizeof(M);
  for (std::size_t element = 0; element < x.elements; ++element) {
    R* to = warp.lanes<R>(x.vector[element]) + run.lane;
    if (from == nullptr) {
      std::fill_n(to, run.lanes, R{0});
    } else if (run.shared_address) {
      std::fill_n(to, run.lanes, extend<M, R>(from + element * sizeof(M)));
    } else if (sizeof(M) == sizeof(R) && x.elements == 1) {
      std::memcpy(to, from, sizeof(M) * static_cast<std::size_t>(run.lanes));
    } else {
      for (int i = 0; i < run.lanes; ++i) {
        to[i] = extend<M, R>(from + static_cast<std::size_t>(i) * size + element * sizeof(M));
      }
    }
  }
}

template <class M, class R>
void load(Warp& warp, const Instruction& x, Mask mask) {
  alignas(64) std::uint64_t address[kLanes];
  read_addresses(warp, x, address);
  const std::size_t size = x.elements * sizeof(M);
  for_each_run(address, mask, size, true, x.space == Space::local, [&](const Run& run) {
    Block::Access access;
    access.lane = run.lane;
    access.lanes = run.lanes;
    access.address = run.address;
    access.bytes = size;
    access.shared_address = run.shared_address;
    access.read_only = x.option != 0;
    read_run<M, R>(warp, x, run, warp.block.access(warp, x.space, access));
  });
}

template <class M, class R>
void store(Warp& warp, const Instruction& x, Mask mask) {
  alignas(64) std::uint64_t address[kLanes];
  alignas(64) std::byte values[kLanes * 32];
  read_addresses(warp, x, address);
  const std::size_t size = x.elements * sizeof(M);
  for_each_run(address, mask, size, false, x.space == Space::local, [&](const Run& run) {
    for (std::size_t element = 0; element < x.elements; ++element) {
      const R* from = warp.lanes<R>(x.vector[element]) + run.lane;
      for (int i = 0; i < run.lanes; ++i) {
        const M value = static_cast<M>(from[i]);
        std::memcpy(values + static_cast<std::size_t>(i) * size + element * sizeof(M), &value, sizeof value);
      }
    }
    Block::Access access;
    access.lane = run.lane;
    access.lanes = run.lanes;
    access.address = run.address;
    access.bytes = size;
    access.kind = AccessKind::write;
    access.after = values;
    std::byte* to = warp.block.access(warp, x.space, access);
    if (to != nullptr) std::memcpy(to, values, size * static_cast<std::size_t>(run.lanes));
  });
}

/// A kernel parameter at a known place: the same for all lanes, and nothing to check but its end.
template <class M, class R>
void load_parameter(Warp& warp, const Instruction& x, Mask mask) {
  const auto at =
      static_cast<std::size_t>(*warp.lanes<std::uint64_t>(x.source[0]) + static_cast<std::uint64_t>(x.offset));
  const std::size_t size = x.elements * sizeof(M);
  const auto& parameters = warp.block.launch.parameters;
  if (at + size > parameters.size()) return warp.block.launch.report("out-of-bounds", warp, 0, "(kernel parameters)");
  for (std::size_t element = 0; element < x.elements; ++element) {
    alignas(64) R values[kLanes];
    std::fill_n(values, kLanes, extend<M, R>(parameters.data() + at + element * sizeof(M)));
    store_lanes(warp.lanes<R>(x.vector[element]), values, mask);
  }
}

enum class Action { load, store, load_parameter };

template <class M, class R>
Handler pick_action(Action action) {
  switch (action) {
    case Action::load:
      return load<M, R>;
    case Action::store:
      return store<M, R>;
    default:
      return load_parameter<M, R>;
  }
}
template <class M>
Handler pick_register(Action action, std::size_t register_width) {
  switch (register_width) {
    case 2:
      if constexpr (sizeof(M) <= 2) return pick_action<M, std::uint16_t>(action);
      return nullptr;
    case 4:
      if constexpr (sizeof(M) <= 4) return pick_action<M, std::uint32_t>(action);
      return nullptr;
    case 8:
      return pick_action<M, std::uint64_t>(action);
    default:
      return nullptr;
  }
}
Handler pick(Action action, Type type, std::size_t register_width) {
  switch (type) {
    case Type::s8:
      return pick_register<std::int8_t>(action, register_width);
    case Type::s16:
      return pick_register<std::int16_t>(action, register_width);
    case Type::s32:
      return pick_register<std::int32_t>(action, register_width);
    default:
      break;
  }
  switch (bytes(type)) {
    case 1:
      return pick_register<std::uint8_t>(action, register_width);
    case 2:
      return pick_register<std::uint16_t>(action, register_width);
    case 4:
      return pick_register<std::uint32_t>(action, register_width);
    default:
      return pick_register<std::uint64_t>(action, register_width);
  }
}

/// Cache hints, weak and volatile accesses change nothing here; ordered ones would.
void take_hints(Builder& b) {
  for (const char* hint : {"ca",
                           "cg",
                           "cs",
                           "lu",
                           "cv",
                           "wb",
                           "wt",

                           "volatile",
                           "weak",
                           "L1::no_allocate",
                           "L1::evict_last",
                           "L1::evict_first",
                           "L1::evict_normal",
                           "L1::evict_unchanged",
                           "L2::64B",
                           "L2::128B",
                           "L2::256B",
                           "L2::evict_last",
                           "L2::evict_first",
                           "L2::evict_normal"}) {
    b.take(hint);
  }
  // A relaxed access of the program's own scope counts as a plain one; races with it are reported all the same.
  if (b.take("relaxed") || b.take("acquire") || b.take("release")) b.fail("ordered loads and stores");
}

Space take_space(Builder& b) {
  if (b.take("global")) return Space::global;
  if (b.take("const")) return Space::constant;
  if (b.take("shared") || b.take("shared::cta")) return Space::shared;
  if (b.take("local")) return Space::local;
  if (b.take("param") || b.take("param::entry") || b.take("param::func")) return Space::parameter;
  return Space::generic;
}

void decode(Builder& b, Action action, std::size_t address_operand, std::size_t data_operand) {
  take_hints(b);
  b.x.option = b.take("nc") ? 1 : 0;
  b.x.space = take_space(b);
  const std::size_t elements = b.take("v2") ? 2 : b.take("v4") ? 4 : b.take("v8") ? 8 : 1;
  b.address(0, address_operand);
  if (b.x.space == Space::parameter && b.resolver.in_local_memory(b.operand(address_operand))) b.x.space = Space::local;
  const bool fixed = b.operand(address_operand).kind != Operand::Kind::reg;
  if (b.x.space == Space::parameter && fixed && action == Action::load) action = Action::load_parameter;
  const Operand& data = b.operand(data_operand);
  Operand list = data;
  if (data.kind != Operand::Kind::vector) list.items = {data};
  if (list.items.size() != elements) b.fail("number of elements");
  std::size_t width = bytes(b.type());
  b.x.width = static_cast<std::uint8_t>(width);
  width = std::max<std::size_t>(width, 2);
  for (const Operand& item : list.items) width = std::max(width, b.resolver.register_width(item));
  b.vector(list, width, true);
  b.x.register_width = static_cast<std::uint8_t>(width);
  b.x.execute = pick(action, b.type(), width);
  if (b.x.execute == nullptr || elements * bytes(b.type()) > 32) b.fail("type");
  b.finish(2);
}
void decode_load(Builder& b) {
  decode(b, Action::load, 1, 0);
}
void decode_store(Builder& b) {
  decode(b, Action::store, 0, 1);
}

}  // namespace

const std::vector<DecoderEntry>& memory_decoders() {
  static const std::vector<DecoderEntry> table = {{"ld", decode_load}, {"ldu", decode_load}, {"st", decode_store}};
  return table;
}

}  // namespace software_gpu::ptx
