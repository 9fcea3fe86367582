// An edge in this process, without a network: docs/protocol.md over a toy model, on a virtual
// clock, with faults on demand. The device's side of the protocol is tested against it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/device/edge_transport.h"
#include "tests/support/toy_model.h"

namespace gelato::device {

// What becomes of one message from the device.
enum class Fault : std::uint8_t {
  kNone,
  kLoseMessage,  // the stream breaks before the edge has it
  kLoseAnswer,   // the edge deals with it, and the stream breaks before the answer is there
  kSilence,      // neither an answer nor an end ever comes
};

class ToyEdge final : public EdgeTransport {
 public:
  // Both must outlive this. An answer takes `round_trip`.
  ToyEdge(const toy::ToyModel& model, VirtualClock& clock, Seconds round_trip = Seconds(0.01))
      : model_(model), clock_(clock), round_trip_(round_trip) {}

  // Asked about every message, Open included.
  std::function<Fault(const proto::DeviceMessage&)> fault = [](const auto&) {
    return Fault::kNone;
  };
  // Answers every Open with this.
  std::optional<proto::WireError> refusal;
  // Nobody is there before this time.
  Seconds unreachable_until;
  // Decides with the uniforms of another place: a mistake that tests of exactness must find.
  std::uint64_t uniforms_off_by = 0;
  // Rewrites an answer on its way down.
  std::function<void(proto::EdgeMessage&)> rewrite;
  std::uint32_t context_tokens = 1024;

  // The process ends and starts again: streams break and sessions are forgotten.
  void restart();

  // What the device sent so far, in order.
  [[nodiscard]] const std::vector<proto::DeviceMessage>& messages() const { return messages_; }
  [[nodiscard]] std::vector<proto::Open> opens() const;
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }
  [[nodiscard]] Seconds paused() const { return paused_; }
  // The most requests that were ever without an answer.
  [[nodiscard]] std::size_t most_in_flight() const { return most_in_flight_; }
  [[nodiscard]] std::uint64_t stale() const { return stale_; }

  void open(const proto::Open& open) override;
  void send(const proto::DeviceMessage& message) override;
  proto::WireResult<std::optional<proto::EdgeMessage>> receive(Seconds wait) override;
  void drop() override { stream_.reset(); }
  void pause(Seconds time) override;
  [[nodiscard]] Traffic traffic() const override { return traffic_; }

 private:
  struct Session {
    std::vector<spec::Token> text;
    std::optional<spec::SparseDist> row;  // sent down; the token drawn from it is to come (kDssd)
  };
  struct Stream {
    proto::Open terms;
    proto::SessionId session{};
    std::uint32_t requests = 0;
    std::uint32_t after = 0;   // of the last request
    std::uint32_t broken = 0;  // the last request whose answer makes those behind it stale
    std::deque<std::pair<Seconds, proto::EdgeMessage>> answers;  // when each is there
    std::optional<proto::WireError> error;                       // after the answers
    bool silent = false;
  };
  void handle(const proto::DeviceMessage& message);
  void answer(proto::EdgeMessage message);
  void fail(proto::ErrorKind kind, std::string message);
  void on_open(const proto::Open& open);
  bool place(const proto::Place& place, Session& session);
  void on_draft(const proto::Draft& draft, Session& session);
  proto::Verdict decide_dssd(const proto::Draft& draft, Session& session);
  void on_burst(const proto::Burst& burst, Session& session);
  [[nodiscard]] spec::Token write_one(const Session& session) const;

  const toy::ToyModel& model_;
  VirtualClock& clock_;
  Seconds round_trip_;
  std::map<proto::SessionId, Session> sessions_;
  std::optional<Stream> stream_;
  std::uint8_t next_id_ = 0;
  std::vector<proto::DeviceMessage> messages_;
  Traffic traffic_;
  Seconds paused_;
  std::size_t most_in_flight_ = 0;
  std::uint64_t stale_ = 0;
};

}  // namespace gelato::device
