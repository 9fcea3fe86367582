#include "gelato/edge/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

namespace gelato::edge {
namespace {

using ::testing::HasSubstr;

TEST(EdgeMetrics, CountsAreOnThePage) {
  Metrics metrics;
  metrics.sessions = 3;
  metrics.accepted += 12;
  metrics.count(proto::ErrorKind::kPosition);
  metrics.pass_seconds.fetch_add(0.25);
  const std::string page = render(metrics);
  EXPECT_THAT(page, HasSubstr("\ngelato_edge_sessions 3\n"));
  EXPECT_THAT(page, HasSubstr("\ngelato_edge_accepted_tokens_total 12\n"));
  EXPECT_THAT(page, HasSubstr("\ngelato_edge_errors_total{kind=\"position\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("\ngelato_edge_pass_seconds_total 0.25\n"));
}

TEST(EdgeMetrics, HistogramsAreCumulative) {
  Metrics metrics;
  for (const double sessions : {1.0, 2.0, 2.0, 3.0, 1000.0}) {
    metrics.pass_sessions.add(sessions);
  }
  const std::string page = render(metrics);
  EXPECT_THAT(page, HasSubstr("gelato_edge_pass_sessions_bucket{le=\"1\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("gelato_edge_pass_sessions_bucket{le=\"2\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("gelato_edge_pass_sessions_bucket{le=\"4\"} 4\n"));
  EXPECT_THAT(page, HasSubstr("gelato_edge_pass_sessions_bucket{le=\"128\"} 4\n"));
  EXPECT_THAT(page, HasSubstr("gelato_edge_pass_sessions_bucket{le=\"+Inf\"} 5\n"));
  EXPECT_THAT(page, HasSubstr("gelato_edge_pass_sessions_sum 1008\n"));
  EXPECT_THAT(page, HasSubstr("gelato_edge_pass_sessions_count 5\n"));
}

// The text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): every sample follows
// the HELP and TYPE of its family, no family comes twice, counters end in _total.
TEST(EdgeMetrics, ThePageIsWellFormed) {
  std::istringstream page(render(Metrics()));
  const std::regex sample(R"(([a-z_]+?)(_bucket|_sum|_count)?(\{[a-z]+="[^"]+"\})? [0-9.e+-]+)");
  std::set<std::string> families;
  std::string family;
  std::string type;
  std::string line;
  while (std::getline(page, line)) {
    std::istringstream words(line);
    std::string hash;
    std::string word;
    std::string name;
    words >> hash >> word >> name;
    if (word == "HELP") {
      EXPECT_TRUE(families.insert(name).second) << name << " comes twice";
      family = name;
    } else if (word == "TYPE") {
      EXPECT_EQ(name, family);
      words >> type;
      EXPECT_EQ(type == "counter", name.ends_with("_total")) << name;
    } else {
      std::smatch match;
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_EQ(type == "histogram" ? match[1].str() : line.substr(0, line.find_first_of("{ ")),
                family);
    }
  }
  EXPECT_GT(families.size(), 25U);
}

}  // namespace
}  // namespace gelato::edge
