#include "lib/route.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <unordered_map>

#include "lib/crypto.h"
#include "lib/db.h"
#include "lib/encoding.h"
#include "lib/fiber.h"
#include "lib/limit.h"
#include "lib/logging.h"
#include "lib/loop.h"
#include "lib/metrics.h"
#include "lib/origin.h"
#include "lib/password.h"
#include "lib/pattern.h"
#include "lib/sandbox.h"

namespace route {

using http::Error;
using http::Family;
using http::Fault;
using http::Request;
using http::Response;

namespace {

constexpr int kExitConfig = 78;  // EX_CONFIG
constexpr int kExitSystem = 71;  // EX_OSERR: out of memory, of descriptors

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

// tasks-api, sections 2.4 and 2.5. Of a failure of ours, `details` name the request, for the
// operator to be asked about.
std::string api_error_body(const Request& request, const Error& error) {
  json::Writer out;
  out.begin_object().member("error", error.code).member("message", error.message);
  if (!error.faults.empty()) {
    const Fault& first = error.faults.front();
    out.key("details").begin_object();
    out.member("field", first.field).member("constraint", first.constraint);
    for (const Fault& fault : error.faults) out.member(fault.field, fault.message);
    out.key("errors").begin_array();
    for (const Fault& fault : error.faults)
      out.begin_object()
          .member("field", fault.field)
          .member("constraint", fault.constraint)
          .member("message", fault.message)
          .end_object();
    out.end_array().end_object();
  }
  if (error.status >= 500)
    out.key("details").begin_object().member("request_id", request.id()).end_object();
  if (request.settings().error_detail) out.member("detail", error.message);
  return out.end_object().take();
}

// better-auth-wire, section 1.4.
std::string auth_error_body(const Error& error) {
  json::Writer out;
  out.begin_object().member("message", error.message);
  if (!error.code.empty()) out.member("code", error.code);
  return out.end_object().take();
}

Response error_response(const Request& request, const Error& error) {
  Response response;
  if (error.code.empty() && error.message.empty())
    response = {error.status, {}, ""};
  else if (request.family() == Family::auth)
    response = Response::json(error.status, auth_error_body(error));
  else
    response = Response::json(error.status, api_error_body(request, error));
  for (const auto& header : error.headers) response.headers.push_back(header);
  return response;
}

Error method_not_allowed(unsigned allowed) {
  Error error(405, "method_not_allowed", "Method not allowed");
  error.headers.emplace_back("Allow", http::method_names(allowed | http::OPTIONS));
  return error;
}

// The web server's own refusal, in the form that the same refusal by a handler has.
Error refusal(int status, Family family, unsigned allowed) {
  const bool is_auth = family == Family::auth;
  if (status >= 500) return Error::unavailable();
  if (status == 403 || status == 404 || (is_auth && status == 405))
    return is_auth ? Error::empty(404) : Error::not_found();
  if (status == 405) return method_not_allowed(allowed);
  if (status == 413) return Error::too_large();
  if (status == 429) {
    Error error = limit::too_many(std::chrono::seconds(1));
    if (!is_auth) error.code = "rate_limited";
    error.headers.emplace_back("Retry-After", "1");
    return error;
  }
  return {status, "validation_error", status == 414 ? "The address is too long" : "Bad request"};
}

Error internal_error(Family family) {
  if (family == Family::auth) return Error::empty(500);
  return {500, "internal_error", "An unexpected error occurred"};
}

unsigned methods_of(std::string_view names) {
  unsigned methods = 0;
  for (unsigned bit = http::GET; bit <= http::OPTIONS; bit <<= 1) {
    const std::string name = http::method_names(bit);
    if (("," + std::string(names) + ",").find("," + name + ",") != std::string::npos)
      methods |= bit;
  }
  return methods;
}

std::string serialized(const Response& response, bool with_body) {
  std::string text = "Status: " + std::to_string(response.status) + " ";
  text.append(reason(response.status)).append("\r\n");
  for (const auto& [name, value] : response.headers) {
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      throw std::logic_error("a header value with a line break");
    text.append(name).append(": ").append(value).append("\r\n");
  }
  // RFC 9110, section 8.6: not on a 204, and HEAD announces what GET would send.
  if (response.status != 204 && response.status != 304)
    text.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
  text.append("\r\n");
  if (with_body) text.append(response.body);
  return text;
}

}  // namespace

class Dispatcher {
 public:
  Dispatcher(const char* program, std::span<const Route> routes, std::span<const Foreign> others,
             const env::Settings& settings, db::Connection& database)
      : program_(program), settings_(settings), database_(database) {
    for (const Route& route : routes)
      entries_.push_back(
          {pattern::Pattern(route.pattern, settings.auth_path), route.methods, route.handle});
    for (const Foreign& other : others)
      entries_.push_back({pattern::Pattern(other.pattern, settings.auth_path),
                          methods_of(other.methods), nullptr});
  }

  bool may_continue() const { return !broken_; }

  // Never throws: what fails before there is a request, or after its answer is known (no memory, no
  // random numbers), costs this process its next requests, and never the answer of what was done.
  std::string answer(const fcgi::Request& raw) {
    try {
      return answered(raw);
    } catch (const std::exception& failure) {
      broken_ = true;
      logging::Line(logging::Level::error).field("route", program_).field("err", failure.what());
      return "Status: 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    }
  }

 private:
  std::string answered(const fcgi::Request& raw) {
    const auto begin = std::chrono::steady_clock::now();
    Request request(raw, settings_);
    const fiber::Label label(request.id());
    std::string cause;
    std::string text;
    Response response;
    try {
      response = outcome(request, cause);
      add_common_headers(request, response);
      text = serialized(response, request.method() != http::HEAD);
    } catch (const std::exception& failure) {
      broken_ = true;
      cause = failure.what();
      response = {500, {}, ""};
      text = serialized(response, false);
    }
    if (response.status == 503 && sandbox::is_outdated()) broken_ = true;
    try {
      write_log(request, response, cause, begin);
    } catch (const std::exception&) {
      broken_ = true;  // an answer without its line is better than the other way round
    }
    return text;
  }

  struct Entry {
    pattern::Pattern pattern;
    unsigned methods;
    Handle handle;  // nullptr: another program's
  };

  // What the handler says, or what it or the checks before it threw. The only place where an
  // exception becomes an answer.
  Response outcome(Request& request, std::string& cause) {
    Error error = internal_error(request.family());
    try {
      return dispatch(request);
    } catch (const Error& thrown) {
      error = thrown;
    } catch (const db::Error& thrown) {
      cause = thrown.what();
      if (thrown.kind != db::Error::Kind::refused) error = Error::unavailable();
    } catch (const password::Busy& thrown) {
      error = Error::unavailable();
      cause = thrown.what();
    } catch (const std::logic_error& thrown) {
      broken_ = true;  // an invariant does not hold: a clean process goes on
      cause = thrown.what();
    } catch (const std::exception& thrown) {
      cause = thrown.what();
    }
    count_refusal(request, error);
    return error_response(request, error);
  }

  static void count_refusal(const Request& request, const Error& error) {
    using metrics::AuthFailure;
    if (error.status == 429)
      metrics::count_auth_failure(AuthFailure::rate_limit);
    else if (error.code == "INVALID_EMAIL_OR_PASSWORD" || error.code == "INVALID_PASSWORD")
      metrics::count_auth_failure(AuthFailure::password);
    else if (error.status == 401)
      metrics::count_auth_failure(request.family() == Family::auth ? AuthFailure::session
                                                                   : AuthFailure::token);
  }

  unsigned methods_at(const Request& request) const {
    unsigned methods = 0;
    for (const Entry& entry : entries_)
      if (entry.pattern.match(request.target_.segments)) methods |= entry.methods;
    return methods;
  }

  Response dispatch(Request& request) {
    if (request.raw_.state == fcgi::Body::late) throw Error::unavailable();
    if (const int status = request.refused_status(); status != 0)
      throw refusal(status, request.family(), methods_at(request));
    if (request.raw_.state == fcgi::Body::cut || request.raw_.state == fcgi::Body::bad_length)
      throw Error::malformed("The request body does not have the announced length");
    const bool is_auth = request.family() == Family::auth;
    if (!request.target_.well_formed) {
      if (is_auth) throw Error::empty(404);
      throw Error::malformed("The path is not valid");
    }

    if (is_auth) limit::count(request, database_);

    unsigned allowed = 0;
    Handle handle = nullptr;
    // The task routes accept one slash at the end, Better Auth's do not (contracts, 1 and 1.1).
    if (!is_auth || !request.target_.trailing_slash) {
      for (const Entry& entry : entries_) {
        auto captures = entry.pattern.match(request.target_.segments);
        if (!captures) continue;
        allowed |= entry.methods;
        request.is_matched_ = true;
        if ((entry.methods & request.method_) == 0 || handle != nullptr) continue;
        handle = entry.handle;
        request.path_parameters_ = std::move(*captures);
      }
    }
    if (request.method_ == http::OPTIONS) return options(request, allowed);
    if (is_auth && handle == nullptr) throw Error::empty(404);
    if (allowed == 0 || (handle == nullptr && (allowed & request.method_) != 0))
      throw Error::not_found();
    if (handle == nullptr) throw method_not_allowed(allowed);
    return handle(request, database_);
  }

  // OPTIONS: a preflight (Fetch standard, 3.2.2) if it has an Origin, else the question which
  // methods there are. Better Auth answers neither; from trusted origins we answer the first.
  Response options(const Request& request, unsigned allowed) const {
    Response response = Response::no_content();
    const bool is_preflight =
        is_allowed_origin(request) && !request.header("access-control-request-method").empty();
    if (is_preflight) {
      response.add("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
          .add("Access-Control-Allow-Headers",
               "authorization, content-type, if-match, if-none-match, idempotency-key, "
               "x-request-id")
          .add("Access-Control-Max-Age", "600");
    } else if (request.family() == Family::auth) {
      throw Error::empty(404);
    } else if (allowed == 0) {
      throw Error::not_found();
    }
    if (allowed != 0) response.add("Allow", http::method_names(allowed | http::OPTIONS));
    return response;
  }

  static bool is_allowed_origin(const Request& request) {
    const std::string_view origin = request.header("origin");
    return !origin.empty() && origin::is_trusted(origin, request.settings().trusted_origins);
  }

  static void add_common_headers(const Request& request, Response& response) {
    const auto has = [&](std::string_view name) {
      return std::any_of(response.headers.begin(), response.headers.end(),
                         [&](const auto& header) { return header.first == name; });
    };
    if (!has("Cache-Control")) {
      const bool reads = (request.method() & (http::GET | http::HEAD)) != 0;
      const bool kept = reads && request.family() == Family::api &&
                        (response.status == 200 || response.status == 304);
      response.add("Cache-Control", kept ? "private, no-cache" : "no-store");
    }
    response.add("X-Content-Type-Options", "nosniff").add("X-Request-Id", request.id());
    response.add("Vary", "Origin");
    if (!is_allowed_origin(request)) return;
    response.add("Access-Control-Allow-Origin", std::string(request.header("origin")))
        .add("Access-Control-Allow-Credentials", "true");
    std::string exposed = "ETag, Link, Location, Retry-After, X-Request-Id, X-Total-Count";
    if (request.family() == Family::auth) exposed = "set-auth-jwt, X-Retry-After, X-Request-Id";
    std::erase_if(response.headers, [](const auto& header) {
      return header.first == "Access-Control-Expose-Headers";
    });
    response.add("Access-Control-Expose-Headers", exposed);
  }

  // The path with every captured segment but a task's number replaced by its name, and of a path
  // that is none of ours no more than where it begins: user ids and reset tokens are parts of
  // paths, and must not be in a log.
  std::string public_path(const Request& request) const {
    constexpr std::size_t kShown = 128;
    if (!request.is_matched_ && request.family() == Family::auth) return settings_.auth_path + "/*";
    if (!request.is_matched_ && request.target().path.starts_with("/api/")) return "/api/*";
    if (request.path_parameters_.empty()) return request.target().path.substr(0, kShown);
    std::string path;
    for (const std::string& segment : request.target().segments) {
      std::string shown = segment;
      for (const auto& [name, value] : request.path_parameters_) {
        const bool is_number =
            name == "id" && value.find_first_not_of("0123456789") == std::string::npos;
        if (value == segment && !is_number) shown = "{" + name + "}";
      }
      path += "/" + shown;
    }
    return path.substr(0, kShown);
  }

  void write_log(const Request& request, const Response& response, const std::string& cause,
                 std::chrono::steady_clock::time_point begin) {
    const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - begin);
    logging::Line line(response.status >= 500 ? logging::Level::error : logging::Level::info);
    line.field("route", program_)
        .field("rid", request.id())
        .field("method", request.method() != 0 ? request.method_name() : std::string("?"))
        .field("path", utf8_safe(public_path(request)))
        .field("status", std::int64_t{response.status})
        .field("dur_ms", spent.count() / 1000);
    metrics::count_request(request.method_name(), response.status, spent);
    if (!request.user_.empty()) line.field("user", log_name(request.user_));
    if (!cause.empty()) line.field("err", cause);
  }

  // The user as the log may show it. Kept, as the next requests are often the same user's.
  const std::string& log_name(const std::string& user) {
    constexpr std::size_t kMost = 4096;
    if (log_names_.size() >= kMost) log_names_.clear();
    std::string& name = log_names_[user];
    if (name.empty())
      name = encoding::hex(crypto::hmac_sha256(settings_.secret.view(), user)).substr(0, 16);
    return name;
  }

  static std::string utf8_safe(std::string text);

  const char* program_;
  const env::Settings& settings_;
  db::Connection& database_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::string> log_names_;
  bool broken_ = false;
};

std::string Dispatcher::utf8_safe(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  return text;
}

namespace {

int serve_routes(const char* program, std::span<const Route> routes, int argc, char** argv,
                 std::span<const Foreign> others) {
  const std::string_view option = argc > 1 ? argv[1] : "";
  if (option == "--route") {
    for (const Route& route : routes)
      std::cout << program << '\t' << http::method_names(route.methods, ",") << '\t'
                << route.pattern << '\n';
    return EXIT_SUCCESS;
  }
  env::Settings settings;
  std::vector<std::string> warnings;
  try {
    settings = env::load([](const char* name) { return std::getenv(name); });
    settings.database_url = db::normalized_url(settings.database_url, warnings);
  } catch (const std::exception& mistake) {
    std::cerr << mistake.what() << std::endl;
    return kExitConfig;
  }
  if (option == "--check") {
    for (const std::string& warning : warnings) std::cerr << warning << '\n';
    return EXIT_SUCCESS;
  }
  logging::set_threshold(settings.log_threshold);
  for (const std::string& warning : warnings)
    logging::Line(logging::Level::warn).field("route", program).field("err", warning);

  crypto::begin();
  metrics::open(settings.metrics_folder, program);
  sandbox::enter(settings, program);
  db::Connection database(
      settings.database_url, program,
      {settings.database_roles, settings.database_connections, settings.database_request_ids});
  Dispatcher dispatcher(program, routes, others, settings, database);
  logging::set_buffered();
  loop::before_wait(&dispatcher, logging::flush);
  const int status = fcgi::serve(
      {settings.max_body_bytes, settings.idle_exit, settings.max_requests},
      [&](const fcgi::Request& request) { return dispatcher.answer(request); },
      [&] { return dispatcher.may_continue(); });
  loop::before_wait(&dispatcher, nullptr);
  logging::flush();
  return status;
}

}  // namespace

int serve(const char* program, std::span<const Route> routes, int argc, char** argv,
          std::span<const Foreign> others) {
  try {
    return serve_routes(program, routes, argc, argv, others);
  } catch (const std::exception& failure) {
    logging::Line(logging::Level::error).field("route", program).field("err", failure.what());
    logging::flush();
    return kExitSystem;
  }
}

}  // namespace route
