#include "gelato/doctor_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gelato::cli {
namespace {

TEST(ModelManifest, RowsWithSizeAndDigestAreModels) {
  const std::string digest(64, 'a');
  const auto models = read_model_manifest(
      "# Models\n\n| file | role | bytes | sha256 |\n|---|---|---|---|\n"
      "| `a.gguf` | target | 12 | `" +
      digest +
      "` |\n"
      "|`b.gguf`|18446744073709551615|`" +
      digest +
      "`|\n"
      "| `c.gguf` | draft | 12 | `short` |\n"
      "| `d.gguf` | draft | 1x | `" +
      digest +
      "` |\n"
      "| `e.gguf` | draft | 18446744073709551616 | `" +
      digest +
      "` |\n"
      "`f.gguf` | 12 | `" +
      digest + "` |\n");
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[0].file, "a.gguf");
  EXPECT_EQ(models[0].bytes, 12U);
  EXPECT_EQ(models[0].sha256, digest);
  EXPECT_EQ(models[1].file, "b.gguf");
}

TEST(ModelManifest, AnythingElseHasNone) {
  for (const char* text : {"", "|", "||||", "| | | |\n", "|`|`|`|", "no table"}) {
    EXPECT_TRUE(read_model_manifest(text).empty()) << text;
  }
}

TEST(AvailableMemory, IsReadFromItsLine) {
  EXPECT_EQ(available_memory("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), 2048U * 1024);
  EXPECT_EQ(available_memory("MemTotal: 9 kB\n"), 0U);
  EXPECT_EQ(available_memory("MemAvailable:"), 0U);
  EXPECT_EQ(available_memory("MemAvailable: many"), 0U);
}

}  // namespace
}  // namespace gelato::cli
