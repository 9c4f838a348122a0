#include "lib/message.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "lib/encoding.h"

namespace {

const message::Envelope kEnvelope{"Todo <todo@example.com>", "zoe@example.com", "id",
                                  *timestamp::from_text("2026-01-02T03:04:05Z")};

std::string compose(std::string_view text, std::string_view html, const message::Values& values) {
  return message::compose(kEnvelope, text, html, values);
}

}  // namespace

TEST(Message, hasTheHeadersOfAMail) {
  const std::string mail =
      compose("Subject: Hello\n\nBody\n", "<p>Body</p>", {"Zoë", "http://x/y"});
  EXPECT_TRUE(
      mail.starts_with("From: Todo <todo@example.com>\r\nTo: zoe@example.com\r\nSubject: Hello\r\n"
                       "Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n"));
  EXPECT_NE(mail.find("multipart/alternative; boundary=\"part-id\""), std::string::npos);
  EXPECT_TRUE(mail.ends_with("--part-id--\r\n"));
}

TEST(Message, fillsBothPartsAndEscapesInHtmlOnly) {
  const std::string mail =
      compose("Subject: S\n\n{{name}} {{link}} {{other}} {{",
              "<p>{{name}}</p><a href=\"{{link}}\">", {"<b>&\"{{link}}", "http://x/?a=1&b=2"});
  EXPECT_NE(mail.find(encoding::base64("<b>&\"{{link}} http://x/?a=1&b=2 {{other}} {{")),
            std::string::npos);
  EXPECT_NE(mail.find(encoding::base64(
                          "<p>&lt;b&gt;&amp;&quot;{{link}}</p><a href=\"http://x/?a=1&amp;b=2\">")
                          .substr(0, 76)),
            std::string::npos);
}

TEST(Message, noLineIsLongerThanMailAllows) {
  const std::string mail =
      compose("Subject: " + std::string("ü€😀").append("äöüß äöüß äöüß äöüß äöüß äöüß äöüß") +
                  "\n\n" + std::string(5000, 'x'),
              std::string(5000, 'y'), {"", ""});
  for (std::size_t begin = 0; begin < mail.size();) {
    const std::size_t end = mail.find("\r\n", begin);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - begin, 78U);
    begin = end + 2;
  }
}

TEST(Message, aTemplateWithoutSubjectOrALineBreakInAHeaderIsRefused) {
  EXPECT_THROW(compose("Hello", "", {}), std::invalid_argument);
  EXPECT_THROW(
      message::compose({"a@x.co\r\nBcc: b@y.co", "z@x.co", "id", {}}, "Subject: S\n\n", "", {}),
      std::invalid_argument);
}

TEST(Message, aHeaderThatIsNotUtf8ComesToAnEnd) {  // found by fuzzing
  const std::string mail = compose("Subject: " + std::string(200, '\xA5') + "\n\nText", "", {});
  EXPECT_NE(mail.find("Subject: =?UTF-8?B?"), std::string::npos);
}
