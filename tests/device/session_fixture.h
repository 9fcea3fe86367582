// A local session on real models, for the tests of the round loop.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/device/local_session.h"
#include "gelato/engine/backend.h"
#include "tests/device/collecting_sink.h"

namespace gelato::device {

inline constexpr const char* kTarget = "assets/models/gelato-tale-6m-q8_0.gguf";
inline constexpr const char* kDraft = "assets/models/gelato-tale-3m-q8_0.gguf";
inline constexpr const char* kSmallDraft = "assets/models/gelato-tale-1m-q8_0.gguf";

class SessionTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    static NullLog log;
    auto backend = engine::Backend::create(log);
    ASSERT_TRUE(backend.has_value()) << backend.error().message;
    backend_ = backend->release();
  }
  static void TearDownTestSuite() {
    delete backend_;
    backend_ = nullptr;
  }
  std::unique_ptr<LocalSession> open(const std::string& target, const std::string& draft) {
    auto session = LocalSession::open(*backend_, clock_,
                                      {.target_path = target, .draft_path = draft, .progress = {}});
    EXPECT_TRUE(session.has_value()) << session.error().message;
    return std::move(*session);
  }

  static inline engine::Backend* backend_ = nullptr;
  SteadyClock clock_;
};

}  // namespace gelato::device
