/*
 * What a hostile program of an image would try. Static; prints one line per attempt.
 *   probe call NUMBER ARG...    a system call: "ok RESULT" or the name of the error
 *   probe call32 NUMBER ARG...  the same by the 32-bit entry of x86
 *   probe escape                the classic way out of a chroot: prints what / holds afterwards
 *   probe connect NAME          connects to an abstract socket
 * An argument is a number, or s:TEXT for the address of a text, or b:SIZE for one of zeroes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void report(long result, int error) {
  if (result >= 0) printf("ok\n");
  else printf("%s\n", strerrorname_np(error));
}

/* Below 4 GiB, where 32-bit calls can point. */
static char *low(size_t size) {
  static char *memory;
  if (!memory) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_32BIT
    flags |= MAP_32BIT;
#endif
    memory = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, flags, -1, 0);
  }
  char *result = memory;
  memory += (size + 15) & ~15ul;
  return result;
}

static long argument(const char *text) {
  if (!strncmp(text, "s:", 2)) return (long)strcpy(low(strlen(text)), text + 2);
  if (!strncmp(text, "b:", 2)) return (long)low(strtoul(text + 2, 0, 0));
  return strtol(text, 0, 0);
}

static int try_call(int wide, int count, char **words) {
  long a[7] = {0};
  for (int i = 0; i < count && i < 7; i++) a[i] = argument(words[i]);
  if (wide) {
    long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    report(result, errno);
    return 0;
  }
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(a[0]), "b"(a[1]), "c"(a[2]), "d"(a[3]), "S"(a[4]), "D"(a[5])
                   : "memory", "r8", "r9", "r10", "r11");
  report((int)result, -(int)result);
#endif
  return 0;
}

static int escape(void) {
  mkdir("/jail", 0755);
  int top = open("/", O_RDONLY | O_DIRECTORY);
  if (chroot("/jail")) return perror("chroot"), 1;
  if (fchdir(top)) return perror("fchdir"), 1;
  for (int i = 0; i < 64; i++) chdir("..");
  if (chroot(".")) return perror("chroot"), 1;
  DIR *directory = opendir("/");
  for (struct dirent *entry; (entry = readdir(directory));) printf("%s\n", entry->d_name);
  return 0;
}

static int abstract(const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path + 1, name);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  int result = connect(fd, (void *)&address, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
  report(result, errno);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 2 && !strcmp(argv[1], "call")) return try_call(1, argc - 2, argv + 2);
  if (argc > 2 && !strcmp(argv[1], "call32")) return try_call(0, argc - 2, argv + 2);
  if (argc > 1 && !strcmp(argv[1], "escape")) return escape();
  if (argc > 2 && !strcmp(argv[1], "connect")) return abstract(argv[2]);
  return 2;
}
