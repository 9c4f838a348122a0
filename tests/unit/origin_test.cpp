#include "lib/origin.h"

#include <gtest/gtest.h>

#include "tests/unit/vectors.h"

namespace {

std::vector<std::string> trusted() {
  return vectors("better-auth-vectors.json")["trusted_origins"]["trusted"];
}

}  // namespace

TEST(Origin, row56_trustsWhatTheVectorsTrust) {
  const auto entries = trusted();
  for (const auto& each : vectors("better-auth-vectors.json")["trusted_origins"]["origin_header"])
    EXPECT_EQ(origin::is_trusted(std::string(each["origin"]), entries), each["trusted"])
        << each["origin"];
}

TEST(Origin, row57_redirectsWhereTheVectorsRedirect) {
  const auto entries = trusted();
  for (const auto& each : vectors("better-auth-vectors.json")["trusted_origins"]["callback_url"])
    EXPECT_EQ(origin::is_safe_redirect(std::string(each["url"]), entries), each["accepted"])
        << each["url"];
}

TEST(Origin, row57_neverRedirectsToAStranger) {
  const auto entries = trusted();
  for (const std::string url : {"%0d%0aSet-Cookie:x",
                                "/x\r\nSet-Cookie: y",
                                "\t//evil.example",
                                "/\t/evil.example",
                                "/\\/evil.example",
                                "/%0d%0aSet-Cookie:x\r\n",
                                "///evil.example",
                                "http://auth.example.test\\@evil.example",
                                "http://auth.example.test\n.evil.example",
                                "http://evil.example#http://auth.example.test",
                                "http://evil.example/http://auth.example.test",
                                "//auth.example.test",
                                "http:///evil.example",
                                "http://",
                                "://",
                                "/..//evil.example",
                                "/.//evil.example",
                                "http://auth.example.test:80@evil.example",
                                "javascript://auth.example.test/%0aalert(1)",
                                "https://evil.example/.wild.example.com",
                                "https://evil.example?.wild.example.com",
                                "/a\xC2\x85z"})
    EXPECT_FALSE(origin::is_safe_redirect(url, entries)) << url;
}

TEST(Origin, anEncodedLineBreakStaysEncoded) {
  EXPECT_TRUE(origin::is_safe_redirect("/%0d%0aSet-Cookie:x", trusted()));
}

TEST(Origin, aPatternOfDigitsFitsAddressesOnly) {
  for (const std::string pattern :
       {"10.0.0.*", "10.0.?.*", "http://10.0.0.*", "http://10.?.0.*", "http://10.*"}) {
    const std::vector<std::string> entries{pattern};
    EXPECT_TRUE(origin::is_trusted("http://10.0.0.7", entries)) << pattern;
    EXPECT_FALSE(origin::is_trusted("http://10.0.0.7.evil.example", entries)) << pattern;
    EXPECT_FALSE(origin::is_trusted("http://10.0.0.evil", entries)) << pattern;
  }
  const std::vector<std::string> with_port{"http://192.168.*:3000"};
  EXPECT_TRUE(origin::is_trusted("http://192.168.1.5:3000", with_port));
  EXPECT_FALSE(origin::is_trusted("http://192.168.evil.example:3000", with_port));
}

TEST(Origin, aBareSchemeIsTrustedForAppsOnly) {
  const std::vector<std::string> entries{"https://", "http://", "myapp://"};
  EXPECT_TRUE(origin::is_trusted("MyApp://callback", entries));
  EXPECT_TRUE(origin::is_trusted("myapp://", entries));
  EXPECT_FALSE(origin::is_trusted("myapp://a<b", entries));
  EXPECT_FALSE(origin::is_trusted("myapp://a\tb", entries));
  EXPECT_FALSE(origin::is_trusted("myapp://a\\@b<c", entries));
  EXPECT_FALSE(origin::is_trusted("https://evil.example", entries));
  EXPECT_FALSE(origin::is_trusted("http://evil.example", entries));
}

TEST(Origin, ofUrlIsSchemeHostAndForeignPort) {
  EXPECT_EQ(origin::of_url("HTTPS://Example.COM:443/a?b#c"), "https://example.com");
  EXPECT_EQ(origin::of_url("http://user:pw@h:8080"), "http://h:8080");
  EXPECT_EQ(origin::of_url("http://[::1]:3000/"), "http://[::1]:3000");
  EXPECT_EQ(origin::of_url("http://[::80]:80"), "http://[::80]");
  for (const auto text : {"http://[]", "http://[::1", "http://[::1]x", "http://[::1].evil.example",
                          "http://[1.2.3.4]", "http://a[b]"})
    EXPECT_FALSE(origin::of_url(text)) << text;
  EXPECT_FALSE(origin::of_url("example.com"));
  EXPECT_FALSE(origin::of_url("http://"));
  EXPECT_FALSE(origin::of_url("http://h:port"));
}
