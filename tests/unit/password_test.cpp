// Password hashes: the contract's vectors (better-auth-wire, section 8.4) and stored values that
// are none.
#include "lib/password.h"

#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "lib/crypto.h"
#include "lib/encoding.h"

namespace {

using nlohmann::ordered_json;

// Of this process only, so that a busy machine changes no result.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

ordered_json vectors() {
  std::ifstream file("tests/vectors/better-auth-vectors.json");
  EXPECT_TRUE(file) << "run this from the repository's root";
  return ordered_json::parse(file).at("password_hash");
}

constexpr char kStored[] =
    "5865f3e1ef0fc36ce4b572773ee404ea:"
    "a6dc1343252a2d7bb994334b47eb27cb9b7050f6e629b146bb09c67832d0ac78"
    "ace6567031c099f120433614167a59cd243f0c04996bb461aac05fd4d2c7390e";  // of "password123"

TEST(Password, TheHashesOfTheContractMatch) {
  const ordered_json cases = vectors().at("cases");
  for (const auto& test : cases) {
    const auto text = test.at("password").get<std::string>();
    EXPECT_TRUE(password::matches(text, test.at("stored").get<std::string>())) << text;
  }
}

TEST(Password, row66_SpellingsWithOneNormalFormAreOnePassword) {
  const ordered_json same = vectors().at("equivalent");
  const auto stored = same.at("stored").get<std::string>();
  EXPECT_TRUE(password::matches(same.at("a").get<std::string>(), stored));
  EXPECT_TRUE(password::matches(same.at("b").get<std::string>(), stored));
}

// No trailing NUL among them: HMAC, and so scrypt, fills its key up with NULs.
TEST(Password, AnotherPasswordDoesNotMatch) {
  for (const std::string& text : {std::string("Password123"), std::string("password123 "),
                                  std::string(), std::string("pass\0word123", 12)})
    EXPECT_FALSE(password::matches(text, kStored)) << text;
}

TEST(Password, AHashMatchesItsPasswordAndHasASaltOfItsOwn) {
  const std::string first = password::hash("Correct-Horse-9");
  const std::string second = password::hash("Correct-Horse-9");
  EXPECT_EQ(first.size(), 161U);
  EXPECT_EQ(first[32], ':');
  EXPECT_TRUE(encoding::from_hex(first.substr(0, 32)) && encoding::from_hex(first.substr(33)));
  EXPECT_NE(first.substr(0, 32), second.substr(0, 32));
  EXPECT_NE(first.substr(33), second.substr(33));
  EXPECT_TRUE(password::matches("Correct-Horse-9", first));
  EXPECT_FALSE(password::matches("Correct-Horse-8", first));
}

// Row 67 of the test plan. None of them costs a hash: as many hashes would take over a second.
TEST(Password, row67_AStoredValueOfAnotherFormMatchesNothingAndCostsNothing) {
  const std::string good = kStored;
  std::string upper = good;
  for (char& c : upper)
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  std::string upper_salt = upper.substr(0, 33) + good.substr(33);
  std::string upper_key = good.substr(0, 33) + upper.substr(33);
  std::string no_colon = good;
  no_colon[32] = '0';
  std::string not_hex = good;
  not_hex[160] = 'g';
  const double begin = cpu_seconds();
  for (const std::string& stored :
       {std::string(), std::string(":"), upper, upper_salt, upper_key, no_colon, not_hex,
        good.substr(0, 160), good + "0", good.substr(1), " " + good.substr(1), good + "\n",
        "$scrypt$ln=14,r=16,p=1$" + good, std::string(10 << 20, 'a'), std::string(161, '\0'),
        std::string(161, ':')})
    EXPECT_FALSE(password::matches("password123", stored)) << stored.substr(0, 40);
  EXPECT_LT(cpu_seconds() - begin, 0.2);
}

// The key fits its salt, so that only the form can refuse it.
TEST(Password, row67_ASaltThatIsNotLowerCaseHexMatchesNothing) {
  const auto stored = [](const std::string& salt) {
    return salt + ":" + encoding::hex(crypto::scrypt("password123", salt, 16384, 16, 1, 64));
  };
  EXPECT_TRUE(password::matches("password123", stored(std::string(32, 'a'))));
  EXPECT_FALSE(password::matches("password123", stored(std::string(32, 'A'))));
  EXPECT_FALSE(password::matches("password123", stored(std::string(32, 'z'))));
}

// Generous limits: this must notice a missing hash, not a slow one.
TEST(Password, WastedTimeIsThatOfARealComparison) {
  const auto time = [](auto run) {
    const double begin = cpu_seconds();
    run();
    return cpu_seconds() - begin;
  };
  const auto real = time([] { password::matches("password123", kStored); });
  const auto wasted = time([] { password::waste_time("password123"); });
  EXPECT_GT(wasted * 4, real);
  EXPECT_GT(real * 4, wasted);
}

}  // namespace
