// Counts of what the processes of a program do, in a file that they share and the program `metrics`
// reads: TODO_METRICS names its folder. Each process counts in a part of its own, with nobody else
// writing there, so counting is adding to memory. Who takes over the part of a process that has
// ended, however it ended, counts on from where that one was: sums never go down. Without open(),
// and where the file cannot be had, counting does nothing. Must not know: how counts are shown,
// what routes there are.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace metrics {

using Seconds = std::chrono::duration<double>;

// Upper ends of the buckets of durations, in seconds; the last bucket has no end.
inline constexpr std::array kBuckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                     0.1,   0.25,   0.5,   1.0,  2.5,   5.0};

struct Durations {
  std::array<std::uint64_t, kBuckets.size() + 1> count;  // of each bucket alone
  std::uint64_t microseconds;
};

inline constexpr std::array kMethods{"GET",   "HEAD",   "POST",    "PUT",
                                     "PATCH", "DELETE", "OPTIONS", "other"};
// Statuses that the service knows; another one counts as the last.
inline constexpr std::array kStatuses{200, 201, 204, 302, 304, 400, 401, 403, 404, 405,
                                      409, 412, 413, 414, 415, 422, 429, 500, 503, 0};

enum class AuthFailure { token, password, session, rate_limit };
inline constexpr std::array kAuthFailures{"token", "password", "session", "rate_limit"};
enum class StatementFailure { unavailable, in_doubt, refused };
inline constexpr std::array kStatementFailures{"unavailable", "in_doubt", "refused"};
inline constexpr std::array kTokenKinds{"EdDSA", "HS256"};

// One process's part of the file. Only what is added at the end leaves older readers right.
struct Counts {
  std::uint64_t started_at;  // seconds since 1970
  std::uint64_t starts;      // how many processes have had this part
  // As things are: they mean nothing once the process has ended.
  std::uint64_t in_hand;
  std::uint64_t waiting;
  std::uint64_t connections;
  // Since the file was made.
  std::array<std::array<std::uint64_t, kStatuses.size()>, kMethods.size()> requests;
  Durations request_durations;
  Durations statement_durations;
  std::array<std::uint64_t, kStatementFailures.size()> statement_failures;
  std::array<std::uint64_t, kAuthFailures.size()> auth_failures;
  std::array<std::uint64_t, kTokenKinds.size()> tokens;
};

// Takes a part of the file of `program` in `folder`. Before the sandbox: the file is written to.
void open(const std::string& folder, const std::string& program);

void count_request(std::string_view method, int status, Seconds duration);
void count_statement(Seconds duration);
void count_statement_failure(StatementFailure kind);
void count_auth_failure(AuthFailure reason);
void count_token(bool is_shared_secret);
void set_load(std::size_t in_hand, std::size_t waiting, std::size_t connections);

struct Process {
  Counts counts;
  bool is_alive;
};
struct Program {
  std::string name;
  std::vector<Process> processes;
};

// All that is counted in `folder`, by name.
std::vector<Program> read(const std::string& folder);

}  // namespace metrics
