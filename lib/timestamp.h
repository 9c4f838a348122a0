// Instants, as the database keeps them (microseconds) and as the wire shows them (milliseconds).
// Pure; no clock of its own besides now().
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace timestamp {

using Time = std::chrono::sys_time<std::chrono::microseconds>;

// "2026-01-02T03:04:05.678Z": UTC, always three decimals, truncated (contract tasks-api D2,
// better-auth-wire 1.5). For years 0 ... 9999.
std::string to_text(Time time);
void append_text(std::string& out, Time time);

// The same with all six decimals, for the database.
std::string to_exact_text(Time time);

// RFC 3339, section 5.6: "2026-01-02T03:04:05[.fraction](Z|+hh:mm)"; 'T' and 'Z' in any case; a
// fraction is cut to microseconds. nullopt for anything else: impossible dates, and what lies
// outside of the years 0 ... 9999 once it is UTC.
std::optional<Time> from_text(std::string_view text);

// The system clock, cut to milliseconds: what Better Auth writes into the shared tables.
Time now();

}  // namespace timestamp
