// What a device learns about its link from the rounds it makes anyway: no probes.
//
// A round sends `up` bits, waits in the edge's queue, is served, and brings `down` bits back. What
// is left of its time after the edge's own account of queue and service is the wire's:
//
//   wire = received - sent - queue - service = RTT + (up + w down) / rate + noise
//
// with w, the uplink's rate over the downlink's, given by whoever knows it. At w = 0 the time that
// answers take on the downlink is part of RTT, which is right as long as they are about one size.
//
// RTT and rate are fitted by RecursiveLine: robust to outliers, and quick to follow a jump. They
// can be told apart only if rounds differ in size. While they do not, `uplink` is unknown (value 0,
// infinite error) and `rtt` is the whole wire time with an error that says so; wire_time() is
// accurate near the usual size all the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/link/recent.h"
#include "gelato/link/recursive_line.h"

namespace gelato::link {

// One round. Times are on the device's clock, durations as the edge reported them.
struct RoundSample {
  Bits up;
  Bits down;
  Seconds sent;      // the first byte was handed to the transport
  Seconds received;  // the last byte of the answer was there
  Seconds queue;
  Seconds service;
};

// A value and how well it is known.
template <class T>
struct Estimate {
  T value{};
  T standard_error{std::numeric_limits<double>::infinity()};
  std::uint64_t samples = 0;  // since the link last changed

  // Whether the value is worth acting on: its error is at most `fraction` of it.
  [[nodiscard]] bool known(double fraction = 0.5) const {
    return samples > 0 && standard_error <= fraction * value;
  }
};

struct LinkEstimate {
  Estimate<BitsPerSecond> uplink;  // 0: unknown
  Estimate<Seconds> rtt;           // both ways, nothing sent; mean jitter included
  Estimate<Seconds> min_rtt;       // the least among the last rounds
  Estimate<Seconds> queue;         // at the edge
  Estimate<Seconds> service;       // at the edge
  Seconds jitter;                  // robust standard deviation of the wire time
  // Share of rounds that came more than kLate deviations late: retransmissions, mostly. Of the
  // last RecursiveLine::kWindow rounds, so no finer than 3 %.
  Estimate<double> late;
  std::uint64_t rounds = 0;   // accepted by add()
  std::uint64_t changes = 0;  // times that the link was found to be another
};

// Not synchronised: one thread. Does not allocate. O(RecursiveLine::kWindow) per call.
class LinkEstimator {
 public:
  // Longest round and largest message that are believed.
  static constexpr Seconds kMaxRound{3600.0};
  static constexpr Bits kMaxMessage{8e9};
  // Deviations below this are the operating system's (timers, scheduling), not the link's.
  static constexpr Seconds kNoiseFloor{1e-4};
  // A slope within this many standard errors of zero is not told from zero (95 %).
  static constexpr double kSignificant = 2.0;
  static constexpr double kLate = 4.0;

  // `downlink_weight`: w above, finite and >= 0.
  explicit LinkEstimator(double downlink_weight = 0.0);

  // Takes a round into account. Rounds may overlap; what one waits behind another in the device's
  // own socket then counts as wire time.
  // Errors, after which nothing has changed: kInvalidArgument: a number that is not finite or is
  // negative, an answer before its question, more time at the edge than the round took, a round
  // beyond kMaxRound or kMaxMessage.
  Result<> add(const RoundSample& round);

  [[nodiscard]] LinkEstimate estimate() const;

  // Time on the wire of a round with `up` and `down` bits, without queue and service.
  [[nodiscard]] Estimate<Seconds> wire_time(Bits up, Bits down) const;

 private:
  using Window = Recent<double, RecursiveLine::kWindow>;

  [[nodiscard]] double weigh(Bits up, Bits down) const;
  [[nodiscard]] Estimate<Seconds> min_rtt(double slope, double slope_error) const;
  [[nodiscard]] Estimate<double> late_share() const;

  double downlink_weight_;
  RecursiveLine wire_;  // seconds over weighed bits
  Window queue_;
  Window service_;
  std::uint64_t rounds_ = 0;
};

}  // namespace gelato::link
