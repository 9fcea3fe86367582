#include "gelato/device/link_relay.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "relay_connection.h"

namespace gelato::device {

class LinkRelay::Loop {
 public:
  Loop(Options options, Listener listener, Descriptor wake, const Clock& clock)
      : options_(std::move(options)),
        listener_(std::move(listener)),
        wake_(std::move(wake)),
        clock_(&clock) {}
  ~Loop() {
    if (thread_.joinable()) {
      command([](Commands& commands) { commands.stop = true; });
      thread_.join();
    }
  }

  Result<void> start() {
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& e) {
      return fail(ErrorCode::kIo, fmt::format("cannot start the relay's thread: {}", e.what()));
    }
    return {};
  }

  [[nodiscard]] std::uint16_t port() const { return listener_.port; }
  [[nodiscard]] WireBytes wire() const { return {up_, down_}; }
  [[nodiscard]] std::string failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  void hold(bool held) {
    command([held](Commands& commands) { commands.held = held; });
  }
  void sever(bool severed) {
    command([severed](Commands& commands) { commands.severed = severed; });
  }

 private:
  struct Commands {
    bool stop = false;
    bool held = false;
    bool severed = false;
  };

  // Changes the commands, and waits until they are obeyed.
  template <class Change>
  void command(Change change) {
    std::unique_lock lock(mutex_);
    change(commands_);
    const std::uint64_t mine = ++given_;
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof(one));
    obeyed_changed_.wait(lock, [&] { return obeyed_ >= mine; });
  }

  void run();
  void obey(const Commands& commands);
  void admit();
  void advance();
  void wait(const Commands& commands);

  Options options_;
  Listener listener_;
  Descriptor wake_;
  const Clock* clock_;
  std::vector<RelayConnection> connections_;  // of the thread
  std::vector<pollfd> polled_;                // of the thread
  bool accepting_ = true;                     // of the thread

  std::atomic<std::uint64_t> up_{0};
  std::atomic<std::uint64_t> down_{0};
  mutable std::mutex mutex_;
  std::condition_variable obeyed_changed_;
  Commands commands_;
  std::uint64_t given_ = 0;
  std::uint64_t obeyed_ = 0;
  std::string failure_;
  std::thread thread_;
};

void LinkRelay::Loop::run() {
  for (;;) {
    Commands commands;
    std::uint64_t given = 0;
    {
      const std::lock_guard lock(mutex_);
      commands = commands_;
      given = given_;
    }
    obey(commands);
    {
      const std::lock_guard lock(mutex_);
      obeyed_ = given;
    }
    obeyed_changed_.notify_all();
    if (commands.stop) {
      return;
    }
    wait(commands);
  }
}

void LinkRelay::Loop::obey(const Commands& commands) {
  if (commands.stop || commands.severed) {
    for (RelayConnection& connection : connections_) {
      connection.reset();
    }
    connections_.clear();
    for (Descriptor refused = accept_from(listener_.descriptor); refused.valid();
         refused = accept_from(listener_.descriptor)) {
      reset_on_close(refused);
    }
  } else if (!commands.held) {
    admit();
    advance();
  }
}

void LinkRelay::Loop::admit() {
  while (connections_.size() < kMaxConnections) {
    Descriptor device = accept_from(listener_.descriptor);
    if (!device.valid()) {
      // Out of descriptors, the next attempt is made when something else has happened.
      accepting_ = errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED;
      return;
    }
    connections_.emplace_back(std::move(device), options_.edge,
                              options_.link ? &*options_.link : nullptr, clock_->now());
  }
}

void LinkRelay::Loop::advance() {
  WireBytes moved;
  const Seconds now = clock_->now();
  std::erase_if(connections_, [&](RelayConnection& connection) {
    const auto alive = connection.advance(now, moved);
    if (!alive) {
      const std::lock_guard lock(mutex_);
      failure_ = alive.error().message;
    }
    const bool over = !alive || !*alive;
    if (over) {
      connection.reset();
    }
    return over;
  });
  up_ += moved.up;
  down_ += moved.down;
}

// Until a socket, a command or the emulated link has something to do.
void LinkRelay::Loop::wait(const Commands& commands) {
  const Seconds now = clock_->now();
  Seconds wake_at(std::numeric_limits<double>::infinity());
  polled_.clear();
  polled_.push_back({.fd = wake_.get(), .events = POLLIN, .revents = 0});
  if (!commands.held && accepting_ && connections_.size() < kMaxConnections) {
    polled_.push_back({.fd = listener_.descriptor.get(), .events = POLLIN, .revents = 0});
  }
  if (!commands.held) {
    for (const RelayConnection& connection : connections_) {
      connection.watch(polled_, now);
      wake_at = std::min(wake_at, connection.wake_at(now));
    }
  }
  timespec left{};
  const bool bounded = std::isfinite(wake_at.value());
  if (bounded) {
    constexpr double kHour = 3600.0;  // a time of any size fits the call
    const double seconds = std::clamp((wake_at - clock_->now()).value(), 0.0, kHour);
    left.tv_sec = static_cast<time_t>(seconds);
    left.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * 1e9);
  }
  (void)::ppoll(polled_.data(), polled_.size(), bounded ? &left : nullptr, nullptr);
  if ((polled_.front().revents & POLLIN) != 0) {
    std::uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof(count));
  }
}

LinkRelay::LinkRelay(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
LinkRelay::~LinkRelay() = default;

Result<std::unique_ptr<LinkRelay>> LinkRelay::start(Options options, const Clock& clock) {
  auto listener = listen_on_loopback();
  if (!listener) {
    return fail(listener.error());
  }
  Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) {
    return fail(ErrorCode::kIo, "cannot make the relay's event descriptor");
  }
  auto loop =
      std::make_unique<Loop>(std::move(options), std::move(*listener), std::move(wake), clock);
  if (auto ok = loop->start(); !ok) {
    return fail(ok.error());
  }
  return std::unique_ptr<LinkRelay>(new LinkRelay(std::move(loop)));
}

std::string LinkRelay::endpoint() const { return fmt::format("127.0.0.1:{}", loop_->port()); }
WireBytes LinkRelay::wire() const { return loop_->wire(); }
std::string LinkRelay::failure() const { return loop_->failure(); }
void LinkRelay::hold(bool held) { loop_->hold(held); }
void LinkRelay::sever(bool severed) { loop_->sever(severed); }

}  // namespace gelato::device
