// A device's life over the network.
#include <grpcpp/generic/generic_stub.h>
#include <httplib.h>

#include "gelato/proto/row_code.h"
#include "tests/edge/net_fixture.h"

namespace gelato::edge {
namespace {

using proto::ErrorKind;
using ::testing::HasSubstr;

class Serving : public NetTest {
 protected:
  // A unary call by its full name, with a serialised request; the serialised reply.
  std::string call(const std::string& method, const std::string& request) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kTestDeadline);
    grpc::CompletionQueue queue;
    const grpc::Slice slice(request);
    auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return text_of(reply);
  }
  static std::string text_of(const grpc::ByteBuffer& buffer) {
    std::vector<grpc::Slice> slices;
    EXPECT_TRUE(buffer.Dump(&slices).ok());
    std::string out;
    for (const grpc::Slice& slice : slices) {
      out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return out;
  }
  // grpc.health.v1: HealthCheckResponse{status}, 1 SERVING, 2 NOT_SERVING.
  bool serving() { return call("/grpc.health.v1.Health/Check", "") == "\x08\x01"; }
};

TEST_F(Serving, AGreedyGeneration) {
  start(options());
  RawDevice device(channel_);
  const std::vector<spec::Token> prompt = {1, 2, 3};
  const std::vector<spec::Token> want = model_.greedy_text(prompt, 12);
  const auto opened = device.open(greedy(prompt));
  EXPECT_EQ(opened.committed, 3U);
  EXPECT_EQ(opened.limits.context_tokens, 1024U);

  auto verdict = device.verify(RawDevice::draft(0, 3, {want[0], want[1], (want[2] + 1) % kVocab}));
  EXPECT_EQ(verdict.accepted, 2U);
  EXPECT_EQ(verdict.next, want[2]);
  EXPECT_EQ(verdict.timing.sessions, 1U);
  EXPECT_GE(verdict.timing.verify, Seconds());
  verdict = device.verify(RawDevice::draft(1, 6, {want[3], want[4]}));
  EXPECT_EQ(verdict.accepted, 2U);
  EXPECT_EQ(verdict.next, want[5]);
  device.send(proto::Close{});
  EXPECT_EQ(device.expect<proto::Closed>().committed, 9U);
  EXPECT_EQ(device.end().message, "");
}

TEST_F(Serving, ChunksInFlightAndStaleOnes) {
  start(options());
  RawDevice device(channel_);
  const auto want = model_.greedy_text(std::vector<spec::Token>{1, 2, 3}, 8);
  device.send(greedy());  // requests need not wait for Opened
  device.send(RawDevice::draft(0, 3, {want[0], want[1]}, true));
  device.send(RawDevice::draft(0, 5, {want[2], (want[3] + 1) % kVocab}, true));
  device.send(RawDevice::draft(0, 7, {want[4]}, true));
  device.expect<proto::Opened>();
  auto verdict = device.expect<proto::Verdict>();
  EXPECT_EQ(verdict.accepted, 2U);
  EXPECT_EQ(verdict.next, std::nullopt);
  verdict = device.expect<proto::Verdict>();
  EXPECT_EQ(verdict.accepted, 1U);
  EXPECT_EQ(verdict.next, want[3]);
  EXPECT_EQ(device.expect<proto::Stale>().number, 3U);
  verdict = device.verify(RawDevice::draft(3, 7, {want[4], want[5]}));
  EXPECT_EQ(verdict.accepted, 2U);
  EXPECT_EQ(verdict.next, want[6]);
}

TEST_F(Serving, ABurstAndItsCancellation) {
  start(options());
  RawDevice device(channel_);
  const auto want = model_.greedy_text(std::vector<spec::Token>{1, 2, 3}, 900);
  device.open(greedy());
  device.send(proto::Burst{.place = {.after = 0, .base = 3, .drawn = {}}, .count = 10, .chunk = 4});
  std::vector<spec::Token> got;
  for (const std::size_t size : {4U, 4U, 2U}) {
    const auto tokens = device.expect<proto::Tokens>();
    EXPECT_EQ(tokens.tokens.size(), size);
    got.insert(got.end(), tokens.tokens.begin(), tokens.tokens.end());
  }
  EXPECT_EQ(got, (std::vector<spec::Token>{want.begin(), want.begin() + 10}));

  device.send(
      proto::Burst{.place = {.after = 1, .base = 13, .drawn = {}}, .count = 60'000, .chunk = 1});
  device.expect<proto::Tokens>();
  device.send(proto::Cancel{});
  std::size_t written = 1;
  proto::BurstEnd end = proto::BurstEnd::kGoesOn;
  while (end == proto::BurstEnd::kGoesOn) {
    const auto tokens = device.expect<proto::Tokens>();
    written += tokens.tokens.size();
    end = tokens.end;
    ASSERT_FALSE(HasFailure());
  }
  // Cancelled, unless the context was full first.
  EXPECT_EQ(end, written < 1024 - 13 ? proto::BurstEnd::kCancelled : proto::BurstEnd::kContextFull);
}

TEST_F(Serving, SamplingWithRowsAndWithScalars) {
  start(options());
  for (const auto mode : {proto::WireMode::kQRow, proto::WireMode::kDssd}) {
    RawDevice device(channel_);
    const proto::Open open = toy_open(kVocab, mode, {1, 2, 3}, 5);
    device.open(open);
    std::uint32_t base = 3;
    std::optional<spec::Token> drawn;
    for (std::uint32_t round = 0; round < 20; ++round) {
      proto::Draft draft = RawDevice::draft(round, base + (drawn ? 1 : 0), {0, 1});
      draft.place.drawn = drawn;
      draft.q =
          mode == proto::WireMode::kDssd ? std::vector<double>{1.0, 1.0} : std::vector<double>{};
      drawn.reset();
      base = draft.place.base;
      const auto verdict = device.verify(draft);
      ASSERT_FALSE(HasFailure());
      base += verdict.accepted + (verdict.next ? 1 : 0);
      if (!verdict.row.empty()) {
        const auto row = proto::decode_row(verdict.row, kVocab);
        ASSERT_TRUE(row.has_value());
        drawn = row->argmax();
      }
    }
  }
}

TEST_F(Serving, ABrokenStreamIsResumed) {
  start(options());
  proto::Resume resume{.session = {}, .count = 3, .hash = proto::text_hash({{1, 2, 3}})};
  {
    RawDevice device(channel_);
    resume.session = device.open(greedy()).session;
    expect_served(device, 0);
    device.hang_up();
    EXPECT_EQ(device.end().kind, ErrorKind::kCancelled);
  }
  RawDevice again(channel_);
  proto::Open open = greedy({});
  open.resume = resume;
  const auto opened = again.open(open);
  EXPECT_EQ(opened.committed, 3U);
  EXPECT_EQ(opened.reused, 2U);
  expect_served(again, 0);
  EXPECT_EQ(server_->metrics().sessions, 1);
}

TEST_F(Serving, AVanishedDevicesSessionIsFreedAfterItsLease) {
  auto brief = options();
  brief.scheduler.lease = Seconds(0.02);
  start(brief);
  {
    RawDevice device(channel_);
    device.open(greedy());
    EXPECT_EQ(server_->metrics().sessions, 1);
    device.hang_up();
    device.end();
  }
  EXPECT_TRUE(eventually([&] { return server_->metrics().sessions == 0; }));
  EXPECT_EQ(server_->metrics().leases_expired, 1U);
  EXPECT_TRUE(eventually([&] { return server_->metrics().streams == 0; }));
}

TEST_F(Serving, ADeviceThatStopsTalkingIsTreatedAsLost) {
  auto brief = options();
  brief.scheduler.lease = Seconds(0.0);
  start(brief);
  RawDevice device(channel_);
  device.open(greedy());
  device.writes_done();  // without Close
  EXPECT_EQ(device.end().kind, ErrorKind::kCancelled);
  EXPECT_TRUE(eventually([&] { return server_->metrics().sessions == 0; }));
}

TEST_F(Serving, AThousandHalfOpenStreams) {
  constexpr int kHalfOpen = 1000;
  auto strict = options();
  strict.max_streams = 40;
  strict.scheduler.opening = Seconds(0.3);
  start(strict);
  RawDevice device(channel_);
  device.open(greedy());
  std::vector<std::unique_ptr<RawDevice>> half_open;
  std::shared_ptr<grpc::Channel> channel;
  for (int i = 0; i < kHalfOpen; ++i) {
    if (i % 50 == 0) {  // a connection takes 64
      channel = connect(server_->port());
    }
    half_open.push_back(std::make_unique<RawDevice>(channel));
  }
  for (std::uint32_t round = 0; round < 20; ++round) {
    expect_served(device, round);
  }
  std::size_t busy = 0;
  std::size_t idle = 0;
  for (const auto& other : half_open) {
    const ErrorKind kind = other->end().kind;
    busy += kind == ErrorKind::kBusy ? 1 : 0;
    idle += kind == ErrorKind::kIdle ? 1 : 0;
  }
  EXPECT_EQ(busy + idle, std::size_t{kHalfOpen});
  EXPECT_GE(busy, 1U);
  EXPECT_GE(idle, 20U);
  expect_served(device, 20);
  EXPECT_TRUE(eventually([&] { return server_->metrics().streams == 1; }));
}

TEST_F(Serving, ManyDevicesAtOnce) {
  start(options());
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      const std::vector<spec::Token> prompt = {t % kVocab, 1, (t / 2) % kVocab, 3};
      std::vector<spec::Token> text = prompt;
      const auto want = model_.greedy_text(prompt, 100);
      RawDevice device(connect(server_->port()));
      device.open(greedy(prompt));
      for (std::uint32_t round = 0; text.size() < 100; ++round) {
        const auto length = static_cast<std::uint32_t>(text.size());
        const std::size_t written = length - prompt.size();
        std::vector<spec::Token> draft = {want[written], want[written + 1]};
        draft[1] = (draft[1] + static_cast<int>(round % 2)) % kVocab;
        const auto verdict = device.verify(RawDevice::draft(round, length, draft));
        text.insert(text.end(), draft.begin(), draft.begin() + verdict.accepted);
        text.push_back(*verdict.next);
      }
      good += std::equal(text.begin() + 4, text.end(), want.begin()) ? 1 : 0;
      device.send(proto::Close{});
      device.end();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 6);
  EXPECT_EQ(server_->metrics().closed, 6U);
}

TEST_F(Serving, SaysWhatItServes) {
  start(options());
  const auto info = proto::decode_server_info(call("/gelato.v1.Edge/GetInfo", ""));
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->version, "1.2.3");
  EXPECT_EQ(info->model, toy_served(kVocab).card());
  EXPECT_EQ(info->limits.context_tokens, 1024U);
  EXPECT_EQ(info->modes.size(), 3U);
}

TEST_F(Serving, HealthAndReflection) {
  start(options());
  EXPECT_TRUE(serving());
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTestDeadline);
  grpc::CompletionQueue queue;
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  auto call = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  ASSERT_TRUE(wait());
  const grpc::Slice list("\x3a\x01*", 3);  // list_services
  call->Write(grpc::ByteBuffer(&list, 1), nullptr);
  ASSERT_TRUE(wait());
  grpc::ByteBuffer reply;
  call->Read(&reply, nullptr);
  ASSERT_TRUE(wait());
  EXPECT_THAT(text_of(reply), HasSubstr("gelato.v1.Edge"));
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
}

TEST_F(Serving, DrainsBetweenRounds) {
  start(options());
  RawDevice idle(channel_);
  idle.open(greedy());
  RawDevice busy(channel_);
  busy.open(greedy());
  expect_served(busy, 0);
  server_->drain();
  EXPECT_EQ(idle.end().kind, ErrorKind::kDraining);
  EXPECT_EQ(busy.end().kind, ErrorKind::kDraining);
  EXPECT_EQ(busy.status().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(serving());
  RawDevice late(channel_);
  late.send(greedy());
  EXPECT_EQ(late.end().kind, ErrorKind::kDraining);
  EXPECT_TRUE(eventually([&] { return server_->drained(); }));
}

TEST_F(Serving, StopsWithStreamsOpen) {
  start(options());
  RawDevice device(channel_);
  device.open(greedy());
  device.send(
      proto::Burst{.place = {.after = 0, .base = 3, .drawn = {}}, .count = 60'000, .chunk = 1});
  server_.reset();
  EXPECT_NE(device.end().kind, ErrorKind::kUnspecified);
}

TEST_F(Serving, MetricsOverHttp) {
  auto with = options();
  with.metrics_listen = "127.0.0.1:0";
  start(with);
  RawDevice device(channel_);
  device.open(greedy());
  expect_served(device, 0);
  httplib::Client http("127.0.0.1", server_->metrics_port());
  const auto page = http.Get("/metrics");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
  EXPECT_THAT(page->get_header_value("Content-Type"), HasSubstr("version=0.0.4"));
  EXPECT_THAT(page->body, HasSubstr("\ngelato_edge_sessions 1\n"));
  EXPECT_THAT(page->body, HasSubstr("\ngelato_edge_drafts_total 1\n"));
  EXPECT_EQ(http.Get("/")->status, 404);
}

TEST_F(Serving, APortInUseIsSaid) {
  start(options());
  auto second = options();
  second.listen = "127.0.0.1:" + std::to_string(server_->port());
  EXPECT_THAT(refused(second), HasSubstr("the port is in use"));
  auto metrics = options();
  metrics.metrics_listen = "127.0.0.1:0";
  start(metrics);
  second = options();
  second.metrics_listen = "127.0.0.1:" + std::to_string(server_->metrics_port());
  EXPECT_THAT(refused(second), HasSubstr("is the port in use?"));
}

}  // namespace
}  // namespace gelato::edge
