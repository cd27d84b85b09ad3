// SPDX-License-Identifier: Apache-2.0
#include "src/core/cuda.hpp"
#include "src/core/error.hpp"

/// cuda.hpp of a build without CUDA.
namespace mpdist::cuda {
namespace {

[[noreturn]] void absent() {
  throw Unsupported("this program was built without CUDA: run on the CPU, or build with -DMPDIST_CUDA=ON");
}

}  // namespace

Status status() {
  return {.reason = "this program was built without CUDA"};
}

void use(int) {
  absent();
}
int device_in_use() {
  absent();
}
std::string device_name(int) {
  absent();
}
std::string bus_id(int) {
  absent();
}
std::string versions() {
  absent();
}
void* allocate(std::size_t) {
  absent();
}
void* allocate_pinned(std::size_t) {
  absent();
}
void free(void*) {
  absent();
}
void free_pinned(void*) {
  absent();
}
void* create_stream() {
  absent();
}
void destroy_stream(void*) {
  absent();
}
void synchronize_stream(void*) {
  absent();
}
void* create_event(bool) {
  absent();
}
void destroy_event(void*) {
  absent();
}
void record(void*, void*) {
  absent();
}
void synchronize_event(void*) {
  absent();
}
bool happened(void*) {
  absent();
}
float elapsed_ms(void*, void*) {
  absent();
}
void wait(void*, void*) {
  absent();
}
void copy(void*, const void*, std::size_t, void*) {
  absent();
}
void fill_zero(void*, std::size_t, void*) {
  absent();
}
void open_range(const char*) {}
void close_range() {}

}  // namespace mpdist::cuda
