// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "src/core/device.hpp"
#include "src/core/dtype.hpp"
#include "src/core/pool.hpp"
#include "src/core/shape.hpp"

namespace mpdist {

/// A view (data, shape, dtype, device) of contiguous memory, usually of a pooled block that it keeps alive. Copying a
/// Tensor copies the view, not the elements. Images are [n, height, width, channels].
class Tensor {
 public:
  Tensor() = default;

  /// Pooled, not initialised.
  Tensor(Shape shape, DType dtype, MemoryKind kind, Pool& pool = Pool::host())
      : block_(pool.allocate(static_cast<std::size_t>(shape.elements()) * size_of(dtype), kind)),
        data_(block_.get()->data),
        shape_(shape),
        dtype_(dtype),
        device_(pool.device()) {}

  /// A view of memory that the caller owns and keeps alive.
  Tensor(void* data, Shape shape, DType dtype, Device device = Device::cpu)
      : data_(data), shape_(shape), dtype_(dtype), device_(device) {}

  explicit operator bool() const { return data_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  std::int64_t elements() const { return shape_.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype_); }
  void* raw() const { return data_; }

  /// Typed pointer; throws InvalidArgument when T is not the element type.
  template <class T>
  T* data() const {
    require(dtype_of<T> == dtype_, "tensor of {} read as {}", name_of(dtype_), name_of(dtype_of<T>));
    return static_cast<T*>(data_);
  }
  /// Host memory only.
  template <class T>
  std::span<T> span() const {
    return {data<T>(), static_cast<std::size_t>(elements())};
  }

  /// The same elements under another shape.
  Tensor reshaped(Shape shape) const {
    require(shape.elements() == elements(), "cannot view {} as {}", shape_.to_string(), shape.to_string());
    Tensor view = *this;
    view.shape_ = shape;
    return view;
  }

  /// Rows [begin, end) of the outermost dimension.
  Tensor rows(std::int64_t begin, std::int64_t end) const {
    require(shape_.rank() > 0 && 0 <= begin && begin <= end && end <= shape_[0], "rows [{}, {}) of {}", begin, end,
            shape_.to_string());
    Tensor view = *this;
    Shape shape{end - begin};
    for (int i = 1; i < shape_.rank(); ++i) shape.append(shape_[i]);
    const std::int64_t row = shape_[0] ? elements() / shape_[0] : 0;
    view.data_ = static_cast<std::byte*>(data_) + begin * row * static_cast<std::int64_t>(size_of(dtype_));
    view.shape_ = shape;
    return view;
  }

 private:
  BlockRef block_;
  void* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::fp32;
  Device device_ = Device::cpu;
};

}  // namespace mpdist
