# SPDX-License-Identifier: Apache-2.0
# Declares stand-ins, and what a test needs to run an unchanged CUDA program on them.
cmake_path(SET root NORMALIZE "${CMAKE_CURRENT_SOURCE_DIR}/../..")
set(software_gpu_root ${root} CACHE INTERNAL "include root of the stand-ins and their tests")
set(software_gpu_library_dir ${CMAKE_CURRENT_BINARY_DIR}/lib CACHE INTERNAL "folder of the stand-ins")
# The options of the product do not matter to test equipment, only its warnings do.
set(software_gpu_warnings -Wall -Wextra -Wpedantic -Wshadow -Wno-missing-field-initializers
                          $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # GCC bug 105651

# software_gpu_stand_in(<name> <soversion> HEADERS <vendor's headers> SOURCES <files>)
# Makes target software_gpu_<name>, lib<name>.so.<soversion> with the soname and the symbol version of the vendor's
# library. Every function that the headers declare and the sources do not define stops the program with its name.
function(software_gpu_stand_in name soversion)
  cmake_parse_arguments(arg "" "" "HEADERS;SOURCES" ${ARGN})
  set(target software_gpu_${name})
  set(script ${CMAKE_CURRENT_BINARY_DIR}/${name}.map)
  file(CONFIGURE OUTPUT ${script} CONTENT "lib${name}.so.${soversion} { global: *; };\n")
  software_gpu_unknown_calls(${CMAKE_CURRENT_BINARY_DIR}/${name}_unknown_calls.cpp ${arg_HEADERS})
  add_library(${target} SHARED ${arg_SOURCES} ${CMAKE_CURRENT_BINARY_DIR}/${name}_unknown_calls.cpp)
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_compile_options(${target} PRIVATE -O3 -ffp-contract=off ${software_gpu_warnings})
  target_include_directories(${target} PUBLIC ${software_gpu_root} PRIVATE ${software_gpu_root}/tests/software_gpu)
  target_include_directories(${target} SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS})
  target_link_options(${target} PRIVATE -Wl,--version-script,${script})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} SOVERSION ${soversion} LINK_DEPENDS ${script}
                        LIBRARY_OUTPUT_DIRECTORY ${software_gpu_library_dir} POSITION_INDEPENDENT_CODE ON)
  if(NOT name STREQUAL "cudart")
    target_link_libraries(${target} PUBLIC software_gpu_cudart)
  else()
    target_link_libraries(${target} PRIVATE pthread)
  endif()
endfunction()

# Writes a source with one weak function for each function that the vendor's headers declare.
function(software_gpu_unknown_calls source)
  set(text "// Generated from ${ARGN}\n#include \"tests/software_gpu/core/report.hpp\"\n")
  set(names)
  foreach(header ${ARGN})
    find_file(path ${header} PATHS ${CUDAToolkit_INCLUDE_DIRS} NO_CACHE REQUIRED)
    file(READ ${path} all)
    string(REGEX MATCHALL "(CUDARTAPI|CUBLASWINAPI|CUDNNWINAPI)[ \n]+(cuda|cublasLt|cudnn)[A-Za-z0-9_]+ *\\(" declared
           "${all}")
    string(REGEX MATCHALL "(ncclResult_t|char *\\*) +nccl[A-Za-z0-9_]+ *\\(" declared_nccl "${all}")
    foreach(declaration ${declared} ${declared_nccl})
      string(REGEX REPLACE ".*[ \n*]([A-Za-z0-9_]+) *\\($" "\\1" function "${declaration}")
      list(APPEND names ${function})
    endforeach()
    unset(path)
  endforeach()
  list(REMOVE_DUPLICATES names)
  foreach(function ${names})
    string(APPEND text "extern \"C\" __attribute__((weak)) "
           "void ${function}() { software_gpu::unsupported(\"${function}\"); }\n")
  endforeach()
  file(CONFIGURE OUTPUT ${source} CONTENT "${text}" @ONLY)
endfunction()

# software_gpu_ptx(<target> <.cu files>): the PTX text of kernels, for SOFTWARE_GPU_PTX; needs the language CUDA.
function(software_gpu_ptx target)
  add_library(${target} OBJECT ${ARGN})
  set_target_properties(${target} PROPERTIES CUDA_PTX_COMPILATION ON CUDA_ARCHITECTURES 80-virtual)
  target_include_directories(${target} PRIVATE ${software_gpu_root})
  target_compile_options(${target} PRIVATE -lineinfo)
endfunction()

# software_gpu_environment(<variable> [<targets of software_gpu_ptx>]): the value for a test's ENVIRONMENT_MODIFICATION
# that makes an unchanged CUDA program run on the software GPU.
function(software_gpu_environment variable)
  set(files)
  foreach(target ${ARGN})
    list(APPEND files "$<JOIN:$<TARGET_OBJECTS:${target}>,:>")
  endforeach()
  list(JOIN files ":" files)
  set(${variable} "LD_LIBRARY_PATH=path_list_prepend:${software_gpu_library_dir}" "SOFTWARE_GPU_PTX=set:${files}"
      PARENT_SCOPE)
endfunction()
