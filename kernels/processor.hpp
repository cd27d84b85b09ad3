// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace mpdist::kernels::cpu {

/// oneDNN at run time: "2.6.3".
std::string library_version();

/// The instruction set that oneDNN uses on this processor under DNNL_MAX_CPU_ISA: "avx512_core_bf16". Results differ in
/// their last bits between instruction sets.
std::string instruction_set();

}  // namespace mpdist::kernels::cpu
