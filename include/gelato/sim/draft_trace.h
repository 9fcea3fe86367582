// A teacher-forced trace: what the draft model would have proposed at every position of the
// target's own greedy text. After any verdict the context is a prefix of that text, so replaying a
// trace is exact for every policy, in greedy decoding.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "gelato/base/units.h"
#include "gelato/spec/draft.h"

namespace gelato::sim {

// One drafted token and the row it came from.
struct TraceToken {
  float entropy = 0.0F;  // nats, of the draft's row at temperature 1
  float top1 = 0.0F;     // probability of the drafted (greedy) token
  float margin = 0.0F;   // top-1 minus top-2 probability
  // Size of the row's top-p set, DraftTrace::top_p; 65535: that or more; 0: no token at all,
  // because the draft ended its text with the one before or its context was full: here a live draft
  // ends too, and everything else is 0.
  std::uint16_t top_p = 0;
  std::uint8_t match = 0;  // 1: it is the target's token at this place, so it is accepted if all
                           // drafted tokens before it are; 0 past the end of the text

  friend bool operator==(const TraceToken&, const TraceToken&) = default;
};

// One prompt and the target's answer to it.
struct TracePrompt {
  std::string id;                   // as in the file of prompts
  std::string set;                  // e.g. stories, maths
  std::uint32_t prompt_tokens = 0;  //
  std::uint32_t first = 0;          // index of its first position
  std::uint32_t positions = 0;      // tokens of the target's text
  bool ended = false;               // the target ended its text itself; else it was cut

  friend bool operator==(const TracePrompt&, const TracePrompt&) = default;
};

struct DraftTrace {
  std::string version;           // of the program that recorded it
  std::string machine;           // where; what the timings below are from
  std::string target;            // file name and digest
  std::string draft;             //
  std::string source;            // of the prompts: file name and digest
  std::uint32_t vocabulary = 0;  // tokens
  std::uint32_t depth = 0;       // drafted tokens at every position, 1..control::kMaxDraftLength
  double top_p = 0.0;            // of TraceToken::top_p
  Seconds draft_token;           // median time of one drafted token
  std::vector<Seconds> verify;   // median time of the target's pass over n + 1 tokens, n = 0..depth
  std::vector<TracePrompt> prompts;
  std::vector<spec::Token> target_tokens;  // [positions of all prompts]
  std::vector<TraceToken> tokens;          // [position][depth]
  bool no_beginning =
      false;  // devices start anywhere in its texts: nobody wrote them. Not in files

  friend bool operator==(const DraftTrace&, const DraftTrace&) = default;

  // The draft's continuation of the text before position `i` (an index over all prompts): `depth`
  // tokens, the first of which stands for target_tokens[i].
  [[nodiscard]] std::span<const TraceToken> drafts(std::size_t i) const {
    return {tokens.data() + i * depth, depth};
  }
  [[nodiscard]] std::size_t positions() const { return target_tokens.size(); }
};

}  // namespace gelato::sim
