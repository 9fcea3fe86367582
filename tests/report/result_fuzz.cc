// Results from anywhere: whatever parses is shown in every form.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gelato/report/html.h"
#include "gelato/report/overview.h"
#include "gelato/report/result_table.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = gelato::report::parse_result(text, "fuzz");
  if (!result) {
    return 0;
  }
  const std::string page = gelato::report::render_html(*result);
  const std::string body = page.substr(page.find("<body>"));
  std::size_t scripts = 0;
  for (auto at = body.find("<script"); at != std::string::npos; at = body.find("<script", at + 1)) {
    ++scripts;
  }
  if (scripts != 4) {
    std::abort();  // something of the result became markup
  }
  gelato::report::render_csv(*result);
  gelato::report::render_overview(*result, {});
  return 0;
}
