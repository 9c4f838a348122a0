// The key that signs access tokens: the newest usable Ed25519 row of the `jwks` table, which a real
// Better Auth server may have made, or which it will sign with if we make it (contract
// better-auth-wire, sections 7, 8.5 and 8.7). Must not know: tokens.
#pragma once

#include <chrono>
#include <string>

#include "lib/crypto.h"
#include "lib/db.h"
#include "lib/env.h"

namespace signing_key {

struct SigningKey {
  std::string id;  // the row's id, a token's "kid"
  crypto::Ed25519Key key;
};

// How long a process goes on with a key that it has read.
inline constexpr std::chrono::seconds kLifetime{60};

// The current key, made and stored if there is none. The reference is good until the next call.
// Throws db::Error; std::runtime_error if the newest row was sealed under another secret: signing
// with a key of our own beside it would hide that the two servers do not share their secret.
const SigningKey& current(const env::Settings& settings, db::Connection& database);

// Makes a new key, which then is the newest.
void create(const env::Settings& settings, db::Connection& database);

}  // namespace signing_key
