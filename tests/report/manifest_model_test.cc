#include <gtest/gtest.h>

#include "gelato/report/manifest.h"

namespace gelato::report {
namespace {

TEST(DescribeModel, GivesSizeAndDigestOfABundledModel) {
  const auto model = describe_model("assets/models/gelato-tale-1m-q8_0.gguf");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->file, "gelato-tale-1m-q8_0.gguf");
  EXPECT_EQ(model->bytes, 1079488U);  // assets/models/MANIFEST.md
  EXPECT_EQ(model->sha256, "3c4c66ffb61700a1a2012a745151fdbc58e6006db423d64710767ee367500f4b");
}

}  // namespace
}  // namespace gelato::report
