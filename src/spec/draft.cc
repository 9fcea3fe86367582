#include "gelato/spec/draft.h"

namespace gelato::spec {

SparseDist& Draft::push(Token token) {
  if (size_ == tokens_.size()) {
    tokens_.emplace_back();
    rows_.emplace_back();
  }
  tokens_[size_] = token;
  return rows_[size_++];
}

}  // namespace gelato::spec
