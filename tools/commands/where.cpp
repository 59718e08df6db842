#include "commands.hpp"

#include <ocitk/runtime/container.hpp>
#include <ocitk/runtime/progress.hpp>
#include <ocitk/runtime/status.hpp>
#include <ocitk/runtime/store.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/sys/waiting.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// where: what a container that gets no further waits for. The one who hangs may hold the lock: we never take it.
namespace ocitk::tools {

namespace {

using runtime::status;

/// A process of a setup, and what it waits for.
struct place {
  std::string process{};  ///< "parent", "bridge", "init"
  runtime::whereabouts at{};
  std::optional<sys::waiting> now{};  ///< nothing: it is gone
};

struct answer {
  std::string id{};
  status is = status::stopped;
  bool half_made = false;  ///< nobody will ever finish it
  std::vector<place> places{};
};

/// The process that was meant, if it is still there: the pid may be a stranger's by now.
auto look_at(const runtime::whereabouts& at) -> std::optional<sys::waiting> {
  auto now = sys::look_at(at.pid);
  if (!now || now->stat.start_time != at.start_time || now->stat.state == 'Z' || now->stat.state == 'X') return std::nullopt;
  return std::move(*now);
}

auto place_of(std::string_view process, runtime::whereabouts at) -> place {
  place p{.process = std::string{process}, .at = std::move(at), .now = {}};
  p.now = look_at(p.at);
  if (process == "init" && p.now && !p.now->is_copy()) p.at.stage = "payload";
  return p;
}

/// Who took part. A state without a published progress is of another version of ours: init is known at least.
auto places_of(const runtime::entry& entry, const std::optional<runtime::record>& known) -> std::vector<place> {
  std::vector<place> places;
  const auto published = runtime::read_progress(entry.dir());
  for (std::size_t i = 0; published && i < published->size(); ++i)
    if ((*published)[i].pid != 0) places.push_back(place_of(runtime::detail::progress_processes[i], (*published)[i]));
  const bool has_init = std::ranges::find(places, "init", &place::process) != places.end();
  if (!has_init && known)
    places.push_back(place_of("init", {.pid = known->pid, .start_time = known->start_time, .since = 0, .stage = "unknown"}));
  return places;
}

auto find_out(const runtime::entry& entry, const std::string& id) -> result<answer> {
  answer a{.id = id};
  std::optional<runtime::record> known;
  if (entry.has_state()) known = OCITK_TRY(entry.read());
  a.places = places_of(entry, known);
  if (known) {
    a.is = OCITK_TRY(runtime::observe(entry, *known)).is;
    return a;
  }
  // Before the first process is published nobody can be missed.
  const bool at_work = a.places.empty() || std::ranges::any_of(a.places, [](const place& p) { return p.now.has_value(); });
  a.is = at_work ? status::creating : status::stopped;
  a.half_made = !at_work;
  return a;
}

auto nanoseconds_since(const place& p) -> std::int64_t {
  return p.at.since == 0 ? 0 : std::max<std::int64_t>(0, runtime::detail::wall_clock() - p.at.since);
}

/// What the other end of it is, for files that are ours.
auto meaning(const place& p) -> std::string {
  const auto& w = *p.now;
  if (!w.is_copy() && p.process == "init") return w.target;
  if (w.call == "recvmsg" && w.target.starts_with("socket:"))
    return w.target + (p.process != "parent" ? ", the parent" : p.at.stage.contains("bridge") ? ", the bridge" : ", init");
  if (w.target.ends_with(std::string{"/"} + runtime::gate_name)) return w.target + ", the gate that start opens";
  return w.mount.empty() ? w.target : w.target + " on " + w.mount;
}

auto joined(const std::vector<std::string>& words, std::string_view separator) -> std::string {
  std::string text;
  for (const auto& w : words) text.append(text.empty() ? "" : separator).append(w);
  return text;
}

/// `in openat2("/srv/data") on nfs4 server:/export at /srv, state D (disk sleep) in rpc_wait_bit_killable`
auto sentence(const sys::waiting& w) -> std::string {
  std::string text;
  if (!w.call.empty()) text = fmt::format("in {}({})", w.call, joined(w.args, ", "));
  if (!w.mount.empty()) text += " on " + w.mount;
  const bool usual = w.stat.state == 'S' && !w.call.empty();
  if (usual) return text;
  text += fmt::format("{}state {} ({})", text.empty() ? "" : ", ", w.stat.state, sys::state_text(w.stat.state));
  if (!w.wchan.empty()) text += " in " + w.wchan;
  return text;
}

auto stage_text(const std::string& stage) -> std::string {
  const bool is_word = !stage.contains(' ') && stage != "payload";
  return is_word ? "stage " + stage : stage;
}

/// The dead are worth a line only where they are missed.
auto is_shown(const answer& a, const place& p) -> bool {
  const bool missed = p.process != "bridge" && (a.is == status::creating || a.half_made);
  return p.now || missed;
}

auto as_text(const answer& a) -> std::string {
  std::string text = fmt::format("{}: {}{}\n", a.id, runtime::to_string(a.is), a.half_made ? ", half made: delete it" : "");
  std::size_t width = 0;
  for (const auto& p : a.places)
    if (is_shown(a, p)) width = std::max(width, stage_text(p.at.stage).size());
  for (const auto& p : a.places) {
    if (!is_shown(a, p)) continue;
    constexpr double second = 1e9;
    const auto seconds = static_cast<double>(nanoseconds_since(p)) / second;
    text += fmt::format("  {:<6} {:<7} {:<{}} {:>8.1f} s  {}\n", p.process, p.at.pid, stage_text(p.at.stage), width, seconds,
                        p.now ? sentence(*p.now) : "gone");
  }
  return text;
}

auto as_json(const place& p) -> std::string {
  constexpr std::int64_t second = 1'000'000'000;
  const auto past = nanoseconds_since(p);
  std::string text = fmt::format("{{\"process\":{},\"pid\":{},\"alive\":{},\"stage\":{}", spec::quoted(p.process), p.at.pid,
                                 p.now.has_value(), spec::quoted(p.at.stage));
  if (p.at.since != 0) {
    const auto since = runtime::detail::time_text({.tv_sec = p.at.since / second, .tv_nsec = p.at.since % second});
    text += fmt::format(",\"since\":\"{}\",\"seconds\":{}.{:09}", since, past / second, past % second);
  }
  const auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) text += fmt::format(",\"{}\":{}", key, spec::quoted(value));
  };
  if (p.now) {
    add("state", std::string{p.now->stat.state});
    add("call", p.now->call);
    std::vector<std::string> args;
    for (const auto& arg : p.now->args) args.push_back(spec::quoted(arg));
    if (!args.empty()) text += ",\"args\":[" + joined(args, ",") + "]";
    add("wchan", p.now->wchan);
    add("waiting_for", meaning(p));
  }
  return text + "}";
}

auto as_json(const answer& a) -> std::string {
  std::vector<std::string> places;
  for (const auto& p : a.places) places.push_back(as_json(p));
  return fmt::format("{{\"id\":{},\"status\":\"{}\",\"processes\":[{}]}}\n", spec::quoted(a.id), runtime::to_string(a.is),
                     joined(places, ","));
}

}  // namespace

auto where(const surroundings& about, const cli::where_options& o) -> result<int> {
  OCITK_TRY(runtime::check_id(o.id));
  const auto store = runtime::store::open(about.global.root, false);
  if (!store && store.error().code == ENOENT) return failure("container does not exist");
  if (!store) return std::unexpected(store.error());
  const auto entry = OCITK_TRY(store->open(o.id));
  const auto found = find_out(entry, o.id);
  if (!found && found.error().code == ENOENT) return failure("container does not exist");  // deleted while we looked
  if (!found) return std::unexpected(found.error());
  OCITK_TRY(sys::write_all(fd_ref::of(1), o.json ? as_json(*found) : as_text(*found)));
  return 0;
}

}  // namespace ocitk::tools
