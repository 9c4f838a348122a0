// HTTP as the handlers see it: a request that has been read and checked as far as both contracts
// agree, a response that is built whole, and errors that end a request. Knows two families of
// routes by their path: Better Auth's (below the base path, contract better-auth-wire) and the
// others (contract tasks-api). Must not know any route.
#pragma once

#include <exception>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/env.h"
#include "lib/fcgi.h"
#include "lib/json.h"
#include "lib/uri.h"

namespace route {
class Dispatcher;
}

namespace http {

enum Method : unsigned {
  GET = 1,
  HEAD = 2,
  POST = 4,
  PUT = 8,
  PATCH = 16,
  DELETE = 32,
  OPTIONS = 64,
};

// "GET, HEAD" for GET|HEAD, in a fixed order.
std::string method_names(unsigned methods, std::string_view separator = ", ");

enum class Family { api, auth };

using Headers = std::vector<std::pair<std::string, std::string>>;

// One rule that one member or parameter breaks (tasks-api 2.5).
struct Fault {
  std::string field;
  std::string constraint;  // machine-readable, e.g. "min_length=1, max_length=200"
  std::string message;     // about the field, e.g. "must have 1 to 200 characters"
};

// Ends the request with `status`. `message` is public; it is one sentence without internals. How
// it is written depends on the family of the route.
struct Error : std::exception {
  Error(int the_status, std::string the_code, std::string the_message)
      : status(the_status), code(std::move(the_code)), message(std::move(the_message)) {}
  const char* what() const noexcept override { return message.c_str(); }

  int status;
  std::string code;     // "" : the family auth leaves the member out
  std::string message;  // "" with an empty code: no body at all (family auth)
  std::vector<Fault> faults;
  Headers headers;

  static Error invalid(std::vector<Fault> faults);  // 422, the first fault gives the message
  static Error invalid(std::string field, std::string constraint, std::string message);
  static Error malformed(std::string message);  // 400
  static Error not_found();                     // 404, the same for every reason
  static Error too_large();                     // 413
  static Error unavailable();                   // 503 with Retry-After
  static Error auth(int status, std::string code, std::string message);
  static Error empty(int status);  // no body, no content type (better-auth-wire 1.4)
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  static Response json(int status, std::string body);
  static Response no_content();                    // 204
  static Response redirect(std::string location);  // 302
  Response& add(std::string name, std::string value);
};

// The query of a request. A name given twice counts with its last value.
class Query {
 public:
  // Throws Error::malformed for what cannot be decoded.
  explicit Query(std::string_view raw);

  // The last value of the first of `names` that has a non-empty value; with the name as sent.
  struct Found {
    std::string name;
    std::string value;
  };
  std::optional<Found> find(std::initializer_list<std::string_view> names) const;
  std::optional<std::string> value(std::string_view name) const;
  // "true"/"1" or "false"/"0" in any case; throws Error::invalid for another value.
  std::optional<bool> flag(std::initializer_list<std::string_view> names) const;

  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

class Request {
 public:
  Request(const fcgi::Request& raw, const env::Settings& settings);

  const env::Settings& settings() const { return settings_; }
  Family family() const { return family_; }
  unsigned method() const { return method_; }  // 0: one that we do not know
  const std::string& method_name() const { return method_name_; }
  const uri::Target& target() const { return target_; }
  const std::string& id() const { return id_; }  // X-Request-Id: 1 ... 64 safe characters

  // The segment that the route's pattern calls `name`, decoded.
  std::optional<std::string> path_parameter(std::string_view name) const;
  // A header by its name in lower case, "" if absent. One that came twice is as the web server
  // joined it.
  std::string_view header(std::string_view name) const;
  // Ditto; nullopt if absent.
  std::optional<std::string_view> find_header(std::string_view name) const;
  Query query() const { return Query(target_.query); }

  // Where the service is, as clients see it: the configured base URL, else from the request.
  std::string origin() const;
  // "https" if the base URL or the web server says so, else "http".
  std::string_view scheme() const;

  // Throws 413 if a body came that is longer than the limit.
  void require_acceptable_size() const;
  // The body as a JSON object (tasks-api, section 4). Throws 413, 415, 400 and 422.
  json::Value body() const;
  // Ditto, but an empty body is an empty object, whatever its content type.
  json::Value optional_body() const;
  const std::string& raw_body() const { return raw_.body; }
  // Who asks, once that is known: for the log, as a keyed hash.
  void set_user(std::string_view id) const { user_ = id; }
  // From which addresses the request came, as the web server says: X-Forwarded-For, else its peer.
  std::string_view forwarded_for() const;
  // Does it come from this machine, and not through a proxy that runs here for others?
  bool is_local() const;
  // The status with which the web server itself refused the request (a body that is too large, a
  // program that is down) before it sent it here to be answered; 0: it did not.
  int refused_status() const;
  // The type in lower case without parameters, "" if absent.
  std::string media_type() const;

 private:
  friend class route::Dispatcher;
  json::Value parsed_body() const;

  const fcgi::Request& raw_;
  const env::Settings& settings_;
  uri::Target target_;
  std::string method_name_;
  unsigned method_ = 0;
  Family family_ = Family::api;
  std::string id_;
  mutable std::string user_;
  bool is_matched_ = false;  // a route has this path
  std::vector<std::pair<std::string, std::string>> path_parameters_;
};

}  // namespace http
