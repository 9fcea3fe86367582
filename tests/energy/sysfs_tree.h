// A sysfs tree in a temporary directory, removed with the object.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace gelato::energy {

class SysfsTree {
 public:
  // Paths are given relative to `folder`, such as class/hwmon.
  explicit SysfsTree(const std::string& folder = "") {
    std::string pattern = testing::TempDir() + "gelato-sysfs-XXXXXX";
    const char* const made = ::mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    root_ = pattern;
    // A test that reads as another user must get as far as the file itself.
    std::filesystem::permissions(root_, std::filesystem::perms(0755));
    folder_ = root_ / folder;
  }
  ~SysfsTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  SysfsTree(const SysfsTree&) = delete;
  SysfsTree& operator=(const SysfsTree&) = delete;

  // Writes an attribute as the kernel shows it, with a newline.
  void write(const std::string& path, std::string_view value) const {
    std::filesystem::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << value << '\n';
  }
  void write(const std::string& path, long long value) const { write(path, std::to_string(value)); }
  // Removes an attribute, or a device with all of its attributes.
  void remove(const std::string& path) const { std::filesystem::remove_all(folder_ / path); }

  // What a meter takes for /sys.
  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  [[nodiscard]] std::filesystem::path at(const std::string& path) const { return folder_ / path; }

 private:
  std::filesystem::path root_;
  std::filesystem::path folder_;
};

}  // namespace gelato::energy
