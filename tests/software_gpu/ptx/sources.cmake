# SPDX-License-Identifier: Apache-2.0
set(software_gpu_ptx ptx/approximate.cpp ptx/assembler.cpp ptx/atomics.cpp ptx/barriers.cpp ptx/bits.cpp ptx/block.cpp
    ptx/block_memory.cpp ptx/builder.cpp ptx/carries.cpp ptx/comparison.cpp ptx/control.cpp ptx/conversion.cpp ptx/directed_rounding.cpp
    ptx/exchange.cpp ptx/float_arithmetic.cpp ptx/function_parser.cpp ptx/half_arithmetic.cpp ptx/integer_arithmetic.cpp
    ptx/launch.cpp ptx/lexer.cpp ptx/memory_access.cpp ptx/module.cpp ptx/moves.cpp ptx/operand_resolver.cpp
    ptx/parser.cpp ptx/races.cpp ptx/register_allocation.cpp ptx/selection.cpp ptx/token_reader.cpp ptx/types.cpp)
# Lanes of a warp are computed together: the loops over them must become vector instructions of this machine. Registers
# hold numbers of any type, hence no strict aliasing; sums are never contracted, so that every result is the PTX manual's.
if(NOT DEFINED MPDIST_ARCH)
  set(MPDIST_ARCH native)
endif()
set_source_files_properties(${software_gpu_ptx} PROPERTIES COMPILE_OPTIONS
  "-O3;-march=${MPDIST_ARCH};-fno-strict-aliasing;-fno-math-errno;-fno-trapping-math;-ffp-contract=off")
set_property(SOURCE ptx/directed_rounding.cpp APPEND PROPERTY COMPILE_OPTIONS -frounding-math)
