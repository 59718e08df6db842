#include "tools.hpp"

#include <ocitk/stages/ioprio.hpp>

// ocitk-ioprio: the priority of disk accesses, for the whole process group.
namespace ocitk::tools::stages {

namespace {

class ioprio_tool : public cli::stage_tool<ocitk::stages::set_io_priority> {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("class", &class_, "RT, BE or IDLE");
    o.add("level", &level_, "0 to 7; 0 comes first");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (class_.empty()) return here.has_spec ? result<>{} : failure("--class is needed");
    constexpr std::int64_t beyond_any = 100;
    if (level_ && (*level_ < 0 || *level_ > beyond_any)) return failure("--level is 0 to 7");
    cli::process_of(here).io_priority = spec::io_priority{
        .class_ = class_.starts_with("IOPRIO_CLASS_") ? class_ : "IOPRIO_CLASS_" + class_, .priority = static_cast<std::int32_t>(level_.value_or(0))};
    return {};
  }

 private:
  std::string class_;
  std::optional<std::int64_t> level_;
};

}  // namespace

auto make_ioprio() -> made_tool { return std::make_unique<ioprio_tool>(); }

}  // namespace ocitk::tools::stages
