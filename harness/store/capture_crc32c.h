// CRC-32C (Castagnoli, RFC 3720 appendix B.4), with the processor's instruction where there is one.
#pragma once

#include <cstdint>
#include <string_view>

namespace hopcheck::store {

// Continues from `crc`; start with 0. crc32c(b, crc32c(a)) is the checksum of a followed by b.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);
// The same by table; for tests and processors without the instruction.
uint32_t crc32c_by_table(std::string_view bytes, uint32_t crc = 0);

}  // namespace hopcheck::store
