#ifndef OCITK_WATCH_PLAN_TEXT_HPP
#define OCITK_WATCH_PLAN_TEXT_HPP

#include <ocitk/spec/write.hpp>
#include <ocitk/sys/kernel/call.hpp>
#include <ocitk/watch/recording.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

/// A rehearsal as a plan: every operation in the order it would be done, who does it and what asked for it.
namespace ocitk::watch {

namespace detail {

inline auto is_message(const recorded& r, std::string_view first) -> bool {
  return r.call == "sendmsg" && r.args.size() > 1 && r.args[1] == first;
}

/// The place behind the first entry that `here` accepts; the end if there is none.
template <class Here>
auto cut_behind(const std::vector<recorded>& list, Here here) -> std::size_t {
  const auto found = std::ranges::find_if(list, here);
  return found == list.end() ? list.size() : static_cast<std::size_t>(found - list.begin()) + 1;
}

inline auto of_process(const std::vector<recorded>& all, std::string_view process) -> std::vector<recorded> {
  std::vector<recorded> part;
  std::ranges::copy_if(all, std::back_inserter(part), [&](const recorded& r) { return r.process == process; });
  return part;
}

}  // namespace detail

/// The entries in the one order that the handshake allows, wherever the scheduler put them: the parent up to where it
/// only waits for init, bridge, init up to `ready`, parent up to `go`, init, parent. Where the parent has hooks to run in
/// the middle, init is split at `prepared` and the parent at `hooked`.
inline auto in_order(const std::vector<recorded>& all) -> std::vector<recorded> {
  const auto parent = detail::of_process(all, "parent");
  const auto bridge = detail::of_process(all, "bridge");
  const auto init = detail::of_process(all, "init");
  const auto born = detail::cut_behind(parent, [](const recorded& r) { return r.call == "clone3"; });
  const auto ready = detail::cut_behind(init, [](const recorded& r) { return detail::is_message(r, "\"ready\""); });
  const auto said = [&](const std::vector<recorded>& who, std::string_view message, std::size_t otherwise) {
    const auto behind = detail::cut_behind(who, [&](const recorded& r) { return detail::is_message(r, message); });
    return behind == who.size() && (who.empty() || !detail::is_message(who.back(), message)) ? otherwise : behind;
  };
  const auto last_wait = [&](std::size_t before) {
    auto waiting = before;
    for (std::size_t i = born; i < before; ++i)
      if (parent[i].call == "recvmsg") waiting = i + 1;
    return waiting;
  };
  const auto go = said(parent, "\"go\"", parent.size());
  const auto waiting = last_wait(go);
  const auto hooked = said(parent, "\"hooked\"", born);
  const auto prepared = said(init, "\"prepared\"", 0);
  const auto meeting = hooked == born ? born : last_wait(hooked);
  std::vector<recorded> row;
  const auto add = [&](const std::vector<recorded>& part, std::size_t from, std::size_t to) {
    for (auto i = from; i < std::min(to, part.size()); ++i) row.push_back(part[i]);
  };
  add(parent, 0, born);
  add(bridge, 0, bridge.size());
  add(parent, born, meeting);
  add(init, 0, prepared);
  add(parent, meeting, waiting);
  add(init, prepared, ready);
  add(parent, waiting, go);
  add(init, ready, init.size());
  add(parent, go, parent.size());
  for (const auto& r : all)  // a stage tool is none of the three
    if (r.process != "parent" && r.process != "bridge" && r.process != "init") row.push_back(r);
  return row;
}

/// Only what changes something.
inline auto plan_of(const std::vector<recorded>& all) -> std::vector<recorded> {
  auto plan = in_order(all);
  std::erase_if(plan, [](const recorded& r) { return r.is_stage || r.does == effect::asks || r.code != 0; });
  return plan;
}

inline auto call_text(const recorded& r) -> std::string {
  std::string text = r.call + "(";
  for (std::size_t i = 0; i < r.args.size(); ++i) text += (i == 0 ? "" : ", ") + r.args[i];
  return text + ")";
}

/// One line each: process, stage, call, and where config.json asks for it.
inline auto plan_text(const std::vector<recorded>& plan) -> std::string {
  std::string text;
  for (const auto& r : plan)
    text += fmt::format("{:<7} {:<12}  {}{}{}\n", r.process, r.stage.empty() ? "-" : r.stage, call_text(r),
                        r.pointer.empty() ? "" : "  <- ", sys::kernel::escaped(r.pointer));
  return text;
}

/// An array of objects, one line each.
inline auto plan_json(const std::vector<recorded>& plan) -> std::string {
  std::string text;
  for (const auto& r : plan) {
    std::string args;
    for (const auto& a : r.args) args += (args.empty() ? "" : ",") + spec::quoted(a);
    text += fmt::format("{}{{\"process\":{},\"stage\":{},\"call\":{},\"args\":[{}],\"pointer\":{}}}", text.empty() ? "[\n" : ",\n",
                        spec::quoted(r.process), spec::quoted(r.stage), spec::quoted(r.call), args, spec::quoted(r.pointer));
  }
  return text.empty() ? "[]\n" : text + "\n]\n";
}

}  // namespace ocitk::watch

#endif
