// What the library decides, for tests that compare it with other implementations. Reads lines of
// words: what is asked, then its arguments, each in hexadecimal ("." for none). Writes a line for
// each.
#include <iostream>
#include <map>
#include <sstream>

#include "lib/cookie.h"
#include "lib/email.h"
#include "lib/encoding.h"
#include "lib/jwt.h"
#include "lib/origin.h"
#include "tests/fuzz/json_text.h"

namespace {

using Arguments = std::vector<std::string>;

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  return all;
}

std::string shown(const std::optional<std::string>& text) {
  return text ? encoding::hex(*text) + "." : "-";
}

// secret or JWK, algorithm, key id, token, now
std::string verdict(const Arguments& each) {
  std::vector<crypto::VerifyKey> keys;
  if (each.at(1) == "HS256") {
    keys.push_back(crypto::VerifyKey::hmac(each.at(2), each.at(0)));
  } else {
    const auto jwk = json::parse(each.at(0), json::Policy::token);
    auto key = jwk ? crypto::VerifyKey::from_jwk(each.at(2), each.at(1), *jwk) : std::nullopt;
    if (!key) return "no key";
    keys.push_back(std::move(*key));
  }
  jwt::Policy policy;
  policy.issuers = policy.audiences = {"http://auth.example.test"};
  policy.required = false;
  const std::chrono::system_clock::time_point now{std::chrono::seconds(std::stoll(each.at(4)))};
  const auto result = jwt::verify(each.at(3), keys, policy, now);
  const auto* refused = std::get_if<jwt::Refused>(&result);
  return refused == nullptr ? "ok" : std::string(jwt::name(*refused));
}

const std::map<std::string, std::string (*)(const Arguments&)> kQuestions{
    {"trusted",
     [](const Arguments& each) {
       return std::to_string(origin::is_trusted(each.at(0), lines(each.at(1))));
     }},
    {"redirect",
     [](const Arguments& each) {
       return std::to_string(origin::is_safe_redirect(each.at(0), lines(each.at(1))));
     }},
    {"cookie", [](const Arguments& each) { return shown(cookie::find(each.at(0), each.at(1))); }},
    {"open",
     [](const Arguments& each) { return shown(cookie::open(each.at(0), each.at(1), each.at(2))); }},
    {"email", [](const Arguments& each) { return std::to_string(email::is_valid(each.at(0))); }},
    {"json",
     [](const Arguments& each) {
       const auto value = json::parse(each.at(0), json::Policy::lenient);
       return value ? encoding::hex(json_text::written(*value)) : "-";
     }},
    {"verify", verdict},
    // key, header, claims
    {"hs256",
     [](const Arguments& each) { return jwt::sign_hs256(each.at(1), each.at(2), each.at(0)); }},
    // seed, key id, claims
    {"eddsa",
     [](const Arguments& each) {
       return jwt::sign_eddsa(each.at(1), each.at(2),
                              crypto::Ed25519Key::from_seed(each.at(0)).value());
     }},
};

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string question;
    words >> question;
    Arguments arguments;
    for (std::string word; words >> word;)
      arguments.push_back(word == "." ? "" : encoding::from_hex(word).value());
    std::cout << kQuestions.at(question)(arguments) << '\n';
  }
}
