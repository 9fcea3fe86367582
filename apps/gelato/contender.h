// Who takes part in a comparison.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/device/local_session.h"
#include "gelato/measurement.h"
#include "gelato/text_sink.h"

namespace gelato::cli {

struct Generation {
  Measurement cost;
  std::string text;
  std::vector<spec::Token> tokens;  // empty for a contender that is another program
};

class Contender {
 public:
  virtual ~Contender() = default;
  // What its row is called.
  [[nodiscard]] virtual std::string label() const = 0;
  // Continues `prompt`, greedily. An interrupt ends it early, with what there is or kCancelled.
  virtual Result<Generation> generate(const std::string& prompt) = 0;
};

// A policy of ours on a session in this process.
class LocalContender final : public Contender {
 public:
  // `session` must outlive this. `policy`: as for control::make_policy(), or empty for the target
  // alone. Errors: those of make_policy().
  static Result<std::unique_ptr<LocalContender>> create(device::LocalSession& session,
                                                        std::string policy, std::string label,
                                                        std::uint64_t max_tokens);

  [[nodiscard]] std::string label() const override { return label_; }
  [[nodiscard]] const std::string& policy() const { return policy_; }
  [[nodiscard]] device::LocalSession& session() const { return *session_; }

  Result<Generation> generate(const std::string& prompt) override;
  // The same, with the caller's sink.
  Result<Generation> generate(const std::string& prompt, TextSink& sink);

 private:
  LocalContender(device::LocalSession& session, std::string policy, std::string label,
                 std::uint64_t max_tokens);

  device::LocalSession* session_;
  std::string policy_;
  std::string label_;
  std::uint64_t max_tokens_;
};

}  // namespace gelato::cli
