#include "gelato/device/remote_target.h"

namespace gelato::device {
namespace {

tl::unexpected<Error> one_at_a_time() {
  return fail(ErrorCode::kUnsupported, "this target takes one draft at a time");
}

}  // namespace

Result<void> RemoteTarget::send(const spec::Draft&, bool) { return one_at_a_time(); }

Result<ChunkAnswer> RemoteTarget::receive(bool) { return one_at_a_time(); }

}  // namespace gelato::device
