// Serialised messages to plain structs and back.
#include <gelato/v1/edge.pb.h>

#include <limits>

#include "gelato/proto/wire.h"

namespace gelato::proto {
namespace {

// Bytes of type `Message`, passed on to read().
template <class Message, class... Context>
auto decode(std::string_view bytes, const Context&... context)
    -> decltype(read(std::declval<Message>(), context...)) {
  Message message;
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return refuse(ErrorKind::kMalformed, "these bytes are no message of the protocol");
  }
  return read(message, context...);
}

template <class Message, class Value, class... Context>
std::string serialised(const Value& value, const Context&... context) {
  Message message;
  write(value, context..., message);
  return message.SerializeAsString();
}

}  // namespace

WireResult<DeviceMessage> decode_device_message(std::string_view bytes, const Dialect* dialect) {
  return decode<v1::DeviceMessage>(bytes, dialect);
}

std::string encode(const DeviceMessage& message, const Dialect* dialect) {
  return serialised<v1::DeviceMessage>(message, dialect);
}

WireResult<EdgeMessage> decode_edge_message(std::string_view bytes, const Dialect& dialect) {
  return decode<v1::EdgeMessage>(bytes, dialect);
}

std::string encode(const EdgeMessage& message, const Dialect& dialect) {
  return serialised<v1::EdgeMessage>(message, dialect);
}

WireResult<ServerInfo> decode_server_info(std::string_view bytes) {
  return decode<v1::InfoReply>(bytes);
}

std::string encode(const ServerInfo& info) { return serialised<v1::InfoReply>(info); }

}  // namespace gelato::proto
