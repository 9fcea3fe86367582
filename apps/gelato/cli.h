// What every subcommand shares: parsing, exit codes, errors, interrupts, output.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/cli11_fwd.h"

namespace gelato::cli {

inline constexpr int kSuccess = 0;
inline constexpr int kFailed = 1;  // the work failed
inline constexpr int kUsage = 2;   // wrong usage

// One subcommand: `gelato NAME ...`.
struct Command {
  std::string_view name;
  std::string_view summary;  // one line, for `gelato --help`
  // Arguments without program and command name; returns the exit code.
  std::function<int(const std::vector<std::string>& arguments)> run;
};

// Prepares an option parser in the house style: --config FILE.toml takes any option of the command
// and nothing else; an option that is given twice counts the last time, as llama.cpp has it.
void set_up(CLI::App& app);

// Parses `arguments`, accepting llama.cpp's -md, -td, -ngl and -ngld. Returns true if the command
// is to go on; otherwise `exit_code` says how it ended (help was asked for, or the usage is wrong,
// which has been printed).
bool parse(CLI::App& app, std::vector<std::string> arguments, int& exit_code);

// A check for a number option: a whole number from `low` to `high`.
CLI::Validator in_range(std::int64_t low, std::int64_t high);

// --json FILE, for the machine-readable result of a command.
void add_json_option(CLI::App& app, std::string& path);
// Whether there is a place for that result; an empty path wants none.
// Errors: those of report::check_output().
Result<void> check_json(const std::string& path);
// Where the text for people goes: standard output, or standard error when the JSON goes there.
int text_descriptor(const std::string& json_path);

// Prints "gelato: message" as one line on standard error. Returns kUsage for
// ErrorCode::kInvalidArgument, else kFailed.
int print_error(const Error& error);

// Prints on standard output; returns the exit code.
int print(std::string_view text);

// A descriptor of 0 to 2 that was closed by whoever started us becomes one that fails when it is
// used, so that no file of ours takes its number and receives what was meant for a terminal. Call
// it before anything is opened.
void reserve_standard_descriptors();

// From now on Ctrl-C and SIGTERM set a flag (a second one ends the process at once), and writing to
// a closed pipe is an error instead of a signal.
void catch_signals();
bool interrupted();

// Standard output, unbuffered on our side: what is written is visible. After the first failure
// nothing more is written.
class Output {
 public:
  explicit Output(int descriptor) : descriptor_(descriptor) {}
  // False once writing has failed.
  bool write(std::string_view text);
  // The failure, if there was one.
  [[nodiscard]] Result<void> status() const;

 private:
  int descriptor_;
  int error_ = 0;
};

// All of a file, or of standard input for "-"; at most `limit` bytes.
// Errors: kNotFound, kPermissionDenied, kInvalidArgument (a directory), kLimitExceeded, kCancelled
// (an interrupt), kIo.
Result<std::string> read_input(const std::string& path, std::size_t limit);

}  // namespace gelato::cli
