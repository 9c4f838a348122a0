#include "lib/timestamp.h"

#include <array>

namespace timestamp {
namespace {

using namespace std::chrono;

// `count` digits at the beginning of `text`, which then loses them; nullopt if they are not there.
std::optional<int> digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, std::string_view one_of) {
  if (text.empty() || one_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// ".123456789" -> 123456 us; nothing -> 0; nullopt for a point without digits.
std::optional<microseconds> fraction(std::string_view& text) {
  if (!take(text, ".")) return microseconds(0);
  int place = 100000;
  int value = 0;
  std::size_t count = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++count) {
    value += (text.front() - '0') * place;
    place /= 10;
    text.remove_prefix(1);
  }
  if (count == 0) return std::nullopt;
  return microseconds(value);
}

// "Z" or "+hh:mm".
std::optional<minutes> offset(std::string_view& text) {
  if (take(text, "Zz")) return minutes(0);
  if (text.empty()) return std::nullopt;
  const int sign = text.front() == '-' ? -1 : 1;
  if (!take(text, "+-")) return std::nullopt;
  const auto hour = digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
  const auto minute = digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  return minutes(sign * (*hour * 60 + *minute));
}

// `width` digits at `place`, which moves on.
void write(char*& place, long number, int width, char after) {
  for (int digit = width - 1; digit >= 0; --digit, number /= 10)
    place[digit] = static_cast<char>('0' + number % 10);
  place += width;
  *place++ = after;
}

// With as many decimals as `Unit` has. By hand: every row of a list has two, and snprintf takes ten
// times as long.
template <typename Unit>
void append_written(std::string& out, Time time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<Unit> clock(floor<Unit>(time - day));
  std::array<char, 40> text;
  char* place = text.data();
  write(place, static_cast<int>(date.year()), 4, '-');
  write(place, static_cast<unsigned>(date.month()), 2, '-');
  write(place, static_cast<unsigned>(date.day()), 2, 'T');
  write(place, clock.hours().count(), 2, ':');
  write(place, clock.minutes().count(), 2, ':');
  write(place, clock.seconds().count(), 2, '.');
  write(place, clock.subseconds().count(), static_cast<int>(clock.fractional_width), 'Z');
  out.append(text.data(), static_cast<std::size_t>(place - text.data()));
}

template <typename Unit>
std::string written(Time time) {
  std::string out;
  append_written<Unit>(out, time);
  return out;
}

}  // namespace

std::string to_text(Time time) { return written<milliseconds>(time); }

void append_text(std::string& out, Time time) { append_written<milliseconds>(out, time); }

std::string to_exact_text(Time time) { return written<microseconds>(time); }

std::optional<Time> from_text(std::string_view text) {
  const auto year_number = digits(text, 4);
  if (!year_number || !take(text, "-")) return std::nullopt;
  const auto month_number = digits(text, 2);
  if (!month_number || !take(text, "-")) return std::nullopt;
  const auto day_number = digits(text, 2);
  if (!day_number || !take(text, "Tt")) return std::nullopt;
  const auto hour = digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
  const auto minute = digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ":")) return std::nullopt;
  const auto second = digits(text, 2);
  if (!second || *second > 60) return std::nullopt;  // 60: a leap second
  const auto part = fraction(text);
  const auto zone = part ? offset(text) : std::nullopt;
  const year_month_day date(year(*year_number), month(static_cast<unsigned>(*month_number)),
                            day(static_cast<unsigned>(*day_number)));
  if (!zone || !text.empty() || !date.ok()) return std::nullopt;
  const Time time =
      Time(sys_days(date)) + hours(*hour) + minutes(*minute) + seconds(*second) + *part - *zone;
  if (time < sys_days(year(0) / January / 1) || time >= sys_days(year(10000) / January / 1))
    return std::nullopt;
  return time;
}

Time now() { return floor<milliseconds>(system_clock::now()); }

}  // namespace timestamp
