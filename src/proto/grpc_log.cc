#include "gelato/proto/grpc_log.h"

#include <fmt/format.h>
#include <grpc/support/log.h>

#include <mutex>
#include <vector>

namespace gelato::proto {
namespace {

std::mutex sinks_mutex;  // also held while a line is written, so that no Log goes meanwhile
std::vector<Log*> sinks;

void write(gpr_log_func_args* args) {
  const std::lock_guard lock(sinks_mutex);
  if (!sinks.empty()) {
    sinks.back()->debug(fmt::format("event=grpc message=\"{}\"", args->message));
  }
}

}  // namespace

GrpcLog::GrpcLog(Log& log) : log_(&log) {
  const std::lock_guard lock(sinks_mutex);
  sinks.push_back(log_);
  gpr_set_log_function(write);
}

GrpcLog::~GrpcLog() {
  const std::lock_guard lock(sinks_mutex);
  std::erase(sinks, log_);
  if (sinks.empty()) {
    gpr_set_log_function(nullptr);  // gRPC's own again
  }
}

}  // namespace gelato::proto
