// What can be the address of an edge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gelato/device/grpc_transport.h"

namespace gelato::device {
namespace {

using ::testing::HasSubstr;

const std::string kPem = "-----BEGIN CERTIFICATE-----\n";

std::string refusal(const EdgeAddress& address) {
  const auto ok = check(address);
  EXPECT_TRUE(ok || ok.error().code == ErrorCode::kInvalidArgument);
  EXPECT_EQ(GrpcTransport::create(address, {}).has_value(), ok.has_value());
  return ok ? "" : ok.error().message;
}

EdgeAddress at(const std::string& endpoint) {
  EdgeAddress address;
  address.endpoint = endpoint;
  return address;
}

TEST(EdgeAddressTest, IsAHostAndAPort) {
  for (const char* good : {"edge.local:8470", "10.0.0.7:1", "[::1]:50051", "[fe80::1%eth0]:443"}) {
    EXPECT_EQ(refusal(at(good)), "") << good;
  }
  for (const char* bad :
       {"", "edge.local", "edge.local:", ":8470", "edge.local:port", "::1:50051",
        "edge.local:123456", "http://edge:1", "unix:/tmp/socket", "a b:1", "edge.local:8470\n"}) {
    EXPECT_THAT(refusal(at(bad)), HasSubstr("write HOST:PORT")) << bad;
  }
}

TEST(EdgeAddressTest, KnowsThisMachine) {
  for (const char* here : {"127.0.0.1:1", "127.8.8.8:1", "localhost:1", "[::1]:1"}) {
    EXPECT_TRUE(is_loopback(here)) << here;
  }
  for (const char* elsewhere : {"10.0.0.1:1", "edge.local:1", "[::2]:1", "127.0.0.1"}) {
    EXPECT_FALSE(is_loopback(elsewhere)) << elsewhere;
  }
}

TEST(EdgeAddressTest, CertificatesNeedTlsAndEachOther) {
  EdgeAddress address = at("edge.local:1");
  address.certificate = kPem;
  EXPECT_THAT(refusal(address), HasSubstr("come together"));
  address.key = "not PEM";
  EXPECT_THAT(refusal(address), HasSubstr("client key is not PEM"));
  address.key = kPem;
  EXPECT_EQ(refusal(address), "");
  address.insecure = true;
  EXPECT_THAT(refusal(address), HasSubstr("--insecure"));
}

TEST(EdgeAddressTest, ATokenDoesNotTravelInTheClear) {
  EdgeAddress address = at("edge.local:1");
  address.token = "abc.DEF_123~+/=";
  EXPECT_EQ(refusal(address), "");
  address.insecure = true;
  EXPECT_THAT(refusal(address), HasSubstr("in the clear"));
  address.endpoint = "127.0.0.1:1";
  EXPECT_EQ(refusal(address), "");
  address.authority = "edge.local:1";  // the loopback is only a relay
  EXPECT_THAT(refusal(address), HasSubstr("in the clear"));
  address.insecure = false;
  for (const char* bad : {"two words", "line\nbreak", "\x80"}) {
    address.token = bad;
    EXPECT_THAT(refusal(address), HasSubstr("RFC 6750")) << bad;
  }
}

}  // namespace
}  // namespace gelato::device
