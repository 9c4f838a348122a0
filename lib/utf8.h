// UTF-8 text as Unicode defines it (Unicode 15, chapter 3, table 3-7; RFC 3629): what is well
// formed, and the three lengths that the contracts speak of. Bytes are `s.size()`.
// Pure; must not know what the text is for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace utf8 {

// False for overlong forms, surrogates, code points above U+10FFFF and cut sequences.
bool is_valid(std::string_view text);

// `text` with each ill-formed sequence replaced by U+FFFD, in the way of the WHATWG decoder
// (one U+FFFD for each maximal subpart).
std::string repaired(std::string_view text);

// Number of code points. `text` must be valid.
std::size_t code_points(std::string_view text);

// Length as JavaScript's String.length counts it. `text` must be valid.
std::size_t utf16_units(std::string_view text);

// True if every character has the Unicode property White_Space, and for "". `text` must be valid.
bool is_blank(std::string_view text);

// `text` without White_Space characters at either end. `text` must be valid.
std::string_view trimmed(std::string_view text);

// Appends the UTF-8 form of `code_point` (0 ... 0x10FFFF, no surrogate).
void append(std::string& text, char32_t code_point);

// ASCII only: A-Z to a-z, everything else as it is.
std::string ascii_lower(std::string_view text);

// Unicode normalisation form NFKC (UAX 15). `text` must be valid; throws std::bad_alloc only.
std::string nfkc(std::string_view text);

}  // namespace utf8
