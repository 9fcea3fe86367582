// The page, the CSV and the overview of results: what they hold, and that nothing in a result is
// ever markup.
#include "gelato/report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "gelato/report/overview.h"
#include "gelato/report/result_table.h"

namespace gelato::report {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

json row(const char* label, double bandwidth, double rtt, double rate) {
  return {{"label", label},
          {"policy", std::string(label) + ":1"},
          {"tokens_per_s", rate},
          {"joules_per_token", 1.0 / rate},
          {"energy_source", "model:paper"},
          {"cell",
           {{"bandwidth_hz", bandwidth * 1e6},
            {"swept", {{"link", std::to_string(bandwidth) + "mhz"}, {"rtt_s", rtt}}}}}};
}

json sweep() {
  json result = {{"scenario", "fig"},
                 {"description", "a sweep"},
                 {"version", "0.1.0"},
                 {"seed", 7},
                 {"machine", {{"cpu", "a cpu"}, {"cores", 2}}},
                 {"summary", {{"gain", {{"gelato", 0.25}}}}},
                 {"rows", json::array()}};
  for (const double rtt : {0.01, 0.1}) {
    for (const double bandwidth : {1.0, 2.0, 10.0}) {
      result["rows"].push_back(row("static", bandwidth, rtt, 20.0 + bandwidth));
      result["rows"].push_back(row("gelato", bandwidth, rtt, 25.0 + bandwidth));
    }
  }
  return result;
}

std::string name(const ResultTable& table, std::optional<std::size_t> column) {
  return column ? table.columns[*column] : "";
}

TEST(ResultTable, RowsBecomeColumnsByTheirLeaves) {
  const ResultTable table = flatten(sweep());
  EXPECT_EQ(table.title, "fig");
  EXPECT_EQ(table.rows.size(), 12U);
  EXPECT_THAT(table.columns,
              ElementsAre("label", "cell.swept.link", "cell.swept.rtt_s", "policy", "tokens_per_s",
                          "joules_per_token", "energy_source", "cell.bandwidth_hz"));
  EXPECT_EQ(table.rows[3][4], 27.0);
  EXPECT_THAT(energy_sources(sweep(), table), ElementsAre("model:paper"));
}

TEST(ResultTable, TheViewFindsWhatWasSwept) {
  const ResultTable table = flatten(sweep());
  EXPECT_EQ(name(table, table.view.series), "label");
  EXPECT_EQ(name(table, table.view.x), "cell.bandwidth_hz");  // the number that goes with the text
  EXPECT_EQ(name(table, table.view.y), "tokens_per_s");
  EXPECT_EQ(name(table, table.view.cost), "joules_per_token");
  ASSERT_EQ(table.view.filters.size(), 1U);
  EXPECT_EQ(table.columns[table.view.filters[0]], "cell.swept.rtt_s");
}

TEST(ResultTable, AComparisonHasNothingSwept) {
  const json result = {{"benchmark", "local"},
                       {"rows",
                        {{{"label", "a"}, {"tokens_per_s", {{"median", 2.0}, {"min", 1.0}}}},
                         {{"label", "b"}, {"tokens_per_s", {{"median", 3.0}, {"max", 4.0}}}}}}};
  const ResultTable table = flatten(result);
  EXPECT_EQ(name(table, table.view.y), "tokens_per_s.median");
  EXPECT_FALSE(table.view.x);
  EXPECT_EQ(table.rows[0][*table.find("tokens_per_s.max")], nullptr);
}

TEST(ResultTable, AResultWithoutRowsIsItsOwnMeasurements) {
  const json result = {{"version", "1"},
                       {"seed", 3},
                       {"devices", 4},
                       {"policy", "static:4"},
                       {"rate", {{"median", 2.0}, {"min", 1.0}, {"max", 3.0}}}};
  const ResultTable table = flatten(result);
  EXPECT_THAT(table.columns, ElementsAre("measure", "value", "value_max", "value_min"));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_THAT(table.rows[1], ElementsAre("rate", 2.0, 3.0, 1.0));
}

TEST(ResultTable, WhateverIsNoResultIsAnEmptyTable) {
  for (const char* text : {"null", "3", "[]", "{}", R"({"rows": 3})", R"({"rows": [1, null, []]})",
                           R"("x")", R"({"rows": {}, "summary": 3, "scenario": 5})"}) {
    const json result = json::parse(text);
    EXPECT_TRUE(flatten(result).rows.empty()) << text;
    EXPECT_THAT(render_html(result), HasSubstr("</html>")) << text;
    EXPECT_FALSE(render_overview(result, {}).empty()) << text;
    render_csv(result);
  }
}

TEST(ResultTable, ColumnsAreLimited) {
  json wide = json::object();
  for (int i = 0; i < 2000; ++i) {
    wide[std::to_string(i)] = i;
  }
  EXPECT_LE(flatten({{"rows", {wide}}}).columns.size(), kMaxResultColumns);
}

TEST(ParseResult, RefusesWhatIsNone) {
  EXPECT_TRUE(parse_result(R"({"rows": []})", "f").has_value());
  EXPECT_THAT(parse_result("{\"a\": ", "f.json").error().message, HasSubstr("f.json"));
  EXPECT_EQ(parse_result("[]", "f").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(parse_result("", "f").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(parse_result("{\"a\": \"\xff\"}", "f").error().code, ErrorCode::kCorrupt);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += "{\"a\":";
  }
  EXPECT_EQ(parse_result(deep + "1" + std::string(100'000, '}'), "f").error().code,
            ErrorCode::kLimitExceeded);
}

TEST(Csv, QuotesWhatNeedsIt) {
  const json result = {{"rows",
                        {{{"label", "a,\"b\"\nc"}, {"x", 0.1}, {"y", nullptr}},
                         {{"label", "plain"}, {"x", 3}, {"y", true}}}}};
  EXPECT_EQ(render_csv(result), "label,x,y\r\n\"a,\"\"b\"\"\nc\",0.1,\r\nplain,3,true\r\n");
}

// Text that tries to leave every place it may stand in.
constexpr const char* kHostile =
    "</script><script>alert(1)</script><!--<script>\"'><img src=x onerror=alert(2)>&amp;";

TEST(Html, NothingInAResultIsMarkup) {
  const json result = {{"scenario", kHostile},
                       {"description", kHostile},
                       {"version", kHostile},
                       {"models", {{kHostile, {{"file", kHostile}}}}},
                       {"summary", {{kHostile, kHostile}, {"list", {kHostile}}}},
                       {"rows",
                        {{{"label", kHostile}, {kHostile, 1.5}, {"energy_source", kHostile}},
                         {{"label", std::string("\0\xff\xfe", 3)}, {"tokens_per_s", 3.0}}}}};
  const std::string page = render_html(result);
  EXPECT_THAT(page, Not(HasSubstr("alert(1)</script>")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("<!--")));
  const auto count = [&](std::string_view what) {
    std::size_t n = 0;
    for (auto at = page.find(what); at != std::string::npos; at = page.find(what, at + 1)) {
      ++n;
    }
    return n;
  };
  EXPECT_EQ(count("<script"), 4U);  // the data, the result, uPlot, the page's own
  EXPECT_EQ(count("</script"), 4U);
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;"));
}

TEST(Html, WhatTheScriptsReadIsTheResult) {
  json result = sweep();
  result["description"] = kHostile;
  const std::string page = render_html(result);
  const std::string begin = "id=\"result\">";
  const auto from = page.find(begin) + begin.size();
  EXPECT_EQ(json::parse(page.substr(from, page.find("</script>", from) - from)), result);
}

TEST(Html, NeedsNothingElseAndIsTheSameEveryTime) {
  const std::string page = render_html(sweep());
  EXPECT_EQ(page, render_html(sweep()));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  for (const char* elsewhere : {"src=\"", "href=\"http", "@import", "url(http", "fetch("}) {
    EXPECT_THAT(page, Not(HasSubstr(elsewhere))) << elsewhere;
  }
  for (const char* held : {"<h1>fig</h1>", "a sweep", "model:paper", "not measured", "a cpu",
                           "gain.gelato", "0.25", "uPlot"}) {
    EXPECT_THAT(page, HasSubstr(held)) << held;
  }
}

TEST(Html, ALongTableIsCutAndSaysSo) {
  json result = {{"rows", json::array()}};
  for (std::size_t i = 0; i < kMaxHtmlRows + 5; ++i) {
    result["rows"].push_back({{"label", "a"}, {"x", i}});
  }
  EXPECT_THAT(render_html(result), HasSubstr("The first 5000 of 5005 rows"));
}

TEST(Overview, ASweepIsALinePerSeries) {
  const std::string text = render_overview(sweep(), {});
  EXPECT_THAT(text, HasSubstr("energy: model:paper"));
  EXPECT_THAT(text, HasSubstr("tokens_per_s over cell.bandwidth_hz"));
  EXPECT_THAT(text, HasSubstr("static, 0.01  \u2581\u2582\u2588"));
  EXPECT_THAT(text, HasSubstr("joules_per_token over"));
}

TEST(Overview, AComparisonIsItsRowsAndAnythingIsPrintable) {
  const json result = {{"benchmark", "local"},
                       {"description", "a\x1b[2Jb"},
                       {"rows", {{{"label", "x\ny"}, {"tokens_per_s", 2.0}}}}};
  const std::string text = render_overview(result, {});
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("x\uFFFDy"));
}

}  // namespace
}  // namespace gelato::report
