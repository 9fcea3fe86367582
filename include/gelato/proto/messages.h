// The messages of edge.proto as plain structs: decoded, checked, without protobuf. Field meanings
// are documented in proto/gelato/v1/edge.proto and docs/protocol.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "gelato/base/units.h"
#include "gelato/proto/limits.h"
#include "gelato/spec/dist_codec.h"
#include "gelato/spec/draft.h"

namespace gelato::proto {

enum class WireMode : std::uint8_t { kIds = 1, kQRow = 2, kDssd = 3 };
// "ids", "qrow", "dssd".
std::string_view to_string(WireMode mode);

using SessionId = std::array<std::uint8_t, kSessionIdBytes>;

// FNV-1a (64 bits) over the tokens, each as four bytes, lowest first. No defence against a forger:
// it only has to tell a device's own texts apart.
std::uint64_t text_hash(std::span<const spec::Token> tokens);

struct Limits {
  std::uint32_t context_tokens = 0;
  std::uint32_t max_draft = kMaxDraft;
  std::uint32_t max_in_flight = kMaxInFlight;
  std::uint32_t max_burst = kMaxBurst;
  std::uint32_t max_message_bytes = kMaxDeviceMessageBytes;
  Seconds lease;
  friend bool operator==(const Limits&, const Limits&) = default;
};

struct ModelCard {
  std::string name;
  std::string description;
  std::uint64_t fingerprint = 0;
  std::uint64_t parameters = 0;
  spec::Token n_vocab = 0;
  std::uint64_t vocabulary_fingerprint = 0;
  std::vector<spec::Token> end_of_generation;
  friend bool operator==(const ModelCard&, const ModelCard&) = default;
};

struct ServerInfo {
  std::string version;
  std::uint32_t protocol_oldest = kOldestProtocol;
  std::uint32_t protocol_newest = kProtocol;
  ModelCard model;
  Limits limits;
  std::vector<WireMode> modes;
  friend bool operator==(const ServerInfo&, const ServerInfo&) = default;
};

// engine::SamplerParams, on the wire.
struct Sampling {
  double temperature = 0.0;
  std::uint32_t top_k = 0;
  double top_p = 1.0;
  double min_p = 0.0;
  friend bool operator==(const Sampling&, const Sampling&) = default;
};

struct Resume {
  SessionId session{};
  std::uint32_t count = 0;
  std::uint64_t hash = 0;
  friend bool operator==(const Resume&, const Resume&) = default;
};

struct Open {
  std::uint32_t protocol = kProtocol;
  std::uint64_t model_fingerprint = 0;
  spec::Token n_vocab = 0;
  spec::Token common_vocab = 0;
  std::uint64_t vocabulary_fingerprint = 0;
  WireMode mode = WireMode::kIds;
  Sampling sampling;
  std::uint64_t seed = 0;
  spec::DistCodecParams rows;  // kQRow; its n_vocab is n_vocab above
  std::vector<spec::Token> tokens;
  std::optional<Resume> resume;
};

// Where in the conversation and in the text a request was written.
struct Place {
  std::uint32_t after = 0;           // the last request whose answer the device had read
  std::uint32_t base = 0;            // tokens of text before it
  std::optional<spec::Token> drawn;  // the token drawn from the row of the last verdict
  friend bool operator==(const Place&, const Place&) = default;
};

struct Draft {
  Place place;
  spec::Draft draft;      // rows in kQRow only
  std::vector<double> q;  // kDssd: q_i(x_i)
  bool no_bonus = false;
};

struct Burst {
  Place place;
  std::uint32_t count = 0;
  std::uint32_t chunk = 0;
};

struct Cancel {};
struct Close {};

using DeviceMessage = std::variant<Open, Draft, Burst, Cancel, Close>;

struct Timing {
  Seconds queue;
  Seconds verify;
  std::uint32_t sessions = 0;
  std::uint32_t other_tokens = 0;
  std::uint32_t other_sessions = 0;
};

struct Opened {
  SessionId session{};
  std::uint32_t protocol = kProtocol;
  std::uint32_t committed = 0;
  std::uint32_t reused = 0;
  Limits limits;
  Timing timing;
};

struct Verdict {
  std::uint32_t number = 0;
  std::uint32_t accepted = 0;
  std::optional<spec::Token> next;
  // Coded, see row_code.h; empty unless the device is to draw. Only the device decodes it.
  std::vector<std::uint8_t> row;
  Timing timing;
};

struct Stale {
  std::uint32_t number = 0;
};

enum class BurstEnd : std::uint8_t {
  kGoesOn = 0,
  kComplete = 1,
  kEndOfText = 2,
  kContextFull = 3,
  kCancelled = 4,
};

struct Tokens {
  std::uint32_t number = 0;
  std::vector<spec::Token> tokens;
  BurstEnd end = BurstEnd::kGoesOn;
  Timing timing;
};

struct Closed {
  std::uint32_t committed = 0;
  std::uint64_t drafted = 0;
  std::uint64_t accepted = 0;
  std::uint64_t stale = 0;
  std::uint64_t passes = 0;
  Seconds busy;
};

using EdgeMessage = std::variant<Opened, Verdict, Stale, Tokens, Closed>;

}  // namespace gelato::proto
