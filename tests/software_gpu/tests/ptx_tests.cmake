# SPDX-License-Identifier: Apache-2.0
software_gpu_test(ptx LIBRARIES software_gpu_cudart
                  SOURCES ptx_comparison_test.cpp ptx_conversion_test.cpp ptx_float_test.cpp ptx_integer_test.cpp)

# How fast the executor is: software_gpu_ptx_throughput <PTX text of ptx_throughput.cu>
add_executable(software_gpu_ptx_throughput EXCLUDE_FROM_ALL ptx_throughput.cpp)
target_compile_features(software_gpu_ptx_throughput PRIVATE cxx_std_20)
target_link_libraries(software_gpu_ptx_throughput PRIVATE software_gpu_cudart GTest::gtest)

get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
if("CUDA" IN_LIST languages)
  software_gpu_ptx(software_gpu_defects_ptx ptx_defects.cu)
  software_gpu_test(ptx_defects LIBRARIES software_gpu_cudart SOURCES ptx_defects_test.cpp)
  add_dependencies(software_gpu_ptx_defects_test software_gpu_defects_ptx)
  target_compile_definitions(software_gpu_ptx_defects_test PRIVATE
                             SOFTWARE_GPU_DEFECTS_PTX="$<TARGET_OBJECTS:software_gpu_defects_ptx>")
endif()
