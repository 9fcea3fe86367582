// What headers need to know of CLI11, which takes seconds to compile: only files that add options
// include <CLI/CLI.hpp>.
#pragma once

// NOLINTNEXTLINE(readability-identifier-naming): the library's name
namespace CLI {
class App;
class Validator;
}  // namespace CLI
