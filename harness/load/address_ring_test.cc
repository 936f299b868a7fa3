#include "load/address_ring.h"

#include <gtest/gtest.h>

namespace hopcheck::load {
namespace {

std::vector<size_t> take(AddressRing& ring, int count) {
  std::vector<size_t> out;
  for (int i = 0; i < count; ++i) out.push_back(ring.next());
  return out;
}

TEST(AddressRing, TakesTurns) {
  AddressRing ring(3);
  EXPECT_EQ(take(ring, 7), (std::vector<size_t>{0, 1, 2, 0, 1, 2, 0}));
  AddressRing one(1);
  EXPECT_EQ(take(one, 3), (std::vector<size_t>{0, 0, 0}));
}

TEST(AddressRing, LeavesOutWhatRefusedWhileAnotherDoesNot) {
  AddressRing ring(2);
  ring.refused(0);
  EXPECT_EQ(take(ring, 4), (std::vector<size_t>{1, 1, 1, 1}));
  ring.connected(0);
  const std::vector<size_t> both = take(ring, 2);
  EXPECT_NE(both[0], both[1]);
}

TEST(AddressRing, WhenAllRefusedAllAreTriedAgain) {
  AddressRing ring(2);
  ring.refused(0);
  ring.refused(1);
  const std::vector<size_t> both = take(ring, 2);
  EXPECT_NE(both[0], both[1]);
  AddressRing one(1);
  one.refused(0);
  EXPECT_EQ(one.next(), 0u);
}

}  // namespace
}  // namespace hopcheck::load
