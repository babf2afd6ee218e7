#include "nybble/io/names.h"

#include <gtest/gtest.h>

namespace nybble {
namespace {

TEST(IsUtf8, AcceptsTheEdgesOfEveryLength) {
  for (const std::string_view text :
       {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << quote_name(text);
  }
}

TEST(IsUtf8, RefusesOverlongCutSurrogateAndTooLargeForms) {
  for (const std::string_view text :
       {"\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "a\xff"}) {
    EXPECT_FALSE(is_utf8(text)) << quote_name(text);
  }
}

TEST(QuoteName, EscapesWhatAMessageCannotHold) {
  EXPECT_EQ(quote_name("w\xc3\xa9\n\xff"), "'w\xc3\xa9\\x0a\\xff'");
}

TEST(QuoteName, CutsLongNames) {
  const std::string text = quote_name(std::string(1000, 'x'));
  EXPECT_LT(text.size(), 210u);
  EXPECT_TRUE(text.ends_with("...'")) << text;
}

}  // namespace
}  // namespace nybble
