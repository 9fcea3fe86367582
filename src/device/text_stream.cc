#include "gelato/device/text_stream.h"

#include <algorithm>

namespace gelato::device {

TextStream::TextStream(const engine::LanguageModel& model, std::vector<std::string> stops,
                       Emit emit)
    : detokenizer_(model), stops_(std::move(stops)), emit_(std::move(emit)) {
  std::erase(stops_, "");
}

bool TextStream::push(const CommittedToken& token) {
  if (stopped_) {
    return false;
  }
  const std::size_t before = held_.size();
  detokenizer_.push(token.token, held_);
  last_ = token.origin;
  if (held_.size() == before) {
    return true;
  }
  pieces_.push_back({held_.size() - before, token.origin});
  std::size_t stop_at = std::string::npos;
  for (const std::string& stop : stops_) {
    stop_at = std::min(stop_at, held_.find(stop));
  }
  if (stop_at != std::string::npos) {
    emit(stop_at);
    stopped_ = true;
    return false;
  }
  emit(held_.size() - held_back());
  return true;
}

void TextStream::finish() {
  if (stopped_) {
    return;
  }
  const std::size_t before = held_.size();
  detokenizer_.finish(held_);
  if (held_.size() > before) {
    pieces_.push_back({held_.size() - before, last_});
  }
  emit(held_.size());
}

// Emits the first `bytes` of held_, a piece at a time.
void TextStream::emit(std::size_t bytes) {
  std::size_t at = 0;
  std::size_t used = 0;
  while (at < bytes) {
    Piece& piece = pieces_[used];
    const std::size_t size = std::min(piece.size, bytes - at);
    emit_(std::string_view(held_).substr(at, size), piece.origin);
    at += size;
    piece.size -= size;
    used += piece.size == 0 ? 1 : 0;
  }
  held_.erase(0, bytes);
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(used));
}

// The longest end of held_ that a stop string begins with.
std::size_t TextStream::held_back() const {
  std::size_t longest = 0;
  for (const std::string& stop : stops_) {
    for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > longest; --n) {
      if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, n))) {
        longest = n;
      }
    }
  }
  return longest;
}

}  // namespace gelato::device
