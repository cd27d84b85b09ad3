# SPDX-License-Identifier: Apache-2.0
software_gpu_test(ptx LIBRARIES software_gpu_cudart
                  SOURCES ptx_comparison_test.cpp ptx_control_test.cpp ptx_conversion_test.cpp ptx_float_test.cpp
                          ptx_integer_test.cpp ptx_memory_test.cpp ptx_parser_test.cpp ptx_races_test.cpp)

get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
if("CUDA" IN_LIST languages)
  foreach(name defects programs)
    string(TOUPPER ${name} upper)
    software_gpu_ptx(software_gpu_${name}_ptx ptx_${name}.cu)
    target_include_directories(software_gpu_${name}_ptx PRIVATE ${software_gpu_root})
    software_gpu_test(ptx_${name} LIBRARIES software_gpu_cudart SOURCES ptx_${name}_test.cpp)
    add_dependencies(software_gpu_ptx_${name}_test software_gpu_${name}_ptx)
    target_compile_definitions(software_gpu_ptx_${name}_test PRIVATE
                               SOFTWARE_GPU_${upper}_PTX="$<TARGET_OBJECTS:software_gpu_${name}_ptx>")
  endforeach()

  # How fast the executor is: build and run software_gpu_ptx_throughput.
  software_gpu_ptx(software_gpu_throughput_ptx ptx_throughput.cu)
  add_executable(software_gpu_ptx_throughput EXCLUDE_FROM_ALL ptx_throughput.cpp)
  target_compile_features(software_gpu_ptx_throughput PRIVATE cxx_std_20)
  target_link_libraries(software_gpu_ptx_throughput PRIVATE software_gpu_cudart GTest::gtest)
  add_dependencies(software_gpu_ptx_throughput software_gpu_throughput_ptx)
  set_target_properties(software_gpu_throughput_ptx PROPERTIES EXCLUDE_FROM_ALL ON)
  target_compile_definitions(software_gpu_ptx_throughput PRIVATE
                             SOFTWARE_GPU_THROUGHPUT_PTX="$<TARGET_OBJECTS:software_gpu_throughput_ptx>")
endif()
