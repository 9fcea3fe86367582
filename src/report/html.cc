#include "gelato/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gelato/report/digest.h"
#include "gelato/report/result_table.h"
#include "web.h"

namespace gelato::report {
namespace {

using nlohmann::json;

// Only what carries this page's own number is run: even markup that slipped through would be dead.
std::string nonce_of(const std::string& data) {
  constexpr std::size_t kDigits = 32;
  const auto digest = sha256(data);
  return digest ? digest->substr(0, kDigits) : "gelato-report";
}

std::string head(const std::string& title, const std::string& nonce) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "script-src 'nonce-{0}'; style-src 'nonce-{0}'; base-uri 'none'; form-action 'none'\">\n"
      "<title>{1}</title>\n<style nonce=\"{0}\">\n{2}\n{3}</style>\n</head>\n",
      nonce, escape_html(title), embedded::kUplotStyle, embedded::kReportStyle);
}

std::string cell_html(const json& cell) {
  return fmt::format("<td class=\"{}\">{}</td>", cell.is_number() ? "number" : "text",
                     escape_html(cell_text(cell)));
}

// Names and values, one line each; objects in objects are names with dots.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the JSON, which its parser has bounded
std::string lines_of(const json& object, const std::string& prefix) {
  std::string out;
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix + key;
    out += value.is_object()
               ? lines_of(value, name + ".")
               : fmt::format("<tr><th scope=\"row\">{}</th>{}</tr>\n", escape_html(name),
                             cell_html(value.is_array() ? json(value.dump(-1, ' ', true)) : value));
  }
  return out;
}

std::string section(std::string_view title, const std::string& content) {
  return content.empty() ? std::string()
                         : fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", title, content);
}

std::string pairs(const json& object) {
  const std::string lines = lines_of(object, "");
  return lines.empty() ? lines
                       : fmt::format("<div class=\"scroll\"><table>\n{}</table></div>\n", lines);
}

std::string rows_html(const ResultTable& table) {
  if (table.rows.empty()) {
    return "<p class=\"note\">The result has no rows.</p>\n";
  }
  std::string out =
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"rows\">"
      "<table class=\"rows\">\n<thead><tr>";
  for (const std::string& column : table.columns) {
    out += fmt::format("<th scope=\"col\">{}</th>", escape_html(column));
  }
  out += "</tr></thead>\n<tbody>\n";
  const std::size_t shown = std::min(table.rows.size(), kMaxHtmlRows);
  for (std::size_t i = 0; i < shown; ++i) {
    out += "<tr>";
    for (const json& cell : table.rows[i]) {
      out += cell_html(cell);
    }
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  if (shown < table.rows.size() || table.cut) {
    out += fmt::format("<p class=\"note\">The first {} of {} rows{}; the CSV has {}.</p>\n", shown,
                       table.rows.size(), table.cut ? " that a report holds" : "",
                       table.cut ? "no more than a report holds" : "all");
  }
  return out;
}

json manifest_of(const json& result) {
  json out = json::object();
  for (const char* key : {"version", "commit", "seed", "seeds", "machine", "models", "accounting",
                          "synthetic_trace", "trace"}) {
    if (result.is_object() && result.contains(key)) {
      out[key] = result[key];
    }
  }
  return out;
}

json view_json(const ResultTable& table) {
  const auto index = [](const std::optional<std::size_t>& column) {
    return column ? json(*column) : json(-1);
  };
  json swept = json::array();
  for (const std::size_t column : table.view.swept) {
    swept.push_back(table.columns[column]);
  }
  return {{"series", index(table.view.series)},
          {"x", index(table.view.x)},
          {"y", index(table.view.y)},
          {"cost", index(table.view.cost)},
          {"swept", swept}};
}

std::string energy_note(const json& result, const ResultTable& table) {
  std::string names;
  bool modelled = false;
  for (const std::string& source : energy_sources(result, table)) {
    names += (names.empty() ? "" : ", ") + source;
    modelled = modelled || source.starts_with("model:");
  }
  return names.empty()
             ? names
             : fmt::format("<p class=\"note\">Energy: {}{}</p>\n", escape_html(names),
                           modelled ? " (computed from a device model, not measured)" : "");
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\0':
        out += "\xEF\xBF\xBD";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string script_json(const json& value) {
  const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    // Outside of strings JSON has none of them, so an escape is right wherever they stand.
    if (c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string render_html(const json& result) {
  const ResultTable table = flatten(result);
  const std::string data = script_json({{"title", table.title},
                                        {"columns", table.columns},
                                        {"rows", table.rows},
                                        {"view", view_json(table)}});
  const std::string whole = script_json(result);
  const std::string nonce = nonce_of(whole);
  const json summary =
      result.is_object() && result.contains("summary") ? result["summary"] : json::object();
  std::string page = head(table.title + " - Gelato", nonce);
  page += fmt::format("<body>\n<header><h1>{}</h1></header>\n", escape_html(table.title));
  if (!table.description.empty()) {
    page += fmt::format("<p>{}</p>\n", escape_html(table.description));
  }
  page += energy_note(result, table);
  page +=
      "<noscript><p class=\"note\">Plots need scripts; the tables do not.</p></noscript>\n<main>\n";
  page += section("Plots", "<div id=\"plots\"></div>\n");
  page += section("Summary", summary.is_object() ? pairs(summary) : std::string());
  page += section("Rows", rows_html(table) + "<p id=\"downloads\"></p>\n");
  page += section("Manifest", pairs(manifest_of(result)));
  page += fmt::format(
      "</main>\n<script type=\"application/json\" id=\"data\">{}</script>\n"
      "<script type=\"application/json\" id=\"result\">{}</script>\n"
      "<script nonce=\"{}\">{}</script>\n<script nonce=\"{}\">{}</script>\n</body>\n</html>\n",
      data, whole, nonce, embedded::kUplotScript, nonce, embedded::kReportScript);
  return page;
}

}  // namespace gelato::report
