#include "gelato/commands.h"
namespace gelato::cli {
int doctor_command(const std::vector<std::string>&) { return 1; }
}  // namespace gelato::cli
