// Signed cookies: the contract's vectors (better-auth-wire, section 1.7) and forgeries.
#include "lib/cookie.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "lib/crypto.h"
#include "lib/encoding.h"

namespace {

using nlohmann::ordered_json;
using namespace std::chrono_literals;

constexpr char kSecret[] = "b7Qm2xVtR9kLwZ4nHs8JdYc3PfGaE6uTqXo1iNvCrMs=";
constexpr char kName[] = "better-auth.session_token";

ordered_json vectors() {
  std::ifstream file("tests/vectors/better-auth-vectors.json");
  EXPECT_TRUE(file) << "run this from the repository's root";
  return ordered_json::parse(file).at("signed_cookie");
}

std::string cookie_header(std::string_view value) {
  return std::string(kName) + "=" + std::string(value);
}

std::optional<std::string> open(std::string_view header) {
  return cookie::open(header, kName, kSecret);
}

TEST(Cookie, ValuesAreSealedAsInTheContractAndOpenAgain) {
  const ordered_json cases = vectors().at("cases");
  for (const auto& test : cases) {
    const auto value = test.at("value").get<std::string>();
    EXPECT_EQ(cookie::seal(value, kSecret), test.at("cookie_value").get<std::string>());
    EXPECT_EQ(open(cookie_header(test.at("cookie_value").get<std::string>())), value);
    EXPECT_EQ(open(cookie_header(value + "." + test.at("signature_base64").get<std::string>())),
              value);
  }
}

TEST(Cookie, HeadersAreReadAsInTheContract) {
  const ordered_json cases = vectors().at("parse");
  for (const auto& test : cases) {
    const auto header = test.at("header").get<std::string>();
    const auto value = open(header);
    EXPECT_EQ(value.has_value(), test.at("accepted").get<bool>()) << header;
    if (value) {
      EXPECT_EQ(*value, "sQ7mB2xKt9VwLr4NzHd8JcYf3PgAeU6T");
    }
  }
}

TEST(Cookie, SetCookieLinesAreThoseOfTheContract) {
  const std::string session = cookie::seal("sQ7mB2xKt9VwLr4NzHd8JcYf3PgAeU6T", kSecret);
  EXPECT_EQ(cookie::set(kName, session, {.max_age = 604800s}),
            vectors().at("session_set_cookie_http").get<std::string>());
  EXPECT_EQ(
      cookie::set("__Secure-" + std::string(kName), session, {.max_age = 604800s, .secure = true}),
      vectors().at("session_set_cookie_https").get<std::string>());
  EXPECT_EQ(cookie::set("better-auth.dont_remember", cookie::seal("true", kSecret), {}),
            vectors().at("dont_remember_set_cookie_http").get<std::string>());
  EXPECT_EQ(cookie::set(kName, "", {.max_age = 0s}),
            "better-auth.session_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
}

TEST(Cookie, row71_TextThatWouldEndTheHeaderIsNeverWritten) {
  for (const std::string& bad :
       {std::string("a;b"), std::string("a\r\nSet-Cookie: b"), std::string("a\nb"),
        std::string("a\0b", 3), std::string("a\x7f"), std::string("a\tb")}) {
    EXPECT_THROW(cookie::set(kName, bad, {}), std::logic_error);
    EXPECT_THROW(cookie::set(bad, "value", {}), std::logic_error);
  }
  EXPECT_THROW(cookie::set("", "value", {}), std::logic_error);
  EXPECT_THROW(cookie::set("a=b", "value", {}), std::logic_error);
}

TEST(Cookie, SealedValuesNeedNoFurtherEncoding) {
  const std::string value = "a;b\r\n\"\xc3\xab\" %41";
  const std::string sealed = cookie::seal(value, kSecret);
  EXPECT_NO_THROW(cookie::set(kName, sealed, {}));
  EXPECT_EQ(open(cookie_header(sealed)), value);
}

TEST(Cookie, row55_EveryChangedCharacterMakesACookieInvalid) {
  const std::string sealed = cookie::seal("token", kSecret);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_EQ(open(cookie_header(changed)), std::nullopt) << changed;
  }
  EXPECT_EQ(cookie::open(cookie_header(sealed), kName, "another secret"), std::nullopt);
}

// The last digit before '=' has two unused bits; a lenient decoder takes four spellings.
TEST(Cookie, row55_ASignatureHasOneSpelling) {
  const std::string signature = encoding::base64(crypto::hmac_sha256(kSecret, "token"));
  int accepted = 0;
  for (const char c : std::string(crypto::kAlphanumeric) + "+/=") {
    std::string other = signature;
    other[42] = c;
    if (open(cookie_header("token." + other))) ++accepted;
  }
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(open(cookie_header("token." + signature + "=")), std::nullopt);
  EXPECT_EQ(open(cookie_header("token." + signature.substr(0, 43))), std::nullopt);
}

TEST(Cookie, AnEmptyValueIsNoCookieEvenIfSigned) {
  const std::string signature = encoding::base64(crypto::hmac_sha256(kSecret, ""));
  EXPECT_EQ(open(cookie_header("." + signature)), std::nullopt);
  for (const char* value : {"", ".", "=", "\"\"", "\"", "%", "%2E", ".."})
    EXPECT_EQ(open(cookie_header(value)), std::nullopt) << value;
}

TEST(Cookie, ASignatureFitsItsOwnValueOnly) {
  const std::string mine = cookie::seal("mine", kSecret);
  const std::string theirs = cookie::seal("theirs", kSecret);
  const std::string swapped = "theirs" + mine.substr(mine.rfind('.'));
  EXPECT_EQ(open(cookie_header(swapped)), std::nullopt);
  EXPECT_EQ(open(cookie_header(theirs)), "theirs");
}

TEST(Cookie, row55_TheFirstCookieOfANameCounts) {
  EXPECT_EQ(cookie::find("a=1; a=2", "a"), "1");
  EXPECT_EQ(cookie::find("a=; a=2", "a"), "");
  EXPECT_EQ(cookie::find("b=1; a=2", "a"), "2");
  EXPECT_EQ(cookie::find("aa=1; xa=2", "a"), std::nullopt);
  EXPECT_EQ(cookie::find("A=1", "a"), std::nullopt);
  const std::string good = cookie::seal("token", kSecret);
  EXPECT_EQ(open(cookie_header("forged") + "; " + cookie_header(good)), std::nullopt);
  EXPECT_EQ(open(cookie_header(good) + "; " + cookie_header("forged")), "token");
}

TEST(Cookie, row55_ThePrefixedNameIsAnotherName) {
  const std::string good = cookie::seal("token", kSecret);
  const std::string secure = "__Secure-" + cookie_header(good);
  EXPECT_EQ(open(secure), std::nullopt);
  EXPECT_EQ(open(secure + "; " + cookie_header("forged")), std::nullopt);
}

TEST(Cookie, BlanksAndOnePairOfQuotesAreRemoved) {
  EXPECT_EQ(cookie::find(" \ta \t= \t1 2\t ", "a"), "1 2");
  EXPECT_EQ(cookie::find("a=\"1\"", "a"), "1");
  EXPECT_EQ(cookie::find("a=\"\"1\"\"", "a"), "\"1\"");
  EXPECT_EQ(cookie::find("a=\"", "a"), "");
  EXPECT_EQ(cookie::find("a=\"12", "a"), "1");
}

TEST(Cookie, ValuesAreDecodedOnceAndTakenAsTheyAreIfTheyCannotBe) {
  EXPECT_EQ(cookie::find("a=%41%3d", "a"), "A=");
  EXPECT_EQ(cookie::find("a=%2541", "a"), "%41");
  EXPECT_EQ(cookie::find("a=1+2", "a"), "1+2");
  EXPECT_EQ(cookie::find("a=%4", "a"), "%4");
  EXPECT_EQ(cookie::find("a=%zz%41", "a"), "%zz%41");
  EXPECT_EQ(cookie::find("a=%ff", "a"), "%ff");
  EXPECT_EQ(cookie::find("a=%00", "a"), "%00");
}

TEST(Cookie, ValuesKeepTheirEqualsSigns) { EXPECT_EQ(cookie::find("a=b=c==", "a"), "b=c=="); }

TEST(Cookie, NamesAreListedInOrder) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(cookie::names("b=1; a=2;c=3 ; b=4"), (Names{"b", "a", "c", "b"}));
  EXPECT_EQ(cookie::names("junk; a=1; ; more junk;=x"), (Names{"a", ""}));
  EXPECT_EQ(cookie::names(""), Names{});
  EXPECT_EQ(cookie::names(";;; "), Names{});
}

TEST(Cookie, row55_HostileHeadersHoldNoCookie) {
  for (const std::string& header :
       {std::string(), std::string(";"), std::string("="), std::string(kName),
        std::string(16384, ';'), std::string(16384, '='), cookie_header(std::string(16384, '.')),
        cookie_header(std::string(16384, '%')), cookie_header("\x01\x02\x80\xff"),
        std::string("\0", 1) + cookie_header(cookie::seal("token", kSecret))})
    EXPECT_EQ(open(header), std::nullopt) << header.substr(0, 40);
}

}  // namespace
