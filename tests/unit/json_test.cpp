#include "lib/json.h"

#include <gtest/gtest.h>

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

}  // namespace

TEST(Json, takesAndRefusesWhatThePublicSuiteSays) {
  int seen = 0;
  for (const auto& entry : vectors("json-test-suite/parsing.json")) {
    const std::string name = entry["name"];
    const std::string expect = entry["expect"];
    const std::string text = text_of(entry);
    for (const Policy policy : {Policy::strict, Policy::lenient, Policy::token}) {
      const bool taken = parse(text, policy).has_value();
      const bool doubled = name.find("duplicated_key") != std::string::npos;
      if (expect == "accept") {
        EXPECT_EQ(taken, !(policy == Policy::token && doubled)) << name;
      }
      if (expect == "reject") {
        EXPECT_FALSE(taken) << name;
      }
    }
    ++seen;
  }
  EXPECT_EQ(seen, 318);
}

TEST(Json, neverReadsPastWhatItWasGiven) {
  for (const auto& entry : vectors("json-test-suite/transform.json")) {
    const std::string text = text_of(entry);
    parse(text, Policy::strict);
    EXPECT_TRUE(parse(text, Policy::lenient).has_value() ||
                text.find("\x00"sv) != std::string::npos ||
                !parse(text, Policy::strict).has_value());
  }
}

TEST(Json, aNulIsNoEnd) {
  EXPECT_FALSE(parse("{\"t\":1}\0garbage"sv, Policy::strict));
  EXPECT_FALSE(parse("{}\0"sv, Policy::lenient));
}

TEST(Json, aByteOrderMarkIsSkippedByLenientOnly) {
  EXPECT_FALSE(parse("\xEF\xBB\xBF{}", Policy::strict));
  EXPECT_FALSE(parse("\xEF\xBB\xBF{}", Policy::token));
  EXPECT_TRUE(parse("\xEF\xBB\xBF{}", Policy::lenient));
}

TEST(Json, nestsUpToTheLimitAndNoDeeper) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse(nested(json::kMaxDepth), Policy::strict));
  EXPECT_FALSE(parse(nested(json::kMaxDepth + 1), Policy::strict));
  EXPECT_FALSE(parse(nested(100000), Policy::lenient));
  EXPECT_FALSE(parse(std::string(1000000, '['), Policy::strict));
}

TEST(Json, aNumberBeyondADoubleIsRefusedWhereverItStands) {
  EXPECT_FALSE(parse("{\"ignored\":1e400}", Policy::strict));
  EXPECT_FALSE(parse("[-1e400]", Policy::lenient));
  EXPECT_TRUE(parse("[1e308, 1e-400, -0, 9223372036854775808]", Policy::strict));
}

TEST(Json, theLastOfDuplicatesCounts) {
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

TEST(Json, halfASurrogatePairIsNamedByStrictRepairedByLenientRefusedByToken) {
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

TEST(Json, illFormedBytesAreRefusedOrRepaired) {
  EXPECT_FALSE(parse("[\"\xED\xA0\x80\"]", Policy::strict));
  EXPECT_FALSE(parse("[\"\xC0\xAF\"]", Policy::token));
  const auto lenient = parse("[\"a\xFFz\"]", Policy::lenient);
  ASSERT_TRUE(lenient);
  EXPECT_EQ(*lenient->array()->front().string(), "a\uFFFDz");
}

TEST(Json, protoIsLeftOutByLenientOnly) {
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

TEST(JsonWriter, everyNaughtyStringComesBackTheSame) {
  for (const auto& entry : vectors("naughty-strings/blns.json")) {
    const std::string text = entry;
    json::Writer out;
    out.begin_array().value(text).end_array();
    const auto value = parse(out.text(), Policy::strict);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(*value->array()->front().string(), text);
  }
}
