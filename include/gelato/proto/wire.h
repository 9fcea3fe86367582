// Between protobuf messages and plain structs. Reading trusts nothing: every limit, range and
// combination is checked here, so that what comes out can be used as it is. What depends on the
// conversation (numbers, places in the text) is the session's to check.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gelato/proto/error.h"
#include "gelato/proto/messages.h"

namespace gelato::v1 {
class DeviceMessage;
class EdgeMessage;
class InfoReply;
}  // namespace gelato::v1

namespace gelato::proto {

// What both sides of an open stream know and every later message is read with.
class Dialect {
 public:
  // Errors: kMode: a row coding that cannot be.
  static WireResult<Dialect> of(const Open& open);

  [[nodiscard]] WireMode mode() const { return mode_; }
  [[nodiscard]] spec::Token n_vocab() const { return n_vocab_; }
  // Present in mode kQRow only.
  [[nodiscard]] const std::optional<spec::DistCodec>& codec() const { return codec_; }

 private:
  Dialect() = default;
  WireMode mode_ = WireMode::kIds;
  spec::Token n_vocab_ = 0;
  std::optional<spec::DistCodec> codec_;
};

// Edge side. `dialect` is null until Open has been read.
// Errors: kVersion, kMode, kVocabulary (sizes that cannot be), kMalformed, kTokenRange, kRow,
// kTooLong; kUnexpected for an Open that is not the first message or another message that is.
WireResult<DeviceMessage> read(const v1::DeviceMessage& in, const Dialect* dialect);
// Precondition: values within their limits; a Draft's rows came out of DistCodec::quantise() and
// hold their tokens. `dialect` as for reading; not used for Open, Cancel and Close.
void write(const DeviceMessage& message, const Dialect* dialect, v1::DeviceMessage& out);

// Device side.
// Errors: kMalformed, kTokenRange, kTooLong, kUnexpected (an empty message, or one of a kind that
// this version does not know).
WireResult<EdgeMessage> read(const v1::EdgeMessage& in, const Dialect& dialect);
void write(const EdgeMessage& message, const Dialect& dialect, v1::EdgeMessage& out);

// Errors: kMalformed, kTooLong, kVocabulary.
WireResult<ServerInfo> read(const v1::InfoReply& in);
void write(const ServerInfo& info, v1::InfoReply& out);

// The same from and to serialised bytes. kMalformed for bytes that are no such message.
WireResult<DeviceMessage> decode_device_message(std::string_view bytes, const Dialect* dialect);
std::string encode(const DeviceMessage& message, const Dialect* dialect);
WireResult<EdgeMessage> decode_edge_message(std::string_view bytes, const Dialect& dialect);
std::string encode(const EdgeMessage& message, const Dialect& dialect);
WireResult<ServerInfo> decode_server_info(std::string_view bytes);
std::string encode(const ServerInfo& info);

}  // namespace gelato::proto
