// The device's half of docs/protocol.md without the network: which messages to send, what an answer
// commits, and how much of the committed text the edge has. Chunks of a draft may be in flight
// together; otherwise one request is at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/device/remote_target.h"
#include "gelato/proto/messages.h"
#include "gelato/spec/draft.h"

namespace gelato::device {

// What a device asks of an edge, the same in every stream of a generation.
struct EdgeTerms {
  std::uint64_t model_fingerprint = 0;  // 0: whatever the edge serves
  spec::Token n_vocab = 0;              // of the target
  spec::Token common_vocab = 0;         // ids below this may be drafted
  std::uint64_t vocabulary_fingerprint = 0;
  proto::WireMode mode = proto::WireMode::kIds;
  proto::Sampling sampling;
  std::uint64_t seed = 0;
  spec::DistCodecParams rows;  // kQRow
  friend bool operator==(const EdgeTerms&, const EdgeTerms&) = default;
};

// The device's committed text is the truth; the edge's session is a cache of it. Everything that
// comes from the edge is checked: an answer that cannot be is kCorrupt and changes nothing.
// Not thread-safe.
class EdgeDialogue {
 public:
  explicit EdgeDialogue(EdgeTerms terms) : terms_(terms) {}

  // A new generation after `prompt` (not empty). If it begins as the present text does, a session
  // that is known is kept for it.
  void start(std::span<const spec::Token> prompt);

  // The first message of a new stream: resumes the session if there is one, and brings what the
  // edge lacks of the text. Requests are numbered from 1 again.
  [[nodiscard]] proto::Open open();
  // The edge has the text as it stood at open(). Errors: kCorrupt: it has another number of tokens.
  Result<void> on_opened(const proto::Opened& opened);
  // The edge no longer has the session: the next open() sends the whole text.
  void forget_session();

  // The next request. Preconditions: in_step(), and no request is without its answer but chunks
  // that this one continues, asked without a bonus, and requests that a rejection has made stale.
  // `draft` holds rows in kQRow (each out of DistCodec::quantise()) and kDssd. Without `bonus` (and
  // only for a draft that is not empty) the target adds nothing to a draft that stands.
  [[nodiscard]] proto::Draft ask(const spec::Draft& draft, bool bonus = true);
  // `count` tokens of the target, one to a message so that they can be shown as they are written.
  [[nodiscard]] proto::Burst ask_burst(std::uint32_t count);

  // Commits what `answer` decides about `draft`, the oldest that has no answer. In kDssd the token
  // after a rejection is drawn here, with the uniform that the protocol names. Chunks behind a
  // rejection become stale.
  // Errors: kCorrupt.
  Result<ChunkVerdict> on_chunk(const proto::Verdict& answer, const spec::Draft& draft);
  // The same for a draft asked with a bonus.
  Result<spec::Verdict> on_verdict(const proto::Verdict& answer, const spec::Draft& draft);
  // The edge has dropped a stale request. Errors: kCorrupt: it is not stale.
  Result<void> on_stale(const proto::Stale& answer);
  // Commits the tokens of a message of the burst asked for last.
  // Errors: kCorrupt.
  Result<void> on_tokens(const proto::Tokens& answer);
  // What the burst asked for last may still bring is not wanted: the next request needs an open().
  void abandon() { in_step_ = false; }

  // Commits tokens that the device wrote by itself. The edge hears of them with the next open().
  void append(std::span<const spec::Token> tokens);

  // Prompt and committed tokens.
  [[nodiscard]] std::span<const spec::Token> text() const { return text_; }
  // Whether an open() may find a session again at the edge.
  [[nodiscard]] bool has_session() const { return session_.has_value(); }
  // Whether a request can be asked on this stream: the edge has, or is being sent, the whole text.
  [[nodiscard]] bool in_step() const { return in_step_; }
  // Requests without an answer, and how many of them are stale.
  [[nodiscard]] std::uint32_t in_flight() const { return sent_ - answered_; }
  [[nodiscard]] std::uint32_t stale() const {
    return stale_until_ > answered_ ? stale_until_ - answered_ : 0;
  }
  [[nodiscard]] const EdgeTerms& terms() const { return terms_; }

 private:
  [[nodiscard]] proto::Place next_place();
  [[nodiscard]] Result<void> expected(std::uint32_t number) const;
  [[nodiscard]] Result<spec::Token> draw(const proto::Verdict& answer, const spec::Draft& draft);

  EdgeTerms terms_;
  std::vector<spec::Token> text_;
  std::optional<proto::SessionId> session_;
  std::size_t at_edge_ = 0;    // how much of text_ the session is known to have
  std::size_t opened_at_ = 0;  // length of text_ at open()
  bool in_step_ = false;
  std::uint32_t sent_ = 0;         // number of the last request of this stream
  std::uint32_t answered_ = 0;     // and of the last one that was answered to its end
  std::uint32_t stale_until_ = 0;  // requests up to this one are stale if they have no answer
  std::uint32_t ahead_ = 0;        // tokens in flight, taken for accepted
  std::array<bool, proto::kMaxInFlight> bonus_{};  // of request n, at n % kMaxInFlight
  std::uint32_t burst_left_ = 0;      // tokens that the burst in flight may still bring
  std::optional<spec::Token> drawn_;  // last token of text_, not yet named to the edge (kDssd)
};

}  // namespace gelato::device
