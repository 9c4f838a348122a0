#include "lib/utf8.h"

#include <gtest/gtest.h>

using namespace std::string_view_literals;

TEST(Utf8, acceptsWhatUnicodeAccepts) {
  for (const auto text :
       {"", "a", "é", "€", "😀", "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF", "\xEE\x80\x80"})
    EXPECT_TRUE(utf8::is_valid(text)) << text;
  EXPECT_TRUE(utf8::is_valid("a\0b"sv));
}

TEST(Utf8, row34_refusesOverlongSurrogatesTooLargeAndCut) {
  for (const auto text : {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF",
                          "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                          "\xFF", "\xE2\x82", "\xF0\x9F\x98", "a\xE2\x82z"})
    EXPECT_FALSE(utf8::is_valid(text));
}

TEST(Utf8, replacesEachMaximalSubpartOnce) {
  EXPECT_EQ(utf8::repaired("a\xF0\x9F\x98z"), "a\uFFFDz");
  EXPECT_EQ(utf8::repaired("\xC0\xAF"), "\uFFFD\uFFFD");
  EXPECT_EQ(utf8::repaired("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(utf8::repaired("\xE2\x82"), "\uFFFD");
  EXPECT_EQ(utf8::repaired("fine €"), "fine €");
}

TEST(Utf8, row34_countsCodePointsAndJavaScriptUnits) {
  EXPECT_EQ(utf8::code_points("aé€😀"), 4U);
  EXPECT_EQ(utf8::utf16_units("aé€😀"), 5U);
  EXPECT_EQ(utf8::code_points("e\u0301"), 2U);
  std::string title;
  for (int i = 0; i < 200; ++i) title += "\U0001F600";
  EXPECT_EQ(utf8::code_points(title), 200U);
  EXPECT_EQ(utf8::utf16_units(title), 400U);
  EXPECT_EQ(utf8::code_points(title + "\u0301"), 201U);
}

TEST(Utf8, row36_knowsEveryWhiteSpaceCharacter) {
  EXPECT_TRUE(utf8::is_blank(""));
  for (const auto space :
       {"\t",     "\n",     "\v",     "\f",     "\r",     " ",      "\u0085", "\u00A0", "\u1680",
        "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
        "\u2009", "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"})
    EXPECT_TRUE(utf8::is_blank(space));
  for (const auto other : {"a", "\u200B", "\uFEFF", "\u180E", "\u2060"})
    EXPECT_FALSE(utf8::is_blank(other));
}

TEST(Utf8, trimsBothEndsOnly) {
  EXPECT_EQ(utf8::trimmed("\u3000 a b\u00A0\n"), "a b");
  EXPECT_EQ(utf8::trimmed(" \t "), "");
}

TEST(Utf8, lowersAsciiOnly) { EXPECT_EQ(utf8::ascii_lower("AZaz09É"), "azaz09É"); }

TEST(Utf8, appendsEveryLength) {
  std::string text;
  for (const char32_t c : {U'A', U'\u00E9', U'\u20AC', U'\U0001F600'}) utf8::append(text, c);
  EXPECT_EQ(text, "Aé€😀");
}

TEST(Utf8, normalisesByNfkc) {
  EXPECT_EQ(utf8::nfkc("\uFB01anc\u0065\u0301\u2460\u212B"), "fianc\u00E91\u00C5");
  EXPECT_EQ(utf8::nfkc("\uFF21"), "A");
  EXPECT_EQ(utf8::nfkc(""), "");
}
