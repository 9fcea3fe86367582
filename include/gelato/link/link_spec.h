// What `--link` says: a link between device and edge, as one line of text.
//
//   rate=1mbit,delay=40ms,jitter=5ms,loss=1%        constant, the same both ways
//   up=2mbit,down=20mbit,delay=15ms                 constant, each way its own
//   trace=bus.txt,repeat=600s,down=20mbit           recorded (format: trace.h)
//   fading=rayleigh,bandwidth=5mhz,power=23dbm,distance=100m,delay=10ms
//   lte,loss=1%,outage=10s@5s                       a preset, with parts of it replaced
//
// Parts are KEY=VALUE, separated by commas, in any order and each at most once (outage: up to
// kMaxOutages). Every number carries its unit. docs/modules/link.md lists keys, units and ranges.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/link/channel.h"

namespace gelato::link {

struct ConstantRate {
  BitsPerSecond rate{1e9};
  friend bool operator==(const ConstantRate&, const ConstantRate&) = default;
};

struct TraceReplay {
  std::string file;  // its text is read by the application (see trace.h); no comma in the name
  std::optional<Seconds> repeat;  // see TraceChannel
  friend bool operator==(const TraceReplay&, const TraceReplay&) = default;
};

// The least retransmission timeout of Linux TCP (TCP_RTO_MIN). Drafts are so short that the
// timeout, not duplicate acknowledgements, repairs most losses.
inline constexpr Seconds kUsualRto{0.2};

struct LinkSpec {
  std::variant<ConstantRate, TraceReplay, Radio> up;  // device to edge
  // Edge to device, a constant rate. Nothing: as `up`; a radio link then has the same gain and
  // power in both directions, which understates a base station's downlink. Given, a trace's delay
  // and loss are the uplink's alone.
  std::optional<BitsPerSecond> down;
  Seconds delay;      // one way, the same in both directions: the round trip has twice as much
  Seconds jitter;     // further delay of a message, uniform on [0, jitter]
  double loss = 0.0;  // probability that a packet is lost and sent again
  Seconds rto = kUsualRto;      // what each loss of a packet costs besides its airtime
  std::vector<Outage> outages;  // in order of time, disjoint
  friend bool operator==(const LinkSpec&, const LinkSpec&) = default;
};

inline constexpr std::size_t kMaxLinkSpecBytes = 4096;
inline constexpr std::size_t kMaxOutages = 64;

// Reads a specification.
// Errors: kInvalidArgument (kLimitExceeded beyond kMaxLinkSpecBytes or kMaxOutages), one sentence
// that quotes the offending part and says what is accepted.
Result<LinkSpec> parse_link_spec(std::string_view text);

// The text that parse_link_spec() reads back as an equal specification; presets are written out.
// A specification that did not come from there is valid iff its text reads back as an equal one.
std::string to_string(const LinkSpec& spec);

// One line per preset: its name, what it stands for, and why it has these numbers.
std::string link_preset_help();

}  // namespace gelato::link
