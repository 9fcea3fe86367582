// Who is who: TLS, client certificates and tokens, between the device and the real edge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gelato/device/link_relay.h"
#include "gelato/proto/grpc_log.h"
#include "tests/device/toy_server.h"
#include "tests/edge/certificates.h"
#include "tests/support/temp_dir.h"

namespace gelato::device {
namespace {

using edge::Authority;
using edge::Certificate;
using edge::write_file;
using ::testing::HasSubstr;
using toy::ToyModel;

const std::vector<spec::Token> kPrompt{1, 0};
const std::string kToken = "correct-horse-battery-staple";

class DeviceTls : public ::testing::Test {
 protected:
  // Serves with a certificate for localhost.
  void serve() {
    const Certificate server = authority_.issue("localhost");
    server_.options.tls_cert = write_file(dir_.path() / "server.crt", server.cert);
    server_.options.tls_key = write_file(dir_.path() / "server.key", server.key);
    server_.start();
  }
  EdgeAddress address() {
    EdgeAddress address;
    address.endpoint = server_.endpoint();
    address.ca = authority_.pem();
    return address;
  }
  // Why a generation fails; empty if it does not.
  std::string failure(const EdgeAddress& address) {
    RemoteOptions options = ToyDevice::quick();
    options.reconnect.give_up = Seconds(0.2);
    ToyDevice device(model_, address, proto::WireMode::kIds, 1, options);
    const auto stats = device.write(kPrompt, "static:2", 20);
    if (!stats) {
      return stats.error().message;
    }
    EXPECT_EQ(device.sink.tokens(), model_.greedy_text(kPrompt, 20));
    return {};
  }

  gelato::testing::TempDir dir_;
  Authority authority_{"the edge's authority"};
  ToyModel model_ = ToyModel::random({.n_vocab = 6, .order = 3, .sharpness = 3.0}, 1);
  ToyServer server_{model_};
  NullLog log_;
  proto::GrpcLog quiet_{log_};
};

TEST_F(DeviceTls, AnEdgeWithACertificateThatIsTrustedIsBelieved) {
  serve();
  EXPECT_EQ(failure(address()), "");
  EdgeAddress other = address();
  other.ca = Authority("somebody else").pem();
  EXPECT_THAT(failure(other), HasSubstr("edge 127.0.0.1:"));
  EdgeAddress plain = address();
  plain.ca.clear();
  plain.insecure = true;
  EXPECT_NE(failure(plain), "");
}

TEST_F(DeviceTls, BehindARelayTheCertificateIsTheEdges) {
  serve();
  const SteadyClock clock;
  const auto relay = LinkRelay::start({.edge = server_.endpoint(), .link = {}}, clock).value();
  EdgeAddress relayed = address();
  relayed.endpoint = relay->endpoint();
  relayed.authority = server_.endpoint();
  EXPECT_EQ(failure(relayed), "");
  EXPECT_GT(relay->wire().down, 1000U) << "the certificate among others";
  relayed.authority = "elsewhere.example:8470";
  EXPECT_NE(failure(relayed), "");
}

TEST_F(DeviceTls, AnEdgeThatAsksForACertificateGetsIt) {
  server_.options.client_ca = write_file(dir_.path() / "clients.crt", authority_.pem());
  serve();
  EXPECT_NE(failure(address()), "") << "without one";
  const Certificate ours = authority_.issue("robot-7");
  EdgeAddress known = address();
  known.certificate = ours.cert;
  known.key = ours.key;
  EXPECT_EQ(failure(known), "");
  const Certificate forged = Authority("somebody else").issue("robot-7");
  known.certificate = forged.cert;
  known.key = forged.key;
  EXPECT_NE(failure(known), "");
}

TEST_F(DeviceTls, ATokenOpensAndAWrongOneIsToldAtOnce) {
  server_.options.token_file = write_file(dir_.path() / "tokens", "robot-7 " + kToken + "\n");
  serve();
  EdgeAddress known = address();
  known.token = kToken;
  EXPECT_EQ(failure(known), "");
  for (const std::string& token : {std::string(), kToken + "x"}) {
    EdgeAddress stranger = address();
    stranger.token = token;
    ToyDevice device(model_, stranger, proto::WireMode::kIds);  // and ready to wait for minutes
    const auto refused = device.write(kPrompt, "static:2", 20);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
    const auto transport = GrpcTransport::create(stranger, {}).value();
    const auto info = transport->info(Seconds(10));
    EXPECT_EQ(info.error().code, ErrorCode::kPermissionDenied);
  }
}

}  // namespace
}  // namespace gelato::device
