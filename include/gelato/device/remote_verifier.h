// The target behind a link: spec::Verifier over docs/protocol.md. Whatever happens to the link or
// the edge, the text goes on from what is committed: nothing is lost, nothing comes twice, and
// greedy text is the same as without the trouble.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/device/cost_tracker.h"
#include "gelato/device/edge_dialogue.h"
#include "gelato/device/edge_transport.h"
#include "gelato/device/reconnect.h"
#include "gelato/device/remote_target.h"

namespace gelato::device {

// What to do while the edge is out of reach.
enum class WhenOffline : std::uint8_t {
  kStop,   // end with the reason
  kWait,   // try again until it is back, at most ReconnectOptions::give_up
  kDraft,  // try again for ever; the round loop lets the draft model write meanwhile
};

struct RemoteOptions {
  std::string name;  // of the edge, for messages: HOST:PORT
  WhenOffline when_offline = WhenOffline::kWait;
  // Longest wait for an answer, after which the link counts as lost. Far above any pass and any
  // queue that is worth waiting for.
  Seconds answer_timeout{10.0};
  // Longest wait for the prompt to be read, which may be long and behind others.
  Seconds open_timeout{60.0};
  Seconds close_timeout{1.0};
  ReconnectOptions reconnect;
  // Asked at least every kPatience while waiting; true ends the wait with kCancelled. May be empty.
  std::function<bool()> interrupted;
};

// What the edge did for this device, by its own account in every answer, and how often the way
// there was lost.
struct RemoteStats {
  std::uint64_t requests = 0;              // answered
  std::uint64_t stale = 0;                 // chunks that a rejection made void, undecoded
  std::uint64_t passes = 0;                // of the target, prompts not counted
  Seconds busy;                            // this device's share of their time, prompts included
  Seconds queued;                          // waits for a pass
  std::uint64_t prompt_tokens_reused = 0;  // found in the edge's cache when a stream was opened
  std::uint64_t losses = 0;                // times the edge got out of reach
  Seconds away;                            // total time it was

  RemoteStats& operator+=(const RemoteStats& other);
};

// Everything happens on the thread that calls; not thread-safe.
class RemoteVerifier final : public RemoteTarget {
 public:
  static constexpr Seconds kPatience{0.1};  // a person who pressed Ctrl-C waits no longer

  // All references must outlive this. `jitter` spreads the attempts to reconnect: seed it
  // differently on every device. Precondition: in mode kQRow the drafter draws from rows quantised
  // by a spec::DistCodec of terms.rows.
  RemoteVerifier(EdgeTransport& transport, const Clock& clock, Log& log, Rng jitter,
                 const EdgeTerms& terms, RemoteOptions options);
  // close(), if nobody has called it.
  ~RemoteVerifier() override;
  RemoteVerifier(const RemoteVerifier&) = delete;
  RemoteVerifier& operator=(const RemoteVerifier&) = delete;

  // Sends the prompt and does not wait for the answer, so that the device's own model can read it
  // meanwhile: what is wrong shows in the first verify(). Keeps the edge's session if the prompt
  // continues its text. Errors: none.
  Result<void> start(std::span<const spec::Token> prompt) override;

  // Errors: kCancelled (interrupted); those that proto::to_error() makes of the edge's; kCorrupt
  // for an edge that breaks the protocol. When kDraft and away(): kUnavailable. In every case the
  // committed text is as before the call.
  Result<spec::Verdict> verify(const spec::Draft& draft) override;
  Result<std::uint32_t> write(std::uint32_t count, const Show& show) override;

  // Pipelining, as RemoteTarget has it.
  [[nodiscard]] std::uint32_t max_in_flight() const override { return proto::kMaxInFlight; }
  [[nodiscard]] std::uint32_t in_flight() const override { return dialogue_.in_flight(); }
  Result<void> send(const spec::Draft& chunk, bool last) override;
  Result<ChunkAnswer> receive(bool wait) override;

  [[nodiscard]] bool away() const override { return away_since_.has_value(); }
  bool reachable() override;
  void append(std::span<const spec::Token> tokens) override { dialogue_.append(tokens); }
  void estimate(control::CostEstimate& cost) const override { costs_.estimate(cost); }

  // Ends the session at the edge, waiting at most close_timeout for its account; nothing if there
  // is no stream or the edge does not answer. start() may follow.
  std::optional<proto::Closed> close();

  [[nodiscard]] RemoteStats stats() const;
  [[nodiscard]] link::LinkEstimate link() const { return costs_.link(); }
  [[nodiscard]] const EdgeTerms& terms() const { return dialogue_.terms(); }

 private:
  enum class Stream : std::uint8_t { kNone, kOpening, kOpen };

  void open_stream();
  void be_ready();
  proto::WireResult<> take_opened(const proto::Opened& opened);
  proto::WireResult<proto::EdgeMessage> await(Seconds timeout);
  template <class Answer>
  proto::WireResult<Answer> await_answer();
  // A chunk in flight.
  struct Chunk {
    spec::Draft draft;
    Seconds sent;
    Traffic before;           // its sending
    bool last = false;        // of its draft: it brings the bonus token
    std::uint64_t bytes = 0;  // up
    bool measures = false;    // nothing else was on its way, so that its time is the link's
  };

  proto::WireResult<bool> absorb(const proto::EdgeMessage& message);
  proto::WireResult<ChunkVerdict> take_verdict(const proto::Verdict& answer, bool punctual);
  proto::WireResult<std::optional<ChunkVerdict>> poll(Seconds wait);
  proto::WireResult<std::optional<ChunkVerdict>> await_stale();
  proto::WireResult<std::optional<ChunkVerdict>> await_verdict();
  void account(std::uint32_t drafted, std::uint32_t own, Seconds sent, const Traffic& before,
               bool steady, const proto::Timing& timing);
  proto::WireResult<spec::Verdict> try_verify(const spec::Draft& draft);
  proto::WireResult<> try_write(std::uint32_t count, const Show& show, std::uint32_t& shown);
  Result<void> lost(const proto::WireError& error);
  Result<void> wait_for_retry();
  void found_again();
  [[nodiscard]] bool interrupted() const { return options_.interrupted && options_.interrupted(); }

  EdgeTransport* transport_;
  const Clock* clock_;
  Log* log_;
  RemoteOptions options_;
  EdgeDialogue dialogue_;
  Reconnect reconnect_;
  RemoteCosts costs_;
  RemoteStats stats_;
  std::array<Chunk, proto::kMaxInFlight> chunks_{};  // in flight, oldest at first_chunk_
  std::size_t first_chunk_ = 0;
  std::size_t chunks_in_flight_ = 0;
  Stream stream_ = Stream::kNone;
  Seconds opened_by_;  // when Stream::kOpening has lasted too long
  Seconds retry_at_;   // when Stream::kNone
  std::optional<Seconds> away_since_;
  std::optional<Error> final_;  // found by reachable(), told by the next verify()
};

}  // namespace gelato::device
