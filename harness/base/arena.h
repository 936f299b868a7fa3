// A bump allocator for decoded evidence: strings and plain arrays that live as long as the arena and are freed
// together. Not thread-safe. Only trivially destructible element types; nothing is ever destroyed one by one.
#pragma once

#include <cstring>
#include <memory>
#include <memory_resource>
#include <string_view>
#include <type_traits>

namespace hopcheck {

class Arena {
 public:
  Arena() : pool_(64 * 1024) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* data = bytes(text.size());
    std::memcpy(data, text.data(), text.size());
    return {data, text.size()};
  }
  char* bytes(size_t size) { return static_cast<char*>(pool_.allocate(size, 1)); }
  template <class T>
  T* array(size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* data = static_cast<T*>(pool_.allocate(count * sizeof(T), alignof(T)));
    std::uninitialized_default_construct_n(data, count);
    return data;
  }
  template <class T>
  T* make(const T& value) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (pool_.allocate(sizeof(T), alignof(T))) T(value);
  }

 private:
  std::pmr::monotonic_buffer_resource pool_;
};

}  // namespace hopcheck
