#include "lib/uri.h"

#include <gtest/gtest.h>

#include "tests/unit/vectors.h"

using uri::Target;
using Segments = std::vector<std::string>;
using namespace std::string_view_literals;

TEST(Uri, decodesOnceAndKeepsAPlus) {
  EXPECT_EQ(uri::percent_decode("a%2Fb%252F+%C3%a9"), "a/b%2F+é");
  EXPECT_EQ(uri::percent_decode("a+b", uri::Plus::is_space), "a b");
}

TEST(Uri, refusesBadEscapesNulAndWhatIsNotUtf8) {
  for (const auto text : {"%", "%4", "%zz", "%4g", "a%", "%00", "%ff", "%C0%AF", "%ED%A0%80"})
    EXPECT_FALSE(uri::percent_decode(text)) << text;
  EXPECT_FALSE(uri::percent_decode("a\0b"sv));
}

TEST(Uri, encodesAsJavaScriptDoes) {
  EXPECT_EQ(uri::percent_encode("a b&é/+=-_.!~*'()"), "a%20b%26%C3%A9%2F%2B%3D-_.!~*'()");
  EXPECT_EQ(uri::form_encode("a b&é~*-._"), "a+b%26%C3%A9%7E*-._");
}

TEST(Target, splitsBeforeItDecodes) {
  const Target target = Target::parse("/api/u%2F1/tasks?x=%2F?y");
  EXPECT_EQ(target.path, "/api/u%2F1/tasks");
  EXPECT_EQ(target.query, "x=%2F?y");
  EXPECT_EQ(target.segments, (Segments{"api", "u/1", "tasks"}));
  EXPECT_FALSE(target.trailing_slash);
}

TEST(Target, oneSlashAtTheEndIsNoSegmentAndTwoAre) {
  EXPECT_EQ(Target::parse("/api/tasks/").segments, (Segments{"api", "tasks"}));
  EXPECT_TRUE(Target::parse("/api/tasks/").trailing_slash);
  EXPECT_EQ(Target::parse("/api/tasks//").segments, (Segments{"api", "tasks", ""}));
  EXPECT_EQ(Target::parse("//api").segments, (Segments{"", "api"}));
  EXPECT_EQ(Target::parse("/").segments, Segments());
  EXPECT_EQ(Target::parse("").segments, Segments());
}

TEST(Target, aPathThatCannotBeDecodedIsNotWellFormed) {
  for (const auto text : {"/a/%zz", "/%4", "/a%00b", "/%FF", "/a\x80"}) {
    EXPECT_FALSE(Target::parse(text).well_formed) << text;
    EXPECT_TRUE(Target::parse(text).segments.empty());
  }
}

TEST(Target, takesTheAbsoluteForm) {
  EXPECT_EQ(Target::parse("http://host:80/api/tasks?a").path, "/api/tasks");
  EXPECT_EQ(Target::parse("http://host").path, "/");
  EXPECT_EQ(Target::parse("http://host?x=/api/tasks").path, "/");
  EXPECT_EQ(Target::parse("http://host?x=/api/tasks").query, "x=/api/tasks");
  EXPECT_EQ(Target::parse("*").path, "/");
}

TEST(Form, readsPairsInTheirOrder) {
  const auto pairs = uri::parse_form("a=1&b&=x&a=2+3%26&&c=");
  ASSERT_TRUE(pairs);
  const std::vector<std::pair<std::string, std::string>> expected{
      {"a", "1"}, {"b", ""}, {"", "x"}, {"a", "2 3&"}, {"c", ""}};
  EXPECT_EQ(*pairs, expected);
  EXPECT_TRUE(uri::parse_form("")->empty());
  EXPECT_FALSE(uri::parse_form("a=%zz"));
  EXPECT_FALSE(uri::parse_form("%ff=1"));
}

TEST(Uri, addsAParameterWhereTheContractSays) {
  for (const auto& entry : vectors("better-auth-vectors.json")["error_redirect"])
    EXPECT_EQ(uri::with_parameter(std::string(entry["callbackURL"]), "error",
                                  std::string(entry["params"]["error"])),
              entry["location"].get<std::string>());
}

TEST(Uri, aUrlInsideAQueryIsLeftAsItIs) {
  EXPECT_EQ(uri::with_parameter("/x?next=http://a.test", "error", "E"),
            "/x?next=http://a.test&error=E");
  EXPECT_EQ(uri::with_parameter("/x#http://a.test", "error", "E"), "/x?error=E#http://a.test");
}

TEST(Uri, aHostWithoutAPathGetsOneBeforeQueryAndFragment) {
  EXPECT_EQ(uri::with_parameter("http://a.test?x=1", "error", "E"), "http://a.test/?x=1&error=E");
  EXPECT_EQ(uri::with_parameter("http://a.test#h", "error", "E"), "http://a.test/?error=E#h");
}

TEST(Uri, aQuestionMarkAtTheEndOfAQueryBelongsToIt) {
  EXPECT_EQ(uri::with_parameter("/x?", "error", "E"), "/x?error=E");
  EXPECT_EQ(uri::with_parameter("/x?y=1?", "error", "E"), "/x?y=1?&error=E");
}

TEST(Uri, aParameterCannotBreakOutOfItsPlace) {
  EXPECT_EQ(uri::with_parameter("/x", "a&b", "c d&e=f#g\r\nSet-Cookie: h"),
            "/x?a%26b=c+d%26e%3Df%23g%0D%0ASet-Cookie%3A+h");
}
