// How likely the newest drafted token is to be accepted, given that all before it are: a logistic
// model beta = sigmoid(w . x) of what the draft model shows (entropy, top-1 probability, margin)
// and of the token's depth, learned from every verdict.
//
// The weights are a Gaussian belief (mean and covariance) that is updated token by token as in
// dynamic logistic regression (Penny and Roberts 1999; the Laplace step of MacKay 1992): a
// second-order update needs no learning rate, and a prior with a width is exactly what a warm start
// is. Between rounds the belief widens a little, so that it follows a change of subject.
#pragma once

#include <array>
#include <cstdint>

#include "gelato/control/policy.h"
#include "gelato/spec/draft.h"

namespace gelato::control {

// Where the belief starts, per model pair; save weights() of one generation to warm-start the next.
struct AcceptancePrior {
  static constexpr std::size_t kFeatures = 5;
  // Of: constant, entropy in nats, top-1 probability, margin, depth / kMaxDraftLength.
  // The default is the logistic curve nearest to GELATO's fit for Qwen2.5-0.5B and 7B,
  // exp(-0.35 H) (arXiv 2605.10124, equation 10), over entropies weighted by exp(-H).
  std::array<double, kFeatures> weights{2.15, -1.05, 0.0, 0.0, 0.0};
  double width = 2.0;   // standard deviation of each weight
  double drift = 0.01;  // standard deviation of a weight's step from one verdict to the next
};

// Predicted against observed acceptance, in ten equal bins of the prediction.
struct ReliabilityTable {
  static constexpr std::size_t kBins = 10;
  struct Bin {
    std::uint64_t tokens = 0;
    double predicted = 0.0;  // sum of predictions
    std::uint64_t accepted = 0;
  };
  std::array<Bin, kBins> bins{};

  // Records one tested token, predicted in [0, 1].
  void add(double predicted, bool accepted);
  [[nodiscard]] std::uint64_t tokens() const;
  // Mean over tokens of |predicted - observed|, per bin; 0 without tokens. Naeini et al. 2015.
  [[nodiscard]] double expected_calibration_error() const;
};

// One per generation, one thread: begin_round, predict for each drafted token in order, learn.
// Does not allocate. Rows with numbers that are none are read as zeros.
class AcceptancePredictor {
 public:
  explicit AcceptancePredictor(const AcceptancePrior& prior = {});

  // Forgets the rows of the previous draft.
  void begin_round() { rows_ = 0; }

  // P(the newest token is accepted | all before it are), strictly between 0 and 1, and remembers
  // the row for learn(). `depth` is 0 for the first token of a draft.
  double predict(const spec::RowStats& row, std::uint32_t depth);

  // What was learned may not hold any more: the belief becomes as wide as the prior's.
  void doubt();
  // The verdict on the first `drafted` tokens of the draft: `accepted` stood, the next one, if
  // there is one, was rejected, later ones were never tested.
  void learn(std::uint32_t drafted, std::uint32_t accepted);

  [[nodiscard]] const std::array<double, AcceptancePrior::kFeatures>& weights() const {
    return weights_;
  }
  [[nodiscard]] const ReliabilityTable& reliability() const { return reliability_; }

 private:
  using Features = std::array<double, AcceptancePrior::kFeatures>;

  [[nodiscard]] double probability(const Features& x) const;
  void update(const Features& x, bool accepted);

  Features weights_;
  std::array<Features, AcceptancePrior::kFeatures> covariance_{};
  double widest_ = 0.0;  // variance of the prior: the belief never becomes wider
  double drift_ = 0.0;   // variance
  struct Drafted {
    Features x{};
    double predicted = 0.0;
  };
  std::array<Drafted, kMaxDraftLength> drafted_{};
  std::uint32_t rows_ = 0;
  ReliabilityTable reliability_;
};

}  // namespace gelato::control
