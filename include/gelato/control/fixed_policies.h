// Policies that decide once, before the first round:
//   static:N     drafts of N tokens: Leviathan et al., arXiv 2211.17192, algorithm 1.
//   dssd:N       the same lengths, with the uplink of DSSD (arXiv 2507.12000): ids and the scalars
//                q_i(x_i) up, and on a rejection the target's row down.
//   edge-only    the target alone, streamed: as many tokens in an answer as a round may have.
//   device-only  the draft model alone. Its text is not the target's.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"

namespace gelato::control {

// The same plan in every round, and every draft as long as the plan allows.
class FixedPolicy final : public Policy {
 public:
  FixedPolicy(const RoundPlan& plan, std::string name) : plan_(plan), name_(std::move(name)) {}

  RoundPlan begin_round(const RoundContext&) override { return plan_; }
  [[nodiscard]] bool keep_drafting(const DraftState&) override { return true; }
  void end_round(const RoundOutcome&) override {}
  [[nodiscard]] std::string name() const override { return name_; }

 private:
  RoundPlan plan_;
  std::string name_;
};

// A draft length is a matter of the model pair and the link, so it has no default.
inline constexpr std::array kFixedLengthParameters{Parameter{.name = "length",
                                                             .meaning = "tokens per draft",
                                                             .min = 1,
                                                             .max = kMaxDraftLength,
                                                             .whole = true}};

std::unique_ptr<Policy> make_static(std::span<const double> values);
std::unique_ptr<Policy> make_dssd(std::span<const double> values);
std::unique_ptr<Policy> make_edge_only(std::span<const double> values);
std::unique_ptr<Policy> make_device_only(std::span<const double> values);

inline constexpr PolicyKind kStatic{.name = "static",
                                    .parameters = kFixedLengthParameters,
                                    .summary = "every draft has this many tokens",
                                    .create = make_static};

inline constexpr PolicyKind kDssd{
    .name = "dssd",
    .parameters = kFixedLengthParameters,
    .summary = "as static, with ids and scalars up and a row down on rejection",
    .create = make_dssd};

inline constexpr PolicyKind kEdgeOnly{.name = "edge-only",
                                      .parameters = {},
                                      .summary = "the target alone, no drafts",
                                      .create = make_edge_only};

inline constexpr PolicyKind kDeviceOnly{.name = "device-only",
                                        .parameters = {},
                                        .summary = "the draft model alone: not the target's text",
                                        .create = make_device_only};

}  // namespace gelato::control
