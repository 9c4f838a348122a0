#include "lib/json.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "tests/unit/vectors.h"

using json::Kind;
using json::parse;
using json::Policy;
using namespace std::string_view_literals;

namespace {

std::string text_of(const nlohmann::json& entry) {
  if (entry.contains("hex")) return bytes_of_hex(entry["hex"]);
  std::string text;
  const auto& repeat = entry["repeat"];
  const std::string piece = bytes_of_hex(repeat["hex"]);
  for (int i = 0; i < repeat["times"]; ++i) text += piece;
  return text + bytes_of_hex(repeat.value("tail_hex", ""));
}

// The value as text, with '!' behind a string that is not well formed.
std::string shown(const json::Value& value) {
  std::string text;
  if (const double* number = value.number()) {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%.17g", *number);
    return digits;
  }
  if (const auto* string = value.string()) {
    json::append_string(text, *string);
    return value.well_formed() ? text : text + "!";
  }
  if (const auto* array = value.array()) {
    for (const auto& each : *array) text += (text.empty() ? "" : ",") + shown(each);
    return "[" + text + "]";
  }
  if (const auto* object = value.object()) {
    for (const auto& [name, each] : *object)
      text += (text.empty() ? "" : ",") + name + ":" + shown(each);
    return "{" + text + "}";
  }
  return value.boolean() == nullptr ? "null" : *value.boolean() ? "true" : "false";
}

std::string shown(std::string_view text, Policy policy) {
  const auto value = parse(text, policy);
  return value ? shown(*value) : "refused";
}

}  // namespace

TEST(Json, row31_takesAndRefusesWhatThePublicSuiteSays) {
  const std::set<std::string> kRefusedInTokens{"y_object_duplicated_key",
                                               "y_object_duplicated_key_and_value"};
  int seen = 0;
  for (const auto& entry : vectors("json-test-suite/parsing.json")) {
    const std::string name = entry["name"];
    const std::string expect = entry["expect"];
    const std::string text = text_of(entry);
    for (const Policy policy : {Policy::strict, Policy::lenient, Policy::token}) {
      const bool taken = parse(text, policy).has_value();
      if (expect == "accept") {
        EXPECT_EQ(taken, policy != Policy::token || !kRefusedInTokens.contains(name)) << name;
      }
      if (expect == "reject") {
        EXPECT_FALSE(taken) << name;
      }
    }
    ++seen;
  }
  EXPECT_EQ(seen, 318);
}

// Where RFC 8259 lets a parser choose, the contracts choose.
TEST(Json, row31_decidesWhatThePublicSuiteLeavesOpen) {
  const std::set<std::string> kTaken{"i_number_double_huge_neg_exp", "i_number_real_underflow",
                                     "i_number_too_big_neg_int", "i_number_too_big_pos_int",
                                     "i_number_very_big_negative_int"};
  const std::set<std::string> kHalfPair{
      "i_object_key_lone_2nd_surrogate",          "i_string_1st_surrogate_but_2nd_missing",
      "i_string_1st_valid_surrogate_2nd_invalid", "i_string_incomplete_surrogate_and_escape_valid",
      "i_string_incomplete_surrogate_pair",       "i_string_incomplete_surrogates_escape_valid",
      "i_string_invalid_lonely_surrogate",        "i_string_invalid_surrogate",
      "i_string_inverted_surrogates_U+1D11E",     "i_string_lone_second_surrogate"};
  const std::set<std::string> kNotUtf8{"i_string_UTF-8_invalid_sequence",
                                       "i_string_UTF8_surrogate_U+D800",
                                       "i_string_invalid_utf-8",
                                       "i_string_iso_latin_1",
                                       "i_string_lone_utf8_continuation_byte",
                                       "i_string_not_in_unicode_range",
                                       "i_string_overlong_sequence_2_bytes",
                                       "i_string_overlong_sequence_6_bytes",
                                       "i_string_overlong_sequence_6_bytes_null",
                                       "i_string_truncated-utf-8",
                                       "i_structure_UTF-8_BOM_empty_object"};
  const std::set<std::string> kRefused{
      "i_number_huge_exp",          "i_number_neg_int_huge_exp",  "i_number_pos_double_huge_exp",
      "i_number_real_neg_overflow", "i_number_real_pos_overflow", "i_string_UTF-16LE_with_BOM",
      "i_string_utf16BE_no_BOM",    "i_string_utf16LE_no_BOM",    "i_structure_500_nested_arrays"};
  std::size_t seen = 0;
  for (const auto& entry : vectors("json-test-suite/parsing.json")) {
    if (entry["expect"] == "accept" || entry["expect"] == "reject") continue;
    const std::string name = entry["name"];
    const std::string text = text_of(entry);
    const bool taken = kTaken.contains(name);
    const bool half_pair = kHalfPair.contains(name);
    ASSERT_TRUE(taken || half_pair || kNotUtf8.contains(name) || kRefused.contains(name)) << name;
    EXPECT_EQ(parse(text, Policy::strict).has_value(), taken || half_pair) << name;
    EXPECT_EQ(parse(text, Policy::lenient).has_value(), !kRefused.contains(name)) << name;
    EXPECT_EQ(parse(text, Policy::token).has_value(), taken) << name;
    ++seen;
  }
  EXPECT_EQ(seen, kTaken.size() + kHalfPair.size() + kNotUtf8.size() + kRefused.size());
}

TEST(Json, row31_readsTheTransformationsOfThePublicSuiteAsPinned) {
  const std::map<std::string, std::array<const char*, 3>> kPinned{
      // name, strict, lenient, token
      {"number_-9223372036854775808",
       {"[-9.2233720368547758e+18]", "[-9.2233720368547758e+18]", "[-9.2233720368547758e+18]"}},
      {"number_-9223372036854775809",
       {"[-9.2233720368547758e+18]", "[-9.2233720368547758e+18]", "[-9.2233720368547758e+18]"}},
      {"number_1.0", {"[1]", "[1]", "[1]"}},
      {"number_1.000000000000000005", {"[1]", "[1]", "[1]"}},
      {"number_1000000000000000",
       {"[1000000000000000]", "[1000000000000000]", "[1000000000000000]"}},
      {"number_10000000000000000999", {"[1e+19]", "[1e+19]", "[1e+19]"}},
      {"number_1e-999", {"[0]", "[0]", "[0]"}},
      {"number_1e6", {"[1000000]", "[1000000]", "[1000000]"}},
      {"number_9223372036854775807",
       {"[9.2233720368547758e+18]", "[9.2233720368547758e+18]", "[9.2233720368547758e+18]"}},
      {"number_9223372036854775808",
       {"[9.2233720368547758e+18]", "[9.2233720368547758e+18]", "[9.2233720368547758e+18]"}},
      {"object_key_nfc_nfd",
       {"{\u00E9:\"NFC\",e\u0301:\"NFD\"}", "{\u00E9:\"NFC\",e\u0301:\"NFD\"}",
        "{\u00E9:\"NFC\",e\u0301:\"NFD\"}"}},
      {"object_key_nfd_nfc",
       {"{e\u0301:\"NFD\",\u00E9:\"NFC\"}", "{e\u0301:\"NFD\",\u00E9:\"NFC\"}",
        "{e\u0301:\"NFD\",\u00E9:\"NFC\"}"}},
      {"object_same_key_different_values", {"{a:2}", "{a:2}", "refused"}},
      {"object_same_key_same_value", {"{a:1}", "{a:1}", "refused"}},
      {"object_same_key_unclear_values", {"{a:0}", "{a:0}", "refused"}},
      {"string_1_escaped_invalid_codepoint", {"[\"\uFFFD\"!]", "[\"\uFFFD\"!]", "refused"}},
      {"string_1_invalid_codepoint", {"refused", "[\"\uFFFD\uFFFD\uFFFD\"]", "refused"}},
      {"string_2_escaped_invalid_codepoints",
       {"[\"\uFFFD\uFFFD\"!]", "[\"\uFFFD\uFFFD\"!]", "refused"}},
      {"string_2_invalid_codepoints",
       {"refused", "[\"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\"]", "refused"}},
      {"string_3_escaped_invalid_codepoints",
       {"[\"\uFFFD\uFFFD\uFFFD\"!]", "[\"\uFFFD\uFFFD\uFFFD\"!]", "refused"}},
      {"string_3_invalid_codepoints",
       {"refused", "[\"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\"]", "refused"}},
      {"string_with_escaped_NULL", {"[\"A\\u0000B\"]", "[\"A\\u0000B\"]", "[\"A\\u0000B\"]"}}};
  std::size_t seen = 0;
  for (const auto& entry : vectors("json-test-suite/transform.json")) {
    const std::string name = entry["name"];
    const auto pinned = kPinned.find(name);
    ASSERT_NE(pinned, kPinned.end()) << name;
    EXPECT_EQ(shown(text_of(entry), Policy::strict), pinned->second[0]) << name;
    EXPECT_EQ(shown(text_of(entry), Policy::lenient), pinned->second[1]) << name;
    EXPECT_EQ(shown(text_of(entry), Policy::token), pinned->second[2]) << name;
    ++seen;
  }
  EXPECT_EQ(seen, kPinned.size());
}

TEST(Json, row32_anEmptyTextIsNoValue) {
  for (const auto text : {"", " ", "\n\t\r ", "\xEF\xBB\xBF"})
    for (const Policy policy : {Policy::strict, Policy::lenient, Policy::token})
      EXPECT_FALSE(parse(text, policy)) << text;
}

TEST(Json, row32_aNulIsNoEnd) {
  EXPECT_FALSE(parse("{\"t\":1}\0garbage"sv, Policy::strict));
  EXPECT_FALSE(parse("{}\0"sv, Policy::lenient));
}

TEST(Json, row32_aByteOrderMarkIsSkippedByLenientOnly) {
  EXPECT_FALSE(parse("\xEF\xBB\xBF{}", Policy::strict));
  EXPECT_FALSE(parse("\xEF\xBB\xBF{}", Policy::token));
  EXPECT_TRUE(parse("\xEF\xBB\xBF{}", Policy::lenient));
  EXPECT_FALSE(parse("\xEF\xBB\xBF\xEF\xBB\xBF{}", Policy::lenient));
}

TEST(Json, row32_nestsUpToTheLimitAndNoDeeper) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse(nested(json::kMaxDepth), Policy::strict));
  EXPECT_FALSE(parse(nested(json::kMaxDepth + 1), Policy::strict));
  EXPECT_FALSE(parse(nested(100000), Policy::lenient));
  EXPECT_FALSE(parse(std::string(1000000, '['), Policy::strict));
  const auto objects = [](std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += "{\"a\":";
    return text + "1" + std::string(depth, '}');
  };
  EXPECT_TRUE(parse(objects(json::kMaxDepth), Policy::lenient));
  EXPECT_FALSE(parse(objects(json::kMaxDepth + 1), Policy::lenient));
}

TEST(Json, row32_aNumberBeyondADoubleIsRefusedWhereverItStands) {
  EXPECT_FALSE(parse("{\"ignored\":1e400}", Policy::strict));
  EXPECT_FALSE(parse("[-1e400]", Policy::lenient));
  EXPECT_TRUE(parse("[1e308, 1e-400, -0, 9223372036854775808]", Policy::strict));
}

TEST(Json, row32_theLastOfDuplicatesCounts) {
  const auto value = parse(R"({"a":1,"b":2,"a":3})", Policy::strict);
  ASSERT_TRUE(value);
  EXPECT_EQ(*value->find("a")->number(), 3);
  EXPECT_EQ(value->object()->size(), 2U);
  EXPECT_FALSE(parse(R"({"a":1,"a":1})", Policy::token));
  EXPECT_FALSE(parse(R"({"a":1,"\u0061":1})", Policy::token));
}

TEST(Json, manyMembersTakeLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text += "\"" + std::to_string(i) + "\":1,";
  text += "\"x\":1}";
  const auto value = parse(text, Policy::strict);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->object()->size(), 200001U);
}

TEST(Json, row32_halfASurrogatePairIsNamedByStrictRepairedByLenientRefusedByToken) {
  constexpr auto kText =
      R"({"a":"x\ud800y","b":"\udc00","c":"\ud83d\ude00","d":"\\ud800","e":"fine"})";
  const auto strict = parse(kText, Policy::strict);
  ASSERT_TRUE(strict);
  EXPECT_FALSE(strict->find("a")->well_formed());
  EXPECT_FALSE(strict->find("b")->well_formed());
  EXPECT_TRUE(strict->find("c")->well_formed());
  EXPECT_EQ(*strict->find("c")->string(), "😀");
  EXPECT_TRUE(strict->find("d")->well_formed());
  EXPECT_EQ(*strict->find("d")->string(), "\\ud800");
  EXPECT_TRUE(strict->find("e")->well_formed());
  const auto lenient = parse(kText, Policy::lenient);
  ASSERT_TRUE(lenient);
  EXPECT_EQ(*lenient->find("a")->string(), "x\uFFFDy");
  EXPECT_FALSE(parse(kText, Policy::token));
  EXPECT_FALSE(parse(R"({"\ud800":1})", Policy::token));
  EXPECT_TRUE(parse(R"(["\ud800\ud83d\ude00"])", Policy::lenient));
  EXPECT_EQ(*parse(R"(["\ud800\ud83d\ude00"])", Policy::lenient)->array()->front().string(),
            "\uFFFD😀");
  EXPECT_FALSE(parse(R"(["\ud800\u12"])", Policy::strict));
}

TEST(Json, row34_illFormedBytesAreRefusedOrRepaired) {
  EXPECT_FALSE(parse("[\"\xED\xA0\x80\"]", Policy::strict));
  EXPECT_FALSE(parse("[\"\xC0\xAF\"]", Policy::token));
  const auto lenient = parse("[\"a\xFFz\"]", Policy::lenient);
  ASSERT_TRUE(lenient);
  EXPECT_EQ(*lenient->array()->front().string(), "a\uFFFDz");
}

TEST(Json, row32_protoIsLeftOutByLenientOnly) {
  EXPECT_EQ(parse(R"({"__proto__":{"a":1},"b":2})", Policy::lenient)->find("__proto__"), nullptr);
  EXPECT_NE(parse(R"({"__proto__":{"a":1},"b":2})", Policy::lenient)->find("b"), nullptr);
  EXPECT_NE(parse(R"({"__proto__":1})", Policy::strict)->find("__proto__"), nullptr);
}

TEST(Json, kindsAreTold) {
  const auto value = parse(R"([null,true,1.5,"s",[],{}])", Policy::strict);
  ASSERT_TRUE(value);
  const Kind kinds[] = {Kind::null,   Kind::boolean, Kind::number,
                        Kind::string, Kind::array,   Kind::object};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ((*value->array())[i].kind(), kinds[i]);
  EXPECT_EQ(value->find("x"), nullptr);
  EXPECT_EQ((*value->array())[1].number(), nullptr);
}

TEST(JsonWriter, escapesWhatMustBeAndNothingElse) {
  json::Writer out;
  out.value("\"\\/\b\f\n\r\t\x01\x1f\x7f é\u2028</script>");
  EXPECT_EQ(out.text(), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f é\u2028</script>\"");
}

TEST(JsonWriter, putsCommasBetweenMembersOnly) {
  json::Writer out;
  out.begin_object()
      .member("a", true)
      .member("b", std::optional<std::string>())
      .key("c")
      .begin_array();
  out.value(std::int64_t{-1}).value(nullptr).begin_object().end_object().raw("[1]").end_array();
  out.member("d", "text").end_object();
  EXPECT_EQ(out.take(), R"({"a":true,"b":null,"c":[-1,null,{},[1]],"d":"text"})");
}

TEST(JsonWriter, row33_everyNaughtyStringComesBackTheSame) {
  for (const auto& entry : vectors("naughty-strings/blns.json")) {
    const std::string text = entry;
    json::Writer out;
    out.begin_array().value(text).end_array();
    const auto value = parse(out.text(), Policy::strict);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(*value->array()->front().string(), text);
  }
}
