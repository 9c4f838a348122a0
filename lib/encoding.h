// Bytes as text: base64 and base64url (RFC 4648, sections 4 and 5) and hexadecimal.
// Decoders are strict, because two spellings of one value would let a signature be re-spelled:
// no white space, unused bits zero. Pure; must not know what the bytes mean.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace encoding {

// Standard alphabet, padded with '='.
std::string base64(std::string_view bytes);

// Alphabet of RFC 4648 section 5, without padding, as JOSE uses it (RFC 7515, section 2).
std::string base64url(std::string_view bytes);

// nullopt: a character outside the alphabet, a padding character, an impossible length, or
// unused bits that are not zero.
std::optional<std::string> from_base64url(std::string_view text);

// Lower-case, two digits a byte.
std::string hex(std::string_view bytes);

// nullopt: odd length or anything but 0-9 a-f (upper case is refused: the formats that we read
// are defined in lower case).
std::optional<std::string> from_hex(std::string_view text);

}  // namespace encoding
