/* Writes down what a process does to the files of one folder: each write, truncation, removal, renaming, and what it syncs.
 *
 * Preloaded (LD_PRELOAD) into the server by tests/power_loss.rs, which rebuilds from the journal what a disk would hold if the
 * power went at some moment. JOURNAL is the file that the records go to, JOURNALED the folder.
 *
 * A record: kind (1 byte), length of the path (4), length of the data (4), offset or length or position (8), path, data. A write
 * is recorded before it is done, a sync after it, with the position of the journal before it: only what was recorded by then is
 * known to be synced. Numbers are in the machine's order. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 'w', TRUNCATE = 't', SYNC = 's', CREATE = 'c', REMOVE = 'r', RENAME = 'm' };

#define FILES 4096
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *paths[FILES]; /* of the open files that count */
static char folder[4096];
static size_t folder_length;
static int journal = -1;
static uint64_t recorded;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

__attribute__((constructor)) static void begin(void)
{
    real_open = dlsym(RTLD_NEXT, "open64");
    real_openat = dlsym(RTLD_NEXT, "openat64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    const char *into = getenv("JOURNAL"), *of = getenv("JOURNALED");
    if (!into || !of || !realpath(of, folder)) return;
    folder_length = strlen(folder);
    journal = real_open(into, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Whether a path is the folder, or a file in it that must outlive the process: the index of the log and locks need not. */
static int counts(const char *path)
{
    if (journal < 0 || strncmp(path, folder, folder_length) != 0) return 0;
    if (path[folder_length] == 0) return 1;
    size_t length = strlen(path);
    if (path[folder_length] != '/') return 0;
    if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return 0;
    return !(length > 5 && strcmp(path + length - 5, ".lock") == 0);
}

static void record(char kind, const char *path, uint64_t number, const void *data, uint32_t length)
{
    uint32_t path_length = strlen(path);
    size_t size = 17 + path_length + length;
    char *text = malloc(size);
    if (!text) abort();
    text[0] = kind;
    memcpy(text + 1, &path_length, 4);
    memcpy(text + 5, &length, 4);
    memcpy(text + 9, &number, 8);
    memcpy(text + 17, path, path_length);
    if (length) memcpy(text + 17 + path_length, data, length);
    pthread_mutex_lock(&lock);
    for (size_t done = 0; done < size;) {
        ssize_t written = real_write(journal, text + done, size - done);
        if (written < 0) abort();
        done += written;
    }
    recorded += size;
    pthread_mutex_unlock(&lock);
    free(text);
}

static uint64_t position(void)
{
    pthread_mutex_lock(&lock);
    uint64_t now = recorded;
    pthread_mutex_unlock(&lock);
    return now;
}

static const char *path_of(int fd) { return fd >= 0 && fd < FILES ? paths[fd] : NULL; }

static int opened(int fd, int existed)
{
    if (fd < 0 || fd >= FILES || journal < 0) return fd;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return fd;
    path[length] = 0;
    if (!counts(path)) return fd;
    paths[fd] = strdup(path);
    if (!existed) record(CREATE, path, 0, NULL, 0);
    return fd;
}

static int there(int at, const char *path)
{
    struct stat found;
    return fstatat(at, path, &found, 0) == 0;
}

static int open_any(int at, const char *path, int flags, mode_t mode)
{
    int existed = !(flags & O_CREAT) || there(at, path);
    int emptied = existed && (flags & O_TRUNC);
    int fd = opened(real_openat(at, path, flags, mode), existed);
    if (emptied && path_of(fd)) record(TRUNCATE, path_of(fd), 0, NULL, 0);
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags, mode); }

int close(int fd)
{
    if (path_of(fd)) { free(paths[fd]); paths[fd] = NULL; }
    return real_close(fd);
}

ssize_t write(int fd, const void *data, size_t length)
{
    const char *path = path_of(fd);
    if (path) {
        struct stat now;
        int flags = fcntl(fd, F_GETFL);
        off_t at = (flags & O_APPEND) && fstat(fd, &now) == 0 ? now.st_size : lseek(fd, 0, SEEK_CUR);
        if (at >= 0) record(WRITE, path, at, data, length);
    }
    return real_write(fd, data, length);
}

/* As one write: nothing of ours scatters a file's bytes. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (!path_of(fd)) return syscall(SYS_writev, fd, parts, count);
    return write(fd, parts[0].iov_base, parts[0].iov_len);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t at)
{
    if (path_of(fd)) record(WRITE, path_of(fd), at, data, length);
    return real_pwrite(fd, data, length, at);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return pwrite64(fd, data, length, at); }

int ftruncate64(int fd, off_t length)
{
    if (path_of(fd)) record(TRUNCATE, path_of(fd), length, NULL, 0);
    return real_ftruncate(fd, length);
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(int fd, int (*really)(int))
{
    uint64_t before = position();
    int done = really(fd);
    if (done == 0 && path_of(fd)) record(SYNC, path_of(fd), before, NULL, 0);
    return done;
}
int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

/* The file that a name means, as it is recorded. */
static int named(const char *name, char *path)
{
    const char *last = strrchr(name, '/');
    char parent[4096];
    if (last == NULL) strcpy(parent, ".");
    else if (last == name) strcpy(parent, "/");
    else { size_t length = last - name; memcpy(parent, name, length); parent[length] = 0; }
    char whole[4096];
    if (!realpath(parent, whole)) return 0;
    snprintf(path, 4096, "%s/%s", whole, last ? last + 1 : name);
    return counts(path);
}

int unlink(const char *name)
{
    char path[4096];
    int of_ours = named(name, path);
    int done = real_unlink(name);
    if (done == 0 && of_ours) record(REMOVE, path, 0, NULL, 0);
    return done;
}

int rename(const char *from, const char *to)
{
    char old[4096], new[4096];
    int of_ours = named(from, old) && named(to, new);
    int done = real_rename(from, to);
    if (done == 0 && of_ours) record(RENAME, old, 0, new, strlen(new));
    return done;
}
