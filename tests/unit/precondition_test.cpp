// lib/precondition and the versions of lib/task: what the headers say, without a database.
#include "lib/precondition.h"

#include <gtest/gtest.h>

#include "lib/task.h"
#include "tests/unit/fake_request.h"

namespace {

using Opaque = std::vector<std::string_view>;

std::string key_of(const std::string& key) {
  const Fake fake({"HTTP_IDEMPOTENCY_KEY=" + key});
  return std::string(precondition::idempotency_key(fake.request()).value());
}

http::Response tagged(std::string method, std::vector<std::string> headers) {
  headers.push_back("REQUEST_METHOD=" + method);
  const Fake fake(std::move(headers));
  return precondition::tagged(fake.request(), http::Response::json(200, "{}"), "v");
}

const timestamp::Time kTime = *timestamp::from_text("2026-01-02T03:04:05.678901Z");
constexpr const char* kVersion = "5-1767323045678901";

task::Condition condition(std::vector<std::string> headers, bool camel_case = false) {
  Fake fake(std::move(headers));
  fake.settings().camel_case = camel_case;
  return task::condition_from(fake.request(), "5");
}

}  // namespace

TEST(Tags, aListIsReadAsRfc9110WritesIt) {
  EXPECT_EQ(precondition::parse("\"a\"")->opaque, Opaque{"a"});
  EXPECT_EQ(precondition::parse("W/\"a\"")->opaque, Opaque{"a"});
  EXPECT_EQ(precondition::parse("\"a\",W/\"b\" ,\t\"c\"")->opaque, (Opaque{"a", "b", "c"}));
  EXPECT_EQ(precondition::parse(",\"a\", ,\"b\",")->opaque, (Opaque{"a", "b"}));
  EXPECT_EQ(precondition::parse("\"\"")->opaque, Opaque{""});
  EXPECT_EQ(precondition::parse("\"a,b\"")->opaque, Opaque{"a,b"});
  EXPECT_EQ(precondition::parse("\"\\\"")->opaque, Opaque{"\\"});  // no escapes
  EXPECT_EQ(precondition::parse("\"\xc3\xa9!#~\"")->opaque, Opaque{"\xc3\xa9!#~"});
  EXPECT_TRUE(precondition::parse("")->opaque.empty());
  EXPECT_FALSE(precondition::parse("\"*\"")->any);
  EXPECT_TRUE(precondition::parse("*")->any);
}

TEST(Tags, anythingElseIsNoList) {
  for (const char* field :
       {"a",           "w/\"a\"",    "W/a",    "W/",      "W/*",     "\"a",       "a\"",
        "\"a\" \"b\"", "\"a\"\"b\"", "\"a\"b", "\"a\",b", "\"a b\"", "\"a\x7f\"", "\"a\tb\"",
        "*, \"a\"",    "\"a\", *",   "**",     "'a'",     "\"",      "W/ \"a\"",  "\"\x01\""})
    EXPECT_FALSE(precondition::parse(field)) << field;
}

TEST(Tags, aTagMatchesItselfOnly) {
  const auto tags = precondition::parse("W/\"a\", \"b\"");
  EXPECT_TRUE(tags->match("a"));
  EXPECT_TRUE(tags->match("b"));
  for (const char* other : {"", "A", "ab", "a\", \"b", "W/\"a\""}) EXPECT_FALSE(tags->match(other));
  EXPECT_TRUE(precondition::parse("*")->match("anything"));
  EXPECT_FALSE(precondition::parse("")->match(""));
}

TEST(Tagged, aReaderWhoKnowsTheVersionGetsNoBody) {
  for (const char* method : {"GET", "HEAD"}) {
    for (const char* known : {"\"v\"", "W/\"v\"", "*", "\"x\", W/\"v\""}) {
      const http::Response response = tagged(method, {std::string("HTTP_IF_NONE_MATCH=") + known});
      EXPECT_EQ(response.status, 304) << known;
      EXPECT_EQ(response.body, "");
      EXPECT_EQ(response.headers, (http::Headers{{"ETag", "W/\"v\""}}));
    }
    for (const char* other : {"", "\"x\"", "v", "\"v\" \"v\"", "w/\"v\"", "**"}) {
      const http::Response response = tagged(method, {std::string("HTTP_IF_NONE_MATCH=") + other});
      EXPECT_EQ(response.status, 200) << other;
      EXPECT_EQ(response.body, "{}");
      EXPECT_EQ(response.headers.back(), (http::Headers::value_type{"ETag", "W/\"v\""}));
    }
  }
  EXPECT_EQ(tagged("PUT", {"HTTP_IF_NONE_MATCH=\"v\""}).status, 200);
}

TEST(Tagged, aReaderWhoWantsAnotherVersionIsTold) {
  for (const char* other : {"\"x\"", "v", "", "\"v\" \"v\""})
    EXPECT_EQ(status_of([&] { tagged("GET", {std::string("HTTP_IF_MATCH=") + other}); }), 412)
        << other;
  for (const char* wanted : {"\"v\"", "W/\"v\"", "*"})
    EXPECT_EQ(tagged("GET", {std::string("HTTP_IF_MATCH=") + wanted}).status, 200) << wanted;
  // RFC 9110, section 13.2.2: If-Match comes first.
  EXPECT_EQ(status_of([&] {
              tagged("GET", {"HTTP_IF_MATCH=\"x\"", "HTTP_IF_NONE_MATCH=\"v\""});
            }),
            412);
}

TEST(IdempotencyKey, has1To64VisibleCharacters) {
  const Fake none({"REQUEST_METHOD=POST"});
  EXPECT_FALSE(precondition::idempotency_key(none.request()));
  const std::string longest(64, 'k');
  for (const std::string& key : {std::string("k"), std::string("!\"#~"), longest})
    EXPECT_EQ(key_of(key), key);
  for (const std::string& key : {std::string(""), longest + "k", std::string("a b"),
                                 std::string("a\tb"), std::string("\xc3\xa9"), std::string("\x7f")})
    EXPECT_EQ(status_of([&] { key_of(key); }), 422) << key;
}

TEST(TaskVersion, namesOneStateOfOneTask) {
  const auto one = std::chrono::microseconds(1);
  EXPECT_EQ(task::version(5, kTime, false), kVersion);
  EXPECT_NE(task::version(5, kTime + one, false), kVersion);
  EXPECT_NE(task::version(6, kTime, false), kVersion);
  EXPECT_NE(task::version(5, kTime, true), kVersion);
}

TEST(TaskVersion, ifMatchNamesTheTimesThatWillDo) {
  const std::string tag = "\"" + std::string(kVersion) + "\"";
  EXPECT_FALSE(condition({}).one_of);
  EXPECT_FALSE(condition({"HTTP_IF_MATCH=*"}).one_of);
  EXPECT_EQ(condition({"HTTP_IF_MATCH=W/" + tag}).one_of, "{2026-01-02T03:04:05.678901Z}");
  EXPECT_EQ(condition({"HTTP_IF_MATCH=\"5-0\", " + tag}).one_of,
            "{1970-01-01T00:00:00.000000Z,2026-01-02T03:04:05.678901Z}");
  EXPECT_EQ(condition({"HTTP_IF_MATCH=\"5--1\""}).one_of, "{1969-12-31T23:59:59.999999Z}");
  // Another task's, another spelling, beyond what the database takes, no tag of ours, no list.
  for (const char* other :
       {"\"6-1767323045678901\"", "\"5-01767323045678901\"", "\"05-1767323045678901\"", "\"5-+1\"",
        "\"5--0\"", "\"5- 1\"", "\"5-\"", "\"-\"", "\"5\"", "\"5-1x\"", "\"\"",
        "\"5-9223372036854775807\"", "\"5--9223372036854775808\"", "\"5-99999999999999999999\"",
        "\"5-1767323045678901-c\"", "\"5-infinity\"", "\"}\"", "5-1767323045678901", ""})
    EXPECT_EQ(condition({std::string("HTTP_IF_MATCH=") + other}).one_of, "{}") << other;
  EXPECT_EQ(condition({"HTTP_IF_MATCH=" + tag}, true).one_of, "{}");
  EXPECT_EQ(condition({"HTTP_IF_MATCH=\"" + std::string(kVersion) + "-c\""}, true).one_of,
            "{2026-01-02T03:04:05.678901Z}");
}

TEST(TaskVersion, ifNoneMatchNamesTheTimesThatWillNotDo) {
  const std::string tag = "W/\"" + std::string(kVersion) + "\"";
  EXPECT_EQ(condition({"HTTP_IF_NONE_MATCH=" + tag}).none_of, "{2026-01-02T03:04:05.678901Z}");
  EXPECT_FALSE(condition({"HTTP_IF_NONE_MATCH=" + tag}).one_of);
  EXPECT_EQ(condition({"HTTP_IF_NONE_MATCH=*"}).one_of, "{}");
  EXPECT_FALSE(condition({"HTTP_IF_NONE_MATCH=nothing"}).none_of);
}
