// Requests in, responses out: FastCGI on file descriptor 0 where that is a listening socket
// (spawn-fcgi, multiwatch, systemd, mod_fcgid), otherwise one request by plain CGI (RFC 3875) from
// the environment and standard input. The sockets, the signals and the deadlines; the bytes are
// records.h's. A process has many requests in hand: each runs in a fiber, and a peer that is slow
// with sending or taking holds up nobody else.
// Must not know: HTTP, routes, the database.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "lib/records.h"

namespace fcgi {

using Body = records::Body;

struct Request {
  const char* const* parameters = nullptr;  // "NAME=value", ends with nullptr
  Body state = Body::whole;
  std::string body;

  // The value of a parameter (the first of that name); nullptr if it was not sent.
  const char* parameter(std::string_view name) const;
};

// Answers one request with a whole CGI response: header lines, an empty line, the body. Must not
// throw. Calls of several requests are interleaved where one of them waits (lib/loop).
using Handler = std::function<std::string(const Request&)>;

// For how long a turn of the handlers' code may keep the process from all else; then the process
// ends, and its supervisor starts a new one.
inline constexpr unsigned kTurnSeconds = 30;
// How long the peer may stay silent while it sends or takes bytes.
inline constexpr std::chrono::seconds kSilence{10};
// How long a request may take to arrive, however steadily.
inline constexpr std::chrono::seconds kArrival{30};
// How long a peer that sends a body over the limit may go on after it was answered.
inline constexpr std::chrono::seconds kLinger{2};
// How long a stopping process leaves its kept connections to the web server, which closes them
// sooner by itself (nginx: keepalive_time); closing one that it is about to use would lose a
// request.
inline constexpr std::chrono::seconds kFarewell{5};

// Requests in hand at once, and connections; what comes on top waits in the socket's backlog.
inline constexpr std::size_t kMaxRequests = 128;
inline constexpr std::size_t kMaxConnections = 512;
// How long a request that has arrived waits to be taken in hand; then it is refused (Body::late).
// With the database away those in hand stay for seconds, and who queues behind them had better
// know.
inline constexpr std::chrono::seconds kPatience{1};

struct Options {
  std::size_t max_body_bytes = 0;
  std::chrono::seconds idle_exit{0};  // ends after so long without a request; 0: never
  unsigned long max_requests = 0;     // ends after so many; 0: never
};

// Serves until SIGTERM or SIGINT, which let the requests in hand finish; by plain CGI, one request.
// `may_continue` is asked after each request. Bodies are read whole before `handler` is called.
// Returns the exit status of the process: 0, or 1 if the response could not be written, or 2 if
// there is neither a socket nor a request (a line on standard error says so).
int serve(const Options& options, const Handler& handler,
          const std::function<bool()>& may_continue);

}  // namespace fcgi
