// gRPC has one log for the whole process; while an edge serves or a device is connected, it goes
// where their lines go.
#pragma once

#include "gelato/base/log.h"

namespace gelato::proto {

// While alive, what gRPC would write on standard error goes to `log`, at level debug: a stranger
// who knocks with a wrong certificate is a line for who looks, not for everybody. Of several
// objects the newest is served. Safe from any thread.
class GrpcLog {
 public:
  // `log` must outlive this.
  explicit GrpcLog(Log& log);
  ~GrpcLog();
  GrpcLog(const GrpcLog&) = delete;
  GrpcLog& operator=(const GrpcLog&) = delete;

 private:
  Log* log_;
};

}  // namespace gelato::proto
