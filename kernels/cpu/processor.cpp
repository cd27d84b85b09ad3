// SPDX-License-Identifier: Apache-2.0
#include "kernels/processor.hpp"

#include <dnnl.hpp>

#include <fmt/format.h>

namespace mpdist::kernels::cpu {

std::string library_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string instruction_set() {
  // Numbers and not the enumerators: 2.6 and 3.x each lack some of them.
  switch (static_cast<unsigned>(dnnl::get_effective_cpu_isa())) {
    case 0x1:
      return "sse41";
    case 0x3:
      return "avx";
    case 0x7:
      return "avx2";
    case 0xf:
    case 0x407:
      return "avx2_vnni";
    case 0x1f:
      return "avx2_vnni_2";
    case 0x27:
      return "avx512_core";
    case 0x67:
      return "avx512_core_vnni";
    case 0xe7:
      return "avx512_core_bf16";
    case 0x1ef:
      return "avx512_core_fp16";
    case 0x3e7:
    case 0xfef:
      return "avx512_core_amx";
    case 0x1fef:
      return "avx512_core_amx_fp16";
    default:
      return fmt::format("isa_{:#x}", static_cast<unsigned>(dnnl::get_effective_cpu_isa()));
  }
}

}  // namespace mpdist::kernels::cpu
