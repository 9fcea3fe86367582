#include "gelato/link/link_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "link_spec_parts.h"
#include "quantity_text.h"

namespace gelato::link {
namespace {

constexpr std::string_view kRayleigh = "rayleigh";
constexpr std::string_view kNoFading = "none";

bool is_control(char c) { return (c >= '\0' && c < ' ') || c == '\x7f'; }

// The keys that say which kind of link it is: exactly one of them is there.
constexpr std::array<std::string_view, 4> kKindKeys{"rate", "up", "trace", "fading"};

Result<LinkKind> kind_of(const Parts& parts) {
  const Part* said = nullptr;
  for (const std::string_view key : kKindKeys) {
    const Part* part = parts.find(key);
    if (part != nullptr && said != nullptr) {
      return clashing_parts(part->text, said->text);
    }
    said = part != nullptr ? part : said;
  }
  if (said == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                "the link specification names no rate: add rate=, up= with down=, trace= or "
                "fading=");
  }
  const LinkKind kind = said->key->kind;
  for (const Part& part : parts.all()) {
    if (part.key->kind != LinkKind::kAny && part.key->kind != kind) {
      return clashing_parts(part.text, said->text);
    }
  }
  return kind;
}

Result<double> read_number(const Key& key, std::string_view part, std::string_view value) {
  const auto number = parse_quantity(*key.dimension, value);
  if (!number) {
    return bad_part(part, fmt::format("write {}", key.dimension->wanted));
  }
  if (!(*number >= key.min && *number <= key.max)) {
    return bad_part(
        part, fmt::format("must lie between {} and {}", format_quantity(*key.dimension, key.min),
                          format_quantity(*key.dimension, key.max)));
  }
  return *number;
}

// Reads typed values out of parts. Remembers the first error and goes on, so that a caller checks
// once, at the end.
class Reader {
 public:
  explicit Reader(const Parts& parts) : parts_(parts) {}

  // Sets `target` (a quantity, a double, or an optional of one) if the part is there.
  template <class T>
  Reader& read(std::string_view name, T& target) {
    if (const Part* part = parts_.find(name)) {
      const auto number = read_number(*part->key, part->text, part->value);
      if (number) {
        target = T(typename Value<T>::type(*number));
      } else {
        refuse(number.error());
      }
    }
    return *this;
  }

  // As read(), for a part that must be there.
  template <class T>
  Reader& require(std::string_view name, T& target) {
    if (parts_.find(name) == nullptr) {
      refuse({ErrorCode::kInvalidArgument, fmt::format("the link specification needs {}=", name)});
    }
    return read(name, target);
  }

  void refuse(Error error) {
    if (!error_) {
      error_ = std::move(error);
    }
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  template <class T>
  struct Value {
    using type = T;
  };
  template <class T>
  struct Value<std::optional<T>> {
    using type = T;
  };

  const Parts& parts_;
  std::optional<Error> error_;
};

Result<Outage> read_outage(const Part& part) {
  const std::size_t at = part.value.find('@');
  if (at == std::string_view::npos) {
    return bad_part(part.text, "write DURATION@BEGIN, such as 10s@5s");
  }
  const auto duration = read_number(*part.key, part.text, part.value.substr(0, at));
  const auto begin = read_number(*part.key, part.text, part.value.substr(at + 1));
  if (!duration || !begin) {
    return fail(duration ? begin.error() : duration.error());
  }
  if (*duration == 0.0) {
    return bad_part(part.text, "must last longer than 0s");
  }
  return Outage{Seconds(*begin), Seconds(*duration)};
}

Result<std::vector<Outage>> read_outages(const Parts& parts) {
  std::vector<Outage> outages;
  for (const Part& part : parts.all()) {
    if (part.key->name != "outage") {
      continue;
    }
    if (outages.size() == kMaxOutages) {
      return fail(ErrorCode::kLimitExceeded,
                  fmt::format("the link specification has more than {} outages", kMaxOutages));
    }
    const auto outage = read_outage(part);
    if (!outage) {
      return fail(outage.error());
    }
    outages.push_back(*outage);
  }
  std::sort(outages.begin(), outages.end(),
            [](const Outage& a, const Outage& b) { return a.begin < b.begin; });
  const auto overlap = std::adjacent_find(
      outages.begin(), outages.end(),
      [](const Outage& a, const Outage& b) { return a.begin + a.duration > b.begin; });
  if (overlap != outages.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("two outages overlap, the first from {}: write them as one",
                            format_quantity(kTimeText, overlap->begin.value())));
  }
  return outages;
}

ConstantRate read_constant(Reader& reader, const Parts& parts, std::optional<BitsPerSecond>& down) {
  ConstantRate constant;
  if (const Part* rate = parts.find("rate"); rate == nullptr) {
    reader.require("up", constant.rate).require("down", down);
  } else if (const Part* other = parts.find("down")) {
    reader.refuse(clashing_parts(other->text, rate->text).value());
  } else {
    reader.read("rate", constant.rate);
  }
  return constant;
}

TraceReplay read_trace(Reader& reader, const Parts& parts) {
  const Part& file = *parts.find("trace");
  if (file.value.empty() || std::any_of(file.value.begin(), file.value.end(), is_control)) {
    reader.refuse(bad_part(file.text, "write the name of a trace file").value());
  }
  TraceReplay trace{std::string(file.value), std::nullopt};
  reader.read("repeat", trace.repeat);
  return trace;
}

Radio read_radio(Reader& reader, const Parts& parts) {
  Radio radio;
  const Part& fading = *parts.find("fading");
  if (fading.value == kRayleigh) {
    radio.fading = Fading::kRayleigh;
  } else if (fading.value == kNoFading) {
    radio.fading = Fading::kNone;
  } else {
    reader.refuse(bad_part(fading.text, "write rayleigh or none").value());
  }
  if (const Part* part = parts.find("pathloss")) {
    const auto model = path_loss_model(part->value);
    if (!model) {
      reader.refuse(bad_part(part->text, "write umi-los, umi-nlos, inh-los or inh-nlos").value());
    }
    radio.path_loss = model.value_or(radio.path_loss);
  }
  reader.require("bandwidth", radio.bandwidth)
      .require("power", radio.power_dbm)
      .require("distance", radio.distance)
      .read("carrier", radio.carrier)
      .read("noise", radio.noise_dbm_hz)
      .read("margin", radio.margin)
      .read("coherence", radio.coherence);
  if (!reader.error()) {
    if (const auto usable = RadioChannel::create(radio, 0); !usable) {
      reader.refuse(usable.error());
    }
  }
  return radio;
}

// Writes KEY=VALUE parts.
class Writer {
 public:
  void text(std::string_view key, std::string_view value) {
    text_ += fmt::format("{}{}={}", text_.empty() ? "" : ",", key, value);
  }
  void number(std::string_view key, double value) {
    text(key, format_quantity(*find_key(key)->dimension, value));
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void write_up(Writer& out, const ConstantRate& constant, bool symmetric) {
  out.number(symmetric ? "rate" : "up", constant.rate.value());
}

void write_up(Writer& out, const TraceReplay& trace, bool /*symmetric*/) {
  out.text("trace", trace.file);
  if (trace.repeat) {
    out.number("repeat", trace.repeat->value());
  }
}

void write_up(Writer& out, const Radio& radio, bool /*symmetric*/) {
  out.text("fading", radio.fading == Fading::kRayleigh ? kRayleigh : kNoFading);
  out.number("bandwidth", radio.bandwidth.value());
  out.number("power", radio.power_dbm.value());
  out.number("distance", radio.distance.value());
  out.number("carrier", radio.carrier.value());
  out.text("pathloss", to_string(radio.path_loss));
  out.number("noise", radio.noise_dbm_hz.value());
  out.number("margin", radio.margin.value());
  out.number("coherence", radio.coherence.value());
}

}  // namespace

Result<LinkSpec> parse_link_spec(std::string_view text) {
  const auto parts = Parts::split(text);
  if (!parts) {
    return fail(parts.error());
  }
  const auto kind = kind_of(*parts);
  if (!kind) {
    return fail(kind.error());
  }
  LinkSpec spec;
  Reader reader(*parts);
  switch (*kind) {
    case LinkKind::kTrace:
      spec.up = read_trace(reader, *parts);
      break;
    case LinkKind::kRadio:
      spec.up = read_radio(reader, *parts);
      break;
    case LinkKind::kConstant:
    case LinkKind::kAny:
      spec.up = read_constant(reader, *parts, spec.down);
      break;
  }
  reader.read("down", spec.down)
      .read("delay", spec.delay)
      .read("jitter", spec.jitter)
      .read("loss", spec.loss)
      .read("rto", spec.rto);
  auto outages = read_outages(*parts);
  if (reader.error() || !outages) {
    return fail(reader.error() ? *reader.error() : outages.error());
  }
  spec.outages = *std::move(outages);
  return spec;
}

std::string to_string(const LinkSpec& spec) {
  Writer out;
  std::visit([&](const auto& up) { write_up(out, up, !spec.down); }, spec.up);
  if (spec.down) {
    out.number("down", spec.down->value());
  }
  // A part that is zero, or the usual timeout, is the same as none.
  if (spec.delay != Seconds(0)) {
    out.number("delay", spec.delay.value());
  }
  if (spec.jitter != Seconds(0)) {
    out.number("jitter", spec.jitter.value());
  }
  if (spec.loss != 0.0) {
    out.number("loss", spec.loss);
  }
  if (spec.rto != kUsualRto) {
    out.number("rto", spec.rto.value());
  }
  for (const Outage& outage : spec.outages) {
    out.text("outage", format_quantity(kTimeText, outage.duration.value()) + "@" +
                           format_quantity(kTimeText, outage.begin.value()));
  }
  return out.take();
}

}  // namespace gelato::link
