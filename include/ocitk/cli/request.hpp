#ifndef OCITK_CLI_REQUEST_HPP
#define OCITK_CLI_REQUEST_HPP

#include <ocitk/spec/config.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What a command line asks for: plain structs. options.hpp makes them from words.
namespace ocitk::cli {

struct global_options {
  std::string root{};       ///< absolute
  bool root_given = false;
  std::string log{};        ///< absolute; empty: standard error
  bool log_json = false, debug = false, systemd_cgroup = false;
  bool no_cgroups = false;  ///< --cgroup-manager=disabled: containers stay in the caller's, without limits
};

struct launch_options {  ///< of everything that starts a process
  std::string id{};
  std::string console_socket{}, pidfd_socket{}, pid_file{};  ///< absolute
  bool detach = false;
  int preserve_fds = 0;
  std::optional<std::string> plan{};  ///< "text" or "json": print what would be done, do nothing
  std::string trace{};        ///< absolute, or "-" for a time line on standard error
  std::string stop_before{};  ///< a stage
  std::string shell_at{};     ///< a stage
};

struct create_options : launch_options {  ///< of run, too
  std::string bundle{};  ///< absolute
  std::string config{};  ///< absolute; empty: config.json of the bundle
  bool no_pivot = false, no_new_keyring = false, keep = false, no_subreaper = false;
};

struct exec_options : launch_options {
  std::string process{};  ///< absolute; empty: the container's process with what follows
  std::vector<std::string> args{}, env{}, additional_gids{}, caps{};
  std::string cwd{}, user{}, process_label{}, apparmor{};
  bool tty = false, no_new_privs = false, ignore_paused = false;
  std::vector<std::string> cgroups{};  ///< "[ctrl[,ctrl]:]path"
};

struct kill_options {
  std::string id{}, signal = "SIGTERM";
  bool all = false;
  bool regex = false;  ///< `id` is a pattern of ids
};

struct delete_options {
  std::string id{};
  bool force = false;
  bool regex = false;  ///< `id` is a pattern of ids
};

struct ps_options {
  std::string id{};
  bool json = false;
  std::vector<std::string> args{};  ///< for the host's ps; none: -ef
};

struct update_options {
  std::string id{};
  std::string resources{};   ///< absolute, or "-" for standard input; empty: `change`
  spec::resources change{};
  std::string l3_cache_schema{}, mem_bw_schema{};
};

struct events_options {
  std::string id{};
  std::int64_t interval = 5000;  ///< milliseconds
  bool stats = false;            ///< one record, then the end
};

struct stats_options {
  std::vector<std::string> ids{};  ///< none: all that run
  std::int64_t interval = 2000;    ///< milliseconds
  bool once = false;
};

struct list_options {
  bool json = false, quiet = false;
};

struct spec_options {
  std::string bundle{};
  bool rootless = false;
};

struct check_options {
  std::string bundle{};  ///< absolute
  bool json = false, strict = false;
};

struct where_options {
  std::string id{};
  bool json = false;
};

struct show_text { std::string text{}; };  ///< help
struct show_version {};
struct features_command {};
struct stages_command { std::string format{}; };  ///< "text", "json" or "markdown"
struct create_command { create_options options{}; };
struct run_command { create_options options{}; };
struct exec_command { exec_options options{}; };
struct start_command { std::string id{}; };
struct ps_command { ps_options options{}; };
struct update_command { update_options options{}; };
struct events_command { events_options options{}; };
struct stats_command { stats_options options{}; };
struct pause_command { std::string id{}; };
struct resume_command { std::string id{}; };
struct state_command { std::string id{}; };
struct kill_command { kill_options options{}; };
struct delete_command { delete_options options{}; };
struct list_command { list_options options{}; };
struct spec_command { spec_options options{}; };
struct check_command { check_options options{}; };
struct where_command { where_options options{}; };

using command = std::variant<show_text, show_version, create_command, run_command, start_command, state_command,
                             kill_command, delete_command, list_command, spec_command, stages_command, check_command,
                             where_command, exec_command, features_command, pause_command, resume_command,
                             ps_command, update_command, events_command, stats_command>;

struct request {
  global_options global{};
  std::string name{};  ///< of the command
  command what{};
};

struct usage_error {
  std::string message{};
  std::string to_stdout{};  ///< the help that comes with a wrong number of arguments
  global_options global{};  ///< as far as understood: the message goes to that log
};

}  // namespace ocitk::cli

#endif
