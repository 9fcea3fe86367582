// Which session's text is in the target's cache, how much of it, and who has to go when it is full.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/edge/target.h"

namespace gelato::edge {

// The cache's sequences are slots. A session holds at most one; a slot whose session is gone keeps
// its text until the room is wanted, so that the next session that begins alike does not compute it
// again. In all they keep `kept_tokens`, because llama.cpp's unified cache makes every token of
// every pass look at all cells in use, whosever they are. Texts are shared within one client only:
// how fast a prompt is read would otherwise tell one client what another has asked. One thread.
class KvBudget {
 public:
  using Owner = std::uint64_t;  // of a slot; 0: nobody
  static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};
  // A shorter common beginning is not worth a slot's content.
  static constexpr std::size_t kMinShared = 8;

  // `target` must outlive this, and only this changes the lengths of its sequences but for
  // Target::decode(), which is to be followed by extended(). `kept_tokens`: most that the texts
  // without a session hold together.
  KvBudget(Target& target, std::uint32_t kept_tokens);

  // Gives `owner` a slot that holds the longest prefix of `text` to be had without computing, at
  // most all but the last token. Takes the slot it has, else one whose session is gone, copying
  // from the same client's texts. Returns kNoSlot if every slot is held by another session.
  // Errors: those of Target::truncate() and copy_prefix().
  Result<std::uint32_t> acquire(Owner owner, std::string_view client,
                                std::span<const spec::Token> text);
  // The session is gone; its text stays until the room is wanted. Of all such texts the ends of the
  // least recently used go, until `kept_tokens` are left.
  void release(Owner owner);

  // Sees to `cells` free cells: forgets texts without a session, the least recently used first, and
  // then those of sessions that `may_evict` names. Their slots stay theirs, empty. False if there
  // is not enough to forget; what was forgotten until then stays forgotten.
  // Errors: those of Target::truncate().
  Result<bool> make_room(std::uint32_t cells, const std::function<bool(Owner)>& may_evict);

  // Tokens held by a slot.
  [[nodiscard]] std::uint32_t length(std::uint32_t slot) const {
    return static_cast<std::uint32_t>(slots_[slot].tokens.size());
  }
  // Target::decode() has appended these.
  void extended(std::uint32_t slot, std::span<const spec::Token> tokens);
  // Errors: those of Target::truncate().
  Result<void> truncate(std::uint32_t slot, std::uint32_t length);
  // A failed decode() may have left anything: the slot is emptied.
  void forget(std::uint32_t slot);

  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

 private:
  struct Slot {
    std::vector<spec::Token> tokens;
    std::string client;
    Owner owner = 0;
    std::uint64_t used = 0;
  };
  [[nodiscard]] std::uint32_t held_by(Owner owner) const;
  [[nodiscard]] std::uint32_t donor(std::string_view client,
                                    std::span<const spec::Token> text) const;
  [[nodiscard]] std::uint32_t vacancy(std::uint32_t but) const;
  [[nodiscard]] std::uint32_t victim(const std::function<bool(Owner)>& may_evict) const;

  Target* target_;
  std::uint32_t kept_tokens_;
  std::vector<Slot> slots_;
  std::uint64_t ticks_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace gelato::edge
