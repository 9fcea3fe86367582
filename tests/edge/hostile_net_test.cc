// Peers that break the rules: each gets a typed error on its own stream, and a well-behaved device
// beside them is served all the while.
#include <functional>

#include "tests/edge/certificates.h"
#include "tests/edge/net_fixture.h"

namespace gelato::edge {
namespace {

using proto::ErrorKind;
using ::testing::HasSubstr;

class Hostile : public NetTest {
 protected:
  static v1::DeviceMessage on_the_wire(const proto::DeviceMessage& message, proto::WireMode mode) {
    const auto dialect = proto::Dialect::of(toy_open(kVocab, mode, {1, 2, 3}));
    v1::DeviceMessage out;
    proto::write(message, &*dialect, out);
    return out;
  }
};

struct Attack {
  const char* name;
  ErrorKind kind;
  std::function<void(RawDevice&)> commit;
};

v1::Draft& draft_of(v1::DeviceMessage& message) { return *message.mutable_draft(); }

TEST_F(Hostile, EachIsToldAndNobodyElseNotices) {
  start(options());
  const auto open = on_the_wire(greedy(), proto::WireMode::kIds);
  const auto with_open = [&](const std::function<void(v1::Open&)>& change) {
    return [&open, change](RawDevice& device) {
      v1::DeviceMessage message = open;
      change(*message.mutable_open());
      device.send_raw(message);
    };
  };
  const auto with_draft = [&](proto::WireMode mode, const std::function<void(v1::Draft&)>& change) {
    return [mode, change](RawDevice& device) {
      device.open(toy_open(kVocab, mode, {1, 2, 3}));
      proto::Draft draft = RawDevice::draft(0, 3, {0, 1});
      draft.q = {0.5, 0.5};
      v1::DeviceMessage message = on_the_wire(draft, mode);
      change(draft_of(message));
      device.send_raw(message);
    };
  };
  const auto ids = proto::WireMode::kIds;
  const auto qrow = proto::WireMode::kQRow;
  const auto dssd = proto::WireMode::kDssd;
  const double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Attack> attacks = {
      {"a version to come", ErrorKind::kVersion, with_open([](auto& o) { o.set_protocol(2); })},
      {"another vocabulary", ErrorKind::kVocabulary,
       with_open([](auto& o) { o.set_vocabulary_fingerprint(1); })},
      {"another vocabulary's size", ErrorKind::kVocabulary, with_open([](auto& o) {
         o.set_n_vocab(5);
         o.set_tokens(std::string("\xd1\0", 2));
       })},
      {"another model", ErrorKind::kModel, with_open([](auto& o) { o.set_model_fingerprint(9); })},
      {"a prompt of 10^9 tokens", ErrorKind::kTooLong,
       with_open([](auto& o) { o.set_token_count(1'000'000'000); })},
      {"a prompt longer than the context", ErrorKind::kContextFull, with_open([](auto& o) {
         o.set_token_count(2000);
         o.set_tokens(std::string(500, '\0'));
       })},
      {"somebody else's session", ErrorKind::kUnknownSession, with_open([](auto& o) {
         o.mutable_resume()->set_session(std::string(16, 'x'));
         o.mutable_resume()->set_count(3);
       })},
      {"sampling that is none", ErrorKind::kMode,
       with_open([&](auto& o) { o.mutable_sampling()->set_temperature(kNan); })},
      {"a draft before Open", ErrorKind::kUnexpected,
       [&](RawDevice& device) { device.send_raw(on_the_wire(RawDevice::draft(0, 3, {}), ids)); }},
      {"Open twice", ErrorKind::kUnexpected,
       [&](RawDevice& device) {
         device.open(greedy());
         device.send_raw(open);
       }},
      {"an empty message", ErrorKind::kMalformed,
       [](RawDevice& device) { device.send_raw(v1::DeviceMessage()); }},
      {"a token outside the vocabulary", ErrorKind::kTokenRange,
       [&](RawDevice& device) {  // 2 bits hold only what is inside, so as a drawn token
         device.open(toy_open(kVocab, dssd, {1, 2, 3}));
         v1::DeviceMessage message;
         draft_of(message).set_base(4);
         draft_of(message).set_drawn(4);
         device.send_raw(message);
       }},
      {"a row that does not sum to 1", ErrorKind::kRow,
       with_draft(qrow, [](auto& d) { d.set_rows(std::string(23, '\xee')); })},
      {"NaN for a probability", ErrorKind::kRow,
       with_draft(dssd, [&](auto& d) { d.set_q(0, kNan); })},
      {"a probability above 1", ErrorKind::kRow,
       with_draft(dssd, [](auto& d) { d.set_q(0, 2.0); })},
      {"a place further on", ErrorKind::kPosition, with_draft(ids, [](auto& d) { d.set_base(7); })},
      {"a place long past", ErrorKind::kPosition, with_draft(ids, [](auto& d) { d.set_base(1); })},
      {"an answer not given", ErrorKind::kPosition,
       with_draft(ids, [](auto& d) { d.set_after(5); })},
      {"a draft of 10^6 tokens", ErrorKind::kTooLong,
       with_draft(ids,
                  [](auto& d) {
                    d.set_count(1'000'000);
                    d.set_tokens(std::string(250'000, '\0'));
                  })},
      {"a burst of 10^9 tokens", ErrorKind::kTooLong,
       [](RawDevice& device) {
         device.open(greedy());
         device.send(proto::Burst{
             .place = {.after = 0, .base = 3, .drawn = {}}, .count = 1'000'000'000, .chunk = 0});
       }},
      {"a message of 100 MB", ErrorKind::kTooLong,
       with_open([](auto& o) { o.set_tokens(std::string(100'000'000, 'x')); })},
      {"a token drawn from nothing", ErrorKind::kUnexpected,
       with_draft(dssd, [](auto& d) { d.set_drawn(1); })},
  };
  RawDevice good(channel_);
  good.open(greedy());
  std::uint32_t round = 0;
  for (const Attack& attack : attacks) {
    SCOPED_TRACE(attack.name);
    RawDevice bad(connect(server_->port()));
    attack.commit(bad);
    const proto::WireError error = bad.end();
    EXPECT_EQ(error.kind, attack.kind) << error.message;
    EXPECT_FALSE(error.message.empty());
    expect_served(good, round++);
  }
}

TEST_F(Hostile, TooManyRequestsInFlight) {
  start(options());
  RawDevice device(channel_);
  device.send(greedy());
  for (std::uint32_t i = 0; i < 200; ++i) {
    device.send(
        proto::Burst{.place = {.after = 0, .base = 3, .drawn = {}}, .count = 60'000, .chunk = 0});
  }
  EXPECT_EQ(device.end().kind, ErrorKind::kTooMany);
}

// A burst of far more tokens than the network's buffers hold, and nobody reads them: it pauses, and
// the other device's rounds go on alone.
TEST_F(Hostile, ADeviceThatNeverReadsIsBounded) {
  constexpr std::uint32_t kBurst = 60'000;
  target_ = std::make_unique<ToyTarget>(model_, 70'000U, 12U, 512U);
  start(options());
  RawDevice bad(connect(server_->port()));
  bad.send(greedy());
  bad.send(
      proto::Burst{.place = {.after = 0, .base = 3, .drawn = {}}, .count = kBurst, .chunk = 1});
  RawDevice good(channel_);
  good.open(greedy());
  std::uint32_t round = 0;
  EXPECT_TRUE(eventually([&] {
    constexpr std::uint32_t kRounds = 100;
    const std::uint64_t before = server_->metrics().committed;
    for (std::uint32_t i = 0; i < kRounds; ++i) {
      expect_served(good, round++);
    }
    return HasFailure() || server_->metrics().committed == before + kRounds;
  }));
  EXPECT_LT(server_->metrics().committed, kBurst);
  bad.hang_up();
}

TEST_F(Hostile, Tokens) {
  auto guarded = options();
  guarded.token_file =
      write_file(folder_.path() / "tokens",
                 "anna anna-token-0123456789\nold old-token-0123456789 2001-01-01\n");
  std::atomic<std::int64_t> now{1'000'000'000};  // 2001-09-09
  guarded.wall_clock = [&now] { return now.load(); };
  start(guarded);
  const auto refusal = [this](const std::string& token) {
    RawDevice device(channel_, token);
    device.send(greedy());
    const auto error = device.end();
    EXPECT_EQ(error.kind, ErrorKind::kUnauthenticated);
    EXPECT_EQ(device.status().error_code(), grpc::StatusCode::UNAUTHENTICATED);
    return error.message;
  };
  EXPECT_THAT(refusal(""), HasSubstr("asks for a token"));
  EXPECT_THAT(refusal("a-wrong-token-0123456789"), HasSubstr("does not know the token"));
  EXPECT_THAT(refusal("old-token-0123456789"), HasSubstr("the token of old has expired"));
  RawDevice anna(channel_, "anna-token-0123456789");
  anna.open(greedy());
  // Hot reload: anna's session goes on, her token opens no new one.
  write_file(folder_.path() / "fresh", "ben ben-token-0123456789\n");
  std::filesystem::rename(folder_.path() / "fresh", folder_.path() / "tokens");
  EXPECT_THAT(refusal("anna-token-0123456789"), HasSubstr("does not know the token"));
  RawDevice ben(channel_, "ben-token-0123456789");
  ben.open(greedy());
  expect_served(anna, 0);
  expect_served(ben, 0);
  EXPECT_EQ(errors(ErrorKind::kUnauthenticated), 4U);

  // GetInfo is guarded as well.
  auto stub = v1::Edge::NewStub(channel_);
  grpc::ClientContext context;
  v1::InfoReply reply;
  const auto status = stub->GetInfo(&context, {}, &reply);
  EXPECT_EQ(proto::decode_error(status.error_details()).kind, ErrorKind::kUnauthenticated);
}

class Tls : public Hostile {
 protected:
  ServerOptions secure(Authority& authority) {
    ServerOptions out = options();
    const Certificate server = authority.issue("edge");
    out.tls_cert = write_file(folder_.path() / "edge.crt", server.cert);
    out.tls_key = write_file(folder_.path() / "edge.key", server.key);
    return out;
  }
  std::shared_ptr<grpc::ChannelCredentials> trusting(const Authority& authority,
                                                     const Certificate& client = {}) {
    return grpc::SslCredentials({authority.pem(), client.key, client.cert});
  }
  bool served(const std::shared_ptr<grpc::ChannelCredentials>& how) {
    RawDevice device(connect(server_->port(), how));
    device.send(greedy());
    const auto opened = device.read();
    if (!opened) {
      EXPECT_EQ(device.end().kind, ErrorKind::kBusy);  // gRPC's UNAVAILABLE: no connection
      return false;
    }
    return true;
  }

  Authority authority_{"the operator"};
  Authority stranger_{"a stranger"};
};

TEST_F(Tls, BothSidesKnowEachOther) {
  start(secure(authority_));
  EXPECT_TRUE(served(trusting(authority_)));
  EXPECT_FALSE(served(trusting(stranger_)));
  EXPECT_FALSE(served(grpc::InsecureChannelCredentials()));
}

TEST_F(Tls, ClientsShowACertificate) {
  auto mutual = secure(authority_);
  mutual.client_ca = write_file(folder_.path() / "ca.crt", authority_.pem());
  start(mutual);
  EXPECT_TRUE(served(trusting(authority_, authority_.issue("phone-7"))));
  EXPECT_FALSE(served(trusting(authority_)));
  EXPECT_FALSE(served(trusting(authority_, stranger_.issue("phone-7"))));
}

TEST_F(Tls, IsAskedForOffLoopback) {
  auto open = options();
  open.listen = "0.0.0.0:0";
  EXPECT_THAT(refused(open), HasSubstr("asks for TLS"));
  open.insecure = true;
  EXPECT_EQ(refused(open), "");
  auto secured = secure(authority_);
  secured.listen = "0.0.0.0:0";
  EXPECT_EQ(refused(secured), "");
}

TEST_F(Tls, FilesThatDoNotFitAreSaid) {
  auto half = secure(authority_);
  half.tls_key.clear();
  EXPECT_EQ(refused(half), "TLS needs both --tls-cert and --tls-key");
  auto missing = secure(authority_);
  missing.tls_key = (folder_.path() / "nowhere").string();
  EXPECT_THAT(refused(missing), HasSubstr("cannot read the PEM file"));
  auto ca_alone = options();
  ca_alone.client_ca = "x";
  EXPECT_THAT(refused(ca_alone), HasSubstr("--client-ca needs"));
  auto broken = secure(authority_);
  broken.tls_key = write_file(folder_.path() / "other.key", stranger_.issue("x").key);
  EXPECT_THAT(refused(broken), HasSubstr("TLS files do not fit"));
  auto addresses = options();
  addresses.listen = "nowhere";
  EXPECT_THAT(refused(addresses), HasSubstr("is not HOST:PORT"));
  addresses = options();
  addresses.metrics_listen = "nowhere";
  EXPECT_THAT(refused(addresses), HasSubstr("is not HOST:PORT"));
  addresses = options();
  addresses.token_file = (folder_.path() / "nowhere").string();
  EXPECT_THAT(refused(addresses), HasSubstr("cannot read the token file"));
}

}  // namespace
}  // namespace gelato::edge
