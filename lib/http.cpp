#include "lib/http.h"

#include <algorithm>
#include <array>

#include "lib/crypto.h"
#include "lib/encoding.h"
#include "lib/utf8.h"

namespace http {
namespace {

struct MethodName {
  Method method;
  std::string_view name;
};
constexpr std::array<MethodName, 7> kMethods{{{GET, "GET"},
                                              {HEAD, "HEAD"},
                                              {POST, "POST"},
                                              {PUT, "PUT"},
                                              {PATCH, "PATCH"},
                                              {DELETE, "DELETE"},
                                              {OPTIONS, "OPTIONS"}}};

constexpr std::size_t kMaxRequestIdBytes = 64;

bool is_safe_request_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestIdBytes &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

std::string_view parameter(const fcgi::Request& raw, std::string_view name) {
  const char* value = raw.parameter(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// The web server's own id, so that its log and ours can be joined; else the client's; else a new
// one.
std::string request_id(const fcgi::Request& raw) {
  for (const char* name : {"REQUEST_ID", "HTTP_X_REQUEST_ID"})
    if (const auto id = parameter(raw, name); is_safe_request_id(id)) return std::string(id);
  return encoding::hex(crypto::random_bytes(16));
}

std::string capitalized(std::string_view word) {
  std::string text(word);
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

bool is_json_type(std::string_view type) {
  return type == "application/json" ||
         (type.starts_with("application/") && type.ends_with("+json"));
}

// The value of charset in a Content-Type, in lower case; "" if there is none (RFC 9110, 8.3.1).
std::string charset(std::string_view content_type) {
  const std::string text = utf8::ascii_lower(content_type);
  const std::size_t name = text.find("charset=");
  if (name == std::string::npos) return "";
  std::string value = text.substr(name + 8, text.find(';', name) - name - 8);
  std::erase_if(value, [](char c) { return c == '"' || c == ' ' || c == '\t'; });
  return value;
}

Error unsupported_media_type(std::string message) {
  Error error(415, "unsupported_media_type", std::move(message));
  error.headers.emplace_back("Accept", "application/json");  // RFC 9110, 15.5.16
  return error;
}

}  // namespace

std::string method_names(unsigned methods, std::string_view separator) {
  std::string names;
  for (const auto& [method, name] : kMethods) {
    if ((methods & method) == 0) continue;
    if (!names.empty()) names += separator;
    names += name;
  }
  return names;
}

Error Error::invalid(std::vector<Fault> faults) {
  Error error(422, "validation_error",
              capitalized(faults.front().field) + " " + faults.front().message);
  error.faults = std::move(faults);
  return error;
}

Error Error::invalid(std::string field, std::string constraint, std::string message) {
  return invalid({{std::move(field), std::move(constraint), std::move(message)}});
}

Error Error::malformed(std::string message) {
  return {400, "validation_error", std::move(message)};
}

Error Error::not_found() { return {404, "not_found", "Not found"}; }

Error Error::too_large() { return {413, "payload_too_large", "Request body is too large"}; }

Error Error::unavailable() {
  Error error(503, "unavailable", "Service is temporarily unavailable");
  error.headers.emplace_back("Retry-After", "2");
  return error;
}

Error Error::auth(int status, std::string code, std::string message) {
  return {status, std::move(code), std::move(message)};
}

Error Error::empty(int status) { return {status, "", ""}; }

Response Response::json(int status, std::string body) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

Response Response::no_content() { return {204, {}, ""}; }

Response Response::redirect(std::string location) {
  return {302, {{"Location", std::move(location)}}, ""};
}

Response& Response::add(std::string name, std::string value) {
  headers.emplace_back(std::move(name), std::move(value));
  return *this;
}

Query::Query(std::string_view raw) {
  auto pairs = uri::parse_form(raw);
  if (!pairs) throw Error::malformed("The query string is not valid");
  pairs_ = std::move(*pairs);
}

std::optional<Query::Found> Query::find(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) {
    const auto last = std::find_if(pairs_.rbegin(), pairs_.rend(),
                                   [&](const auto& pair) { return pair.first == name; });
    if (last != pairs_.rend() && !last->second.empty()) return Found{last->first, last->second};
  }
  return std::nullopt;
}

std::optional<std::string> Query::value(std::string_view name) const {
  if (auto found = find({name})) return std::move(found->value);
  return std::nullopt;
}

std::optional<bool> Query::flag(std::initializer_list<std::string_view> names) const {
  const auto found = find(names);
  if (!found) return std::nullopt;
  const std::string word = utf8::ascii_lower(found->value);
  if (word == "true" || word == "1") return true;
  if (word == "false" || word == "0") return false;
  throw Error::invalid(found->name, "one_of=true,false,1,0", "must be true or false");
}

Request::Request(const fcgi::Request& raw, const env::Settings& settings)
    : raw_(raw),
      settings_(settings),
      target_(uri::Target::parse(parameter(raw, "REQUEST_URI"))),
      method_name_(parameter(raw, "REQUEST_METHOD")),
      id_(request_id(raw)) {
  for (const auto& [method, name] : kMethods)
    if (method_name_ == name) method_ = method;
  const std::string& base = settings.auth_path;
  if (target_.path.starts_with(base) &&
      (target_.path.size() == base.size() || target_.path[base.size()] == '/'))
    family_ = Family::auth;
}

std::optional<std::string> Request::path_parameter(std::string_view name) const {
  for (const auto& [key, value] : path_parameters_)
    if (key == name) return value;
  return std::nullopt;
}

std::optional<std::string_view> Request::find_header(std::string_view name) const {
  // RFC 3875, section 4.1.18; these two have no HTTP_ prefix (4.1.2, 4.1.3).
  std::string variable = name == "content-type" || name == "content-length" ? "" : "HTTP_";
  for (const char c : name)
    variable += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  const char* value = raw_.parameter(variable);
  return value == nullptr ? std::nullopt : std::optional<std::string_view>(value);
}

std::string_view Request::header(std::string_view name) const {
  return find_header(name).value_or("");
}

std::string_view Request::scheme() const {
  if (!settings_.base_url.empty())
    return settings_.base_url.starts_with("https://") ? "https" : "http";
  const std::string_view https = parameter(raw_, "HTTPS");
  return https == "on" || https == "1" || parameter(raw_, "REQUEST_SCHEME") == "https" ? "https"
                                                                                       : "http";
}

std::string Request::origin() const {
  if (!settings_.base_url.empty()) return settings_.base_url;
  return std::string(scheme()).append("://").append(header("host"));
}

void Request::require_acceptable_size() const {
  if (raw_.state == fcgi::Body::too_large) throw Error::too_large();
}

std::string_view Request::forwarded_for() const {
  const std::string_view named = header("x-forwarded-for");
  return named.empty() ? parameter(raw_, "REMOTE_ADDR") : named;
}

bool Request::is_local() const {
  const auto is_loopback = [](std::string_view address) {
    return address == "::1" || address.starts_with("127.") || address.starts_with("::ffff:127.");
  };
  const std::string_view peer = parameter(raw_, "REMOTE_ADDR");
  const std::string_view named = header("x-forwarded-for");
  // nginx calls a unix socket "unix:". Without a peer it is plain CGI from a shell.
  const bool is_here = peer.empty() || peer == "unix:" || is_loopback(peer);
  return is_here && (named.empty() || named == "unix:" || is_loopback(named)) &&
         named.find(',') == std::string_view::npos;
}

// REDIRECT_STATUS is Apache's and lighttpd's name; no header of a client can set it.
int Request::refused_status() const {
  const std::string_view digits = parameter(raw_, "REDIRECT_STATUS");
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.size() != 3 || !std::all_of(digits.begin(), digits.end(), is_digit)) return 0;
  const int status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
  return status >= 400 && status < 600 ? status : 0;
}

std::string Request::media_type() const {
  const std::string_view type = header("content-type");
  return utf8::ascii_lower(utf8::trimmed(type.substr(0, type.find(';'))));
}

json::Value Request::parsed_body() const {
  const std::string encoding = utf8::ascii_lower(header("content-encoding"));
  if (!encoding.empty() && encoding != "identity")
    throw unsupported_media_type("Content-Encoding is not supported");
  const std::string type = media_type();
  const bool is_object = raw_.body[raw_.body.find_first_not_of(" \t\r\n") == std::string::npos
                                       ? 0
                                       : raw_.body.find_first_not_of(" \t\r\n")] == '{';
  if (!is_json_type(type) && !(type.empty() && is_object))
    throw unsupported_media_type("Content-Type must be application/json");
  if (const std::string set = charset(header("content-type")); !set.empty() && set != "utf-8")
    throw unsupported_media_type("The charset must be utf-8");

  auto value = json::parse(raw_.body, json::Policy::strict);
  if (!value) throw Error::malformed("The request body is not valid JSON");
  if (!value->is(json::Kind::object))
    throw Error::invalid("body", "type=object", "must be a JSON object");
  return std::move(*value);
}

json::Value Request::body() const {
  require_acceptable_size();
  if (raw_.body.empty()) throw Error::invalid("body", "required", "is required");
  return parsed_body();
}

json::Value Request::optional_body() const {
  require_acceptable_size();
  if (raw_.body.empty()) return std::move(*json::parse("{}", json::Policy::strict));
  return parsed_body();
}

}  // namespace http
