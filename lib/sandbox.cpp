// Landlock (landlock(7)) for files and TCP ports, seccomp (seccomp(2)) for system calls. Both by
// the kernel's own interface: it is small, and another library would be another dependency.
#include "lib/sandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "lib/db_reach.h"
#include "lib/logging.h"

#if defined(__x86_64__)
#define SANDBOX_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SANDBOX_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_SANITIZED true
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED false
#endif

namespace sandbox {
namespace {

struct Needs {
  db::Reach database;
  std::vector<std::uint16_t> more_ports;
  std::vector<std::string> files;  // to read: files, or folders with all below them
  bool starts_programs = false;
  bool names_refused_calls = false;
};

constexpr bool kIsSanitized = SANDBOX_SANITIZED;

struct Readable {
  std::string path;
  dev_t device;
  ino_t inode;
};
std::vector<Readable> readable;

// --- Landlock ------------------------------------------------------------------------------------

// The kernel's structure as of ABI 6; those who know less of it are given less of it. The headers
// of Debian 12 end with ABI 2.
struct Ruleset {
  std::uint64_t files;
  std::uint64_t network;  // ABI 4
  std::uint64_t scoped;   // ABI 6
};
struct PortRule {
  std::uint64_t allowed;
  std::uint64_t port;
};
constexpr int kPortRule = 2;
constexpr std::uint64_t kTruncate = 1ULL << 14;       // ABI 3
constexpr std::uint64_t kDeviceControl = 1ULL << 15;  // ABI 5
constexpr std::uint64_t kBindTcp = 1ULL << 0;
constexpr std::uint64_t kConnectTcp = 1ULL << 1;
constexpr std::uint64_t kAbstractSockets = 1ULL << 0;
constexpr std::uint64_t kSignals = 1ULL << 1;

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

// What libc, libpq and OpenSSL read when they connect. Name resolution has modules of its own
// (nsswitch.conf), which are libraries.
constexpr std::array kAlways{"/usr/lib",
                             "/lib",
                             "/lib64",
                             "/etc/ld.so.cache",
                             "/etc/passwd",
                             "/etc/nsswitch.conf",
                             "/etc/ssl/openssl.cnf"};
constexpr std::array kForTcp{"/etc/ssl",
                             "/etc/pki",
                             "/usr/share/ca-certificates",
                             "/usr/local/share/ca-certificates",
                             "/etc/hosts",
                             "/etc/resolv.conf",
                             "/etc/host.conf",
                             "/etc/gai.conf",
                             "/etc/services",
                             "/run/systemd/resolve"};

void allow_path(int ruleset, const char* path, std::uint64_t rights) {
  const int descriptor = ::open(path, O_PATH | O_CLOEXEC);
  if (descriptor < 0) return;  // what is not there needs no right
  struct stat about {};
  if (fstat(descriptor, &about) == 0) {
    // A file must not be given the rights that only folders have.
    if (!S_ISDIR(about.st_mode)) {
      rights &= ~std::uint64_t{LANDLOCK_ACCESS_FS_READ_DIR};
      readable.push_back({path, about.st_dev, about.st_ino});
    }
    const landlock_path_beneath_attr rule{rights, descriptor};
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  ::close(descriptor);
}

bool limit_files_and_ports(const Needs& needs) {
  const long abi =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return false;
  Ruleset asked{kWrite, 0, 0};
  if (!needs.starts_programs) asked.files |= kRead | LANDLOCK_ACCESS_FS_EXECUTE;
  if (abi >= 2) asked.files |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) asked.files |= kTruncate;
  const bool limits_ports = abi >= 4;
  if (limits_ports) asked.network = kBindTcp | kConnectTcp;
  if (abi >= 5) asked.files |= kDeviceControl;
  if (abi >= 6) asked.scoped = kSignals | (needs.database.abstract_sockets ? 0 : kAbstractSockets);
  const std::size_t size = abi >= 6   ? sizeof asked
                           : abi >= 4 ? offsetof(Ruleset, scoped)
                                      : offsetof(Ruleset, network);
  const int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &asked, size, 0));
  if (ruleset < 0) return false;
  if (!needs.starts_programs) {
    for (const char* path : kAlways) allow_path(ruleset, path, kRead);
    if (needs.database.tcp)
      for (const char* path : kForTcp) allow_path(ruleset, path, kRead);
    for (const std::string& path : needs.files) allow_path(ruleset, path.c_str(), kRead);
  } else {
    allow_path(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE);
    // msmtp puts the mail into a temporary file first.
    const std::uint64_t truncate = abi >= 3 ? kTruncate : 0;
    allow_path(ruleset, P_tmpdir,
               LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                   LANDLOCK_ACCESS_FS_REMOVE_FILE | truncate);
  }
  if (limits_ports) {
    std::vector<std::uint16_t> ports = needs.database.tcp_ports;
    for (const std::uint16_t port : needs.more_ports) ports.push_back(port);
    if (!ports.empty()) ports.push_back(53);  // names, where an answer is too long for UDP
    for (const std::uint16_t port : ports) {
      const PortRule rule{kConnectTcp, port};
      syscall(SYS_landlock_add_rule, ruleset, kPortRule, &rule, 0);
    }
  }
  const bool is_limited = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  ::close(ruleset);
  return is_limited;
}

// --- seccomp -------------------------------------------------------------------------------------

#ifdef SANDBOX_ARCHITECTURE

// What is allowed whatever its arguments are. Old calls that not every architecture has are last.
constexpr auto kAllowed = std::to_array<int>({
    // the requests and the database
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_recvfrom,
    SYS_sendto,
    SYS_recvmsg,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_close,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    SYS_epoll_create1,
    SYS_ppoll,
    SYS_eventfd2,
    SYS_signalfd4,
    SYS_accept4,
    SYS_shutdown,
    SYS_connect,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_fcntl,
    SYS_setitimer,
    // time and memory
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    // threads and signals
    SYS_futex,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_set_tid_address,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
    // looking at files that Landlock lets be read
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_lseek,
    SYS_pread64,
    SYS_getdents64,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getcwd,
    // who and where we are
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrusage,
    SYS_getrlimit,
#ifdef SYS_open  // x86-64
    SYS_poll,
    SYS_epoll_wait,
    SYS_alarm,
    SYS_time,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_arch_prctl,
#endif
});

// The highest number that we know. A newer libc tries newer calls first and does without where the
// kernel has none of that name, which is ENOSYS; EPERM it would take for a failure.
constexpr int kHighest = SYS_landlock_restrict_self;

class Filter {
 public:
  explicit Filter(std::uint32_t refusal) : refusal_(refusal) {
    load(offsetof(seccomp_data, arch));
    unless_equal(SANDBOX_ARCHITECTURE, SECCOMP_RET_ERRNO | ENOSYS);
    load(offsetof(seccomp_data, nr));
  }

  void allow(int call) { if_call(call, {ret(SECCOMP_RET_ALLOW)}); }
  void answer(int call, std::uint32_t action) { if_call(call, {ret(action)}); }

  // If none of `bits` is set in the argument.
  void allow_without(int call, unsigned argument, std::uint32_t bits) {
    if_call(call,
            {low_half(argument), mask(bits), jump(0, 1, 0), ret(refusal_), ret(SECCOMP_RET_ALLOW)});
  }
  // If not all of them are.
  void allow_without_both(int call, unsigned argument, std::uint32_t bits) {
    if_call(call, {low_half(argument), mask(bits), jump(bits, 0, 1), ret(refusal_),
                   ret(SECCOMP_RET_ALLOW)});
  }
  // If all of them are.
  void allow_with(int call, unsigned argument, std::uint32_t bits) {
    if_call(call, {low_half(argument), mask(bits), jump(bits, 1, 0), ret(refusal_),
                   ret(SECCOMP_RET_ALLOW)});
  }
  void allow_only(int call, unsigned argument, std::initializer_list<std::uint32_t> values) {
    for (const std::uint32_t value : values)
      if_call(call, {low_half(argument), jump(value, 0, 1), ret(SECCOMP_RET_ALLOW),
                     load_statement(offsetof(seccomp_data, nr))});
  }

  // For a pointer, which has 64 bits.
  void allow_null(int call, unsigned argument) {
    if_call(call, {low_half(argument), jump(0, 0, 3), high_half(argument), jump(0, 0, 1),
                   ret(SECCOMP_RET_ALLOW), load_statement(offsetof(seccomp_data, nr))});
  }

  bool install() {
    // What is newer than we are (see kHighest), and all the rest.
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kHighest, 0, 1));
    code_.push_back(ret(SECCOMP_RET_ERRNO | ENOSYS));
    code_.push_back(ret(refusal_));
    const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
  }

 private:
  static sock_filter ret(std::uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }
  static sock_filter load_statement(std::size_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  }
  static sock_filter mask(std::uint32_t bits) { return BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits); }
  // How many steps to leave out if what was loaded is `value`, and if not.
  static sock_filter jump(std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
    return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
  }
  // Both architectures are little-endian; most of what we look at has 32 bits.
  static sock_filter low_half(unsigned argument) {
    return load_statement(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
  }
  static sock_filter high_half(unsigned argument) {
    return load_statement(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t) +
                          sizeof(std::uint32_t));
  }
  void load(std::size_t offset) { code_.push_back(load_statement(offset)); }
  void unless_equal(std::uint32_t value, std::uint32_t action) {
    code_.push_back(jump(value, 1, 0));
    code_.push_back(ret(action));
  }
  void if_call(int call, std::initializer_list<sock_filter> steps) {
    code_.push_back(
        jump(static_cast<std::uint32_t>(call), 0, static_cast<std::uint8_t>(steps.size())));
    code_.insert(code_.end(), steps);
  }

  std::uint32_t refusal_;
  std::vector<sock_filter> code_;
};

struct Named {
  int number;
  const char* name;
};
constexpr Named kNames[] = {
#include "syscalls.inc"
};

// In the place of a refused call, if refusals are to be named: a line, and then EPERM all the same.
void on_refused(int, siginfo_t* about, void* where) {
  const int saved = errno;
  const char* name = "a call without a name";
  for (const Named& each : kNames)
    if (each.number == about->si_syscall) name = each.name;
  std::array<char, 128> line{};
  const int size = std::snprintf(
      line.data(), line.size(),
      "{\"level\":\"warn\",\"err\":\"the sandbox refused the system call %s (%d)\"}\n", name,
      about->si_syscall);
  if (::write(STDERR_FILENO, line.data(), static_cast<std::size_t>(size)) < 0) errno = saved;
  auto* context = static_cast<ucontext_t*>(where);
#if defined(__x86_64__)
  context->uc_mcontext.gregs[REG_RAX] = -EPERM;
#else
  context->uc_mcontext.regs[0] = static_cast<unsigned long long>(-EPERM);
#endif
  errno = saved;
}

bool limit_calls(const Needs& needs) {
  if (needs.names_refused_calls) {
    struct sigaction action {};
    action.sa_sigaction = on_refused;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSYS, &action, nullptr);
  }
  Filter filter(needs.names_refused_calls ? SECCOMP_RET_TRAP : SECCOMP_RET_ERRNO | EPERM);
  for (const int call : kAllowed) filter.allow(call);
  // Threads, but no processes. What clone3 is asked for is in memory, where a filter cannot look;
  // libc then uses clone.
  filter.answer(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  filter.allow_with(SYS_clone, 0, CLONE_THREAD | CLONE_VM);
  // Nothing that could be written is ever executed; libraries of name resolution are mapped whole.
  filter.allow_without_both(SYS_mmap, 2, PROT_WRITE | PROT_EXEC);
  filter.allow_without(SYS_mprotect, 2, PROT_EXEC);
  // No file is opened to be written, whatever its rights are.
  constexpr std::uint32_t kWriting = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
  filter.allow_without(SYS_openat, 2, kWriting);
#ifdef SYS_open
  filter.allow_without(SYS_open, 1, kWriting);
#endif
  if (needs.database.tcp)
    filter.allow_only(SYS_socket, 0, {AF_UNIX, AF_INET, AF_INET6});
  else
    filter.allow_only(SYS_socket, 0, {AF_UNIX});
  filter.allow_only(SYS_ioctl, 1, {FIONREAD, TCGETS});
  filter.allow_null(SYS_prlimit64, 2);  // to ask for limits, without a pointer to new ones
  filter.allow_only(SYS_tgkill, 0, {static_cast<std::uint32_t>(getpid())});  // abort()
  return filter.install();
}

#else

bool limit_calls(const Needs&) { return false; }

#endif

}  // namespace

void enter(const env::Settings& settings, const char* program, bool starts_programs) {
  env::forget_secrets();
  if (settings.sandbox == env::Settings::Sandbox::off) return;
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  const bool is_bound = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  // Others of the same user can neither trace us nor read our memory.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // A sanitizer's report reads /proc, starts a program for the names, and is written to a file.
  if (kIsSanitized) return;
  Needs needs;
  needs.database = db::reach_of(settings.database_url);
  needs.files = needs.database.files;
  needs.files.push_back(settings.metrics_folder);
  needs.starts_programs = starts_programs;
  if (starts_programs && settings.smtp)
    needs.more_ports.push_back(static_cast<std::uint16_t>(settings.smtp->port));
  needs.names_refused_calls = settings.sandbox == env::Settings::Sandbox::debug;
  const auto say = [&](const char* what) {
    logging::Line(logging::Level::info).field("route", program).field("err", what);
  };
  readable.clear();
  if (!is_bound || !limit_files_and_ports(needs))
    say("this kernel has no Landlock: the program does not limit its files");
  if (!starts_programs && (!is_bound || !limit_calls(needs)))
    say("this kernel has no seccomp: the program does not limit its system calls");
}

bool is_outdated() {
  return std::any_of(readable.begin(), readable.end(), [](const Readable& file) {
    struct stat about {};
    return stat(file.path.c_str(), &about) == 0 &&
           (about.st_dev != file.device || about.st_ino != file.inode);
  });
}

}  // namespace sandbox
