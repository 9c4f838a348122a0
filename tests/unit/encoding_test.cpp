// base64, base64url and hexadecimal: the vectors of RFC 4648 section 10, and strictness.
#include "lib/encoding.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using encoding::from_base64url;
using encoding::from_hex;

const std::vector<std::pair<std::string, std::string>> kRfc4648 = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};

std::string every_byte() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

TEST(Encoding, Base64IsThatOfRfc4648) {
  for (const auto& [bytes, text] : kRfc4648) EXPECT_EQ(encoding::base64(bytes), text);
}

TEST(Encoding, Base64urlIsTheSameWithoutPadding) {
  for (const auto& [bytes, text] : kRfc4648) {
    const std::string unpadded = text.substr(0, text.find('='));
    EXPECT_EQ(encoding::base64url(bytes), unpadded);
    EXPECT_EQ(from_base64url(unpadded), bytes);
  }
}

TEST(Encoding, TheAlphabetsDifferInTheLastTwoDigits) {
  EXPECT_EQ(encoding::base64("\xfb\xff\xbf"), "+/+/");
  EXPECT_EQ(encoding::base64url("\xfb\xff\xbf"), "-_-_");
}

TEST(Encoding, EveryByteSurvivesAtEveryLength) {
  const std::string all = every_byte();
  for (std::size_t length = 0; length <= all.size(); ++length) {
    const std::string bytes = all.substr(all.size() - length);
    EXPECT_EQ(from_base64url(encoding::base64url(bytes)), bytes);
    EXPECT_EQ(from_hex(encoding::hex(bytes)), bytes);
  }
}

TEST(Encoding, Base64urlRefusesEveryCharacterOutsideItsAlphabet) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (const char c : every_byte()) {
    const bool inside = alphabet.find(c) != std::string::npos;
    EXPECT_EQ(from_base64url(std::string("AA") + c + "A").has_value(), inside) << int{c};
  }
}

TEST(Encoding, Base64urlRefusesPaddingWhiteSpaceAndAnImpossibleLength) {
  for (const char* text : {"Zg==", "Zm8=", "=", " Zm9v", "Zm9v\n", "Zm 9v", "A", "AAAAA"})
    EXPECT_EQ(from_base64url(text), std::nullopt) << text;
  EXPECT_EQ(from_base64url(std::string_view("Zm9v\0", 5)), std::nullopt);
}

// Of the 64 * 64 texts of two digits, one for each byte.
TEST(Encoding, Base64urlHasOneSpellingForEachValue) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::set<std::string> seen;
  for (const char first : alphabet)
    for (const char second : alphabet)
      if (const auto bytes = from_base64url(std::string{first, second})) {
        EXPECT_TRUE(seen.insert(*bytes).second);
      }
  EXPECT_EQ(seen.size(), 256U);
  EXPECT_EQ(from_base64url("Zm9"), std::nullopt);  // "Zm8" with one unused bit set
}

TEST(Encoding, HexIsLowerCase) {
  EXPECT_EQ(encoding::hex(std::string_view("\x00\x7f\xab\xff", 4)), "007fabff");
  EXPECT_EQ(from_hex("007fabff"), std::string("\x00\x7f\xab\xff", 4));
}

TEST(Encoding, HexRefusesUpperCaseOddLengthAndOtherCharacters) {
  for (const char* text : {"AB", "aB", "a", "abc", "0x12", "g0", "0g", " 00", "-1"})
    EXPECT_EQ(from_hex(text), std::nullopt) << text;
}

}  // namespace
