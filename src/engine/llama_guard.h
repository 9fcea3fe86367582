// Runs a call into llama.cpp such that its exceptions and its failed assertions come back as errors
// instead of ending the process. Private to the engine.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "gelato/base/result.h"

namespace gelato::engine {

// What a failed assertion inside llama.cpp turns into while an AssertionTrap is alive.
struct LlamaAssertion {
  std::string message;
};

// While alive, a failed assertion inside llama.cpp on this thread throws LlamaAssertion. The C
// library has no destructors to run on the way, so whatever it held is leaked; the object it was
// working on must not be used again.
class AssertionTrap {
 public:
  AssertionTrap();
  ~AssertionTrap();
  AssertionTrap(const AssertionTrap&) = delete;
  AssertionTrap& operator=(const AssertionTrap&) = delete;
};

// Installs the process-wide hook that AssertionTrap needs.
void install_assertion_hook();

// The first error line that llama.cpp logged on this thread since clear_first_error(), without the
// name of the C++ function that it begins with; empty if none. Those after it say that therefore
// the model could not be loaded.
std::string first_error();
void clear_first_error();

// What a model file says, or llama.cpp about one, fit for one sentence: at most 300 bytes, control
// characters replaced by spaces and what is not UTF-8 by U+FFFD.
std::string one_line(std::string_view text);

// Calls f() under an AssertionTrap without allocating; returns its value, or an error that says
// what llama.cpp said.
template <class F>
auto guarded(std::string_view what, F&& f) -> Result<std::invoke_result_t<F>> {
  clear_first_error();
  try {
    const AssertionTrap trap;
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      std::forward<F>(f)();
      return {};
    } else {
      return std::forward<F>(f)();
    }
  } catch (const LlamaAssertion& e) {
    return fail(ErrorCode::kInternal, std::string(what) + ": llama.cpp stopped with: " + e.message);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kLimitExceeded, std::string(what) + ": out of memory");
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInternal, std::string(what) + ": " + one_line(e.what()));
  }
}

}  // namespace gelato::engine
