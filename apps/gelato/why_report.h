// Why a policy decided as it did, for people and for the JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gelato/control/why.h"

namespace gelato::cli {

// The keys of docs/json.md, "Why"; null for a policy that keeps no account.
nlohmann::json why_json(const control::Why* why);
// A line if an energy budget cannot be kept; else empty.
std::string why_text(const control::Why* why);

}  // namespace gelato::cli
