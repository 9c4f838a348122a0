// What the auth routes check before their own rules (contract better-auth-wire, sections 1.2, 1.3,
// 1.4 and 1.6): the body's type and syntax, where the request comes from, where it wants to be
// sent, and the schema of its members. Must not know: sessions, the database, any route.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http.h"
#include "lib/json.h"

namespace form {

// What a route takes as its body.
struct Shape {
  bool url_encoded = false;  // a form besides JSON
  bool optional = false;     // no body is fine
  // The names by which the reference's schemas complain about a body that is no object.
  std::initializer_list<std::string_view> schemas = {"object"};
};

// The body of a POST. The constructor makes the checks that come before the schema, in the
// contract's order; the members are then asked for in schema order, and check() ends the schema.
class Body {
 public:
  // Throws 413, 415, 400 BAD_REQUEST, 403 for the origin, 400 or 403 for a callback URL.
  explicit Body(const http::Request& request, const Shape& shape = {});

  // The member's text. Wrong or missing: notes the problem and returns "".
  std::string text(std::string_view name);
  std::string filled_text(std::string_view name);  // of at least one character
  std::string email(std::string_view name);        // of the syntax of section 2.4
  // nullopt if it is missing; null and other types are problems.
  std::optional<std::string> optional_text(std::string_view name);
  std::optional<bool> optional_flag(std::string_view name);

  // Throws 400 VALIDATION_ERROR with all problems in the order in which they were noted.
  void check() const;

  // The member as it came, nullptr if it is missing.
  const json::Value* find(std::string_view name) const { return value_.find(name); }

 private:
  void problem(std::string_view field, std::string_view text);
  std::optional<std::string> string_member(std::string_view name, bool required);

  json::Value value_;
  bool whole_is_wrong_ = false;
  std::string problems_;
};

// The check of section 1.6 B, which sign-up and sign-in make after the schema. Throws 403.
void require_login_origin(const http::Request& request);

// A query parameter that a GET route needs. Throws 400 VALIDATION_ERROR if it is missing, or there
// more than once, which the reference takes for an array (section 1.3).
std::string query_text(const http::Request& request, std::string_view name);

// The query parameter callbackURL of a GET route: nullopt if missing or empty. Throws 400 if it is
// there more than once, and 403.
std::optional<std::string> callback_url(const http::Request& request);

}  // namespace form
