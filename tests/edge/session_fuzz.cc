// Any sequence of requests, cancels and decisions: every request is answered once and in order, the
// text only grows by what was decided, and a stale request never changes it.
#include <cstdint>
#include <cstdlib>

#include "gelato/edge/session.h"
#include "gelato/proto/row_code.h"

namespace {

using namespace gelato;        // NOLINT(google-build-using-namespace)
using namespace gelato::edge;  // NOLINT(google-build-using-namespace)

constexpr spec::Token kVocab = 8;
constexpr std::uint32_t kContext = 64;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  [[nodiscard]] bool empty() const { return left_ == 0; }
  std::uint32_t below(std::uint32_t n) {
    if (left_ == 0) {
      return 0;
    }
    --left_;
    return *data_++ % n;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

// What a session must do, kept apart from it.
class Referee {
 public:
  explicit Referee(std::uint32_t text) : length_(text) {}

  void sent() { ++sent_; }
  [[nodiscard]] std::uint32_t answered() const { return answered_; }
  [[nodiscard]] std::size_t waiting() const { return sent_ - answered_; }
  void answer(const proto::EdgeMessage& message) {
    if (const auto* stale = std::get_if<proto::Stale>(&message)) {
      require(stale->number == ++answered_);
    } else if (const auto* verdict = std::get_if<proto::Verdict>(&message)) {
      require(verdict->number == ++answered_);
      length_ += verdict->accepted + (verdict->next ? 1 : 0);
    } else if (const auto* tokens = std::get_if<proto::Tokens>(&message)) {
      require(tokens->number == answered_ + 1);
      answered_ += tokens->end == proto::BurstEnd::kGoesOn ? 0 : 1;
    }
  }
  std::uint32_t length_;

 private:
  std::uint32_t sent_ = 0;
  std::uint32_t answered_ = 0;
};

proto::Place place(Bytes& bytes, const Session& session, const Referee& referee) {
  proto::Place out;
  // Mostly plausible: one of the last answers, a place near the end of the text.
  out.after = referee.answered() - std::min(referee.answered(), bytes.below(4));
  out.base = static_cast<std::uint32_t>(session.text().size()) + bytes.below(4);
  if (bytes.below(3) == 0) {
    out.drawn = static_cast<spec::Token>(bytes.below(kVocab));
  }
  return out;
}

bool send(Bytes& bytes, Session& session, Referee& referee) {
  const proto::Place where = place(bytes, session, referee);
  proto::WireResult<> ok;
  if (bytes.below(4) == 0) {
    ok = session.receive(
        proto::Burst{.place = where, .count = 1 + bytes.below(9), .chunk = bytes.below(4)});
  } else {
    proto::Draft draft;
    draft.place = where;
    for (std::uint32_t n = bytes.below(6); n > 0; --n) {
      draft.draft.push(static_cast<spec::Token>(bytes.below(kVocab)));
      draft.q.push_back(0.5);
    }
    draft.no_bonus = draft.draft.size() > 0 && bytes.below(2) == 0;
    ok = session.receive(std::move(draft));
  }
  if (ok) {
    referee.sent();
  }
  return ok.has_value();
}

Decision decide(Bytes& bytes, const Session& session) {
  const auto size = static_cast<std::uint32_t>(session.draft().draft.size());
  Decision out{.accepted = bytes.below(size + 1), .next = {}, .row = {}};
  const bool all = out.accepted == size;
  if (!all && bytes.below(2) == 0) {
    spec::SparseDist row;
    row.storage() = {{static_cast<spec::Token>(bytes.below(kVocab - 1)), 0.5}, {kVocab - 1, 0.5}};
    proto::encode_row(row, kVocab, out.row);
  } else if (!all || !session.draft().no_bonus) {
    out.next = static_cast<spec::Token>(bytes.below(kVocab));
  }
  return out;
}

// One turn of the model thread. False if the session has failed.
bool turn(Bytes& bytes, Session& session, Referee& referee) {
  std::vector<proto::EdgeMessage> answers;
  const std::vector<spec::Token> before(session.text().begin(), session.text().end());
  const auto work = session.next(answers);
  for (const auto& answer : answers) {
    require(std::holds_alternative<proto::Stale>(answer));
    referee.answer(answer);
  }
  if (!work) {
    return false;
  }
  // At most a drawn token has been added.
  const auto text = session.text();
  require(text.size() <= before.size() + 1 &&
          std::equal(before.begin(), before.end(), text.begin()));
  referee.length_ = static_cast<std::uint32_t>(text.size());
  if (*work == Session::Work::kDraft) {
    require(text.size() + rows_needed(session.draft()) <= kContext);
    referee.answer(session.decided(decide(bytes, session)));
  } else if (*work == Session::Work::kBurst) {
    ++referee.length_;
    if (auto tokens =
            session.wrote(static_cast<spec::Token>(bytes.below(kVocab)), bytes.below(16) == 0)) {
      referee.answer(*tokens);
    }
  }
  require(session.text().size() == referee.length_ && session.text().size() <= kContext);
  require(session.waiting() == referee.waiting());
  return true;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  Session session({.mode = proto::WireMode::kDssd, .sampler = {}, .seed = 1}, kVocab, kContext,
                  {1, 2, 3});
  Referee referee(3);
  while (!bytes.empty()) {
    switch (bytes.below(8)) {
      case 0: {
        std::vector<proto::EdgeMessage> answers;
        session.cancel(answers);
        for (const auto& answer : answers) {
          referee.answer(answer);
        }
        break;
      }
      case 1:
      case 2:
      case 3:
        if (!send(bytes, session, referee)) {
          return 0;
        }
        break;
      default:
        if (!turn(bytes, session, referee)) {
          return 0;
        }
    }
  }
  return 0;
}
