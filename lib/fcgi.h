// Requests in, responses out: FastCGI on file descriptor 0 where that is a listening socket
// (spawn-fcgi, multiwatch, systemd, mod_fcgid), otherwise one request by plain CGI (RFC 3875) from
// the environment and standard input. All of libfcgi, of the signals and of the deadlines.
// Must not know: HTTP, routes, the database.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace fcgi {

// How the body that arrived relates to the length that was announced.
enum class Body {
  whole,
  too_large,   // longer than the limit; `body` is empty
  cut,         // the peer went away, or the body is shorter or longer than CONTENT_LENGTH
  bad_length,  // CONTENT_LENGTH is not a number
};

struct Request {
  const char* const* parameters = nullptr;  // "NAME=value", ends with nullptr
  Body state = Body::whole;
  std::string body;

  // The value of a parameter (the first of that name); nullptr if it was not sent.
  const char* parameter(std::string_view name) const;
};

// Answers one request with a whole CGI response: header lines, an empty line, the body. Must not
// throw.
using Handler = std::function<std::string(const Request&)>;

// What a request may take in all; then the process ends, and its supervisor starts a new one.
inline constexpr unsigned kRequestSeconds = 30;
// How long the peer may stay silent while it sends or takes bytes.
inline constexpr unsigned kSilenceSeconds = 10;

// Serves until SIGTERM or SIGINT, which let the current request finish; by plain CGI, one request.
// `may_continue` is asked after each request. Bodies are read whole before `handler` is called.
// Returns the exit status of the process: 0, or 1 if the response could not be written, or 2 if
// there is neither a socket nor a request (a line on standard error says so).
int serve(std::size_t max_body_bytes, const Handler& handler,
          const std::function<bool()>& may_continue);

}  // namespace fcgi
