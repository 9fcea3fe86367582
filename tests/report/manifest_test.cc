#include "gelato/report/manifest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gelato/report/digest.h"

namespace gelato::report {
namespace {

TEST(Digest, MatchesThePublishedExamples) {
  // FIPS 180-4's examples: one block, and the empty message.
  EXPECT_EQ(*sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(*sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(sha256_file("no/such/file").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(sha256_file("/proc").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sha256_file("/dev/zero").error().code, ErrorCode::kInvalidArgument);
}

TEST(CpuName, ReadsWhatEachKindOfMachineWrites) {
  EXPECT_EQ(cpu_name("processor\t: 0\nmodel name\t: AMD EPYC 7B13\nflags\t\t: fpu\n"),
            "AMD EPYC 7B13");
  EXPECT_EQ(cpu_name("processor\t: 0\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"),
            "Raspberry Pi 5 Model B Rev 1.0");
  EXPECT_EQ(cpu_name("processor : 0\nCPU part : 0xd0c"), "unknown");
  EXPECT_EQ(cpu_name("model name\t:\n"), "unknown");
  EXPECT_EQ(cpu_name(""), "unknown");
}

TEST(TotalMemory, ReadsKibibytesAndRefusesTheRest) {
  EXPECT_EQ(total_memory("MemTotal:       16384 kB\nMemFree: 1 kB\n"), 16384U * 1024U);
  EXPECT_EQ(total_memory("MemFree: 1 kB\n"), 0U);
  EXPECT_EQ(total_memory("MemTotal: many kB\n"), 0U);
  EXPECT_EQ(total_memory("MemTotal: 16384 pages\n"), 0U);
  EXPECT_EQ(total_memory("MemTotal:"), 0U);
}

TEST(Manifest, ThisMachineHasAProcessorAndMemory) {
  const Machine machine = this_machine();
  EXPECT_GE(machine.cores, 1U);
  EXPECT_GT(machine.memory_bytes, 1U << 20U);
  EXPECT_FALSE(machine.cpu.empty());
}

TEST(Manifest, KeepsItsKeys) {
  RunManifest manifest;
  manifest.seed = 7;
  manifest.machine = {.cpu = "a cpu", .cores = 2, .memory_bytes = 1024};
  manifest.models["draft"] = {.file = "d.gguf", .bytes = 10, .sha256 = "00ff"};
  const nlohmann::json json = to_json(manifest);
  EXPECT_EQ(json.at("version"), version());
  EXPECT_EQ(json.at("seed"), 7);
  EXPECT_EQ(json.at("machine"),
            (nlohmann::json{{"cpu", "a cpu"}, {"cores", 2}, {"memory_bytes", 1024}}));
  EXPECT_EQ(json.at("models").at("draft"),
            (nlohmann::json{{"file", "d.gguf"}, {"bytes", 10}, {"sha256", "00ff"}}));
  EXPECT_EQ(json.size(), 5U);
  EXPECT_TRUE(json.contains("commit"));
}

TEST(Manifest, TheCommitIsAHashOrNotKnown) {
  EXPECT_TRUE(commit().empty() || commit().size() == 40);
  EXPECT_EQ(commit().find_first_not_of("0123456789abcdef"), std::string_view::npos);
  EXPECT_FALSE(version().empty());
}

}  // namespace
}  // namespace gelato::report
