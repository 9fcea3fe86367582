#include "gelato/edge/kv_budget.h"

#include <algorithm>

namespace gelato::edge {
namespace {

std::uint32_t common_prefix(std::span<const spec::Token> a, std::span<const spec::Token> b) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  const auto differs = std::mismatch(a.begin(), a.begin() + n, b.begin());
  return static_cast<std::uint32_t>(differs.first - a.begin());
}

}  // namespace

KvBudget::KvBudget(Target& target, std::uint32_t kept_tokens)
    : target_(&target), kept_tokens_(kept_tokens), slots_(target.shape().sequences) {}

Result<std::uint32_t> KvBudget::acquire(Owner owner, std::string_view client,
                                        std::span<const spec::Token> text) {
  const auto wanted = text.first(text.size() - 1);
  std::uint32_t slot = held_by(owner);
  if (slot == kNoSlot) {
    const std::uint32_t from = donor(client, wanted);
    slot = vacancy(from);
    if (slot == kNoSlot && from != kNoSlot && slots_[from].owner == 0) {
      slot = from;
    }
    if (slot == kNoSlot) {
      return kNoSlot;
    }
    // A donor without a session may as well become the slot, unless much of it would be lost.
    if (from != kNoSlot && slots_[from].owner == 0 &&
        2 * common_prefix(slots_[from].tokens, wanted) >= slots_[from].tokens.size()) {
      slot = from;
    }
    if (from != kNoSlot && slot != from) {
      if (auto ok = truncate(slot, 0); !ok) {
        return fail(ok.error());
      }
      const std::uint32_t shared = common_prefix(slots_[from].tokens, wanted);
      if (auto ok = target_->copy_prefix(from, slot, shared); !ok) {
        return fail(ok.error());
      }
      slots_[slot].tokens.assign(wanted.begin(), wanted.begin() + shared);
      slots_[from].used = ++ticks_;
    }
    slots_[slot].owner = owner;
    slots_[slot].client = client;
  }
  slots_[slot].used = ++ticks_;
  if (auto ok = truncate(slot, common_prefix(slots_[slot].tokens, wanted)); !ok) {
    return fail(ok.error());
  }
  return slot;
}

void KvBudget::release(Owner owner) {
  if (const std::uint32_t slot = held_by(owner); slot != kNoSlot) {
    slots_[slot].owner = 0;
  }
  std::size_t kept = 0;
  for (const Slot& slot : slots_) {
    kept += slot.owner == 0 ? slot.tokens.size() : 0;
  }
  while (kept > kept_tokens_) {
    const std::uint32_t slot = victim([](Owner) { return false; });
    const std::size_t length = slots_[slot].tokens.size();
    const std::size_t left = length - std::min(length, kept - kept_tokens_);
    if (!truncate(slot, static_cast<std::uint32_t>(left))) {
      forget(slot);
    }
    kept -= length - slots_[slot].tokens.size();
  }
}

Result<bool> KvBudget::make_room(std::uint32_t cells, const std::function<bool(Owner)>& may_evict) {
  while (target_->free_cells() < cells) {
    const std::uint32_t slot = victim(may_evict);
    if (slot == kNoSlot) {
      return false;
    }
    ++evictions_;
    if (auto ok = truncate(slot, 0); !ok) {
      return fail(ok.error());
    }
  }
  return true;
}

void KvBudget::extended(std::uint32_t slot, std::span<const spec::Token> tokens) {
  slots_[slot].tokens.insert(slots_[slot].tokens.end(), tokens.begin(), tokens.end());
  slots_[slot].used = ++ticks_;
}

Result<void> KvBudget::truncate(std::uint32_t slot, std::uint32_t length) {
  if (slots_[slot].tokens.size() <= length) {
    return {};
  }
  slots_[slot].tokens.resize(length);
  return target_->truncate(slot, length);
}

void KvBudget::forget(std::uint32_t slot) {
  slots_[slot].tokens.clear();
  (void)target_->truncate(slot, 0);
}

std::uint32_t KvBudget::held_by(Owner owner) const {
  const auto at = std::find_if(slots_.begin(), slots_.end(),
                               [&](const Slot& slot) { return slot.owner == owner; });
  return at == slots_.end() ? kNoSlot : static_cast<std::uint32_t>(at - slots_.begin());
}

// The slot that shares most with `text`.
std::uint32_t KvBudget::donor(std::string_view client, std::span<const spec::Token> text) const {
  std::uint32_t best = kNoSlot;
  std::size_t longest = kMinShared - 1;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].client != client) {
      continue;
    }
    const std::size_t shared = common_prefix(slots_[i].tokens, text);
    // Among equals one without a session: it need not be copied.
    if (shared > longest || (shared == longest && best != kNoSlot && slots_[i].owner == 0)) {
      longest = shared;
      best = i;
    }
  }
  return best;
}

// A slot without a session: an empty one, else the least recently used.
std::uint32_t KvBudget::vacancy(std::uint32_t but) const {
  std::uint32_t best = kNoSlot;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].owner != 0 || i == but) {
      continue;
    }
    if (slots_[i].tokens.empty()) {
      return i;
    }
    if (best == kNoSlot || slots_[i].used < slots_[best].used) {
      best = i;
    }
  }
  return best;
}

std::uint32_t KvBudget::victim(const std::function<bool(Owner)>& may_evict) const {
  std::uint32_t best = kNoSlot;
  const auto better = [this](std::uint32_t a, std::uint32_t b) {
    const bool a_held = slots_[a].owner != 0;
    const bool b_held = slots_[b].owner != 0;
    return a_held != b_held ? !a_held : slots_[a].used < slots_[b].used;
  };
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].tokens.empty() || (slots_[i].owner != 0 && !may_evict(slots_[i].owner))) {
      continue;
    }
    if (best == kNoSlot || better(i, best)) {
      best = i;
    }
  }
  return best;
}

}  // namespace gelato::edge
