#include "gelato/cli.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "gelato/report/output.h"
#include "gelato/report/terminal.h"

namespace gelato::cli {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

void on_interrupt(int /*signal*/) { interrupt_seen = 1; }

// llama.cpp's multi-letter short options, which an option parser of single letters would split.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kLlamaShort = {{
    {"-md", "--model-draft"},
    {"-td", "--threads-draft"},
    {"-ngl", "--gpu-layers"},
    {"-ngld", "--gpu-layers-draft"},
}};

// While alive, the signals that interrupt wait, and wait_readable() lets them in: otherwise one
// that comes between looking at the flag and reading would not end the reading.
class InterruptGate {
 public:
  InterruptGate() {
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &ours, &before_);
  }
  ~InterruptGate() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  InterruptGate(const InterruptGate&) = delete;
  InterruptGate& operator=(const InterruptGate&) = delete;

  // False after an interrupt.
  [[nodiscard]] bool wait_readable(int descriptor) const {
    pollfd wait{.fd = descriptor, .events = POLLIN, .revents = 0};
    return !interrupted() && (::ppoll(&wait, 1, nullptr, &before_) >= 0 || !interrupted());
  }

 private:
  sigset_t before_{};
};

// Appends to `text` until the input ends or `limit` is passed. Returns 0 or the errno of the
// failure, EINTR after an interrupt.
int read_all(int descriptor, std::size_t limit, std::string& text) {
  const InterruptGate gate;
  std::array<char, 65536> buffer{};
  while (text.size() <= limit) {
    if (!gate.wait_readable(descriptor)) {
      return EINTR;
    }
    const ssize_t n = ::read(descriptor, buffer.data(), buffer.size());
    if (n == 0) {
      break;
    }
    if (n > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

// CLI11's words for a mistake, as the end of a sentence of ours.
Error usage_error(const CLI::ParseError& e, const std::string& command) {
  constexpr std::string_view kUnknownKey = "INI was not able to parse ";
  std::string what = e.what();
  if (what.starts_with(kUnknownKey)) {
    what = fmt::format("the --config file sets {:.60}, which is not an option of {}",
                       what.substr(kUnknownKey.size()), command);
  }
  while (!what.empty() && (what.back() == '\n' || what.back() == '.')) {
    what.pop_back();
  }
  return {ErrorCode::kInvalidArgument, fmt::format("{}; see {} --help", what, command)};
}

}  // namespace

void set_up(CLI::App& app) {
  app.set_config("--config", "", "Read options from a TOML file (name = value, long names)")
      ->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.get_formatter()->column_width(38);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

bool parse(CLI::App& app, std::vector<std::string> arguments, int& exit_code) {
  for (std::string& argument : arguments) {
    for (const auto& [from, to] : kLlamaShort) {
      if (argument == from) {
        argument = to;
      }
    }
  }
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(arguments));
    return true;
  } catch (const CLI::CallForHelp&) {
    exit_code = print(app.help());
  } catch (const CLI::FileError& e) {
    exit_code = print_error(
        {ErrorCode::kNotFound, fmt::format("cannot read the --config file: {}", e.what())});
  } catch (const CLI::ParseError& e) {
    exit_code = print_error(usage_error(e, app.get_name()));
  }
  return false;
}

CLI::Validator in_range(std::int64_t low, std::int64_t high) {
  return CLI::Validator(
      [low, high](const std::string& text) -> std::string {
        std::int64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stopped, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stopped == end && value >= low && value <= high) {
          return {};
        }
        return fmt::format("\"{:.40}\" is not a whole number from {} to {}", text, low, high);
      },
      "");
}

void add_json_option(CLI::App& app, std::string& path) {
  app.add_option("--json", path, "Write the result as JSON; -: standard output")->type_name("FILE");
}

Result<void> check_json(const std::string& path) {
  return path.empty() ? Result<void>{} : report::check_output(path);
}

int text_descriptor(const std::string& json_path) {
  return json_path == "-" ? STDERR_FILENO : STDOUT_FILENO;
}

int print_error(const Error& error) {
  Output(STDERR_FILENO).write("gelato: " + report::printable(error.message) + "\n");
  return error.code == ErrorCode::kInvalidArgument ? kUsage : kFailed;
}

int print(std::string_view text) {
  Output out(STDOUT_FILENO);
  out.write(text);
  const auto written = out.status();
  return written ? kSuccess : print_error(written.error());
}

void reserve_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) == -1 && errno == EBADF) {
      // Takes the lowest free number, which is this one. Open for the wrong direction.
      (void)::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
  }
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one is not ours
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() { return interrupt_seen != 0; }

bool Output::write(std::string_view text) {
  while (error_ == 0 && !text.empty()) {
    const ssize_t n = ::write(descriptor_, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  return error_ == 0;
}

Result<void> Output::status() const {
  if (error_ == 0) {
    return {};
  }
  return fail(ErrorCode::kIo,
              fmt::format("cannot write to standard output: {}", std::strerror(error_)));
}

Result<std::string> read_input(const std::string& path, std::size_t limit) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path;
  const int fd = standard_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const ErrorCode code = errno == ENOENT   ? ErrorCode::kNotFound
                           : errno == EACCES ? ErrorCode::kPermissionDenied
                                             : ErrorCode::kIo;
    return fail(code, fmt::format("cannot read {}: {}", name, std::strerror(errno)));
  }
  std::string text;
  const int error = read_all(fd, limit, text);
  if (!standard_input) {
    ::close(fd);
  }
  if (error == EINTR) {
    return fail(ErrorCode::kCancelled, fmt::format("interrupted while reading {}", name));
  }
  if (error != 0) {
    return fail(error == EISDIR ? ErrorCode::kInvalidArgument : ErrorCode::kIo,
                fmt::format("cannot read {}: {}", name, std::strerror(error)));
  }
  if (text.size() > limit) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("{} is longer than the {} bytes that are accepted", name, limit));
  }
  return text;
}

}  // namespace gelato::cli
