#include "gelato/energy/meter_total.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace gelato::energy {

Result<Seconds> MeterTotal::elapsed(Seconds now) const {
  const Seconds since = now - last_;
  if (!std::isfinite(since.value()) || since < Seconds(0)) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the meter was read at {} s after a read at {} s; times must not go back",
                    now.value(), last_.value()));
  }
  return since;
}

Result<Joules> MeterTotal::add(Seconds now, Joules energy) {
  if (!std::isfinite(energy.value()) || energy < Joules(0)) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("a sensor gave {} J, which is no energy", energy.value()));
  }
  last_ = now;
  total_ += energy;
  return total_;
}

tl::unexpected<Error> MeterTotal::lose(Seconds now, std::string why) {
  unmeasured_ += now - last_;
  last_ = now;
  return fail(ErrorCode::kUnavailable, std::move(why));
}

}  // namespace gelato::energy
