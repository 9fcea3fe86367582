#include "gelato/edge/metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace gelato::edge {
namespace {

class Page {
 public:
  void counter(std::string_view name, std::string_view help, double value) {
    head(name, help, "counter");
    line(name, "", value);
  }
  void gauge(std::string_view name, std::string_view help, std::int64_t value) {
    head(name, help, "gauge");
    line(name, "", static_cast<double>(value));
  }
  template <std::size_t kBounds>
  void histogram(std::string_view name, std::string_view help, const Histogram<kBounds>& values) {
    head(name, help, "histogram");
    const std::string bucket = fmt::format("{}_bucket", name);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < kBounds; ++i) {
      count += values.count(i);
      line(bucket, fmt::format("le=\"{}\"", values.bounds()[i]), static_cast<double>(count));
    }
    count += values.count(kBounds);
    line(bucket, "le=\"+Inf\"", static_cast<double>(count));
    line(fmt::format("{}_sum", name), "", values.sum());
    line(fmt::format("{}_count", name), "", static_cast<double>(count));
  }
  void head(std::string_view name, std::string_view help, std::string_view type) {
    fmt::format_to(out(), "# HELP gelato_edge_{} {}\n# TYPE gelato_edge_{} {}\n", name, help, name,
                   type);
  }
  void line(std::string_view name, std::string_view labels, double value) {
    fmt::format_to(out(), "gelato_edge_{}{}{}{} {}\n", name, labels.empty() ? "" : "{", labels,
                   labels.empty() ? "" : "}", value);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::back_insert_iterator<std::string> out() { return std::back_inserter(text_); }
  std::string text_;
};

double value(const Metrics::Counter& counter) { return static_cast<double>(counter.load()); }

void sessions(const Metrics& m, Page& page) {
  page.gauge("streams", "Open streams.", m.streams);
  page.gauge("sessions", "Sessions, with and without a stream.", m.sessions);
  page.gauge("sessions_waiting", "Sessions with a request that is not decided.", m.waiting);
  page.gauge("draining", "1 while the edge shuts down.", m.draining);
  page.counter("sessions_opened_total", "Sessions opened.", value(m.opened));
  page.counter("sessions_resumed_total", "Sessions resumed by another stream.", value(m.resumed));
  page.counter("sessions_closed_total", "Sessions that the device closed.", value(m.closed));
  page.counter("leases_expired_total", "Sessions freed because their device did not come back.",
               value(m.leases_expired));
  page.head("errors_total", "Calls that failed, by the kind of error.", "counter");
  for (std::size_t i = 0; i < m.errors.size(); ++i) {
    page.line("errors_total",
              fmt::format("kind=\"{}\"", to_string(static_cast<proto::ErrorKind>(i))),
              value(m.errors[i]));
  }
}

void work(const Metrics& m, Page& page) {
  page.counter("drafts_total", "Drafts decided.", value(m.drafts));
  page.counter("bursts_total", "Bursts ended.", value(m.bursts));
  page.counter("stale_total", "Requests answered as stale.", value(m.stale));
  page.counter("drafted_tokens_total", "Tokens of decided drafts.", value(m.drafted));
  page.counter("accepted_tokens_total", "Of these, accepted.", value(m.accepted));
  page.counter("committed_tokens_total", "Tokens committed.", value(m.committed));
  page.counter("prompt_tokens_total", "Tokens read in prefill.", value(m.prompt_tokens));
  page.counter("reused_tokens_total", "Tokens found in the cache instead.", value(m.reused_tokens));
  page.counter("passes_total", "Verification passes of the target.", value(m.passes));
  page.counter("pass_seconds_total", "Time in them.", m.pass_seconds);
  page.counter("prefill_passes_total", "Prefill passes of the target.", value(m.prefill_passes));
  page.counter("prefill_seconds_total", "Time in them.", m.prefill_seconds);
  page.gauge("cache_cells", "Tokens that the cache holds.", m.cells);
  page.gauge("cache_cells_used", "Of these, in use.", m.cells_used);
  page.counter("evictions_total", "Texts forgotten to make room.", value(m.evictions));
  page.histogram("queue_seconds", "From a request's arrival to its pass.", m.queue_seconds);
  page.histogram("verify_seconds", "Time of a verification pass.", m.verify_seconds);
  page.histogram("pass_sessions", "Sessions that shared a pass.", m.pass_sessions);
  page.histogram("accepted_per_draft", "Accepted tokens of a draft.", m.accepted_per_draft);
}

}  // namespace

std::string render(const Metrics& metrics) {
  Page page;
  sessions(metrics, page);
  work(metrics, page);
  return page.take();
}

}  // namespace gelato::edge
