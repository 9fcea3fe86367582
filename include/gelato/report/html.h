// A result as one HTML page that needs nothing else: no network, no other file, no server.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace gelato::report {

// The page of a result (docs/json.md: manifest, and rows, a summary or both): plots that can be
// steered (uPlot), the table, the summary, the manifest, and the result itself to save again. Words
// of a result are never markup: everything is escaped, and a content security policy allows this
// page's own script and style alone. The same result gives the same bytes. Without scripts the
// page still has everything but the plots.
//
// Tables longer than kMaxHtmlRows are cut, and say so; plots and the saved CSV have all rows of
// flatten().
std::string render_html(const nlohmann::json& result);

inline constexpr std::size_t kMaxHtmlRows = 5000;

// `text` such that HTML shows it as it is, in content and in quoted attributes.
std::string escape_html(std::string_view text);

// `value` as JSON that may stand inside of a script element: ASCII, and no character that could end
// the element or begin a comment.
std::string script_json(const nlohmann::json& value);

}  // namespace gelato::report
