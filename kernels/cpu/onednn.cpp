// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/onednn.hpp"

#include <cstring>
#include <dnnl.hpp>
#include <map>
#include <string_view>

#include "kernels/cpu/tile_passes.hpp"
#include "kernels/cpu/weight_layout.hpp"
#include "kernels/threads.hpp"
#include "src/core/error.hpp"

namespace mpdist::kernels::cpu::onednn {

using Description = dnnl::memory::desc;
using Extents = dnnl::memory::dims;
using dnnl::memory;

/// One primitive with memory objects whose pointers are set before each run.
struct PlanParts {
  dnnl::primitive primitive;
  std::string implementation;
  DType operands = DType::fp32;
  std::size_t scratch_bytes = 0, packed_bytes = 0;
  dnnl::memory a, b, bias, c, scratch;  ///< convolution: x, weights or their gradient, bias, y
  std::vector<dnnl_exec_arg_t> arguments;
  dnnl::reorder reorder;  ///< packs or unpacks weights
  dnnl::memory plain, packed;
  std::vector<dnnl_exec_arg_t> reorder_arguments;
  WeightLayout layout;  ///< of packed weights, where they are packed without the reorder
};

namespace {

/// Runs f; oneDNN's exceptions become LibraryError.
template <class F>
auto checked(const char* call, F&& f) {
  try {
    return f();
  } catch (const dnnl::error& error) {
    throw LibraryError("oneDNN", call, fmt::format("status {} ({})", static_cast<int>(error.status), error.message));
  }
}

const dnnl::engine& engine() {
  static const dnnl::engine engine = checked("engine", [] { return dnnl::engine(dnnl::engine::kind::cpu, 0); });
  return engine;
}

memory::data_type data_type(DType type) {
  return type == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

/// What a thread owns: its stream and its plans by shape and thread count.
struct ThreadState {
  dnnl::stream stream{engine()};
  std::map<std::pair<MatmulShape, int>, MatmulPlan> matmuls;
  std::map<std::pair<ConvolutionShape, int>, ConvolutionPlan> convolutions;
};

ThreadState& state() {
  thread_local ThreadState state;
  return state;
}

/// The C call: the C++ one builds a map from the arguments each time.
void execute(const dnnl::primitive& primitive, const std::vector<dnnl_exec_arg_t>& arguments, std::string_view name) {
  const dnnl_status_t status = dnnl_primitive_execute(primitive.get(), state().stream.get(),
                                                      static_cast<int>(arguments.size()), arguments.data());
  if (status != dnnl_success) {
    throw LibraryError("oneDNN", fmt::format("dnnl_primitive_execute of {}", name),
                       fmt::format("status {}", static_cast<int>(status)));
  }
}

void point(const dnnl::memory& memory, const void* data) {
  if (memory) checked("set_data_handle", [&] { memory.set_data_handle(const_cast<void*>(data)); });
}

void point_operands(const PlanParts& parts, const void* a, const void* b, const float* bias, const void* c,
                    const void* scratch) {
  point(parts.a, a);
  point(parts.b, b);
  point(parts.bias, bias);
  point(parts.c, c);
  point(parts.scratch, scratch);
}

void run_reorder(const PlanParts& parts, const void* plain, const void* packed) {
  point(parts.plain, plain);
  point(parts.packed, packed);
  execute(parts.reorder, parts.reorder_arguments, "reorder");
}

template <class PrimitiveDescription>
void take(PlanParts& parts, const PrimitiveDescription& description) {
  parts.implementation = description.impl_info_str();
  const Description scratch = description.scratchpad_desc();
  parts.scratch_bytes = scratch.get_size();
  parts.scratch = dnnl::memory(scratch, engine(), nullptr);
  parts.arguments.push_back({DNNL_ARG_SCRATCHPAD, parts.scratch.get()});
}

void add_argument(PlanParts& parts, dnnl::memory& slot, const Description& description, int argument) {
  slot = dnnl::memory(description, engine(), nullptr);
  parts.arguments.push_back({argument, slot.get()});
}

dnnl::primitive_attr attributes(bool accumulate) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (accumulate) {
    dnnl::post_ops post;
    post.append_sum(1.0F);
    attributes.set_post_ops(post);
  }
  return attributes;
}

Description matrix(std::int64_t rows, std::int64_t columns, std::int64_t leading, bool transposed, DType type) {
  const Extents strides = transposed ? Extents{1, leading} : Extents{leading, 1};
  return {{rows, columns}, data_type(type), strides};
}

dnnl::matmul::primitive_desc describe(const MatmulShape& s) {
  const Description a = matrix(s.rows, s.depth, s.a_leading, s.a_transposed, s.operands);
  const Description b = matrix(s.depth, s.columns, s.b_leading, s.b_transposed, s.operands);
  const Description c = matrix(s.rows, s.columns, s.c_leading, false, s.result);
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), a, b, c, attributes(s.accumulate)};
#else
  return {dnnl::matmul::desc(a, b, c), attributes(s.accumulate), engine()};
#endif
}

/// Descriptions of a convolution's operands in oneDNN's order of extents (NCHW, OIHW), whatever the order in memory.
struct ConvolutionOperands {
  explicit ConvolutionOperands(const ConvolutionShape& s) {
    const std::int64_t out_height = (s.height + 2 * s.padding - s.kernel_height) / s.stride + 1;
    const std::int64_t out_width = (s.width + 2 * s.padding - s.kernel_width) / s.stride + 1;
    const auto type = data_type(s.operands);
    x = {{s.images, s.in, s.height, s.width}, type, memory::format_tag::nhwc};
    y = {{s.images, s.out, out_height, out_width}, type, memory::format_tag::nhwc};
    Extents extents{s.out / s.groups, s.in / s.groups, s.kernel_height, s.kernel_width};
    if (s.groups > 1) extents.insert(extents.begin(), s.groups);
    const bool gradient = s.pass == ConvolutionPass::backward_weights;
    const auto weight_type = gradient ? memory::data_type::f32 : type;
    weight = {extents, weight_type, memory::format_tag::any};
    hint_weight = {extents, type, memory::format_tag::any};
    plain_weight = {extents, weight_type, s.groups > 1 ? memory::format_tag::gohwi : memory::format_tag::ohwi};
    if (s.bias) bias = {{s.out}, memory::data_type::f32, memory::format_tag::x};
    strides = {s.stride, s.stride};
    padding = {s.padding, s.padding};
    // The far padding covers the last output exactly; with a stride it may be less than the near one.
    far_padding = {(out_height - 1) * s.stride + s.kernel_height - s.height - s.padding,
                   (out_width - 1) * s.stride + s.kernel_width - s.width - s.padding};
  }
  Description x, y, weight, hint_weight, plain_weight, bias;
  Extents strides, padding, far_padding;
};

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

dnnl::convolution_forward::primitive_desc describe_forward(const ConvolutionOperands& o) {
  constexpr auto training = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), training,  kDirect,   o.x,           o.hint_weight,    o.bias,
          o.y,      o.strides, o.padding, o.far_padding, attributes(false)};
#else
  return {{training, kDirect, o.x, o.hint_weight, o.bias, o.y, o.strides, o.padding, o.far_padding},
          attributes(false),
          engine()};
#endif
}

dnnl::convolution_backward_data::primitive_desc describe_backward_data(const ConvolutionOperands& o) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),         kDirect, o.x, o.weight, o.y, o.strides, o.padding, o.far_padding, describe_forward(o),
          attributes(false)};
#else
  return {{kDirect, o.x, o.weight, o.y, o.strides, o.padding, o.far_padding},
          attributes(false),
          engine(),
          describe_forward(o)};
#endif
}

dnnl::convolution_backward_weights::primitive_desc describe_backward_weights(const ConvolutionOperands& o) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),         kDirect, o.x, o.weight, o.y, o.strides, o.padding, o.far_padding, describe_forward(o),
          attributes(false)};
#else
  return {{kDirect, o.x, o.weight, o.y, o.strides, o.padding, o.far_padding},
          attributes(false),
          engine(),
          describe_forward(o)};
#endif
}

/// Strides and inner blocks of a blocked layout.
struct Blocking {
  std::vector<std::int64_t> strides, inner_blocks, inner_dimensions;
};

Blocking blocking_of(const Description& description) {
  Blocking result;
#if DNNL_VERSION_MAJOR >= 3
  if (description.get_format_kind() != memory::format_kind::blocked) return result;
  result.strides = description.get_strides();
  const auto blocks = description.get_inner_blks(), dimensions = description.get_inner_idxs();
  result.inner_blocks.assign(blocks.begin(), blocks.end());
  result.inner_dimensions.assign(dimensions.begin(), dimensions.end());
#else
  const dnnl_memory_desc_t& data = description.data;
  if (data.format_kind != dnnl_blocked || data.extra.flags != 0 || data.offset0 != 0) return result;
  const dnnl_blocking_desc_t& blocking = data.format_desc.blocking;
  result.strides.assign(blocking.strides, blocking.strides + data.ndims);
  result.inner_blocks.assign(blocking.inner_blks, blocking.inner_blks + blocking.inner_nblks);
  result.inner_dimensions.assign(blocking.inner_idxs, blocking.inner_idxs + blocking.inner_nblks);
#endif
  return result;
}

/// The offsets of the indices of one dimension: what is left of an index after its inner blocks, innermost last, goes
/// by the stride.
std::vector<std::int64_t> offsets_of(const Blocking& blocking, std::int64_t dimension, std::int64_t extent) {
  std::vector<std::int64_t> result(static_cast<std::size_t>(extent));
  for (std::int64_t index = 0; index < extent; ++index) {
    std::int64_t rest = index, inner = 1, offset = 0;
    for (std::size_t b = blocking.inner_blocks.size(); b-- > 0;) {
      const std::int64_t block = blocking.inner_blocks[b];
      if (blocking.inner_dimensions[b] == dimension) {
        offset += rest % block * inner;
        rest /= block;
      }
      inner *= block;
    }
    result[static_cast<std::size_t>(index)] = offset + rest * blocking.strides[static_cast<std::size_t>(dimension)];
  }
  return result;
}

bool wide_weights(const ConvolutionShape& shape) {
  return shape.operands == DType::fp32 || shape.pass == ConvolutionPass::backward_weights;
}

/// Its order is unknown where our own packing does not do.
WeightLayout layout_of(const ConvolutionShape& shape, const Description& packed) {
  WeightLayout layout;
  const Blocking blocking = blocking_of(packed);
  if (shape.groups > 1 || blocking.strides.size() != 4) return layout;
  layout.out = shape.out, layout.in = shape.in;
  layout.height = shape.kernel_height, layout.width = shape.kernel_width;
  layout.element_bytes = wide_weights(shape) ? 4 : 2;
  layout.out_offset = offsets_of(blocking, 0, shape.out);
  layout.in_offset = offsets_of(blocking, 1, shape.in);
  layout.height_stride = blocking.strides[2], layout.width_stride = blocking.strides[3];
  layout.classify();
  using enum WeightLayout::Order;
  const bool pairs = layout.order == in_pairs || layout.order == out_pairs;
  if (wide_weights(shape) == pairs) layout.order = unknown;
  return layout;
}

/// Sets up the reorder between the plain weights and the pass's own layout.
void add_reorder(PlanParts& parts, const Description& plain, const Description& packed, bool pack) {
  parts.packed_bytes = packed.get_size();
  parts.plain = dnnl::memory(plain, engine(), nullptr);
  parts.packed = dnnl::memory(packed, engine(), nullptr);
  const dnnl::memory& from = pack ? parts.plain : parts.packed;
  const dnnl::memory& to = pack ? parts.packed : parts.plain;
  parts.reorder = dnnl::reorder(from, to);
  parts.reorder_arguments = {{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}};
}

void build_forward(PlanParts& parts, const ConvolutionOperands& o, const ConvolutionShape& shape) {
  const auto description = describe_forward(o);
  parts.primitive = dnnl::convolution_forward(description);
  take(parts, description);
  add_argument(parts, parts.a, description.src_desc(), DNNL_ARG_SRC);
  add_argument(parts, parts.b, description.weights_desc(), DNNL_ARG_WEIGHTS);
  add_argument(parts, parts.c, description.dst_desc(), DNNL_ARG_DST);
  if (shape.bias) add_argument(parts, parts.bias, description.bias_desc(), DNNL_ARG_BIAS);
  add_reorder(parts, o.plain_weight, description.weights_desc(), true);
  parts.layout = layout_of(shape, description.weights_desc());
}

void build_backward_data(PlanParts& parts, const ConvolutionOperands& o, const ConvolutionShape& shape) {
  const auto description = describe_backward_data(o);
  parts.primitive = dnnl::convolution_backward_data(description);
  take(parts, description);
  add_argument(parts, parts.a, description.diff_src_desc(), DNNL_ARG_DIFF_SRC);
  add_argument(parts, parts.b, description.weights_desc(), DNNL_ARG_WEIGHTS);
  add_argument(parts, parts.c, description.diff_dst_desc(), DNNL_ARG_DIFF_DST);
  add_reorder(parts, o.plain_weight, description.weights_desc(), true);
  parts.layout = layout_of(shape, description.weights_desc());
}

void build_backward_weights(PlanParts& parts, const ConvolutionOperands& o, const ConvolutionShape& shape) {
  const auto description = describe_backward_weights(o);
  parts.primitive = dnnl::convolution_backward_weights(description);
  take(parts, description);
  add_argument(parts, parts.a, description.src_desc(), DNNL_ARG_SRC);
  add_argument(parts, parts.b, description.diff_weights_desc(), DNNL_ARG_DIFF_WEIGHTS);
  add_argument(parts, parts.c, description.diff_dst_desc(), DNNL_ARG_DIFF_DST);
  add_reorder(parts, o.plain_weight, description.diff_weights_desc(), false);
  parts.layout = layout_of(shape, description.diff_weights_desc());
}

/// Makes the plan in place on its first use: plans hold no move.
template <class Plan, class Shape>
const Plan& find_or_make(std::map<std::pair<Shape, int>, Plan>& plans, const Shape& shape) {
  return plans.try_emplace({shape, threads()}, shape).first->second;
}

}  // namespace

bool is_native(DType type) {
  constexpr auto bf16_bits = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  static const bool bf16 = (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bf16_bits) == bf16_bits;
  return type == DType::fp32 || (type == DType::bf16 && bf16);
}

MatmulPlan::MatmulPlan(const MatmulShape& shape) : parts_(std::make_unique<PlanParts>()) {
  checked("matmul", [&] {
    const auto description = describe(shape);
    parts_->primitive = dnnl::matmul(description);
    take(*parts_, description);
    add_argument(*parts_, parts_->a, description.src_desc(), DNNL_ARG_SRC);
    add_argument(*parts_, parts_->b, description.weights_desc(), DNNL_ARG_WEIGHTS);
    add_argument(*parts_, parts_->c, description.dst_desc(), DNNL_ARG_DST);
  });
}

MatmulPlan::~MatmulPlan() = default;
std::size_t MatmulPlan::scratch_bytes() const {
  return parts_->scratch_bytes;
}
std::string MatmulPlan::implementation() const {
  return parts_->implementation;
}

void MatmulPlan::run(const void* a, const void* b, void* c, void* scratch) const {
  point_operands(*parts_, a, b, nullptr, c, scratch);
  execute(parts_->primitive, parts_->arguments, parts_->implementation);
}

ConvolutionPlan::ConvolutionPlan(const ConvolutionShape& shape) : parts_(std::make_unique<PlanParts>()) {
  checked("convolution", [&] {
    const ConvolutionOperands operands(shape);
    parts_->operands = shape.operands;
    if (shape.pass == ConvolutionPass::forward) build_forward(*parts_, operands, shape);
    if (shape.pass == ConvolutionPass::backward_data) build_backward_data(*parts_, operands, shape);
    if (shape.pass == ConvolutionPass::backward_weights) build_backward_weights(*parts_, operands, shape);
  });
}

ConvolutionPlan::~ConvolutionPlan() = default;
std::size_t ConvolutionPlan::scratch_bytes() const {
  return parts_->scratch_bytes;
}
std::size_t ConvolutionPlan::packed_bytes() const {
  return parts_->packed_bytes;
}
std::string ConvolutionPlan::implementation() const {
  return parts_->implementation;
}

std::size_t ConvolutionPlan::wide_bytes(DType type) const {
  const bool by_reorder = parts_->layout.order == WeightLayout::Order::unknown;
  return by_reorder && type != parts_->operands ? parts_->plain.get_desc().get_size() : 0;
}

void ConvolutionPlan::pack(const void* weight, DType type, float* wide, void* packed) const {
  using enum WeightLayout::Order;
  const WeightLayout& layout = parts_->layout;
  with_compute_type(type, [&]<class T>(T) {
    const T* const plain = static_cast<const T*>(weight);
    if (layout.order == unknown) {
      if (type != parts_->operands) widen(plain, static_cast<std::int64_t>(wide_bytes(type) / sizeof(float)), wide);
      return run_reorder(*parts_, type == parts_->operands ? weight : wide, packed);
    }
    // Blocks that the weights do not fill: oneDNN expects zeros there.
    if (layout.bytes() != packed_bytes()) std::memset(packed, 0, packed_bytes());
    if (parts_->operands == DType::fp32) return layout.pack(plain, static_cast<float*>(packed));
    if constexpr (std::is_same_v<T, bfloat16>) layout.pack(plain, static_cast<bfloat16*>(packed));
  });
}
void ConvolutionPlan::unpack(const float* packed, float* dweight) const {
  if (parts_->layout.order == WeightLayout::Order::unknown) {
    run_reorder(*parts_, dweight, packed);
  } else {
    parts_->layout.unpack(packed, dweight);
  }
}

void ConvolutionPlan::run(const void* x, const void* packed, const float* bias, const void* y, void* scratch) const {
  ++runs_;
  point_operands(*parts_, x, packed, bias, y, scratch);
  execute(parts_->primitive, parts_->arguments, parts_->implementation);
}

const MatmulPlan& plan(const MatmulShape& shape) {
  return find_or_make(state().matmuls, shape);
}
const ConvolutionPlan& plan(const ConvolutionShape& shape) {
  return find_or_make(state().convolutions, shape);
}

std::vector<std::pair<ConvolutionShape, std::int64_t>> convolution_runs() {
  std::vector<std::pair<ConvolutionShape, std::int64_t>> result;
  for (const auto& [key, plan] : state().convolutions) result.emplace_back(key.first, plan.runs());
  return result;
}

}  // namespace mpdist::kernels::cpu::onednn
