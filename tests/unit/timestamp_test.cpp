#include "lib/timestamp.h"

#include <gtest/gtest.h>

using timestamp::from_text;
using timestamp::to_text;

TEST(Timestamp, showsThreeDecimalsTruncated) {
  EXPECT_EQ(to_text(*from_text("2026-01-02T00:00:00.999999Z")), "2026-01-02T00:00:00.999Z");
  EXPECT_EQ(to_text(*from_text("2026-01-02T03:04:05Z")), "2026-01-02T03:04:05.000Z");
  EXPECT_EQ(to_text(timestamp::Time()), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_text(*from_text("1969-12-31T23:59:59.9995Z")), "1969-12-31T23:59:59.999Z");
}

TEST(Timestamp, readsEveryFormOfRfc3339) {
  EXPECT_EQ(from_text("2026-01-02T05:04:05+02:00"), from_text("2026-01-02T03:04:05Z"));
  EXPECT_EQ(from_text("2026-01-01T22:34:05.5-04:30"), from_text("2026-01-02t03:04:05.500000z"));
  EXPECT_TRUE(from_text("2024-02-29T00:00:00Z"));
  EXPECT_TRUE(from_text("2016-12-31T23:59:60Z"));
}

TEST(Timestamp, keepsMicrosecondsForTheDatabase) {
  EXPECT_EQ(timestamp::to_exact_text(*from_text("2026-01-02T05:04:05.0012349+02:00")),
            "2026-01-02T03:04:05.001234Z");
}

TEST(Timestamp, endsWhereFourDigitsEnd) {
  EXPECT_EQ(to_text(*from_text("0000-01-01T00:00:00Z")), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(to_text(*from_text("9999-12-31T23:59:59.999999Z")), "9999-12-31T23:59:59.999Z");
  EXPECT_FALSE(from_text("0000-01-01T00:00:00+00:01"));
  EXPECT_FALSE(from_text("9999-12-31T23:59:59-00:01"));
  EXPECT_FALSE(from_text("9999-12-31T23:59:60Z"));
}

TEST(Timestamp, refusesEverythingElse) {
  for (const auto text :
       {"", "2026-01-02", "2026-01-02T03:04:05", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-02T24:00:00Z", "2026-01-02T03:60:05Z", "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05+2:00", "2026-01-02T03:04:05+0200", "2026-01-02T03:04:05Z ",
        " 2026-01-02T03:04:05Z", "2026-1-02T03:04:05Z", "+2026-01-02T03:04:05Z"})
    EXPECT_FALSE(from_text(text)) << text;
}

TEST(Timestamp, nowHasWholeMilliseconds) {
  EXPECT_EQ(timestamp::now().time_since_epoch().count() % 1000, 0);
}
