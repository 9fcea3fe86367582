// A certificate for one run on this machine, so that TLS can be shown without setting anything up.
#pragma once

#include <string>

#include "gelato/base/result.h"

namespace gelato::cli {

struct Certificate {
  std::string certificate;  // PEM, self-signed: it is its own CA
  std::string key;          // PEM
};

// For 127.0.0.1, valid for a day, with a new P-256 key. Errors: kInternal if libcrypto refuses.
Result<Certificate> make_throwaway_certificate();

}  // namespace gelato::cli
