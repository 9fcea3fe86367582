// The syntax of a link specification: which keys there are, and a text as KEY=VALUE parts with
// presets filled in. What the values mean is link_spec.cc's business.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "quantity_text.h"

namespace gelato::link {

// Which kind of link a key describes.
enum class LinkKind { kConstant, kTrace, kRadio, kAny };

struct Key {
  std::string_view name;
  LinkKind kind;
  const Dimension* dimension;  // null: a value that is not one number
  double min = 0.0;            // in the SI unit
  double max = 0.0;
};

// Views into the text that was split, or into a preset's.
struct Part {
  const Key* key;
  std::string_view text;  // KEY=VALUE, for messages
  std::string_view value;
};

class Parts {
 public:
  // Splits `text` and lays it over the preset it begins with, if it does.
  // Errors: as parse_link_spec().
  static Result<Parts> split(std::string_view text);

  // The part of `name`, or null.
  [[nodiscard]] const Part* find(std::string_view name) const;
  [[nodiscard]] const std::vector<Part>& all() const { return parts_; }

 private:
  Result<> add(std::string_view text);
  void lay_over(const Parts& base);

  std::vector<Part> parts_;
};

// The description of key `name`, or null.
const Key* find_key(std::string_view name);

// `text` for a message: cut to a readable length, unprintable bytes replaced.
std::string presentable(std::string_view text);

// kInvalidArgument: link part "`text`": `why`. The text is made presentable.
tl::unexpected<Error> bad_part(std::string_view text, std::string_view why);

// As bad_part(): does not go with `other`, a part that is there as well.
tl::unexpected<Error> clashing_parts(std::string_view text, std::string_view other);

}  // namespace gelato::link
