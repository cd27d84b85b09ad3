// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/software_gpu/ptx/types.hpp"

namespace software_gpu::ptx {

/// A variable of a module or of a function; parameters are variables of Space::parameter.
struct Variable {
  std::string name;
  Space space = Space::generic;
  std::size_t bytes = 0;
  std::size_t alignment = 1;
  bool dynamic = false;            ///< `.extern .shared x[]`: as large as the launch says
  bool external = false;           ///< declared here, defined elsewhere
  std::vector<std::byte> initial;  ///< the rest is zero
};

/// Registers that the hardware fills.
enum class Special : std::uint8_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  laneid,
  warpid,
  nwarpid,
  gridid,
  smid,
  nsmid,
  lanemask_eq,
  lanemask_lt,
  lanemask_le,
  lanemask_gt,
  lanemask_ge,
  dynamic_smem_size,
  total_smem_size,
  clock,
  clock64,
  globaltimer,
  count
};

struct Operand {
  enum class Kind : std::uint8_t {
    reg,       ///< `index` in Function::registers
    special,   ///< `index` as Special
    constant,  ///< `bits`
    local,     ///< address of Function::variables[index]
    global,    ///< address of Module::variables[index]
    vector,    ///< `items`
    name,      ///< a label or function, or a list of them: `text`
    sink       ///< `_`
  };
  Kind kind = Kind::sink;
  bool negated = false;  ///< `!p`
  bool address = false;  ///< in brackets
  bool real = false;     ///< a floating-point constant, `0f` or `0d`
  int index = 0;
  std::uint64_t bits = 0;
  std::int64_t offset = 0;  ///< in bytes, of an address
  std::string text;
  std::vector<Operand> items;
};

struct Statement {
  std::string opcode;                  ///< "add"
  std::vector<std::string> modifiers;  ///< "rn", "f32"
  int guard = -1;                      ///< index in Function::registers
  bool guard_negated = false;
  std::vector<Operand> operands;  ///< in the order written; the second destination of `p|q` counts
  bool second_destination = false;
  int line = 0;                          ///< of the PTX text
  int source_file = 0, source_line = 0;  ///< of the program (.loc), 0: unknown
  int call_file = 0, call_line = 0;      ///< where that was inlined, 0: it was not
  std::string text;                      ///< as written, for reports
};

struct Function {
  std::string name;
  bool entry = false;
  bool defined = false;
  std::vector<int> parameters, results;  ///< indices in `variables`
  std::vector<Variable> variables;
  std::vector<Type> registers;
  std::vector<Statement> body;
  std::map<std::string, std::size_t> labels;                     ///< index in `body`
  std::map<std::string, std::vector<std::string>> target_lists;  ///< .branchtargets
  std::size_t max_threads = 1024;                                ///< product of .maxntid or .reqntid
};

struct Module {
  std::string file;
  std::vector<Variable> variables;
  std::map<std::string, Function> functions;
  std::map<int, std::string> source_files;  ///< .file
};

}  // namespace software_gpu::ptx
