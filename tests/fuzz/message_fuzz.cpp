// lib/message: nothing that a user chose adds a header or a line of its own.
// Input: lines with recipient, name and link, then a template.
#include "lib/message.h"

#include <algorithm>
#include <stdexcept>

#include "tests/fuzz/fuzz.h"

namespace {

std::string compose(const std::string& recipient, std::string_view text,
                    const message::Values& values) {
  return message::compose({"Todo <todo@example.com>", recipient, "id", {}}, text,
                          "<p>{{name}}</p><a href=\"{{link}}\">", values);
}

std::size_t headers(std::string_view mail) {
  const std::string_view head = mail.substr(0, mail.find("\r\n\r\n"));
  std::size_t count = 0;
  for (std::size_t at = 0; at < head.size();
       at = std::min(head.find("\r\n", at), head.size() - 2) + 2)
    if (head[at] != ' ') ++count;
  return count;
}

}  // namespace

void fuzz(std::string_view input) {
  const std::string recipient(fuzzing::take_line(input));
  const std::string name(fuzzing::take_line(input));
  const std::string link(fuzzing::take_line(input));
  static const std::size_t kHeaders = headers(compose("zoe@example.com", "Subject: S\n\nText", {}));
  for (const std::string& text :
       {std::string(input), std::string("Subject: S\n\n{{name}} {{link}}")}) {
    try {
      const std::string mail = compose(recipient, text, {name, link});
      REQUIRE(headers(mail) == kHeaders);
      // Every line ends with CR LF, and neither stands alone.
      for (std::size_t at = 0; at < mail.size(); ++at) {
        if (mail[at] == '\n') REQUIRE(at > 0 && mail[at - 1] == '\r');
        if (mail[at] == '\r') REQUIRE(at + 1 < mail.size() && mail[at + 1] == '\n');
      }
    } catch (const std::invalid_argument&) {
      REQUIRE(!fuzzing::is_one_line(recipient) || text == input);
    }
  }
}
