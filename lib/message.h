// A mail as text (RFC 5322, RFC 2046): one template in two forms, plain text and HTML.
// Pure. Must not know: SMTP, which templates there are.
#pragma once

#include <string>
#include <string_view>

#include "lib/timestamp.h"

namespace message {

// What a template may name as {{name}} and {{link}}.
struct Values {
  std::string name;
  std::string link;
};

struct Envelope {
  std::string from;       // the content of the From header
  std::string recipient;  // an address
  std::string id;         // unique: the left side of the Message-ID
  timestamp::Time date;
};

// `text` is the template of the plain part; its first line is "Subject: …", then an empty line.
// `html` is that of the HTML part, in which values are escaped. Every part is base64, so that no
// line is too long and no text is changed under way; nothing is loaded from anywhere.
// Throws std::invalid_argument if `text` has no subject, or a header would hold a line break.
std::string compose(const Envelope& envelope, std::string_view text, std::string_view html,
                    const Values& values);

}  // namespace message
