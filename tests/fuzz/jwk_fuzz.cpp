// crypto::VerifyKey::from_jwk: a key that is taken is a public one of its algorithm, and no fixed
// signature fits every message under it. Input: the algorithm, and on further lines the JWK.
#include "lib/crypto.h"
#include "lib/json.h"
#include "tests/fuzz/fuzz.h"

void fuzz(std::string_view input) {
  const std::string_view algorithm = fuzzing::take_line(input);
  const auto jwk = json::parse(input, json::Policy::token);
  if (!jwk) return;
  const auto key = crypto::VerifyKey::from_jwk("id", algorithm, *jwk);
  if (!key) return;
  REQUIRE(key->id() == "id" && crypto::name(key->algorithm()) == algorithm);
  REQUIRE(algorithm == "EdDSA" || algorithm == "ES256" || algorithm == "RS256" ||
          algorithm == "PS256");
  REQUIRE(jwk->find("d") == nullptr && jwk->find("k") == nullptr);
  // R = the neutral point and S = 0 fit every message under a key of small order.
  const std::string universal = std::string(1, '\x01') + std::string(63, '\0');
  for (const std::string& signature :
       {std::string(), universal, std::string(64, '\0'), std::string(64, '\xff'),
        std::string(256, '\0'), std::string(255, '\0') + '\x01', std::string(256, '\xff')})
    REQUIRE(!key->verify("any message", signature));
}
