#include "lib/envelope.h"

#include <gtest/gtest.h>

#include "tests/unit/vectors.h"

namespace {

envelope::SecretOf only(std::string_view secret, std::optional<int> of_version = std::nullopt) {
  return [=](std::optional<int> version) -> std::optional<std::string_view> {
    return version == of_version ? std::optional(secret) : std::nullopt;
  };
}

}  // namespace

TEST(Envelope, opensWhatBetterAuthSealed) {
  const auto& all = vectors("better-auth-vectors.json");
  const auto& row = all["jwks_row"]["row"];
  const std::string secret = all["secret"];
  const std::string column = row["privateKey"];  // a JSON string
  const std::string sealed = nlohmann::json::parse(column).get<std::string>();
  const auto plain = envelope::open(sealed, only(secret));
  ASSERT_TRUE(plain);
  EXPECT_EQ(nlohmann::json::parse(*plain)["x"],
            nlohmann::json::parse(std::string(row["publicKey"]))["x"]);
}

TEST(Envelope, opensWhatANamedVersionSealed) {
  const auto& vector = vectors("better-auth-vectors.json")["versioned_envelope"];
  const std::string sealed = vector["envelope"];
  EXPECT_EQ(envelope::open(sealed, only("second-secret-second-secret-second-1", 2)),
            vector["plaintext"].get<std::string>());
  EXPECT_FALSE(envelope::open(sealed, only("second-secret-second-secret-second-1", 1)));
  EXPECT_FALSE(envelope::open(sealed, only("first-secret-first-secret-first-sec1", 2)));
}

TEST(Envelope, whatIsSealedOpensWithItsSecretOnly) {
  for (const std::optional<int> version : {std::optional<int>(), std::optional<int>(7)}) {
    const std::string sealed = envelope::seal("text", "secret", version);
    EXPECT_EQ(envelope::open(sealed, only("secret", version)), "text");
    EXPECT_FALSE(envelope::open(sealed, only("Secret", version)));
    EXPECT_NE(sealed, envelope::seal("text", "secret", version));
  }
}

TEST(Envelope, refusesOtherForms) {
  const std::string sealed = envelope::seal("text", "secret", 7);
  for (const std::string& text :
       {std::string(), std::string("zz"), sealed.substr(0, 20), sealed + "0", std::string("$ba$"),
        std::string("$ba$7$"), "$ba$x$" + sealed.substr(6),
        std::string("$ba$7") + sealed.substr(6)})
    EXPECT_FALSE(envelope::open(text, only("secret", 7))) << text;
  std::string changed = sealed;
  changed.back() = changed.back() == '0' ? '1' : '0';
  EXPECT_FALSE(envelope::open(changed, only("secret", 7)));
}
