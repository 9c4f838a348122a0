#include "lib/ip.h"

#include <gtest/gtest.h>

#include "tests/unit/vectors.h"

using Entries = std::vector<std::string>;

TEST(Ip, findsTheClientThatTheVectorsName) {
  for (const auto& each : vectors("better-auth-vectors.json")["client_ip"]) {
    const std::string header =
        each["x_forwarded_for"].is_null() ? "" : std::string(each["x_forwarded_for"]);
    EXPECT_EQ(ip::client(header, Entries(each["trusted_proxies"])),
              each["stored_ip"].get<std::string>())
        << header;
  }
}

TEST(Ip, oneClientHasOneSpelling) {
  EXPECT_EQ(ip::canonical("2001:db8::1"), "2001:0db8:0000:0000:0000:0000:0000:0000");
  EXPECT_EQ(ip::canonical("2001:DB8:0::ffff"), ip::canonical("2001:db8::1"));
  EXPECT_EQ(ip::canonical("::ffff:c000:0209"), "192.0.2.9");
  for (const auto text : {"", "1.2.3", "1.2.3.4.5", "1.2.3.4:80", "[::1]", "::1%lo", "01.2.3.4",
                          "0x1.2.3.4", " 1.2.3.4"})
    EXPECT_FALSE(ip::canonical(text)) << text;
}

TEST(Ip, readsPastTrustedProxiesFromTheRight) {
  const Entries proxies{"10.0.0.0/8", "2001:db8:f::/48"};
  EXPECT_EQ(ip::client("6.6.6.6, 203.0.113.7, 2001:db8:f::1, 10.1.2.3", proxies), "203.0.113.7");
  EXPECT_EQ(ip::client("203.0.113.7, junk, 10.1.2.3", proxies), "");
  EXPECT_EQ(ip::client("10.1.2.3, 10.1.2.4", proxies), "");
}

TEST(Ip, aBlockCoversItsOwnFamilyHoweverItIsWritten) {
  EXPECT_EQ(ip::client("203.0.113.7, 2001:db8::1", Entries{"::/0"}), "203.0.113.7");
  EXPECT_EQ(ip::client("2001:db8::1, 203.0.113.7", Entries{"0.0.0.0/0"}),
            "2001:0db8:0000:0000:0000:0000:0000:0000");
  EXPECT_EQ(ip::client("203.0.113.7, 10.0.0.1", Entries{"::ffff:10.0.0.0/104"}), "203.0.113.7");
  EXPECT_EQ(ip::client("203.0.113.7, 11.0.0.1", Entries{"::ffff:10.0.0.0/104"}), "11.0.0.1");
  EXPECT_EQ(ip::client("203.0.113.7, 2001:db8:f:8000::1", Entries{"2001:db8:f::/49"}),
            "2001:0db8:000f:8000:0000:0000:0000:0000");
}

TEST(Ip, blocksHoldWhatTheyCover) {
  EXPECT_TRUE(ip::is_among("127.0.0.1", Entries{"127.0.0.0/8"}));
  EXPECT_TRUE(ip::is_among("127.0.0.1", Entries{"::1", "127.0.0.1"}));
  EXPECT_TRUE(ip::is_among(*ip::canonical("::1"), Entries{"::1"}));
  EXPECT_FALSE(ip::is_among("128.0.0.1", Entries{"127.0.0.0/8"}));
  EXPECT_FALSE(ip::is_among("1.2.3.4", Entries{"1.2.3.4/33", "nonsense", "/8", "1.2.3.0/x"}));
  EXPECT_FALSE(ip::is_among("", Entries{"0.0.0.0/0"}));
}
