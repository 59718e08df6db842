#ifndef OCITK_STAGES_SECCOMP_HPP
#define OCITK_STAGES_SECCOMP_HPP

#include <ocitk/context.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/owned.hpp>
#include <ocitk/privileges/seccomp_program.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/probe.hpp>
#include <ocitk/sys/seccomp.hpp>
#include <ocitk/text.hpp>

#include <linux/audit.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ocitk::stages {

namespace seccomp {

using filter = sys::seccomp_filter;

using privileges::seccomp::blueprint, privileges::seccomp::rule;

namespace detail {

inline auto libseccomp(int ret, std::string_view call) -> result<> {
  if (ret < 0) return std::unexpected(error{.code = -ret, .call = std::string{call}});
  return {};
}

template <class Value, std::size_t N>
auto look_up(const std::array<std::pair<std::string_view, Value>, N>& table, std::string_view word) -> std::optional<Value> {
  for (const auto& [known, value] : table)
    if (known == word) return value;
  return std::nullopt;
}

inline constexpr std::array<std::pair<std::string_view, std::uint32_t>, 9> actions{{
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0U)},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0U)},
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG},
    {"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
}};

inline constexpr std::array<std::pair<std::string_view, std::uint32_t>, 7> operators{{
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
}};

}  // namespace detail

inline constexpr std::array<std::pair<std::string_view, unsigned long>, 4> flag_words{{
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
}};

/// All that the specification lists; architecture_of() tells which of them libseccomp knows.
inline constexpr std::array<std::string_view, 19> architecture_words{
    "SCMP_ARCH_X86",      "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",         "SCMP_ARCH_ARM",       "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",   "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL",    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",   "SCMP_ARCH_PPC64",       "SCMP_ARCH_PPC64LE",   "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",    "SCMP_ARCH_PARISC",   "SCMP_ARCH_PARISC64",    "SCMP_ARCH_RISCV64"};

/// An action of the spec with the errno it returns. Only ERRNO and TRACE take one; EPERM if none is given.
inline auto action_of(std::string_view word, std::optional<std::uint32_t> errno_ret) -> result<std::uint32_t> {
  constexpr std::uint32_t max_errno = 4095;  // MAX_ERRNO of the kernel
  const auto action = detail::look_up(detail::actions, word);
  if (!action) return failure(filled("seccomp action \"{}\" is not known to ocitk", word));
  if (*action != SCMP_ACT_ERRNO(0U) && *action != SCMP_ACT_TRACE(0U)) {
    if (errno_ret) return failure(filled("seccomp action {} takes no errno", word));
    return *action;
  }
  const auto value = errno_ret.value_or(EPERM);
  if (value > max_errno) return failure(filled("seccomp errno {} is above {}", value, max_errno));
  return *action | value;
}

/// SCMP_ARCH_X86_64 and so on; libseccomp knows them in lower case and without the prefix.
inline auto architecture_of(std::string_view word) -> result<std::uint32_t> {
  constexpr std::string_view prefix = "SCMP_ARCH_";
  std::string plain{word.starts_with(prefix) ? word.substr(prefix.size()) : ""};
  for (char& c : plain)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto token = plain.empty() ? 0 : ::seccomp_arch_resolve_name(plain.c_str());
  if (token == 0) return failure(filled("seccomp architecture \"{}\" is not known to ocitk", word));
  return token;
}

/// For MASKED_EQ `value` is the mask and `valueTwo` what must be left; libseccomp has the same order.
inline auto condition_of(const spec::syscall_arg& arg) -> result<scmp_arg_cmp> {
  const auto op = detail::look_up(detail::operators, arg.op);
  if (!op) return failure(filled("seccomp operator \"{}\" is not known to ocitk", arg.op));
  if (arg.index > 5) return failure(filled("seccomp argument index {} is above 5", arg.index));
  return scmp_arg_cmp{.arg = arg.index,
                      .op = static_cast<scmp_compare>(*op),
                      .datum_a = arg.value,
                      .datum_b = arg.value_two};
}

/// Conditions on different arguments hold together. One rule cannot test an argument twice, so if any is
/// named twice, every condition becomes an alternative of its own, as with runc.
inline auto alternatives(const std::vector<spec::syscall_arg>& args, std::string_view pointer = "/args")
    -> result<std::vector<std::vector<scmp_arg_cmp>>> {
  std::vector<scmp_arg_cmp> all;
  std::array<int, 6> uses{};
  for (std::size_t i = 0; i < args.size(); ++i) {
    all.push_back(OCITK_TRY(at(filled("{}/{}", pointer, i), condition_of(args[i]))));
    ++uses[args[i].index];
  }
  std::vector<std::vector<scmp_arg_cmp>> ways;
  if (std::any_of(uses.begin(), uses.end(), [](int n) { return n > 1; }))
    for (const auto& one : all) ways.push_back({one});
  else
    ways.push_back(std::move(all));
  return ways;
}

/// Flags for seccomp(2). TSYNC means nothing in a process of one thread; WAIT_KILLABLE_RECV means nothing
/// without a listener and the kernel refuses it then. Both are accepted and not set.
inline auto flags_of(const std::optional<spec::strings>& asked, bool listens, bool spec_allow_known) -> result<unsigned long> {
  if (!asked) return spec_allow_known ? SECCOMP_FILTER_FLAG_SPEC_ALLOW : 0UL;
  unsigned long flags = 0;
  for (std::size_t i = 0; i < asked->size(); ++i) {
    const auto& word = (*asked)[i];
    const auto flag = detail::look_up(flag_words, word);
    if (!flag) return failure(filled("seccomp flag \"{}\" is not known to ocitk", word), filled("/linux/seccomp/flags/{}", i));
    flags |= *flag;
  }
  flags &= ~static_cast<unsigned long>(SECCOMP_FILTER_FLAG_TSYNC);
  return listens ? flags : flags & ~static_cast<unsigned long>(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
}

namespace detail {

/// An action by two keys of the document; an error is at the one to blame.
inline auto action_from(std::string_view word, std::optional<std::uint32_t> errno_ret, std::string_view action_at,
                        std::string_view errno_at) -> result<std::uint32_t> {
  OCITK_TRY(at(action_at, action_of(word, std::nullopt)));
  return at(errno_at, action_of(word, errno_ret));
}

inline auto add_rules(blueprint& plan, const spec::syscall_rule& entry, std::size_t index) -> result<> {
  const auto here = filled("/linux/seccomp/syscalls/{}", index);
  const auto action = OCITK_TRY(action_from(entry.action, entry.errno_ret, here, here + "/errnoRet"));
  const auto ways = OCITK_TRY(alternatives(entry.args, here + "/args"));
  for (const auto& name : entry.names) {
    if (action == SCMP_ACT_NOTIFY && name == "write")  // init may have to name its listener by it
      return failure("SCMP_ACT_NOTIFY cannot be used for the write syscall");
    plan.names.push_back(name);
    if (action == plan.default_action) continue;  // libseccomp refuses rules that change nothing
    for (const auto& args : ways) plan.rules.push_back({name, action, args, index});
  }
  return {};
}

}  // namespace detail

namespace detail {

inline auto check_listener(const blueprint& plan, const spec::seccomp& asked) -> result<> {
  if (plan.default_action == SCMP_ACT_NOTIFY)
    return failure("SCMP_ACT_NOTIFY cannot be used as default action", "/linux/seccomp/defaultAction");
  if (plan.listens() && asked.listener_path.empty())
    return failure("seccomp listenerPath is not set: SCMP_ACT_NOTIFY needs an agent", "/linux/seccomp/listenerPath");
  if (!asked.listener_metadata.empty() && asked.listener_path.empty())
    return failure("listenerMetadata without listenerPath", "/linux/seccomp/listenerMetadata");
  return {};
}

}  // namespace detail

/// Reads    /linux/seccomp without flags
inline auto plan(const spec::seccomp& asked) -> result<blueprint> {
  blueprint plan;
  plan.default_action =
      OCITK_TRY(detail::action_from(asked.default_action, asked.default_errno_ret, "/linux/seccomp/defaultAction", "/linux/seccomp/defaultErrnoRet"));
  plan.architectures.push_back(::seccomp_arch_native());
  for (std::size_t i = 0; i < asked.architectures.size(); ++i) {
    const auto token = OCITK_TRY(
        at(filled("/linux/seccomp/architectures/{}", i), architecture_of(asked.architectures[i])));
    if (std::find(plan.architectures.begin(), plan.architectures.end(), token) == plan.architectures.end())
      plan.architectures.push_back(token);
  }
  for (std::size_t i = 0; i < asked.syscalls.size(); ++i)
    OCITK_TRY(at(filled("/linux/seccomp/syscalls/{}", i), detail::add_rules(plan, asked.syscalls[i], i)));
  OCITK_TRY(detail::check_listener(plan, asked));
  return plan;
}

/// The call that a listener is sent by, wherever its entry to the kernel is.
inline auto is_sendmsg(std::string_view name) -> bool { return name == "sendmsg" || name == "socketcall"; }

/// Does the default action let a system call happen? Then an unknown one may as well.
inline auto lets_pass(std::uint32_t action) -> bool {
  return action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG || (action & 0xffff0000U) == SCMP_ACT_TRACE(0U);
}

/// The newest system call of one kernel entry, by number.
struct horizon {
  std::uint32_t architecture = 0;          ///< AUDIT_ARCH_*, what the filter sees
  std::optional<std::uint32_t> newest{};   ///< named in the profile
  std::optional<std::uint32_t> newest_x32{};
};

/// How far the profile's author could see. libseccomp's architecture tokens are the kernel's, but for x32,
/// which the kernel calls x86_64 with bit 30 in the number.
inline auto horizons(const blueprint& plan) -> std::vector<horizon> {
  std::map<std::uint32_t, horizon> found;
  for (const auto token : plan.architectures) {
    const std::uint32_t architecture = token == SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : token;
    auto& h = found[architecture];
    h.architecture = architecture;
    auto& newest = token == SCMP_ARCH_X32 ? h.newest_x32 : h.newest;
    for (const auto& name : plan.names) {
      const int number = ::seccomp_syscall_resolve_name_arch(token, name.c_str());
      if (number >= 0) newest = std::max(newest.value_or(0), static_cast<std::uint32_t>(number));
    }
  }
  std::vector<horizon> list;
  for (const auto& [architecture, h] : found)
    if (h.newest || h.newest_x32) list.push_back(h);
  return list;
}

/// Instructions to stand before a filter: system calls beyond the horizon return ENOSYS, so that a C library
/// newer than the profile falls back to older ones instead of taking the profile's errno for an answer.
inline auto enosys_prologue(const std::vector<horizon>& list) -> std::vector<sock_filter> {
  constexpr std::uint32_t x32_bit = 0x40000000;
  constexpr std::size_t block = 7;
  std::vector<sock_filter> code{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch))};
  for (std::size_t i = 0; i < list.size(); ++i) {
    const bool x86_64 = list[i].architecture == AUDIT_ARCH_X86_64;
    const auto end = static_cast<std::uint32_t>(block * (list.size() - 1 - i));
    // Without a horizon of its own a side is compared with a number it cannot exceed: the filter decides.
    const std::uint32_t plain = list[i].newest.value_or(0xffffffffU);
    const std::uint32_t x32 = list[i].newest_x32.value_or(0xffffffffU);
    const std::array<sock_filter, block> body{{
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, list[i].architecture, 0, block - 1),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, x86_64 ? x32_bit : 0xffffffffU, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, plain, 1, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, x32, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_JMP | BPF_JA, end),
    }};
    code.insert(code.end(), body.begin(), body.end());
  }
  if (list.empty()) code.clear();
  return code;
}

namespace detail {

using handle = owned<scmp_filter_ctx, ::seccomp_release>;

inline auto add_architectures(scmp_filter_ctx ctx, const blueprint& plan) -> result<> {
  for (const auto token : plan.architectures)
    if (const int ret = ::seccomp_arch_add(ctx, token); ret != -EEXIST)  // the native one is there from the start
      OCITK_TRY(at("/linux/seccomp/architectures", libseccomp(ret, "seccomp_arch_add")));
  return {};
}

inline auto add_rule(scmp_filter_ctx ctx, const rule& r) -> result<> {
  const int number = ::seccomp_syscall_resolve_name(r.syscall.c_str());
  if (number == __NR_SCMP_ERROR) return {};  // newer than libseccomp, or of no kernel: cannot be filtered by name
  const int ret = ::seccomp_rule_add_array(ctx, r.action, number, static_cast<unsigned>(r.args.size()), r.args.data());
  return at(filled("/linux/seccomp/syscalls/{}", r.index),
            trying(r.syscall, libseccomp(ret, "seccomp_rule_add")));
}

/// The instructions libseccomp makes, by way of an anonymous file: 2.5 exports to a descriptor only.
inline auto exported(scmp_filter_ctx ctx) -> result<std::vector<sock_filter>> {
  const unique_fd file{::memfd_create("ocitk-seccomp", MFD_CLOEXEC)};
  if (!file) return failed("memfd_create");
  OCITK_TRY(libseccomp(::seccomp_export_bpf(ctx, file.get()), "seccomp_export_bpf"));
  struct stat info {};
  OCITK_TRY(checked(::fstat(file.get(), &info), "fstat"));
  const auto size = static_cast<std::size_t>(info.st_size);
  std::vector<sock_filter> code(size / sizeof(sock_filter));
  const ssize_t got = ::pread(file.get(), code.data(), size, 0);
  if (got < 0) return failed("pread");
  if (static_cast<std::size_t>(got) != code.size() * sizeof(sock_filter)) return failure("seccomp filter is cut short");
  return code;
}

/// Takes 11 to 18 ms for the profiles of engines: most of it goes into the export.
inline auto by_libseccomp(const blueprint& plan) -> result<std::vector<sock_filter>> {
  constexpr std::size_t many_names = 32;  // above it a tree of comparisons beats a list of them
  const handle ctx{::seccomp_init(plan.default_action)};
  if (!ctx) return failure("libseccomp refuses the default action", "/linux/seccomp/defaultAction");
  // Older kernels cannot kill a process, only its thread, which is what libseccomp sets by itself.
  (void)::seccomp_attr_set(ctx.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (plan.names.size() > many_names)
    OCITK_TRY(libseccomp(::seccomp_attr_set(ctx.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "seccomp_attr_set"));
  OCITK_TRY(add_architectures(ctx.get(), plan));
  for (const auto& r : plan.rules) OCITK_TRY(add_rule(ctx.get(), r));
  return exported(ctx.get());
}

inline auto assembled(const blueprint& plan) -> result<std::vector<sock_filter>> {
  if (auto own = privileges::seccomp::program_of(plan)) return std::move(*own);
  return by_libseccomp(plan);
}

}  // namespace detail

/// The filter for a spec. Needs no privileges and may run in another process than `load`: the parent compiles
/// before it clones. An empty default action without rules means no filter.
///
/// Reads    /linux/seccomp
/// Fails    words that are not known; SCMP_ACT_NOTIFY without an agent, for write(2) or as the default; a filter above
///          4096 instructions
inline auto compile(const spec::seccomp& asked) -> result<filter> {
  if (asked.default_action.empty() && asked.syscalls.empty()) return filter{};
  const auto wanted = OCITK_TRY(plan(asked));
  const bool listens = wanted.listens();
  const auto flags = OCITK_TRY(flags_of(asked.flags, listens, sys::knows_seccomp_flag(SECCOMP_FILTER_FLAG_SPEC_ALLOW)));
  auto code = lets_pass(wanted.default_action) ? std::vector<sock_filter>{} : enosys_prologue(horizons(wanted));
  const auto rest = OCITK_TRY(at("/linux/seccomp", detail::assembled(wanted)));
  code.insert(code.end(), rest.begin(), rest.end());
  if (code.size() > BPF_MAXINSNS)
    return failure(filled("seccomp filter has {} instructions, the kernel takes {}", code.size(), BPF_MAXINSNS),
                   "/linux/seccomp");
  const bool sendmsg_waits = std::any_of(wanted.rules.begin(), wanted.rules.end(), [](const auto& r) { return r.notifies() && is_sendmsg(r.syscall); });
  return filter{.program = std::move(code), .flags = flags, .listens = listens, .sendmsg_waits = sendmsg_waits};
}

/// Does this kernel know what a spec asks for? Asked before anything exists.
///
/// Calls    seccomp(2), with nothing to load
/// Fails    `seccomp notify unsupported`; a flag that came with a later kernel
inline auto require_of_kernel(const spec::seccomp& asked) -> result<> {
  for (std::size_t i = 0; i < asked.syscalls.size(); ++i)
    if (asked.syscalls[i].action == "SCMP_ACT_NOTIFY" && !sys::knows_seccomp_action(SECCOMP_RET_USER_NOTIF))
      return failure("seccomp notify unsupported: it needs Linux 5.0 or later", filled("/linux/seccomp/syscalls/{}/action", i));
  for (std::size_t i = 0; asked.flags && i < asked.flags->size(); ++i) {
    const auto flag = detail::look_up(flag_words, (*asked.flags)[i]);
    if (flag && !sys::knows_seccomp_flag(*flag))
      return failure(filled("seccomp flag \"{}\" is not known to this kernel", (*asked.flags)[i]), filled("/linux/seccomp/flags/{}", i));
  }
  return {};
}

/// Puts the calling thread and all it becomes under the filter, for good.
///
/// Returns  the listener, if the filter has SCMP_ACT_NOTIFY. Without anybody who reads it such calls wait; when it is
///          closed everywhere they fail with ENOSYS.
inline auto load(const filter& f) -> result<unique_fd> {
  if (f.program.empty()) return unique_fd{};
  return at("/linux/seccomp", [&] { return sys::set_seccomp_filter(f); });
}

}  // namespace seccomp

/// Filters the payload's system calls. With noNewPrivileges as late as can be; without it before `user`,
/// since loading then needs CAP_SYS_ADMIN: two pipelines, one stage. A listener is left in the context: who runs the
/// stage hands it over before anything else, for what comes may have to wait for the agent's answers.
///
/// Reads    /linux/seccomp
/// Process  init
/// Calls    seccomp(2) SECCOMP_SET_MODE_FILTER
/// Fails    EACCES with neither no_new_privs nor CAP_SYS_ADMIN; EINVAL: the kernel lacks a flag
struct load_filter : stage_in<init_context> {
  static constexpr std::string_view name = "seccomp";
  static constexpr std::string_view reads = "/linux/seccomp";
  static constexpr std::string_view summary = "filters system calls";
  static constexpr std::array<std::string_view, 2> after{"pivot", "no-new-privs"};
  auto operator()(init_context& ctx) const -> result<> {
    if (!ctx.spec.linux.seccomp) return {};
    if (!ctx.filter) ctx.filter = OCITK_TRY(seccomp::compile(*ctx.spec.linux.seccomp));
    ctx.listener = OCITK_TRY(seccomp::load(*ctx.filter));
    return {};
  }
};

}  // namespace ocitk::stages

#endif
