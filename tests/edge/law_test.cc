// Texts written over the protocol are distributed exactly as the target's own: in every wire mode,
// with and without chunks in flight, with bursts in between, many sessions in one batch.
//
// Pearson's chi-square over all texts of four tokens, seeds fixed, false-alarm rate 1e-4 per test.
// That the test would notice is tested too.
#include <functional>
#include <map>

#include "gelato/proto/row_code.h"
#include "gelato/spec/verify.h"
#include "tests/edge/scheduler_fixture.h"
#include "tests/support/chi_square.h"

namespace gelato::edge {
namespace {

constexpr double kFalseAlarm = 1e-4;
constexpr std::size_t kLength = 4;
constexpr spec::Token kTokens = 3;
const std::vector<spec::Token> kPrompt = {2, 0, 1};

struct Style {
  proto::WireMode mode = proto::WireMode::kQRow;
  std::size_t chunk = 2;       // tokens of a draft
  std::size_t window = 1;      // chunks in flight; above 1 they are sent without bonus
  std::uint32_t burst = 0;     // every second request is a burst of so many
  bool wrong_uniform = false;  // draws the residual with the uniform that tested the token
};

// Drafts from a toy model and writes one text.
class LawDevice {
 public:
  LawDevice(const toy::ToyModel& draft, const Style& style, std::uint64_t seed)
      : draft_(&draft), style_(style), seed_(seed), rng_(seed, "draft"), text_(kPrompt) {
    spec::DistCodecParams params;
    params.n_vocab = kTokens;
    params.weight_bits = 5;  // coarse, so that a quantised row is another distribution
    codec_ = *spec::DistCodec::create(params);
  }

  [[nodiscard]] proto::Open open() const {
    auto out = toy_open(kTokens, style_.mode, kPrompt, seed_);
    out.rows = codec_->params();
    return out;
  }
  [[nodiscard]] bool done() const { return text_.size() >= kPrompt.size() + kLength; }
  [[nodiscard]] std::span<const spec::Token> written() const {
    return std::span(text_).subspan(kPrompt.size(), kLength);
  }

  // The next request, if the window has room for one.
  std::optional<proto::DeviceMessage> next() {
    if (in_flight_.size() >= style_.window) {
      return std::nullopt;
    }
    proto::Place place{.after = read_,
                       .base = static_cast<std::uint32_t>(ahead_text().size()),
                       .drawn = std::exchange(drawn_, {})};
    ++sent_;
    if (style_.burst > 0 && sent_ % 2 == 0) {
      in_flight_[sent_] = {};
      return proto::Burst{.place = place, .count = style_.burst, .chunk = 1};
    }
    proto::Draft out = draft(place);
    in_flight_[sent_] = out;
    return out;
  }

  void read(const proto::EdgeMessage& message) {
    if (const auto* verdict = std::get_if<proto::Verdict>(&message)) {
      on_verdict(*verdict);
    } else if (const auto* stale = std::get_if<proto::Stale>(&message)) {
      in_flight_.erase(stale->number);
      read_ = stale->number;
    } else if (const auto* tokens = std::get_if<proto::Tokens>(&message)) {
      text_.insert(text_.end(), tokens->tokens.begin(), tokens->tokens.end());
      if (tokens->end != proto::BurstEnd::kGoesOn) {
        in_flight_.erase(tokens->number);
        read_ = tokens->number;
        broken_at_ = tokens->number;
      }
    }
  }

 private:
  // What the text will be if everything in flight that is not stale is accepted.
  [[nodiscard]] std::vector<spec::Token> ahead_text() const {
    std::vector<spec::Token> out = text_;
    for (const auto& [number, request] : in_flight_) {
      if (request.place.after >= broken_at_) {
        out.insert(out.end(), request.draft.tokens().begin(), request.draft.tokens().end());
      }
    }
    return out;
  }
  proto::Draft draft(const proto::Place& place) {
    proto::Draft out;
    out.place = place;
    out.no_bonus = style_.window > 1;
    std::vector<spec::Token> ahead = ahead_text();
    while (out.draft.size() < style_.chunk) {
      spec::SparseDist row = draft_->row(ahead);
      if (style_.mode == proto::WireMode::kQRow) {
        codec_->quantise(row);
      }
      const spec::Token token = row.sample(rng_.uniform());
      out.q.push_back(row.prob(token));
      out.draft.push(token) = row;
      ahead.push_back(token);
    }
    return out;
  }
  void on_verdict(const proto::Verdict& verdict) {
    const proto::Draft asked = in_flight_.at(verdict.number);
    in_flight_.erase(verdict.number);
    read_ = verdict.number;
    const auto base = static_cast<std::uint32_t>(text_.size());
    const auto stands = asked.draft.tokens().first(verdict.accepted);
    text_.insert(text_.end(), stands.begin(), stands.end());
    if (verdict.next) {
      text_.push_back(*verdict.next);
    } else if (!verdict.row.empty()) {
      const auto p = proto::decode_row(verdict.row, kTokens);
      ASSERT_TRUE(p.has_value());
      Rng rng(seed_, stream_id("verify"),
              2 * std::uint64_t{base} + verdict.accepted + (style_.wrong_uniform ? 0 : 1));
      drawn_ = spec::sample_residual(*p, asked.draft.rows()[verdict.accepted], rng.uniform());
      text_.push_back(*drawn_);
    } else {
      return;
    }
    broken_at_ = verdict.number;
  }

  const toy::ToyModel* draft_;
  Style style_;
  std::uint64_t seed_;
  Rng rng_;
  std::optional<spec::DistCodec> codec_;
  std::vector<spec::Token> text_;
  std::map<std::uint32_t, proto::Draft> in_flight_;
  std::optional<spec::Token> drawn_;
  std::uint32_t sent_ = 0;
  std::uint32_t read_ = 0;
  std::uint32_t broken_at_ = 0;
};

class Law3 : public SchedulerTest {
 protected:
  Law3() {
    served_ = toy_served(kTokens);
    target_ = std::make_unique<ToyTarget>(toy_, 512U, 12U);
    options_.make_id = [this]() -> Result<proto::SessionId> {
      proto::SessionId id{};
      ++made_;
      std::copy_n(reinterpret_cast<const std::uint8_t*>(&made_), sizeof(made_), id.begin());
      return id;
    };
  }

  // P-value of `texts` texts under the target's own distribution.
  double p_value(const Style& style, std::uint64_t texts) {
    start();
    const auto expected = toy_.text_distribution(kPrompt, kLength);
    std::vector<std::uint64_t> counts(expected.size());
    for (std::uint64_t seed = 0; seed < texts; seed += 6) {
      std::vector<std::pair<std::shared_ptr<Letters>, LawDevice>> devices;
      for (std::uint64_t i = 0; i < 6; ++i) {
        devices.emplace_back(nullptr, LawDevice(draft_, style, seed + i));
        devices.back().first = open(devices.back().second.open());
      }
      write(devices);
      for (const auto& [letters, device] : devices) {
        ++counts[toy::text_index(device.written(), kTokens)];
      }
    }
    return toy::chi_square_p_value(counts, expected);
  }

  void write(std::vector<std::pair<std::shared_ptr<Letters>, LawDevice>>& devices) {
    std::size_t left = devices.size();
    while (left > 0) {
      left = 0;
      for (auto& [letters, device] : devices) {
        ASSERT_FALSE(letters->finished && !device.done()) << letters->error->message;
        while (!letters->messages.empty()) {
          device.read(letters->messages.front());
          letters->messages.pop_front();
        }
        if (device.done()) {
          scheduler_->deliver(letters, proto::Close{});
          continue;
        }
        ++left;
        while (auto request = device.next()) {
          scheduler_->deliver(letters, std::move(*request));
        }
      }
      scheduler_->step();
    }
    settle();
  }

  toy::ToyModel toy_ = toy::ToyModel::random(
      {.n_vocab = kTokens, .order = 2, .sharpness = 2.0, .zero_share = 0.1}, 7);
  toy::ToyModel draft_ = toy::ToyModel::mix(
      toy_, toy::ToyModel::random({.n_vocab = kTokens, .order = 2, .sharpness = 3.0}, 8), 0.5);
  std::uint64_t made_ = 0;
};

TEST_F(Law3, QRow) { EXPECT_GT(p_value({.mode = proto::WireMode::kQRow}, 12'000), kFalseAlarm); }

TEST_F(Law3, Dssd) { EXPECT_GT(p_value({.mode = proto::WireMode::kDssd}, 12'000), kFalseAlarm); }

TEST_F(Law3, QRowInChunksInFlight) {
  EXPECT_GT(p_value({.mode = proto::WireMode::kQRow, .chunk = 1, .window = 3}, 12'000),
            kFalseAlarm);
}

TEST_F(Law3, DssdInChunksInFlight) {
  EXPECT_GT(p_value({.mode = proto::WireMode::kDssd, .chunk = 2, .window = 3}, 12'000),
            kFalseAlarm);
}

TEST_F(Law3, DraftsAndBursts) {
  EXPECT_GT(p_value({.mode = proto::WireMode::kDssd, .burst = 2}, 12'000), kFalseAlarm);
}

TEST_F(Law3, TheTestFindsAWrongUniform) {
  EXPECT_LT(p_value({.mode = proto::WireMode::kDssd, .wrong_uniform = true}, 12'000), 1e-9);
}

}  // namespace
}  // namespace gelato::edge
