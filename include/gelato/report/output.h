// Results for other programs: JSON and text to a file or to standard output.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "gelato/base/result.h"

namespace gelato::report {

// Writes `text` to the file `path`, or to the descriptor `standard_output` when `path` is "-".
//
// A regular file is replaced as a whole: its readers see the old content or the new one, and a
// failure leaves the old one (the text goes to a new file in the same folder, which is then
// renamed; links are followed, the mode is kept). Anything else that exists (a pipe, a device) is
// written to.
//
// Errors: kNotFound (the folder does not exist), kPermissionDenied, kInvalidArgument (a folder),
// kIo (disk full, standard output closed, anything else the system refuses). A reader that goes
// away raises SIGPIPE first: a program that wants the error instead ignores that signal.
Result<void> write_output(const std::string& path, std::string_view text, int standard_output = 1);

// Whether write_output() to `path` can be expected to work: so that long work does not begin when
// its result has nowhere to go. Touches nothing. Errors as above, but for those that show only
// while writing (a full disk, a reader that goes away).
Result<void> check_output(const std::string& path);

// Writes `value`, indented by two, with a line end. Bytes that are not UTF-8 (a model may produce
// them) become U+FFFD, numbers that are not finite become null. Errors as above.
Result<void> write_json(const std::string& path, const nlohmann::json& value,
                        int standard_output = 1);

}  // namespace gelato::report
