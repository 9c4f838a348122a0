#include "lib/email.h"

#include <algorithm>

namespace email {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_letter_or_digit(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }
bool is_local(char c) {
  return is_letter_or_digit(c) || c == '_' || c == '\'' || c == '+' || c == '-';
}

bool is_local_part(std::string_view text) {
  if (text.empty() || text.back() == '\'') return false;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    const std::string_view atom = text.substr(begin, end - begin);
    if (atom.empty() || !std::all_of(atom.begin(), atom.end(), is_local)) return false;
    begin = end + 1;
  }
  return true;
}

bool is_label(std::string_view text) {
  return !text.empty() && is_letter_or_digit(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

bool is_domain(std::string_view text) {
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view top = text.substr(dot + 1);
  if (top.size() < 2 || !std::all_of(top.begin(), top.end(), is_letter)) return false;
  for (std::size_t begin = 0; begin <= dot;) {
    const std::size_t end = text.find('.', begin);
    if (!is_label(text.substr(begin, end - begin))) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

bool is_valid(std::string_view address) {
  const std::size_t at = address.find('@');
  return at != std::string_view::npos && is_local_part(address.substr(0, at)) &&
         is_domain(address.substr(at + 1));
}

}  // namespace email
