import type { Capability } from '../capabilities.ts';
import type { SyscallArch } from './syscall-numbers.ts';

/** A test of one argument's low 32 bits; the kernel takes no more of these arguments. */
export type ArgumentTest =
  | { argument: number; test: 'one-of'; values: readonly number[] }
  | { argument: number; test: 'none-of'; values: readonly number[] }
  | { argument: number; test: 'bits-clear'; mask: number };

/** What happens to a call: `allow`, an errno, or a test that allows it when it holds (else EPERM). */
export type Verdict = 'allow' | { errno: number } | ArgumentTest;

interface Rule {
  names: string;
  verdict: Verdict;
  /** Only where the container has one of these. */
  with?: readonly Capability[];
  /** Only where the container lacks it. */
  without?: Capability;
  archs?: readonly SyscallArch[];
}

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const namespaceFlags = 0x7e020000;
const ENOSYS = 38;

/**
 * Docker's default profile (moby/profiles, seccomp/default.json, 2026) for the architectures that Slipway runs on.
 * Whatever no rule names gets EPERM. io_uring, kernel keys, namespaces and mounts are absent on purpose.
 */
const rules: readonly Rule[] = [
  {
    verdict: 'allow',
    names: `
_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown
chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3
epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate
fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list
get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32
getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid
getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday
getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel
io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set
ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link
linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise
map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2
mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall
munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe
pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64
process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev
pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg
remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction
rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity
sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget
semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list
set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups
setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32
setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt
shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat
stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time
timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate
truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork
vmsplice wait4 waitid waitpid write writev
`,
  },
  // AF_ALG (38) and AF_VSOCK (40): the kernel's crypto and the hypervisor are not for containers.
  { names: 'socket', verdict: { argument: 0, test: 'none-of', values: [38, 40] } },
  // PER_LINUX, PER_LINUX32, UNAME26, both, and the query.
  {
    names: 'personality',
    verdict: { argument: 0, test: 'one-of', values: [0, 8, 0x20000, 0x20008, 0xffffffff] },
  },
  {
    names: 'arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls',
    verdict: 'allow',
    archs: ['arm', 'arm64'],
  },
  { names: 'arch_prctl', verdict: 'allow', archs: ['x86_64'] },
  { names: 'modify_ldt', verdict: 'allow', archs: ['x86_64', 'i386'] },
  { names: 'open_by_handle_at', verdict: 'allow', with: ['DAC_READ_SEARCH'] },
  {
    names: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd
setdomainname sethostname setns syslog umount umount2 unshare`,
    verdict: 'allow',
    with: ['SYS_ADMIN'],
  },
  {
    names: 'clone',
    verdict: { argument: 0, test: 'bits-clear', mask: namespaceFlags },
    without: 'SYS_ADMIN',
  },
  // Its flags lie in memory, where a filter cannot look: libc falls back to clone.
  { names: 'clone3', verdict: { errno: ENOSYS }, without: 'SYS_ADMIN' },
  { names: 'reboot', verdict: 'allow', with: ['SYS_BOOT'] },
  { names: 'chroot', verdict: 'allow', with: ['SYS_CHROOT'] },
  { names: 'delete_module init_module finit_module', verdict: 'allow', with: ['SYS_MODULE'] },
  { names: 'acct', verdict: 'allow', with: ['SYS_PACCT'] },
  { names: 'kcmp pidfd_getfd process_madvise', verdict: 'allow', with: ['SYS_PTRACE'] },
  { names: 'iopl ioperm', verdict: 'allow', with: ['SYS_RAWIO'] },
  { names: 'settimeofday stime clock_settime clock_settime64', verdict: 'allow', with: ['SYS_TIME'] },
  { names: 'vhangup', verdict: 'allow', with: ['SYS_TTY_CONFIG'] },
  {
    names: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
    verdict: 'allow',
    with: ['SYS_NICE'],
  },
  { names: 'syslog', verdict: 'allow', with: ['SYSLOG'] },
  { names: 'bpf', verdict: 'allow', with: ['BPF'] },
  { names: 'perf_event_open', verdict: 'allow', with: ['PERFMON'] },
];

/** Every call that is not simply refused with EPERM, by name, for a container with these capabilities. */
export function verdicts(arch: SyscallArch, capabilities: ReadonlySet<Capability>): Map<string, Verdict> {
  const result = new Map<string, Verdict>();
  for (const rule of rules) {
    if (rule.archs && !rule.archs.includes(arch)) continue;
    if (rule.with && !rule.with.some((c) => capabilities.has(c))) continue;
    if (rule.without && capabilities.has(rule.without)) continue;
    for (const name of rule.names.trim().split(/\s+/)) result.set(name, rule.verdict);
  }
  return result;
}
