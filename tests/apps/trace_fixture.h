// The bundled pair, ready to record traces of a few prompts.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "gelato/base/log.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/language_model.h"
#include "gelato/trace_recorder.h"

namespace gelato::cli {

class TraceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    static NullLog log;
    backend_ = engine::Backend::create(log).value().release();
    target_ = engine::LanguageModel::load(*backend_, "assets/models/gelato-tale-6m-q8_0.gguf")
                  .value()
                  .release();
    draft_ = engine::LanguageModel::load(*backend_, "assets/models/gelato-tale-3m-q8_0.gguf")
                 .value()
                 .release();
  }
  static void TearDownTestSuite() {
    delete draft_;
    delete target_;
    delete backend_;
  }

  static std::vector<TracePromptTokens> prompts() {
    std::vector<TracePromptTokens> out;
    for (const char* text :
         {"Once upon a time, there was a little bear who",
          "Question: Theo has 34 stickers. Theo gives 9 stickers to Oscar and half of the rest to "
          "a brother. How many stickers does Theo keep?\nAnswer:",
          "Mia and Ben went to the park. They saw"}) {
      out.push_back({.id = std::string("prompt-").append(std::to_string(out.size())),
                     .set = "tests",
                     .tokens = target_->tokenize(text, true, false).value()});
    }
    return out;
  }
  static TraceRecorderOptions options() {
    return {.depth = 16,
            .top_p = 0.99,
            .predict = 60,
            .context_tokens = 512,
            .common = target_->info().vocabulary_size};
  }
  static TraceRecorder recorder(std::vector<TracePromptTokens> prompts,
                                const TraceRecorderOptions& options) {
    return TraceRecorder::create(*target_, *draft_, std::move(prompts), options).value();
  }
  // A trace with nothing recorded yet.
  static sim::DraftTrace empty(const TraceRecorderOptions& options) {
    sim::DraftTrace trace;
    trace.vocabulary = static_cast<std::uint32_t>(target_->info().vocabulary_size);
    trace.depth = options.depth;
    trace.top_p = options.top_p;
    trace.verify.resize(options.depth + std::size_t{1});
    return trace;
  }
  // All of prompts().
  static sim::DraftTrace recorded() {
    TraceRecorder all = recorder(prompts(), options());
    sim::DraftTrace trace = empty(options());
    while (trace.prompts.size() < all.prompts()) {
      EXPECT_TRUE(all.add_next(trace, [] { return true; }).has_value());
    }
    return trace;
  }
  static std::unique_ptr<engine::Context> context(const engine::LanguageModel& model) {
    return engine::Context::create(model, {.tokens = 512, .pool = {}}).value();
  }

  static inline engine::Backend* backend_ = nullptr;
  static inline engine::LanguageModel* target_ = nullptr;
  static inline engine::LanguageModel* draft_ = nullptr;
};

}  // namespace gelato::cli
