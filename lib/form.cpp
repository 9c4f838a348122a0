#include "lib/form.h"

#include <algorithm>
#include <array>

#include "lib/email.h"
#include "lib/origin.h"
#include "lib/utf8.h"

namespace form {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kUrlEncoded = "application/x-www-form-urlencoded";

// The words of the reference's validation library.
std::string_view type_name(const json::Value* value) {
  if (value == nullptr) return "undefined";
  switch (value->kind()) {
    case json::Kind::null:
      return "null";
    case json::Kind::boolean:
      return "boolean";
    case json::Kind::number:
      return "number";
    case json::Kind::string:
      return "string";
    case json::Kind::array:
      return "array";
    case json::Kind::object:
      return "object";
  }
  return "undefined";
}

std::string expected(std::string_view wanted, const json::Value* value) {
  return "Invalid input: expected " + std::string(wanted) + ", received " +
         std::string(type_name(value));
}

// A form as the JSON object that the reference makes of it: all values are strings.
std::string as_json(std::string_view url_encoded) {
  const auto pairs = uri::parse_form(url_encoded);
  if (!pairs) return "";
  json::Writer out;
  out.begin_object();
  for (const auto& [name, value] : *pairs) out.member(name, value);
  return out.end_object().take();
}

// nullopt: there is no body. Throws 415 and 400.
std::optional<json::Value> parsed(const http::Request& request, bool url_encoded) {
  request.require_acceptable_size();
  const std::string& text = request.raw_body();
  const std::string type = request.media_type();
  if (text.empty() || request.header("content-type").empty()) return std::nullopt;
  const bool is_form = url_encoded && type.find(kUrlEncoded) != std::string::npos;
  if (!is_form && type.find(kJson) == std::string::npos) {
    std::string allowed(kJson);
    if (url_encoded) allowed = std::string(kUrlEncoded) + ", " + allowed;
    throw http::Error::auth(415, "UNSUPPORTED_MEDIA_TYPE",
                            "Content-Type \"" + utf8::repaired(request.header("content-type")) +
                                "\" is not allowed. Allowed types: " + allowed);
  }
  auto value = json::parse(is_form ? as_json(text) : text, json::Policy::lenient);
  if (!value) throw http::Error::auth(400, "BAD_REQUEST", "Invalid JSON in request body");
  return value;
}

std::vector<std::string> trusted_origins(const http::Request& request) {
  std::vector<std::string> trusted = request.settings().trusted_origins;
  if (request.settings().base_url.empty()) trusted.push_back(request.origin());
  return trusted;
}

// Section 1.6 A, steps 1 to 4.
void require_trusted_origin(const http::Request& request) {
  std::string candidate(request.header("origin"));
  if (candidate.empty()) candidate = request.header("referer");
  if (candidate == "null" && request.header("sec-fetch-site") == "same-origin")
    candidate = request.origin();
  if (candidate.empty() || candidate == "null")
    throw http::Error::auth(403, "MISSING_OR_NULL_ORIGIN", "Missing or null Origin");
  if (!origin::is_trusted(candidate, trusted_origins(request)))
    throw http::Error::auth(403, "INVALID_ORIGIN", "Invalid origin");
}

struct UrlMember {
  std::string_view name;
  std::string_view label;
  std::string_view code;
};
constexpr std::array<UrlMember, 4> kUrlMembers{
    {{"callbackURL", "callbackURL", "INVALID_CALLBACK_URL"},
     {"redirectTo", "redirectURL", "INVALID_REDIRECT_URL"},
     {"errorCallbackURL", "errorCallbackURL", "INVALID_ERROR_CALLBACK_URL"},
     {"newUserCallbackURL", "newUserCallbackURL", "INVALID_NEW_USER_CALLBACK_URL"}}};

http::Error not_a_string(const UrlMember& member) {
  return http::Error::auth(400, "", "Invalid " + std::string(member.label) + ": expected a string");
}

// How often the query has the parameter.
std::ptrdiff_t count(const http::Query& query, std::string_view name) {
  return std::count_if(query.pairs().begin(), query.pairs().end(),
                       [&](const auto& pair) { return pair.first == name; });
}

void require_safe(const http::Request& request, const UrlMember& member, std::string_view url) {
  if (!url.empty() && !origin::is_safe_redirect(url, trusted_origins(request)))
    throw http::Error::auth(403, std::string(member.code), "Invalid " + std::string(member.label));
}

// Section 1.6 C.
void check_urls(const http::Request& request, const json::Value& body) {
  for (const UrlMember& member : kUrlMembers) {
    const json::Value* value = body.find(member.name);
    if (value == nullptr || value->is(json::Kind::null)) {
      if (&member == &kUrlMembers.front()) callback_url(request);
      continue;
    }
    if (value->string() == nullptr) throw not_a_string(member);
    require_safe(request, member, *value->string());
  }
}

bool is_filled(std::string_view header) { return !utf8::trimmed(header).empty(); }

}  // namespace

Body::Body(const http::Request& request, const Shape& shape) {
  auto value = parsed(request, shape.url_encoded);
  if (!request.header("cookie").empty()) require_trusted_origin(request);
  const bool absent = !value.has_value();
  if (!absent) value_ = std::move(*value);
  check_urls(request, value_);
  if (value_.is(json::Kind::object) || (absent && shape.optional)) return;
  for (const std::string_view schema : shape.schemas)
    problem("", expected(schema, absent ? nullptr : &value_));
  whole_is_wrong_ = true;
}

void Body::problem(std::string_view field, std::string_view text) {
  if (whole_is_wrong_) return;
  if (!problems_.empty()) problems_ += "; ";
  problems_ += "[body";
  if (!field.empty()) problems_.append(".").append(field);
  problems_.append("] ").append(text);
}

std::optional<std::string> Body::string_member(std::string_view name, bool required) {
  const json::Value* value = value_.find(name);
  if (value == nullptr && !required) return std::nullopt;
  if (value != nullptr && value->string() != nullptr) return *value->string();
  problem(name, expected("string", value));
  return std::nullopt;
}

std::string Body::text(std::string_view name) { return string_member(name, true).value_or(""); }

std::string Body::filled_text(std::string_view name) {
  auto content = string_member(name, true);
  if (content && content->empty())
    problem(name, "Too small: expected string to have >=1 characters");
  return content.value_or("");
}

std::string Body::email(std::string_view name) {
  auto content = string_member(name, true);
  if (content && !email::is_valid(*content)) problem(name, "Invalid email address");
  return content.value_or("");
}

std::optional<std::string> Body::optional_text(std::string_view name) {
  return string_member(name, false);
}

std::optional<bool> Body::optional_flag(std::string_view name) {
  const json::Value* value = value_.find(name);
  if (value == nullptr) return std::nullopt;
  if (value->boolean() != nullptr) return *value->boolean();
  problem(name, expected("boolean", value));
  return std::nullopt;
}

void Body::check() const {
  if (!problems_.empty()) throw http::Error::auth(400, "VALIDATION_ERROR", problems_);
}

void require_login_origin(const http::Request& request) {
  if (!request.header("cookie").empty()) return;  // checked before the schema
  const std::string_view site = request.header("sec-fetch-site");
  const std::string_view mode = request.header("sec-fetch-mode");
  if (is_filled(site) || is_filled(mode) || is_filled(request.header("sec-fetch-dest"))) {
    if (site == "cross-site" && mode == "navigate")
      throw http::Error::auth(403, "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED",
                              "Cross-site navigation login blocked. This request appears to be a "
                              "CSRF attack.");
    require_trusted_origin(request);
  } else if (!request.header("origin").empty() || !request.header("referer").empty()) {
    require_trusted_origin(request);
  }
}

std::string query_text(const http::Request& request, std::string_view name) {
  const http::Query query = request.query();
  const auto times = count(query, name);
  if (times != 1)
    throw http::Error::auth(400, "VALIDATION_ERROR",
                            "[query." + std::string(name) +
                                "] Invalid input: expected string, received " +
                                (times == 0 ? "undefined" : "array"));
  return query.value(name).value_or("");
}

std::optional<std::string> callback_url(const http::Request& request) {
  const http::Query query = request.query();
  if (count(query, kUrlMembers.front().name) > 1) throw not_a_string(kUrlMembers.front());
  auto url = query.value(kUrlMembers.front().name);
  if (url) require_safe(request, kUrlMembers.front(), *url);
  return url;
}

}  // namespace form
