// Foreign code in a program, at the moment from which it would look at requests: loaded by LD_PRELOAD, it
// is called in the place of a function of libfcgi, tries what an intruder would, and prints a line for
// each attempt, "NAME refused" or "NAME done". Then the program goes on.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static void attempt(const char *name, int is_done) {
  dprintf(STDERR_FILENO, "intruder: %s %s\n", name, is_done ? "done" : "refused");
}

static int opens(const char *path, int flags) {
  int descriptor = open(path, flags, 0600);
  if (descriptor >= 0) close(descriptor);
  return descriptor >= 0;
}

static int makes_socket(int family, int type, int protocol) {
  int descriptor = socket(family, type, protocol);
  if (descriptor >= 0) close(descriptor);
  return descriptor >= 0;
}

static int connects(const char *address, const char *port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  inet_pton(AF_INET, address, &to.sin_addr);
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  int is_done = descriptor >= 0 && connect(descriptor, (struct sockaddr *)&to, sizeof to) == 0;
  if (descriptor >= 0) close(descriptor);
  return is_done;
}

static int listens(void) {
  struct sockaddr_in any = {.sin_family = AF_INET};
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  return descriptor >= 0 && bind(descriptor, (struct sockaddr *)&any, sizeof any) == 0;
}

static int starts_child(void) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  return child > 0;
}

static int starts_program(void) {
  char *arguments[] = {"true", NULL};
  pid_t child = 0;
  return posix_spawn(&child, "/bin/true", NULL, NULL, arguments, NULL) == 0;
}

static int becomes_program(void) {
  char *arguments[] = {"true", NULL};
  execv("/bin/true", arguments);
  return 0;
}

static int writes_and_executes(void) {
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED) return 1;
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static int reads_parent(void) {
  char byte;
  struct iovec here = {&byte, 1}, there = {environ, 1};
  return process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1;
}

static int raises_core_limit(void) {
  struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
  return setrlimit(RLIMIT_CORE, &all) == 0;
}

static int reads_own_folder(void) {
  const char *file = getenv("INTRUDER_FILE");
  return file != NULL && opens(file, O_RDONLY);
}

static int writes_own_file(void) {
  const char *file = getenv("INTRUDER_FILE");
  return file != NULL && (opens(file, O_WRONLY) || truncate(file, 0) == 0 || unlink(file) == 0 ||
                          chmod(file, 0777) == 0 || rename(file, "/tmp/intruder") == 0);
}

// By a pointer whose low half is 0, as that of a call that only asks.
static int sets_limit(void) {
  struct rlimit *now = mmap((void *)(1UL << 32), sizeof *now, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  return now == MAP_FAILED || getrlimit(RLIMIT_NOFILE, now) != 0 ||
         syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, now, NULL) == 0;
}

int FCGX_IsCGI(void) {
  const char *port = getenv("INTRUDER_PORT");
  attempt("read /etc/shadow", opens("/etc/shadow", O_RDONLY));
  attempt("read /etc/hostname", opens("/etc/hostname", O_RDONLY));
  attempt("read /proc/self/mem", opens("/proc/self/mem", O_RDONLY));
  attempt("read the parent's environment", opens("/proc/1/environ", O_RDONLY));
  attempt("read a file of its user", reads_own_folder());
  attempt("list /", opens("/", O_RDONLY | O_DIRECTORY));
  attempt("write a file of its user", writes_own_file());
  attempt("make a file", opens("/tmp/intruder", O_WRONLY | O_CREAT));
  attempt("make a file without a name", opens("/tmp", O_TMPFILE | O_RDWR));
  attempt("write /dev/shm", opens("/dev/shm/intruder", O_RDWR | O_CREAT));
  attempt("make a folder", mkdir("/tmp/intruder.d", 0700) == 0);
  attempt("make a link", symlink("/etc", "/tmp/intruder.l") == 0);
  attempt("make a file in memory", syscall(SYS_memfd_create, "x", 0) >= 0);
  // libc starts processes with all signals blocked, where a refusal cannot be named: it then kills.
  if (getenv("INTRUDER_SPAWNS") == NULL) {
    attempt("fork", starts_child());
    attempt("start a program", starts_program());
  }
  attempt("become a program", becomes_program());
  attempt("write and execute memory", writes_and_executes());
  attempt("trace the parent", ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0);
  attempt("read the parent's memory", reads_parent());
  attempt("signal the parent", kill(getppid(), 0) == 0);
  attempt("be dumped again", prctl(PR_SET_DUMPABLE, 1) == 0);
  attempt("raise the core limit", raises_core_limit());
  attempt("set a limit", sets_limit());
  attempt("change its user", setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0);
  attempt("mount", mount("x", "/tmp", "tmpfs", 0, "") == 0);
  attempt("leave its namespaces", unshare(CLONE_NEWUSER) == 0);
  attempt("load a BPF program", syscall(SYS_bpf, 0, NULL, 0) >= 0 || errno != EPERM);
  attempt("use io_uring", syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != EPERM);
  attempt("use keys", syscall(SYS_keyctl, 0, -3, 0) >= 0);
  attempt("open a netlink socket", makes_socket(AF_NETLINK, SOCK_RAW, 0));
  attempt("open a raw socket", makes_socket(AF_PACKET, SOCK_RAW, 0));
  attempt("listen", listens());
  attempt("open an internet socket", makes_socket(AF_INET, SOCK_STREAM, 0));
  if (port != NULL) attempt("connect elsewhere", connects("127.0.0.1", port));
  int (*real)(void) = dlsym(RTLD_NEXT, "FCGX_IsCGI");
  return real();
}
