#include "lib/message.h"

#include <array>
#include <cstdio>
#include <stdexcept>

#include "lib/encoding.h"
#include "lib/utf8.h"

namespace message {
namespace {

constexpr std::string_view kSubject = "Subject: ";
constexpr std::size_t kLineLength = 76;        // RFC 2045, section 6.8
constexpr std::size_t kEncodedWordBytes = 39;  // RFC 2047, section 2: lines of 76, with "Subject: "

std::string html_escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string filled(std::string_view text, std::string_view name, std::string_view link) {
  std::string result;
  while (!text.empty()) {
    const std::size_t place = std::min(text.find("{{"), text.size());
    result += text.substr(0, place);
    text.remove_prefix(place);
    constexpr std::string_view kName = "{{name}}";
    constexpr std::string_view kLink = "{{link}}";
    if (text.starts_with(kName) || text.starts_with(kLink)) {
      result += text.starts_with(kName) ? name : link;
      text.remove_prefix(kName.size());
    } else if (!text.empty()) {
      result += text.front();
      text.remove_prefix(1);
    }
  }
  return result;
}
static_assert(std::string_view("{{name}}").size() == std::string_view("{{link}}").size());

std::string base64_lines(std::string_view text) {
  const std::string encoded = encoding::base64(text);
  std::string lines;
  for (std::size_t begin = 0; begin < encoded.size(); begin += kLineLength)
    lines.append(encoded, begin, kLineLength).append("\r\n");
  return lines;
}

// RFC 2047: text that is not ASCII goes into encoded words, cut between characters.
std::string header_text(std::string_view text) {
  const auto is_plain = [](std::string_view part) {
    for (const char c : part)
      if (static_cast<unsigned char>(c) >= 0x80) return false;
    return true;
  };
  if (text.find_first_of("\r\n") != std::string_view::npos)
    throw std::invalid_argument("a line break in a header");
  if (is_plain(text)) return std::string(text);
  // A template or a setting may hold anything; a run of continuation bytes has no place to cut.
  const std::string valid = utf8::repaired(text);
  text = valid;
  std::string words;
  while (!text.empty()) {
    std::size_t size = std::min(kEncodedWordBytes, text.size());
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    if (!words.empty()) words += "\r\n ";
    words += "=?UTF-8?B?" + encoding::base64(text.substr(0, size)) + "?=";
    text.remove_prefix(size);
  }
  return words;
}

// RFC 5322, section 3.3.
std::string date_text(timestamp::Time time) {
  using namespace std::chrono;
  constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  std::array<char, 64> text{};
  static_cast<void>(std::snprintf(
      text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d +0000",
      kDays[weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
      kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count())));
  return text.data();
}

std::string part(std::string_view type, std::string_view content, std::string_view boundary) {
  return "--" + std::string(boundary) + "\r\nContent-Type: text/" + std::string(type) +
         "; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64_lines(content);
}

}  // namespace

std::string compose(const Envelope& envelope, std::string_view text, std::string_view html,
                    const Values& values) {
  const std::size_t end = text.find('\n');
  if (!text.starts_with(kSubject) || end == std::string_view::npos)
    throw std::invalid_argument("a mail template must begin with a line \"Subject: …\"");
  std::string_view subject = text.substr(kSubject.size(), end - kSubject.size());
  if (subject.ends_with('\r')) subject.remove_suffix(1);
  std::string_view body = text.substr(end + 1);
  while (body.starts_with('\n') || body.starts_with('\r')) body.remove_prefix(1);

  const std::string boundary = "part-" + envelope.id;
  std::string mail = "From: " + header_text(envelope.from) +
                     "\r\nTo: " + header_text(envelope.recipient) +
                     "\r\nSubject: " + header_text(subject) +
                     "\r\nDate: " + date_text(envelope.date) + "\r\nMessage-ID: <" + envelope.id +
                     "@todo-fcgi>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                     "Content-Type: multipart/alternative; boundary=\"" +
                     boundary + "\"\r\n\r\n";
  mail += part("plain", filled(body, values.name, values.link), boundary);
  mail +=
      part("html", filled(html, html_escaped(values.name), html_escaped(values.link)), boundary);
  return mail + "--" + boundary + "--\r\n";
}

}  // namespace message
