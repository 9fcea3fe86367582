// The bookkeeping that all meters share: joules so far, up to when, and how long nothing was known.
#pragma once

#include <string>

#include "gelato/base/result.h"
#include "gelato/base/units.h"

namespace gelato::energy {

class MeterTotal {
 public:
  explicit MeterTotal(Seconds start) : last_(start) {}

  // Time since the last call of add() or lose().
  // Errors: kInvalidArgument if `now` is not finite or lies before it.
  [[nodiscard]] Result<Seconds> elapsed(Seconds now) const;

  // Accounts `energy` for the time up to `now` and returns the total. `now` has passed elapsed().
  // Errors: kCorrupt if `energy` is negative or not finite; nothing changes then.
  Result<Joules> add(Seconds now, Joules energy);

  // Declares the time up to `now` unmeasured; returns a kUnavailable error with the sentence `why`.
  tl::unexpected<Error> lose(Seconds now, std::string why);

  [[nodiscard]] Seconds unmeasured() const { return unmeasured_; }

 private:
  Seconds last_;
  Joules total_;
  Seconds unmeasured_;
};

}  // namespace gelato::energy
